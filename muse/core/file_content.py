"""Reading files of the working tree: what they are, what they hold, and that they held still.

A file's *stat key* is what tells whether it may have changed: mode, inode, size, mtime, ctime.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Final, NamedTuple

from muse.core.errors import FileChangingError, IoFailedError
from muse.core.paths import show_path
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, RawId, frame_header, raw_object_id

# (st_mode, inode, size, mtime_ns, ctime_ns), in the order of the stat cache's columns.
StatKey = tuple[int, int, int, int, int]
stat_key: Final[Callable[[os.stat_result], StatKey]] = attrgetter(
    "st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"
)

# Files up to this size are held in memory at once; larger ones pass through in chunks.
BIG_FILE: Final = 1 << 20
CHUNK: Final = 1 << 20
_TRIES: Final = 3
# Kernels stamp files with a clock that ticks every 1 to 10 ms; some file systems keep seconds.
_TICK_NS: Final = 20_000_000
_SECOND_NS: Final = 1_000_000_000

# Takes a size and the chunks of a big file, and returns the blob's id.
Sink = Callable[[int, Iterator[bytes]], RawId]


class FileContent(NamedTuple):
    """What a file held while it was read.

    Attributes:
        key: Its stat key before and after reading.
        mode: Its mode in a tree.
        raw: The id of its content as a blob.
        data: The content; None when the file is big and went to the sink.
        settled: Whether a later change must show in the stat key. A file that was changed within
            the clock's last tick may be changed again without a trace, so nothing may be
            remembered about it (git's "racy" entries).
    """

    key: StatKey
    mode: int
    raw: RawId
    data: bytes | None
    settled: bool


class _ChangedError(Exception):
    """The file changed while it was read."""


def tree_mode(st_mode: int) -> int:
    """Return the mode in a tree for what ``lstat`` says; 0 for what is not tracked."""
    kind = stat.S_IFMT(st_mode)
    if kind == stat.S_IFREG:
        return MODE_EXEC if st_mode & stat.S_IXUSR else MODE_FILE
    return MODE_LINK if kind == stat.S_IFLNK else 0


def is_settled(key: StatKey, clock_ns: int) -> bool:
    """Tell whether any change after ``clock_ns`` must alter this stat key.

    Args:
        key: Of a file or folder.
        clock_ns: The time before the content was read.
    """
    return _is_past(key[3], clock_ns) and _is_past(key[4], clock_ns)


def _is_past(time_ns: int, clock_ns: int) -> bool:
    # A time of whole seconds may come from a file system that keeps no more (FAT keeps two).
    tick = _TICK_NS if time_ns % _SECOND_NS else 2 * _SECOND_NS + _TICK_NS
    return time_ns < clock_ns - tick


def hash_chunks(size: int, chunks: Iterator[bytes]) -> RawId:
    """Return the blob id of content that comes in chunks; a `Sink` that stores nothing."""
    digest = hashlib.sha256(frame_header("blob", size))
    for chunk in chunks:
        digest.update(chunk)
    return RawId(digest.digest())


def read_content(full: bytes, *, sink: Sink = hash_chunks) -> FileContent | None:
    """Read a file or link, and make sure that it held still.

    Args:
        full: The path in the file system. Its folders are followed wherever they lead; whether
            they are links is for the caller to know.
        sink: What takes the content of a big file; it may be called again if the file changes.

    Returns:
        None when there is nothing that could be tracked.

    Raises:
        IoFailedError: It cannot be read.
        FileChangingError: It keeps changing.
    """
    data: bytes | None
    try:
        for _ in range(_TRIES):
            clock_ns = time.time_ns()
            try:
                found = _read_file(full, sink) or _read_link(full)
            except _ChangedError:
                continue
            if found is None:
                return None
            key, raw, data = found
            return FileContent(key, tree_mode(key[0]), raw, data, is_settled(key, clock_ns))
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            return None
        raise IoFailedError("read the file", path=show_path(full), error=error) from error
    raise FileChangingError(
        f"'{show_path(full)}' keeps changing while it is read.",
        hint="Wait until the program that writes it is done, then run the command again.",
    )


def _read_link(full: bytes) -> tuple[StatKey, RawId, bytes] | None:
    """Read a link; None for what is none, and no file either."""
    key = stat_key(os.lstat(full))
    if tree_mode(key[0]) != MODE_LINK:
        if tree_mode(key[0]):
            raise _ChangedError
        return None
    target = os.readlink(full)
    if stat_key(os.lstat(full)) != key:
        raise _ChangedError
    return key, raw_object_id("blob", target), target


def _read_file(full: bytes, sink: Sink) -> tuple[StatKey, RawId, bytes | None] | None:
    """Read a file; None for what is none."""
    # Opened without a look before: most are files. Not blocking, in case this is a fifo.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(full, flags)
    except OSError:
        if tree_mode(os.lstat(full).st_mode) in {0, MODE_LINK}:
            return None
        raise
    try:
        key = stat_key(os.fstat(fd))
        if not stat.S_ISREG(key[0]):
            return None
        size = key[2]
        data = _read_whole(fd, size) if size <= BIG_FILE else None
        raw = sink(size, _iter_chunks(fd, size)) if data is None else raw_object_id("blob", data)
        if stat_key(os.fstat(fd)) != key:
            raise _ChangedError
    finally:
        os.close(fd)
    return key, raw, data


def _read_whole(fd: int, size: int) -> bytes:
    # One byte more, so that one that grew is noticed.
    data = os.read(fd, size + 1)
    while len(data) < size and (more := os.read(fd, size + 1 - len(data))):
        data += more
    if len(data) != size:
        raise _ChangedError
    return data


def _iter_chunks(fd: int, size: int) -> Iterator[bytes]:
    total = 0
    while chunk := os.read(fd, CHUNK):
        total += len(chunk)
        if total > size:
            raise _ChangedError
        yield chunk
    if total != size:
        raise _ChangedError
