"""``muse switch``: check out another branch or commit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import plural, short
from muse.core.errors import UsageError
from muse.core.paths import show_text

if TYPE_CHECKING:  # start-up time
    from muse.core.refs import Head
    from muse.ops.switch import SwitchResult

SUMMARY = "check out another branch or commit"
EXAMPLES = (
    ("muse switch topic", "go to a branch; changes that do not collide come along"),
    ("muse switch -c topic", "begin a branch here, and go there"),
    ("muse switch -c topic v1.0", "begin it at a tag"),
    ("muse switch -", "go back to where you were"),
    ("muse switch --detach HEAD~3", "look at an old commit"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", help="the branch; - for the one before")
    parser.add_argument("start", nargs="?", help="with -c, where the branch begins")
    parser.add_argument("-c", "--create", action="store_true", help="create the branch first")
    parser.add_argument(
        "-d", "--detach", action="store_true", help="look at a commit, on no branch"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Go there, or say what is in the way."""
    if args.name is None:
        if not args.detach:
            raise UsageError(
                "Where to?", hint="'muse switch <branch>'; 'muse branch' lists the branches."
            )
        args.name = "HEAD"
    if args.start is not None and not args.create:
        raise UsageError(
            f"'{show_text(args.start)}' is one name too many.",
            hint="'muse switch -c <branch> <start>' begins a branch; 'muse restore' takes paths.",
        )
    return go(ctx, args.name, create=args.create, start=args.start, detach=args.detach)


def go(
    ctx: Context, name: str, *, create: bool = False, start: str | None = None, detach: bool = False
) -> Result:
    """Switch, and say where to; for `checkout`, too."""
    from muse.ops.switch import switch

    result = switch(
        ctx.repo(),
        name,
        create=create,
        start=start,
        detach=detach,
        progress=ctx.progress("Writing files", "files"),
    )
    move = result.move
    data = {
        "branch": result.after.branch,
        "commit_id": result.after.commit,
        "detached": result.after.detached,
        "created": result.created,
        "upstream": result.upstream,
        "before": {"branch": result.before.branch, "commit_id": result.before.commit},
        "files_written": move.written if move else 0,
        "files_removed": move.removed if move else 0,
    }
    notes: tuple[str, ...] = ()
    if result.before.detached and result.move is not None and not result.after.detached:
        notes = (f"You were at {short(result.before.commit or '')}.",)
    return Result(data, _text(result), notes=notes)


def _text(result: SwitchResult) -> str:
    where = _where(result.after)
    if result.move is None:
        return f"Already on {where}."
    verb = "Began and went to" if result.created else "Switched to"
    text = f"{verb} {where}"
    if result.move.files:
        text += f": {plural(result.move.files, 'file')} changed"
    if result.upstream:
        text += f"; it follows {show_text(result.upstream)}"
    return text + "."


def _where(head: Head) -> str:
    if head.branch is None:
        return f"commit {short(head.commit or '')}, on no branch"
    unborn = " (no commit yet)" if head.commit is None else ""
    return f"branch '{show_text(head.branch)}'{unborn}"
