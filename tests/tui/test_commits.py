"""Commits: the box, its draft, amending, and the job that does it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from textual.widgets import TextArea

from muse_tui.backend import drafts
from muse_tui.job_files import read_jobs
from muse_tui.model import Draft
from muse_tui.screens.commit_box import CommitScreen, SubjectGauge
from muse_tui.screens.menu import MenuScreen
from muse_tui.widgets.diff_pane import DiffList
from muse_tui.widgets.lists import CommitFilesList
from tests.tui.conftest import Open, Song, Stage

pytestmark = pytest.mark.tui


async def in_box(stage: Stage) -> CommitScreen:
    """Wait for the commit box."""
    await stage.until(
        lambda: (
            isinstance(stage.app.screen, CommitScreen) and isinstance(stage.app.focused, TextArea)
        ),
        "the commit box",
    )
    box = stage.app.screen
    assert isinstance(box, CommitScreen)
    return box


class TestCommit:
    async def test_a_message_commits_what_is_staged(self, song: Song, opened: Open) -> None:
        """``c``, a message, ``ctrl+s``: one commit of the stage, by a job; the draft is gone."""
        song.write("idea.md", "x\n")
        song.write("other.md", "y\n")
        song.add("idea.md")
        async with opened(song.root) as stage:
            await stage.until(lambda: stage.staged() and stage.tree())
            await stage.press("c")
            box = await in_box(stage)
            await stage.until(lambda: box.query_one(DiffList).doc is not None)
            await stage.type("Add an idea")
            assert drafts.read_draft(song.root).text == "Add an idea"
            await stage.press("ctrl+s")
            await stage.until(lambda: stage.subjects()[:1] == ["Add an idea"])
            await stage.until(lambda: any("Committed" in text for text in stage.told()))
            assert not stage.staged()
            assert "other.md" in stage.tree()
            assert not drafts.read_draft(song.root).text
            jobs = read_jobs(song.root)
            assert [(job.kind, job.state) for job in jobs] == [("commit", "done")]

    async def test_with_nothing_staged_it_offers_everything(self, song: Song, opened: Open) -> None:
        """It names what would be staged, and stages it only when told to."""
        song.write("idea.md", "x\n")
        async with opened(song.root) as stage:
            await stage.until(stage.tree)
            await stage.press("c")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("escape")
            assert not stage.staged()
            await stage.press("c")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("a")
            await in_box(stage)
            assert "idea.md" in stage.staged()

    async def test_with_nothing_changed_it_says_so(self, song: Song, opened: Open) -> None:
        """There is no box for an empty commit."""
        async with opened(song.root) as stage:
            await stage.press("c")
            await stage.until(lambda: any("nothing to commit" in text for text in stage.told()))
            assert stage.app.screen is stage.main

    async def test_amend_rewords_and_takes_the_stage(self, song: Song, opened: Open) -> None:
        """``A`` opens the box with the last message; the commit is replaced."""
        song.write("idea.md", "x\n")
        song.add("idea.md")
        async with opened(song.root) as stage:
            await stage.until(stage.staged)
            await stage.press("A")
            box = await in_box(stage)
            assert box.query_one(TextArea).text == "Add the chorus"
            await stage.type(" and an idea")
            await stage.press("ctrl+s")
            await stage.until(lambda: stage.subjects() == ["Add the chorus and an idea", "Start"])
            assert not stage.staged()

    async def test_an_editor_can_write_it(
        self, song: Song, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a terminal to give away, ``C`` says so and keeps the draft."""
        monkeypatch.setenv("EDITOR", "true")
        song.write("idea.md", "x\n")
        song.add("idea.md")
        async with opened(song.root) as stage:
            await stage.until(stage.staged)
            await stage.press("C")
            await stage.until(lambda: any("cannot be given" in text for text in stage.told()))


class TestDraft:
    async def test_every_key_is_on_disk(self, song: Song, opened: Open) -> None:
        """After each key the file holds the text, and closing the box keeps it."""
        song.write("idea.md", "x\n")
        song.add("idea.md")
        async with opened(song.root) as stage:
            await stage.until(stage.staged)
            await stage.press("c")
            await in_box(stage)
            typed = ""
            for key in ("a", "b", "space", "ü"):
                await stage.press(key)
                typed += " " if key == "space" else key
                assert drafts.draft_path(song.root).read_text("utf-8") == typed
            await stage.press("escape")
            assert drafts.read_draft(song.root).text == typed
            await stage.press("c")
            box = await in_box(stage)
            assert box.query_one(TextArea).text == typed

    async def test_a_draft_that_cannot_be_saved_is_told(
        self, song: Song, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The box says at once that the text is not on disk."""

        def refuse(root: Path, draft: object, *, durable: bool = False) -> None:
            raise OSError(28, "No space left on device")

        song.write("idea.md", "x\n")
        song.add("idea.md")
        async with opened(song.root) as stage:
            await stage.until(stage.staged)
            await stage.press("c")
            box = await in_box(stage)
            monkeypatch.setattr(drafts, "save_draft", refuse)
            await stage.press("a")
            gauge = box.query_one(SubjectGauge)
            assert "draft NOT saved: No space left on device" in gauge.render_line(0).text

    def test_it_is_a_plain_private_file(self, song: Song) -> None:
        """A person can read it; what it is for stands in its first line."""
        drafts.save_draft(song.root, Draft("text\n", amend=True))
        path = drafts.draft_path(song.root)
        assert path.read_text() == "# amend\ntext\n"
        assert drafts.read_draft(song.root)[:2] == ("text\n", True)
        assert stat.S_ISREG(os.lstat(path).st_mode)
        drafts.forget_draft(song.root)
        drafts.forget_draft(song.root)
        assert drafts.read_draft(song.root).text == ""

    async def test_the_gauge_counts(self, song: Song, opened: Open) -> None:
        """A long subject is told in words and numbers."""
        song.write("idea.md", "x\n")
        song.add("idea.md")
        async with opened(song.root) as stage:
            await stage.until(stage.staged)
            drafts.save_draft(song.root, Draft("x" * 60))
            await stage.press("c")
            box = await in_box(stage)
            assert "60/50 – long" in box.query_one(SubjectGauge).render_line(0).text
            await stage.press("alt+up")
            assert box.query_one(TextArea).text == "Add the chorus"
            await stage.press("alt+up", "alt+up", "alt+down", "alt+down")
            assert box.query_one(TextArea).text == "x" * 60


class TestHistory:
    async def test_a_commit_opens_into_files_and_diffs(self, song: Song, opened: Open) -> None:
        """Enter goes from the commit to its files, and from a file to its diff; escape back."""
        async with opened(song.root) as stage:
            await stage.press("3")
            await stage.until(lambda: any("chorus.txt" in line for line in stage.diff_text()))
            await stage.press("j")
            await stage.until(lambda: any("src/auth.py" in line for line in stage.diff_text()))
            await stage.press("enter")
            await stage.until(lambda: stage.main.showing_files)
            files = stage.app.screen.query_one(CommitFilesList)
            assert [row.shown for row in files.rows.every()] == ["src/auth.py", "verse.txt"]
            await stage.press("j")
            await stage.until(
                lambda: stage.main.diff.doc is not None and stage.main.diff.doc.title == "verse.txt"
            )
            await stage.press("enter")
            assert stage.main.diff.has_focus
            await stage.press("escape", "escape")
            assert not stage.main.showing_files
            assert stage.main.history.has_focus

    async def test_the_graph_and_names_are_drawn(self, song: Song, opened: Open) -> None:
        """HEAD, branches and ages stand beside the commits."""
        async with opened(song.root) as stage:
            line = stage.line("#history", 0)
            assert "◉" in line
            assert "main" in line
            assert "Add the chorus" in line
            assert "○" in stage.line("#history", 1)
