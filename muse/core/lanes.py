"""The graph of a history as data: which column each commit and each line stands in.

One row a commit. A lane is a column that waits for a commit: the commit takes the leftmost of the
lanes that wait for it, the others join it there, its first parent continues in its column, and
further parents go to the lane that waits for them or open a new one. Lanes never move sideways,
so a row is drawn from its own data, however far the reader has scrolled.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)


class GraphRow(NamedTuple):
    """What is drawn beside one commit.

    Attributes:
        column: Where the commit stands.
        lanes: For each column the number of its lane, -1 for none; numbers are never reused, so
            they are good for choosing colours.
        through: Columns whose line passes by the commit.
        joins: Columns whose line comes from above and ends in the commit.
        forks: Columns to which a line goes from the commit, downwards.
        above: Whether a line comes into the commit from above.
        below: Whether a line leaves it straight down.
    """

    column: int
    lanes: tuple[int, ...]
    through: tuple[int, ...]
    joins: tuple[int, ...]
    forks: tuple[int, ...]
    above: bool
    below: bool

    @property
    def width(self) -> int:
        """How many columns the row needs."""
        return len(self.lanes)


class Cell(NamedTuple):
    """One column of a drawn row.

    Attributes:
        sign: The column's own sign.
        link: What stands between it and the next column.
        lane: The lane's number, for a colour.
        link_lane: The lane of ``link``.
        is_commit: Whether ``sign`` is the commit itself.
    """

    sign: str
    link: str
    lane: int
    link_lane: int
    is_commit: bool


class Signs(NamedTuple):
    """The characters of a drawing; lines are named by where their ends point."""

    commit: str
    line: str
    across: str
    cross: str
    down_left: str
    up_left: str
    up_down_left: str
    down_right: str
    up_right: str
    up_down_right: str
    across_down: str
    across_up: str


UNICODE: Final = Signs("●", "│", "─", "┼", "╮", "╯", "┤", "╭", "╰", "├", "┬", "┴")
ASCII: Final = Signs("*", "|", "-", "+", "\\", "/", "|", "/", "\\", "|", "-", "-")


def lay_out(rows: Iterable[tuple[Key, Sequence[Key]]]) -> Iterator[GraphRow]:
    """Give each commit its columns.

    Args:
        rows: (commit, parents to draw) in the order of the list; a parent that already stood
            above gets no line.

    Yields:
        A row for each commit, as soon as the commit is known.
    """
    waiting: list[Key | None] = []
    numbers: list[int] = []
    count = 0
    done: set[Key] = set()
    for key, parents in rows:
        done.add(key)
        above = [at for at, wanted in enumerate(waiting) if wanted == key]
        if above:
            column = above[0]
        else:
            column = _free_column(waiting, numbers)
            numbers[column] = count
            count += 1
        through = tuple(
            at for at, wanted in enumerate(waiting) if wanted is not None and wanted != key
        )
        shown = list(numbers)
        for at in above:
            waiting[at] = None
        forks: list[int] = []
        wanted_parents = [parent for parent in parents if parent not in done]
        for nth, parent in enumerate(wanted_parents):
            if not nth:
                waiting[column] = parent
                continue
            at = next((i for i, wanted in enumerate(waiting) if wanted == parent), -1)
            if at < 0:
                at = _free_column(waiting, numbers, beside=column)
                waiting[at] = parent
                numbers[at] = count
                count += 1
                shown += [-1] * (len(numbers) - len(shown))
                shown[at] = numbers[at]
            forks.append(at)
        joins = tuple(above[1:])
        live = {column, *through, *joins, *forks}
        yield GraphRow(
            column,
            tuple(lane if at in live else -1 for at, lane in enumerate(shown[: max(live) + 1])),
            through,
            joins,
            tuple(forks),
            bool(above),
            bool(wanted_parents),
        )
        while waiting and waiting[-1] is None:
            waiting.pop()
            numbers.pop()


def _free_column(waiting: list[Key | None], numbers: list[int], *, beside: int = -1) -> int:
    for at, wanted in enumerate(waiting):
        if wanted is None and at > beside:
            return at
    waiting.append(None)
    numbers.append(-1)
    return len(waiting) - 1


def draw(row: GraphRow, *, signs: Signs = UNICODE) -> list[Cell]:
    """Draw a row: one cell a column."""
    ends = {*row.joins, *row.forks}
    left = min(ends | {row.column})
    right = max(ends | {row.column})
    cells: list[Cell] = []
    for at, lane in enumerate(row.lanes):
        inside = left <= at < right
        link = signs.across if inside else " "
        if at == row.column:
            cells.append(Cell(signs.commit, link, lane, _link_lane(row, at), is_commit=True))
            continue
        sign = " "
        if at in ends:
            sign = _end_sign(row, at, signs, left=left, right=right)
        elif at in row.through:
            sign = signs.cross if left < at < right else signs.line
        elif left < at < right:
            sign = signs.across
        sign_lane = lane if at in ends or at in row.through else _link_lane(row, at)
        cells.append(Cell(sign, link, sign_lane, _link_lane(row, at), is_commit=False))
    return cells


def _link_lane(row: GraphRow, at: int) -> int:
    """Return the lane that a horizontal piece right of a column belongs to: its far end's."""
    ends = (*row.joins, *row.forks)
    if at >= row.column:
        far = [end for end in ends if end > at]
        return row.lanes[min(far)] if far else -1
    far = [end for end in ends if end <= at]
    return row.lanes[max(far)] if far else -1


def _end_sign(row: GraphRow, at: int, signs: Signs, *, left: int, right: int) -> str:
    up = at in row.joins or at in row.through
    down = at in row.forks or at in row.through
    if left < at < right:
        return signs.cross if up and down else signs.across_up if up else signs.across_down
    if at > row.column:
        return signs.up_down_left if up and down else signs.up_left if up else signs.down_left
    return signs.up_down_right if up and down else signs.up_right if up else signs.down_right
