"""Read and hash many files, in threads where that pays.

Hashing releases the interpreter's lock, so two large files are hashed at once; for small files
the hand-over costs more than it saves, and they are read one after the other.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from muse.core.errors import FileChangingError, IoFailedError
from muse.core.file_content import FileContent, Sink, hash_chunks, read_content
from muse.core.types import RawId

if TYPE_CHECKING:
    from concurrent.futures import Future

# From this average size on, judged by the first files, threads are worth their price.
_LARGE: Final = 64 << 10
_SAMPLE: Final = 8
_WORKERS: Final = 2
# How many files are read before their turn: memory stays below as many times a big file's size.
_AHEAD: Final = 6

# What the system says of a file that is there, and that this user may not read.
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM})
Read = FileContent | FileChangingError | IoFailedError | None


def read_many(paths: Iterable[bytes], *, sink: Sink = hash_chunks) -> Iterator[Read]:
    """Read files in order; see `read_content`.

    Args:
        paths: Paths in the file system.
        sink: What takes the content of big files, one at a time and in the caller's thread.

    Yields:
        What each file held, None for nothing that could be tracked, or the error for a file that
        keeps changing, or that may not be read.

    Raises:
        IoFailedError: One cannot be read for another reason.
    """
    pending = iter(paths)
    total = 0
    for count, path in enumerate(pending, 1):
        content = _read(path, sink)
        yield content
        total += content.key[2] if isinstance(content, FileContent) else 0
        if count >= _SAMPLE and total >= count * _LARGE:
            yield from _read_in_threads(pending, sink)
            return


def _read(path: bytes, sink: Sink) -> Read:
    try:
        return read_content(path, sink=sink)
    except FileChangingError as error:
        return error
    except IoFailedError as error:
        if error.errno not in _REFUSED:
            raise
        return error


class _BigFileError(Exception):
    """A file is too large to be read before its turn."""


def _refuse(_size: int, _chunks: Iterator[bytes]) -> RawId:
    raise _BigFileError


def _read_in_threads(paths: Iterator[bytes], sink: Sink) -> Iterator[Read]:
    from concurrent.futures import ThreadPoolExecutor  # start-up time

    # A sink of the caller's is not for threads; hashing alone is.
    early = sink if sink is hash_chunks else _refuse
    pool = ThreadPoolExecutor(_WORKERS)
    waiting: deque[tuple[bytes, Future[Read]]] = deque()
    try:
        for path in paths:
            waiting.append((path, pool.submit(_read, path, early)))
            if len(waiting) > _AHEAD:
                yield _finish(*waiting.popleft(), sink)
        while waiting:
            yield _finish(*waiting.popleft(), sink)
    finally:
        pool.shutdown(cancel_futures=True)


def _finish(path: bytes, future: Future[Read], sink: Sink) -> Read:
    try:
        return future.result()
    except _BigFileError:
        return _read(path, sink)
