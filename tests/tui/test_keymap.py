"""One table of keys: complete, without clashes, and remappable with a report."""

from __future__ import annotations

import itertools

import pytest
from textual.widgets import Input

from muse_tui import keymap
from muse_tui.app import MuseApp
from muse_tui.screens.main import MainScreen
from muse_tui.widgets.diff_pane import DiffList
from muse_tui.widgets.lists import CommitFilesList, CommitList, HealthList, StagedList, TreeList
from tests.tui.conftest import Open, Song

pytestmark = pytest.mark.tui

PANES = {
    "tree": TreeList,
    "staged": StagedList,
    "history": CommitList,
    "files": CommitFilesList,
    "health": HealthList,
    "diff": DiffList,
}


class TestTable:
    @pytest.mark.parametrize("pane", PANES)
    def test_no_key_means_two_things(self, pane: str) -> None:
        """In each pane every key has one meaning."""
        keys = keymap.for_context(pane)
        for one, other in itertools.combinations(keys, 2):
            both = set(one.keys.split(",")) & set(other.keys.split(","))
            own = one.context == pane != other.context
            assert not both or own, (pane, one.id, other.id, both)

    @pytest.mark.parametrize("pane", PANES)
    def test_every_action_exists(self, pane: str) -> None:
        """Each key of each pane runs a method that is there."""
        for key in keymap.for_context(pane):
            name = key.action.partition("(")[0]
            owner: type = PANES[pane]
            if name.startswith("screen."):
                owner, name = MainScreen, name.removeprefix("screen.")
            assert hasattr(owner, f"action_{name}"), key

    def test_the_readme_table_has_every_key(self) -> None:
        """What is generated for the README names each key once."""
        table = keymap.as_markdown()
        assert table.count("\n") >= len({key.id for key in keymap.TABLE})
        assert "`space`" in table
        assert "`?`" in table


class TestRemap:
    def test_a_clash_is_reported_and_the_key_keeps_its_meaning(self) -> None:
        """Of two ids for one key the one that was not moved keeps it."""
        usable, problems = keymap.check({"push": "c", "undo": "u", "nonsense": "x"})
        assert usable == {"undo": "u"}
        assert [problem.id for problem in problems] == ["nonsense", "push"]
        assert "'c' for 'push' is taken by 'commit'" in problems[1].text

    def test_keys_of_different_panes_do_not_clash(self) -> None:
        """Verify and range may share a key, because their panes differ."""
        usable, problems = keymap.check({"verify-one": "space"})
        assert usable == {"verify-one": "space"}
        assert not problems

    async def test_the_settings_move_a_key(self, song: Song, opened: Open) -> None:
        """``[ui.keys]`` gives an action another key, in the footer as well."""
        config = song.root / ".muse" / "config.toml"
        config.write_text('[ui.keys]\nstage = "ctrl+t"\npush = "c"\n')
        song.write("idea.md", "x\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: "idea.md" in stage.tree())
            assert any("is taken by 'commit'" in text for text in stage.told())
            await stage.press("space")
            assert not stage.staged()
            await stage.press("ctrl+t")
            await stage.until(lambda: "idea.md" in stage.staged())
            assert "ctrl+t stage" in stage.line("#footer")


class TestFinding:
    async def test_help_filters_and_runs(self, song: Song, opened: Open) -> None:
        """``?`` lists the keys; a word finds one and Enter runs it."""
        async with opened(song.root) as stage:
            await stage.press("question_mark")
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            await stage.type("reconcile")
            await stage.press("enter")
            await stage.until(lambda: any("Looked at everything" in t for t in stage.told()))

    async def test_the_palette_finds_commands(self, song: Song, opened: Open) -> None:
        """``:`` finds a command by a part of its name."""
        async with opened(song.root) as stage:
            await stage.press("colon")
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            await stage.type("theme")
            await stage.press("enter")
            await stage.until(lambda: any("Theme muse-light" in t for t in stage.told()))
            assert isinstance(stage.app, MuseApp)
            assert stage.app.theme == "muse-light"
