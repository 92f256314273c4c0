"""``muse reflog``: where a ref was."""

from __future__ import annotations

import argparse
import time

from muse.cli.context import Context, Result
from muse.cli.render import ago, columns, iso_date, paint, person, plural
from muse.core.errors import short
from muse.core.paths import show_text
from muse.core.reflog import ReflogEntry

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
    from muse.ops.reflog import reflog

    found = reflog(ctx.repo(sweep=False), args.ref)
    entries = found.entries[: args.max_count]
    data = {
        "ref": found.ref,
        "damaged_lines": found.damaged,
        "entries": [_data(entry) for entry in entries],
    }
    now_s = time.time()
    rows = [
        [
            paint(short(entry.new or "") or "deleted", "id", on=ctx.color),
            f"{show_text(found.name)}@{{{number}}}",
            ago(now_s - entry.who.time_s),
            show_text(entry.message),
        ]
        for number, entry in enumerate(entries)
    ]
    notes: tuple[str, ...] = ()
    if found.damaged:
        notes = (f"{plural(found.damaged, 'line')} of this log cannot be read.",)
    name = show_text(found.name)
    return Result(data, columns(rows) if rows else f"{name} has not moved yet.", notes=notes)


def _data(entry: ReflogEntry) -> dict[str, object]:
    return {
        "old": entry.old,
        "new": entry.new,
        "who": person(entry.who),
        "at": iso_date(entry.who.time_s, entry.who.offset_min),
        "message": entry.message,
    }
