"""Compare rows of the stat cache with the working tree, many at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import compress
from operator import ne
from typing import Final

from muse.core.bulk_stat import CHUNK, KEY_CODES, open_bulk_stat
from muse.core.scan import compare_keys, find_key
from muse.core.stat_columns import StatColumns

# Fewer rows are not worth the loading of ctypes.
_MANY: Final = 4 * CHUNK

# The rows whose file has another stat key (or none was known), and those without a file.
Found = tuple[list[int], list[int]]


class RowComparer:
    """Compares stretches of rows.

    Args:
        root: The working tree's folder.
        files: The rows.
        bulk: False to look at one file after the other, with what Python has.
    """

    def __init__(self, root: bytes, files: StatColumns, *, bulk: bool = True) -> None:
        self._root = root
        self._prefix = root + b"/"
        self._files = files
        self._bulk = open_bulk_stat(root) if bulk else None

    def compare(self, rows: range) -> Found:
        """Look at the files of some rows.

        Returns:
            What differs and what is missing, both in order.

        Raises:
            IoFailedError: A path cannot be looked at.
        """
        if self._bulk is None:
            paths = map(self._prefix.__add__, self._files.paths[rows.start : rows.stop])
            changed, missing = compare_keys(paths, self._files.keys(rows), len(rows))
            return [rows.start + i for i in changed], [rows.start + i for i in missing]
        differing: set[int] = set()
        gone: list[int] = []
        for low in range(rows.start, rows.stop, CHUNK):
            chunk = range(low, min(low + CHUNK, rows.stop))
            names = self._files.paths[chunk.start : chunk.stop]
            results, columns = self._bulk.read(map(self._prefix.__add__, names), len(chunk))
            differing.update(self._differing(chunk, columns))
            for row in compress(chunk, results):
                # It says that it cannot be looked at, but not why.
                if find_key(self._root, names[row - low]) is None:
                    differing.discard(row)
                    gone.append(row)
                else:
                    differing.add(row)
        return sorted(differing), gone

    def _differing(self, rows: range, columns: list[bytes]) -> Iterator[int]:
        """Yield the rows, some of them repeatedly, that are not as some columns say."""
        for code, column, now in zip(KEY_CODES, self._files.key_columns, columns, strict=True):
            known = column[rows.start : rows.stop].tobytes()
            if known != now:
                yield from compress(rows, map(ne, array(code, known), array(code, now)))


def find_changed_rows(root: bytes, files: StatColumns, rows: range) -> Found:
    """Compare a stretch of rows with the working tree; see `RowComparer.compare`.

    Raises:
        IoFailedError: A path cannot be looked at.
    """
    return RowComparer(root, files, bulk=len(rows) >= _MANY).compare(rows)
