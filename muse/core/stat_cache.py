"""The stat cache: what was last known of the working tree, so that nothing is read twice.

It is a hint. It may be deleted at any time, one that is damaged or written elsewhere is ignored,
and nothing in it can make a changed file look clean: a file counts as unchanged only if mode,
inode, size, mtime and ctime are all what they were when its content was read, and only if that
was long enough after its last change for another change to leave a trace (`is_settled`). What is
not settled is not remembered, so its time needs no comparison with the time of the cache.

Besides the files' columns it holds, for each folder, the stat key it had when it was listed and
the untracked names in it, so that a folder that did not change is not listed again.
"""

from __future__ import annotations

import contextlib
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from muse.core import temps
from muse.core.codec import CodecError, iter_sealed, unseal
from muse.core.errors import CorruptObjectError, MuseError, ObjectNotFoundError
from muse.core.file_content import StatKey
from muse.core.io import NewFile, make_dirs, read_bytes
from muse.core.paths import stat_cache_path
from muse.core.stat_columns import FileEntry, StatColumns
from muse.core.trees import EMPTY_TREE, iter_tree, read_tree
from muse.core.types import MODE_TREE, RAW_ID_SIZE, RawId

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

FORMAT: Final = 2
# How many values the file's list has.
_VALUES: Final = 11
# The types of a stat key's columns; an inode may need all 64 bits, a time may be before 1970.
_KEY_CODES: Final = ("I", "Q", "q", "q", "q")
UNKNOWN: Final[StatKey] = (0, 0, 0, 0, 0)
# (path, entry before, entry after): one file that differs between two trees.
BaseChange = tuple[bytes, FileEntry | None, FileEntry | None]


class StatCache:
    """What is known of a working tree.

    Attributes:
        tree: HEAD's tree that the base columns hold.
        files: The rows.
        folders: Folder → its stat key when it was listed, `UNKNOWN` when it must be listed, None
            for an ignored folder that holds tracked files, which is never listed.
        untracked: Folder → the names of files in it that are neither in HEAD's tree nor ignored;
            folders without any are absent. The name ``b""`` stands for a whole nested repository.
        ignore_files: Ignore file → (its stat key, hash of its content), for those that exist.
        gitignore: Whether ``.gitignore`` counted.
    """

    def __init__(self, *, gitignore: bool = True) -> None:
        self.tree = EMPTY_TREE
        self.files = StatColumns()
        self.folders: dict[bytes, StatKey | None] = {}
        self.untracked: dict[bytes, set[bytes]] = {}
        self.ignore_files: dict[bytes, tuple[StatKey, bytes]] = {}
        self.gitignore = gitignore

    def move_to(self, store: ObjectStore, tree: RawId) -> list[BaseChange]:
        """Make another tree the base; costs what differs between the two.

        Returns:
            What changed.

        Raises:
            ObjectNotFoundError: The new tree is not whole.
            CorruptObjectError: Likewise.
        """
        try:
            changes = list(diff_trees(store, self.tree, tree))
        except (ObjectNotFoundError, CorruptObjectError):
            # The tree of an amended commit, say, that gc took since: compare with the columns.
            changes = list(self._diff_columns(store, tree))
        files = self.files
        files.insert(path for path, _, new in changes if new and files.find(path) < 0)
        for path, _, new in changes:
            files.set_base(files.find(path), new)
        self.tree = tree
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


def load_stat_cache(root: Path) -> StatCache | None:
    """Read the cache; None when it is missing, damaged, or from another program or machine."""
    with contextlib.suppress(
        MuseError, CodecError, LookupError, TypeError, ValueError, AttributeError, OverflowError
    ):
        path = stat_cache_path(root)
        # Not kept in a variable: the bytes are not needed once they are decoded.
        return _decode(unseal(read_bytes(path, doing="read the stat cache") or b""))
    return None


def save_stat_cache(root: Path, cache: StatCache) -> bool:
    """Write the cache, all or nothing; it is not synced, since a damaged one is ignored.

    Returns:
        False when it could not be written, which harms nothing.
    """
    path = stat_cache_path(root)
    try:
        make_dirs(path.parent)
        with NewFile(path.parent, family=temps.STAT_CACHE, mode=0o644) as new:
            for piece in iter_sealed(_iter_values(cache), _VALUES):
                new.write(piece)
            new.publish(path, replace=True)
    except MuseError:
        return False
    return True


def _marks() -> list[object]:
    """Return what must be equal for the bytes of the columns to mean the same."""
    return [FORMAT, sys.byteorder, array("I").itemsize, array("q").itemsize]


def _iter_values(cache: StatCache) -> Iterator[object]:
    """Yield the values of the file's list, in the order in which `_decode` takes them."""
    files = cache.files
    if files.loose:
        files.insert(list(files.loose))
    # Rows that neither the tree nor a known file needs.
    files.keep([base or known for base, known in zip(files.base_modes, files.modes, strict=True)])
    listed = sorted(cache.folders)
    keys = [cache.folders[folder] or (1, 0, 0, 0, 0) for folder in listed]
    yield _marks()
    yield cache.tree
    yield cache.gitignore
    yield b"\0".join(files.paths)
    yield bytes(files.base_ids)
    yield [column.tobytes() for column in files.arrays]
    rows = array("I", map(files.find, files.differs))
    yield [rows.tobytes(), b"".join(files.differs.values())]
    yield b"\0".join(listed)
    yield [array(code, (key[i] for key in keys)).tobytes() for i, code in enumerate(_KEY_CODES)]
    yield {f: b"\0".join(sorted(n)) for f, n in cache.untracked.items()}
    yield [[p, *key, digest] for p, (key, digest) in cache.ignore_files.items()]


def _decode(value: list[Any]) -> StatCache | None:
    if value[0] != _marks():
        return None
    (
        _,
        tree,
        gitignore,
        paths,
        base_ids,
        columns,
        differs,
        folders,
        folder_keys,
        untracked,
        ignore_files,
    ) = value
    value.clear()
    cache = StatCache(gitignore=gitignore)
    cache.tree = RawId(tree)
    files = cache.files
    files.paths = _split(paths)
    files.base_ids = bytearray(memoryview(base_ids))  # a number would ask for that much memory
    for column, data in zip(files.arrays, columns, strict=True):
        column.frombytes(data)
        if len(column) != len(files.paths):
            return None
    if len(files.base_ids) != len(files.paths) * RAW_ID_SIZE:
        return None
    rows = array("I")
    rows.frombytes(differs[0])
    for i, row in enumerate(rows):
        raw = differs[1][i * RAW_ID_SIZE : (i + 1) * RAW_ID_SIZE]
        files.differs[files.paths[row]] = RawId(raw)
    numbers = [array(code) for code in _KEY_CODES]
    for column, data in zip(numbers, folder_keys, strict=True):
        column.frombytes(data)
    # The root's path is empty, so one empty text is one folder.
    listed = folders.split(b"\0") if numbers[0] else []
    for folder, key in zip(listed, zip(*numbers, strict=True), strict=True):
        cache.folders[folder] = None if key[0] == 1 else key
    cache.untracked = {f: set(names.split(b"\0")) for f, names in untracked.items()}
    cache.ignore_files = {
        path: ((mode, inode, size, mtime_ns, ctime_ns), digest)
        for path, mode, inode, size, mtime_ns, ctime_ns, digest in ignore_files
    }
    return cache


def _split(packed: bytes) -> list[bytes]:
    return packed.split(b"\0") if packed else []
