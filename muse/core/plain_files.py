"""Opening files of a repository that somebody else may have prepared: files, and nothing else.

A repository may come out of an archive. A pipe in the place of a file would have its reader wait
for ever, a link would lead out of it or to a device that never ends, and a file with a hole may
claim to be larger than any memory. Of its folders, see `muse.core.real_folders`.
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
# A tree, a commit or a tag, which is parsed as a whole. Files of the user's have no bound.
PARSED_BYTES: Final = 1 << 27


def open_plain(
    path: str | os.PathLike[str],
    flags: int = os.O_RDONLY,
    *,
    dir_fd: int | None = None,
    follow: bool = False,
) -> int:
    """Open a regular file; fits `open` as its ``opener``.

    Args:
        path: The file.
        flags: As for `os.open`.
        dir_fd: Likewise.
        follow: Follow a link: for a file of the user's own.

    Returns:
        The descriptor, which the caller closes.

    Raises:
        OSError: It cannot be opened, or is a link, a pipe, a device or a folder.

    See:
        G5, G11.
    """
    # Without O_NONBLOCK the opening of a pipe waits for somebody to write into it.
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            error.strerror = "It is a link, and none is followed here"
        raise
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.ENXIO, "It is a pipe or a device", os.fspath(path))


def _open_followed(path: str, flags: int) -> int:
    return open_plain(path, flags, follow=True)


def read_plain(path: str | os.PathLike[str], *, limit: int, follow: bool = False) -> bytes | None:
    """Read a whole file; None when it does not exist.

    Args:
        path: The file.
        limit: How many bytes it may hold; one of the bounds above.
        follow: Follow a link: for a file of the user's own.

    Raises:
        OversizeError: It holds more; nothing of it was read.
        OSError: As of `open_plain`, or it cannot be read.
    """
    try:
        opener = _open_followed if follow else open_plain
        with open(path, "rb", buffering=0, opener=opener) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise OversizeError(os.fspath(path), size=size, limit=limit)
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
