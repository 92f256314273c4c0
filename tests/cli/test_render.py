"""Text for people: sizes, ages, dates, columns, progress bars."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.cli import progress, render
from muse.cli.editor import clean_message
from muse.cli.output import visible
from muse.cli.progress import ProgressBar, progress_line
from muse.core.commits import Commit, Signature
from muse.core.types import ObjectId, RawId


class TestWords:
    """Numbers as people read them."""

    @pytest.mark.parametrize(
        ("size_bytes", "text"),
        [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (999_949, "999.9 KB"),
            (999_950, "1.0 MB"),
            (4_294_967_296, "4.3 GB"),
            (10**18, "1000000.0 TB"),
        ],
    )
    def test_size(self, size_bytes: int, text: str) -> None:
        """Sizes have one decimal and never show 1000.0 of a unit."""
        assert render.size(size_bytes) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0.2, "just now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7200, "2 hours ago"),
            (86_400 * 3, "3 days ago"),
            (86_400 * 800, "2 years ago"),
        ],
    )
    def test_ago(self, seconds: float, text: str) -> None:
        """Ages are rounded down to one unit."""
        assert render.ago(seconds) == text

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0, "0:00"), (7.9, "0:07"), (61, "1:01"), (3723, "1:02:03")]
    )
    def test_duration(self, seconds: float, text: str) -> None:
        """Durations look like a clock."""
        assert render.duration(seconds) == text

    def test_dates(self) -> None:
        """A date is shown in its own zone, in words that no locale changes."""
        assert render.date_text(1_700_000_000, 60) == "Tue 14 Nov 2023 23:13:20 +0100"
        assert render.date_text(0, -450) == "Wed 31 Dec 1969 16:30:00 -0730"
        assert render.iso_date(1_700_000_000, 60) == "2023-11-14T23:13:20+01:00"

    @given(st.integers(), st.integers(-6000, 6000))
    @settings(deadline=None)
    def test_any_date(self, time_s: int, offset_min: int) -> None:
        """A commit may carry any number as its date; showing it never raises."""
        assert render.date_text(time_s, offset_min)
        assert render.iso_date(time_s, offset_min)

    def test_columns_line_up(self) -> None:
        """Columns begin at the same place, painted cells too."""
        red = render.paint("b", "removed", on=True)
        assert render.columns([["aaa", "1"], [red, "22"]]) == ["aaa  1", f"{red}    22"]
        assert render.columns([["a", "b"], ["ccc"]]) == ["a    b", "ccc"]
        assert render.columns([]) == []

    def test_paint_only_when_asked(self) -> None:
        """Without colour text stays as it is, and every style is known."""
        assert render.paint("x", "added", on=False) == "x"
        for style in render.STYLES:
            assert render.paint("x", style, on=True).endswith("x\x1b[0m")

    def test_commit_data(self) -> None:
        """The JSON of a commit has what the interface promises."""
        ada = Signature("Ada\x1b", "a@b", 1_700_000_000, "+0100")
        commit = Commit(RawId(b"\1" * 32), (RawId(b"\2" * 32),), ada, ada, b"One\n\nTwo\xff\n")
        data = render.commit_data(ObjectId("sha256:" + "3" * 64), commit)
        assert data["commit_id"] == "sha256:" + "3" * 64
        assert data["tree_id"] == "sha256:" + "01" * 32
        assert data["parents"] == ["sha256:" + "02" * 32]
        assert data["author"] == "Ada\\x1b <a@b>"
        assert data["committed_at"] == "2023-11-14T23:13:20+01:00"
        assert data["subject"] == "One"


class TestVisible:
    """What a terminal is given."""

    @given(st.text())
    @settings(deadline=None)
    def test_nothing_but_colour_controls(self, text: str) -> None:
        """Of control characters only newline, tab and colours pass."""
        shown = visible(text)
        bare = shown.replace("\x1b[31m", "")
        assert not any(c < " " and c not in "\n\t" for c in bare.replace("\x1b[", ""))
        assert "\x7f" not in shown
        assert "\x9b" not in shown

    def test_colours_pass(self) -> None:
        """Colours pass; every other escape sequence is shown."""
        assert visible("\x1b[1;31mred\x1b[0m\n\tx") == "\x1b[1;31mred\x1b[0m\n\tx"
        assert visible("a\x1b[2J\x1b]0;t\x07\r\n") == "a\\x1b[2J\\x1b]0;t\\x07\\r\n"


class TestProgress:
    """Bars for people who wait."""

    def test_line(self) -> None:
        """A bar tells share, count and the time left."""
        line = progress_line("Hashing", 240, 400, unit="files", elapsed_s=12.0)
        assert line == "Hashing  ▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░  60 %  240/400 files  0:08 left"

    def test_objects_with_their_bytes(self) -> None:
        """A transfer shows objects, bytes, rate and the time left."""
        line = progress_line(
            "Receiving", 100, 400, unit="objects", elapsed_s=10.0, size_bytes=31_000_000
        )
        assert line.startswith("Receiving  ▓▓▓▓▓░░░░░░░░░░░░░░░  25 %  100/400 objects")
        assert line.endswith("  31.0 MB  3.1 MB/s  0:30 left")

    def test_bytes(self) -> None:
        """Bytes are shown with a rate."""
        line = progress_line("Pushing", 31_000_000, 62_000_000, unit="bytes", elapsed_s=10.0)
        assert line.endswith(" 50 %  31.0 MB/62.0 MB  3.1 MB/s  0:10 left")

    @pytest.mark.parametrize("done", [1, 399, 400])
    def test_no_guess(self, done: int) -> None:
        """The time left is not told from the first few, nor when it is nothing."""
        assert "left" not in progress_line("Hashing", done, 400, unit="files", elapsed_s=9.0)

    def test_unknown_total(self) -> None:
        """Without a total there is a count."""
        assert (
            progress_line("Scanning", 7, None, unit="files", elapsed_s=1.0) == "Scanning  7 files"
        )
        assert progress_line("Scanning", 0, 0, unit="files", elapsed_s=0.0) == "Scanning  0 files"

    def test_quiet_for_a_second(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What takes less than a second draws nothing; then it is drawn, and wiped at the end."""
        now = 100.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        screen = io.StringIO()
        bar = ProgressBar("Hashing", "files", stream=screen)
        bar(1, 10)
        bar.close()
        assert screen.getvalue() == ""
        now += progress.SHOW_AFTER_S
        bar(5, 10)
        bar(6, 10)
        assert screen.getvalue().count("\r") == 1
        bar.close()
        bar.close()
        assert screen.getvalue().endswith("\r\x1b[K")
        assert screen.getvalue().count("\x1b[K") == 2

    def test_terminal_that_went_away(self) -> None:
        """A terminal that went away does not stop the work."""
        screen = io.StringIO()
        bar = ProgressBar("Hashing", "files", stream=screen, started_s=-1e9)
        screen.close()
        bar(1, 10)
        bar.close()


class TestCleanMessage:
    """Messages are cleaned as git cleans them."""

    def test_comments_go(self) -> None:
        """In an editor's text lines that begin with # are left out."""
        assert clean_message("\n\none \n# no\n\n\n\ntwo\t\n\n") == "one\n\ntwo\n"

    def test_comments_stay_with_m(self) -> None:
        """What was given with -m keeps such lines."""
        assert clean_message("#1 is fixed\n", comments=False) == "#1 is fixed\n"

    def test_nothing(self) -> None:
        """Only space and comments is nothing."""
        assert clean_message(" \n#x\n\t\n") == ""
