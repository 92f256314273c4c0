"""Texts compared: the hunks are git's, and words inside lines are found at a bounded cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.text_diff import (
    Hunk,
    TextDiff,
    change_blocks,
    changed_spans,
    count_changes,
    diff_texts,
    is_binary,
    pair_lines,
    word_spans,
)
from muse.core.xdiff import Whitespace
from tests.core.texts import edited_texts, texts

QUICK = settings(max_examples=40, deadline=None)


def render(diff: TextDiff) -> bytes:
    """Write hunks as a patch body; the tests' own words, not the command's."""
    rows: list[bytes] = []
    for hunk in diff.hunks:
        old = f"-{hunk.old_start}" + ("" if hunk.old_count == 1 else f",{hunk.old_count}")
        new = f"+{hunk.new_start}" + ("" if hunk.new_count == 1 else f",{hunk.new_count}")
        heading = b" " + hunk.heading if hunk.heading else b""
        rows.append(f"@@ {old} {new} @@".encode() + heading)
        for line in hunk.lines:
            rows.append(line.origin.encode() + line.text)
            if line.no_newline:
                rows.append(b"\\ No newline at end of file")
    return b"".join(row + b"\n" for row in rows)


def git_hunks(folder: Path, old: bytes, new: bytes, *options: str) -> bytes:
    """Ask git for the patch body of two texts."""
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    result = subprocess.run(
        ["git", "diff", "--no-index", "--text", *options, "old", "new"],
        cwd=folder,
        capture_output=True,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert result.returncode in {0, 1}, result.stderr
    at = result.stdout.find(b"\n@@ ")
    return result.stdout[at + 1 :] if at >= 0 else b""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property share."""
    return tmp_path_factory.mktemp("texts")


class TestTheHunksAreGits:
    @QUICK
    @given(pair=edited_texts(), context=st.integers(0, 4))
    def test_same_patch_for_any_edit(
        self, folder: Path, pair: tuple[bytes, bytes], context: int
    ) -> None:
        """Any edit gives the hunks, headings and markers that git gives."""
        old, new = pair
        mine = render(diff_texts(old, new, context=context, as_text=True))
        assert mine == git_hunks(folder, old, new, f"-U{context}")

    @pytest.mark.parametrize(("mode", "option"), [("all", "-w"), ("change", "-b")])
    def test_whitespace_is_ignored_as_git_does(
        self, folder: Path, mode: Whitespace, option: str
    ) -> None:
        """With whitespace ignored, git's hunks again, context taken from the new side."""
        old = b"a\n  b c\nd\ne\nf \ng\n"
        new = b"a\n b   c\nD\ne \nf\n g\nh\n"
        mine = render(diff_texts(old, new, ignore_whitespace=mode))
        assert mine == git_hunks(folder, old, new, option)

    def test_only_whitespace_differs(self) -> None:
        """A difference in ignored whitespace alone has no hunks and counts nothing."""
        diff = diff_texts(b"a  b\n", b"a b\n", ignore_whitespace="all")
        assert (diff.hunks, diff.added, diff.removed) == ((), 0, 0)

    def test_a_heading_is_cut_at_80_bytes_and_may_be_any_bytes(self, folder: Path) -> None:
        """Headings are git's to the byte, also where they are long or not UTF-8."""
        old = b"def caf\xe9 " + b"x" * 100 + b"  \n" + b" a\n" * 10 + b"_b\n" + b"\tc\n" * 9
        new = old.replace(b" a\n" * 10, b" a\n" * 9 + b" z\n").replace(b"\tc\n" * 9, b"\tc\n" * 8)
        assert render(diff_texts(old, new, context=1)) == git_hunks(folder, old, new, "-U1")

    def test_hundred_thousand_lines(self, folder: Path) -> None:
        """A file of 100 000 lines gives git's hunks too."""
        lines = [b"line %d\n" % (i * 7919 % 1000) for i in range(100_000)]
        old = b"".join(lines)
        for at in range(500, 100_000, 5000):
            lines[at] = b"changed\n"
        new = b"".join(lines)
        assert render(diff_texts(old, new)) == git_hunks(folder, old, new)


class TestWhatADiffCarries:
    @QUICK
    @given(pair=edited_texts())
    def test_numbers_name_the_lines_of_each_side(self, pair: tuple[bytes, bytes]) -> None:
        """Each line's number finds exactly its text on its side."""
        old, new = (side.split(b"\n") for side in pair)
        for hunk in diff_texts(*pair, as_text=True).hunks:
            for line in hunk.lines:
                assert line.old_no is None or old[line.old_no - 1] == line.text
                assert line.new_no is None or new[line.new_no - 1] == line.text
                assert (line.old_no is None, line.new_no is None) == (
                    line.origin == "+",
                    line.origin == "-",
                )

    @QUICK
    @given(pair=edited_texts())
    def test_totals_count_the_lines(self, pair: tuple[bytes, bytes]) -> None:
        """The totals are those of the lines, and those of counting without hunks."""
        diff = diff_texts(*pair, as_text=True)
        origins = [line.origin for hunk in diff.hunks for line in hunk.lines]
        assert (diff.added, diff.removed) == (origins.count("+"), origins.count("-"))
        assert count_changes(*pair) == (diff.added, diff.removed)

    def test_a_nul_in_the_first_8000_bytes_is_binary(self) -> None:
        """A NUL makes content binary, but only where git looks for it."""
        assert is_binary(b"a" * 7999 + b"\0")
        assert not is_binary(b"a" * 8000 + b"\0")
        diff = diff_texts(b"a\n", b"a\0\n")
        assert (diff.binary, diff.hunks) == (True, ())

    def test_binary_can_be_compared_as_text(self) -> None:
        """Lines are compared on request whatever they hold."""
        diff = diff_texts(b"a\n", b"a\0\n", as_text=True)
        assert (diff.added, diff.removed, diff.binary) == (1, 1, False)


def one_hunk(old: bytes, new: bytes) -> Hunk:
    """Compare two texts that differ in one hunk."""
    (hunk,) = diff_texts(old, new).hunks
    return hunk


class TestWordsInsideLines:
    def test_a_changed_word_is_marked_on_both_sides(self) -> None:
        """The word that changed is marked, and the rest of its line is not."""
        assert changed_spans("return foo(a, b)", "return foo(a, bar)") == (
            ((14, 15),),
            ((14, 17),),
        )

    def test_lines_with_nothing_in_common_are_not_marked(self) -> None:
        """Lines that share next to nothing are shown as changed whole."""
        assert changed_spans("abc def", "something else") is None

    @QUICK
    @given(old=st.text(max_size=60), new=st.text(max_size=60))
    def test_what_is_not_marked_is_the_same(self, old: str, new: str) -> None:
        """Without the marked characters both lines are equal, and marks never overlap."""
        found = changed_spans(old, new)
        if found is None:
            return
        kept = []
        for text, spans in zip((old, new), found, strict=True):
            at, rest = 0, ""
            for start, end in spans:
                assert at <= start < end <= len(text)
                rest += text[at:start]
                at = end
            kept.append((rest + text[at:]).replace("\n", " "))
        assert kept[0] == kept[1]

    def test_a_very_long_line_costs_no_more_than_its_ends(self) -> None:
        """A line of a million characters is compared from its ends."""
        old = "x " * 500_000 + "a" + " y" * 500_000
        new = "x " * 500_000 + "b" + " y" * 500_000
        assert changed_spans(old, new) == (((1_000_000, 1_000_001),), ((1_000_000, 1_000_001),))

    def test_lines_are_paired_in_order_within_a_run(self) -> None:
        """The n-th removed line of a run is compared with the n-th added one."""
        hunk = one_hunk(b"same\none = 1\ntwo = 2\n", b"same\none = 10\ntwo = 20\nthree\n")
        assert list(pair_lines(hunk)) == [(1, 3), (2, 4)]
        assert list(change_blocks(hunk)) == [(range(1, 3), range(3, 6))]
        spans = word_spans(hunk)
        assert spans[1] == ((6, 7),)
        assert spans[4] == ((6, 8),)
        assert 5 not in spans

    def test_bytes_that_are_not_utf8_count_as_one_character_each(self) -> None:
        """Offsets count characters as surrogateescape decodes them."""
        spans = word_spans(one_hunk(b"caf\xe9 one x\n", b"caf\xe9 two x\n"))
        assert spans == {0: ((5, 8),), 1: ((5, 8),)}


def test_comparing_loads_only_what_it_needs() -> None:
    """The first comparison leaves the package pygit2 out, and whoever imports it later gets it."""
    program = """
import sys
from muse.core.text_diff import diff_texts
first = diff_texts(b"a\\n", b"b\\n")
assert "pygit2" not in sys.modules and "ssl" not in sys.modules
import pygit2
assert pygit2.Patch.create_from(b"a\\n", b"b\\n").data.endswith(first.body)
assert diff_texts(b"a\\n", b"b\\n") == first
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@QUICK
@given(text=texts())
def test_a_text_does_not_differ_from_itself(text: bytes) -> None:
    """Equal sides give an empty diff."""
    assert diff_texts(text, text) == TextDiff()
