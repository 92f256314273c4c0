"""``muse redo``: do again what `undo` took back."""

from __future__ import annotations

import argparse

from muse.cli.context import Context, Result

SUMMARY = "do again what 'muse undo' took back"
EXAMPLES = (
    ("muse redo", "until something else is done"),
    ("muse undo --list", "what can be done again stands on top"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare no arguments."""


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Do it again."""
    from muse.cli.commands.undo import report
    from muse.ops.undo import redo

    result = redo(ctx.repo(), progress=ctx.progress("Writing files", "files"))
    return report(ctx, result, verb="Did again", way="'muse undo' takes it back.")
