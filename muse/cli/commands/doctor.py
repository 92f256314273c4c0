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
    ("muse doctor --json", "the same for a program; exit code 3: something is wrong"),
)
UNWELL = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--fix", action="store_true", help="do what is proposed")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Examine, and with --fix put right what can be."""
    from muse.ops.doctor import doctor

    result = doctor(ctx.repo(), fix=args.fix, progress=ctx.progress("Examining"))
    ctx.end_progress()
    return Result(_data(result), _lines(ctx, result), exit_code=0 if result.is_well else UNWELL)


def _lines(ctx: Context, result: DoctorResult) -> Iterator[str]:
    from muse.cli.render import paint, plural, show_text

    groups = (
        ("fixed", "good", result.fixed),
        ("can be fixed", "warning", result.curable),
        ("remains", "error", result.remaining),
        ("note", "dim", result.notes),
    )
    for label, style, remedies in groups:
        for remedy in remedies:
            yield f"{paint(label, style, on=ctx.color)}: {show_text(remedy.problem)}"
            yield f"  {show_text(remedy.action or remedy.way_out)}"
    if result.quarantine is not None:
        yield f"Damaged files are kept in {show_text(str(result.quarantine))}."
    if result.is_well:
        done = f"{plural(len(result.fixed), 'problem')} fixed; " if result.fixed else ""
        yield paint(f"{done}nothing is wrong.", "good", on=ctx.color)
    elif result.curable:
        yield f"{plural(len(result.curable), 'problem')} can be fixed: 'muse doctor --fix'."
    if result.remaining:
        yield f"{plural(len(result.remaining), 'problem')} cannot be fixed from what is here."


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
    return {
        "problem": remedy.problem,
        "action": remedy.action or None,
        "way_out": remedy.way_out or None,
    }
