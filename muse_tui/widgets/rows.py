"""The rows of a list and where each one is: kept apart from the widget that draws them.

Rows are known by key, never by index. Files are kept sorted by path, so that a change of K rows
costs K searches by bisection whatever the length of the list; commits keep the order in which
they came. A filter is a second, shorter list of the same rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)

# With more rows that come or go, one copy of the list is cheaper than moving its end for each.
_COPY_FROM = 30


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
        """Insert or replace rows and drop keys; only for sorted rows.

        It costs a bisection for each of them, and one copy of the list when many come or go,
        whose rows are not looked at.
        """
        assert self._sorted
        new = {self._key(row): row for row in changed}
        dropped = [key for key in dict.fromkeys(gone) if key not in new]
        _splice(self._all, new, dropped, self._key)
        keep = self._keep
        if keep is not None:
            shown = {key: row for key, row in new.items() if keep(row)}
            dropped += [key for key in new if key not in shown]
            _splice(self._shown, shown, dropped, self._key)

    def _bisect(self, rows: list[R], key: K) -> int:
        order: Callable[[R], Any] = self._key
        wanted: Any = key
        return bisect_left(rows, wanted, key=order)

    def _refilter(self) -> None:
        keep = self._keep
        self._shown = self._all if keep is None else [row for row in self._all if keep(row)]
        self._where = None


def _find_from(start: int, rows: list[R], key: K, key_of: Callable[[R], Any]) -> int:
    """Return where a key stands or would stand, not before ``start``.

    Steps that double, then a bisection: what lies near is found with few looks.
    """
    low, step, count = start, 1, len(rows)
    high = start
    while high < count and key_of(rows[high]) < key:
        low = high + 1
        high += step
        step *= 2
    wanted: Any = key
    return bisect_left(rows, wanted, low, min(high, count), key=key_of)


def _splice(
    rows: list[R],
    changed: Mapping[K, R],
    gone: Iterable[K],
    key_of: Callable[[R], Any],
) -> None:
    """Put rows into a sorted list, in place of those with their keys, and take others out."""
    # (where, 0 to insert before that row and 1 to drop it, the row)
    edits: list[tuple[int, int, R | None]] = []
    order: Any = sorted(changed.items(), key=itemgetter(0))
    at = 0
    for key, row in order:
        at = _find_from(at, rows, key, key_of)
        if at < len(rows) and key_of(rows[at]) == key:
            rows[at] = row
        else:
            edits.append((at, 0, row))
    out: Any = gone
    at = 0
    for key in sorted(out):
        at = _find_from(at, rows, key, key_of)
        if at < len(rows) and key_of(rows[at]) == key:
            edits.append((at, 1, None))
    edits.sort(key=itemgetter(0, 1))
    if len(edits) <= _COPY_FROM:
        for at, drop, inserted in reversed(edits):
            if drop:
                del rows[at]
            elif inserted is not None:
                rows.insert(at, inserted)
        return
    copy: list[R] = []
    done = 0
    for at, drop, inserted in edits:
        copy += rows[done:at]
        if inserted is not None:
            copy.append(inserted)
        done = at + drop
    copy += rows[done:]
    rows[:] = copy
