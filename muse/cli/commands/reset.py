"""``muse reset``: take changes off the stage."""

from __future__ import annotations

import argparse

from muse.cli.context import Context, Result
from muse.core.paths import show_path

SUMMARY = "take changes off the stage; files stay as they are"
EXAMPLES = (
    ("muse reset", "empty the stage"),
    ("muse reset song.txt", "unstage one file"),
    ("muse reset notes/", "unstage all below a folder"),
    ("muse code reset", "the long form"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a file or folder")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Unstage, and say what was unstaged."""
    from muse.ops.reset import reset

    result = reset(ctx.repo(), [ctx.path(argument) for argument in args.paths])
    paths = [show_path(path) for path in result.paths]
    notes = ("the stage was damaged and is empty now",) if result.was_damaged else ()
    data = {"unstaged": paths, "was_damaged": result.was_damaged}
    return Result(data, [f"unstaged '{path}'" for path in paths], notes=notes)
