"""Put single files back, or forward again, as a trash entry tells.

Each file goes from one known content to another. One that has neither has been changed since, and
then nothing at all is touched: what it holds may be stored nowhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from muse.core.checkout_plan import iter_files
from muse.core.errors import ConflictError
from muse.core.file_content import StatKey, read_content
from muse.core.paths import show_path
from muse.core.placing import Placer
from muse.core.repo import Repository
from muse.core.scan import find_key, is_folder_key, iter_parents
from muse.core.stage import FileEntry
from muse.core.trash import TrashItem
from muse.core.types import Progress

_NAMED = 5


class FileMove(NamedTuple):
    """One file to change.

    Attributes:
        path: Where.
        entry: What to put there; None to remove the file.
        over: The stat key of what is there; None when nothing is.
    """

    path: bytes
    entry: FileEntry | None
    over: StatKey | None


def plan_moves(repo: Repository, items: Sequence[TrashItem], *, back: bool) -> list[FileMove]:
    """Decide how to bring files to what they were (``back``), or to what a command made of them.

    Raises:
        ConflictError: A file is neither; nothing was touched.
        IoFailedError: A file cannot be read.
    """
    moves: list[FileMove] = []
    changed: list[bytes] = []
    leaving = {item.path for item in items if (item.was if back else item.now) is None}
    for item in items:
        wanted, expected = (item.was, item.now) if back else (item.now, item.was)
        found, key = _look(repo, item.path, leaving)
        if wanted in (expected, found):
            continue
        if found == expected:
            moves.append(FileMove(item.path, wanted, key))
        else:
            changed.append(item.path)
    if changed:
        names = ", ".join(show_path(path) for path in sorted(changed)[:_NAMED])
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise ConflictError(
            f"Changed since then, and stored nowhere as it is now: {names}{more}.",
            paths=tuple(sorted(changed)),
            hint="Nothing was touched. Commit it, discard it with 'muse restore', or move it away.",
        )
    return moves


# What is at a path when it is nothing that a tree can hold.
_OTHER: FileEntry = (0, b"")  # type: ignore[assignment]  # equal to no entry of a tree


def _look(
    repo: Repository, path: bytes, leaving: set[bytes]
) -> tuple[FileEntry | None, StatKey | None]:
    root = os.fsencode(repo.root)
    for parent in iter_parents(path):
        key = find_key(root, parent)
        if key is None or (not stat.S_ISDIR(key[0]) and parent in leaving):
            return None, None
        if not stat.S_ISDIR(key[0]):
            return _OTHER, None
    key = find_key(root, path)
    if key is None:
        return None, None
    content = read_content(root + b"/" + path)
    if content is not None:
        return (content.mode, content.raw), content.key
    if is_folder_key(key) and all(p in leaving for p in iter_files(root, path)):
        return None, None
    return _OTHER, None


def apply_moves(
    repo: Repository,
    moves: Sequence[FileMove],
    *,
    sync: bool = True,
    progress: Progress | None = None,
) -> None:
    """Change the files: removals first, then writes.

    Args:
        repo: The repository.
        moves: From `plan_moves`, a moment ago, or a caller's own.
        sync: Make each file durable.
        progress: Called with (files done, total).

    Raises:
        ConflictError: A file changed since the plan; it was left as it is.
        IoFailedError: The system refused; what was done so far stays.

    Durability:
        Killed at any point: each file is old or new; doing it again does the rest.
    """
    done = 0
    folders = {move.path.rpartition(b"/")[0] for move in moves if move.entry is not None}
    with Placer(repo.root, repo.objects, sync=sync) as placer:
        for folder in sorted(folders):
            placer.remove_own_temps(folder)
        for move in sorted(moves, key=lambda move: move.entry is not None):
            if move.entry is None and move.over is not None:
                placer.remove(move.path, over=move.over)
                placer.remove_empty_folders(move.path.rpartition(b"/")[0])
            elif move.entry is not None:
                if move.over is None:
                    placer.remove_hollow_folder(move.path)
                placer.write(move.path, *move.entry, over=move.over)
            done += 1
            if progress is not None:
                progress(done, len(moves))
        placer.sync_folders()
