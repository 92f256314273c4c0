"""Begin to look at the files of a large working tree while the rest of the program is loading.

Half of what a status of a small tree takes is Python's start. In a large one a forked child uses
that time: it needs the stat cache's table of files, and nothing else of the repository. What it
finds is used if the status turns out to be that of the same file of the cache, and dropped if not.

One scan at most is under way in a process.
"""

from __future__ import annotations

import functools
import mmap
import os
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.row_scan import RowScan
from muse.core.stat_cache_header import HEADER_SIZE, decode_header, open_files

if TYPE_CHECKING:
    from muse.core.row_compare import RowComparer

# With fewer rows a second process costs more than it saves.
MANY_ROWS: Final = 20_000
_CACHE: Final = ".muse/cache/stat_cache.msgpack"
# A link or a pipe in its place is no cache; see `plain_files`, which nobody imports this early.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class _Early(NamedTuple):
    scan: RowScan
    fd: int


_running: list[_Early] = []


def begin(environment: Mapping[str, str]) -> None:
    """Fork the child, if the working directory is in a large working tree; never fails.

    Args:
        environment: Names another repository in ``MUSE_REPO_ROOT``, perhaps.
    """
    try:
        folder = os.path.abspath(environment.get("MUSE_REPO_ROOT", ""))
        while not os.path.isdir(f"{folder}/.muse"):
            above = os.path.dirname(folder)
            if above == folder:
                return
            folder = above
        _begin(folder)
    except OSError:
        return


def _begin(root: str) -> None:
    fd = os.open(f"{root}/{_CACHE}", _FLAGS)
    try:
        file = os.fstat(fd)
        header = decode_header(os.pread(fd, HEADER_SIZE, 0)) if stat.S_ISREG(file.st_mode) else None
        if header is not None and MANY_ROWS <= header.files < file.st_size:
            make_comparer = functools.partial(_make_comparer, os.fsencode(root), fd)
            scan = RowScan(range(header.files), make_comparer)
            if scan.helpers:
                scan.start()
                # It stays open: while it is, no other file has its inode.
                _running.append(_Early(scan, fd))
    finally:
        if not _running:
            os.close(fd)


def _make_comparer(root: bytes, fd: int) -> RowComparer:
    from muse.core.row_compare import RowComparer  # in the child alone

    data = memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_READ))
    header = decode_header(data)
    if header is None:
        raise ValueError("The file changed.")
    return RowComparer(root, open_files(data, header)[0])


def claim(file_id: tuple[int, int] | None) -> RowScan | None:
    """Return the scan that is under way over the rows of a cache, for the caller to end.

    One over other rows is ended here.

    Args:
        file_id: Device and inode of the file that the cache was loaded from.
    """
    if not _running:
        return None
    file = os.fstat(_running[0].fd)
    if (file.st_dev, file.st_ino) != file_id:
        # Of no use any more, and it would compete with the scan that is needed.
        end()
        return None
    early = _running.pop()
    os.close(early.fd)
    return early.scan


def end() -> None:
    """End a scan that nobody claimed."""
    while _running:
        early = _running.pop()
        os.close(early.fd)
        early.scan.stop()
