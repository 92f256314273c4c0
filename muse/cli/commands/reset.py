"""``muse reset``: take changes off the stage."""

from __future__ import annotations

import argparse
import os

from muse.cli.context import Context, Result
from muse.core.errors import MuseError, PathNotFoundError
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


def _is_commit(ctx: Context, word: str) -> bool:
    from muse.core.revisions import Revisions

    repo = ctx.repo()
    try:
        Revisions(repo.objects, repo.refs, config=repo.config).find_commit(word)
    except MuseError:
        return False
    return True


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Unstage, and say what was unstaged."""
    from muse.ops.reset import reset

    words: list[str] = args.paths
    if words[:1] == ["HEAD"] and not os.path.lexists(ctx.cwd / "HEAD"):
        # As fingers type it: what is taken off the stage becomes what HEAD has, anyway.
        words = words[1:]
    try:
        result = reset(ctx.repo(), [ctx.path(word) for word in words])
    except PathNotFoundError as error:
        if _is_commit(ctx, words[0]):
            error.hint = (
                "'muse undo' takes back the last operation, a commit, too; 'muse switch -c <new> "
                f"{show_text(words[0])}' begins a branch there."
            )
        raise
    paths = [show_path(path) for path in result.paths]
    notes = ("the stage was damaged and is empty now",) if result.was_damaged else ()
    data = {"unstaged": paths, "was_damaged": result.was_damaged}
    return Result(data, [f"unstaged '{path}'" for path in paths], notes=notes)
