"""``--stat`` and ``--numstat``: how much changed in each file, laid out as git lays it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from muse.cli.diff_text import Row, quote_name
from muse.core.tree_diff import Change
from muse.ops.diff import DiffTotals, sum_up
from muse.ops.file_diff import FileStat

DEFAULT_WIDTH: Final = 80
_LEAST_NAME: Final = 10
_LEAST_GRAPH: Final = 6
# A blank before the name, " | " after it, a blank after the number, and one column left free.
_FIXED: Final = 6


def stat_rows(stats: Sequence[FileStat], *, width: int = DEFAULT_WIDTH) -> Iterator[Row]:
    """Yield a line for each file, with a bar, and the sums; nothing for no files.

    Args:
        stats: What changed.
        width: Columns to fill at most.
    """
    if not stats:
        return
    layout = _Layout(stats, width)
    for stat in stats:
        yield layout.row(stat)
    yield total_row(sum_up(stats))


def total_row(totals: DiffTotals) -> Row:
    """Return the line of sums (``--shortstat``)."""
    text = f" {totals.files} file{'s' * (totals.files != 1)} changed"
    # git names a sum that is zero only when both are.
    if totals.added or not totals.removed:
        text += f", {totals.added} insertion{'s' * (totals.added != 1)}(+)"
    if totals.removed or not totals.added:
        text += f", {totals.removed} deletion{'s' * (totals.removed != 1)}(-)"
    return (("", text.encode()),)


def numstat_rows(stats: Iterable[FileStat]) -> Iterator[Row]:
    """Yield exact numbers for programs: added, removed, name, with tabs between."""
    for stat in stats:
        counts = b"-\t-" if stat.binary else b"%d\t%d" % (stat.added, stat.removed)
        yield (("", counts + b"\t" + stat_name(stat.change)),)


def stat_name(change: Change) -> bytes:
    """Return a file's name; for a rename both, with what they share said once."""
    if change.kind != "R":
        return quote_name(change.path)
    old, new = change.old_path, change.path
    if quote_name(old) != old or quote_name(new) != new:
        return quote_name(old) + b" => " + quote_name(new)
    start = _common_folders(old, new)
    end = _common_tail(old, new, start)
    middle = b"%b => %b" % (
        old[start : max(start, len(old) - end)],
        new[start : max(start, len(new) - end)],
    )
    if not start and not end:
        return middle
    return old[:start] + b"{" + middle + b"}" + old[len(old) - end :]


def _common_folders(old: bytes, new: bytes) -> int:
    """Return the length of the folders that two paths begin with, final slash included."""
    at = 0
    for i, (a, b) in enumerate(zip(old, new, strict=False)):
        if a != b:
            break
        if a == 0x2F:
            at = i + 1
    return at


def _common_tail(old: bytes, new: bytes, start: int) -> int:
    """Return the length of what two paths end with, from a slash on.

    That slash may be the last one of the folders in front: ``a/{ => b}/c``.
    """
    least = start - 1 if start else 0
    at = 0
    length = 1
    while length <= min(len(old), len(new)) - least and old[-length] == new[-length]:
        if old[-length] == 0x2F:
            at = length
        length += 1
    return at


class _Layout:
    """The columns that the widest entries need, and how bars are scaled to fit."""

    def __init__(self, stats: Sequence[FileStat], width: int) -> None:
        text = [stat for stat in stats if not stat.binary]
        binary = [stat for stat in stats if stat.binary]
        self._most = max((stat.added + stat.removed for stat in text), default=0)
        # "Bin 1 -> 23 bytes"
        binary_width = max((14 + sum(len(str(n)) for n in _sizes(s)) for s in binary), default=0)
        self._number = max(len(str(self._most)), 3 if binary else 0)
        name = max(len(stat_name(stat.change)) for stat in stats)
        graph = self._most
        if binary and self._most + 4 <= binary_width:
            graph = binary_width - 4
        fixed = _FIXED + self._number
        width = max(width, _LEAST_NAME + _LEAST_GRAPH + fixed)
        if name + fixed + graph > width:
            if graph > width * 3 // 8 - fixed:
                graph = max(width * 3 // 8 - fixed, _LEAST_GRAPH)
            if name > width - fixed - graph:
                name = width - fixed - graph
            else:
                graph = width - fixed - name
        self._name, self._graph = name, graph

    def row(self, stat: FileStat) -> Row:
        """Return the line of one file."""
        head = b" %b |" % self._fit(stat_name(stat.change))
        if stat.binary:
            old, new = _sizes(stat)
            sizes = b" %d -> %d bytes" % (old, new) if old or new else b""
            return (("", head + b" " + b"Bin".rjust(self._number) + sizes),)
        total = stat.added + stat.removed
        number = b" %b" % str(total).encode().rjust(self._number)
        if not total:
            return (("", head + number),)
        added, removed = self._bars(stat.added, stat.removed)
        return (
            ("", head + number + b" "),
            ("added", b"+" * added),
            ("removed", b"-" * removed),
        )

    def _fit(self, name: bytes) -> bytes:
        """Pad a name, or cut its beginning off, at a slash when there is one."""
        if len(name) <= self._name:
            return name.ljust(self._name)
        rest = name[len(name) - max(self._name - 3, 0) :]
        slash = rest.find(b"/")
        return (b"..." + (rest[slash:] if slash >= 0 else rest)).ljust(self._name)

    def _bars(self, added: int, removed: int) -> tuple[int, int]:
        """Scale a bar so that the longest one fits, and no part that is there disappears."""
        if self._graph > self._most:
            return added, removed
        total = self._scale(added + removed)
        if total < 2 and added and removed:
            total = 2
        if added < removed:
            plus = self._scale(added)
            return plus, total - plus
        minus = self._scale(removed)
        return total - minus, minus

    def _scale(self, count: int) -> int:
        return 1 + count * (self._graph - 1) // self._most if count else 0


def _sizes(stat: FileStat) -> tuple[int, int]:
    """Return the sizes of binary content; zeros when only its name or mode changed."""
    change = stat.change
    return (0, 0) if change.old == change.new else (stat.old_size, stat.new_size)
