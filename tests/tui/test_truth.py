"""What is shown is true: damage is named, faces tell the next step, times are what was waited."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from textual.widgets import Input

from muse_tui.backend.hints import HintBox, lateness_ms
from muse_tui.keymap import for_context
from muse_tui.model import Live
from muse_tui.screens.box import fit_hints
from muse_tui.screens.help import MISS, rank_key
from muse_tui.screens.reader import ReaderScreen, TextList
from muse_tui.watcher import Hint
from tests.tui.conftest import Open, Song, Stage

pytestmark = pytest.mark.tui


def object_path(song: Song, oid: str) -> Path:
    """Where an object of its own lies; what the journal holds of it is forgotten."""
    for path in (song.root / ".muse" / "journal").iterdir():
        path.unlink()
    digits = oid.removeprefix("sha256:")
    return song.root / ".muse" / "objects" / "sha256" / digits[:2] / digits[2:]


def spoil(path: Path) -> bytes:
    """Flip a bit in the middle of a file; return what it held."""
    data = path.read_bytes()
    path.chmod(0o644)
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    return data


def facts(stage: Stage) -> dict[str, str]:
    """The health pane's facts: text and value."""
    return {fact.text: fact.value for fact in stage.main.health_list.health.facts}


class TestDamage:
    async def test_a_damaged_commit_is_named_until_it_is_mended(
        self, song: Song, opened: Open
    ) -> None:
        """HEAD's commit cannot be read: no pane claims to know; `R` goes on once it is back."""
        head = song.repo.head().commit
        assert head is not None
        path = object_path(song, head)
        good = spoil(path)
        song.write("idea.md", "x\n")
        async with opened(song.root, live=False) as stage:
            await stage.until(lambda: stage.main.watch_view.live is Live.STOPPED)
            await stage.until(lambda: stage.main.health_list.health.level == "bad")
            assert "■ stopped" in stage.line("#header")
            assert "read-only" in stage.line("#header")
            shown = "\n".join(stage.line("TreeList", y) for y in range(8))
            assert "What changed cannot be told." in shown
            assert head.removeprefix("sha256:")[:10] in shown
            assert "untouched" in "\n".join(stage.line("DiffList", y) for y in range(4))
            assert "not known" in stage.line("#pane-tree TitleBar")
            await stage.press("c")
            await stage.until(lambda: any("for reading only" in text for text in stage.told()))
            assert facts(stage)["refs/heads/main"] == "cannot be read"
            path.write_bytes(good)
            await stage.press("R")
            await stage.until(lambda: "idea.md" in stage.tree())
            await stage.until(lambda: stage.main.watch_view.live is Live.LIVE)
            assert "read-only" not in stage.line("#header")
            assert stage.subjects()[0] == "Add the chorus"
            song.write("more.md", "x\n")
            await stage.until(lambda: "more.md" in stage.tree(), "being live again")

    async def test_what_verify_finds_is_bad_news(self, song: Song, opened: Open) -> None:
        """A damaged object makes the result red, and is counted where objects are counted."""
        async with opened(song.root) as stage:
            objects = song.root / ".muse" / "objects" / "sha256"
            object_path(song, song.repo.head().commit or "")
            spoil(max(objects.glob("*/*"), key=lambda path: path.stat().st_size))
            await stage.press("4", "V")
            await stage.until(lambda: any("1 damage found" in text for text in stage.told()))
            assert stage.line("#status-line").startswith(" ✖ 1 damage found")
            await stage.until(lambda: any("1 damaged · " in v for v in facts(stage).values()))


class TestHealth:
    async def test_a_waiting_temp_tells_until_when(self, song: Song, opened: Open) -> None:
        """A foreign temp waits for its gate and says until when; then it is an orphan by itself."""
        async with opened(song.root) as stage:
            await stage.until(lambda: stage.main.health_list.health.facts)
            temp = song.root / ".muse" / "objects" / "sha256" / "ab" / ".obj-tmp-7fq0zz"
            temp.parent.mkdir(exist_ok=True)
            temp.write_bytes(b"x" * 40)
            almost = time.time() - 57
            os.utime(temp, (almost, almost))
            await stage.press("4")  # looking at the pane reads it anew
            await stage.until(lambda: any("Waiting" in text for text in facts(stage)))
            value = next(value for text, value in facts(stage).items() if "Waiting" in text)
            assert value.startswith("40 B · until ")
            await stage.until(lambda: any("Orphan" in text for text in facts(stage)))

    async def test_a_file_that_cannot_be_read_is_a_fact(self, song: Song, opened: Open) -> None:
        """A damaged stage is damage like any other: named, and nothing is written."""
        song.write("chorus.txt", "lo\n")
        song.add("chorus.txt")
        object_path(song, song.repo.head().commit or "")
        (song.root / ".muse" / "code" / "stage.msgpack").write_bytes(b"\xc1 no stage")
        async with opened(song.root, live=False) as stage:
            await stage.until(lambda: "code/stage.msgpack" in facts(stage))
            await stage.until(lambda: stage.main.watch_view.live is Live.STOPPED)
            assert "read-only" in stage.line("#header")


class TestFaces:
    async def test_nothing_to_take_back_is_no_error(self, tmp_path: Path, opened: Open) -> None:
        """`z` at the very beginning is answered calmly, without a box in the way."""
        song = Song(tmp_path / "new")
        async with opened(song.root) as stage:
            await stage.press("z")
            await stage.until(lambda: any("nothing to undo" in text for text in stage.told()))
            assert stage.line("#status-line").startswith(" · ")
            assert not stage.app.screen.query("Toast")

    async def test_the_only_change_is_shown(self, song: Song, opened: Open) -> None:
        """With everything staged, the diff shows the first staged file instead of nothing."""
        song.write("chorus.txt", "lo\n")
        song.add("chorus.txt")
        async with opened(song.root) as stage:
            await stage.until(lambda: "+lo" in stage.diff_text())

    async def test_a_new_file_has_one_side(self, song: Song, opened: Open) -> None:
        """Side by side, a file that is all new takes the whole width."""
        song.write("a.txt", "new\n")
        song.write("chorus.txt", "lo\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: "+new" in stage.diff_text())
            await stage.press("0", "vertical_line", "1")
            assert not any(row.split for row in stage.main.diff.rows.every())
            await stage.press("j")
            await stage.until(lambda: "+lo" in stage.diff_text())
            assert any(row.split for row in stage.main.diff.rows.every())

    async def test_the_log_begins_at_its_end_and_copies_all(self, song: Song, opened: Open) -> None:
        """`@` shows the last thing done; `y` copies all of it, into a file as well."""
        async with opened(song.root) as stage:
            for number in range(100):
                stage.main.say(f"Number {number}.")
            await stage.press("at")
            await stage.until(lambda: isinstance(stage.app.screen, ReaderScreen))
            lines = stage.app.screen.query_one(TextList)
            await stage.until(lambda: lines.cursor == 99)
            await stage.press("y")
            assert "✔  Number 0." in stage.app.clipboard
            assert stage.app.clipboard.count("\n") == 99


class TestFinding:
    def test_a_name_comes_before_a_sentence(self) -> None:
        """What begins with the typed letters is first; letters in order are enough; else none."""
        keys = {key.id: key for key in for_context("tree")}
        assert rank_key(keys["theme"], "the") == 0
        assert rank_key(keys["stage"], "the") == 3
        assert rank_key(keys["commit-editor"], "editor") == 1
        assert rank_key(keys["reconcile"], "rcl") == 4
        assert rank_key(keys["theme"], "zzz") == MISS

    async def test_enter_runs_the_best_match(self, song: Song, opened: Open) -> None:
        """`the` and Enter in the palette change the theme, and stage nothing."""
        song.write("idea.md", "x\n")
        async with opened(song.root) as stage:
            await stage.press("colon")
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            await stage.type("the")
            await stage.press("enter")
            await stage.until(lambda: any("Theme " in text for text in stage.told()))
            assert not stage.staged()


class TestLateness:
    def test_it_counts_from_the_write(self, tmp_path: Path) -> None:
        """The badge's figure is the age of the newest write; odd times give none."""
        (tmp_path / "a").write_text("x")
        moment = time.time() - 0.5
        os.utime(tmp_path / "a", (moment, moment))
        late = lateness_ms(tmp_path, Hint(paths=frozenset({b"a", b"gone"})))
        assert late is not None
        assert 500 <= late < 5000
        for path, seconds in ((b"a", -3600), (b"a", 60)):
            moment = time.time() + seconds
            os.utime(tmp_path / os.fsdecode(path), (moment, moment))
            assert lateness_ms(tmp_path, Hint(paths=frozenset({path}))) is None
        assert lateness_ms(tmp_path, Hint(reconcile="late")) is None

    def test_hints_that_wait_are_one(self) -> None:
        """The state lane is asked once; a reason that people should know wins."""
        box = HintBox()
        assert box.put(Hint(paths=frozenset({b"a"}), seen_s=2.0))
        assert not box.put(Hint(reconcile="sweep", seen_s=1.0))
        assert not box.put(Hint(reconcile="2001 events at once", seen_s=3.0))
        assert box.take() == Hint(frozenset({b"a"}), reconcile="2001 events at once", seen_s=1.0)
        assert box.put(Hint(seen_s=4.0))


def test_hints_fit_their_box() -> None:
    """Hints in the middle go first; the way out stays."""
    hints = ("ctrl+s commit", "alt+↑ earlier messages", "esc keep draft")
    assert fit_hints(hints, 80) == "ctrl+s commit · alt+↑ earlier messages · esc keep draft"
    assert fit_hints(hints, 40) == "ctrl+s commit · esc keep draft"
    assert fit_hints(hints, 4) == "esc keep draft"
