"""Compare rows of the stat cache with the working tree, many at a time.

A child that only looks needs no more than this: what else there is to say of a path is imported
when the first one is missing or refused.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import compress
from operator import ne
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from muse.core.bulk_stat import CHUNK, open_bulk_stat
from muse.core.key_columns import KEY_CODES

if TYPE_CHECKING:
    from muse.core.key_columns import KeyColumns

# Fewer rows are not worth the loading of ctypes.
_MANY: Final = 4 * CHUNK

# The rows whose path has another stat key (or none was known), and those where nothing is.
Found = tuple[list[int], list[int]]


class RowComparer:
    """Compares stretches of rows; a context manager.

    Args:
        root: The working tree's folder.
        table: The rows.
        bulk: False to look at one path after the other, with what Python has.
    """

    def __init__(self, root: bytes, table: KeyColumns, *, bulk: bool = True) -> None:
        self._root = root
        self._table = table
        self._bulk = open_bulk_stat(root) if bulk else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bulk is not None:
            self._bulk.close()

    def compare(self, rows: range) -> Found:
        """Look at the paths of some rows.

        Returns:
            What differs and what is missing, both in order.

        Raises:
            IoFailedError: A path cannot be looked at.
        """
        if self._bulk is None:
            return self._compare_one_by_one(rows)
        differing: set[int] = set()
        gone: list[int] = []
        for low in range(rows.start, rows.stop, CHUNK):
            chunk = range(low, min(low + CHUNK, rows.stop))
            names = self._table.paths[chunk.start : chunk.stop]
            results, columns = self._bulk.read(names, len(chunk))
            differing.update(self._differing(chunk, columns))
            for row in compress(chunk, results):
                # It says that it cannot be looked at, but not why.
                if self._is_gone(names[row - low]):
                    differing.discard(row)
                    gone.append(row)
                else:
                    differing.add(row)
        return sorted(differing), gone

    def _compare_one_by_one(self, rows: range) -> Found:
        from muse.core.scan import compare_keys  # start-up time of a child

        paths = map((self._root + b"/").__add__, self._table.paths[rows.start : rows.stop])
        changed, missing = compare_keys(paths, self._table.keys(rows), len(rows))
        return [rows.start + i for i in changed], [rows.start + i for i in missing]

    def _is_gone(self, path: bytes) -> bool:
        from muse.core.scan import find_key  # start-up time of a child

        return find_key(self._root, path) is None

    def _differing(self, rows: range, columns: list[bytes]) -> Iterator[int]:
        """Yield the rows, some of them repeatedly, that are not as some columns say."""
        for code, column, now in zip(KEY_CODES, self._table.key_columns, columns, strict=True):
            known = column[rows.start : rows.stop].tobytes()
            if known != now:
                yield from compress(rows, map(ne, array(code, known), array(code, now)))


def find_changed_rows(root: bytes, table: KeyColumns, rows: range) -> Found:
    """Compare a stretch of rows with the working tree; see `RowComparer.compare`.

    Raises:
        IoFailedError: A path cannot be looked at.
    """
    with RowComparer(root, table, bulk=len(rows) >= _MANY) as comparer:
        return comparer.compare(rows)
