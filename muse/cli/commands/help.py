"""``muse help [command]``."""

from __future__ import annotations

import argparse

from muse.cli.context import Context, Result

SUMMARY = "show the commands, or one command's examples and options"
EXAMPLES = (
    ("muse help", "list the commands"),
    ("muse help commit", "the same as 'muse commit --help'"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("command", nargs="?", help="a command")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Show the help that was asked for."""
    from muse.cli.help import help_result
    from muse.cli.invocation import parse_invocation
    from muse.cli.parsing import build_parser
    from muse.cli.registry import load_command

    if args.command is None:
        return help_result()
    verb = parse_invocation([args.command]).verb
    text = build_parser(verb, load_command(verb)).format_help()
    return Result({"help": text}, text)
