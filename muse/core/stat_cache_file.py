"""The stat cache's file: columns that are mapped into memory rather than read.

It is ignored when it is damaged, or written by another version or on another kind of machine. It
is replaced as a whole and never changed in place, so whoever has it mapped keeps what it mapped.

========  =======================================================================================
8 bytes   format, and the order of bytes
7 × 8     the numbers of `Header`
tables    paths and stat keys of the files, and those of the folders; see `muse.core.key_columns`
blocks    modes and ids in HEAD's tree; rows whose content is not the base's, and its ids;
          untracked names
index     msgpack: what is small
4 bytes   CRC-32 of all before it
========  =======================================================================================
"""

from __future__ import annotations

import contextlib
import mmap
import os
import zlib
from array import array
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

from muse.core import codec, temps
from muse.core.errors import MuseError
from muse.core.io import NewFile, make_dirs
from muse.core.key_columns import KeyColumns, iter_table, paths_size
from muse.core.paths import stat_cache_path
from muse.core.plain_files import CACHE_BYTES, open_plain
from muse.core.stat_cache import StatCache
from muse.core.stat_cache_header import Header, decode_header, encode_header, open_files
from muse.core.stat_columns import StatColumns
from muse.core.types import RAW_ID_SIZE, RawId

_CRC: Final = 4


def load_stat_cache(root: Path) -> StatCache | None:
    """Read the cache; None when it is missing, damaged, or from another program or machine."""
    try:
        fd = open_plain(stat_cache_path(root))
    except OSError:
        return None
    try:
        file = os.fstat(fd)
        if file.st_size > CACHE_BYTES:
            return None
        # Private: the columns are written to, the file is not.
        cache = decode_stat_cache(memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_COPY)))
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)
    if cache is not None:
        cache.file_id = file.st_dev, file.st_ino
    return cache


def decode_stat_cache(data: memoryview) -> StatCache | None:
    """Lay a cache over the bytes of its file, which stay in use; None when they are damaged."""
    if zlib.crc32(data[:-_CRC]).to_bytes(_CRC, "little") != data[-_CRC:]:
        return None
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return _decode(data[:-_CRC])
    return None


def save_stat_cache(root: Path, cache: StatCache) -> bool:
    """Write the cache, all or nothing; it is not synced, since a damaged one is ignored.

    Returns:
        False when it could not be written, which harms nothing.
    """
    path = stat_cache_path(root)
    crc = 0
    try:
        make_dirs(path.parent)
        with NewFile(path.parent, family=temps.STAT_CACHE, mode=0o644) as new:
            for piece in _iter_pieces(cache):
                crc = zlib.crc32(piece, crc)
                new.write(piece)
            new.write(crc.to_bytes(_CRC, "little"))
            new.publish(path, replace=True)
    except MuseError:
        return False
    return True


def _iter_pieces(cache: StatCache) -> Iterator[bytes | memoryview]:
    """Yield what the file holds, but for the checksum at its end."""
    files, folders = cache.files, cache.pack_folders()
    if files.loose:
        files.insert(list(files.loose))
    # Rows that neither the tree nor a known file needs.
    files.keep([base or known for base, known in zip(files.base_modes, files.modes, strict=True)])
    rows = array("I", map(files.find, files.differs))
    untracked = b"\0".join(_iter_untracked(cache))
    ignore_files = [[path, *key, digest] for path, (key, digest) in cache.ignore_files.items()]
    index = codec.pack([cache.tree, cache.gitignore, ignore_files])
    yield encode_header(
        Header(
            files=len(files),
            paths_size=paths_size(files.paths),
            folders=len(folders),
            folders_size=paths_size(folders.paths),
            differs=len(rows),
            untracked_size=len(untracked),
            index_size=len(index),
        )
    )
    yield from iter_table(files)
    yield from iter_table(folders)
    yield files.base_modes.tobytes()
    yield memoryview(files.base_ids)
    yield rows.tobytes()
    yield b"".join(files.differs.values())
    yield untracked
    yield index


def _iter_untracked(cache: StatCache) -> Iterator[bytes]:
    """Yield folders, and after each its names; a name has no slash, and neither has a NUL."""
    for folder, names in cache.untracked.items():
        yield folder
        yield b"/".join(sorted(names))


def _decode(data: memoryview) -> StatCache | None:
    header = decode_header(data)
    if header is None:
        return None
    table, end = open_files(data, header)
    folders = KeyColumns()
    end += folders.lay_over(data[end:], header.folders, header.folders_size)
    ids_size, raws_size = header.files * RAW_ID_SIZE, header.differs * RAW_ID_SIZE
    sizes = [4 * header.files, ids_size, 4 * header.differs, raws_size]
    bounds = list(accumulate([*sizes, header.untracked_size, header.index_size], initial=end))
    if bounds[-1] != len(data):
        return None
    modes, ids, rows, raws, untracked, index = (data[low:high] for low, high in pairwise(bounds))
    tree, gitignore, ignore_files = codec.unpack(index)
    cache = StatCache(gitignore=gitignore)
    cache.tree = RawId(tree)
    cache.loaded_files = table
    cache.files = files = StatColumns()
    files.paths, files.key_columns = table.paths, table.key_columns
    files.base_modes, files.base_ids = modes.cast("I"), ids
    for i, row in enumerate(rows.cast("I")):
        raw = bytes(raws[i * RAW_ID_SIZE : (i + 1) * RAW_ID_SIZE])
        files.differs[files.paths[row]] = RawId(raw)
    cache.packed_folders = folders
    texts = iter(bytes(untracked).split(b"\0") if untracked else ())
    cache.untracked = {folder: set(next(texts).split(b"/")) for folder in texts}
    cache.ignore_files = {
        path: ((mode, inode, size, mtime_ns, ctime_ns), digest)
        for path, mode, inode, size, mtime_ns, ctime_ns, digest in ignore_files
    }
    return cache
