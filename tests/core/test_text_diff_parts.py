"""Parts of a diff, applied and reversed: git applies the same lines to the same result."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.errors import ConflictError
from muse.core.hunks import apply_hunks, reverse_hunks
from muse.core.text_diff import Line, TextDiff, diff_texts
from tests.core.texts import edited_texts

QUICK = settings(max_examples=60, deadline=None)
Pair = tuple[bytes, bytes]
Picked = set[tuple[int, int]]


def changed_lines(diff: TextDiff) -> list[tuple[int, int]]:
    """Return every changed line as (hunk, line)."""
    return [
        (h, i)
        for h, hunk in enumerate(diff.hunks)
        for i, line in enumerate(hunk.lines)
        if line.origin != " "
    ]


def partial_patch(diff: TextDiff, picked: Picked, *, gone: str, new: str) -> bytes:
    """Write the patch that a person would cut out of a diff by hand.

    Lines of the base that are not picked become context, other lines that are not picked are
    dropped, and in a run the picked additions follow its last picked removal.
    """
    rows = [b"--- a/file\n+++ b/file\n"]
    shift = 0
    for h, hunk in enumerate(diff.hunks):
        body: list[tuple[bytes, Line]] = []
        run: list[tuple[int, Line]] = []
        for i, line in [*enumerate(hunk.lines), (-1, Line(" ", b"", 0, 0))]:
            if line.origin != " ":
                run.append((i, line))
                continue
            base = [(j, x) for j, x in run if x.origin == gone]
            fresh = [(b"+", x) for j, x in run if x.origin == new and (h, j) in picked]
            marks = [n for n, (j, _) in enumerate(base, 1) if (h, j) in picked]
            cut = marks[-1] if marks else len(base) if gone == "-" else 0
            old = [(b"-" if (h, j) in picked else b" ", x) for j, x in base]
            body += [*old[:cut], *fresh, *old[cut:]]
            run = []
            if i >= 0:
                body.append((b" ", line))
        if all(sign == b" " for sign, _ in body):
            continue
        old_count = sum(sign != b"+" for sign, _ in body)
        new_count = sum(sign != b"-" for sign, _ in body)
        start, count = (
            (hunk.old_start, hunk.old_count) if gone == "-" else (hunk.new_start, hunk.new_count)
        )
        before = start - 1 if count else start
        rows.append(
            b"@@ -%d,%d +%d,%d @@\n"
            % (
                before + bool(old_count),
                old_count,
                before + shift + bool(new_count),
                new_count,
            )
        )
        shift += new_count - old_count
        rows += finish(body)
    return b"".join(rows)


def finish(body: list[tuple[bytes, Line]]) -> list[bytes]:
    """Write lines with git's marker; a kept line that is last no more is rewritten with its end."""
    rows = []
    for at, (sign, line) in enumerate(body):
        last = not any(other != b"-" for other, _ in body[at + 1 :])
        if not line.no_newline:
            rows.append(sign + line.text + b"\n")
        elif sign == b"-" or last:
            rows.append(sign + line.text + b"\n\\ No newline at end of file\n")
        elif sign == b"+":
            rows.append(b"+" + line.text + b"\n")
        else:
            rows.append(b"-" + line.text + b"\n\\ No newline at end of file\n")
            rows.append(b"+" + line.text + b"\n")
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder outside any repository, where git applies patches to plain files."""
    return tmp_path_factory.mktemp("parts")


def git_apply(folder: Path, base: bytes, patch: bytes) -> bytes:
    """Let git apply a patch to a file of these bytes."""
    if b"@@" not in patch:
        return base
    (folder / "file").write_bytes(base)
    result = subprocess.run(
        ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"],
        cwd=folder,
        input=patch,
        capture_output=True,
        check=False,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
    )
    assert result.returncode == 0, (result.stderr, patch)
    return (folder / "file").read_bytes() if (folder / "file").exists() else b""


class TestWholeDiffs:
    @QUICK
    @given(pair=edited_texts(), context=st.integers(0, 3))
    def test_all_hunks_give_the_other_side(self, pair: Pair, context: int) -> None:
        """Every hunk applied gives the new side; every hunk reversed gives the old one."""
        old, new = pair
        diff = diff_texts(old, new, context=context, as_text=True)
        every = range(len(diff.hunks))
        assert apply_hunks(old, diff, every) == new
        assert reverse_hunks(new, diff, every) == old
        assert apply_hunks(old, diff, changed_lines(diff)) == new

    @QUICK
    @given(pair=edited_texts())
    def test_nothing_selected_changes_nothing(self, pair: Pair) -> None:
        """An empty selection gives back the side it was applied to."""
        old, new = pair
        diff = diff_texts(old, new, as_text=True)
        assert apply_hunks(old, diff, ()) == old
        assert reverse_hunks(new, diff, ()) == new


class TestGitAppliesTheSame:
    @QUICK
    @given(pair=edited_texts(), data=st.data())
    def test_any_lines_forwards(self, folder: Path, pair: Pair, data: st.DataObject) -> None:
        """Any set of lines applied to the old side gives what git makes of that patch."""
        old, new = pair
        diff = diff_texts(old, new, as_text=True)
        lines = changed_lines(diff)
        picked = data.draw(st.sets(st.sampled_from(lines)) if lines else st.just(set()))
        patch = partial_patch(diff, picked, gone="-", new="+")
        assert apply_hunks(old, diff, picked) == git_apply(folder, old, patch)

    @QUICK
    @given(pair=edited_texts(), data=st.data())
    def test_any_lines_backwards(self, folder: Path, pair: Pair, data: st.DataObject) -> None:
        """Any set of lines reversed from the new side gives what git makes of that patch."""
        old, new = pair
        diff = diff_texts(old, new, as_text=True)
        lines = changed_lines(diff)
        picked = data.draw(st.sets(st.sampled_from(lines)) if lines else st.just(set()))
        patch = partial_patch(diff, picked, gone="+", new="-")
        assert reverse_hunks(new, diff, picked) == git_apply(folder, new, patch)

    @QUICK
    @given(pair=edited_texts(), data=st.data())
    def test_staging_in_steps_arrives(self, pair: Pair, data: st.DataObject) -> None:
        """Some lines first and the rest of the fresh diff afterwards give the new side."""
        old, new = pair
        diff = diff_texts(old, new, as_text=True)
        lines = changed_lines(diff)
        picked = data.draw(st.sets(st.sampled_from(lines)) if lines else st.just(set()))
        between = apply_hunks(old, diff, picked)
        rest = diff_texts(between, new, as_text=True)
        assert apply_hunks(between, rest, range(len(rest.hunks))) == new


class TestChosenLines:
    OLD, NEW = b"1\na\nb\n2\n", b"1\nA\nB\n2\n"
    # Lines of the hunk: 0 ' 1', 1 '-a', 2 '-b', 3 '+A', 4 '+B', 5 ' 2'.

    @pytest.mark.parametrize(
        ("picked", "staged"),
        [
            ({1, 3}, b"1\nA\nb\n2\n"),
            ({2, 4}, b"1\na\nB\n2\n"),
            ({3}, b"1\na\nb\nA\n2\n"),
            ({1}, b"1\nb\n2\n"),
            ({0, 5}, b"1\na\nb\n2\n"),
        ],
    )
    def test_a_replaced_line_keeps_its_place(self, picked: set[int], staged: bytes) -> None:
        """A removal and its addition, staged together, replace the line where it stands."""
        diff = diff_texts(self.OLD, self.NEW)
        assert apply_hunks(self.OLD, diff, {(0, line) for line in picked}) == staged

    @pytest.mark.parametrize(
        ("picked", "left"),
        [({1, 3}, b"1\na\nB\n2\n"), ({2, 4}, b"1\nA\nb\n2\n"), ({1}, b"1\na\nA\nB\n2\n")],
    )
    def test_a_replaced_line_is_unstaged_in_place(self, picked: set[int], left: bytes) -> None:
        """The same pair, unstaged, puts the old line back where it stood."""
        diff = diff_texts(self.OLD, self.NEW)
        assert reverse_hunks(self.NEW, diff, {(0, line) for line in picked}) == left

    def test_a_kept_last_line_gets_its_newline(self) -> None:
        """A line without a newline gets one when a line is staged after it."""
        old, new = b"a\nend", b"a\nEND\nmore\n"
        diff = diff_texts(old, new)
        more = next(i for i, line in enumerate(diff.hunks[0].lines) if line.text == b"more")
        assert apply_hunks(old, diff, {(0, more)}) == b"a\nend\nmore\n"

    def test_only_the_last_newline(self) -> None:
        """Adding the missing newline is a change that can be staged alone."""
        diff = diff_texts(b"a\nb", b"a\nb\n")
        assert apply_hunks(b"a\nb", diff, {0}) == b"a\nb\n"
        assert reverse_hunks(b"a\nb\n", diff, {0}) == b"a\nb"

    def test_lines_found_with_whitespace_ignored_can_be_staged(self) -> None:
        """Context that differs in whitespace stays as the base has it."""
        old, new = b"a\n  b\nc\n", b"a\nb\nC\n"
        diff = diff_texts(old, new, ignore_whitespace="all")
        assert apply_hunks(old, diff, {0}) == b"a\n  b\nC\n"
        assert reverse_hunks(new, diff, {0}) == b"a\nb\nc\n"


class TestWhatIsRefused:
    def test_another_text(self) -> None:
        """A text that changed since the comparison is refused, not mixed."""
        diff = diff_texts(b"a\nb\nc\n", b"a\nB\nc\n")
        for other in (b"x\nb\nc\n", b"a\nb\n", b"", b"a\nb\nc"):
            with pytest.raises(ConflictError, match="not the one that was compared"):
                apply_hunks(other, diff, {0})

    def test_lines_that_are_not_there(self) -> None:
        """A selection beyond the diff is an error."""
        diff = diff_texts(b"a\n", b"b\n")
        with pytest.raises(IndexError):
            apply_hunks(b"a\n", diff, {1})
        with pytest.raises(IndexError):
            apply_hunks(b"a\n", diff, {(0, 9)})

    def test_binary_content(self) -> None:
        """Binary content has no lines to take."""
        with pytest.raises(ValueError, match="binary"):
            apply_hunks(b"\0", diff_texts(b"\0", b"a"), ())
