"""The graph: every line leads from a commit to its parent, and rows draw what they should."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.lanes import ASCII, UNICODE, Signs, draw, lay_out


def picture(rows: Sequence[tuple[str, Sequence[str]]], signs: Signs = UNICODE) -> list[str]:
    """Draw a history and return its lines, each followed by the commit's name."""
    drawn = zip(lay_out(rows), rows, strict=True)
    return [
        "".join(cell.sign + cell.link for cell in draw(row, signs=signs)).rstrip() + " " + name
        for row, (name, _) in drawn
    ]


def test_a_straight_line() -> None:
    """One parent each: one column."""
    assert picture([("c", "b"), ("b", "a"), ("a", "")]) == ["● c", "● b", "● a"]


def test_a_merge_forks_and_joins() -> None:
    """A merged branch leaves its merge to the right, and joins where it began."""
    rows = [("m", "bt"), ("t", "a"), ("b", "a"), ("a", "")]
    assert picture(rows) == ["●─╮ m", "│ ● t", "● │ b", "●─╯ a"]
    assert picture(rows, ASCII) == ["*-\\ m", "| * t", "* | b", "*-/ a"]


def test_an_octopus_and_a_crossing() -> None:
    """Three parents open two lanes; lines cross as crosses."""
    rows = [("o", "abc"), ("t", "c"), ("c", "r"), ("b", "r"), ("a", "r"), ("r", "")]
    assert picture(rows) == [
        "●─┬─╮ o",
        "│ │ │ ● t",
        "│ │ ●─╯ c",
        "│ ● │ b",
        "● │ │ a",
        "●─┴─╯ r",
    ]
    crossing = [("m", "bt"), ("x", "b"), ("t", "a"), ("b", "a"), ("a", "")]
    assert picture(crossing) == ["●─╮ m", "│ │ ● x", "│ ● │ t", "●─┼─╯ b", "●─╯ a"]


def test_two_roots() -> None:
    """A root ends its lane, and its column is free again."""
    rows = [("b", ""), ("a", "")]
    assert picture(rows) == ["● b", "● a"]


@st.composite
def dags(draw: st.DrawFn) -> list[tuple[int, list[int]]]:
    """Draw commits, children first, with up to three parents each."""
    size = draw(st.integers(1, 16))
    return [
        (
            number,
            draw(st.lists(st.integers(number + 1, size - 1), max_size=3, unique=True))
            if number < size - 1
            else [],
        )
        for number in range(size)
    ]


@given(dags())
@settings(max_examples=200, deadline=None)
def test_every_line_connects_a_commit_with_its_parent(rows: list[tuple[int, list[int]]]) -> None:
    """Following the drawn lines downwards from each commit reaches exactly its parents."""
    # For each column, the commits whose line to a parent runs in it.
    lines: dict[int, set[int]] = {}
    reached: dict[int, set[int]] = {number: set() for number, _ in rows}
    for row, (number, _) in zip(lay_out(rows), rows, strict=True):
        incoming = ({row.column} if row.above else set()) | set(row.joins)
        assert set(lines) == incoming | set(row.through)
        for column in incoming:
            for child in lines.pop(column):
                reached[child].add(number)
        if row.below:
            lines[row.column] = {number}
        for column in row.forks:
            lines.setdefault(column, set()).add(number)
        cells = draw(row)
        assert len(cells) == row.width
        assert [cell.is_commit for cell in cells].index(True) == row.column
    assert not lines
    assert reached == {number: set(parents) for number, parents in rows}
