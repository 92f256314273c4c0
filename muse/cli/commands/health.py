"""``muse health``: what died here, what was left alone and why, and what needs a person."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result

if TYPE_CHECKING:  # start-up time
    from muse.core.ledger import LedgerEntry
    from muse.core.lock import LockOwner
    from muse.core.sweep import TempFinding
    from muse.ops.health import HealthReport

SUMMARY = "show what crashes left behind, and what was done about it"
EXAMPLES = (
    ("muse health", "temps, locks, jobs, drafts, refs and objects"),
    ("muse health -n 100", "more of what earlier sweeps found"),
    ("muse health --json", "the same for a program"),
)
STATE_STYLE = {"in use": "dim", "waiting": "dim", "orphan": "warning", "removed": "good"}

DURABILITY = {
    "full": "full: what is reported survives a power cut",
    "batch": "batch: what is reported survives a power cut; large files are synced together",
    "none": "none: a power cut may take everything; for throw-away clones only",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "-n", dest="count", type=int, default=5, help="how many earlier sweeps; default: 5"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Collect the facts; a repository that needs a person is exit code 1."""
    from muse.ops.health import read_health

    report = read_health(ctx.repo(), history=max(0, args.count))
    lines = _lines(report, now_s=time.time(), color=ctx.color)
    return Result(_data(report), lines, exit_code=0 if report.healthy else 1)


def _lines(report: HealthReport, *, now_s: float, color: bool) -> list[str]:
    from muse.cli.render import paint, plural, show_text, size

    verdict = (
        paint("Healthy.", "good", on=color)
        if report.healthy
        else paint("Needs attention.", "error", on=color)
    )
    lines = [f"{verdict} {_verdict(report)}", ""]
    objects = report.loose_objects + report.packed_objects
    lines.append(
        f"objects      {objects}: {report.loose_objects} loose, {report.packed_objects} in "
        f"{plural(report.packs, 'pack')} ({size(report.pack_bytes)})"
    )
    lines.append(f"write lock   {_lock(report.lock, now_s=now_s)}")
    lines.append(
        f"journal      {plural(report.journals, 'transaction')}, safe, to be written out later"
        if report.journals
        else "journal      empty"
    )
    lines.append(f"durability   {DURABILITY[report.durability]}")
    lines.append(f"jobs         {_named(report.jobs)}")
    lines.append(f"drafts       {_named(report.drafts)}")
    lines.append(f"stat cache   {'present' if report.cached else 'none; the next status makes it'}")
    lines.append(f"disk free    {size(report.disk_free_bytes)}")
    if report.readonly_reason:
        lines.append(f"read-only    {show_text(report.readonly_reason)}")
    for damaged in (*report.damaged_refs, *report.damaged_files):
        lines.append(paint(f"damaged      {show_text(damaged.name)}", "error", on=color))
        lines.append(f"             {show_text(damaged.problem)}")
    met = [*report.swept, *(f for f in report.present if f not in report.swept)]
    lines.append(f"temps        {'' if met else 'none'}".rstrip())
    lines += [_finding(finding, color=color) for finding in met]
    earlier = [entry for entry in report.ledger if entry.findings != report.swept]
    if earlier:
        lines += ["", "earlier sweeps, newest first"]
        for entry in earlier:
            lines += _sweep(entry, now_s=now_s, color=color)
    return lines


def _verdict(report: HealthReport) -> str:
    from muse.cli.render import plural

    problems = []
    orphans = sum(f.state == "orphan" for f in report.present)
    if report.damaged_refs:
        problems.append(f"{plural(len(report.damaged_refs), 'ref')} cannot be used")
    if report.damaged_files:
        names = ", ".join(damaged.name for damaged in report.damaged_files)
        problems.append(f"{names} cannot be read")
    if orphans:
        problems.append(f"{plural(orphans, 'orphan')} could not be removed")
    removed = sum(f.state == "removed" for f in report.swept)
    if removed:
        problems.append(f"{plural(removed, 'orphan')} of killed commands removed just now")
    return "; ".join(problems) + "." if problems else "Nothing is left of any crash."


def _lock(owner: LockOwner | None, *, now_s: float) -> str:
    from muse.cli.render import age, show_text

    if owner is None:
        return "free"
    return (
        f"held by '{show_text(owner.command)}' (pid {owner.pid}), for {age(now_s - owner.since_s)}"
    )


def _named(names: tuple[str, ...]) -> str:
    from muse.cli.render import show_text

    return ", ".join(show_text(name) for name in names) or "none"


def _finding(finding: TempFinding, *, color: bool) -> str:
    from muse.cli.render import age, paint, show_text, size

    state = paint(f"{finding.state:<8}", STATE_STYLE.get(finding.state, "dim"), on=color)
    return (
        f"  {state} {show_text(finding.path)}  {size(finding.size_bytes)}, "
        f"{age(finding.age_s)} old: {show_text(finding.reason)}"
    )


def _sweep(entry: LedgerEntry, *, now_s: float, color: bool) -> list[str]:
    from muse.cli.render import ago, show_text

    head = f"  {ago(now_s - entry.time_s)}, by '{show_text(entry.command)}':"
    return [head, *("  " + _finding(finding, color=color) for finding in entry.findings)]


def _data(report: HealthReport) -> dict[str, object]:
    return {
        "healthy": report.healthy,
        "objects": {
            "loose": report.loose_objects,
            "packed": report.packed_objects,
            "packs": report.packs,
            "pack_bytes": report.pack_bytes,
        },
        "lock": report.lock._asdict() if report.lock else None,
        "journals": report.journals,
        "jobs": list(report.jobs),
        "drafts": list(report.drafts),
        "damaged_refs": [
            {"name": damaged.name, "problem": damaged.problem} for damaged in report.damaged_refs
        ],
        "damaged_files": [
            {"name": damaged.name, "problem": damaged.problem} for damaged in report.damaged_files
        ],
        "swept": [finding._asdict() for finding in report.swept],
        "temps": [finding._asdict() for finding in report.present],
        "sweeps": [
            {
                "time_s": entry.time_s,
                "command": entry.command,
                "findings": [finding._asdict() for finding in entry.findings],
            }
            for entry in report.ledger
        ],
        "stat_cache": report.cached,
        "disk_free_bytes": report.disk_free_bytes,
        "readonly_reason": report.readonly_reason,
        "durability": report.durability,
    }
