"""Take changes off the stage; the working tree stays as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from muse.core.errors import CorruptFileError, PathNotFoundError
from muse.core.paths import show_path, stage_path
from muse.core.repo import Repository
from muse.core.scan import iter_parents
from muse.core.stage import Stage, TreeFiles, change_stage, read_stage, without_noops
from muse.ops.add import write_stage


class ResetResult(NamedTuple):
    """What was taken off the stage.

    Attributes:
        paths: The paths that were staged.
        was_damaged: The stage could not be read and was dropped as a whole.
    """

    paths: tuple[bytes, ...]
    was_damaged: bool = False


def reset(repo: Repository, paths: Sequence[bytes] = ()) -> ResetResult:
    """Unstage files and what is below folders; everything when no path is named.

    Args:
        repo: The repository.
        paths: Files and folders.

    Returns:
        What was unstaged; its contents stay stored until `gc`.

    Raises:
        PathNotFoundError: A path is not staged, not in HEAD, and not in the working tree.
        CorruptFileError: The stage is damaged, and only some paths were named.

    Durability:
        Killed before the end: the stage is as it was. After: it is durable without them.
    """
    everything = not paths or b"" in paths
    with repo.transaction("reset") as tx:
        try:
            stage = read_stage(repo.root)
        except CorruptFileError:
            if not everything:
                raise
            # The way out that the error's hint names.
            tx.remove_file(stage_path(repo.root))
            return ResetResult((), was_damaged=True)
        head = TreeFiles(repo.objects, repo.head_tree())
        for path in paths if not everything else ():
            _check_known(repo, path, stage, head)
        names = set(paths)
        staged = without_noops(stage, head)
        kept = Stage(
            (path, entry)
            for path, entry in staged.items()
            if not (everything or path in names or names.intersection(iter_parents(path)))
        )
        back = {p: head.find(p) for p in staged.keys() - kept.keys() if staged[p] is None}
        # A file that comes back takes the place of what was staged above or below it.
        kept = change_stage(kept, back, head=head)
        dropped = tuple(sorted(staged.keys() - kept.keys()))
        tx.summary = f"reset: {len(dropped)} paths"
        write_stage(repo, tx, before=stage, after=kept)
    return ResetResult(dropped)


def _check_known(repo: Repository, path: bytes, stage: Stage, head: TreeFiles) -> None:
    if path in stage or head.find(path) is not None or head.is_folder(path):
        return
    if any(path in iter_parents(staged) for staged in stage):
        return
    if os.path.lexists(os.path.join(os.fsencode(repo.root), path)):
        return
    raise PathNotFoundError(
        f"'{show_path(path)}' is not staged, and neither HEAD nor the working tree has it.",
        hint="'muse status' lists what is staged.",
    )
