"""``muse diff`` and ``muse show``, as typed."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.conftest import Run


@pytest.fixture
def song(repo: Path, cli: Cli) -> Path:
    """Return a repository with two commits, one staged and one unstaged change."""
    (repo / "src").mkdir()
    (repo / "src" / "app.py").write_text("def f():\n    return 1\n")
    (repo / "notes").write_text("one\ntwo\nthree\n")
    assert cli("commit", "-m", "First", cwd=repo).code == 0
    (repo / "notes").write_text("one\n2\nthree\n")
    assert cli("commit", "-m", "Second\n\nWith a body.", cwd=repo).code == 0
    (repo / "src" / "app.py").write_text("def f():\n    return 2\n")
    assert cli("add", "src", cwd=repo).code == 0
    (repo / "notes").write_text("one\n2\nthree\nfour\n")
    return repo


def names(outcome_text: str) -> list[str]:
    """Return the lines of a list."""
    return outcome_text.split()


class TestWhichSides:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ([], ["notes"]),
            (["--staged"], ["src/app.py"]),
            (["--cached"], ["src/app.py"]),
            (["HEAD"], ["notes", "src/app.py"]),
            (["HEAD~1"], ["notes", "src/app.py"]),
            (["HEAD~1", "HEAD"], ["notes"]),
            (["HEAD~1..HEAD"], ["notes"]),
            (["HEAD~1..."], ["notes"]),
            (["HEAD~1..main"], ["notes"]),
            (["--staged", "HEAD~1"], ["notes", "src/app.py"]),
            (["HEAD", "--", "src"], ["src/app.py"]),
            (["HEAD", "src"], ["src/app.py"]),
            (["notes"], ["notes"]),
            (["*.py"], []),
            (["HEAD", "*.py"], ["src/app.py"]),
            (["--", "src"], []),
        ],
    )
    def test_names_of_what_differs(
        self, song: Path, cli: Cli, words: list[str], expected: list[str]
    ) -> None:
        """Each form compares the two sides that it names."""
        at = words.index("--") if "--" in words else len(words)
        outcome = cli("diff", *words[:at], "--name-only", *words[at:], cwd=song)
        assert (outcome.code, names(outcome.out)) == (0, expected)

    def test_a_path_is_relative_to_where_one_stands(self, song: Path, cli: Cli) -> None:
        """In a subfolder, its own files are named without the folder."""
        outcome = cli("diff", "HEAD", "--name-only", "app.py", cwd=song / "src")
        assert names(outcome.out) == ["src/app.py"]

    def test_two_files_of_any_commits(self, song: Path, cli: Cli) -> None:
        """A file of one commit is compared with another file of another one."""
        outcome = cli("diff", "HEAD~1:notes", "HEAD:src/app.py", cwd=song)
        assert outcome.out.startswith("diff --git a/notes b/src/app.py\n")

    def test_a_deleted_file_is_still_a_path(self, song: Path, cli: Cli) -> None:
        """A tracked file that is gone needs no dashes."""
        (song / "notes").unlink()
        assert cli("diff", "notes", "--name-status", cwd=song).out == "D\tnotes\n"


class TestForms:
    def test_a_patch(self, song: Path, cli: Cli) -> None:
        """The default is a patch."""
        outcome = cli("diff", "-U0", cwd=song)
        assert outcome.out.endswith("--- a/notes\n+++ b/notes\n@@ -3,0 +4 @@ three\n+four\n")

    def test_counts(self, song: Path, cli: Cli) -> None:
        """--stat, --numstat and --shortstat count the same lines."""
        assert cli("diff", "HEAD", "--numstat", cwd=song).out == "1\t0\tnotes\n1\t1\tsrc/app.py\n"
        sums = " 2 files changed, 2 insertions(+), 1 deletion(-)\n"
        assert cli("diff", "HEAD", "--shortstat", cwd=song).out == sums
        assert cli("diff", "HEAD", "--stat", cwd=song).out.endswith(sums)

    def test_json_holds_the_hunks(self, song: Path, cli: Cli) -> None:
        """With --json files, hunks and lines are data."""
        data = cli("diff", "--json", cwd=song).json
        assert (data["total_files"], data["added"], data["removed"]) == (1, 1, 0)
        (file,) = data["files"]
        assert (file["status"], file["path"]) == ("M", "notes")
        line = file["hunks"][0]["lines"][-1]
        assert line == {"origin": "+", "text": "four", "old_no": None, "new_no": 4}

    def test_json_of_counts_and_names(self, song: Path, cli: Cli) -> None:
        """With --stat there are numbers without hunks, with --name-only neither."""
        (file,) = cli("diff", "--json", "--stat", cwd=song).json["files"]
        assert (file["added"], "hunks" in file) == (1, False)
        (file,) = cli("diff", "--json", "--name-only", cwd=song).json["files"]
        assert "added" not in file

    def test_a_rename_is_one_change(self, song: Path, cli: Cli) -> None:
        """A staged move is a rename, unless renames are not wanted."""
        (song / "notes").rename(song / "texts")
        assert cli("add", "-A", cwd=song).code == 0
        outcome = cli("diff", "--staged", "--name-status", "--", "notes", "texts", cwd=song)
        assert outcome.out == "R070\tnotes\ttexts\n"
        outcome = cli("diff", "--staged", "--no-renames", "--name-status", "notes", cwd=song)
        assert outcome.out == "D\tnotes\n"
        (file,) = (
            f
            for f in cli("diff", "--staged", "--json", cwd=song).json["files"]
            if f["status"] == "R"
        )
        assert (file["old_path"], file["path"], file["similarity"]) == ("notes", "texts", 70)

    def test_exit_codes_for_scripts(self, song: Path, cli: Cli) -> None:
        """--exit-code and --quiet answer by the exit code; otherwise it is 0."""
        assert cli("diff", cwd=song).code == 0
        assert cli("diff", "--exit-code", "--stat", cwd=song).code == 1
        quiet = cli("diff", "--quiet", cwd=song)
        assert (quiet.code, quiet.out) == (1, "")
        assert cli("diff", "--quiet", "HEAD", "HEAD", cwd=song).code == 0

    def test_no_difference_says_nothing(self, song: Path, cli: Cli) -> None:
        """Equal sides print nothing and exit with 0."""
        for form in ("--patch", "--stat", "--name-only", "--numstat", "--shortstat"):
            assert cli("diff", "HEAD", "HEAD", form, cwd=song) == (0, "", "")


class TestPipesAndTerminals:
    ODD = b"\x1b[31mred\x1b[0m \x07bell \xff\r\n"

    def test_a_pipe_gets_the_bytes(self, song: Path, muse: Run, git: Run) -> None:
        """A patch in a pipe is exact: git applies it."""
        (song / "notes").write_bytes(self.ODD)
        patch = muse("diff", "HEAD", "--", "notes", cwd=song).stdout
        assert b"+" + self.ODD in patch
        (song / "notes").write_text("one\n2\nthree\n")
        git("apply", "-", cwd=song, input=patch)
        assert (song / "notes").read_bytes() == self.ODD

    def test_a_terminal_gets_what_cannot_control_it(self, song: Path) -> None:
        """On a terminal only our own colours are escapes."""
        (song / "notes").write_bytes(self.ODD)
        shown = on_terminal(song, "muse", "--no-pager", "diff", "notes")
        assert b"\\x1b[31mred\\x1b[0m \\x07bell \\xff\\r" in shown
        assert b"\x1b[31mred" not in shown
        assert b"\x1b[32m+" in shown

    def test_no_color_is_honoured(self, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With NO_COLOR there is no escape at all, not even the content's."""
        monkeypatch.setenv("NO_COLOR", "1")
        (song / "notes").write_bytes(self.ODD)
        assert b"\x1b" not in on_terminal(song, "muse", "--no-pager", "diff", "notes")


def on_terminal(folder: Path, *command: str) -> bytes:
    """Run a command on a terminal of its own and return what it wrote there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ):  # fmt: skip
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    return shown


class TestMistakes:
    def test_neither_revision_nor_path(self, song: Path, cli: Cli) -> None:
        """A word that names nothing is an error with code 4."""
        outcome = cli("diff", "nonsense", cwd=song)
        assert (outcome.code, outcome.out) == (4, "")
        assert "nonsense" in outcome.err

    def test_both_revision_and_path(self, song: Path, cli: Cli) -> None:
        """A word that may be both asks for dashes, and dashes settle it."""
        (song / "main").write_text("x\n")
        outcome = cli("diff", "main", cwd=song)
        assert (outcome.code, "both a revision and a path" in outcome.err) == (2, True)
        assert cli("diff", "main", "--", cwd=song).code == 0
        assert cli("diff", "--", "main", cwd=song).code == 0

    @pytest.mark.parametrize(
        "words",
        [
            ["HEAD", "HEAD", "HEAD", "--"],
            ["--staged", "HEAD", "HEAD~1"],
            ["HEAD~1..HEAD", "main"],
            ["-U", "-1"],
            ["--find-renames", "0"],
            ["--stat", "--name-only"],
            ["../outside"],
        ],
    )
    def test_wrong_arguments(self, song: Path, cli: Cli, words: list[str]) -> None:
        """What makes no sense is a usage error, with a hint."""
        outcome = cli("diff", *words, cwd=song)
        assert outcome.code in {2, 4}
        assert "hint:" in outcome.err

    def test_a_bare_repository(self, cli: Cli, tmp_path: Path) -> None:
        """Without a working tree two commits must be named."""
        assert cli("init", "--bare", "place").code == 0
        outcome = cli("diff", cwd=tmp_path / "place")
        assert (outcome.code, "Name two commits" in outcome.err) == (2, True)


class TestShow:
    def test_a_commit(self, song: Path, cli: Cli) -> None:
        """A commit shows who, when, why and what."""
        lines = cli("show", cwd=song).out.splitlines()
        assert lines[0].startswith("commit sha256:")
        assert lines[1] == "Author: Ada <ada@example.com>"
        assert lines[4:7] == ["    Second", "", "    With a body."]
        assert lines[-4:] == [" one", "-two", "+2", " three"]

    def test_json(self, song: Path, cli: Cli) -> None:
        """A commit's data has its ids, its people, its message and its files."""
        data = cli("show", "--json", cwd=song).json
        assert data["commit_id"].startswith("sha256:")
        assert data["tree_id"].startswith("sha256:")
        assert len(data["parents"]) == 1
        assert data["author"] == "Ada <ada@example.com>"
        assert data["committed_at"] == "2023-11-14T23:13:20+01:00"
        assert data["message"] == "Second\n\nWith a body.\n"
        assert [file["path"] for file in data["files"]] == ["notes"]

    def test_the_first_commit_adds_everything(self, song: Path, cli: Cli) -> None:
        """A commit without parents is compared with nothing."""
        outcome = cli("show", "--name-status", "HEAD~1", cwd=song)
        assert outcome.out.endswith("\n\nA\tnotes\nA\tsrc/app.py\n")
        outcome = cli("show", "--name-status", "HEAD~1", "--", "src", cwd=song)
        assert outcome.out.endswith("\n\nA\tsrc/app.py\n")

    def test_a_file_byte_for_byte(self, song: Path, muse: Run) -> None:
        """A file in a pipe is its bytes."""
        assert muse("show", "HEAD~1:notes", cwd=song).stdout == b"one\ntwo\nthree\n"

    def test_a_folder(self, song: Path, cli: Cli) -> None:
        """A folder lists its names."""
        assert cli("show", "HEAD:", cwd=song).out == "tree HEAD:\n\nnotes\nsrc/\n"
        data = cli("show", "HEAD:", "--json", cwd=song).json
        assert [entry["path"] for entry in data["entries"]] == ["notes", "src"]

    def test_several(self, song: Path, cli: Cli) -> None:
        """Several revisions are shown one after the other."""
        outcome = cli("show", "--stat", "HEAD", "HEAD~1", cwd=song)
        assert outcome.out.count("commit sha256:") == 2
        assert len(cli("show", "HEAD", "HEAD:notes", "--json", cwd=song).json["objects"]) == 2

    def test_nothing_left_to_compare(self, song: Path, cli: Cli) -> None:
        """A commit of which nothing is left to show ends in its message."""
        (song / "notes").write_text("one\n2\n three\n")
        assert cli("commit", "-a", "-m", "Indent", cwd=song).code == 0
        assert cli("show", "-w", "--", "notes", cwd=song).out.endswith("\n\n    Indent\n")

    def test_nothing_to_show(self, repo: Path, cli: Cli) -> None:
        """Before the first commit there is nothing, and the hint says how to make one."""
        outcome = cli("show", cwd=repo)
        assert (outcome.code, "muse commit" in outcome.err) == (4, True)
