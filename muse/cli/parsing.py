"""The command line: what stands before the verb, and argparse for what stands after it."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from muse.cli.registry import ALIASES, CODE_VERBS, VERBS, load_command, suggest
from muse.core.errors import UsageError

if TYPE_CHECKING:  # start-up time
    from muse.cli.registry import Command

# Our texts are English: without this, argparse loads the locale to find no translation.
argparse._ = str  # type: ignore[attr-defined]  # start-up time

# Recognised anywhere before "--", whatever the verb.
SWITCHES: Final = ("--json", "--no-pager", "--no-color", "--color")
COLOR_CHOICES: Final = ("always", "never", "auto")
# Stands before each word that followed "--"; no argument of a process can hold it.
LITERAL: Final = "\0"
# What other systems call it.
FOREIGN: Final = {
    "stash": "'muse commit' on a branch of its own keeps work aside: 'muse switch -c later'.",
    "revert": "'muse undo' takes back the last operation; 'muse restore' brings files back.",
    "fsck": "It is called 'muse verify'.",
    "doctor": "They are called 'muse health' and 'muse verify'.",
    "blame": "Muse has 'muse log -- <path>'.",
    "import": "It is called 'muse bridge git-import'.",
    "export": "It is called 'muse bridge git-export'.",
}


class HelpRequested(Exception):  # noqa: N818  # not an error: an answer
    """Somebody asked for help; carries the text."""


class Invocation:
    """A command line, taken apart.

    Attributes:
        directories: Each ``-C``, in order.
        json: Whether ``--json`` was given.
        color: "always", "never" or "auto".
        pager: Whether long output may be paged.
        help: Whether help was asked for before the verb.
        version: Whether the version was asked for.
        verb: The command; empty when there is none.
        arguments: What follows it.
    """

    __slots__ = (
        "arguments", "color", "directories", "help", "json", "pager", "verb", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.directories: list[str] = []
        self.json = False
        self.color = "auto"
        self.pager = True
        self.help = False
        self.version = False
        self.verb = ""
        self.arguments: list[str] = []


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether ``--json`` stands anywhere before ``--``; needs no valid command line."""
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def parse_invocation(arguments: Sequence[str]) -> Invocation:
    """Take a command line apart, up to the verb's own arguments.

    Raises:
        UsageError: An option before the verb is unknown or lacks its value, or the verb is unknown.
    """
    found = Invocation()
    words = list(arguments)
    while words and words[0].startswith("-") and words[0] != "--":
        word = words.pop(0)
        if word.startswith("-C"):
            if word == "-C" and not words:
                raise UsageError("-C needs a folder.", hint="As in 'muse -C ~/project status'.")
            found.directories.append(word[2:] or words.pop(0))
        elif word in {"-h", "--help"}:
            found.help = True
        elif word == "--version":
            found.version = True
        elif not _take_switch(found, word):
            known = ["--json", "--help", "--version", "--color", "--no-color", "--no-pager", "-C"]
            raise UsageError(
                f"'{word}' is not an option of muse.",
                hint=suggest(word, known) or "'muse --help' shows what there is.",
            )
    rest = words[: words.index("--")] if "--" in words else words
    tail = words[len(rest) :]
    found.arguments = [word for word in rest if not _take_switch(found, word)] + tail
    if found.arguments:
        found.verb = _resolve(found)
    return found


def _take_switch(found: Invocation, word: str) -> bool:
    name, equals, value = word.partition("=")
    if name not in SWITCHES or (equals and name != "--color"):
        return False
    if name == "--json":
        found.json = True
    elif name == "--no-pager":
        found.pager = False
    else:
        choice = "never" if name == "--no-color" else value or "always"
        if choice not in COLOR_CHOICES:
            raise UsageError(
                f"'{value}' is not a choice for --color.", hint="Use always, never or auto."
            )
        found.color = choice
    return True


def _resolve(found: Invocation) -> str:
    """Take the verb off the arguments; 'code add' is 'add'."""
    word = found.arguments.pop(0)
    if word == "code":
        return _resolve_code(found)
    verb = ALIASES.get(word, word)
    if verb not in VERBS:
        raise UsageError(
            f"'{word}' is not a muse command.",
            hint=FOREIGN.get(word)
            or suggest(word, [*VERBS, *ALIASES])
            or "'muse --help' lists the commands.",
        )
    return verb


def _resolve_code(found: Invocation) -> str:
    listed = ", ".join(CODE_VERBS)
    if found.arguments and found.arguments[0] in {"-h", "--help"}:
        found.help = True
        return ""
    if not found.arguments:
        raise UsageError("'muse code' needs a command.", hint=f"One of: {listed}.")
    word = found.arguments.pop(0)
    if word not in CODE_VERBS:
        raise UsageError(
            f"'code {word}' is not a muse command.",
            hint=suggest(word, CODE_VERBS) or f"'muse code' takes: {listed}.",
        )
    return word


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal.

    Args:
        prog: The command's name.
    """

    def __init__(self, prog: str) -> None:
        # argparse would import shutil, and with it every compressor, to find the width.
        super().__init__(prog, width=min(100, _terminal_columns() - 2))


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

    def error(self, message: str) -> NoReturn:
        """Raise the problem as a `UsageError`.

        Raises:
            UsageError: Always.
        """
        message = message.replace(LITERAL, "")
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        options = [option for action in self._actions for option in action.option_strings]
        near = suggest(unknown[1], options) if unknown and unknown[1].startswith("--") else ""
        raise UsageError(
            f"{self.prog}: {message}.",
            hint=f"{near} '{self.prog} --help' shows what it takes.".strip(),
        )

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

    def print_help(self, file: object = None) -> NoReturn:  # noqa: ARG002  # argparse's signature
        """Raise the help text, for `main` to write.

        Raises:
            HelpRequested: Always.
        """
        raise HelpRequested(self.format_help())


def build_parser(verb: str, command: Command) -> MuseParser:
    """Return the parser of one command: examples first, then every option."""
    width = max((len(line) for line, _ in command.EXAMPLES), default=0)
    examples = "\n".join(f"  {line:<{width}}   {what}" for line, what in command.EXAMPLES)
    parser = MuseParser(
        prog=f"muse {verb}",
        description=f"{command.SUMMARY}\n\nexamples:\n{examples}",
    )
    command.configure(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


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
