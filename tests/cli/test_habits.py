"""What fingers that know git type: it works, or the error says what to type instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.cli.habits import OPTIONS
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
