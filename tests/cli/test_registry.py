"""Every command has the same face: help by example, --json, and an error outside a repository."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import pytest

from muse.cli.commands import completions
from muse.cli.parsing import build_parser
from muse.cli.registry import ALIASES, CODE_VERBS, GROUPS, PAGED, VERBS, load_command
from tests.cli.conftest import Cli

COMMANDS = Path(completions.__file__).parent
# What these do needs no repository; the words make a complete command line.
ANYWHERE: dict[str, list[str]] = {
    "init": ["made"],
    "help": [],
    "completions": ["bash"],
    "config": [],
    "hash-object": ["file"],
    "selftest": [],
}
ARGUMENTS: dict[str, list[str]] = {
    "add": ["."],
    "bridge": ["git-export", "out"],
    "cat-object": ["HEAD"],
    "clone": ["no/such/place"],
    "commit": ["-m", "x"],
    "mv": ["a", "b"],
    "restore": ["a"],
    "rm": ["a"],
    "serve": ["--stdio", "."],
    "switch": ["a"],
    "checkout": ["a"],
}


class TestRegistry:
    """The list of commands and the modules agree."""

    def test_every_verb_has_a_module(self) -> None:
        """Each verb's module exists, and each module is a verb's."""
        modules = {path.stem for path in COMMANDS.glob("*.py")} - {"__init__"}
        assert {verb.replace("-", "_") for verb in VERBS} == {
            stem for stem in modules if not stem.startswith("_")
        }

    def test_verbs_are_listed_once(self) -> None:
        """No verb stands in two groups, and aliases, pages and 'code' name verbs."""
        assert len(set(VERBS)) == len(VERBS) == sum(len(verbs) for _, verbs in GROUPS)
        assert set(ALIASES.values()) <= set(VERBS)
        assert not set(ALIASES) & set(VERBS)
        assert set(CODE_VERBS) <= set(VERBS)
        assert set(VERBS) >= PAGED

    @pytest.mark.parametrize("verb", VERBS)
    def test_module_has_the_shape(self, verb: str) -> None:
        """Each module has a summary of one short line, examples that call it, and two functions."""
        command = load_command(verb)
        assert command.SUMMARY
        assert len(command.SUMMARY) <= 72
        assert "\n" not in command.SUMMARY
        assert command.SUMMARY[0].islower()
        assert not command.SUMMARY.endswith(".")
        assert len(command.EXAMPLES) >= 2
        assert any(f"muse {verb}" in line for line, _ in command.EXAMPLES)
        for line, what in command.EXAMPLES:
            assert "muse " in line
            assert what
        assert callable(command.configure)
        assert callable(command.run)

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_option_is_explained(self, verb: str) -> None:
        """Each option and argument has a help text."""
        parser = build_parser(verb, load_command(verb))
        silent = [
            action.option_strings or action.dest
            for action in parser._actions
            if not action.help and action.nargs != argparse.PARSER
        ]
        assert silent == []


class TestEveryCommand:
    """What holds for all verbs."""

    @pytest.mark.parametrize("verb", VERBS)
    def test_help_teaches_by_example(self, verb: str, cli: Cli) -> None:
        """``muse <verb> --help`` exits 0, on stdout, with summary and examples."""
        outcome = cli(verb, "--help")
        assert (outcome.code, outcome.err) == (0, "")
        command = load_command(verb)
        assert command.SUMMARY in outcome.out
        assert "examples:" in outcome.out
        assert command.EXAMPLES[0][0] in outcome.out
        assert "--json" in outcome.out
        assert cli("help", verb).out == outcome.out
        assert cli("--help", verb).out == outcome.out
        assert cli(verb, "--help", "--json").json["help"]

    @pytest.mark.parametrize("verb", sorted(set(VERBS) - set(ANYWHERE) - {"tui", "clone", "serve"}))
    def test_no_repository(self, verb: str, cli: Cli) -> None:
        """Outside a repository: exit 2, one JSON object, nothing on stderr."""
        outcome = cli(verb, *ARGUMENTS.get(verb, []), "--json")
        assert outcome.code == outcome.json["exit_code"] == 2
        assert outcome.json["kind"] == "NotARepositoryError"
        assert "muse init" in outcome.json["hint"]
        assert outcome.err == ""

    @pytest.mark.parametrize("verb", sorted(set(VERBS) - set(ANYWHERE) - {"tui", "clone", "serve"}))
    def test_not_a_folder(self, verb: str, cli: Cli, tmp_path: Path) -> None:
        """-C to a file: exit 2, and it says so."""
        (tmp_path / "file").write_bytes(b"")
        outcome = cli("-C", "file", verb, *ARGUMENTS.get(verb, []))
        assert outcome.code == 2
        assert "Not a directory" in outcome.err
        assert outcome.out == ""

    @pytest.mark.parametrize("verb", sorted(ANYWHERE))
    def test_works_anywhere(self, verb: str, cli: Cli, tmp_path: Path) -> None:
        """These need no repository, and answer one JSON object."""
        (tmp_path / "file").write_bytes(b"x")
        outcome = cli(verb, *ANYWHERE[verb], "--json")
        assert outcome.code == 0, outcome
        assert outcome.json

    @pytest.mark.parametrize("verb", VERBS)
    def test_unknown_option(self, verb: str, cli: Cli) -> None:
        """An unknown option is exit 2, as JSON when asked."""
        outcome = cli(verb, "--no-such-option", "--json")
        assert outcome.code == outcome.json["exit_code"] == 2
        assert "--no-such-option" in outcome.json["error"] or "needs" in outcome.json["error"]


def test_overview_lists_every_command(cli: Cli) -> None:
    """``muse --help`` shows each verb with its summary, and three ways to begin."""
    outcome = cli("--help")
    assert outcome.code == 0
    for verb in VERBS:
        assert f"  {verb} " in outcome.out
        assert load_command(verb).SUMMARY in outcome.out
    assert outcome.out.splitlines()[2] == "begin:"
    assert cli("help").out == outcome.out
    assert max(len(line) for line in outcome.out.splitlines()) <= 100


def test_code_is_the_long_form(cli: Cli, repo: Path) -> None:
    """``muse code add`` is ``muse add``."""
    (repo / "a").write_bytes(b"1")
    assert cli("code", "add", "a", cwd=repo).code == 0
    assert cli("code", "--help").code == 0
    assert importlib.util.find_spec("muse.cli.commands.code") is None
