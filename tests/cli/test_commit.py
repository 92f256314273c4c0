"""``muse commit``: messages, people, drafts, and what goes in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from muse.core.repo import open_repo
from tests.cli.conftest import Cli
from tests.conftest import Run

DRAFT = Path(".muse/drafts/commit-message")


@pytest.fixture
def song(repo: Path) -> Path:
    """A repository with two new files."""
    (repo / "a").write_bytes(b"1\n")
    (repo / "src").mkdir()
    (repo / "src" / "b").write_bytes(b"2\n")
    return repo


def _editor(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make $EDITOR a shell script; $1 is the file to edit."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(path))


def _head(root: Path) -> str:
    commit = open_repo(root).head_commit()
    assert commit is not None
    return commit.text


class TestWhatGoesIn:
    """The stage, or everything."""

    def test_nothing_staged_takes_all(self, cli: Cli, song: Path) -> None:
        """With an empty stage all changes go in, and the output says so."""
        outcome = cli("commit", "-m", "First", cwd=song)
        assert outcome.code == 0
        assert outcome.out.startswith("[main first commit, ")
        assert "2 files changed: 2 added" in outcome.out
        assert "all changes were committed" in outcome.out
        assert cli("status", "--json", cwd=song).json["clean"] is True

    def test_stage_goes_in_alone(self, cli: Cli, song: Path) -> None:
        """With a stage only that goes in, and nothing is said about all."""
        cli("add", "a", cwd=song)
        found = cli("commit", "-m", "First", "--json", cwd=song).json
        assert (found["files_changed"], found["added"], found["took_all"]) == (1, 1, False)
        assert cli("status", "--json", cwd=song).json["untracked_count"] == 1

    def test_all_means_tracked(self, cli: Cli, song: Path) -> None:
        """-a takes changes of tracked files, and no new file."""
        cli("add", "a", cwd=song)
        cli("commit", "-m", "First", cwd=song)
        (song / "a").write_bytes(b"2\n")
        found = cli("commit", "-a", "-m", "Second", "--json", cwd=song).json
        assert (found["modified"], found["added"]) == (1, 0)

    def test_nothing_to_commit(self, cli: Cli, song: Path) -> None:
        """Nothing to commit is exit 1 and one line."""
        cli("commit", "-m", "First", cwd=song)
        outcome = cli("commit", "-m", "Again", cwd=song)
        assert outcome.code == 1
        assert outcome.err.startswith("error: Nothing to commit")
        assert outcome.out.count("\n") + outcome.err.count("\n") == 1
        assert cli("commit", "-m", "Again", "--json", cwd=song).json["exit_code"] == 1
        assert cli("commit", "-m", "Again", "--allow-empty", cwd=song).code == 0

    def test_amend(self, cli: Cli, song: Path) -> None:
        """--amend replaces the commit, keeps its author and is told by what it changes."""
        cli("add", "a", cwd=song)
        cli("commit", "-m", "First", "--author", "Bob <b@c>", cwd=song)
        cli("add", "src/b", cwd=song)
        found = cli("commit", "--amend", "--no-edit", "--json", cwd=song).json
        assert (found["parents"], found["author"], found["subject"]) == ([], "Bob <b@c>", "First")
        assert found["added"] == 2
        assert cli("commit", "--amend", "-m", "Better", cwd=song).code == 0
        assert _head(song) == "Better\n"

    def test_amend_before_the_first(self, cli: Cli, repo: Path) -> None:
        """There is nothing to amend in an empty repository."""
        assert cli("commit", "--amend", "-m", "x", cwd=repo).code == 2

    def test_damaged_stage(self, cli: Cli, song: Path) -> None:
        """A stage that is damaged is exit 3 with the way out, and no commit."""
        (song / ".muse" / "code" / "stage.msgpack").write_bytes(b"half a sta")
        for line in (["commit", "-m", "x"], ["status"]):
            outcome = cli(*line, cwd=song)
            assert outcome.code == 3, outcome
            assert "stage" in outcome.err
            assert "hint:" in outcome.err
        assert open_repo(song).head().commit is None

    def test_git_agrees(self, song: Path, muse: Run, git: Run) -> None:
        """The same files, people and dates give git's commit id."""
        muse("commit", "-m", "First", "-m", "Second paragraph  ", cwd=song)
        git("init", "-b", "main", "--object-format=sha256", cwd=song)
        git("add", "a", "src", cwd=song)
        git("commit", "-m", "First", "-m", "Second paragraph  ", cwd=song)
        theirs = git("rev-parse", "HEAD", cwd=song).stdout.decode()
        assert muse("rev-parse", "HEAD", cwd=song).stdout.decode() == f"sha256:{theirs}"


class TestMessage:
    """Where the message comes from."""

    def test_paragraphs(self, cli: Cli, song: Path) -> None:
        """Each -m is a paragraph, and # stays."""
        cli("commit", "-m", "One", "-m", "#2 is fixed", cwd=song)
        assert _head(song) == "One\n\n#2 is fixed\n"

    def test_file(self, cli: Cli, song: Path) -> None:
        """-F reads a file; a missing one is exit 4."""
        (song.parent / "message").write_text("From a file\n\n", "utf-8")
        assert cli("commit", "-F", "../nothing", cwd=song).code == 4
        cli("commit", "-F", "../message", cwd=song)
        assert _head(song) == "From a file\n"

    def test_stdin(self, song: Path, muse: Run) -> None:
        """-F - reads standard input, whatever its bytes."""
        muse("commit", "-F", "-", cwd=song, input=b"caf\xe9\n")
        commit = open_repo(song).head_commit()
        assert commit is not None
        assert commit.message == b"caf\xe9\n"

    @pytest.mark.parametrize(
        "line",
        [
            ["-m", "x", "-F", "y"],
            ["-m", ""],
            ["-m", "  \n "],
            ["--no-edit"],
            ["-m", "x", "--author", "Bob"],
        ],
    )
    def test_refused(self, line: list[str], cli: Cli, song: Path) -> None:
        """Contradictions and empty messages are exit 2, and nothing is committed."""
        assert cli("commit", *line, cwd=song).code == 2
        assert open_repo(song).head().commit is None

    def test_no_editor(self, song: Path, muse: Run) -> None:
        """Without -m, an editor and a terminal the hint is -m."""
        done = muse("commit", cwd=song, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 2
        assert b"-m" in done.stderr


class TestEditor:
    """What is typed in the editor is never lost (G12)."""

    def test_editor(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The editor sees what goes in as comments, and its text is the message."""
        _editor(song.parent, 'cp "$1" "$1.seen"; echo "Typed" > "$1"', monkeypatch)
        assert cli("commit", cwd=song).code == 0
        assert _head(song) == "Typed\n"
        seen = (song / f"{DRAFT}.seen").read_text("utf-8")
        assert "#   added     src/b" in seen
        assert "nothing is staged, so all changes" in seen
        assert not (song / DRAFT).exists()

    def test_amend_shows_the_message(
        self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """--amend opens the editor on the old message."""
        cli("commit", "-m", "Old", cwd=song)
        _editor(song.parent, 'echo "and new" >> "$1"', monkeypatch)
        cli("commit", "--amend", cwd=song)
        assert _head(song) == "Old\n\nand new\n"

    def test_empty_message(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty message aborts, and an untouched draft does not stay."""
        for script in ("true", 'echo > "$1"'):
            _editor(song.parent, script, monkeypatch)
            outcome = cli("commit", cwd=song)
            assert outcome.code == 1
            assert "empty" in outcome.err
            assert not (song / DRAFT).exists()

    def test_comments_alone(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Comments alone abort, and the error names the file that keeps them."""
        _editor(song.parent, 'echo "# my thoughts" > "$1"', monkeypatch)
        outcome = cli("commit", cwd=song)
        assert outcome.code == 1
        assert str(song / DRAFT) in outcome.err
        assert (song / DRAFT).read_text("utf-8") == "# my thoughts\n"

    def test_editor_that_fails(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A failing editor aborts; what was typed is shown again by the next attempt."""
        _editor(song.parent, 'echo "Half a" > "$1"; exit 3', monkeypatch)
        outcome = cli("commit", cwd=song)
        assert outcome.code == 1
        assert "exit code 3" in outcome.err
        assert str(song / DRAFT) in outcome.err
        _editor(song.parent, "true", monkeypatch)
        assert cli("commit", cwd=song).code == 0
        assert _head(song) == "Half a\n"

    def test_killed_while_typing(
        self, song: Path, muse: Run, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Kill -9 while the editor is open loses nothing that was saved."""
        _editor(song.parent, 'echo "Typed" > "$1"; kill -9 $PPID', monkeypatch)
        assert muse("commit", cwd=song, check=False).returncode == -9
        _editor(song.parent, "true", monkeypatch)
        assert cli("commit", cwd=song).code == 0
        assert _head(song) == "Typed\n"

    def test_commit_that_fails(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """When the commit fails after the editor, the hint says where the message is."""
        broken = 'echo Typed > "$1"; printf broken > .muse/code/stage.msgpack'
        _editor(song.parent, broken, monkeypatch)
        outcome = cli("commit", cwd=song)
        assert outcome.code == 3
        assert str(song / DRAFT) in outcome.err
        assert (song / DRAFT).read_text("utf-8") == "Typed\n"

    def test_nothing_to_write_about(
        self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With nothing to commit the editor is not even opened."""
        cli("commit", "-m", "First", cwd=song)
        _editor(song.parent, "touch opened", monkeypatch)
        assert cli("commit", cwd=song).code == 1
        assert not (song / "opened").exists()

    def test_missing_editor(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An editor that does not exist is an error that names it."""
        monkeypatch.setenv("EDITOR", "/no/such/editor --wait")
        outcome = cli("commit", cwd=song)
        assert outcome.code == 3
        assert "/no/such/editor" in outcome.err

    def test_repository_has_no_say(self, song: Path, muse: Run) -> None:
        """An editor in the repository's own configuration is never run (G16)."""
        (song / ".muse" / "config.toml").write_text('[core]\neditor = "touch owned"\n', "utf-8")
        done = muse("commit", cwd=song, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 2
        assert not (song / "owned").exists()

    def test_order(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """$MUSE_EDITOR goes before the user's core.editor, and that before $EDITOR."""
        _editor(song.parent, 'echo environment > "$1"', monkeypatch)
        cli("config", "--user", "core.editor", "sh -c 'echo settings > \"$0\"'", cwd=song)
        assert cli("commit", cwd=song).code == 0
        assert _head(song) == "settings\n"
        monkeypatch.setenv("MUSE_EDITOR", "sh -c 'echo first > \"$0\"'")
        cli("commit", "--amend", cwd=song)
        assert _head(song) == "first\n"


class TestIdentity:
    """A commit never fails for want of a name, but it never guesses in silence."""

    def test_guess_is_announced_after_success(
        self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without any identity the commit is made, and the warning says how to set one."""
        for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
            monkeypatch.delenv(f"MUSE_{name}")
        outcome = cli("commit", "-m", "First", cwd=song)
        assert outcome.code == 0
        assert outcome.err.count("warning:") == 1
        assert "muse config --user user.name" in outcome.err
        assert "warning:" not in cli("commit", "-m", "Again", cwd=song).err

    def test_settings(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """user.name and user.email are used without a word."""
        for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
            monkeypatch.delenv(f"MUSE_{name}")
        cli("config", "user.name", "Ada L", cwd=song)
        cli("config", "user.email", "ada@l", cwd=song)
        outcome = cli("commit", "-m", "First", "--json", cwd=song)
        assert outcome.err == ""
        assert outcome.json["author"] == outcome.json["committer"] == "Ada L <ada@l>"

    @pytest.mark.parametrize("variable", ["MUSE_AUTHOR_DATE", "MUSE_COMMITTER_DATE"])
    def test_bad_date(
        self, variable: str, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A date that is none is exit 2 and commits nothing."""
        monkeypatch.setenv(variable, "soon")
        assert cli("commit", "-m", "x", cwd=song).code == 2
        assert open_repo(song).head().commit is None

    def test_control_characters(self, cli: Cli, song: Path) -> None:
        """A subject with control characters is stored as it is, and shown escaped (G17)."""
        outcome = cli("commit", "-m", "evil\x1b[2J", cwd=song)
        assert "\x1b" not in outcome.out
        assert _head(song) == "evil\x1b[2J\n"
