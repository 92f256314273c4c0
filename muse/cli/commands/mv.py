"""``muse mv``: rename tracked files and folders."""

from __future__ import annotations

import argparse

from muse.cli.context import Context, Result
from muse.core.paths import show_path

SUMMARY = "rename files and folders"
EXAMPLES = (
    ("muse mv song.txt tune.txt", "rename a file, and stage that"),
    ("muse mv song.txt notes music/", "move a file and a folder into another folder"),
    ("muse mv -f new.txt old.txt", "replace a file; 'muse undo' brings it back"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="a tracked file or folder")
    parser.add_argument("dest", metavar="DEST", help="the new name, or a folder to move into")
    parser.add_argument("-f", "--force", action="store_true", help="replace a file of that name")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Rename, and say what."""
    from muse.ops.mv import move

    result = move(
        ctx.repo(),
        [ctx.path(argument) for argument in args.sources],
        ctx.path(args.dest),
        force=args.force,
        dry_run=args.dry_run,
    )
    moves = [(show_path(old), show_path(new)) for old, new in result.moves]
    data = {
        "moved": [{"from": old, "to": new} for old, new in moves],
        "files": [{"from": show_path(old), "to": show_path(new)} for old, new in result.files],
        "dry_run": args.dry_run,
    }
    return Result(data, [f"{old} -> {new}" for old, new in moves])
