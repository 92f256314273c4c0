"""Stop tracking files, and remove them from the working tree.

What is removed goes to the trash, so `undo` brings it back. Contents and trash entry are durable
before the first file is touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from muse.core.errors import ConflictError, PathNotFoundError, UsageError
from muse.core.file_content import StatKey, read_content
from muse.core.paths import show_path
from muse.core.repo import Repository
from muse.core.scan import find_key
from muse.core.stage import FileEntry, Stage, TreeFiles, change_stage, iter_index, read_stage
from muse.core.trash import TrashItem, encode_entry, entry_path, new_entry
from muse.core.types import Progress
from muse.ops.add import write_stage
from muse.ops.file_moves import FileMove, apply_moves
from muse.ops.status import open_engine

if TYPE_CHECKING:
    from muse.core.status import StatusEngine
    from muse.core.transaction import Transaction
    from muse.core.types import RawId

_NAMED = 5
_FEW_FILES = 8


class RemoveResult(NamedTuple):
    """What was removed, or would be.

    Attributes:
        paths: The files that are tracked no more.
        trash: The trash entry that brings their contents back; None when no file was removed.
    """

    paths: tuple[bytes, ...]
    trash: str | None = None


def remove(
    repo: Repository,
    paths: Sequence[bytes],
    *,
    recursive: bool = False,
    cached: bool = False,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RemoveResult:
    """Stage the removal of tracked files, and remove them from the working tree.

    Args:
        repo: The repository.
        paths: Files, and folders if ``recursive``.
        recursive: Allow folders.
        cached: Leave the working tree as it is.
        force: Also remove files with changes that are not committed.
        dry_run: Only say what would be removed.
        progress: Called with (files done, total).

    Raises:
        PathNotFoundError: A path is not tracked; nothing was done.
        UsageError: A folder was named without ``recursive``; nothing was done.
        ConflictError: A file has changes that are not committed; nothing was done.

    Durability:
        Killed before the stage is written: nothing happened. Later: the removals are staged, and
        each file is either still there or in the trash.

    See:
        G3, G12.
    """
    if not paths:
        raise UsageError("Nothing was named to remove.", hint="'muse rm <path>'.")
    if dry_run:
        return RemoveResult(tuple(_plan(repo, paths, recursive, cached=cached, force=force)[0]))
    moves: list[FileMove] = []
    with repo.transaction("rm") as tx:
        chosen, engine, stage, head = _plan(repo, paths, recursive, cached=cached, force=force)
        tx.summary = f"rm: {show_path(chosen[0])}" + (
            f" and {len(chosen) - 1} more" * (len(chosen) > 1)
        )
        after = change_stage(stage, dict.fromkeys(chosen), head=head)
        write_stage(repo, tx, before=stage, after=after)
        trash = None
        if not cached:
            items, moves = _give_up(repo, tx, engine, chosen)
            if items:
                entry = new_entry("rm", items)
                tx.write_file(entry_path(tx.root, entry.id), encode_entry(entry))
                tx.details["trash"] = trash = entry.id
    # What is removed now is in the trash.
    apply_moves(repo, moves, sync=len(moves) <= _FEW_FILES, progress=progress)
    return RemoveResult(tuple(chosen), trash)


def _plan(
    repo: Repository, paths: Sequence[bytes], recursive: bool, *, cached: bool, force: bool
) -> tuple[list[bytes], StatusEngine, Stage, TreeFiles]:
    stage, head = read_stage(repo.root), TreeFiles(repo.objects, repo.head_tree())
    chosen: dict[bytes, None] = {}
    for path in paths:
        found = [name for name, _ in iter_index(stage, head, path)]
        if not found:
            raise PathNotFoundError(
                f"'{show_path(path)}' is not tracked.",
                hint="'muse status' lists untracked files; they are removed without Muse.",
            )
        if found != [path] and not recursive:
            raise UsageError(
                f"'{show_path(path) or '.'}' is a folder with {len(found)} tracked files.",
                hint="Use -r to remove them all.",
            )
        chosen.update(dict.fromkeys(found))
    engine = open_engine(repo)
    if b"" in paths:
        engine.refresh_all(shared=True)
    else:
        engine.refresh_some(paths)
    if not force:
        _check_changes(engine, chosen, cached=cached)
    return sorted(chosen), engine, stage, head


def _check_changes(engine: StatusEngine, chosen: dict[bytes, None], *, cached: bool) -> None:
    """Refuse to remove what is not committed.

    Raises:
        ConflictError: Some file has changes that are not committed.
    """
    changed: list[bytes] = []
    for path in chosen:
        entry = engine.entry(path)
        if entry is None:
            continue
        local, staged = entry.unstaged in "MT", entry.staged in "AMT"
        if (local and staged) or (not cached and (local or staged)):
            changed.append(path)
    if changed:
        names = ", ".join(f"'{show_path(path)}'" for path in changed[:_NAMED])
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise ConflictError(
            f"Not committed as they are now: {names}{more}.",
            paths=tuple(changed),
            hint="Commit first, or use --cached to keep the files, or -f to remove them "
            "nevertheless; 'muse undo' brings them back.",
        )


def _give_up(
    repo: Repository, tx: Transaction, engine: StatusEngine, chosen: Sequence[bytes]
) -> tuple[list[TrashItem], list[FileMove]]:
    """Store what the files hold; return what goes to the trash, and what to remove."""
    items: list[TrashItem] = []
    moves: list[FileMove] = []
    for path in chosen:
        found = _keep_content(repo, tx, engine, path)
        if found is not None:
            entry, key = found
            items.append(TrashItem(path, entry, None))
            moves.append(FileMove(path, None, key))
    return items, moves


def _keep_content(
    repo: Repository, tx: Transaction, engine: StatusEngine, path: bytes
) -> tuple[FileEntry, StatKey] | None:
    """Make sure that a file's content is stored; return it with the file's stat key."""
    status = engine.entry(path)
    if status is not None and status.unstaged == "D":
        return None
    root = os.fsencode(repo.root)
    file, key = engine.worktree.find_file(path), find_key(root, path)
    if key is None or file is None:
        return None
    is_stored = status is None or status.unstaged not in "MT"
    if is_stored and repo.objects.is_whole(file[1]):
        return file, key
    # Changed, or the only good copy of a damaged object.

    def sink(size: int, chunks: Iterator[bytes]) -> RawId:
        return tx.write_stream("blob", size, chunks)

    content = read_content(root + b"/" + path, sink=sink)
    if content is None:
        return None
    if content.data is not None:
        tx.write_hashed(content.raw, "blob", content.data)
    return (content.mode, content.raw), content.key
