"""``muse doctor [--fix]``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result

if TYPE_CHECKING:  # start-up time
    from muse.ops.doctor import DoctorResult
    from muse.ops.doctor_remedy import Remedy

SUMMARY = "say what is wrong and what would put it right; do it with --fix"
EXAMPLES = (
    ("muse doctor", "what is damaged, and what could be done; changes nothing"),
    ("muse doctor --fix", "do it; damaged files are kept in .muse/quarantine"),
    ("muse doctor --fix --from ../backup", "bring back what that clone or backup still has"),
    ("muse doctor --json", "the same for a program; exit code 3: something is wrong"),
)
UNWELL = 3
# So many problems of each sort are listed for people.
SHOWN = 100
NO_FACTS: dict[str, object] = {"kind": None, "id": None, "file": None, "touches": []}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--fix", action="store_true", help="do what is proposed")
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        default=[],
        metavar="REPOSITORY",
        help="ask this path, address or remote for whole copies first; may be repeated",
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Examine, and with --fix put right what can be."""
    from muse.core.errors import IoFailedError
    from muse.ops.doctor import doctor, unblock
    from muse.ops.remote_config import address_from, looks_like_address

    unblocked = None
    try:
        repo = ctx.repo()
    except IoFailedError as error:
        unblocked = unblock(error, fix=args.fix)
        if not args.fix:
            return Result(_data(unblocked), _lines(ctx, unblocked), exit_code=UNWELL)
        repo = ctx.repo()
    sources = [
        address_from(text, cwd=ctx.cwd, root=repo.root) if looks_like_address(text) else text
        for text in args.sources
    ]
    result = doctor(repo, fix=args.fix, sources=sources, progress=ctx.progress("Examining"))
    ctx.end_progress()
    if unblocked is not None:
        result = result.after(unblocked)
    return Result(_data(result), _lines(ctx, result), exit_code=0 if result.is_well else UNWELL)


def _lines(ctx: Context, result: DoctorResult) -> Iterator[str]:
    from muse.cli.findings import touch_lines
    from muse.cli.render import paint, plural, show_text

    groups = (
        ("fixed", "good", "done", result.fixed),
        ("can be fixed", "warning", "with --fix", result.curable),
        ("remains", "error", "hint", result.remaining),
        ("note", "dim", "hint", result.notes),
    )
    for label, style, lead, remedies in groups:
        for remedy in remedies[:SHOWN]:
            yield f"{paint(label, style, on=ctx.color)}: {show_text(remedy.problem)}"
            if remedy.finding is not None:
                yield from touch_lines(remedy.finding)
            if said := remedy.action or remedy.way_out:
                yield f"  {paint(lead, 'hint', on=ctx.color)}: {show_text(said)}"
        if len(remedies) > SHOWN:
            yield f"… and {len(remedies) - SHOWN} more; --json lists all."
    if any(remedy.blocks for remedy in result.curable):
        yield "Whatever else may be wrong shows only once that is done."
    if any(map(_may_hide_more, (*result.curable, *result.remaining))):
        yield "What lies below a commit or folder that is gone shows only once that is back."
    if result.quarantine is not None:
        yield (
            f"Damaged files are kept in {show_text(str(result.quarantine))}; "
            "delete it when you miss nothing."
        )
    if result.is_well:
        done = f"{plural(len(result.fixed), 'problem')} fixed; " if result.fixed else ""
        verdict = "nothing is damaged" if result.notes else "nothing is wrong"
        yield paint(f"{done}{verdict}.", "good", on=ctx.color)
    elif result.curable:
        yield f"{plural(len(result.curable), 'problem')} can be fixed: 'muse doctor --fix'."
    if result.remaining:
        yield f"{plural(len(result.remaining), 'problem')} cannot be fixed from what is here."


def _may_hide_more(remedy: Remedy) -> bool:
    """Tell whether an object is gone that names others."""
    touches = remedy.finding.touches if remedy.finding is not None else ()
    return any(touch.kind in {"commit", "tree"} for touch in touches)


def _data(result: DoctorResult) -> dict[str, object]:
    return {
        "well": result.is_well,
        "fixed": [_remedy(remedy) for remedy in result.fixed],
        "curable": [_remedy(remedy) for remedy in result.curable],
        "remaining": [_remedy(remedy) for remedy in result.remaining],
        "notes": [_remedy(remedy) for remedy in result.notes],
        "quarantine": None if result.quarantine is None else str(result.quarantine),
    }


def _remedy(remedy: Remedy) -> dict[str, object]:
    from muse.cli.findings import finding_facts

    facts = finding_facts(remedy.finding) if remedy.finding is not None else NO_FACTS
    return {
        "problem": remedy.problem,
        "action": remedy.action or None,
        "way_out": remedy.way_out or None,
        **facts,
    }
