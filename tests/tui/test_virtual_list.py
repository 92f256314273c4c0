"""The list of every pane: rows by key, a cursor that stays, and a price that does not grow."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip

from muse_tui.widgets.rows import Rows
from muse_tui.widgets.virtual_list import VirtualList

pytestmark = pytest.mark.tui

Row = tuple[str, int]


class Words(VirtualList[Row, str]):
    """Rows of a word and a number."""

    def __init__(self) -> None:
        super().__init__(lambda row: row[0], is_sorted=True, id="words")
        self.drawn = 0

    def row_text(self, row: Row) -> str:
        """Return the word."""
        return row[0]

    def row_line(self, row: Row, *, width: int, base: Style) -> Strip:
        """Count what is drawn."""
        self.drawn += 1
        return super().row_line(row, width=width, base=base)


class Bare(App[None]):
    """A list and nothing else."""

    def compose(self) -> ComposeResult:
        """Show the list."""
        yield Words()


@contextlib.asynccontextmanager
async def listed(rows: list[Row]) -> AsyncIterator[tuple[Words, Pilot[None]]]:
    """Show some rows in a terminal of 80×24."""
    async with Bare().run_test(size=(80, 24)) as pilot:
        words = pilot.app.query_one(Words)
        words.replace(rows)
        words.focus()
        await pilot.pause()
        yield words, pilot


def many(count: int) -> list[Row]:
    """Some rows, sorted."""
    return [(f"{n:06}", n) for n in range(count)]


class TestRows:
    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.lists(st.tuples(st.text("abcd", max_size=3), st.integers(0, 9)), max_size=8),
                st.lists(st.text("abcd", max_size=3), max_size=4),
            ),
            max_size=12,
        ),
        st.text("abcd", max_size=1),
        st.sampled_from([0, 2, 30]),
    )
    def test_any_updates_equal_a_sorted_dictionary(
        self, updates: list[tuple[list[Row], list[str]]], needle: str, copy_from: int
    ) -> None:
        """Insertions, changes and removals end where a dictionary would, filtered or not.

        Whether they are made one by one or by one copy of the list.
        """
        with mock.patch("muse_tui.widgets.rows._COPY_FROM", copy_from):
            self._try(updates, needle)

    @staticmethod
    def _try(updates: list[tuple[list[Row], list[str]]], needle: str) -> None:
        rows: Rows[Row, str] = Rows(lambda row: row[0], is_sorted=True)
        rows.filter((lambda row: needle in row[0]) if needle else None)
        model: dict[str, Row] = {}
        for changed, gone in updates:
            unique = {row[0]: row for row in changed}
            for key in gone:
                model.pop(key, None)
            model.update(unique)
            rows.update(list(unique.values()), gone)
            wanted = [model[key] for key in sorted(model)]
            assert list(rows.every()) == wanted
            shown = [row for row in wanted if needle in row[0]]
            assert rows.shown(0, len(rows)) == shown
            assert [rows.find(row[0]) for row in shown] == list(range(len(shown)))

    @pytest.mark.parametrize("changed", [1, 100, 1_000])
    def test_the_cost_is_that_of_the_change(self, changed: int) -> None:
        """Each changed row is looked at once, whatever the length of the list.

        What is compared beyond is keys: a bisection for each, in C.
        """
        compared = 0

        class Key(str):
            __slots__ = ()

            def __lt__(self, other: str) -> bool:
                nonlocal compared
                compared += 1
                return str.__lt__(self, other)

        for length in (10_000, 100_000):
            looked = 0

            def key(row: Row) -> str:
                nonlocal looked
                looked += 1
                return Key(row[0])

            rows: Rows[Row, str] = Rows(key, is_sorted=True)
            rows.replace(many(length))
            step = length // changed
            new = [(f"{n * step:06}x", n) for n in range(changed // 2)]
            old = [(f"{n * step:06}", -n) for n in range(changed - len(new))]
            looked = compared = 0
            rows.update([*new, *old], [f"{n * step + 1:06}" for n in range(changed // 2)])
            assert len(rows) == length
            assert looked == changed
            assert compared <= changed * 40, length

    def test_a_large_batch_is_merged(self) -> None:
        """A storm of rows ends in the same order as single insertions."""
        rows: Rows[Row, str] = Rows(lambda row: row[0], is_sorted=True)
        rows.replace(many(1000)[::2])
        rows.update(many(1000)[1::2], [])
        assert list(rows.every()) == many(1000)


class TestCursor:
    async def test_rows_above_do_not_move_it(self) -> None:
        """The cursor stays on its row, and the row on its line, whatever is inserted above."""
        async with listed(many(500)) as (words, pilot):
            words.go_to("000300")
            await pilot.pause()
            line = words.cursor - words.scroll_offset.y
            words.update_rows([(f"0000x{n}", 0) for n in range(50)], ["000001", "000299"])
            await pilot.pause()
            assert words.cursor_key == "000300"
            assert words.cursor - words.scroll_offset.y == line

    async def test_a_row_that_goes_leaves_it_nearby(self) -> None:
        """When its row vanishes the cursor stands on the row that took its place."""
        async with listed(many(10)) as (words, pilot):
            words.go_to("000004")
            words.update_rows([], ["000004"])
            await pilot.pause()
            assert words.cursor_key == "000005"
            words.update_rows([], [f"{n:06}" for n in range(5, 10)])
            assert words.cursor_key == "000003"
            words.update_rows([], [f"{n:06}" for n in range(10)])
            assert words.current is None
            words.update_rows([("a", 1)], [])
            assert words.cursor_key == "a"

    async def test_what_is_looked_at_stays(self) -> None:
        """Scrolled away from the cursor, the first line on the screen keeps its place."""
        async with listed(many(500)) as (words, pilot):
            words.scroll_to(y=200, animate=False)
            await pilot.pause()
            words.update_rows([("000000x", 0)], [])
            await pilot.pause()
            assert words.rows[words.scroll_offset.y][0] == "000200"

    async def test_keys_move_it(self) -> None:
        """J k, pages, first and last; a range follows the cursor both ways."""
        async with listed(many(100)) as (words, pilot):
            words.action_move(1)
            words.action_page(1)
            assert words.cursor == 1 + 22
            words.action_last()
            assert words.cursor == 99
            words.action_move(5)
            assert words.cursor == 99
            words.action_first()
            words.toggle_range()
            words.action_move(3)
            assert [row[0] for row in words.picked()] == [f"{n:06}" for n in range(4)]
            words.action_move(-3)
            assert len(words.picked()) == 1
            assert words.end_range()
            assert not words.end_range()
            await pilot.pause()

    async def test_the_mouse_moves_and_opens(self) -> None:
        """A click puts the cursor there; a double click opens the row."""
        opened: list[object] = []
        async with listed(many(100)) as (words, pilot):
            words.action_open = lambda: opened.append(words.current)  # type: ignore[method-assign]
            await pilot.click(Words, offset=(5, 7))
            assert words.cursor == 7
            await pilot.double_click(Words, offset=(5, 9))
            assert opened == [("000009", 9)]

    async def test_a_filter_keeps_it(self) -> None:
        """Filtering keeps the cursor on its row if that is shown, and gives it back after."""
        async with listed(many(300)) as (words, pilot):
            words.go_to("000123")
            words.set_filter("00012")
            await pilot.pause()
            assert len(words.rows) == 11
            assert words.cursor_key == "000123"
            words.set_filter("")
            await pilot.pause()
            assert len(words.rows) == 300
            assert words.cursor_key == "000123"


class TestPrice:
    async def test_only_what_is_seen_is_drawn(self) -> None:
        """With 100 000 rows a key draws two lines, and a changed row one."""
        async with listed(many(100_000)) as (words, pilot):
            words.go_to("050000")
            words.action_move(-5)
            await pilot.pause()
            words.drawn = 0
            words.action_move(1)
            words.action_move(-1)
            await pilot.pause()
            assert words.drawn <= 8
            words.drawn = 0
            words.update_rows([("049998", 1), ("000007", 1)], [])
            await pilot.pause()
            assert words.drawn <= 2

    async def test_many_changes_draw_what_is_seen_of_them(self) -> None:
        """Ten thousand rows change: the lines of those in sight are drawn, and no others."""
        async with listed(many(100_000)) as (words, pilot):
            words.go_to("050000")
            await pilot.pause()
            top = words.scroll_offset.y
            words.drawn = 0
            words.update_rows([(f"{n:06}", -n) for n in range(0, 100_000, 10)], [])
            await pilot.pause()
            seen = words.size.height
            assert 0 < words.drawn <= seen // 10 + 1
            assert (words.cursor_key, words.scroll_offset.y) == ("050000", top)
            assert words.rows[50_000] == ("050000", -50_000)

    async def test_filtered_rows_that_change_are_drawn(self) -> None:
        """Behind a filter too, a row in sight is drawn when it changed, and a hidden one is not."""
        async with listed(many(100_000)) as (words, pilot):
            words.set_filter("00012")
            await pilot.pause()
            words.drawn = 0
            words.update_rows([("000123", 9), ("050000", 9)], [])
            await pilot.pause()
            assert words.drawn == 1
            assert words.rows.get("000123") == ("000123", 9)
            assert words.rows.get("050000") == ("050000", 9)
            assert words.rows.get("none") is None

    async def test_text_can_be_selected(self) -> None:
        """What the mouse selects is copied as it stands on the screen."""
        async with listed([("alpha", 1), ("beta", 2), ("gamma", 3)]) as (_words, pilot):
            await pilot.mouse_down(Words, offset=(1, 0))
            await pilot.hover(Words, offset=(9, 1))
            await pilot.mouse_up(Words, offset=(9, 1))
            await pilot.pause()
            selected = pilot.app.screen.get_selected_text()
            assert selected is not None
            assert "alpha" in selected
            assert "gamma" not in selected
