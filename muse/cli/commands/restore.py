"""``muse restore``: give up changes; the trash keeps what files held."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import plural
from muse.core.errors import UsageError
from muse.core.paths import show_path

if TYPE_CHECKING:  # start-up time
    from muse.ops.restore import RestoreResult

SUMMARY = "give up changes of files, or take them off the stage"
EXAMPLES = (
    ("muse restore src/player.py", "as it is staged or committed; 'muse undo' takes that back"),
    ("muse restore .", "every changed file below this folder"),
    ("muse restore --staged src/player.py", "off the stage; the file stays as it is"),
    ("muse restore -SW src/player.py", "off the stage, and as committed"),
    ("muse restore --source HEAD~3 docs", "a folder as it was three commits ago"),
    ("muse restore --untracked notes.txt", "remove a file that is not tracked, into the trash"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", metavar="path", help="files, folders and patterns")
    parser.add_argument("-S", "--staged", action="store_true", help="restore what is staged")
    parser.add_argument(
        "-W", "--worktree", action="store_true", help="restore the files; the default without -S"
    )
    parser.add_argument("-s", "--source", metavar="REV", help="from this commit")
    parser.add_argument(
        "-u", "--untracked", action="store_true", help="also remove files that are not tracked"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Restore, and say how to take it back."""
    if not args.paths:
        raise UsageError(
            "Nothing was named to restore.",
            hint="'muse restore <path>', or 'muse restore .' for everything here.",
        )
    if args.staged and args.untracked and not args.worktree:
        raise UsageError("--staged alone touches no file.", hint="Add --worktree.")
    return bring_back(
        ctx,
        args.paths,
        source=args.source,
        staged=args.staged,
        worktree=args.worktree or not args.staged,
        untracked=args.untracked,
    )


def bring_back(
    ctx: Context,
    words: Sequence[str],
    *,
    source: str | None = None,
    staged: bool = False,
    worktree: bool = True,
    untracked: bool = False,
) -> Result:
    """Restore paths that the user typed; for `checkout`, too."""
    from muse.ops.restore import restore

    result = restore(
        ctx.repo(),
        [ctx.path(word) for word in words],
        source=source,
        staged=staged,
        worktree=worktree,
        untracked=untracked,
        progress=ctx.progress("Restoring", "files"),
    )
    data = {
        "restored": list(result.restored),
        "removed": list(result.removed),
        "unstaged": list(result.unstaged),
        "trash": result.trash,
    }
    # A file that only came back has lost nothing, but undo works all the same.
    notes = ("'muse undo' takes this back.",) if result.trash or result.unstaged else ()
    return Result(data, _lines(result), notes=notes)


def _lines(result: RestoreResult) -> list[str]:
    parts = [
        (result.restored, "Restored"),
        (result.removed, "Removed"),
        (result.unstaged, "Changed on the stage"),
    ]
    lines = [f"{verb} {_names(paths)}." for paths, verb in parts if paths]
    return lines or ["Nothing to restore: all is as it should be."]


def _names(paths: Sequence[bytes]) -> str:
    if len(paths) > 5:
        return plural(len(paths), "file")
    return ", ".join(show_path(path) for path in paths)
