"""The small files that a journal moves: read as they are, judged, and written again."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from muse.core import append, codec, io, shallow
from muse.core.errors import IoFailedError, OversizeError
from muse.core.plain_files import LOG_BYTES, STAGE_BYTES, open_plain
from muse.core.real_folders import Ways
from muse.core.types import is_object_id

CONFIG: Final = "config.toml"
_TAIL: Final = 1 << 16
# Errors of a moment: the next command may read what this one cannot.
_PASSING: Final = {
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EINTR, errno.EAGAIN,
}  # fmt: skip


def read_present(path: Path) -> bytes | None:
    """Return what a file holds; empty for one that cannot be read, or is too large to be right."""
    try:
        return io.read_bytes(path, doing="read", limit=STAGE_BYTES)
    except (IoFailedError, OversizeError):
        return b"" if path.is_file() else None


def is_plausible(path: str, data: bytes) -> bool:
    """Tell a file that means something from one that a power cut tore."""
    text = data.decode("utf-8", "replace").strip()
    if path == "HEAD":
        return text.startswith("ref: refs/heads/") or is_object_id(text.removeprefix("commit: "))
    if path.startswith("refs/"):
        return is_object_id(text)
    if path == CONFIG:
        return True  # it is durable before its name is
    if path == shallow.NAME:
        return data.endswith(b"\n") and all(map(is_object_id, text.split("\n")))
    try:
        codec.unseal(data)
    except codec.CodecError:
        return False
    return True


def missing_lines(path: Path, lines: Sequence[bytes]) -> list[bytes]:
    """Return which of some lines do not stand near the end of a log.

    A log that can never be read counts as whole: to append to it blindly would repeat its lines.

    Raises:
        IoFailedError: It cannot be read at this moment.
    """
    try:
        with open(path, "rb", opener=open_plain) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            present = set(file.read().split(b"\n"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        present = set()
    except OSError as error:
        if error.errno in _PASSING:
            raise IoFailedError("read a log", path=os.fspath(path), error=error) from error
        return []
    return [line for line in lines if line not in present]


def complete_log(path: str, lines: Sequence[bytes], ways: Ways) -> None:
    """Let a log, some of whose lines recovery misses, end in all of them, in their order.

    A power cut may take a line and leave the next one. The order tells what came last: an undo
    takes that back.
    """
    missing = missing_lines(Path(path), lines)
    first = lines.index(missing[0]) if missing else len(lines)
    later = lines[first:]
    moved = frozenset(later)
    try:
        if len(later) > len(missing):
            ways.check(path)
            data = io.read_bytes(Path(path), doing="read a log", limit=LOG_BYTES) or b""
            kept = [line for line in data.split(b"\n") if line and line not in moved]
            io.write_bytes_atomic(path, b"\n".join([*kept, *later, b""]), durable=True)
            return
        for line in later:
            append_line(path, line, ways)
    except OversizeError:
        for line in missing:
            append_line(path, line, ways)
    except IoFailedError as error:
        # A log that can never be written must not block; on a full disk it can be, later.
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise


def append_line(path: str, line: bytes, ways: Ways) -> None:
    """Append a line to a log, which deleted refs may have left as a folder."""
    ways.check(path)
    _write_over_folders(path, lambda: append.append_line(path, line))


def write_file(muse: str, name: str, data: bytes | None, ways: Ways) -> None:
    """Write or remove a ref, HEAD, the stage or the boundary, without a sync; or settings."""
    full = f"{muse}/{name}"
    ways.check(full)
    if data is not None:
        # Whoever edits settings by hand may leave anything, so a torn one could not be told.
        durable = name == CONFIG
        # A link is replaced, and never followed.
        _write_over_folders(full, lambda: io.write_bytes_atomic(full, data, durable=durable))
        return
    path = Path(full)
    io.remove_file(path)
    parent = path.parent
    # A deleted branch `a/b` leaves no folder `a` in the way of a branch `a`.
    while len(parent.relative_to(muse).parts) > 2:
        try:
            parent.rmdir()
        except OSError:
            break
        parent = parent.parent


def _write_over_folders(path: str, write: Callable[[], None]) -> None:
    """Write a file; where deleted refs left folders of its name, write it in their place."""
    try:
        write()
    except IoFailedError as error:
        if error.errno != errno.EISDIR or os.path.islink(path):
            raise
        remove_empty_dirs(path)
        write()


def replace_durably(path: Path, data: bytes | None) -> None:
    """Write or remove a file that no journal knows; durable when this returns."""
    if data is not None:
        io.write_bytes_atomic(path, data, durable=True)
    elif io.remove_file(path):
        io.sync_dir(path.parent)


def remove_empty_dirs(path: str) -> None:
    """Remove a folder that holds nothing but empty folders, as deleted refs leave them."""
    for folder, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
