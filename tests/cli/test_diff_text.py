"""Patches, name lists and --stat: byte for byte what git prints, and what git applies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.cli.diff_stat import numstat_rows, stat_name, stat_rows, total_row
from muse.cli.diff_text import (
    Row,
    name_rows,
    patch_bytes,
    patch_rows,
    quote_name,
    status_rows,
    to_bytes,
    to_text,
)
from muse.core.tree_diff import Change, StoreContents, diff_trees
from muse.core.trees import iter_tree
from muse.core.types import MODE_FILE, RawId
from muse.ops.diff import DiffResult, DiffTotals
from muse.ops.file_diff import DiffOptions, FileDiff, FileStat
from tests.core.file_sets import Files, file_sets
from tests.core.git_mirror import GitMirror, write_files

# Derandomized, and whole lines: see the tests of renames.
AGAINST_GIT = settings(max_examples=80, deadline=None, derandomize=True)
WHOLE = file_sets(whole_lines=True)
Pair = tuple[Files, Files]
ODD_NAMES = (
    b"plain", b"two words", b"caf\xc3\xa9", b"q\"uote", b"back\\slash", b"tab\there", b"new\nline",
    b"\x01control", b"\xff\xfe", b"a b/c d", b"del\x7f",
)  # fmt: skip


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> GitMirror:
    """Return one store that all examples of a property share."""
    return GitMirror(tmp_path_factory.mktemp("texts"))


def compare(
    mirror: GitMirror, old: RawId, new: RawId, options: DiffOptions | None = None
) -> DiffResult:
    """Compare two trees of the store."""
    contents = StoreContents(mirror.store)
    changes = diff_trees(mirror.store, old, new)
    return DiffResult(tuple(changes), contents, contents, options or DiffOptions())


def patch(result: DiffResult) -> bytes:
    """Return a whole patch."""
    chunks = [patch_bytes(file) for file in result]
    for chunk, file in zip(chunks, result, strict=True):
        # Both ways to make a patch make the same one, but for a hint at binary content.
        rows = [line for line in to_bytes(patch_rows(file)) if not line.startswith(b"(--text")]
        assert b"".join(rows) == chunk
    return b"".join(chunks)


def joined(rows: Iterable[Row]) -> bytes:
    """Return rows as bytes."""
    return b"".join(to_bytes(rows))


def without_scores(text: bytes) -> bytes:
    """Blank out similarity: git's may be off by a percent."""
    return re.sub(rb"(?m)^(similarity index |R)\d+", rb"\1", text)


class TestGitPrintsTheSame:
    @AGAINST_GIT
    @given(pair=WHOLE)
    def test_patches(self, mirror: GitMirror, pair: Pair) -> None:
        """The patch between any two trees is git's, byte for byte."""
        old, new = (mirror.write_tree(files) for files in pair)
        gits = mirror.git("diff", "-M", "--abbrev=10", old.hex(), new.hex())
        assert without_scores(patch(compare(mirror, old, new))) == without_scores(gits)

    @AGAINST_GIT
    @given(pair=WHOLE, width=st.sampled_from([80, 80, 40, 25, 120]))
    def test_stat(self, mirror: GitMirror, pair: Pair, width: int) -> None:
        """Numbers, bars and sums of --stat are git's at any width."""
        old, new = (mirror.write_tree(files) for files in pair)
        stats = list(compare(mirror, old, new).counts())
        gits = mirror.git("diff", "-M", f"--stat={width}", old.hex(), new.hex())
        assert joined(stat_rows(stats, width=width)) == gits
        gits = mirror.git("diff", "-M", "--numstat", old.hex(), new.hex())
        assert joined(numstat_rows(stats)) == gits

    @settings(AGAINST_GIT, max_examples=30)
    @given(pair=WHOLE)
    def test_names(self, mirror: GitMirror, pair: Pair) -> None:
        """Lists of names, with and without letters, are git's."""
        old, new = (mirror.write_tree(files) for files in pair)
        changes = compare(mirror, old, new).changes
        gits = mirror.git("diff", "-M", "--name-only", old.hex(), new.hex())
        assert joined(name_rows(changes)) == gits
        gits = mirror.git("diff", "-M", "--name-status", old.hex(), new.hex())
        assert without_scores(joined(status_rows(changes))) == without_scores(gits)

    @settings(AGAINST_GIT, max_examples=30)
    @given(pair=WHOLE)
    def test_ignoring_whitespace(self, mirror: GitMirror, pair: Pair) -> None:
        """With -w, files that differ in whitespace alone are left out, as git does it."""
        before, after = pair
        spaced = {
            path: (mode, content.replace(b"e", b" e") if mode == MODE_FILE else content)
            for path, (mode, content) in after.items()
        }
        old, new = mirror.write_tree(before), mirror.write_tree(spaced)
        result = compare(mirror, old, new, DiffOptions(whitespace="all"))
        gits = mirror.git("diff", "-M", "-w", "--abbrev=10", old.hex(), new.hex())
        assert without_scores(patch(result)) == without_scores(gits)
        gits = mirror.git("diff", "-M", "-w", "--stat=80", old.hex(), new.hex())
        assert joined(stat_rows(list(result.counts()))) == gits

    def test_a_large_number_of_changes_is_scaled(self, mirror: GitMirror) -> None:
        """Bars of files that differ a thousandfold are scaled as git scales them."""
        counts = {b"a": (1000, 3), b"folder/with/a/long/name/b": (2, 700), b"c" * 70: (1, 1)}
        old = {p: (MODE_FILE, b"-\n" * minus) for p, (_, minus) in counts.items()}
        new = {p: (MODE_FILE, b"+\n" * plus) for p, (plus, _) in counts.items()}
        old[b"bin"], new[b"bin"] = (MODE_FILE, b"\0" * 12345), (MODE_FILE, b"\0" * 7)
        trees = mirror.write_tree(old), mirror.write_tree(new)
        for width in (1, 22, 30, 50, 80, 200):
            rows = stat_rows(list(compare(mirror, *trees).counts()), width=width)
            arguments = (f"--stat={width}", trees[0].hex(), trees[1].hex())
            assert joined(rows) == mirror.git("diff", "--no-renames", *arguments)


class TestNames:
    def test_odd_names_in_every_form(self, mirror: GitMirror) -> None:
        """Names with spaces, quotes, control characters and odd bytes are written as git does."""
        old = mirror.write_tree(dict.fromkeys(ODD_NAMES, (MODE_FILE, b"a\n")))
        new = mirror.write_tree(dict.fromkeys(ODD_NAMES, (MODE_FILE, b"b\n")))
        result = compare(mirror, old, new)
        ids = old.hex(), new.hex()
        assert patch(result) == mirror.git("diff", "--abbrev=10", *ids)
        assert joined(stat_rows(list(result.counts()))) == mirror.git("diff", "--stat=80", *ids)
        assert joined(name_rows(result.changes)) == mirror.git("diff", "--name-only", *ids)

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(
        names=st.lists(
            st.lists(st.sampled_from([b"a", b"b", b"ab", b"c d", b"\xff"]), min_size=1, max_size=4),
            min_size=2,
            max_size=2,
            unique_by=b"/".join,
        )
    )
    def test_renamed_names_share_what_they_can(
        self, mirror: GitMirror, names: list[list[bytes]]
    ) -> None:
        """A rename's two names are folded into one as git folds them."""
        old_path, new_path = (b"/".join(parts) for parts in names)
        old = mirror.write_tree({old_path: (MODE_FILE, b"same\n")})
        new = mirror.write_tree({new_path: (MODE_FILE, b"same\n")})
        (change,) = compare(mirror, old, new).changes
        gits = mirror.git("diff", "-M", "--numstat", old.hex(), new.hex())
        assert b"0\t0\t" + stat_name(change) + b"\n" == gits

    def test_a_name_can_not_control_a_terminal(self) -> None:
        """Quoted names are printable ASCII."""
        for name in ODD_NAMES:
            assert quote_name(name).decode("ascii").isprintable()


class TestGitApplies:
    @settings(max_examples=40, deadline=None)
    @given(pair=file_sets())
    def test_our_patches(
        self, mirror: GitMirror, tmp_path_factory: pytest.TempPathFactory, pair: Pair
    ) -> None:
        """Our patch, applied by git to the old files, gives the new ones."""
        text_only = [
            {path: entry for path, entry in files.items() if b"\0" not in entry[1]}
            for files in pair
        ]
        old, new = (mirror.write_tree(files) for files in text_only)
        folder = tmp_path_factory.mktemp("apply", numbered=True)
        write_files(folder, text_only[0])
        diff = patch(compare(mirror, old, new))
        if diff:
            subprocess.run(
                ["git", "apply", "--whitespace=nowarn", "-"],
                cwd=folder,
                input=diff,
                check=True,
                capture_output=True,
                env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
            )
        assert read_files(folder) == {path for path, _, _ in iter_tree(mirror.store, new)}
        for path, (mode, content) in text_only[1].items():
            place = folder / path.decode()
            held = (
                place.readlink().as_posix().encode() if place.is_symlink() else place.read_bytes()
            )
            assert held == content
            assert place.is_symlink() or bool(place.stat().st_mode & 0o100) == (mode & 0o100 != 0)
        shutil.rmtree(folder)


def read_files(folder: Path) -> set[bytes]:
    """Return the paths of all files below a folder."""
    return {
        str(place.relative_to(folder)).encode()
        for place in folder.rglob("*")
        if place.is_symlink() or place.is_file()
    }


class Memory:
    """Contents by path."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents

    def size(self, path: bytes, raw: RawId | None) -> int:
        """Return a size."""
        return len(self.contents[path.decode()])

    def read(self, path: bytes, raw: RawId | None) -> bytes:
        """Return a content."""
        return self.contents[path.decode()]


def edited(old: bytes, new: bytes) -> FileDiff:
    """Return a file that was edited."""
    ids = RawId(b"\1" * 32), RawId(b"\2" * 32)
    change = Change("M", b"f", b"f", MODE_FILE, MODE_FILE, *ids)
    return FileDiff(change, Memory(f=old), Memory(f=new))


class TestOnATerminal:
    def test_control_characters_are_visible_and_raw_in_a_pipe(self) -> None:
        """Content cannot move the cursor, and a patch keeps it byte for byte."""
        file = edited(b"", b"\x1b[2J\x07a\tb\x9b\xe2\x80\xae\r\n")
        shown = list(to_text(patch_rows(file), color=False))
        assert shown[-1] == "+\\x1b[2J\\x07a\tb\\x9b\\u202e\\r"
        assert (
            patch_bytes(file).splitlines(keepends=True)[-1]
            == b"+\x1b[2J\x07a\tb\x9b\xe2\x80\xae\r\n"
        )

    def test_colours_follow_meaning(self) -> None:
        """Added is green, removed red, a hunk's header cyan; without colour there is no escape."""
        file = edited(
            b"def f():\n    a\n    x\n    y\n    z\n    w\n",
            b"def f():\n    b\n    x\n    y\n    z\n    w\n",
        )
        shown = list(to_text(patch_rows(file), color=True))
        assert "\x1b[31m-    a\x1b[0m" in shown
        assert "\x1b[32m+    b\x1b[0m" in shown
        assert any(line.startswith("\x1b[36m@@ -1,5 +1,5 @@\x1b[0m") for line in shown)
        assert "\x1b" not in "".join(to_text(patch_rows(file), color=False))

    def test_large_content_is_not_compared_and_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Content over the limit is named as different, with the option that compares it."""
        monkeypatch.setattr("muse.ops.file_diff.LARGE_SIZE", 10)
        file = edited(b"a\n" * 10, b"b\n" * 10)
        assert patch_bytes(file).endswith(b"\nFiles a/f and b/f differ\n")
        assert "--text" in list(to_text(patch_rows(file), color=False))[-1]
        assert file.count_lines().binary
        whole = FileDiff(file.change, file.old, file.new, DiffOptions(as_text=True))
        assert whole.count_lines().added == 10


def test_sums_use_the_singular() -> None:
    """One file, one insertion, and what is zero is left out, as in git."""
    assert total_row(DiffTotals(1, 1, 0))[0][1] == b" 1 file changed, 1 insertion(+)"
    both = b" 2 files changed, 0 insertions(+), 0 deletions(-)"
    assert total_row(DiffTotals(2, 0, 0))[0][1] == both


def test_whitespace_only_is_no_change() -> None:
    """A file that differs in ignored whitespace alone counts as unchanged."""
    file = edited(b"a b\n", b"a  b\n")
    quiet = FileDiff(file.change, file.old, file.new, DiffOptions(whitespace="all"))
    assert isinstance(quiet.count_lines(), FileStat)
    assert quiet.count_lines().is_empty
    assert list(patch_rows(quiet)) == []
