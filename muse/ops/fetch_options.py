"""What a fetch may be asked to do besides, and what of it makes no sense."""

from __future__ import annotations

from typing import Final, NamedTuple

from muse.core.errors import CorruptFileError, UsageError
from muse.core.repo import Repository
from muse.remotes.protocol import UNLIMITED

# Said where two histories seem to have grown apart, and may only be cut off before they meet.
CUT_OFF: Final = (
    "The history here is cut off, perhaps before the point where both meet: 'muse fetch "
    "--unshallow' first, and try again."
)


class FetchOptions(NamedTuple):
    """What a fetch was asked to do besides.

    Attributes:
        prune: Drop refs here whose branch is gone there.
        tags: Bring every tag, not only those on what was fetched.
        refetch: Bring whatever the remote has and this side has not whole, although our refs say
            that we have it: the way to replace what was damaged or lost here.
        depth: Bring so many generations of commits below each branch, 1 for its tip alone, and
            end history there on purpose; what is here already stays. None: all that is new.
        unshallow: Bring all that was left out by a depth.
        also: Tags, by their full names, that are brought wherever they point.
        into: Where branches go, ``refs/heads/`` for a bare clone; where the remote's are
            remembered when empty.
        accept_ends: Take history that ends on the other side without having asked for a depth,
            as a clone does.
    """

    prune: bool = False
    tags: bool = False
    refetch: bool = False
    depth: int | None = None
    unshallow: bool = False
    also: tuple[str, ...] = ()
    into: str = ""
    accept_ends: bool = False

    @property
    def reach(self) -> int | None:
        """The depth to ask the other side for."""
        return UNLIMITED if self.unshallow else self.depth


def check_options(repo: Repository, options: FetchOptions) -> FetchOptions:
    """Return the options as they apply to a repository.

    Raises:
        UsageError: They contradict each other, or ask for what is there.
        CorruptFileError: It is not known where history ends here.
    """
    if options.depth is not None and options.depth < 1:
        raise UsageError(
            f"A depth of {options.depth} would leave no commit.",
            hint="--depth 1 brings the newest commit of each branch.",
        )
    if options.depth is not None and options.unshallow:
        raise UsageError("--depth and --unshallow contradict each other.", hint="Give one.")
    try:
        ends = repo.objects.boundary.read()
    except CorruptFileError:
        # Nobody knows what was left out: bring everything, or leave it alone.
        if not (options.unshallow or options.refetch):
            raise
        return options._replace(unshallow=False, refetch=True)
    if options.unshallow and not ends:
        raise UsageError(
            "The history here is whole already; there is nothing to unshallow.",
            hint="'muse fetch' brings what is new.",
        )
    return options
