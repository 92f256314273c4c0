"""The stat cache's file: columns that are mapped into memory rather than read.

It is ignored when it is damaged, or written by another version or on another kind of machine. It
is replaced as a whole and never changed in place, so whoever has it mapped keeps what it mapped.

========  =======================================================================================
8 bytes   how long the index is
index     msgpack: what is small, and how long each block is
blocks    paths, where each ends, blob ids, the columns of numbers; rows whose content is not the
          base's, and its ids; untracked names
32 bytes  SHA-256 of all before it
========  =======================================================================================
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import sys
from array import array
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

from muse.core import codec, temps
from muse.core.errors import MuseError
from muse.core.io import NewFile, make_dirs
from muse.core.packed_paths import PackedPaths, iter_packed, path_ends
from muse.core.paths import stat_cache_path
from muse.core.plain_files import CACHE_BYTES, open_plain
from muse.core.stat_cache import StatCache
from muse.core.stat_columns import CODES, StatColumns
from muse.core.types import RAW_ID_SIZE, RawId

FORMAT: Final = 3
# The types of the folders' stat keys; an inode may need all 64 bits, a time may be before 1970.
_KEY_CODES: Final = ("I", "Q", "q", "q", "q")
_LENGTH: Final = 8
_DIGEST: Final = 32


def load_stat_cache(root: Path) -> StatCache | None:
    """Read the cache; None when it is missing, damaged, or from another program or machine."""
    try:
        fd = open_plain(stat_cache_path(root))
    except OSError:
        return None
    try:
        if os.fstat(fd).st_size > CACHE_BYTES:
            return None
        # Private: the columns are written to, the file is not.
        return decode_stat_cache(memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_COPY)))
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)


def decode_stat_cache(data: memoryview) -> StatCache | None:
    """Lay a cache over the bytes of its file, which stay in use; None when they are damaged."""
    if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        return None
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return _decode(data[:-_DIGEST])
    return None


def save_stat_cache(root: Path, cache: StatCache) -> bool:
    """Write the cache, all or nothing; it is not synced, since a damaged one is ignored.

    Returns:
        False when it could not be written, which harms nothing.
    """
    path = stat_cache_path(root)
    digest = hashlib.sha256()
    try:
        make_dirs(path.parent)
        with NewFile(path.parent, family=temps.STAT_CACHE, mode=0o644) as new:
            for piece in _iter_pieces(cache):
                digest.update(piece)
                new.write(piece)
            new.write(digest.digest())
            new.publish(path, replace=True)
    except MuseError:
        return False
    return True


def _marks() -> list[object]:
    """Return what must be equal for the bytes of the columns to mean the same."""
    return [FORMAT, sys.byteorder, array("I").itemsize, array("q").itemsize]


def _iter_pieces(cache: StatCache) -> Iterator[bytes | memoryview]:
    """Yield what the file holds, but for the digest at its end."""
    files = cache.files
    if files.loose:
        files.insert(list(files.loose))
    # Rows that neither the tree nor a known file needs.
    files.keep([base or known for base, known in zip(files.base_modes, files.modes, strict=True)])
    ends = path_ends(files.paths)
    rows = array("I", map(files.find, files.differs))
    untracked = b"\0".join(_iter_untracked(cache))
    sizes = [ends[-1] + 1 if files.paths else 0, ends.itemsize * len(ends), len(files.base_ids)]
    sizes += [array(code).itemsize * len(files) for code in CODES]
    sizes += [rows.itemsize * len(rows), RAW_ID_SIZE * len(rows), len(untracked)]
    index = codec.pack([_marks(), sizes, *_iter_small_values(cache)])
    yield len(index).to_bytes(_LENGTH, "little")
    yield index
    yield from iter_packed(files.paths)
    yield ends.tobytes()
    yield memoryview(files.base_ids)
    for column in files.columns:
        yield column.tobytes()
    yield rows.tobytes()
    yield b"".join(files.differs.values())
    yield untracked


def _iter_untracked(cache: StatCache) -> Iterator[bytes]:
    """Yield folders, and after each its names; a name has no slash, and neither has a NUL."""
    for folder, names in cache.untracked.items():
        yield folder
        yield b"/".join(sorted(names))


def _iter_small_values(cache: StatCache) -> Iterator[object]:
    """Yield what the index holds besides sizes, in the order in which `_decode` takes it."""
    listed = sorted(cache.folders)
    keys = [cache.folders[folder] or (1, 0, 0, 0, 0) for folder in listed]
    yield cache.tree
    yield cache.gitignore
    yield b"\0".join(listed)
    yield [array(code, (key[i] for key in keys)).tobytes() for i, code in enumerate(_KEY_CODES)]
    yield [[p, *key, digest] for p, (key, digest) in cache.ignore_files.items()]


def _decode(data: memoryview) -> StatCache | None:
    start = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    index = codec.unpack(data[_LENGTH:start])
    if index[0] != _marks():
        return None
    _, sizes, tree, gitignore, folders, folder_keys, ignore_files = index
    cache = StatCache(gitignore=gitignore)
    cache.tree = RawId(tree)
    bounds = list(accumulate(sizes, initial=start))
    if bounds[-1] != len(data) or sorted(bounds) != bounds:
        return None
    *columns, rows, raws, untracked = (data[low:high] for low, high in pairwise(bounds))
    files = _decode_columns(columns)
    if files is None:
        return None
    cache.files = files
    for i, row in enumerate(rows.cast("I")):
        raw = bytes(raws[i * RAW_ID_SIZE : (i + 1) * RAW_ID_SIZE])
        files.differs[files.paths[row]] = RawId(raw)
    numbers = [array(code, data) for code, data in zip(_KEY_CODES, folder_keys, strict=True)]
    # The root's path is empty, so one empty text is one folder.
    listed = folders.split(b"\0") if numbers[0] else []
    for folder, key in zip(listed, zip(*numbers, strict=True), strict=True):
        cache.folders[folder] = None if key[0] == 1 else key
    texts = iter(bytes(untracked).split(b"\0") if untracked else ())
    cache.untracked = {folder: set(next(texts).split(b"/")) for folder in texts}
    cache.ignore_files = {
        path: ((mode, inode, size, mtime_ns, ctime_ns), digest)
        for path, mode, inode, size, mtime_ns, ctime_ns, digest in ignore_files
    }
    return cache


def _decode_columns(blocks: list[memoryview]) -> StatColumns | None:
    """Lay columns over their blocks; None when they do not fit each other."""
    paths, ends, ids, *numbers = blocks
    files = StatColumns()
    files.base_ids = ids
    columns = [block.cast(code) for code, block in zip(CODES, numbers, strict=True)]
    files.base_modes, files.key_columns = columns[0], tuple(columns[1:])
    packed = PackedPaths(paths, ends.cast("I"))
    files.paths = packed
    if {len(packed), len(ids) // RAW_ID_SIZE, *map(len, columns)} != {len(packed)}:
        return None
    return files
