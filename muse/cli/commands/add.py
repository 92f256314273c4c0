"""``muse add``: stage what changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.paths import show_path

if TYPE_CHECKING:  # start-up time
    from collections.abc import Iterator

    from muse.ops.add import AddResult

SUMMARY = "stage what changed in files and folders"
EXAMPLES = (
    ("muse add song.txt", "stage one file: new, changed or deleted"),
    ("muse add .", "everything in this folder and below"),
    ("muse add -A", "everything in the repository"),
    ("muse add -u", "all changes of files that are tracked already"),
    ("muse add -n .", "only say what would be staged"),
    ("muse code add .", "the long form"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a file or folder")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "-u", "--update", action="store_true", help="only files that are tracked already"
    )
    which.add_argument(
        "-A", "--all", action="store_true", help="everything; the whole repository without paths"
    )
    parser.add_argument("-f", "--force", action="store_true", help="also add what is ignored")
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="store and stage nothing, only say what"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Stage, and say what was staged."""
    from muse.ops.add import add

    repo = ctx.repo()
    paths = [ctx.path(argument) for argument in args.paths]
    if not paths and (args.all or args.update):
        paths = [b""]
    result = add(
        repo,
        paths,
        update=args.update,
        force=args.force,
        dry_run=args.dry_run,
        progress=ctx.progress("Adding", "files"),
    )
    notes = tuple(
        f"{show_path(path)} is a repository of its own and was passed by" for path in result.skipped
    )
    for path in result.unreadable:
        ctx.warn_unreadable(path)
    data = {
        "added": [show_path(path) for path in result.added],
        "modified": [show_path(path) for path in result.modified],
        "deleted": [show_path(path) for path in result.removed],
        "skipped": [show_path(path) for path in result.skipped],
        "unreadable": [show_path(path) for path in result.unreadable],
        "dry_run": args.dry_run,
    }
    return Result(data, _lines(result) if args.dry_run else "", notes=notes)


def _lines(result: AddResult) -> Iterator[str]:
    changes = [(path, "add") for path in (*result.added, *result.modified)]
    changes += [(path, "remove") for path in result.removed]
    for path, verb in sorted(changes):
        yield f"{verb} '{show_path(path)}'"
