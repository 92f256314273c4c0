"""Appending to logs: a line is there whole, or torn at the end of the file, and then closed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from muse.core.io import io_errors, make_dirs, sync_dir, sync_fd

# A link in place of a log must not lead out of the repository.
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def append_line(path: Path | str, line: bytes, *, durable: bool = False) -> None:
    """Append one line in one write; a torn line left by a crash is closed first.

    Args:
        path: The file; missing folders are made.
        line: Without its newline; newlines inside are the caller's mistake.
        durable: Sync the file and, when it is new, its folder.
    """
    assert b"\n" not in line
    with io_errors("append to", path):
        try:
            fd = os.open(path, _APPEND, 0o644)
        except FileNotFoundError:
            make_dirs(Path(path).parent, durable=durable)
            fd = os.open(path, _APPEND, 0o644)
        try:
            size = os.fstat(fd).st_size
            torn = size and os.pread(fd, 1, size - 1) != b"\n"
            data = (b"\n" if torn else b"") + line + b"\n"
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                sync_fd(fd)
        finally:
            os.close(fd)
    if durable and not size:
        sync_dir(os.path.dirname(path))
