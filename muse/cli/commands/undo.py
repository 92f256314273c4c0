"""``muse undo``: take back the last thing that was done."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import ago, columns, iso_date, paint, plural, short
from muse.core.paths import show_path, show_text
from muse.core.refs import HEADS, TAGS, short_name

if TYPE_CHECKING:  # start-up time
    from muse.ops.undo import Step, UndoResult

SUMMARY = "take back the last thing that was done"
EXAMPLES = (
    ("muse undo", "commit, switch, add, restore, branch -d …: whatever it was"),
    ("muse undo --list", "what can be taken back, and done again"),
    ("muse redo", "do again what was just taken back"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation", nargs="?", help="its id, from --list; needed to go back past a push"
    )
    parser.add_argument("-l", "--list", action="store_true", help="show what can be taken back")
    parser.add_argument("-n", "--max-count", type=int, default=20, help="list at most so many")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Take it back, or list what could be."""
    from muse.ops.undo import read_steps, undo

    if args.list:
        return _list(ctx, read_steps(ctx.repo(sweep=False)), max(0, args.max_count))
    progress = ctx.progress("Writing files", "files")
    result = undo(ctx.repo(), operation=args.operation, progress=progress)
    return report(ctx, result, verb="Took back", way="'muse redo' does it again.")


def report(ctx: Context, result: UndoResult, *, verb: str, way: str) -> Result:
    """Say what was put back; for `redo`, too."""
    op = result.operation
    data = {
        "operation": {"id": op.id, "name": op.name, "summary": op.summary},
        "refs": [{"ref": ref, "before": old, "after": new} for ref, old, new in result.refs],
        "branch": result.head.branch,
        "commit_id": result.head.commit,
        "files": result.files,
        "restored": list(result.restored),
        "pushed": list(result.pushed),
    }
    lines = [f"{verb}: {show_text(op.summary or op.name)}"]
    for ref, _, new in result.refs:
        if ref.startswith((HEADS, TAGS)):
            where = f"at {short(new)}" if new else "gone"
            lines.append(f"  {show_text(short_name(ref))} is {where}")
    if op.head is not None:
        place = result.head.branch or short(result.head.commit or "")
        lines.append(f"  HEAD is on {show_text(place)}")
    if op.stage is not None:
        lines.append("  the stage is as it was")
    if result.files:
        lines.append(f"  {plural(result.files, 'file')} of the working tree changed")
    if result.restored:
        names = ", ".join(show_path(path) for path in result.restored[:5])
        more = f" and {len(result.restored) - 5} more" if len(result.restored) > 5 else ""
        lines.append(f"  put back: {names}{more}")
    notes = [way]
    if result.pushed:
        names = ", ".join(show_text(name) for name in result.pushed)
        notes.insert(0, f"It was pushed: {names} has it still, and others may.")
    return Result(data, lines, notes=tuple(notes))


def _list(ctx: Context, steps: list[Step], count: int) -> Result:
    now_s = time.time()
    shown = steps[:count]
    data = [
        {
            "id": op.id,
            "name": op.name,
            "summary": op.summary,
            "at": iso_date(op.time_s, 0),
            "who": op.who,
            "state": state.value,
        }
        for op, state in shown
    ]
    styles = {"done": "id", "undone": "dim", "final": "warning"}
    rows = [
        [
            paint(op.id[:8], styles[state.value], on=ctx.color),
            {"done": "", "undone": "undone", "final": "final"}[state.value],
            ago(now_s - op.time_s),
            show_text(op.summary or op.name),
        ]
        for op, state in shown
    ]
    return Result({"operations": data}, columns(rows) if rows else "There is nothing to undo.")
