"""The rows of a list and where each one is: kept apart from the widget that draws them.

Rows are known by key, never by index. Files are kept sorted by path, so that a change of K rows
costs K searches by bisection whatever the length of the list; commits keep the order in which
they came. A filter is a second, shorter list of the same rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)

# Above this many rows in one batch, one merge is cheaper than that many insertions.
_MERGE_FROM = 200


class Rows(Generic[R, K]):
    """A list of rows with a key each, and an optional filter.

    Args:
        key: Returns a row's identity.
        is_sorted: Rows are ordered by their key (needed for `update`).
    """

    def __init__(self, key: Callable[[R], K], *, is_sorted: bool = False) -> None:
        self._key = key
        self._sorted = is_sorted
        self._all: list[R] = []
        self._shown: list[R] = self._all
        self._keep: Callable[[R], bool] | None = None
        self._where: dict[K, int] | None = None

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, index: int) -> R:
        return self._shown[index]

    @property
    def total(self) -> int:
        """How many rows there are without the filter."""
        return len(self._all)

    @property
    def filtered(self) -> bool:
        """Tell whether a filter hides rows."""
        return self._keep is not None

    def every(self) -> Sequence[R]:
        """Return all rows, also those that the filter hides."""
        return self._all

    def shown(self, start: int, end: int) -> list[R]:
        """Return the visible rows from ``start`` up to ``end``."""
        return self._shown[max(start, 0) : end]

    def find(self, key: K) -> int:
        """Return the visible index of a key, or -1."""
        if self._sorted:
            index = self._bisect(self._shown, key)
            if index < len(self._shown) and self._key(self._shown[index]) == key:
                return index
            return -1
        if self._where is None:
            self._where = {self._key(row): at for at, row in enumerate(self._shown)}
        return self._where.get(key, -1)

    def near(self, key: K) -> int:
        """Return where a key that has gone would stand; only for sorted rows."""
        return self._bisect(self._shown, key) if self._sorted else -1

    def replace(self, rows: Iterable[R]) -> None:
        """Begin again with these rows (sorted already, when the list is sorted)."""
        self._all = list(rows)
        self._refilter()

    def filter(self, keep: Callable[[R], bool] | None) -> None:
        """Show only the rows for which ``keep`` is true; None shows all."""
        self._keep = keep
        self._refilter()

    def update(self, changed: Sequence[R], gone: Sequence[K]) -> None:
        """Insert or replace rows and drop keys; only for sorted rows."""
        assert self._sorted
        filtered = self._keep is not None
        if len(changed) + len(gone) > _MERGE_FROM:
            self._all = self._merged(self._all, changed, gone)
            self._refilter()
            return
        self._apply(self._all, changed, gone)
        if filtered:
            keep = self._keep
            assert keep is not None
            hidden = [self._key(row) for row in changed if not keep(row)]
            self._apply(self._shown, [r for r in changed if keep(r)], [*gone, *hidden])

    def _apply(self, rows: list[R], changed: Sequence[R], gone: Sequence[K]) -> None:
        for key in gone:
            index = self._bisect(rows, key)
            if index < len(rows) and self._key(rows[index]) == key:
                del rows[index]
        for row in changed:
            key = self._key(row)
            index = self._bisect(rows, key)
            if index < len(rows) and self._key(rows[index]) == key:
                rows[index] = row
            else:
                rows.insert(index, row)

    def _merged(self, rows: list[R], changed: Sequence[R], gone: Sequence[K]) -> list[R]:
        dropped = set(gone)
        dropped.update(self._key(row) for row in changed)
        kept = [row for row in rows if self._key(row) not in dropped]
        kept.extend(changed)
        # Two sorted runs: the sort finds and merges them in one pass.
        order: Callable[[R], Any] = self._key
        kept.sort(key=order)
        return kept

    def _bisect(self, rows: list[R], key: K) -> int:
        order: Callable[[R], Any] = self._key
        wanted: Any = key
        return bisect_left(rows, wanted, key=order)

    def _refilter(self) -> None:
        keep = self._keep
        self._shown = self._all if keep is None else [row for row in self._all if keep(row)]
        self._where = None
