"""``muse reset``: take changes off the stage."""

from __future__ import annotations

import argparse
import os

from muse.cli.context import Context, Result
from muse.core.errors import PathNotFoundError
from muse.core.paths import show_path, show_text

SUMMARY = "take changes off the stage; files stay as they are"
EXAMPLES = (
    ("muse reset", "empty the stage"),
    ("muse reset song.txt", "unstage one file"),
    ("muse reset HEAD song.txt", "the same"),
    ("muse reset notes/", "unstage all below a folder"),
    ("muse code reset", "the long form"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a file or folder")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Unstage, and say what was unstaged."""
    from muse.core.revisions import Revisions
    from muse.ops.reset import reset

    repo = ctx.repo()
    words: list[str] = args.paths
    if words[:1] == ["HEAD"] and not os.path.lexists(ctx.cwd / "HEAD"):
        # As fingers type it: what is taken off the stage becomes what HEAD has, anyway.
        words = words[1:]
    try:
        result = reset(repo, [ctx.path(word) for word in words])
    except PathNotFoundError as error:
        if Revisions(repo.objects, repo.refs, config=repo.config).is_commit(words[0]):
            error.hint = (
                "'muse undo' takes back the last operation, a commit, too; 'muse switch -c <new> "
                f"{show_text(words[0])}' begins a branch there."
            )
        raise
    paths = [show_path(path) for path in result.paths]
    notes = ("the stage was damaged and is empty now",) if result.was_damaged else ()
    data = {"unstaged": paths, "was_damaged": result.was_damaged}
    return Result(data, [f"unstaged '{path}'" for path in paths], notes=notes)
