"""What is changed, and where the branch stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from muse.core.checkout_record import CheckoutRecord, read_interrupted_checkout
from muse.core.errors import RefNotFoundError, UsageError
from muse.core.paths import show_path
from muse.core.refs import Head
from muse.core.repo import Repository
from muse.core.status import Status, StatusEngine
from muse.core.types import to_raw

if TYPE_CHECKING:
    from collections.abc import Iterable


class StatusResult(NamedTuple):
    """The status of a repository.

    Attributes:
        head: What is checked out.
        status: What is changed.
        upstream: The branch's upstream, as in ``origin/main``; None without one.
        ahead: Commits that the upstream does not have; None when that is not known.
        behind: Commits that only the upstream has; None when that is not known.
        untracked_roots: Untracked files, a folder without tracked files as one path with a slash.
        interrupted: The checkout that was killed on its way, or is under way right now: the files
            are those of two commits.
        shallow: Whether history ends somewhere on purpose, as in a clone of some depth.
        unreadable: Folders that may not be listed: what is new in them is not known.
        unreadable_files: Tracked files that may not be read; they are among the modified ones.
    """

    head: Head
    status: Status
    upstream: str | None
    ahead: int | None
    behind: int | None
    untracked_roots: tuple[bytes, ...]
    interrupted: CheckoutRecord | None = None
    shallow: bool = False
    unreadable: tuple[bytes, ...] = ()
    unreadable_files: tuple[bytes, ...] = ()


def open_engine(repo: Repository) -> StatusEngine:
    """Return an engine for a repository's working tree; nothing is looked at yet.

    Raises:
        UsageError: The repository is bare.
    """
    if repo.bare:
        raise UsageError(
            f"{show_path(str(repo.root))} is a bare repository: it has no working tree.",
            hint="Clone it, and work in the clone.",
        )
    return StatusEngine(repo.root, repo.objects, repo.refs, config=repo.config)


def read_status(repo: Repository, *, save: bool = True) -> StatusResult:
    """Look at the whole working tree.

    Args:
        repo: The repository.
        save: Write what was learned into the cache where that saves the next command time; False
            for a look that must write nothing.

    Raises:
        UsageError: The repository is bare.
        IoFailedError: Something cannot be looked at, listed or read.
        CorruptFileError: HEAD or the stage is damaged.
    """
    engine = open_engine(repo)
    status = engine.refresh_all(shared=True)
    if save and not repo.readonly:
        engine.save()
    upstream, ahead, behind = _compare_upstream(repo, engine.head)
    unreadable = tuple(sorted(engine.worktree.unreadable))
    roots = tuple(collapse_untracked(engine, status.untracked))
    interrupted = read_interrupted_checkout(repo.root)
    shallow = bool(repo.objects.boundary.known())
    return StatusResult(
        engine.head,
        status,
        upstream,
        ahead,
        behind,
        roots,
        interrupted,
        shallow,
        unreadable,
        tuple(sorted(engine.worktree.unreadable_files)),
    )


def collapse_untracked(engine: StatusEngine, untracked: Iterable[bytes]) -> list[bytes]:
    """Name a folder once in place of its files, if nothing in it is tracked.

    Args:
        engine: The engine that found them.
        untracked: Paths, sorted.

    Returns:
        Paths, sorted; folders end in a slash.
    """
    found: dict[bytes, None] = {}
    tracked: dict[bytes, bool] = {}
    for path in untracked:
        at = path.find(b"/")
        root = path
        while at >= 0:
            folder = path[:at]
            if folder not in tracked:
                tracked[folder] = engine.has_tracked_below(folder)
            if not tracked[folder]:
                root = folder + b"/"
                break
            at = path.find(b"/", at + 1)
        found[root] = None
    return list(found)


def _compare_upstream(repo: Repository, head: Head) -> tuple[str | None, int | None, int | None]:
    if head.branch is None:
        return None, None, None
    from muse.core.upstream import find_upstream  # start-up time: most repositories have none

    upstream = find_upstream(repo.config, head.branch)
    if upstream is None:
        return None, None, None
    try:
        theirs = repo.refs.read(upstream.tracking)
    except RefNotFoundError:
        theirs = None
    if theirs is None or head.commit is None:
        return upstream.name, None, None
    if theirs == head.commit:
        return upstream.name, 0, 0
    from muse.core.ancestry import CommitGraph, ahead_behind  # start-up time

    found = ahead_behind(CommitGraph(repo.objects), to_raw(head.commit), to_raw(theirs))
    return upstream.name, found.ahead, found.behind
