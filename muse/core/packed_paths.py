"""Sorted paths in one piece of memory, as the stat cache's file has them.

A hundred thousand paths as Python objects take ten megabytes, and more milliseconds than looking
for the few that are asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:
    # Numbers, in memory of their own or in a file that is mapped.
    Column = array[int] | memoryview[int]

# So many paths are joined at once when they are written.
_AT_ONCE: Final = 4096


class PackedPaths(Sequence[bytes]):
    """Paths behind each other, each with a NUL at its end.

    Args:
        data: The paths.
        ends: Where the NUL of each of them is.
    """

    __slots__ = ("_data", "_ends")

    def __init__(self, data: memoryview, ends: Column) -> None:
        self._data = data
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...

    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if isinstance(at, int):
            at = range(len(self._ends))[at]
            end = self._ends[at]
            return bytes(self._data[self._ends[at - 1] + 1 if at else 0 : end])
        low, high, step = at.indices(len(self._ends))
        if high <= low:
            return []
        start = self._ends[low - 1] + 1 if low else 0
        found = bytes(self._data[start : self._ends[high - 1]]).split(b"\0")
        return found if step == 1 else found[::step]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self[:])

    @property
    def data(self) -> memoryview:
        """The paths as they lie in memory."""
        return self._data

    @property
    def ends(self) -> Column:
        """Where the NUL of each of them is."""
        return self._ends


def path_ends(paths: Sequence[bytes]) -> Column:
    """Return where the NUL of each path is, when they are packed."""
    if isinstance(paths, PackedPaths):
        return paths.ends
    return array("I", accumulate(map(len, paths), lambda end, size: end + 1 + size))


def iter_packed(paths: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """Yield the packed paths in pieces."""
    if isinstance(paths, PackedPaths):
        yield paths.data
        return
    for start in range(0, len(paths), _AT_ONCE):
        yield b"\0".join([*paths[start : start + _AT_ONCE], b""])
