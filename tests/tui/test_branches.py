"""Branches and shelves, and repositories in every state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from muse.core.refs import HEADS
from muse.ops.branch import create_branch
from muse.ops.init import init
from muse.ops.switch import switch
from muse_tui.model import Live
from muse_tui.screens.branches import BranchList, BranchScreen
from muse_tui.screens.menu import AskScreen, MenuScreen
from muse_tui.screens.welcome import WelcomeScreen
from tests.tui.conftest import Open, Song, Stage

pytestmark = pytest.mark.tui


async def branches(stage: Stage) -> BranchList:
    """Open the list of branches."""
    await stage.press("b")
    await stage.until(lambda: isinstance(stage.app.screen, BranchScreen), "the branches")
    return stage.app.screen.query_one(BranchList)


async def asked(stage: Stage) -> None:
    """Wait for a question."""
    await stage.until(
        lambda: isinstance(stage.app.screen, AskScreen) and isinstance(stage.app.focused, Input),
        "the question",
    )


class TestBranches:
    async def test_create_switch_rename_delete_and_back(self, song: Song, opened: Open) -> None:
        """Everything that is done with branches can be done and taken back."""
        async with opened(song.root) as stage:
            await branches(stage)
            await stage.press("n")
            await asked(stage)
            await stage.type("topic")
            await stage.press("enter")
            await stage.until(lambda: stage.main.head.branch == "topic")
            song.write("topic.txt", "x\n")
            song.commit("On topic", time_s=120)
            await stage.until(lambda: stage.subjects()[0] == "On topic")
            rows = await branches(stage)
            assert [(row.name, row.current) for row in rows.rows.every()] == [
                ("topic", True),
                ("main", False),
            ]
            await stage.press("j", "enter")
            await stage.until(lambda: stage.main.head.branch == "main")
            assert not (song.root / "topic.txt").exists()
            await branches(stage)
            await stage.press("j", "r")
            await asked(stage)
            await stage.press("backspace")
            await stage.press("enter")
            await stage.until(lambda: song.repo.refs.read(HEADS + "topi"))
            await branches(stage)
            await stage.press("j", "d")
            await asked(stage)
            await stage.type("wrong")
            await stage.press("enter")
            assert isinstance(stage.app.screen, AskScreen)
            for _ in "wrong":
                await stage.press("backspace")
            await stage.type("topi")
            await stage.press("enter")
            await stage.until(lambda: song.repo.refs.read(HEADS + "topi") is None)
            await stage.press("z")
            await stage.until(lambda: song.repo.refs.read(HEADS + "topi") is not None)

    async def test_a_merged_branch_goes_by_one_key(self, song: Song, opened: Open) -> None:
        """What another branch holds needs no typed word, but its own key."""
        create_branch(song.repo, "old")
        async with opened(song.root) as stage:
            await branches(stage)
            await stage.press("j", "d")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("enter")
            assert isinstance(stage.app.screen, MenuScreen)
            await stage.press("x")
            await stage.until(lambda: song.repo.refs.read(HEADS + "old") is None)

    async def test_a_switch_that_would_lose_work_is_refused(self, song: Song, opened: Open) -> None:
        """Files that are stored nowhere stop it; nothing is touched, and the hint is shown."""
        create_branch(song.repo, "old", start="HEAD~1")
        song.write("chorus.txt", "mine, and nowhere else\n")
        async with opened(song.root) as stage:
            await stage.until(stage.tree)
            await branches(stage)
            await stage.press("j", "enter")
            await stage.until(lambda: stage.main.last_failure is not None)
            assert (song.root / "chorus.txt").read_text() == "mine, and nowhere else\n"
            assert stage.main.head.branch == "main"

    async def test_a_branch_can_begin_at_any_commit(self, song: Song, opened: Open) -> None:
        """``B`` in the history makes a branch at the commit under the cursor."""
        async with opened(song.root) as stage:
            await stage.press("3", "j", "B")
            await asked(stage)
            await stage.type("early")
            await stage.press("enter")
            await stage.until(lambda: stage.main.head.branch == "early")
            assert not (song.root / "chorus.txt").exists()


class TestShelves:
    async def test_changes_go_aside_and_come_back(self, song: Song, opened: Open) -> None:
        """Staged, changed and new files leave together and return byte for byte."""
        song.write("chorus.txt", "staged\n")
        song.add("chorus.txt")
        song.write("verse.txt", "changed\n")
        song.write("new/idea.md", "new\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 2 and stage.staged())
            await stage.press("s")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("s")
            await stage.until(lambda: not stage.tree() and not stage.staged())
            assert (song.root / "chorus.txt").read_text() == "la la la\n"
            assert not (song.root / "new").exists()
            await stage.press("s")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("1")
            await stage.until(lambda: len(stage.tree()) == 3)
            assert (song.root / "chorus.txt").read_text() == "staged\n"
            assert (song.root / "verse.txt").read_text() == "changed\n"
            assert (song.root / "new/idea.md").read_text() == "new\n"
            assert not list(song.repo.refs.iter("refs/shelves/"))

    async def test_undo_takes_a_shelf_out(self, song: Song, opened: Open) -> None:
        """``z`` after shelving brings files and stage back at once."""
        song.write("chorus.txt", "staged\n")
        song.add("chorus.txt")
        async with opened(song.root) as stage:
            await stage.until(stage.staged)
            await stage.press("s")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("s")
            await stage.until(lambda: not stage.staged())
            await stage.press("z")
            await stage.until(stage.staged)
            assert (song.root / "chorus.txt").read_text() == "staged\n"
            assert not list(song.repo.refs.iter("refs/shelves/"))


class TestStates:
    async def test_an_empty_repository_tells_the_next_step(
        self, tmp_path: Path, opened: Open
    ) -> None:
        """Without commits and files each pane says what to do."""
        init(tmp_path / "r")
        async with opened(tmp_path / "r") as stage:
            text = "\n".join(stage.line("#history", y) for y in range(4))
            assert "No commits yet." in text
            text = "\n".join(stage.line("#diff", y) for y in range(4))
            assert "Create a file to begin" in text
            (tmp_path / "r" / "a.txt").write_text("x\n")
            await stage.until(stage.tree)
            await stage.press("space")
            await stage.until(stage.staged)
            await stage.press("c")
            await stage.until(lambda: isinstance(stage.app.focused, TextArea))
            await stage.type("First")
            await stage.press("ctrl+s")
            await stage.until(lambda: stage.subjects() == ["First"])

    async def test_outside_of_a_repository(self, tmp_path: Path, opened: Open) -> None:
        """It offers to create one, and then shows it."""
        async with opened(tmp_path, live=False) as stage:
            await stage.until(lambda: isinstance(stage.app.screen, WelcomeScreen))
            await stage.press("y")
            await stage.until(lambda: stage.main.watch_view.live is Live.LIVE)
            assert stage.app.screen is stage.main

    async def test_a_detached_head(self, song: Song, opened: Open) -> None:
        """The header says where HEAD is; a push is refused in words."""
        switch(song.repo, "HEAD~1", detach=True)
        async with opened(song.root) as stage:
            await stage.until(lambda: "detached at" in stage.line("#header"))
            await stage.press("P")
            await stage.until(lambda: any("detached" in text for text in stage.told()))

    async def test_a_damaged_head_is_named(self, song: Song, opened: Open) -> None:
        """Damage makes it read-only, with the problem in words, and nothing raises."""
        (song.root / ".muse" / "HEAD").write_text("rubbish\n")
        async with opened(song.root, live=False) as stage:
            await stage.until(lambda: stage.main.head.damage)
            await stage.until(lambda: stage.main.health_list.health.level == "bad")
            assert "read-only" in stage.line("#header")
            await stage.press("c")
            await stage.until(lambda: any("reading only" in text for text in stage.told()))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
    async def test_a_folder_without_write_permission(self, song: Song, opened: Open) -> None:
        """It is shown; writing is refused with the system's reason."""
        (song.root / ".muse").chmod(0o555)
        async with opened(song.root) as stage:
            assert stage.subjects()[0] == "Add the chorus"
