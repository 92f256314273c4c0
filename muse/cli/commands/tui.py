"""``muse tui``: start the terminal interface."""

from __future__ import annotations

import argparse
import os

from muse.cli.context import Context, Result
from muse.core.errors import MuseError, UsageError

SUMMARY = "open the terminal interface (the program muse-tui)"
EXAMPLES = (
    ("muse tui", "open it on the repository here"),
    ("muse tui ~/song", "open it on another one"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dir", nargs="?", help="the repository's folder; default: here")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Become the program muse-tui.

    Raises:
        UsageError: ``--json`` was given; a screen is no JSON.
        MuseError: muse-tui is not installed.
    """
    if ctx.json:
        raise UsageError(
            "'muse tui' draws on a terminal and has no JSON form.",
            hint="'muse status --json' and 'muse health --json' say what it shows.",
        )
    folder = [args.dir] if args.dir is not None else []
    try:
        os.execvp("muse-tui", ["muse-tui", *folder])  # noqa: S606  # no shell on purpose
    except OSError as error:
        raise MuseError(
            f"The program muse-tui could not be started: {os.strerror(error.errno or 0)}.",
            hint="It is installed together with muse: check that its folder is on your PATH.",
        ) from error
