"""What stands after the verb: argparse, made to teach, to raise, and to be quick."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from muse.cli.registry import load_command, suggest
from muse.core.errors import UsageError

if TYPE_CHECKING:  # start-up time
    from muse.cli.registry import Command

# Our texts are English: without this, argparse loads the locale to find no translation.
argparse._ = str  # type: ignore[attr-defined]  # start-up time

# An example longer than this has a line of its own.
WIDE: Final = 44
# The commands that -q silences, where git has it, too.
QUIET: Final = frozenset(
    {"checkout", "clone", "commit", "fetch", "gc", "init", "pull", "push", "reset", "restore"}
    | {"rm", "switch"}
)
# Stands before each word that followed "--"; no argument of a process can hold it.
LITERAL: Final = "\0"


class HelpRequested(Exception):  # noqa: N818  # not an error: an answer
    """Somebody asked for help; carries the text."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal.

    Args:
        prog: The command's name.
    """

    def __init__(self, prog: str) -> None:
        # argparse would import shutil, and with it every compressor, to find the width.
        super().__init__(prog, width=min(100, _terminal_columns() - 2), max_help_position=28)


def _terminal_columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 20:
        return int(columns)
    try:
        return max(40, os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError, AttributeError):
        return 100


class MuseParser(argparse.ArgumentParser):
    """A parser that raises instead of printing and exiting."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("formatter_class", _Formatter)
        # Abbreviations would make tomorrow's option break today's script.
        kwargs["allow_abbrev"] = False
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as given
        self.heading = ""

    def error(self, message: str) -> NoReturn:
        """Raise the problem as a `UsageError`.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            self._sentence(message.replace(LITERAL, "")),
            hint=f"{self._near(message)} '{self.prog} --help' shows what it takes.".strip(),
        )

    def _sentence(self, message: str) -> str:
        """Say in our words what argparse says most often."""
        missing = re.fullmatch(r"the following arguments are required: (.*)", message)
        if missing:
            return f"'{self.prog}' needs {missing[1]}."
        unknown = re.fullmatch(r"unrecognized arguments: (\S+)(.*)", message)
        if unknown and unknown[1].startswith("-"):
            return f"'{unknown[1]}' is not an option of '{self.prog}'."
        if unknown:
            return f"'{unknown[1]}' is one word too many for '{self.prog}'."
        choice = re.fullmatch(r"argument (\S+): invalid choice: (.*) \(choose from .*\)", message)
        if choice:
            if choice[1].startswith("-"):
                return f"{choice[2]} is not a choice for {choice[1]} of '{self.prog}'."
            return f"'{self.prog}' knows no {choice[2]}."
        number = re.fullmatch(r"argument (\S+): invalid int value: (.*)", message)
        if number:
            return f"{number[2]} is not a whole number, as '{self.prog} {number[1]}' takes."
        return f"{self.prog}: {message}."

    def _near(self, message: str) -> str:
        from muse.cli.habits import find_habit  # start-up time: only for an error

        typed = re.match(
            r"(?:unrecognized arguments:|argument action: invalid choice:) '?([^\s']+)", message
        )
        habit = find_habit(self.prog, typed[1]) if typed else ""
        if habit:
            return habit
        choice = re.fullmatch(r"argument \S+: invalid choice: '(.*)' \(choose from (.*)\)", message)
        if choice:
            listed = choice[2].replace("'", "")
            return f"{suggest(choice[1], listed.split(', '))} There are: {listed}.".strip()
        unknown = re.match(r"unrecognized arguments: (--\S+)", message)
        options = [option for action in self._actions for option in action.option_strings]
        return suggest(unknown[1], options) if unknown else ""

    def parse_mixed(self, words: list[str]) -> argparse.Namespace:
        """Parse options and positional arguments in any order.

        Raises:
            UsageError: The words are wrong.
        """
        # argparse's way to mix them is slow: most command lines do not need it.
        try:
            args, left = self.parse_known_args(words)
        except UsageError:
            left = words
        else:
            if not left:
                return args
        return self.parse_intermixed_args(words)

    def has_subcommands(self) -> bool:
        """Tell whether a positional argument takes all the rest of the line."""
        return any(a.nargs in {argparse.PARSER, argparse.REMAINDER} for a in self._actions)

    def _get_value(self, action: argparse.Action, arg_string: str) -> object:
        return super()._get_value(
            action, arg_string.removeprefix(LITERAL)
        )  # argparse's one place where a word becomes a value

    def format_help(self) -> str:
        """Return the help: what it is for and examples, then usage and options."""
        return self.heading + super().format_help()

    def print_help(self, file: object = None) -> NoReturn:  # noqa: ARG002  # argparse's signature
        """Raise the help text, for `main` to write.

        Raises:
            HelpRequested: Always.
        """
        raise HelpRequested(self.format_help())


def build_parser(verb: str, command: Command) -> MuseParser:
    """Return the parser of one command: examples first, then every option."""
    parser = MuseParser(prog=f"muse {verb}")
    parser.heading = f"muse {verb}: {command.SUMMARY}\n\nexamples:\n{_examples(command)}\n"
    command.configure(parser)
    if verb in QUIET:
        parser.add_argument(
            "-q",
            "--quiet",
            dest="silent",
            action="store_true",
            help="print errors and warnings only",
        )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _examples(command: Command) -> str:
    """Return the examples in two columns; what is said of a long line stands below it."""
    width = max((len(line) for line, _ in command.EXAMPLES if len(line) <= WIDE), default=0)
    return "".join(
        f"  {line:<{width}}   {what}\n"
        if len(line) <= WIDE and width + len(what) < 94
        else f"  {line}\n  {'':<{width}}   {what}\n"
        for line, what in command.EXAMPLES
    )


def parse_arguments(verb: str, arguments: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Import a command and parse its arguments.

    Options and positional arguments may be mixed, as people type them.

    Raises:
        UsageError: The arguments are wrong.
        HelpRequested: ``--help`` was among them.
    """
    command = load_command(verb)
    parser = build_parser(verb, command)
    words, after = list(arguments), None
    if "--" in words:
        dashes = words.index("--")
        words, after = words[:dashes], words[dashes + 1 :]
    if parser.has_subcommands():
        args = parser.parse_args([*words, *(["--", *after] if after else [])])
    else:
        # argparse would read "-- -n" as an option here: words after "--" are marked instead.
        args = parser.parse_mixed([*words, *(LITERAL + word for word in after or ())])
    args.after_dashes = after
    return command, args
