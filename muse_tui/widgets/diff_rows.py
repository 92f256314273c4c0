"""The rows of a diff, one below the other or side by side, and where a text stands in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from muse_tui.model import DiffLine, Span

# kind of line, its place in the file, and which of its like it is
RowKey = tuple[str, int, int, int]


class DiffRow(NamedTuple):
    """One line of the screen: a line of the diff, or two that stand side by side."""

    key: RowKey
    left: DiffLine | None
    right: DiffLine | None
    split: bool = False

    @property
    def hunk(self) -> int:
        """Return the number of the hunk, or -1."""
        some = self.left or self.right
        return -1 if some is None else some.hunk


def unified_rows(lines: Iterable[DiffLine]) -> list[DiffRow]:
    """Return one row for each line."""
    rows: list[DiffRow] = []
    file = -1
    for number, diff_line in enumerate(lines):
        file += diff_line.kind == "f"
        place = number if diff_line.kind in "f@it" else 0
        key = (diff_line.kind, diff_line.old, diff_line.new, file * 10_000_000 + place)
        rows.append(DiffRow(key, diff_line, None))
    return rows


def split_rows(lines: Iterable[DiffLine]) -> list[DiffRow]:
    """Return rows with the old line left and the new one right; removals meet additions."""
    rows: list[DiffRow] = []
    minus: list[DiffLine] = []
    plus: list[DiffLine] = []

    def add(left: DiffLine | None, right: DiffLine | None, *, split: bool) -> None:
        some = left or right
        assert some is not None
        rows.append(DiffRow((some.kind, some.old, some.new, len(rows)), left, right, split))

    def flush() -> None:
        for at in range(max(len(minus), len(plus))):
            left = minus[at] if at < len(minus) else None
            add(left, plus[at] if at < len(plus) else None, split=True)
        minus.clear()
        plus.clear()

    for diff_line in lines:
        if diff_line.kind == "-":
            if plus:
                flush()
            minus.append(diff_line)
        elif diff_line.kind == "+":
            plus.append(diff_line)
        else:
            flush()
            same = diff_line.kind == " "
            add(diff_line, diff_line if same else None, split=same)
    flush()
    return rows


def find_hits(text: str, needle: str) -> list[Span]:
    """Return where a text stands in another one, in any case; nothing stands nowhere."""
    hits: list[Span] = []
    where, wanted = text.lower(), needle.lower()
    at = where.find(wanted) if wanted else -1
    while at >= 0:
        hits.append(Span(at, at + len(wanted), "hit"))
        at = where.find(wanted, at + len(wanted))
    return hits
