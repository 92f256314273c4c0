"""Working tree and stage: what keys do, on a real repository and its engine."""

from __future__ import annotations

import pytest

from muse.core.stage import read_stage
from muse_tui.model import Live, Source
from tests.tui.conftest import Open, Song

pytestmark = pytest.mark.tui


class TestStaging:
    async def test_space_stages_and_unstages(self, song: Song, opened: Open) -> None:
        """Space moves the file under the cursor to the stage, and back."""
        song.write("verse.txt", "other\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: "verse.txt" in stage.tree())
            await stage.press("space")
            await stage.until(lambda: "verse.txt" in stage.staged())
            assert not stage.tree()
            assert b"verse.txt" in read_stage(song.root)
            await stage.press("2", "space")
            await stage.until(lambda: "verse.txt" in stage.tree())
            assert not read_stage(song.root)

    async def test_a_stages_all_and_a_range_some(self, song: Song, opened: Open) -> None:
        """A range of rows is staged by one key, and everything by another."""
        for name in "abcd":
            song.write(f"{name}.txt", name)
        async with opened(song.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 4)
            await stage.press("j", "v", "j", "space")
            await stage.until(lambda: set(stage.staged()) == {"b.txt", "c.txt"})
            await stage.press("a")
            await stage.until(lambda: len(stage.staged()) == 4)
            await stage.press("2", "a")
            await stage.until(lambda: len(stage.tree()) == 4 and not stage.staged())

    async def test_counts_follow_the_rows(self, song: Song, opened: Open) -> None:
        """Added and removed lines stand beside each file, and change with it."""
        song.write("chorus.txt", "la la la\nla\nla\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: stage.tree()["chorus.txt"].added == 2)
            song.write("chorus.txt", "lo\n")
            await stage.until(lambda: stage.tree()["chorus.txt"][3:5] == (1, 1))

    async def test_a_deleted_file_is_staged_as_removed(self, song: Song, opened: Open) -> None:
        """Staging a file that is gone stages its removal."""
        (song.root / "chorus.txt").unlink()
        async with opened(song.root) as stage:
            await stage.until(lambda: stage.tree()["chorus.txt"].mark == "D")
            await stage.press("space")
            await stage.until(lambda: stage.staged().get("chorus.txt") is not None)
            assert stage.staged()["chorus.txt"].mark == "D"


class TestHunks:
    async def test_space_in_the_diff_stages_one_hunk(self, song: Song, opened: Open) -> None:
        """Of two hunks the one under the cursor is staged, the other stays."""
        text = "".join(f"line {n}\n" for n in range(1, 41))
        song.write("verse.txt", text.replace("line 3\n", "three\n").replace("line 30\n", "30\n"))
        async with opened(song.root) as stage:
            await stage.until(lambda: stage.main.diff.doc is not None)
            await stage.press("enter", "right_square_bracket", "space")
            await stage.until(lambda: "verse.txt" in stage.staged())
            await stage.until(lambda: "+30" not in stage.diff_text())
            assert "+three" in stage.diff_text()
            repo = song.repo
            entry = read_stage(song.root)[b"verse.txt"]
            assert entry is not None
            data = repo.objects.read(entry[1])[1].decode()
            assert data == text.replace("line 30\n", "30\n")

    async def test_lines_of_a_range_are_staged_and_unstaged(self, song: Song, opened: Open) -> None:
        """Single lines go to the stage and come back, byte for byte."""
        song.write("chorus.txt", "la la la\none\ntwo\nthree\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: "+one" in stage.diff_text())
            await stage.press("enter", "j", "v", "space")
            await stage.until(lambda: "chorus.txt" in stage.staged())
            entry = read_stage(song.root)[b"chorus.txt"]
            assert entry is not None
            assert song.repo.objects.read(entry[1])[1] == b"la la la\ntwo\n"
            await stage.press("2", "enter")
            await stage.until(
                lambda: (
                    stage.main.diff.key is not None and stage.main.diff.key.source is Source.STAGED
                )
            )
            await stage.press("space")
            await stage.until(lambda: not stage.staged())
            assert not read_stage(song.root)

    async def test_a_diff_that_is_out_of_date_is_refused(self, song: Song, opened: Open) -> None:
        """Lines are never picked from a file that has changed since it was drawn."""
        song.write("chorus.txt", "la\nlo\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: "+lo" in stage.diff_text())
            doc = stage.main.diff.doc
            assert doc is not None
            song.write("chorus.txt", "something else\n")
            stage.main.request("pick", key=doc.key, token=doc.token, lines={0: {1}})
            await stage.until(lambda: any("changed in the meantime" in t for t in stage.told()))
            assert not read_stage(song.root)


class TestLive:
    async def test_a_saved_file_appears_by_itself(self, song: Song, opened: Open) -> None:
        """Files written, changed and removed outside are on the screen without a key."""
        async with opened(song.root) as stage:
            assert not stage.tree()
            song.write("idea.md", "x\n")
            await stage.until(lambda: "idea.md" in stage.tree())
            assert stage.tree()["idea.md"].mark == "?"
            (song.root / "idea.md").unlink()
            await stage.until(lambda: not stage.tree())
            assert stage.main.watch_view.live is Live.LIVE

    async def test_another_command_is_seen(self, song: Song, opened: Open) -> None:
        """A stage and a commit by another process show without a key."""
        async with opened(song.root) as stage:
            song.write("idea.md", "x\n")
            song.add("idea.md")
            await stage.until(lambda: "idea.md" in stage.staged())
            song.commit("Outside", time_s=120)
            await stage.until(lambda: stage.subjects()[0] == "Outside")
            await stage.until(lambda: not stage.staged())

    async def test_the_diff_follows_the_file(self, song: Song, opened: Open) -> None:
        """The diff that is shown changes when its file does."""
        song.write("chorus.txt", "one\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: "+one" in stage.diff_text())
            song.write("chorus.txt", "two\n")
            await stage.until(lambda: "+two" in stage.diff_text())
