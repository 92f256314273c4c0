"""``muse --help``: what Muse is, three ways to begin, and every command on one line."""

from __future__ import annotations

from muse.cli.context import Result
from muse.cli.registry import GROUPS, load_command
from muse.core.errors import UsageError

STARTERS = (
    ("muse init && muse commit -m 'First'", "put this folder under Muse, everything in it"),
    ("muse status", "see what changed since"),
    ("muse undo", "take the last operation back"),
)
OPTIONS = (
    ("-C <dir>", "run as if started there"),
    ("--json", "one JSON object on stdout, errors too"),
    ("--color=<when>", "always, never, or auto (on a terminal, unless NO_COLOR is set)"),
    ("--no-pager", "write long output straight to the terminal"),
    ("--version", "print the version"),
)


def overview(*, asked: bool, verb: str = "") -> Result:
    """Return the list of commands, or the help of one.

    Args:
        asked: Whether ``--help`` was typed; without a verb and without it, that is an error.
        verb: The command whose help is wanted.

    Raises:
        UsageError: No command was typed.
        HelpRequested: The help of ``verb``.
    """
    if verb:
        from muse.cli.parsing import build_parser

        build_parser(verb, load_command(verb)).print_help()
    if not asked:
        raise UsageError(
            "No command was given.",
            hint="'muse --help' lists the commands; 'muse status' is a good start.",
        )
    return help_result()


def help_result() -> Result:
    """Return the list of commands as text and as data."""
    groups = {
        title: {verb: load_command(verb).SUMMARY for verb in verbs} for title, verbs in GROUPS
    }
    lines = ["Muse: version control that a kill cannot hurt.", "", "begin:"]
    width = max(len(line) for line, _ in STARTERS)
    lines += [f"  {line:<{width}}   {what}" for line, what in STARTERS]
    for title, commands in groups.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<12} {summary}" for name, summary in commands.items()]
    lines += ["", "with every command:"]
    lines += [f"  {option:<16} {what}" for option, what in OPTIONS]
    lines += ["", "'muse <command> --help' shows examples and every option of one command."]
    return Result({"commands": groups, "help": "\n".join(lines)}, lines)
