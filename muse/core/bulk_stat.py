"""Stat keys of many files at once: ``fstatat`` into one buffer, with no object for each field.

`os.lstat` makes an object of twenty values for each file, of which seven are wanted; for a hundred
thousand files that takes longer than the kernel does. Here libc's own ``fstatat`` fills one C
record after the other, and each field of all of them is a column of bytes, compared as a whole.

How a C record is laid out depends on the processor. It is not taken for granted: `open_bulk_stat`
looks at folders both ways, and where the two disagree, or libc has no such function, the answer is
None and `muse.core.scan` does the same through `os.lstat`.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Final

from muse.core.key_columns import KEY_CODES

# Paths that are looked at in one go: their records stay in the processor's cache.
CHUNK: Final = 1024

# Records are laid down this far apart, which no system's record exceeds.
STRIDE: Final = 144
# Processor → where the mode is. On all of them the other fields are where `_OFFSETS` says.
_MODE_AT: Final = {"x86_64": 24, "aarch64": 16, "riscv64": 16, "loongarch64": 16}
_OFFSETS: Final = (8, 48, 88, 96, 104, 112)

# Look at a link itself, and at the folder itself when there is no path.
_FLAGS: Final = 0x100 | 0x1000

_Fstatat = Callable[[int, bytes, object, int], int]


class BulkStat:
    """A buffer, and what fills it; `close` when done.

    Args:
        fstatat: libc's function: an open folder, a path, a record and flags; 0 on success.
        records: Where each of `CHUNK` records begins, for libc, `STRIDE` bytes apart.
        buffer: What holds them.
        mode_at: Where a record has its mode.
        root: The folder from which paths are looked up.
    """

    def __init__(
        self,
        fstatat: _Fstatat,
        records: Sequence[object],
        buffer: array[int],
        *,
        mode_at: int,
        root: bytes,
    ) -> None:
        self._fstatat = fstatat
        self._records = records
        words = memoryview(buffer)
        halves = words.cast("B").cast("I")
        self._fields = tuple(
            (words, at // 8, STRIDE // 8) if code != "I" else (halves, at // 4, STRIDE // 4)
            for code, at in zip(KEY_CODES, (mode_at, *_OFFSETS), strict=True)
        )
        self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the folder."""
        os.close(self._root_fd)

    def read(self, paths: Iterable[bytes], count: int) -> tuple[list[int], list[bytes]]:
        """Look at some paths.

        Args:
            paths: Relative to the root, none with a NUL; at most `CHUNK`.
            count: How many there are.

        Returns:
            The result for each path, 0 or -1, and the columns in the order of `KEY_CODES`, in
            which a path that cannot be looked at has any value.
        """
        results = list(
            map(self._fstatat, repeat(self._root_fd), paths, self._records, repeat(_FLAGS))
        )
        columns = [
            field[at : at + step * (count - 1) + 1 : step].tobytes()
            for field, at, step in self._fields
        ]
        return results, columns


def open_bulk_stat(root: bytes) -> BulkStat | None:
    """Return what looks at many files at once; None where only `os.lstat` can be trusted.

    Args:
        root: The folder from which paths are looked up.
    """
    mode_at = _MODE_AT.get(os.uname().machine) if sys.platform == "linux" else None
    if mode_at is None or sys.byteorder != "little":
        return None
    import ctypes  # start-up time: only large trees need it

    buffer = array("Q", bytes(STRIDE * CHUNK))
    record = ctypes.c_char * STRIDE
    # Without declared types nothing is looked up for each call: bytes, integers and references to
    # records go as they are.
    records = [ctypes.byref(record.from_buffer(buffer, STRIDE * n)) for n in range(CHUNK)]
    try:
        fstatat = ctypes.CDLL(None).fstatat
        bulk = BulkStat(fstatat, records, buffer, mode_at=mode_at, root=root)
    except (OSError, AttributeError):
        return None
    if _agrees(bulk, root, [b"", b".", b".."]):
        return bulk
    bulk.close()
    return None


def _agrees(bulk: BulkStat, root: bytes, paths: list[bytes]) -> bool:
    """Tell whether `os.lstat` says the same of some paths that exist."""
    results, columns = bulk.read(paths, len(paths))
    found = [array(code, column) for code, column in zip(KEY_CODES, columns, strict=True)]
    for number, path in enumerate(paths):
        try:
            status = os.lstat(os.path.join(root, path))
        except OSError:
            return False
        times = (*divmod(status.st_mtime_ns, 10**9), *divmod(status.st_ctime_ns, 10**9))
        expected = (status.st_mode, status.st_ino, status.st_size, *times)
        if results[number] or tuple(column[number] for column in found) != expected:
            return False
    return True
