"""``muse checkout``: `switch` and `restore` under the name that fingers know."""

from __future__ import annotations

import argparse
import os

from muse.cli.context import Context, Result
from muse.core.errors import MuseError, NotFoundError, UsageError
from muse.core.paths import show_text
from muse.core.refs import HEADS

SUMMARY = "switch branches, or restore files (see 'switch' and 'restore')"
EXAMPLES = (
    ("muse checkout topic", "the same as 'muse switch topic'"),
    ("muse checkout -b topic", "the same as 'muse switch -c topic'"),
    ("muse checkout v1.0", "the same as 'muse switch --detach v1.0'"),
    ("muse checkout -- src/player.py", "the same as 'muse restore src/player.py'"),
    ("muse checkout main -- README", "the file as main has it, staged, too"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("names", nargs="*", metavar="name", help="a branch or revision, then paths")
    parser.add_argument("-b", dest="create", action="store_true", help="create the branch first")
    parser.add_argument("--detach", action="store_true", help="look at a commit, on no branch")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Do what the words mean."""
    from muse.cli.commands import restore, switch
    from muse.core.revisions import Revisions

    after = args.after_dashes
    names = args.names[: len(args.names) - len(after or ())]
    if after is not None:
        if len(names) > 1 or args.create or args.detach or not after:
            raise UsageError(
                "Paths follow '--', and at most one revision stands before it.",
                hint="'muse checkout [<rev>] -- <path>…'.",
            )
        return restore.bring_back(ctx, after, source=names[0] if names else None)
    if not names:
        raise UsageError("Where to?", hint="'muse checkout <branch>', or 'muse switch <branch>'.")
    if args.create:
        if len(names) > 2:
            raise UsageError("A branch starts at one commit.", hint="'muse checkout -b new start'.")
        return switch.go(ctx, names[0], create=True, start=names[1] if len(names) > 1 else None)
    if len(names) > 1:
        raise UsageError(
            "More than one name: which of them are paths?",
            hint="Put '--' before the paths: 'muse checkout [<rev>] -- <path>…'.",
        )
    repo, name = ctx.repo(), names[0]
    revisions = Revisions(repo.objects, repo.refs, config=repo.config)
    ref = revisions.full_name(name)
    is_branch = name == "-" or (ref or HEADS).startswith(HEADS)
    # What is no ref may be a commit all the same, as `HEAD~2` is.
    is_commit = ref is None and name != "-" and revisions.is_commit(name)
    detach = args.detach or not is_branch or is_commit
    try:
        return switch.go(ctx, name, detach=detach)
    except (NotFoundError, UsageError) as error:
        if _is_path(ctx, name):
            error.hint = f"For a file or folder it is 'muse restore {show_text(name)}'."
        raise


def _is_path(ctx: Context, name: str) -> bool:
    """Tell whether a word names a file or folder, here or in HEAD."""
    from muse.core.stage import TreeFiles

    if os.path.lexists(ctx.cwd / name):
        return True
    repo = ctx.repo()
    try:
        path, head = ctx.path(name), TreeFiles(repo.objects, repo.head_tree())
        return head.find(path) is not None or head.is_folder(path)
    except MuseError:
        return False
