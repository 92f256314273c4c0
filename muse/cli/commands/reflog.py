"""``muse reflog``: where a ref was."""

from __future__ import annotations

import argparse
import time

from muse.cli.context import Context, Result
from muse.cli.render import ago, columns, iso_date, paint, person
from muse.core.errors import RefNotFoundError, short
from muse.core.paths import show_text
from muse.core.reflog import ReflogEntry, read_reflog
from muse.core.repo import Repository

SUMMARY = "show where HEAD or a branch was before"
EXAMPLES = (
    ("muse reflog", "every move of HEAD, newest first"),
    ("muse reflog main -n 5", "the last five moves of a branch"),
    ("muse branch rescue 'HEAD@{3}'", "keep what was there three moves ago"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("ref", nargs="?", default="HEAD", help="a branch; default: HEAD")
    parser.add_argument("-n", "--max-count", type=int, metavar="N", help="at most N moves")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Print the moves of one ref."""
    repo = ctx.repo(sweep=False)
    name = _full_name(repo, args.ref)
    entries = read_reflog(repo.root, name)[: args.max_count]
    data = {"ref": name, "entries": [_data(entry) for entry in entries]}
    now_s = time.time()
    rows = [
        [
            paint(short(entry.new or "") or "deleted", "id", on=ctx.color),
            f"{args.ref}@{{{number}}}",
            ago(now_s - entry.who.time_s),
            show_text(entry.message),
        ]
        for number, entry in enumerate(entries)
    ]
    return Result(data, columns(rows) if rows else f"{args.ref} has not moved yet.")


def _full_name(repo: Repository, text: str) -> str:
    from muse.core.revisions import Revisions

    if text in {"HEAD", "@"}:
        return "HEAD"
    found = Revisions(repo.objects, repo.refs, config=repo.config).full_name(text)
    if found is None:
        raise RefNotFoundError(
            f"There is no branch or ref '{show_text(text)}'.",
            hint="'muse branch -a' lists the branches; 'muse reflog' shows where HEAD was.",
        )
    return found


def _data(entry: ReflogEntry) -> dict[str, object]:
    return {
        "old": entry.old,
        "new": entry.new,
        "who": person(entry.who),
        "at": iso_date(entry.who.time_s, entry.who.offset_min),
        "message": entry.message,
    }
