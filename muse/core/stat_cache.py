"""The stat cache: what was last known of the working tree, so that nothing is read twice.

It is a hint. Its file (`muse.core.stat_cache_file`) may be deleted at any time, and nothing in it
can make a changed file look clean: a file counts as unchanged only if mode, inode, size, mtime and
ctime are all what they were when its content was read, and only if that was long enough after its
last change for another change to leave a trace (`is_settled`). What is not settled is not
remembered, so its time needs no comparison with the time of the cache.

Besides the files' columns it holds, for each folder, the stat key it had when it was listed and
the untracked names in it, so that a folder that did not change is not listed again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from muse.core.errors import CorruptObjectError, ObjectNotFoundError
from muse.core.file_content import StatKey
from muse.core.key_columns import KEY_CODES, KeyColumns, split_key
from muse.core.stat_columns import FileEntry, StatColumns
from muse.core.trees import EMPTY_TREE, iter_tree, read_tree
from muse.core.types import MODE_TREE, RawId

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

# So many changes of the base are in memory at once.
_BATCH: Final = 16_384
UNKNOWN: Final[StatKey] = (0, 0, 0, 0, 0)
# In a table of folders, the key of one that is never listed.
_UNLISTED: Final[StatKey] = (1, 0, 0, 0, 0)
# (path, entry before, entry after): one file that differs between two trees.
BaseChange = tuple[bytes, FileEntry | None, FileEntry | None]


class StatCache:
    """What is known of a working tree.

    Attributes:
        tree: HEAD's tree that the base columns hold.
        files: The rows.
        packed_folders: What `folders` holds, while nobody asked for that.
        untracked: Folder → the names of files in it that are neither in HEAD's tree nor ignored;
            folders without any are absent. The name ``b""`` stands for a whole nested repository.
        ignore_files: Ignore file → (its stat key, hash of its content), for those that exist.
        gitignore: Whether ``.gitignore`` counted.
        file_id: Device and inode of the file that it was loaded from.
        loaded_files: The rows as that file has them.
    """

    def __init__(self, *, gitignore: bool = True) -> None:
        self.tree = EMPTY_TREE
        self.files = StatColumns()
        self.packed_folders: KeyColumns | None = None
        self._folders: dict[bytes, StatKey | None] = {}
        self.untracked: dict[bytes, set[bytes]] = {}
        self.ignore_files: dict[bytes, tuple[StatKey, bytes]] = {}
        self.gitignore = gitignore
        self.file_id: tuple[int, int] | None = None
        self.loaded_files = KeyColumns()

    @property
    def folders(self) -> dict[bytes, StatKey | None]:
        """Folder → its stat key when it was listed, `UNKNOWN` when it must be listed, or None.

        None is an ignored folder that holds tracked files, which is never listed.
        """
        if (packed := self.packed_folders) is not None:
            keys = packed.keys(range(len(packed)))
            self._folders = {
                folder: None if key == _UNLISTED else key
                for folder, key in zip(packed.paths, keys, strict=True)
            }
            self.packed_folders = None
        return self._folders

    def has_folder(self, folder: bytes) -> bool:
        """Tell whether a folder is in the table, and not one that is never listed."""
        if (packed := self.packed_folders) is not None:
            row = bisect_left(packed.paths, folder)
            found = row < len(packed) and packed.paths[row] == folder
            return found and packed.key_at(row) != _UNLISTED
        return self._folders.get(folder) is not None

    def pack_folders(self) -> KeyColumns:
        """Return the folders as a table."""
        if self.packed_folders is not None:
            return self.packed_folders
        table = KeyColumns()
        table.paths = sorted(self._folders)
        rows = [split_key(self._folders[folder] or _UNLISTED) for folder in table.paths]
        table.key_columns = tuple(
            array(code, (row[i] for row in rows)) for i, code in enumerate(KEY_CODES)
        )
        return table

    def iter_move_to(self, store: ObjectStore, tree: RawId) -> Iterator[BaseChange]:
        """Make another tree the base while this is iterated; costs what differs between the two.

        Yields:
            What changed, once it is in the columns.

        Raises:
            ObjectNotFoundError: The new tree is not whole; this cache is of no use any more.
            CorruptObjectError: Likewise.
        """
        batch: list[BaseChange] = []
        try:
            for change in diff_trees(store, self.tree, tree):
                batch.append(change)
                if len(batch) == _BATCH:
                    yield from self._take(batch)
                    batch = []
        except (ObjectNotFoundError, CorruptObjectError):
            # The tree of an amended commit, say, that gc took since: compare with the columns.
            yield from self._take(batch)
            batch = list(self._diff_columns(store, tree))
        yield from self._take(batch)
        self.tree = tree

    def _take(self, changes: list[BaseChange]) -> list[BaseChange]:
        files = self.files
        files.insert(path for path, _, new in changes if new and files.find(path) < 0)
        for path, _, new in changes:
            files.set_base(files.find(path), new)
        return changes

    def _diff_columns(self, store: ObjectStore, tree: RawId) -> Iterator[BaseChange]:
        wanted = {path: (mode, raw) for path, mode, raw in iter_tree(store, tree)}
        for row, path in enumerate(self.files.paths):
            old, new = self.files.base(row), wanted.pop(path, None)
            if old != new:
                yield path, old, new
        for path, new in wanted.items():
            yield path, None, new


def diff_trees(store: ObjectStore, old: RawId, new: RawId) -> Iterator[BaseChange]:
    """Yield the files that differ between two trees; equal subtrees are not read.

    Raises:
        ObjectNotFoundError: A tree on the way is missing.
        CorruptObjectError: A tree on the way is damaged.
    """
    stack = [(b"", old, new)]
    while stack:
        prefix, old_tree, new_tree = stack.pop()
        if old_tree == new_tree:
            continue
        before = {e.name: (e.mode, e.raw) for e in read_tree(store, old_tree)}
        after = {e.name: (e.mode, e.raw) for e in read_tree(store, new_tree)}
        for name in before.keys() | after.keys():
            was, now = before.get(name), after.get(name)
            if was == now:
                continue
            path = prefix + name
            was_tree, now_tree = _subtree(was), _subtree(now)
            if was_tree != now_tree:
                stack.append((path + b"/", was_tree, now_tree))
            was, now = _file(was), _file(now)
            if was != now:
                yield path, was, now


def _subtree(entry: FileEntry | None) -> RawId:
    return entry[1] if entry is not None and entry[0] == MODE_TREE else EMPTY_TREE


def _file(entry: FileEntry | None) -> FileEntry | None:
    return None if entry is None or entry[0] == MODE_TREE else entry
