"""``muse rm``: stop tracking files and remove them."""

from __future__ import annotations

import argparse

from muse.cli.context import Context, Result
from muse.core.paths import show_path

SUMMARY = "remove files, and stop tracking them"
EXAMPLES = (
    ("muse rm old.txt", "remove a file and stage that; 'muse undo' brings it back"),
    ("muse rm -r drafts", "a folder with all that is tracked in it"),
    ("muse rm --cached secret.key", "only stop tracking; the file stays"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a tracked file or folder")
    parser.add_argument("-r", "--recursive", action="store_true", help="allow folders")
    parser.add_argument("--cached", action="store_true", help="leave the working tree as it is")
    parser.add_argument(
        "-f", "--force", action="store_true", help="also files with changes not committed"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Remove, and say what."""
    from muse.ops.rm import remove

    result = remove(
        ctx.repo(),
        [ctx.path(argument) for argument in args.paths],
        recursive=args.recursive,
        cached=args.cached,
        force=args.force,
        dry_run=args.dry_run,
        progress=ctx.progress("Removing", "files"),
    )
    paths = [show_path(path) for path in result.paths]
    data = {"removed": paths, "trash": result.trash, "dry_run": args.dry_run}
    return Result(data, [f"rm '{path}'" for path in paths])
