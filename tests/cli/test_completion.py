"""The Tab key, by the engine and by bash itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from muse.cli.completion import FILES, find_candidates
from muse.cli.registry import CODE_VERBS, VERBS
from tests.cli.conftest import Cli

ASK_BASH = r"""
eval "$(muse completions bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
$(complete -p muse | sed 's/.*-F \([^ ]*\).*/\1/') muse "${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def song(repo: Path) -> Path:
    """A repository with branches, a tag and a remote, written as files."""
    oid = "sha256:" + "1" * 64 + "\n"
    for name in ("heads/main", "heads/topic/one", "tags/v1.0", "remotes/origin/main"):
        path = repo / ".muse" / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(oid, "ascii")
    (repo / ".muse" / "config.toml").write_text('[remote.origin]\nurl = "/srv/song"\n', "utf-8")
    return repo


def _words(line: str, cwd: Path) -> list[str]:
    """Return what completes a line; a trailing blank begins a new word."""
    found = find_candidates(line.split(" ")[1:], cwd=cwd, env=os.environ)
    return [word for word, _ in found]


class TestEngine:
    """What can stand at the cursor."""

    def test_verbs(self, song: Path) -> None:
        """The first word is a command."""
        assert _words("muse ", song) == list(VERBS)
        assert _words("muse sta", song) == ["status"]
        assert _words("muse help re", song) == [v for v in VERBS if v.startswith("re")]
        assert _words("muse code ", song) == list(CODE_VERBS)

    def test_options(self, song: Path) -> None:
        """After a dash come options, of muse itself or of the command."""
        assert "--version" in _words("muse --", song)
        assert _words("muse commit --am", song) == ["--amend"]
        assert _words("muse code commit --am", song) == ["--amend"]
        assert "--json" in _words("muse init -", song)

    def test_global_options_are_skipped(self, song: Path) -> None:
        """-C and the like stand before the command, and -C is honoured."""
        assert _words("muse --json -C song sta", song.parent) == ["status"]
        assert "v1.0" in _words("muse -C song cat-object ", song.parent)
        assert _words("muse -C ", song) == [FILES[0]]

    def test_refs(self, song: Path) -> None:
        """Where a commit can stand, branches, tags and remote branches are offered."""
        words = _words("muse rev-parse ", song)
        assert words == ["main", "topic/one", "v1.0", "origin/main", "HEAD"]
        assert _words("muse rev-parse to", song) == ["topic/one"]

    def test_files(self, song: Path) -> None:
        """Where a path can stand, the shell offers files."""
        assert _words("muse add ", song) == [FILES[0]]
        assert FILES[0] in _words("muse log ", song)
        assert _words("muse log -- ", song) == [FILES[0]]

    def test_values(self, song: Path) -> None:
        """An option with choices offers them."""
        assert _words("muse hash-object -t ", song) == ["blob", "tree", "commit", "tag"]
        assert _words("muse completions ", song) == ["bash", "zsh", "fish"]

    def test_remotes(self, song: Path) -> None:
        """push, fetch and pull offer remotes, then branches."""
        assert _words("muse push ", song) == ["origin"]
        assert "topic/one" in _words("muse push origin ", song)

    def test_subcommands(self, song: Path) -> None:
        """Commands with subcommands offer those first."""
        assert "git-import" in _words("muse bridge ", song)

    def test_nothing_here(self, tmp_path: Path) -> None:
        """Outside a repository, or for an unknown word, there is nothing and no error."""
        assert _words("muse rev-parse ", tmp_path) == []
        assert _words("muse nonsense ", tmp_path) == []

    def test_nothing_is_written(self, song: Path) -> None:
        """Completing does not touch the repository."""
        before = sorted((p, p.stat().st_mtime_ns) for p in song.rglob("*"))
        for line in ("muse ", "muse push ", "muse rev-parse ", "muse config "):
            _words(line, song)
        assert sorted((p, p.stat().st_mtime_ns) for p in song.rglob("*")) == before

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_command(self, verb: str, song: Path) -> None:
        """For every command options and arguments can be completed."""
        assert "--json" in _words(f"muse {verb} --", song)
        _words(f"muse {verb} ", song)


class TestShells:
    """The scripts are what the shells take."""

    @pytest.mark.skipif(
        not shutil.which("bash"), reason="bash itself is asked, and is not installed"
    )
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("muse sta", "status"),
            ("muse commit --al", "--all\n--allow-empty"),
            ("muse rev-parse to", "topic/one"),
            ("muse add ", ""),
        ],
    )
    def test_bash(self, line: str, expected: str, song: Path) -> None:
        """bash, asked through its own machinery, offers these words."""
        done = subprocess.run(
            ["bash", "--norc", "-c", ASK_BASH, "bash", *line.split(" ")],
            cwd=song,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected
        assert done.stderr == ""

    @pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here")
    def test_zsh_parses(self, cli: Cli, tmp_path: Path) -> None:
        """Zsh reads its script."""
        (tmp_path / "s").write_text(cli("completions", "zsh").out, "utf-8")
        subprocess.run(["zsh", "-n", "s"], cwd=tmp_path, check=True)

    @pytest.mark.skipif(not shutil.which("fish"), reason="no fish here")
    def test_fish_parses(self, cli: Cli, tmp_path: Path) -> None:
        """Fish reads its script."""
        (tmp_path / "s").write_text(cli("completions", "fish").out, "utf-8")
        subprocess.run(["fish", "--no-execute", "s"], cwd=tmp_path, check=True)

    def test_unknown_shell(self, cli: Cli) -> None:
        """Another shell is exit 2."""
        assert cli("completions", "tcsh").code == 2
