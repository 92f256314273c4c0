"""Opening files of a repository that somebody else may have prepared: files, and nothing else.

A repository may come out of an archive. A pipe in the place of a file would have its reader wait
for ever, a link to a device would never end, and a file with a hole may claim to be larger than
any memory. Of its folders, see `muse.core.real_folders`.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from muse.core.errors import OversizeError

# How large a file of each kind may be: far beyond what the largest repositories write, and little
# enough for the memory of any machine that has such a repository.
REF_BYTES: Final = 1 << 16
RECORD_BYTES: Final = 1 << 24
SHALLOW_BYTES: Final = 1 << 27
STAGE_BYTES: Final = 1 << 29
LOG_BYTES: Final = 1 << 29
JOURNAL_BYTES: Final = 1 << 30
CACHE_BYTES: Final = 1 << 30


def open_plain(
    path: str | os.PathLike[str], flags: int = os.O_RDONLY, *, dir_fd: int | None = None
) -> int:
    """Open a regular file; fits `open` as its ``opener``.

    Args:
        path: The file; links are followed.
        flags: As for `os.open`.
        dir_fd: Likewise.

    Returns:
        The descriptor, which the caller closes.

    Raises:
        OSError: It cannot be opened, or is a pipe, a device or a folder.

    See:
        G5, G11.
    """
    # Without O_NONBLOCK the opening of a pipe waits for somebody to write into it.
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, "It is a pipe or a device", os.fspath(path))


def read_plain(path: str | os.PathLike[str], *, limit: int) -> bytes | None:
    """Read a whole file; None when it does not exist.

    Args:
        path: The file; links are followed.
        limit: How many bytes it may hold; one of the bounds above.

    Raises:
        OversizeError: It holds more; nothing of it was read.
        OSError: As of `open_plain`, or it cannot be read.
    """
    try:
        with open(path, "rb", buffering=0, opener=open_plain) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise OversizeError(os.fspath(path), size=size, limit=limit)
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
