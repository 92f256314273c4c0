"""``muse status``, ``add``, ``reset``, ``rm`` and ``mv`` as a person or a script meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.paths import stat_cache_path
from tests.cli.conftest import Cli

KEYS = {
    "branch", "head_commit", "upstream", "ahead", "behind", "clean", "dirty", "total_changes",
    "untracked_count", "added", "modified", "deleted", "renamed", "staged", "unstaged", "untracked",
    "conflict_paths",
}  # fmt: skip


@pytest.fixture
def song(cli: Cli, repo: Path) -> Path:
    """A repository with `a`, `b`, `old` and `src/c` committed."""
    (repo / "src").mkdir()
    for name in ("a", "b", "old", "src/c"):
        (repo / name).write_text(f"{name}, and enough text to be told apart\n")
    assert cli("commit", "-m", "First", cwd=repo).code == 0
    return repo


def change_everything(cli: Cli, song: Path) -> None:
    """Make one change of every kind."""
    (song / "a").write_text("staged\n")
    (song / "new").write_text("new\n")
    assert cli("add", "a", "new", cwd=song).code == 0
    assert cli("mv", "old", "renamed", cwd=song).code == 0
    assert cli("rm", "--cached", "b", cwd=song).code == 0
    (song / "a").write_text("changed again\n")
    (song / "src" / "c").unlink()
    (song / "notes").mkdir()
    (song / "notes" / "x\ny").write_text("untracked\n")


class TestJson:
    """What scripts read."""

    def test_every_promised_key(self, cli: Cli, song: Path) -> None:
        """A clean and a changed repository have the same keys."""
        clean = cli("status", "--json", cwd=song).json
        assert clean.keys() >= KEYS
        assert (clean["clean"], clean["dirty"], clean["total_changes"]) == (True, False, 0)
        change_everything(cli, song)
        assert cli("status", "--json", cwd=song).json.keys() == clean.keys()

    def test_each_kind_of_change(self, cli: Cli, song: Path) -> None:
        """Every change is where its name says, and is counted once."""
        change_everything(cli, song)
        found = cli("status", "--json", cwd=song).json
        assert found["branch"] == "main"
        assert found["head_commit"].startswith("sha256:")
        assert found["staged"] == {"added": ["new"], "modified": ["a"], "deleted": ["b"]}
        assert found["unstaged"] == {"added": [], "modified": ["a"], "deleted": ["src/c"]}
        assert found["renamed"] == {"old": "renamed"}
        assert (found["added"], found["modified"]) == (["new"], ["a"])
        assert found["deleted"] == ["b", "src/c"]
        assert found["untracked"] == ["b", "notes/x\\ny"]
        assert found["untracked_count"] == 2
        assert found["total_changes"] == 6
        assert (found["clean"], found["dirty"], found["conflict_paths"]) == (False, True, [])

    def test_an_empty_repository(self, cli: Cli, repo: Path) -> None:
        """Before the first commit there is no head, and that is no error."""
        found = cli("status", "--json", cwd=repo).json
        assert (found["branch"], found["head_commit"], found["clean"]) == ("main", None, True)
        assert (found["upstream"], found["ahead"], found["behind"]) == (None, None, None)

    def test_ahead_and_behind(self, cli: Cli, song: Path, tmp_path: Path) -> None:
        """Against an upstream both distances are counted, in JSON and in words."""
        (song / "a").write_text("second\n")
        cli("commit", "-m", "Second", cwd=song)
        assert cli("remote", "add", "origin", str(tmp_path / "other"), cwd=song).code == 0
        assert cli("init", "--bare", "other").code == 0
        assert cli("push", "-u", "origin", "main", cwd=song).code == 0
        assert "Up to date with origin/main" in cli("status", cwd=song).out
        for number in range(2):
            (song / "a").write_text(f"more {number}\n")
            cli("commit", "-m", "More", cwd=song)
        found = cli("status", "--json", cwd=song).json
        assert (found["upstream"], found["ahead"], found["behind"]) == ("origin/main", 2, 0)
        assert "Ahead of origin/main by 2 commits" in cli("status", cwd=song).out
        cli("switch", "--detach", "main", cwd=song)
        found = cli("status", "--json", cwd=song).json
        assert (found["branch"], found["detached"], found["upstream"]) == (None, True, None)


class TestText:
    """What people read."""

    def test_short_form(self, cli: Cli, song: Path) -> None:
        """One line a path, as git writes them; a new folder is one line."""
        change_everything(cli, song)
        assert cli("status", "-s", cwd=song).out.splitlines() == [
            "MM a",
            "D  b",
            "A  new",
            "R  old -> renamed",
            " D src/c",
            "?? b",
            "?? notes/",
        ]

    def test_words(self, cli: Cli, song: Path) -> None:
        """Each group says how to go on; the exit code is 0, clean or not."""
        clean = cli("status", cwd=song)
        assert (clean.code, "working tree clean" in clean.out) == (0, True)
        change_everything(cli, song)
        outcome = cli("status", cwd=song)
        assert outcome.code == 0
        for text in ("new file:     new", "renamed:      old -> renamed", "deleted:      src/c"):
            assert text in outcome.out
        assert "muse add <path>" in outcome.out

    def test_names_cannot_move_the_cursor(self, cli: Cli, repo: Path) -> None:
        """Control characters in names are made visible (G17)."""
        (repo / "\x1b[2J\r").write_text("x")
        for arguments in (["status"], ["status", "-s"], ["add", "-n", "."]):
            out = cli(*arguments, cwd=repo).out
            assert "\x1b" not in out
            assert "\r" not in out
            assert "\\x1b[2J\\r" in out

    def test_dry_run_names_what_it_would_do(self, cli: Cli, song: Path) -> None:
        """`add -n` lists additions and removals, and stages none."""
        (song / "b").unlink()
        (song / "new").write_text("x")
        assert cli("add", "-n", "-A", cwd=song).out == "remove 'b'\nadd 'new'\n"
        assert cli("status", "--json", cwd=song).json["staged"]["added"] == []


class TestPaths:
    """Paths are relative to where one stands."""

    def test_dot_is_this_folder(self, cli: Cli, song: Path) -> None:
        """`add .` below a folder stages that folder, `-A` everything."""
        (song / "new").write_text("x")
        (song / "src" / "new").write_text("x")
        cli("add", ".", cwd=song / "src")
        assert cli("status", "--json", cwd=song).json["staged"]["added"] == ["src/new"]
        cli("add", "-A", cwd=song / "src")
        assert cli("status", "--json", cwd=song).json["staged"]["added"] == ["new", "src/new"]

    @pytest.mark.parametrize("path", ["..", "/etc/passwd", "../outside", ".muse/HEAD", ".git"])
    def test_outside_is_refused(self, cli: Cli, song: Path, path: str) -> None:
        """What lies outside the tree, or in our own folder, is a usage error."""
        assert cli("add", path, cwd=song).code == 2

    def test_names_that_look_like_options(self, cli: Cli, song: Path) -> None:
        """After `--` everything is a path."""
        (song / "--force").write_text("x")
        assert cli("add", "--", "--force", cwd=song).code == 0
        assert cli("status", "--json", cwd=song).json["staged"]["added"] == ["--force"]

    def test_the_long_form(self, cli: Cli, song: Path) -> None:
        """`muse code add` and `muse code reset` are the same commands."""
        (song / "new").write_text("x")
        assert cli("code", "add", "new", cwd=song).code == 0
        assert cli("code", "reset", cwd=song).out == "unstaged 'new'\n"

    def test_errors_are_one_json_object(self, cli: Cli, song: Path) -> None:
        """With --json an error is an object with its hint and exit code."""
        found = cli("add", "nope", "--json", cwd=song)
        assert found.code == found.json["exit_code"] == 4
        assert found.json["hint"]
        (song / ".museignore").write_text("x.log\n")
        (song / "x.log").write_text("x")
        found = cli("add", "x.log", "--json", cwd=song)
        assert (found.code, "-f" in found.json["hint"]) == (1, True)


class TestReadOnly:
    """Looking needs no writing (G14)."""

    def test_a_cache_that_cannot_be_written(self, cli: Cli, song: Path) -> None:
        """Where the cache's folder is a file, status says what it has to say."""
        stat_cache_path(song).unlink(missing_ok=True)
        cache = song / ".muse" / "cache"
        for left in cache.iterdir():
            left.unlink()
        cache.rmdir()
        cache.write_text("in the way")
        (song / "a").write_text("changed\n")
        assert cli("status", "-s", cwd=song).out == " M a\n"
        assert cli("add", "a", cwd=song).code == 0
