"""Nothing is lost: discards come back, undo and redo, reconcile, health."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from textual.widgets import TextArea

from muse.core.stage import read_stage
from muse_tui.backend.board import Board
from muse_tui.backend.health import read_facts
from muse_tui.backend.place import Place
from muse_tui.backend.sessions import LastEnd
from muse_tui.model import Fact, Part, WatchView
from muse_tui.screens.menu import MenuScreen
from muse_tui.screens.reader import ReaderScreen, TextList
from tests.conftest import NOBODY, as_nobody
from tests.tui.conftest import Open, Song, Stage

pytestmark = pytest.mark.tui


async def menu(stage: Stage, key: str) -> None:
    """Press a key and wait for its menu."""
    await stage.press(key)
    await stage.until(lambda: isinstance(stage.app.screen, MenuScreen), "the menu")


class TestDiscard:
    async def test_it_wants_its_own_key_and_comes_back(self, song: Song, opened: Open) -> None:
        """Neither Enter nor the same key again discards; ``z`` brings everything back."""
        song.write("verse.txt", "mine\n")
        song.write("idea.md", "untracked\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 2)
            await menu(stage, "d")
            await stage.press("enter", "d")
            assert isinstance(stage.app.screen, MenuScreen)
            await stage.press("escape")
            assert len(stage.tree()) == 2
            await menu(stage, "d")
            await stage.press("x")
            await stage.until(lambda: "idea.md" not in stage.tree())
            assert not (song.root / "idea.md").exists()
            await stage.press("z")
            await stage.until(lambda: "idea.md" in stage.tree())
            assert (song.root / "idea.md").read_text() == "untracked\n"
            await menu(stage, "d")
            await stage.press("a")
            await stage.until(lambda: not stage.tree())
            await stage.press("z")
            await stage.until(lambda: len(stage.tree()) == 2)
            assert (song.root / "verse.txt").read_text() == "mine\n"

    async def test_one_hunk_is_discarded_and_comes_back(self, song: Song, opened: Open) -> None:
        """In the diff the hunk under the cursor goes, the other stays, ``z`` brings it back."""
        text = (song.root / "verse.txt").read_text()
        mine = text.replace("line 3\n", "three\n").replace("line 30\n", "thirty\n")
        song.write("verse.txt", mine)
        async with opened(song.root) as stage:
            await stage.until(lambda: "+three" in stage.diff_text())
            await stage.press("enter")
            await menu(stage, "d")
            await stage.press("h")
            await stage.until(lambda: "+three" not in stage.diff_text())
            now = text.replace("line 30\n", "thirty\n")
            assert (song.root / "verse.txt").read_text() == now
            await stage.press("z")
            await stage.until(lambda: "+three" in stage.diff_text())
            assert (song.root / "verse.txt").read_text() == mine
            await stage.press("Z")
            await stage.until(lambda: (song.root / "verse.txt").read_text() == now)

    async def test_staged_changes_are_discarded_whole(self, song: Song, opened: Open) -> None:
        """In the stage's pane a discard takes the file back to HEAD; ``z`` stages it again."""
        song.write("chorus.txt", "mine\n")
        song.add("chorus.txt")
        async with opened(song.root) as stage:
            await stage.until(stage.staged)
            await stage.press("2")
            await menu(stage, "d")
            await stage.press("x")
            await stage.until(lambda: not stage.staged())
            assert (song.root / "chorus.txt").read_text() == "la la la\n"
            await stage.press("z")
            await stage.until(stage.staged)
            assert (song.root / "chorus.txt").read_text() == "mine\n"


class TestUndo:
    async def test_stage_commit_and_ignore_are_taken_back(self, song: Song, opened: Open) -> None:
        """``z`` steps back through what was done, ``Z`` does it again."""
        song.write("idea.md", "x\n")
        async with opened(song.root) as stage:
            await stage.until(stage.tree)
            await stage.press("space")
            await stage.until(stage.staged)
            await stage.press("z")
            await stage.until(stage.tree)
            assert not read_stage(song.root)
            await stage.press("Z")
            await stage.until(stage.staged)
            await stage.press("c")
            await stage.until(lambda: isinstance(stage.app.focused, TextArea))
            await stage.type("Idea")
            await stage.press("ctrl+s")
            await stage.until(lambda: stage.subjects()[0] == "Idea")
            await stage.until(lambda: not stage.busy())
            await stage.press("z")
            await stage.until(lambda: stage.subjects()[0] == "Add the chorus")
            await stage.until(stage.staged)
            assert (song.root / "idea.md").read_text() == "x\n"

    async def test_an_ignored_file_comes_back(self, song: Song, opened: Open) -> None:
        """``i`` writes the pattern; undo takes it out again."""
        song.write("build/out.log", "x\n")
        async with opened(song.root) as stage:
            await stage.until(stage.tree)
            await menu(stage, "i")
            await stage.press("e")
            await stage.until(lambda: list(stage.tree()) == [".museignore"])
            assert (song.root / ".museignore").read_text() == "*.log\n"
            await stage.press("z")
            await stage.until(lambda: list(stage.tree()) == ["build/out.log"])

    async def test_nothing_to_undo_is_said(self, song: Song, opened: Open) -> None:
        """An empty repository has nothing to take back, and says so without a box."""
        async with opened(song.root) as stage:
            await stage.press("Z")
            await stage.until(stage.told)
            assert stage.app.screen is stage.main


class TestHealth:
    async def test_orphans_are_found_told_and_cleaned(self, song: Song, opened: Open) -> None:
        """A temp that a dead writer left is named with size and reason, and removed on demand."""
        async with opened(song.root) as stage:
            await stage.until(lambda: stage.main.health_list.health.facts)
            orphan = song.root / ".muse" / ".muse-tmp-dead"
            orphan.write_bytes(b"x" * 1000)
            stage.main.engine.tell("health")
            await stage.until(
                lambda: any("Orphan" in f.text for f in stage.main.health_list.health.facts)
            )
            assert stage.main.health_list.health.level == "warn"
            assert "▲" in stage.line("#header")
            await stage.press("4", "x")
            await stage.until(lambda: not orphan.exists())
            await stage.until(
                lambda: any("Removed 1 temp" in f.text for f in stage.main.health_list.health.facts)
            )

    async def test_what_a_killed_writer_left_is_told_at_the_start(
        self, song: Song, opened: Open
    ) -> None:
        """The sweep at opening removes it, and the pane says by whom, when and why."""
        (song.root / ".muse" / ".muse-tmp-dead").write_bytes(b"x")
        async with opened(song.root) as stage:
            await stage.until(
                lambda: any("Removed 1 temp" in f.text for f in stage.main.health_list.health.facts)
            )
            await stage.press("4")
            facts = stage.main.health_list
            index = next(n for n, f in enumerate(facts.rows.every()) if "Removed" in f.text)
            facts.move_to(index)
            await stage.press("enter")
            await stage.until(lambda: isinstance(stage.app.screen, ReaderScreen))
            await stage.pilot.pause()
            text = "\n".join(row[1] for row in stage.app.screen.query_one(TextList).rows.every())
            assert "by muse-tui" in text
            assert ".muse-tmp-dead" in text
            await stage.press("y", "escape")

    async def test_verify_all_is_a_job_with_a_result(self, song: Song, opened: Open) -> None:
        """``V`` reads every object; damage is named with what it touches and the way out."""
        objects = song.root / ".muse" / "objects" / "sha256"
        async with opened(song.root) as stage:
            await stage.press("4", "V")
            await stage.until(lambda: any("All is whole" in text for text in stage.told()))
            await stage.until(
                lambda: any("verified" in f.value for f in stage.main.health_list.health.facts)
            )
            # What the journal still holds would stand in for a damaged file.
            for path in (song.root / ".muse" / "journal").iterdir():
                path.unlink()
            blob = max(objects.glob("*/*"))
            data = bytearray(blob.read_bytes())
            data[len(data) // 2] ^= 1
            blob.chmod(0o644)
            blob.write_bytes(data)
            await stage.press("V")
            await stage.until(lambda: stage.main.health_list.health.level == "bad")
            assert "✖ damaged" in stage.line("#header")

    async def test_the_report_can_be_copied(self, song: Song, opened: Open) -> None:
        """``y`` copies all facts as text."""
        async with opened(song.root) as stage:
            await stage.until(lambda: stage.main.health_list.health.facts)
            await stage.press("4", "y")
            assert "objects" in stage.app.clipboard
            assert "Temps:" in stage.app.clipboard


class TestLockedFolders:
    def test_they_are_a_fact(self) -> None:
        """A folder that may not be listed is named, and is gone from the facts once it may."""
        with tempfile.TemporaryDirectory() as name:
            song = Song(Path(name))
            locked = song.write("locked/x", "x\n").parent
            for path in (song.root, *song.root.rglob("*")):
                if os.geteuid() == 0:
                    os.chown(path, NOBODY, NOBODY)
            locked.chmod(0)
            place = Place(song.repo, None)
            board = Board(place)
            with as_nobody():
                list(board.scan())
                facts = _facts(place, board)
                assert facts["unreadable"].text == "1 folder cannot be listed"
                assert facts["unreadable"].level == "warn"
                assert "\nlocked/" in facts["unreadable"].detail
                locked.chmod(0o755)
                board.refresh(None)
                assert "unreadable" not in _facts(place, board)
                assert set(board.paths(Part.TREE)) == {b"locked/x"}


def _facts(place: Place, board: Board) -> dict[str, Fact]:
    view = read_facts(place, last=LastEnd(), watch=WatchView(), unreadable=board.unreadable)
    return {fact.key: fact for fact in view.facts}


class TestReconcile:
    async def test_it_looks_at_everything(self, song: Song, opened: Open) -> None:
        """``R`` scans all files and says how long it took."""
        async with opened(song.root) as stage:
            await stage.press("R")
            await stage.until(lambda: any("Looked at everything" in t for t in stage.told()))
            assert stage.main.watch_view.reconciles == 1
