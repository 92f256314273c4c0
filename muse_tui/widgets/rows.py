"""The rows of a list and where each one is: kept apart from the widget that draws them.

Rows are known by key, never by index. Files are kept sorted by path, with the paths in a list of
their own, so that a change of K rows costs K searches by bisection that never leave C, whatever
the length of the list; commits keep the order in which they came. A filter is a second, shorter
list of the same rows.
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
        # Beside each list of sorted rows stand their keys.
        self._all_keys: list[K] = []
        self._shown_keys: list[K] = self._all_keys
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

    def get(self, key: K) -> R | None:
        """Return the row of a key, also one that the filter hides; only for sorted rows."""
        index = _bisect(self._all_keys, key)
        found = index < len(self._all_keys) and self._all_keys[index] == key
        return self._all[index] if found else None

    def shown(self, start: int, end: int) -> list[R]:
        """Return the visible rows from ``start`` up to ``end``."""
        return self._shown[max(start, 0) : end]

    def find(self, key: K) -> int:
        """Return the visible index of a key, or -1."""
        if self._sorted:
            index = _bisect(self._shown_keys, key)
            found = index < len(self._shown_keys) and self._shown_keys[index] == key
            return index if found else -1
        if self._where is None:
            self._where = {self._key(row): at for at, row in enumerate(self._shown)}
        return self._where.get(key, -1)

    def near(self, key: K) -> int:
        """Return where a key that has gone would stand; only for sorted rows."""
        return _bisect(self._shown_keys, key) if self._sorted else -1

    def replace(self, rows: Iterable[R]) -> None:
        """Begin again with these rows (sorted already, when the list is sorted)."""
        self._all = list(rows)
        self._all_keys = list(map(self._key, self._all)) if self._sorted else []
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
        new = dict(zip(map(self._key, changed), changed, strict=True))
        dropped = [key for key in dict.fromkeys(gone) if key not in new]
        _splice(self._all, self._all_keys, new, dropped)
        keep = self._keep
        if keep is not None:
            shown = {key: row for key, row in new.items() if keep(row)}
            dropped += [key for key in new if key not in shown]
            _splice(self._shown, self._shown_keys, shown, dropped)

    def _refilter(self) -> None:
        keep = self._keep
        if keep is None:
            self._shown, self._shown_keys = self._all, self._all_keys
        else:
            self._shown = [row for row in self._all if keep(row)]
            self._shown_keys = list(map(self._key, self._shown)) if self._sorted else []
        self._where = None


def _bisect(keys: list[K], key: K, low: int = 0) -> int:
    sortable: Any = keys
    return bisect_left(sortable, key, low)


def _splice(rows: list[R], keys: list[K], changed: Mapping[K, R], gone: Iterable[K]) -> None:
    """Put rows into a sorted list, in place of those with their keys, and take others out."""
    # (where, 0 to insert before that row and 1 to drop it, the key, the row)
    edits: list[tuple[int, int, K, R | None]] = []
    order: Any = sorted(changed.items(), key=itemgetter(0))
    at, count = 0, len(keys)
    for key, row in order:
        at = _bisect(keys, key, at)
        if at < count and keys[at] == key:
            rows[at] = row
        else:
            edits.append((at, 0, key, row))
    out: Any = gone
    at = 0
    for key in sorted(out):
        at = _bisect(keys, key, at)
        if at < count and keys[at] == key:
            edits.append((at, 1, key, None))
    edits.sort(key=itemgetter(0, 1))
    if len(edits) <= _COPY_FROM:
        for at, drop, key, inserted in reversed(edits):
            if drop:
                del rows[at], keys[at]
            elif inserted is not None:
                rows.insert(at, inserted)
                keys.insert(at, key)
        return
    _copy(rows, edits, itemgetter(3))
    _copy(keys, edits, itemgetter(2))


def _copy(
    items: list[Any], edits: list[tuple[int, int, K, R | None]], new: Callable[..., Any]
) -> None:
    """Make many edits by one copy of a list."""
    copy: list[Any] = []
    done = 0
    for edit in edits:
        at, drop = edit[:2]
        copy += items[done:at]
        if not drop:
            copy.append(new(edit))
        done = at + drop
    copy += items[done:]
    items[:] = copy
