"""Exit codes and errors: one place turns whatever happens into a number and a sentence."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.cli import main as main_module
from muse.cli.context import Context, Result
from muse.core import errors
from tests.cli.conftest import Cli
from tests.conftest import Run

README = Path(__file__).parents[2] / "README.md"
OUTSIDE_THE_TREE = {0, 70, 130, 141}


def _plant(monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException | Result) -> None:
    """Make a verb raise or return what the test wants."""

    def run(ctx: Context, args: argparse.Namespace) -> Result:
        if isinstance(error, BaseException):
            raise error
        return error

    monkeypatch.setattr(f"muse.cli.commands.{verb}.run", run)


def _error_classes() -> Iterator[type[errors.MuseError]]:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.MuseError):
            yield value


ERRORS = sorted(_error_classes(), key=str)


class TestExitCodes:
    """The code is the error's class, and the README publishes every one."""

    def test_readme_lists_every_code(self) -> None:
        """The README's table of exit codes holds exactly the codes that Muse uses."""
        rows = re.findall(r"^\|\s*`?(\d+)`?\s*\|", README.read_text("utf-8"), re.MULTILINE)
        used = {cls.exit_code for cls in _error_classes()} | OUTSIDE_THE_TREE
        assert {int(row) for row in rows} == used

    @pytest.mark.parametrize("cls", ERRORS)
    def test_class_is_its_code(
        self, cls: type[errors.MuseError], cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever the class, the process exits with its code and says message and hint."""
        error = cls.__new__(cls)
        errors.MuseError.__init__(error, "It went wrong.", hint="Type 'this'.")
        _plant(monkeypatch, "tui", error)
        outcome = cli("tui")
        assert outcome.code == cls.exit_code
        # An everyday answer is one line.
        gap = " " if cls is errors.NothingToCommitError else "\nhint: "
        assert outcome.err == f"error: It went wrong.{gap}Type 'this'.\n"
        assert outcome.out == ""

    @pytest.mark.parametrize("cls", ERRORS)
    def test_json_says_the_same(
        self, cls: type[errors.MuseError], cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With --json the error is the one object on stdout, and stderr is silent."""
        error = cls.__new__(cls)
        errors.MuseError.__init__(error, "It went wrong.", hint="Type 'this'.")
        _plant(monkeypatch, "tui", error)
        outcome = cli("tui", "--json")
        assert outcome.code == cls.exit_code
        assert outcome.err == ""
        assert outcome.json == {
            "error": "It went wrong.",
            "hint": "Type 'this'.",
            "exit_code": cls.exit_code,
            "kind": cls.__name__,
        }

    def test_an_answer_may_be_no(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """A result with an exit code is data on stdout and that code."""
        _plant(monkeypatch, "tui", Result({"clean": False}, "not clean", exit_code=1))
        assert cli("tui") == (1, "not clean\n", "")
        assert cli("tui", "--json") == (1, '{"clean": false}\n', "")


class TestUnexpected:
    """What nobody foresaw still ends in one message and one code."""

    def test_a_bug_is_70_with_its_traceback(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A bug exits 70, shows its traceback on stderr and asks for a report."""
        _plant(monkeypatch, "tui", ZeroDivisionError("by zero"))
        outcome = cli("tui")
        assert outcome.code == main_module.EXIT_BUG
        assert outcome.out == ""
        assert "Traceback" in outcome.err
        assert "report" in outcome.err

    def test_a_bug_in_json_is_one_object(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """With --json a bug is one object on stdout; the traceback stays on stderr."""
        _plant(monkeypatch, "tui", ZeroDivisionError("by zero"))
        outcome = cli("--json", "tui")
        assert outcome.code == outcome.json["exit_code"] == 70
        assert outcome.json["kind"] == "ZeroDivisionError"
        assert "Traceback" in outcome.err

    def test_a_refusal_of_the_system_is_3(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full disk that nothing below translated is exit 3 with the path, not a bug."""
        _plant(monkeypatch, "tui", OSError(28, "No space left on device", "/srv/x"))
        outcome = cli("tui")
        assert outcome.code == 3
        assert "/srv/x" in outcome.err
        assert "Traceback" not in outcome.err

    def test_interrupt_is_130(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C exits 130 and says that nothing reported is lost, as JSON too."""
        _plant(monkeypatch, "tui", KeyboardInterrupt())
        outcome = cli("tui")
        assert outcome.code == 130
        assert outcome.err == "error: interrupted; nothing that was reported is lost\n"
        assert cli("tui", "--json").json["exit_code"] == 130

    def test_real_interrupt(self, tmp_path: Path) -> None:
        """SIGINT sent to a waiting command ends it with 130 and one line."""
        process = subprocess.Popen(
            ["muse", "hash-object", "--stdin"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        # More than a pipe holds: once written, the command is past its start and reading.
        process.stdin.write(b"x" * (1 << 20))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (130, b"")
        assert err == b"error: interrupted; nothing that was reported is lost\n"

    def test_memory_error_is_no_bug(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """Too little memory is said as such."""
        _plant(monkeypatch, "tui", MemoryError())
        outcome = cli("tui")
        assert outcome.code == 3
        assert "memory" in outcome.err

    def test_system_exit_passes(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """An exit that a library asked for keeps its code."""
        _plant(monkeypatch, "tui", SystemExit(5))
        assert cli("tui").code == 5


class TestUsage:
    """A wrong command line is exit 2 and says what would be right."""

    @pytest.mark.parametrize(
        ("line", "hint"),
        [
            (["statsu"], "'status'"),
            (["comit", "-m", "x"], "'commit'"),
            (["fsck"], "'muse verify'"),
            (["zzzzz"], "'muse --help'"),
            (["--jsno", "status"], "'--json'"),
            (["code", "ad"], "'add'"),
            (["code"], "add, reset"),
            (["commit", "--ammend"], "'--amend'"),
            (["init", "a", "b"], "'muse init --help'"),
            (["-C"], "muse -C"),
            (["-C", "no/such/folder", "status"], "existing"),
            (["--color=sometimes", "status"], "always"),
            ([], "'muse --help'"),
        ],
    )
    def test_hint_helps(self, line: list[str], hint: str, cli: Cli) -> None:
        """The hint names what was probably meant."""
        outcome = cli(*line)
        assert outcome.code == 2
        assert outcome.out == ""
        assert hint in outcome.err.split("hint:")[1]

    @pytest.mark.parametrize(
        "line", [["statsu"], ["commit", "--nope"], ["init", "a", "b"], [], ["-C"], ["code"]]
    )
    def test_json_wherever_it_stands(self, line: list[str], cli: Cli) -> None:
        """A usage error is one JSON object, with --json before or after the verb."""
        for words in (["--json", *line], [*line, "--json"]):
            outcome = cli(*words)
            assert outcome.code == outcome.json["exit_code"] == 2
            assert outcome.json["error"]
            assert outcome.err == ""

    def test_dashes_end_options(self, cli: Cli, tmp_path: Path) -> None:
        """After -- a word is a name, even when it looks like an option."""
        (tmp_path / "--json").write_bytes(b"hello\n")
        (tmp_path / "-w").write_bytes(b"hello\n")
        outcome = cli("hash-object", "--", "--json", "-w")
        assert outcome.code == 0
        assert len(set(outcome.out.split())) == 1

    def test_options_mix_with_names(self, cli: Cli, tmp_path: Path) -> None:
        """Options may stand between names, as people type them."""
        (tmp_path / "a").write_bytes(b"")
        (tmp_path / "b").write_bytes(b"")
        assert cli("hash-object", "a", "-t", "blob", "b").out.count("sha256:") == 2

    def test_no_abbreviations(self, cli: Cli) -> None:
        """An abbreviated option is refused: tomorrow it could mean something else."""
        assert cli("commit", "--allow", "-m", "x").code == 2


class TestFolder:
    """-C, MUSE_REPO_ROOT and folders that are no repository."""

    def test_c_repeats(self, cli: Cli, repo: Path) -> None:
        """Each -C is relative to the one before."""
        (repo / "deep").mkdir()
        outcome = cli("-C", "song", "-C", "deep", "rev-parse", "--root")
        assert outcome.out == f"{repo}\n"

    def test_environment_names_the_repository(
        self, cli: Cli, repo: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """MUSE_REPO_ROOT opens that repository from anywhere."""
        monkeypatch.setenv("MUSE_REPO_ROOT", str(repo))
        assert cli("rev-parse", "--root").out == f"{repo}\n"

    def test_environment_means_that_folder(
        self, cli: Cli, repo: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """MUSE_REPO_ROOT below a repository is no repository: it never climbs."""
        (repo / "deep").mkdir()
        monkeypatch.setenv("MUSE_REPO_ROOT", str(repo / "deep"))
        outcome = cli("rev-parse", "--root")
        assert outcome.code == 2
        assert "deep is not inside" in outcome.err

    def test_folder_that_is_gone(self, tmp_path: Path) -> None:
        """A current folder that was deleted is said, not a traceback."""
        gone = tmp_path / "gone"
        gone.mkdir()
        done = subprocess.run(
            ["sh", "-c", "rmdir ../gone && exec muse status"],
            cwd=gone,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 2
        assert b"no longer exists" in done.stderr


class TestStdout:
    """Success is only reported when stdout took everything (G2)."""

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
    @pytest.mark.parametrize("line", [["--version"], ["--help"], ["--json", "help"], ["help"]])
    def test_full_disk_is_3(self, line: list[str], tmp_path: Path) -> None:
        """A stdout that cannot be written is exit 3 with one sentence on stderr."""
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                ["muse", *line], stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, check=False
            )
        assert done.returncode == 3
        assert done.stderr.startswith(b"error: Could not write the output")
        assert b"Exception ignored" not in done.stderr

    def test_error_in_json_on_a_full_disk(self, tmp_path: Path) -> None:
        """When not even the JSON of an error fits, stderr has it."""
        if not os.path.exists("/dev/full"):
            pytest.skip("no /dev/full here")
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                ["muse", "--json", "statsu"],
                stdout=full,
                stderr=subprocess.PIPE,
                cwd=tmp_path,
                check=False,
            )
        assert done.returncode == 2
        assert b"statsu" in done.stderr

    def test_reader_went_away(self, tmp_path: Path) -> None:
        """A closed pipe ends the command silently with 141."""
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            ["muse", "--help"], stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, b"")

    def test_closed_descriptors(self, tmp_path: Path) -> None:
        """With all three streams closed the command works, and opens no file in their place."""
        done = subprocess.run(
            ["sh", "-c", "muse init song <&- >&- 2>&-"], cwd=tmp_path, check=False
        )
        assert done.returncode == 0
        repo_json = json.loads((tmp_path / "song" / ".muse" / "repo.json").read_text("utf-8"))
        assert repo_json["format"] == 1

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_odd_names_never_raise(self, encoding: str, tmp_path: Path, muse: Run) -> None:
        """Names that the terminal's encoding cannot hold are shown escaped."""
        name = os.fsdecode(b"\xff") + "é\u266b"
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = muse("hash-object", name, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == 4
        assert b"\\xff" in done.stderr
        assert b"Traceback" not in done.stderr


class TestControlCharacters:
    """Names and messages reach the terminal with control characters visible (G17)."""

    def test_in_errors(self, cli: Cli) -> None:
        """A name in an error message cannot move the cursor."""
        outcome = cli("hash-object", "evil\x1b[2Jname\r\n")
        assert outcome.code == 4
        assert "\x1b" not in outcome.err
        assert "\r" not in outcome.err
        assert "evil\\x1b[2Jname" in outcome.err

    def test_in_tracebacks(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """Even a bug's message is shown with control characters escaped."""
        _plant(monkeypatch, "tui", ValueError("\x1b]0;title\x07"))
        outcome = cli("tui")
        assert "\x1b" not in outcome.err
        assert "\x07" not in outcome.err

    def test_in_json(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """JSON is ASCII: it can neither control a terminal nor break on an encoding."""
        _plant(monkeypatch, "tui", Result({"name": "\x1b\x7f\x9b\u202e é", "raw": b"\xff\n"}))
        outcome = cli("tui", "--json")
        assert outcome.out.isascii()
        assert not set(outcome.out) & {"\x1b", "\x7f"}
        assert outcome.json == {"name": "\x1b\x7f\x9b\u202e é", "raw": "\\xff\\n"}


def test_module_runs_too(tmp_path: Path) -> None:
    """``python -m muse`` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "muse", "--version"], capture_output=True, cwd=tmp_path, check=True
    )
    assert done.stdout.startswith(b"muse ")
