"""``muse verify [rev …] [-- path …]``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result

if TYPE_CHECKING:  # start-up time
    from muse.core.findings import Finding
    from muse.core.verify import VerifyReport

SUMMARY = "check every stored byte and every ref; change nothing"
EXAMPLES = (
    ("muse verify", "everything: branches, history, files, the stage, and what lies around"),
    ("muse verify HEAD", "one commit with all its files"),
    ("muse verify -- src/a.py", "one file, as HEAD and the stage have it"),
    ("muse verify --unreachable", "also list what no ref or log leads to: lost, but not gone"),
    ("muse verify --json", "the findings as data; exit code 3 means damage"),
)
DAMAGED = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "rev", nargs="*", help="only this commit, tag, tree or file, with what lies below it"
    )
    parser.add_argument(
        "--unreachable", action="store_true", help="list the objects that nothing refers to"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Verify, and say what is damaged, what that touches, and the way out."""
    paths = args.after_dashes or []
    revs = args.rev[: len(args.rev) - len(paths)]
    return (
        _some(ctx, revs, paths) if revs or paths else _everything(ctx, unreachable=args.unreachable)
    )


def _everything(ctx: Context, *, unreachable: bool) -> Result:
    from muse.ops.verify import verify

    progress = ctx.progress("Verifying")
    report = verify(ctx.repo(), list_unreachable=unreachable, progress=progress)
    ctx.end_progress()
    data: dict[str, object] = {
        "whole": report.is_whole,
        "objects": report.objects,
        "loose": report.loose,
        "packed": report.packed,
        "packs": report.packs,
        "refs": report.refs,
        "commits": report.commits,
        "unreachable": report.unreachable,
        "bytes": report.bytes_read,
        "findings": [finding_data(finding) for finding in report.findings],
        "left_out": report.left_out,
    }
    if unreachable:
        data["unreachable_ids"] = [
            {"id": oid, "type": kind} for oid, kind in report.unreachable_ids
        ]
    return Result(data, _text(ctx, report), exit_code=0 if report.is_whole else DAMAGED)


def _some(ctx: Context, revs: list[str], paths: list[str]) -> Result:
    from muse.cli.render import plural
    from muse.ops.verify import verify_path, verify_revision

    repo = ctx.repo()
    reports = [verify_revision(repo, rev) for rev in revs]
    reports += [verify_path(repo, ctx.path(path)) for path in paths]
    findings = [finding for report in reports for finding in report.findings]
    objects = sum(report.objects for report in reports)
    whole = all(report.is_whole for report in reports)
    data: dict[str, object] = {
        "whole": whole,
        "objects": objects,
        "findings": [finding_data(finding) for finding in findings],
    }
    lines = [line for finding in findings for line in finding_lines(finding, color=ctx.color)]
    verdict = "all whole" if whole else f"{plural(len(findings), 'finding')}"
    lines.append(f"{plural(objects, 'object')} checked: {verdict}.")
    return Result(data, lines, exit_code=0 if whole else DAMAGED)


def _text(ctx: Context, report: VerifyReport) -> Iterator[str]:
    from muse.cli.render import paint, plural, size

    for finding in report.findings:
        yield from finding_lines(finding, color=ctx.color)
    for oid, kind in report.unreachable_ids:
        yield f"unreachable {kind} {oid}"
    if report.left_out:
        yield f"… and {plural(report.left_out, 'more finding')}."
    counts = (
        f"{plural(report.objects, 'object')} ({report.loose} loose, {report.packed} in "
        f"{plural(report.packs, 'pack')}, {size(report.bytes_read)}), "
        f"{plural(report.commits, 'commit')}"
    )
    if report.is_whole:
        yield f"{counts}: {paint('all whole', 'good', on=ctx.color)}."
        return
    damaged = sum(finding.severity == "damage" for finding in report.findings)
    found = plural(damaged + report.left_out, "finding")
    yield f"{counts}: {paint('damaged', 'error', on=ctx.color)}, {found}. Nothing was changed."


def finding_lines(finding: Finding, *, color: bool) -> Iterator[str]:
    """Yield a finding as people read it: what, what it touches, and the way out."""
    from muse.cli.findings import touch_lines
    from muse.cli.render import paint

    style = "error" if finding.severity == "damage" else "warning"
    yield f"{paint(finding.severity, style, on=color)}: {finding.message}"
    yield from touch_lines(finding)
    yield f"  {paint('hint', 'hint', on=color)}: {finding.way_out}"


def finding_data(finding: Finding) -> dict[str, object]:
    """Return a finding as JSON holds it."""
    from muse.cli.findings import finding_facts

    return {
        **finding_facts(finding),
        "severity": finding.severity,
        "message": finding.message,
        "way_out": finding.way_out,
    }
