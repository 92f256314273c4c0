"""Give up changes: files go back to what is staged or committed, and what they held to the trash.

The order of writes keeps G12: contents and the trash entry are durable before the first file is
touched. So a kill at any point leaves the file, or its content in the trash, or both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from muse.core.checkout_plan import iter_files
from muse.core.errors import ConflictError, PathNotFoundError, UsageError
from muse.core.file_content import StatKey, read_content
from muse.core.paths import show_path, show_text
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.scan import find_key, is_folder_key, iter_parents
from muse.core.stage import FileEntry, Stage, TreeFiles, change_stage, read_stage, without_noops
from muse.core.trash import TrashEntry, TrashItem, encode_entry, entry_path, new_entry
from muse.core.tree_diff import PathLimit, is_pattern, walk_trees
from muse.core.types import Progress, RawId
from muse.ops.add import write_stage
from muse.ops.file_moves import FileMove, apply_moves
from muse.ops.status import open_engine

if TYPE_CHECKING:
    from muse.core.transaction import Transaction

_FEW_FILES = 8


class RestoreResult(NamedTuple):
    """What was given up.

    Attributes:
        restored: Files of the working tree that were put back.
        removed: Files of the working tree that were removed.
        unstaged: Paths whose staged change was dropped or replaced.
        trash: The trash entry that brings the contents back; None when none was given up.
    """

    restored: tuple[bytes, ...] = ()
    removed: tuple[bytes, ...] = ()
    unstaged: tuple[bytes, ...] = ()
    trash: str | None = None


def restore(
    repo: Repository,
    paths: Sequence[bytes],
    *,
    source: str | None = None,
    staged: bool = False,
    worktree: bool = True,
    untracked: bool = False,
    progress: Progress | None = None,
) -> RestoreResult:
    """Put files, or the stage, back to an earlier state.

    Args:
        repo: The repository.
        paths: Files, folders and patterns; ``b""`` is everything.
        source: The revision to take them from; by default the stage for files of the working
            tree, and HEAD when the stage itself is restored.
        staged: Restore what is staged.
        worktree: Restore files of the working tree.
        untracked: Also remove files that are not tracked; ignored ones stay.
        progress: Called with (files done, total).

    Raises:
        PathNotFoundError: A path names nothing that could be restored; nothing was done.
        RevisionNotFoundError: ``source`` names nothing.
        IoFailedError: The system refused; what was given up so far is in the trash.

    Durability:
        Killed at any point, each file's content is in the working tree or in the trash.
    """
    _check(paths)
    with repo.transaction("restore") as tx:
        plan = _Plan(repo, paths, source, staged=staged, untracked=untracked)
        plan.check_paths()
        items = plan.worktree_items(tx) if worktree else []
        entry = _throw_away(tx, "restore", items)
        write_stage(repo, tx, before=read_stage(repo.root), after=plan.after)
        tx.summary = _summary("restore", [*plan.unstaged, *(item.path for item in items)])
    # The contents are safe now.
    moves = [FileMove(item.path, item.now, plan.keys.get(item.path)) for item in items]
    apply_moves(repo, moves, sync=len(moves) <= _FEW_FILES, progress=progress)
    return RestoreResult(
        restored=tuple(item.path for item in items if item.now is not None),
        removed=tuple(item.path for item in items if item.now is None and item.was is not None),
        unstaged=plan.unstaged,
        trash=None if entry is None else entry.id,
    )


def discard(
    repo: Repository,
    paths: Sequence[bytes],
    *,
    staged: bool = False,
    progress: Progress | None = None,
) -> RestoreResult:
    """Give up all changes of some files, tracked or not; `undo` brings them back.

    Args:
        repo: The repository.
        paths: Files, folders and patterns; ``b""`` is everything.
        staged: Also what is staged: the files are as in HEAD then, and new ones are gone.
        progress: Called with (files done, total).

    Raises:
        PathNotFoundError: A path names nothing that could be discarded; nothing was done.
    """
    return restore(repo, paths, staged=staged, untracked=True, progress=progress)


def _check(paths: Sequence[bytes]) -> None:
    if not paths:
        raise UsageError(
            "Nothing was named to restore.",
            hint="'muse restore <path>' for a file, 'muse restore .' for everything here.",
        )


def _summary(verb: str, paths: Iterable[bytes]) -> str:
    names = sorted(set(paths))
    shown = ", ".join(show_path(name) for name in names[:3])
    return f"{verb}: {shown}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class _Plan:
    """What the paths mean, and what each of them should become.

    Attributes:
        after: The stage that will be.
        unstaged: The paths whose staged entry changes.
        keys: The stat key of each file that will be replaced or removed.
    """

    def __init__(
        self,
        repo: Repository,
        paths: Sequence[bytes],
        source: str | None,
        *,
        staged: bool,
        untracked: bool,
    ) -> None:
        self._repo = repo
        self._paths = paths
        self._limit = PathLimit(paths)
        self._untracked = untracked
        self._root = os.fsencode(repo.root)
        self._head_tree = self._source_tree = repo.head_tree()
        self._head = TreeFiles(repo.objects, self._head_tree)
        self._source_name = source or "HEAD"
        if source is not None:
            names = Revisions(repo.objects, repo.refs, config=repo.config)
            self._source_tree = names.find_tree(source)
        self._source = TreeFiles(repo.objects, self._source_tree)
        self._over_stage = source is None and not staged
        self._before = without_noops(read_stage(repo.root), self._head)
        self.after = self._restored_stage() if staged else self._before
        self.unstaged = _differences(self._before, self.after)
        self.keys: dict[bytes, StatKey] = {}

    def _restored_stage(self) -> Stage:
        paths = {path for path in self._before if self._limit.has(path)}
        paths.update(self._differing())
        changes = {path: self._source.find(path) for path in paths}
        return change_stage(self._before, changes, head=self._head)

    def _differing(self) -> Iterator[bytes]:
        """Yield the chosen paths that differ between HEAD and the source."""
        if self._head_tree != self._source_tree:
            changes = walk_trees(
                self._repo.objects, self._head_tree, self._source_tree, paths=self._paths
            )
            yield from (change.path for change in changes)

    def _wanted(self, path: bytes) -> FileEntry | None:
        if self._over_stage and path in self._before:
            return self._before[path]
        return self._source.find(path)

    def _is_tracked(self, path: bytes) -> bool:
        return self._before.get(path, self._head.find(path)) is not None

    # -- which paths ---------------------------------------------------------------------------

    def check_paths(self) -> None:
        """Refuse a path that names nothing.

        Raises:
            PathNotFoundError: One of them does.
        """
        for path in self._paths:
            if path and not self._is_known(path):
                raise self._unknown(path)

    def _is_known(self, path: bytes) -> bool:
        if self._wanted(path) is not None or self._is_tracked(path):
            return True
        if self._source.is_folder(path) or self._head.is_folder(path):
            return True
        limit = PathLimit([path])
        if any(limit.has(staged) for staged in self._before):
            return True
        if not is_pattern(path):
            return self._untracked and find_key(self._root, path) is not None
        if any(limit.has(name) for name, _ in self._source.iter_below(b"")):
            return True
        return self._untracked and any(limit.has(name) for name in iter_files(self._root, b""))

    def _unknown(self, path: bytes) -> PathNotFoundError:
        if find_key(self._root, path) is not None:
            return PathNotFoundError(
                f"'{show_path(path)}' is not tracked: there is nothing to restore it from.",
                hint="'muse restore --untracked <path>' removes it; 'muse undo' brings it back.",
            )
        return PathNotFoundError(
            f"'{show_path(path)}' is neither in the working tree nor in "
            f"{show_text(self._source_name)}.",
            hint="Check the spelling; 'muse status' lists what is changed.",
        )

    # -- the working tree ------------------------------------------------------------------------

    def worktree_items(self, tx: Transaction) -> list[TrashItem]:
        """Store what will be given up; return what happens to each file.

        Raises:
            ConflictError: Something that is not given up stands in the way.
        """
        items: list[TrashItem] = []
        blocked: list[bytes] = []
        for path in sorted(set(self._candidates())):
            wanted, is_tracked = self._wanted(path), self._is_tracked(path)
            if wanted is None and not is_tracked and not self._untracked:
                continue
            was = self._give_up(tx, path, wanted)
            if was != wanted:
                items.append(TrashItem(path, was, wanted, not is_tracked))
                if was is None:
                    blocked += _in_the_way(self._root, path)
        removed = {item.path for item in items if item.now is None}
        left = sorted(set(blocked) - removed)
        if left:
            raise ConflictError(
                f"'{show_path(left[0])}' is not tracked, and stands where a file must be restored.",
                paths=tuple(left),
                hint="Nothing was touched. Move it away, or give it up with 'muse restore "
                "--untracked <path>'.",
            )
        return items

    def _candidates(self) -> Iterator[bytes]:
        yield from self._differing()
        yield from (path for path in self._before if self._limit.has(path))
        engine = open_engine(self._repo)
        if b"" in self._paths or any(is_pattern(path) for path in self._paths):
            engine.refresh_all(shared=True)
        else:
            engine.refresh_some(self._paths)
        for path, _, code in engine.status().entries:
            # A path with a slash at its end is a repository of its own, which is never touched.
            if code != " " and not path.endswith(b"/") and self._limit.has(path):
                yield path

    def _give_up(self, tx: Transaction, path: bytes, wanted: FileEntry | None) -> FileEntry | None:
        """Store what a file holds unless it is as wanted; None when there is no such file."""
        if not all(is_folder_key(find_key(self._root, parent)) for parent in iter_parents(path)):
            return None

        def sink(size: int, chunks: Iterator[bytes]) -> RawId:
            return tx.write_stream("blob", size, chunks)

        content = read_content(self._root + b"/" + path, sink=sink)
        if content is None:
            return None
        entry = (content.mode, content.raw)
        if entry != wanted:
            self.keys[path] = content.key
            if content.data is not None:
                tx.write_hashed(content.raw, "blob", content.data)
        return entry


def _differences(one: Stage, two: Stage) -> tuple[bytes, ...]:
    paths = one.keys() | two.keys()
    return tuple(sorted(p for p in paths if (p in one, one.get(p)) != (p in two, two.get(p))))


def _in_the_way(root: bytes, path: bytes) -> list[bytes]:
    """Return what stands where a file that is not there must be written."""
    for parent in iter_parents(path):
        key = find_key(root, parent)
        if key is None:
            return []
        if not is_folder_key(key):
            return [parent]
    key = find_key(root, path)
    if key is None:
        return []
    return list(iter_files(root, path)) if is_folder_key(key) else [path]


def _throw_away(tx: Transaction, command: str, items: Sequence[TrashItem]) -> TrashEntry | None:
    """Let the transaction write a trash entry for what changes."""
    if not items:
        return None
    entry = new_entry(command, items)
    tx.write_file(entry_path(tx.root, entry.id), encode_entry(entry))
    tx.details["trash"] = entry.id
    return entry
