"""Opening files of a repository that somebody else may have prepared: files, and nothing else.

A repository may come out of an archive. A pipe in the place of a file would have its reader wait
for ever, and a link to a device would never end. Of its folders, see `muse.core.real_folders`.
"""

from __future__ import annotations

import errno
import os
import stat


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
