"""Ignore rules answer as git does, on generated patterns and in every order of precedence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from muse.core.errors import IoFailedError
from muse.core.ignore import IgnoreRules
from muse.core.ignore_pattern import parse_ignore_file, parse_line

Tree = tuple[Path, list[tuple[bytes, bool]]]

NAMES = [
    b"a", b"b", b"ab", b"ba", b"a.b", b"a b", b"[", b"]", b"-", b"A", b"\xff", b"\xc3\xa9", b"a\\",
    b"*", b"!a", b"#a", b" ", b"a ", b"a\t", b"a\r", b"a\nb", b"0", b"_", b"[a]", b"**",
]  # fmt: skip
FOLDERS = [b"a", b"b", b"ab", b"d d"]
PIECES = [
    b"a", b"b", b"ab", b"A", b".", b" ", b"0", b"\xff", b"\xc3\xa9", b"*", b"**", b"***", b"?",
    b"/", b"[ab]", b"[!a]", b"[^b]", b"[a-z]", b"[z-a]", b"[]a]", b"[a-]", b"[-a]", b"[!]]", b"[[]",
    b"[[:alpha:]]", b"[[:space:]0]", b"[[:nope:]]", b"[[:", b"[\\]]", b"[a\\-z]", b"[/]", b"[",
    b"]", b"-", b"!", b"#", b"\\", b"\\ ", b"\\*", b"\\a", b"\\\\", b"\t", b"\r", b"d d", b"**/",
    b"/**", b"/**/", b"a/", b"/a",
]  # fmt: skip

lines = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(b"".join)
ignore_files = st.lists(lines, max_size=6).map(b"\n".join)


def make_tree(root: Path) -> list[tuple[bytes, bool]]:
    """Create the names in nested folders; return (path, is a folder) of all."""
    found: list[tuple[bytes, bool]] = []
    base = os.fsencode(root)
    levels = [b"", *FOLDERS, *(x + b"/" + y for x in FOLDERS for y in (b"a", b"b"))]
    for level in levels:
        prefix = level + b"/" if level else b""
        for name in FOLDERS:
            os.makedirs(os.path.join(base, prefix + name), exist_ok=True)
            found.append((prefix + name, True))
        for name in NAMES:
            path = prefix + name
            if not os.path.isdir(os.path.join(base, path)):
                Path(os.fsdecode(os.path.join(base, path))).write_bytes(b"")
                found.append((path, False))
    os.symlink("a", os.path.join(base, b"link"))
    found.append((b"link", False))
    return sorted(set(found))


@pytest.fixture(scope="module")
def tree(
    tmp_path_factory: pytest.TempPathFactory,
) -> Tree:
    """One tree with a git repository, shared by all examples."""
    root = tmp_path_factory.mktemp("ignored")
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    return root, make_tree(root)


def git_ignored(root: Path, paths: list[bytes]) -> set[bytes]:
    """Ask git which of the paths are ignored."""
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        input=b"\0".join(paths) + b"\0",
        cwd=root,
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return set(done.stdout.split(b"\0")) - {b""}


def ours(root: Path, paths: list[tuple[bytes, bool]]) -> set[bytes]:
    """Ask our rules the same."""
    rules = IgnoreRules(root)
    return {path for path, is_folder in paths if rules.is_ignored(path, is_folder=is_folder)}


class TestSameAsGit:
    """For every path of a tree the answer is git's."""

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(top=ignore_files, inner=ignore_files, exclude=ignore_files)
    @example(top=b"a/**\n!a/b", inner=b"", exclude=b"")
    @example(top=b"a**/b", inner=b"", exclude=b"")
    @example(top=b"*\n!*/\n!a.b", inner=b"*\n!ab", exclude=b"")
    @example(top=b"\xef\xbb\xbfa", inner=b"\xef\xbb\xbfb\r\n", exclude=b"!a")
    @example(top=b"a  \nb\\ \nab \\", inner=b"", exclude=b"*")
    @example(top=b"[[:alpha:]\n[!/]b\na[^a]b", inner=b"/b/\n!/b", exclude=b"")
    @example(top=b"?**/b\n**\\/a", inner=b"**", exclude=b"")
    def test_generated_rules(
        self,
        tree: Tree,
        top: bytes,
        inner: bytes,
        exclude: bytes,
    ) -> None:
        """Whatever the three levels of rules say, git and we ignore the same paths."""
        root, paths = tree
        (root / ".gitignore").write_bytes(top)
        (root / "a" / ".gitignore").write_bytes(inner)
        (root / ".git" / "info").mkdir(exist_ok=True)
        (root / ".git" / "info" / "exclude").write_bytes(exclude)
        (root / ".muse" / "info").mkdir(parents=True, exist_ok=True)
        (root / ".muse" / "info" / "exclude").write_bytes(exclude)
        assert ours(root, paths) == git_ignored(root, [path for path, _ in paths])


class TestPrecedence:
    """Where several files speak about one name."""

    def test_museignore_wins_over_gitignore_of_its_folder(self, tmp_path: Path) -> None:
        """`.museignore` is read after `.gitignore`, so its rules decide."""
        (tmp_path / ".gitignore").write_text("*.log\n!keep\n")
        (tmp_path / ".museignore").write_text("!a.log\nkeep\n")
        rules = IgnoreRules(tmp_path)
        assert not rules.is_ignored(b"a.log", is_folder=False)
        assert rules.is_ignored(b"b.log", is_folder=False)
        assert rules.is_ignored(b"keep", is_folder=False)

    def test_gitignore_can_be_switched_off(self, tmp_path: Path) -> None:
        """With ``core.gitignore = false`` only `.museignore` counts."""
        (tmp_path / ".gitignore").write_text("a\n")
        (tmp_path / ".museignore").write_text("b\n")
        rules = IgnoreRules(tmp_path, gitignore=False)
        assert not rules.is_ignored(b"a", is_folder=False)
        assert rules.is_ignored(b"b", is_folder=False)

    @pytest.mark.parametrize("name", [b".muse", b".git", b"sub/.git", b"sub/.muse"])
    def test_own_folders_are_always_ignored(self, tmp_path: Path, name: bytes) -> None:
        """No rule takes `.muse` or `.git` back in, at any depth."""
        (tmp_path / ".gitignore").write_text("!.muse\n!.git\n")
        assert IgnoreRules(tmp_path).is_ignored(name, is_folder=True)

    def test_rules_are_read_anew_after_forget(self, tmp_path: Path) -> None:
        """`forget` drops what a folder and those below it had read."""
        (tmp_path / "sub").mkdir()
        rules = IgnoreRules(tmp_path)
        assert not rules.is_ignored(b"sub/x", is_folder=False)
        (tmp_path / "sub" / ".museignore").write_text("x\n")
        rules.forget(b"sub")
        assert rules.is_ignored(b"sub/x", is_folder=False)


class TestHostileFiles:
    """Ignore files that somebody else wrote."""

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        """A `.gitignore` that is a link says nothing, as in git."""
        (tmp_path / "rules").write_text("a\n")
        (tmp_path / ".gitignore").symlink_to("rules")
        assert not IgnoreRules(tmp_path).is_ignored(b"a", is_folder=False)

    def test_a_fifo_does_not_hang(self, tmp_path: Path) -> None:
        """A `.gitignore` that is no plain file says nothing."""
        os.mkfifo(tmp_path / ".gitignore")
        assert not IgnoreRules(tmp_path).is_ignored(b"a", is_folder=False)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_an_unreadable_file_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        """Rules that cannot be read are never taken for no rules."""
        (tmp_path / ".gitignore").write_text("secret\n")
        (tmp_path / ".gitignore").chmod(0)
        with pytest.raises(IoFailedError, match=r"\.gitignore"):
            IgnoreRules(tmp_path).is_ignored(b"secret", is_folder=False)

    @pytest.mark.parametrize(
        "line",
        [
            b"*a" * 40 + b"b",
            b"**/" * 40 + b"b",
            b"**/a*a*/" * 15 + b"b",
            b"x/" + b"*?" * 40 + b"b",
            b"**/" + b"a*" * 40 + b"/**/b",
            b"x/*" + b"[ab]*" * 40 + b"c",
        ],
    )
    def test_no_pattern_takes_for_ever(self, line: bytes) -> None:
        """Many stars against a long name that almost matches are answered at once."""
        pattern = parse_line(line)
        assert pattern is not None
        # Without the atomic groups this does not end in a lifetime.
        for path in (b"a" * 255, b"/".join([b"a" * 40] * 60), b"x/" + b"a" * 255, b"a/" * 900):
            assert not pattern.match(path)

    @settings(max_examples=150, deadline=None)
    @given(data=st.binary(max_size=200))
    def test_any_bytes_parse(self, data: bytes) -> None:
        """Arbitrary bytes give rules or none, never an exception."""
        for pattern in parse_ignore_file(data):
            pattern.match(b"a/b")
