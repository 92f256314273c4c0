"""Compare commits, the stage and the working tree.

Which files differ is known at once; what differs in them is read file by file, as a caller goes
through them: ten thousand changed files never sit in memory together. Untracked files take no part.
Nothing is written (G14).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from muse.core.errors import UsageError
from muse.core.renames import Contents
from muse.core.repo import Repository
from muse.core.stage import FileEntry, TreeFiles, read_stage, without_noops
from muse.core.tree_diff import (
    Change,
    PathLimit,
    StoreContents,
    detect_renames,
    diff_trees,
    is_pattern,
    make_change,
    walk_trees,
)
from muse.core.types import MODE_FILE, RawId
from muse.ops.file_diff import DiffOptions, FileDiff, FileStat, WorktreeContents
from muse.ops.status import open_engine

Overlay = Mapping[bytes, FileEntry | None]


class DiffTotals(NamedTuple):
    """Sums over all files.

    Attributes:
        files: Files that differ.
        added: Lines added.
        removed: Lines removed.
    """

    files: int
    added: int
    removed: int


class DiffResult:
    """The files that differ; iterate to look into them one at a time.

    Attributes:
        changes: Which files, by path.
        old: Where old contents are.
        new: Where new contents are.
        options: How to compare.
    """

    __slots__ = ("changes", "new", "old", "options")

    def __init__(
        self, changes: tuple[Change, ...], old: Contents, new: Contents, options: DiffOptions
    ) -> None:
        self.changes = changes
        self.old = old
        self.new = new
        self.options = options

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[FileDiff]:
        for change in self.changes:
            yield FileDiff(change, self.old, self.new, self.options)

    def counts(self) -> Iterator[FileStat]:
        """Yield what changed in each file, without those where only ignored whitespace did."""
        for file in self:
            stat = file.count_lines()
            if not stat.is_empty:
                yield stat


def sum_up(stats: Iterable[FileStat]) -> DiffTotals:
    """Add up the files' counts."""
    files = added = removed = 0
    for stat in stats:
        files += 1
        added += stat.added
        removed += stat.removed
    return DiffTotals(files, added, removed)


def diff(
    repo: Repository,
    *,
    old: RawId | None = None,
    new: RawId | None = None,
    staged: bool = False,
    paths: Sequence[bytes] = (),
    options: DiffOptions | None = None,
) -> DiffResult:
    """Compare two trees, a tree and the stage, or a tree or the stage and the working tree.

    ========= ======== ======== ==================================================
    ``old``   ``new``  staged   compares
    ========= ======== ======== ==================================================
    –         –        False    the stage with the working tree: what is not staged
    –         –        True     HEAD with the stage: what a commit would record
    tree      –        False    the tree with the working tree
    tree      –        True     the tree with the stage
    tree      tree     –        the two trees
    ========= ======== ======== ==================================================

    Args:
        repo: The repository.
        old: A root tree.
        new: A root tree.
        staged: Look at the stage instead of the working tree.
        paths: Only these files, what is below these folders, and what these patterns match.
        options: How to compare.

    Raises:
        UsageError: The repository is bare, and the working tree is needed.
        StorageError: A tree or the stage is damaged.
    """
    options = options or DiffOptions()
    stored = StoreContents(repo.objects)
    if old is not None and new is not None:
        changes = diff_trees(repo.objects, old, new, paths=paths, renames=options.renames)
        return DiffResult(tuple(changes), stored, stored, options)
    if repo.bare:
        raise UsageError(
            "A bare repository has neither stage nor working tree to compare with.",
            hint="Name two commits: 'muse diff main~1 main'.",
        )
    limit = PathLimit(paths)
    head_tree = repo.head_tree()
    head = TreeFiles(repo.objects, head_tree)
    stage = without_noops(read_stage(repo.root), head)
    new_side: Contents = stored if staged else WorktreeContents(repo.root)
    if old is None and not staged:
        found = _against_stage(repo, stage, head, limit, paths)
    else:
        overlay: Overlay = stage if staged else {**stage, **_unstaged(repo, paths, read=True)}
        overlay = {path: entry for path, entry in overlay.items() if limit.has(path)}
        base = head_tree if old is None else old
        found = _against_tree(repo, base, head_tree, head, overlay, paths)
    changes = sorted(found, key=lambda change: change.path)
    if options.renames is not None:
        changes = detect_renames(changes, old=stored, new=new_side, options=options.renames)
    return DiffResult(tuple(changes), stored, new_side, options)


def diff_blobs(
    repo: Repository,
    old: tuple[str, RawId],
    new: tuple[str, RawId],
    *,
    options: DiffOptions | None = None,
) -> DiffResult:
    """Compare two stored files, wherever they come from.

    Args:
        repo: The repository.
        old: A name to show, and the blob.
        new: Likewise.
        options: How to compare.
    """
    stored = StoreContents(repo.objects)
    (old_name, old_raw), (new_name, new_raw) = old, new
    names = os.fsencode(old_name), os.fsencode(new_name)
    change = Change("M", names[1], names[0], MODE_FILE, MODE_FILE, old_raw, new_raw)
    changes = () if old_raw == new_raw else (change,)
    return DiffResult(changes, stored, stored, options or DiffOptions())


def _against_stage(
    repo: Repository, stage: Overlay, head: TreeFiles, limit: PathLimit, paths: Sequence[bytes]
) -> Iterator[Change]:
    """Yield what the working tree changes against the stage."""
    for path, entry in _unstaged(repo, paths, read=False).items():
        if limit.has(path):
            before = stage[path] if path in stage else head.find(path)
            change = make_change(path, before, entry)
            if change is not None:
                yield change._replace(new=change.new or None)  # UNREAD is no id


def _against_tree(
    repo: Repository,
    base: RawId,
    head_tree: RawId,
    head: TreeFiles,
    overlay: Overlay,
    paths: Sequence[bytes],
) -> Iterator[Change]:
    """Yield what changes from a tree to HEAD's tree with some paths replaced.

    Only paths that differ between the trees, or are replaced, are looked at: the cost follows the
    number of changes.
    """
    committed = {c.path: c for c in walk_trees(repo.objects, base, head_tree, paths=paths)}
    for path, change in committed.items():
        if path not in overlay:
            yield change
    for path, entry in overlay.items():
        before: FileEntry | None
        if path in committed:
            known = committed[path]
            before = (known.old_mode, known.old) if known.old is not None else None
        else:
            before = head.find(path)
        found = make_change(path, before, entry)
        if found is not None:
            yield found


def _unstaged(repo: Repository, paths: Sequence[bytes], *, read: bool) -> Overlay:
    """Return what the working tree has in place of the stage: path → (mode, id), None if gone.

    Args:
        repo: The repository.
        paths: Where to look; everywhere when there are none, or patterns among them.
        read: Hash files of which no more is known than that they differ; else their id is UNREAD.
    """
    engine = open_engine(repo)
    if paths and b"" not in paths and not any(is_pattern(path) for path in paths):
        engine.refresh_some(paths)
    else:
        engine.refresh_all(shared=True)
        if not repo.readonly:
            engine.save()
    work = engine.worktree
    return {path: work.find_file(path, read=read) for path in engine.status().unstaged("MDT")}
