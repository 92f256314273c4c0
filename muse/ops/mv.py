"""Rename tracked files and folders, in the working tree and on the stage at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from muse.core.errors import (
    AlreadyExistsError,
    MuseError,
    PathNotFoundError,
    UsageError,
)
from muse.core.file_content import read_content
from muse.core.io import move_file, sync_dir
from muse.core.paths import show_path
from muse.core.repo import Repository
from muse.core.scan import find_key, is_folder_key, iter_parents
from muse.core.stage import FileEntry, Stage, TreeFiles, change_stage, iter_index, read_stage
from muse.core.trash import TrashItem, encode_entry, entry_path, new_entry
from muse.ops.add import write_stage

if TYPE_CHECKING:
    from muse.core.transaction import Transaction
    from muse.core.types import RawId


@dataclass(frozen=True, slots=True)
class MoveResult:
    """What was renamed, or would be.

    Attributes:
        moves: (old path, new path) of each named file or folder.
        files: (old path, new path) of each tracked file.
    """

    moves: tuple[tuple[bytes, bytes], ...]
    files: tuple[tuple[bytes, bytes], ...]


def move(
    repo: Repository,
    sources: Sequence[bytes],
    dest: bytes,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> MoveResult:
    """Rename files and folders; what is staged and what is not stays so.

    Args:
        repo: The repository.
        sources: Tracked files, or folders with tracked files.
        dest: The new name; or, if it is a folder, where they go under their own names.
        force: Replace a file that has the new name; its content goes to the trash.
        dry_run: Only say what would be renamed.

    Raises:
        PathNotFoundError: A source is not there or not tracked, or the new folder is not there.
        AlreadyExistsError: Something has the new name.
        UsageError: A folder would be moved into itself, or two sources to one name.
        IoFailedError: The system refused; the stage is as it was.

    Durability:
        Killed before the stage is written: nothing happened. Later: the renames are staged, and
        each file is whole under its old or its new name. After: the new names survive a power
        cut.

    See:
        G3, G12.
    """
    if dry_run:
        return _plan(repo, sources, dest, force=force)[0]
    root = os.fsencode(repo.root)
    with repo.transaction("mv") as tx:
        result, stage, after = _plan(repo, sources, dest, force=force)
        old, new = result.moves[0]
        more = f" and {len(result.moves) - 1} more" if len(result.moves) > 1 else ""
        tx.summary = f"mv: {show_path(old)} -> {show_path(new)}{more}"
        write_stage(repo, tx, before=stage, after=after)
        trash = new_entry("mv", list(_keep_contents(root, tx, result.files)))
        tx.write_file(entry_path(tx.root, trash.id), encode_entry(trash))
        tx.details["trash"] = trash.id
    # Stage and contents are safe now.
    done: list[tuple[bytes, bytes]] = []
    try:
        for old, new in result.moves:
            _rename(root, old, new)
            done.append((old, new))
        # What is staged is durable; the names it speaks of must not be lost after the report.
        for folder in sorted({path.rpartition(b"/")[0] for pair in done for path in pair}):
            sync_dir(os.fsdecode(os.path.join(root, folder)))
    except MuseError:
        _take_back(repo, done, stage)
        raise
    return result


def _plan(
    repo: Repository, sources: Sequence[bytes], dest: bytes, *, force: bool
) -> tuple[MoveResult, Stage, Stage]:
    """Return what to rename, and the stage before and after."""
    stage, head = read_stage(repo.root), TreeFiles(repo.objects, repo.head_tree())
    moves = _plan_moves(os.fsencode(repo.root), sources, dest, stage, head, force=force)
    changes: dict[bytes, FileEntry | None] = {}
    files: list[tuple[bytes, bytes]] = []
    for old, new in moves:
        for path, entry in list(iter_index(stage, head, old)):
            target = new + path[len(old) :]
            changes[path] = None
            changes[target] = entry
            files.append((path, target))
    return MoveResult(tuple(moves), tuple(files)), stage, change_stage(stage, changes, head=head)


def _plan_moves(
    root: bytes,
    sources: Sequence[bytes],
    dest: bytes,
    stage: Stage,
    head: TreeFiles,
    *,
    force: bool,
) -> list[tuple[bytes, bytes]]:
    into = not dest or is_folder_key(_find_key(root, dest))
    if len(sources) > 1 and not into:
        raise PathNotFoundError(
            f"'{show_path(dest)}' is not a folder.", hint="Several files can only go to a folder."
        )
    moves: list[tuple[bytes, bytes]] = []
    for old in dict.fromkeys(sources):
        name = old.rpartition(b"/")[2]
        new = (dest + b"/" + name if dest else name) if into else dest
        _check(root, old, new, stage, head, force=force)
        moves.append((old, new))
    if len({new for _, new in moves}) < len(moves):
        raise UsageError("Two of the sources have the same name.", hint="Move them one by one.")
    return moves


def _check(
    root: bytes, old: bytes, new: bytes, stage: Stage, head: TreeFiles, *, force: bool
) -> None:
    if not old:
        raise UsageError("The whole working tree cannot be moved.", hint="Name a file or folder.")
    if next(iter_index(stage, head, old), None) is None:
        raise PathNotFoundError(
            f"'{show_path(old)}' is not tracked.",
            hint="What is not tracked is moved without Muse.",
        )
    key = _find_key(root, old)
    if key is None:
        raise PathNotFoundError(
            f"'{show_path(old)}' is not in the working tree.",
            hint="'muse restore <path>' brings it back.",
        )
    if new == old or new.startswith(old + b"/"):
        raise UsageError(
            f"'{show_path(old)}' cannot be moved to '{show_path(new)}'.",
            hint="Nothing can be moved into itself.",
        )
    parent = new.rpartition(b"/")[0]
    if parent and not is_folder_key(_find_key(root, parent)):
        raise PathNotFoundError(
            f"'{show_path(parent)}' is not a folder of the working tree.",
            hint="Create it first, with mkdir.",
        )
    there = find_key(root, new)
    if there is not None and (not force or is_folder_key(there) or is_folder_key(key)):
        raise AlreadyExistsError(
            f"'{show_path(new)}' is there already.",
            hint="Choose another name" + (", or replace it with -f." if not force else "."),
        )


def _find_key(root: bytes, path: bytes) -> tuple[int, int, int, int, int] | None:
    """Return a path's stat key; None also for what lies behind a link."""
    if all(is_folder_key(find_key(root, parent)) for parent in iter_parents(path)):
        return find_key(root, path)
    return None


def _keep_contents(
    root: bytes, tx: Transaction, files: Sequence[tuple[bytes, bytes]]
) -> Iterator[TrashItem]:
    """Store what the files hold, so that `undo` can put each back where it was."""

    def store(path: bytes) -> FileEntry | None:
        content = read_content(root + b"/" + path, sink=sink)
        if content is None:
            return None
        if content.data is not None:
            tx.write_hashed(content.raw, "blob", content.data)
        return content.mode, content.raw

    def sink(size: int, chunks: Iterator[bytes]) -> RawId:
        return tx.write_stream("blob", size, chunks)

    for old, new in files:
        entry = store(old)
        yield TrashItem(old, entry, None)
        yield TrashItem(new, store(new), entry)


def _rename(root: bytes, old: bytes, new: bytes) -> None:
    source, target = (Path(os.fsdecode(root + b"/" + path)) for path in (old, new))
    move_file(source, target)


def _take_back(repo: Repository, done: Sequence[tuple[bytes, bytes]], stage: Stage) -> None:
    """Undo the renames that were done, and the stage, after one that failed."""
    for old, new in reversed(done):
        _rename(os.fsencode(repo.root), new, old)
    with repo.transaction("mv", summary="mv: taken back") as tx:
        write_stage(repo, tx, before=read_stage(repo.root), after=stage)
