"""What fingers that know git type: it works, or the error says what to type instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muse.cli.habits import OPTIONS
from muse.cli.parsing import QUIET
from muse.core.config import set_value
from tests.cli.conftest import Cli


@pytest.fixture
def song(cli: Cli, repo: Path) -> Path:
    """A repository with three commits of `a`."""
    for text in ("1", "2", "3"):
        (repo / "a").write_text(text)
        assert cli("commit", "-m", text, cwd=repo).code == 0
    return repo


@pytest.mark.parametrize(
    "line", ["-2 --oneline", "--oneline -2", "--oneline HEAD -2", "--oneline -2 -- a"]
)
def test_a_count_of_commits(cli: Cli, song: Path, line: str) -> None:
    """`log -2` is `log -n 2`, wherever it stands."""
    assert len(cli("log", *line.split(), cwd=song).out.splitlines()) == 2


def test_a_file_that_looks_like_a_count(cli: Cli, song: Path) -> None:
    """Behind `--` it is a path."""
    (song / "-2").write_text("x")
    assert cli("commit", "-m", "4", cwd=song).code == 0
    assert len(cli("log", "--oneline", "--", "-2", cwd=song).out.splitlines()) == 1


@pytest.mark.parametrize(
    "line", ["branch HEAD", "branch -m main HEAD", "switch -c HEAD", "checkout -b HEAD"]
)
def test_no_branch_is_called_head(cli: Cli, song: Path, line: str) -> None:
    """HEAD already means something, and a branch of that name would hide it."""
    done = cli(*line.split(), cwd=song)
    assert done.code != 0
    assert "cannot be called 'HEAD'" in done.err


@pytest.mark.parametrize("verb", ["merge", "rebase", "clean", "cat-file", "ls-files", "prune"])
def test_what_muse_has_not(cli: Cli, song: Path, verb: str) -> None:
    """A command of git's is answered with what there is, not with a word that looks like it."""
    done = cli(verb, cwd=song)
    assert done.code == 2
    assert "Did you mean" not in done.err


@pytest.mark.parametrize(
    ("program", "option"), [(program, option) for program in OPTIONS for option in OPTIONS[program]]
)
def test_every_hint_is_of_use(cli: Cli, song: Path, program: str, option: str) -> None:
    """Each option that has a hint is indeed not there, and its hint is shown."""
    done = cli(program.removeprefix("muse "), option, cwd=song)
    assert done.code == 2
    assert OPTIONS[program][option] in done.err.replace("\n", " ")


class TestQuiet:
    """`-q` where git has it: success says nothing, an error says all."""

    @pytest.mark.parametrize("verb", sorted(QUIET))
    def test_success_is_silent(self, cli: Cli, song: Path, verb: str) -> None:
        """Nothing is written to either stream."""
        hub = song.parent / "hub"
        assert cli("clone", "--bare", str(song), str(hub)).code == 0
        assert cli("remote", "add", "origin", str(hub), cwd=song).code == 0
        assert cli("push", "-u", "origin", "main", cwd=song).code == 0
        (song / "a").write_text("4")
        lines = {
            "checkout": "checkout -q -b topic",
            "clone": f"clone -q {hub} {song.parent}/copy",
            "commit": "commit -qm four",
            "init": f"init -q {song.parent}/new",
            "restore": "restore -q a",
            "rm": "rm -q -f a",
            "switch": "switch -qc topic",
        }
        done = cli(*lines.get(verb, f"{verb} -q").split(), cwd=song)
        assert (done.code, done.out, done.err) == (0, "", "")

    def test_errors_are_not(self, cli: Cli, song: Path) -> None:
        """What went wrong is said, with its hint."""
        done = cli("switch", "-q", "nowhere", cwd=song)
        assert done.code == 4
        assert "'nowhere'" in done.err
        assert "hint: " in done.err

    def test_a_program_gets_its_object(self, cli: Cli, song: Path) -> None:
        """`--json` asks for exactly one object, and `-q` takes nothing from it."""
        assert json.loads(cli("switch", "-qc", "topic", "--json", cwd=song).out)["created"] is True


class TestPathsInTheWrongPlace:
    """A path where Muse takes none: the hint is the command that takes it."""

    @pytest.mark.parametrize("line", ["checkout a", "checkout ."])
    def test_checkout(self, cli: Cli, song: Path, line: str) -> None:
        """A file or folder that is not behind `--` is for `restore`, gone or not."""
        (song / "a").unlink()
        done = cli(*line.split(), cwd=song)
        assert done.code == 4
        assert f"'muse restore {line.split()[1]}'" in done.err

    def test_checkout_of_what_is_nothing(self, cli: Cli, song: Path) -> None:
        """A word that names neither gets the hint for revisions."""
        for word in ("nothing", "../nothing"):
            done = cli("checkout", word, cwd=song)
            assert done.code != 0
            assert "restore" not in done.err

    def test_commit(self, cli: Cli, song: Path) -> None:
        """`commit <path>` points at `add`; nothing is committed."""
        (song / "a").write_text("4")
        done = cli("commit", "a", "-m", "x", cwd=song)
        assert done.code == 2
        assert "'muse add <path>' stages it" in done.err

    def test_reset_head_of_a_file(self, cli: Cli, song: Path) -> None:
        """`reset HEAD a` is `reset a`; with a file of that name, HEAD is the file."""
        (song / "a").write_text("4")
        assert cli("add", "a", cwd=song).code == 0
        assert cli("reset", "HEAD", "a", cwd=song).out == "unstaged 'a'\n"
        (song / "HEAD").write_text("x")
        assert cli("add", "a", "HEAD", cwd=song).code == 0
        assert cli("reset", "HEAD", cwd=song).out == "unstaged 'HEAD'\n"

    def test_reset_to_a_commit(self, cli: Cli, song: Path) -> None:
        """Nothing moves; the hint names what takes back, and what begins elsewhere."""
        done = cli("reset", "HEAD~1", cwd=song)
        assert done.code == 4
        assert "'muse undo'" in done.err
        assert "'muse switch -c <new> HEAD~1'" in done.err
        assert "muse undo" not in cli("reset", "nothing", cwd=song).err


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("remote prune origin", "'muse remote' knows no 'prune'.", "muse fetch --prune"),
        ("remote foo", "'muse remote' knows no 'foo'.", "There are: add, remove"),
        ("remote shwo", "'muse remote' knows no 'shwo'.", "Did you mean 'show'?"),
        ("log -n x", "'x' is not a whole number", "muse log --help"),
    ],
)
def test_argparse_is_translated(cli: Cli, song: Path, line: str, message: str, hint: str) -> None:
    """What argparse finds wrong is said as every other error is."""
    done = cli(*line.split(), cwd=song)
    assert done.code == 2
    assert message in done.err
    assert hint in done.err
    assert "argument " not in done.err


def test_a_name_that_no_remote_can_have(cli: Cli, song: Path) -> None:
    """The error shows what was typed, and no name from the inside."""
    done = cli("remote", "add", "a b", "c", cwd=song)
    assert done.code == 2
    assert "'a b' cannot be a remote's name." in done.err
    assert "refs/" not in done.err


def test_the_branch_in_short_status(cli: Cli, tmp_path: Path, song: Path) -> None:
    """`status -sb` begins with git's line of the branch, and how far it is."""
    copy = tmp_path / "copy"
    assert cli("clone", str(song), str(copy)).code == 0
    (copy / "b").write_text("b")
    assert cli("commit", "-m", "b", cwd=copy).code == 0
    assert cli("status", "-sb", cwd=copy).out == "## main...origin/main [ahead 1]\n"
    assert cli("status", "-sb", cwd=song).out == "## main\n"
    assert cli("switch", "--detach", "HEAD", cwd=song).code == 0
    assert cli("status", "-sb", cwd=song).out == "## HEAD (no branch)\n"
    assert cli("init", str(tmp_path / "new")).code == 0
    assert cli("status", "-sb", cwd=tmp_path / "new").out == "## No commits yet on main\n"


def test_a_first_commit_of_nothing(cli: Cli, repo: Path) -> None:
    """Where there is no commit yet, none is spoken of; the hint depends on what is there."""
    done = cli("commit", "-m", "x", cwd=repo)
    assert done.code == 1
    assert "there is no commit yet, and no file for a first one" in done.err
    (repo / "a").write_text("a")
    done = cli("commit", "-a", "-m", "x", cwd=repo)
    assert done.code == 1
    assert "no file is tracked. Track files with 'muse add <path>'." in done.err


def test_a_renamed_branch_leaves_no_settings(cli: Cli, tmp_path: Path, song: Path) -> None:
    """The table of the old name goes with its last setting; comments in one keep it."""
    copy = tmp_path / "copy"
    assert cli("clone", str(song), str(copy)).code == 0
    assert cli("branch", "-m", "main", "trunk", cwd=copy).code == 0
    settings = (copy / ".muse" / "config.toml").read_text()
    assert "[branch.main]" not in settings
    assert "[branch.trunk]" in settings
    assert set_value(b"[a]\n# why\nb = 1\n", "a.b", None) == b"[a]\n# why\n"


def test_tracked_files_only(cli: Cli, song: Path) -> None:
    """`add -u` has nothing to say of a repository that it would not touch."""
    assert cli("init", "inner", cwd=song).code == 0
    (song / "inner" / "x").write_text("x")
    assert "repository of its own" in cli("add", "-A", cwd=song).err
    assert cli("add", "-u", cwd=song).err == ""
