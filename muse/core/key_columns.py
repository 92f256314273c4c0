"""Paths and the stat keys they were known by: a table of columns, which may lie in a mapped file.

It is what a look at many files needs, and no more, so that a child process that only looks can
begin before anything else is loaded.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, Literal

from muse.core.packed_paths import PackedPaths, iter_packed, path_ends

if TYPE_CHECKING:
    from muse.core.file_content import StatKey
    from muse.core.packed_paths import Column

# The columns of a stat key, as they are in C and in the stat cache: mode, inode, size, and seconds
# and nanoseconds of mtime and of ctime.
IntCode = Literal["I", "Q", "q"]
KEY_CODES: Final[tuple[IntCode, ...]] = ("I", "Q", "q", "q", "I", "q", "I")
SECOND_NS: Final = 1_000_000_000

_SIZES: Final = {"I": 4, "Q": 8, "q": 8}


class KeyColumns:
    """One row a path, sorted by path.

    Attributes:
        paths: Repository paths.
        key_columns: The stat key when the path was last looked at, in parts; see `KEY_CODES`.
    """

    def __init__(self) -> None:
        self.paths: Sequence[bytes] = []
        self.key_columns: tuple[Column, ...] = tuple(map(array, KEY_CODES))

    def __len__(self) -> int:
        return len(self.paths)

    def keys(self, rows: range) -> Iterator[StatKey]:
        """Yield the remembered stat keys of a stretch of rows."""
        parts = (column[rows.start : rows.stop] for column in self.key_columns)
        return map(_join_key, *parts)

    def key_at(self, row: int) -> StatKey:
        """Return the remembered stat key of a row; its mode is 0 when nothing is known."""
        return _join_key(*(column[row] for column in self.key_columns))

    def lay_over(self, data: memoryview, rows: int, paths_size: int) -> int:
        """Use a table as `iter_table` wrote it; nothing of it is copied.

        Args:
            data: The bytes, from the table's first on.
            rows: How many rows it has.
            paths_size: How long its paths are, in bytes.

        Returns:
            How many bytes the table takes.

        Raises:
            ValueError: The bytes are too few.
        """
        sizes = [_SIZES[code] * rows for code in (*KEY_CODES, "I")] + [paths_size]
        bounds = list(accumulate(sizes, initial=0))
        if bounds[-1] > len(data):
            raise ValueError("The table is cut off.")
        *columns, paths = (data[low:high] for low, high in pairwise(bounds))
        *keys, ends = (
            column.cast(code) for column, code in zip(columns, (*KEY_CODES, "I"), strict=True)
        )
        self.key_columns = tuple(keys)
        self.paths = PackedPaths(paths, ends)
        return bounds[-1]


def paths_size(paths: Sequence[bytes]) -> int:
    """Return how long some paths are when they are packed, in bytes."""
    ends = path_ends(paths)
    return ends[-1] + 1 if ends else 0


def iter_table(table: KeyColumns) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a table in pieces."""
    for column in (*table.key_columns, path_ends(table.paths)):
        yield column.tobytes()
    yield from iter_packed(table.paths)


def split_key(key: StatKey) -> tuple[int, ...]:
    """Return a stat key in the parts of `KEY_CODES`."""
    mode, inode, size, mtime_ns, ctime_ns = key
    return mode, inode, size, *divmod(mtime_ns, SECOND_NS), *divmod(ctime_ns, SECOND_NS)


def _join_key(mode: int, inode: int, size: int, ms: int, mns: int, cs: int, cns: int) -> StatKey:
    return mode, inode, size, ms * SECOND_NS + mns, cs * SECOND_NS + cns
