"""Every key of the keymap is pressed where it works, and does what it says.

`TRIED` names for each key of each place the test that presses it; a key without one fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from muse_tui import keymap
from muse_tui.screens.branches import BranchScreen
from muse_tui.screens.commit_box import CommitScreen
from muse_tui.screens.help import HelpScreen
from muse_tui.screens.menu import AskScreen, MenuScreen
from muse_tui.screens.palette import PaletteScreen
from muse_tui.screens.reader import ReaderScreen
from tests.tui.conftest import Open, Song, Stage

pytestmark = pytest.mark.tui

# Place → keys that a test of this module presses there; what it does stands in that test.
TRIED: dict[str, frozenset[str]] = {
    "tree": frozenset({"stage", "stage-all", "open", "discard", "edit", "ignore", "range"}),
    "staged": frozenset({"stage", "stage-all", "open", "discard", "edit", "range"}),
    "history": frozenset({"range", "open", "branch-here"}),
    "files": frozenset({"open"}),
    "diff": frozenset({
        "stage", "range", "next-hunk", "previous-hunk", "discard", "edit", "scroll-right",
        "scroll-left", "split",
    }),
    "health": frozenset({"verify-one", "verify-all", "clean", "open"}),
    "list": frozenset({
        "down", "up", "page-down", "page-up", "first", "last", "extend-down", "extend-up",
    }),
    "global": frozenset({
        "commit", "commit-editor", "amend", "push", "pull", "fetch", "cancel-job", "undo", "redo",
        "branches", "shelve", "copy", "filter", "next-hit", "previous-hit", "escape",
        "context-more", "context-less", "enlarge", "shrink", "diff-down", "diff-up", "pane-tree",
        "pane-staged", "pane-history", "pane-health", "pane-diff", "next-pane", "previous-pane",
        "reconcile", "log", "palette", "theme", "screenshot", "help", "quit",
    }),
}  # fmt: skip


def test_every_key_is_tried() -> None:
    """A new key needs a test here."""
    for place in {key.context for key in keymap.TABLE}:
        known = {key.id for key in keymap.TABLE if key.context == place}
        assert known == TRIED[place], place


@pytest.fixture
def busy(song: Song, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Song:
    """A song with changes, some of them staged, and an editor that notes what it was given."""
    text = (song.root / "verse.txt").read_text()
    song.write("verse.txt", text.replace("line 3\n", "three\n").replace("line 30\n", "thirty\n"))
    song.write("chorus.txt", "lo " * 80 + "\n")
    song.write("src/auth.py", "staged\n")
    song.add("src/auth.py")
    song.write("zz.md", "new\n")
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/edited\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", os.fspath(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    return song


async def shows(stage: Stage, screen: type, key: str) -> None:
    """Press a key, see its box, and leave it."""
    await stage.press(key)
    await stage.until(lambda: isinstance(stage.app.screen, screen), f"{screen} by {key}")
    await stage.press("escape")
    await stage.until(lambda: stage.app.screen is stage.main)


class TestFiles:
    async def test_the_keys_of_the_working_tree(self, busy: Song, opened: Open) -> None:
        """Range, stage, all, hunks, discard, edit and ignore, on the tree's rows."""
        async with opened(busy.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 3)
            await stage.press("v", "j")
            assert len(stage.main.tree_list.picked()) == 2
            await stage.press("space")
            await stage.until(lambda: len(stage.staged()) == 3)
            await stage.press("z")
            await stage.until(lambda: len(stage.tree()) == 3)
            await shows(stage, MenuScreen, "d")
            await shows(stage, MenuScreen, "i")
            await stage.press("a")
            await stage.until(lambda: not stage.tree())
            await stage.press("z")
            await stage.until(lambda: len(stage.tree()) == 3)
            await stage.press("enter")
            assert stage.app.focused is stage.main.diff
            # Without a terminal that could be given to it, the editor is refused in words.
            await stage.press("1", "e")
            await stage.until(lambda: any("given to an editor" in t for t in stage.told()))

    async def test_the_keys_of_the_stage(self, busy: Song, opened: Open) -> None:
        """The same keys unstage here."""
        async with opened(busy.root) as stage:
            await stage.until(lambda: len(stage.staged()) == 1)
            await stage.press("2", "v", "space")
            await stage.until(lambda: not stage.staged())
            await stage.press("z")
            await stage.until(lambda: len(stage.staged()) == 1)
            await shows(stage, MenuScreen, "d")
            await stage.press("a")
            await stage.until(lambda: not stage.staged())
            await stage.press("z")
            await stage.until(lambda: len(stage.staged()) == 1)
            await stage.press("enter")
            assert stage.app.focused is stage.main.diff
            assert "+staged" in stage.diff_text()
            await stage.press("2", "e")
            await stage.until(lambda: any("given to an editor" in t for t in stage.told()))


class TestDiff:
    async def test_the_keys_of_the_diff(self, busy: Song, opened: Open) -> None:
        """Hunks are walked, lines picked, text scrolled, sides changed, changes discarded."""
        async with opened(busy.root) as stage:
            await stage.until(lambda: "verse.txt" in stage.tree())
            await stage.press("j")
            await stage.until(lambda: "+three" in stage.diff_text())
            diff = stage.main.diff
            await stage.press("enter")
            assert diff.hunk == 0
            await stage.press("right_square_bracket")
            assert diff.hunk == 1
            await stage.press("left_square_bracket")
            assert diff.hunk == 0
            await stage.press("L")
            assert diff.x == 8
            await stage.press("H")
            assert diff.x == 0
            for key, split in (("vertical_line", True), ("w", False)):
                await stage.press(key)
                assert diff.split is split
            await shows(stage, MenuScreen, "d")
            await stage.press("v")
            assert diff.anchor_key is not None
            await stage.press("v", "space")
            await stage.until(lambda: "verse.txt" in stage.staged())
            await stage.press("e")
            await stage.until(lambda: any("given to an editor" in t for t in stage.told()))


class TestHistory:
    async def test_the_keys_of_history_and_files(self, busy: Song, opened: Open) -> None:
        """Range, branch here, into the files of a commit, into the diff of a file, and back."""
        async with opened(busy.root) as stage:
            await stage.press("3", "v", "j")
            assert len(stage.main.history.picked()) == 2
            await stage.press("y")
            assert stage.app.clipboard.count("\n") == 1
            await stage.press("escape", "k")
            await shows(stage, AskScreen, "B")
            await stage.press("enter")
            await stage.until(lambda: stage.main.showing_files)
            await stage.press("enter")
            await stage.until(lambda: stage.app.focused is stage.main.diff)
            assert "+la la la" in stage.diff_text()
            await stage.press("escape", "escape")
            assert not stage.main.showing_files
            assert stage.app.focused is stage.main.history


class TestHealth:
    async def test_the_keys_of_health(self, busy: Song, opened: Open) -> None:
        """Verify one, verify all, clean, and everything about a row."""
        async with opened(busy.root) as stage:
            await stage.until(lambda: stage.main.health_list.health.facts)
            await stage.press("4", "v")
            await stage.until(lambda: any("HEAD is whole" in text for text in stage.told()))
            await stage.press("V")
            await stage.until(lambda: any("All is whole" in text for text in stage.told()))
            await stage.press("x")
            await stage.until(lambda: any("nothing to remove" in text for text in stage.told()))
            await shows(stage, ReaderScreen, "enter")


class TestMoving:
    async def test_the_keys_that_move(self, busy: Song, opened: Open) -> None:
        """Each of them moves the cursor where it says."""
        for number in range(60):
            busy.write(f"many/{number:02}.txt", "x\n")
        async with opened(busy.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 63)
            rows = stage.main.tree_list
            for keys, where in (
                ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("end", 62), ("home", 0),
                ("greater_than_sign", 62), ("less_than_sign", 0),
            ):  # fmt: skip
                await stage.press(keys)
                assert rows.cursor == where, keys
            await stage.press("pagedown")
            page = rows.cursor
            assert page == rows.size.height - 2
            await stage.press("pageup")
            assert rows.cursor == 0
            await stage.press("shift+down", "shift+down")
            assert rows.picked_range() == (0, 2)
            await stage.press("shift+up")
            assert rows.picked_range() == (0, 1)
            await stage.press("escape")
            assert rows.picked_range() == (1, 1)

    async def test_the_keys_that_choose_panes(self, busy: Song, opened: Open) -> None:
        """Numbers choose a pane, the others go around."""
        async with opened(busy.root) as stage:
            for key, pane in (
                ("2", "staged"), ("3", "history"), ("4", "health"), ("0", "diff"), ("1", "tree"),
                ("tab", "staged"), ("l", "history"), ("right", "health"), ("shift+tab", "history"),
                ("h", "staged"), ("left", "tree"), ("h", "diff"), ("l", "tree"),
            ):  # fmt: skip
                await stage.press(key)
                assert stage.main.active == pane, key
                assert stage.app.focused is not None
                assert stage.app.focused.id == pane


class TestEverywhere:
    async def test_the_keys_that_open_a_box(self, busy: Song, opened: Open) -> None:
        """Each opens its own, and Escape leaves everything as it was."""
        async with opened(busy.root) as stage:
            await stage.until(stage.staged)
            for key, screen in (
                ("c", CommitScreen), ("A", CommitScreen), ("b", BranchScreen), ("s", MenuScreen),
                ("P", AskScreen), ("p", AskScreen), ("f", AskScreen), ("at", ReaderScreen),
                ("colon", PaletteScreen), ("ctrl+p", PaletteScreen), ("question_mark", HelpScreen),
            ):  # fmt: skip
                await shows(stage, screen, key)
            assert not stage.busy()
            assert stage.subjects()[0] == "Add the chorus"

    async def test_filter_and_hits(self, busy: Song, opened: Open) -> None:
        """`/` narrows the list as one types, `n` and `N` walk, Escape shows all again."""
        async with opened(busy.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 3)
            await stage.press("slash")
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            await stage.type("txt")
            await stage.press("enter")
            rows = stage.main.tree_list
            assert len(rows.rows) == 2
            assert "2 of 3" in stage.line("#pane-tree TitleBar")
            await stage.press("n")
            assert rows.cursor == 1
            await stage.press("N")
            assert rows.cursor == 0
            await stage.press("escape")
            assert len(rows.rows) == 3
            await stage.press("slash")
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            await stage.type("nowhere")
            await stage.press("enter")
            assert "No changed file" in "\n".join(stage.line("TreeList", y) for y in range(4))

    async def test_a_search_walks_the_diff(self, busy: Song, opened: Open) -> None:
        """`/` in the diff marks a text and goes to it; `n`, `N` walk around; Escape forgets it."""
        async with opened(busy.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 3)
            await stage.press("j")
            await stage.until(lambda: "+three" in stage.diff_text())
            await stage.press("0", "slash")
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            await stage.type("THIRTY")
            await stage.press("enter")
            diff = stage.main.diff
            assert stage.app.focused is diff
            row = diff.current
            assert row is not None
            assert row.left is not None
            assert row.left.text == "thirty"
            styles = [s.style for s in diff.render_line(diff.cursor) if "thirty" in s.text]
            assert styles
            assert all(style is not None and style.underline for style in styles)
            await stage.press("slash")
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            await stage.press("ctrl+u")
            await stage.type("thr")
            await stage.press("enter")
            first = diff.cursor
            await stage.press("n")
            assert diff.cursor == first  # the only one: all the way around
            await stage.press("N")
            assert diff.cursor == first
            await stage.press("escape")
            assert not diff.needle
            assert stage.app.focused is diff

    async def test_the_keys_of_the_view(
        self, busy: Song, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Context, zoom, scrolling the diff, theme, picture, copying."""
        async with opened(busy.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 3)
            await stage.press("j")
            await stage.until(lambda: "+three" in stage.diff_text())
            few = len(stage.diff_text())
            await stage.press("right_curly_bracket")
            await stage.until(lambda: len(stage.diff_text()) > few)
            await stage.press("left_curly_bracket")
            await stage.until(lambda: len(stage.diff_text()) == few)
            await stage.press("plus")
            assert stage.main.has_class("-zoom1")
            await stage.press("equals_sign")
            assert stage.main.has_class("-zoom2")
            await stage.press("minus", "underscore")
            assert not stage.main.has_class("-zoom1")
            assert not stage.main.has_class("-zoom2")
            await stage.pilot.resize_terminal(120, 16)
            await stage.press("J")
            assert stage.main.diff.scroll_offset.y == 3
            await stage.press("K", "ctrl+d", "ctrl+u")
            assert stage.main.diff.scroll_offset.y == 0
            await stage.pilot.resize_terminal(120, 40)
            await stage.press("y")
            assert stage.app.clipboard == "verse.txt"
            theme = stage.app.theme
            await stage.press("T")
            assert stage.app.theme != theme
            await stage.press("f8")
            await stage.until(lambda: list(busy.root.glob("muse-*.svg")))

    async def test_jobs_undo_and_leaving(self, busy: Song, opened: Open) -> None:
        """Reconcile, undo and redo, the editor's commit, no job to cancel, and quit."""
        async with opened(busy.root) as stage:
            await stage.until(stage.staged)
            await stage.press("R")
            await stage.until(lambda: any("Looked at everything" in t for t in stage.told()))
            await stage.press("X")
            await stage.until(lambda: any("No job is running" in t for t in stage.told()))
            await stage.press("C")
            await stage.until(lambda: any("given to an editor" in t for t in stage.told()))
            await stage.press("a")
            await stage.until(lambda: not stage.tree())
            await stage.press("z")
            await stage.until(stage.tree)
            await stage.press("Z")
            await stage.until(lambda: not stage.tree())
            assert not isinstance(stage.app.focused, TextArea)
            await stage.press("q")
            assert stage.app.return_code in {None, 0}
            await stage.until(lambda: not stage.app.is_running or stage.app._exit)
