"""Every size and every name: nothing raises, nothing reaches the terminal raw."""

from __future__ import annotations

import os

import pytest
from rich.cells import cell_len

from muse_tui.widgets.lists import FileList
from tests.tui.conftest import Open, Song, Stage

pytestmark = pytest.mark.tui

SIZES = (
    *((1, 1), (2, 1), (1, 2), (3, 3), (8, 5), (12, 12), (39, 9), (40, 10), (41, 11)),
    *((60, 20), (83, 24), (84, 24), (119, 29), (400, 120), (7, 90), (300, 3), (80, 24)),
)

ODD_NAMES = (
    b"plain.txt",
    b"with space and [brackets] [bold]x[bold].txt",
    b"control\x1b[2J\x07bell.txt",
    b"new\nline.txt",
    b"tab\tname.txt",
    b"not-utf8-\xff\xfe.txt",
    "wide-漢字かな交じり文-🎵🎶.txt".encode(),
    "combining-e\u0301\u0302.txt".encode(),
    "right-to-left-\u202e\u05d0\u05d1.txt".encode(),
    b"-dash.txt",
    b"x" * 200 + b".txt",
    "漢".encode() * 60 + b".txt",
)


def widths(stage: Stage) -> None:
    """Every drawn line is exactly as wide as its widget."""
    for pane in stage.app.screen.query("FileList, CommitList, HealthList, DiffList, TitleBar"):
        if not pane.display or not pane.size.height:
            continue
        for y in range(pane.size.height):
            strip = pane.render_line(y)
            assert strip.cell_length == pane.size.width, (pane, y, strip.text)
            assert cell_len(strip.text) == pane.size.width
            assert strip.text.isprintable(), strip.text


class TestSizes:
    async def test_no_size_raises(self, song: Song, opened: Open) -> None:
        """From 1×1 to 400×120, with boxes open or not, every line fits its pane."""
        song.write("verse.txt", "changed\n")
        async with opened(song.root) as stage:
            await stage.until(stage.diff_text)
            for keys in ((), ("3", "enter"), ("0", "plus", "plus")):
                await stage.press(*keys)
                for columns, rows in SIZES:
                    await stage.pilot.resize_terminal(columns, rows)
                    await stage.pilot.pause()
                    widths(stage)

    async def test_boxes_stand_any_size(self, song: Song, opened: Open) -> None:
        """A box that is open survives the smallest terminal and comes back."""
        song.write("verse.txt", "changed\n")
        async with opened(song.root) as stage:
            await stage.until(stage.diff_text)
            for key in ("question_mark", "c", "d", "b", "at", "slash"):
                await stage.press(key)
                if key != "slash":
                    await stage.until(lambda: stage.app.screen is not stage.main)
                for columns, rows in ((1, 1), (10, 4), (80, 24)):
                    await stage.pilot.resize_terminal(columns, rows)
                    await stage.pilot.pause()
                await stage.press("escape")

    async def test_too_small_says_so(self, song: Song, opened: Open) -> None:
        """Below 40×10 there is one sentence instead of the panes."""
        async with opened(song.root, size=(30, 8)) as stage:
            assert stage.app.screen.query_one("#too-small").display
            assert not stage.app.screen.query_one("#body").display

    async def test_narrow_shows_one_pane_and_its_tabs(self, song: Song, opened: Open) -> None:
        """At 60×20 a key changes the pane that is seen, and Enter goes to the diff."""
        song.write("verse.txt", "changed\n")
        async with opened(song.root, size=(60, 20)) as stage:
            await stage.until(stage.diff_text)
            shown = [pane.id for pane in stage.app.screen.query("Pane") if pane.region.area]
            assert shown == ["pane-tree"]
            assert "▸1 Tree 1" in stage.line("#tabs")
            await stage.press("enter")
            shown = [pane.id for pane in stage.app.screen.query("Pane") if pane.region.area]
            assert shown == ["pane-diff"]
            await stage.press("3")
            assert "▸3 History" in stage.line("#tabs")


class TestNames:
    async def test_odd_names_are_drawn_safely(self, song: Song, opened: Open) -> None:
        """Control characters are visible, wide ones fit, and each file can be staged."""
        for name in ODD_NAMES:
            (song.root / os.fsdecode(name)).write_bytes(b"x\n")
        async with opened(song.root, size=(100, 40)) as stage:
            await stage.until(lambda: len(stage.tree()) == len(ODD_NAMES))
            widths(stage)
            for columns in (40, 60, 97):
                await stage.pilot.resize_terminal(columns, 30)
                await stage.pilot.pause()
                widths(stage)
            assert any("control\\x1b[2J\\x07bell" in name for name in stage.tree())
            await stage.press("a")
            await stage.until(lambda: len(stage.staged()) == len(ODD_NAMES))
            assert {row.path for row in stage.staged().values()} == set(ODD_NAMES)

    async def test_hostile_content_is_drawn_safely(self, song: Song, opened: Open) -> None:
        """Escape sequences in a file or a message never leave the screen as such."""
        song.write("chorus.txt", "a\x1b[31mred\x9b\x07\ttab\r\n漢字\n")
        song.commit("Mess \x1b]0;owned\x07 age")
        song.write("chorus.txt", "b\x1b[31mred\x9b\x07\ttab\r\n漢字漢字\n" + "w" * 5000 + "\n")
        async with opened(song.root) as stage:
            await stage.until(stage.diff_text)
            widths(stage)
            await stage.press("vertical_line")
            await stage.press("0", "vertical_line")
            widths(stage)
            await stage.press("L", "L", "L")
            widths(stage)
            await stage.press("3")
            await stage.pilot.pause(0.2)
            widths(stage)


class TestColours:
    @pytest.mark.parametrize("theme", ["muse-dark", "muse-light", "muse-ansi", "nord"])
    async def test_every_theme_draws(self, song: Song, opened: Open, theme: str) -> None:
        """Ours, the terminal's colours, and themes that we did not write."""
        song.write("verse.txt", "changed\n")
        async with opened(song.root) as stage:
            await stage.until(stage.diff_text)
            stage.app.theme = theme
            await stage.pilot.pause()
            widths(stage)

    async def test_no_colour_still_tells_everything(
        self, song: Song, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With NO_COLOR the cursor, the marks and the focus are signs."""
        monkeypatch.setenv("NO_COLOR", "1")
        song.write("verse.txt", "changed\n")
        async with opened(song.root) as stage:
            await stage.until(stage.diff_text)
            line = stage.line("TreeList")
            assert line.startswith("│▌M  verse.txt")
            assert isinstance(stage.app.focused, FileList)
            svg = stage.app.export_screenshot()
            assert "verse.txt" in svg
