"""Stat keys of many files at once: ``lstat`` into one buffer, with no object for each field.

`os.lstat` makes an object of twenty values for each file, of which seven are wanted; for a hundred
thousand files that takes longer than the kernel does. Here libc's own ``lstat`` fills one C record
after the other, and each field of all of them is a column of bytes, compared as a whole.

How a C record is laid out depends on the processor. It is not taken for granted: `open_bulk_stat`
looks at folders both ways, and where the two disagree, or libc has no such function, the answer is
None and `muse.core.scan` does the same through `os.lstat`.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterable
from typing import Final, Literal

# Paths that are looked at in one go: their records stay in the processor's cache.
CHUNK: Final = 1024
# The columns of a stat key, as they are in C and in the stat cache: mode, inode, size, and seconds
# and nanoseconds of mtime and of ctime.
IntCode = Literal["I", "Q", "q"]
KEY_CODES: Final[tuple[IntCode, ...]] = ("I", "Q", "q", "q", "I", "q", "I")

# Records are laid down this far apart, which no system's record exceeds.
_STRIDE: Final = 144
# Processor → where the mode is. On all of them the other fields are where `_OFFSETS` says.
_MODE_AT: Final = {"x86_64": 24, "aarch64": 16, "riscv64": 16, "loongarch64": 16}
_OFFSETS: Final = (8, 48, 88, 96, 104, 112)

_Lstat = Callable[[bytes, int], int]


class BulkStat:
    """A buffer, and what fills it.

    Args:
        lstat: libc's function: a path and the address of a record; 0 on success.
        mode_at: Where a record has its mode.
    """

    def __init__(self, lstat: _Lstat, mode_at: int) -> None:
        self._lstat = lstat
        self._buffer = array("Q", bytes(_STRIDE * CHUNK))
        address = self._buffer.buffer_info()[0]
        self._records = range(address, address + _STRIDE * CHUNK, _STRIDE)
        words = memoryview(self._buffer)
        halves = words.cast("B").cast("I")
        self._fields = tuple(
            (words, at // 8, _STRIDE // 8) if code != "I" else (halves, at // 4, _STRIDE // 4)
            for code, at in zip(KEY_CODES, (mode_at, *_OFFSETS), strict=True)
        )

    def read(self, paths: Iterable[bytes], count: int) -> tuple[list[int], list[bytes]]:
        """Look at some paths.

        Args:
            paths: In the file system, none with a NUL; at most `CHUNK`.
            count: How many there are.

        Returns:
            The result for each path, 0 or -1, and the columns in the order of `KEY_CODES`, in
            which a path that cannot be looked at has any value.
        """
        results = list(map(self._lstat, paths, self._records))
        columns = [
            field[at : at + step * (count - 1) + 1 : step].tobytes()
            for field, at, step in self._fields
        ]
        return results, columns


def open_bulk_stat(root: bytes) -> BulkStat | None:
    """Return what looks at many files at once; None where only `os.lstat` can be trusted.

    Args:
        root: A folder to try it on.
    """
    mode_at = _MODE_AT.get(os.uname().machine) if sys.platform == "linux" else None
    if mode_at is None or sys.byteorder != "little":
        return None
    import ctypes  # start-up time: only large trees need it

    try:
        lstat = ctypes.CDLL(None).lstat
    except (OSError, AttributeError):
        return None
    lstat.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    bulk = BulkStat(lstat, mode_at)
    return bulk if _agrees(bulk, [root, b"/"]) else None


def _agrees(bulk: BulkStat, paths: list[bytes]) -> bool:
    """Tell whether `os.lstat` says the same of some paths that exist."""
    results, columns = bulk.read(paths, len(paths))
    found = [array(code, column) for code, column in zip(KEY_CODES, columns, strict=True)]
    for number, path in enumerate(paths):
        try:
            status = os.lstat(path)
        except OSError:
            return False
        times = (*divmod(status.st_mtime_ns, 10**9), *divmod(status.st_ctime_ns, 10**9))
        expected = (status.st_mode, status.st_ino, status.st_size, *times)
        if results[number] or tuple(column[number] for column in found) != expected:
            return False
    return True
