"""What jobs do: commit, push, pull, fetch, verify. Runs in the job's own process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from muse.core.findings import Finding
from muse.core.paths import show_path, show_text
from muse.remotes.protocol import TransferProgress
from muse_tui.backend.place import Place, open_place
from muse_tui.words import count, plural, size

# What came out in one sentence, what to do next, and facts by name.
Outcome = tuple[str, str, dict[str, str]]

# More findings than this are counted, not told one by one.
_FINDINGS = 200


class Tell(Protocol):
    """Takes progress; raises to cancel."""

    def __call__(
        self, done: int, total: int | None, *, unit: str = "objects", size_bytes: int | None = None
    ) -> None:
        """Record progress."""


def run_work(root: Path, kind: str, args: Mapping[str, object], *, tell: Tell) -> Outcome:
    """Do a job's work.

    Raises:
        MuseError: It was refused or failed.
        ValueError: There is no such kind of job.
    """
    verbs: dict[str, Callable[[Place, Mapping[str, object], Tell], Outcome]] = {
        "commit": _commit,
        "push": _push,
        "pull": _pull,
        "fetch": _fetch,
        "verify": _verify,
    }
    if kind not in verbs:
        raise ValueError(f"no such job: {kind}")
    return verbs[kind](open_place(root, do_sweep=False), args, tell)


def _commit(place: Place, args: Mapping[str, object], tell: Tell) -> Outcome:
    from muse.ops.commit import commit

    result = commit(
        place.repo,
        message=str(args["message"]),
        committer=place.signature(),
        amend=bool(args.get("amend")),
        progress=lambda done, total: tell(done, total, unit="files"),
    )
    verb = "Amended" if args.get("amend") else "Committed"
    short = result.oid.removeprefix("sha256:")[:7]
    return f"{verb} {short} {show_text(result.commit.subject)}", "", {"oid": result.oid}


def _transfer(tell: Tell) -> Callable[[TransferProgress], None]:
    def hear(progress: TransferProgress) -> None:
        unit = "files" if progress.phase == "checkout" else "objects"
        tell(
            progress.objects,
            progress.total_objects,
            unit=unit,
            size_bytes=progress.bytes_done or None,
        )

    return hear


def _push(place: Place, args: Mapping[str, object], tell: Tell) -> Outcome:
    from muse.ops.push import push
    from muse.ops.push_targets import PushOptions

    options = PushOptions(set_upstream=True, force=bool(args.get("force")))
    result = push(
        place.repo,
        remote=str(args["remote"]),
        options=options,
        progress=_transfer(tell),
    )
    there = show_text(result.remote)
    facts = {"objects": str(result.objects), "bytes": str(result.size_bytes)}
    if result.up_to_date:
        return f"{there} has everything already.", "", facts
    sent = f"{plural(result.objects, 'object')}, {size(result.size_bytes)}"
    names = ", ".join(show_text(ref.source or ref.name) for ref in result.refs[:3])
    again = f"; {count(result.present)} were there already" if result.present else ""
    return f"Pushed {names} to {there}: {sent}{again}.", "", facts


def _fetch(place: Place, args: Mapping[str, object], tell: Tell) -> Outcome:
    from muse.ops.fetch import fetch

    result = fetch(place.repo, remote=_named(args), progress=_transfer(tell))
    there = show_text(result.remote)
    if result.up_to_date:
        return f"Nothing new at {there}.", "", {}
    moved = plural(len(result.refs), "ref")
    return f"Fetched {plural(result.objects, 'object')} from {there}; {moved} moved.", "", {}


def _pull(place: Place, args: Mapping[str, object], tell: Tell) -> Outcome:
    from muse.ops.pull import pull

    result = pull(place.repo, remote=_named(args), progress=_transfer(tell))
    upstream = show_text(result.upstream)
    if result.up_to_date:
        return f"{show_text(result.branch)} has all of {upstream}.", "", {}
    files = plural(result.files, "file")
    return f"Pulled {plural(result.commits, 'commit')} from {upstream}; {files} changed.", "", {}


def _named(args: Mapping[str, object]) -> str | None:
    """Return the remote that a job names; None lets the upstream decide."""
    return str(args["remote"]) if args.get("remote") else None


def _verify(place: Place, _args: Mapping[str, object], tell: Tell) -> Outcome:
    from muse.ops.verify import verify

    report = verify(place.repo, progress=tell)
    damage = [finding for finding in report.findings if finding.severity == "damage"]
    facts = {
        "objects": str(report.objects),
        "unreachable": str(report.unreachable),
        "damage": str(len(damage)),
        "findings": json.dumps([_finding(finding) for finding in report.findings[:_FINDINGS]]),
    }
    checked = f"{plural(report.objects, 'object')} read and checked ({size(report.bytes_read)})"
    if damage:
        return f"{plural(len(damage), 'damage')} found; {checked}.", "4 tells which", facts
    return f"All is whole: {checked}.", "", facts


def _finding(finding: Finding) -> dict[str, str]:
    touches = [
        " ".join(
            part
            for part in (
                touch.label,
                (touch.commit or "").removeprefix("sha256:")[:10],
                show_path(touch.path) if touch.path else "",
            )
            if part
        )
        for touch in finding.touches
    ]
    return {
        "severity": finding.severity,
        "message": show_text(finding.message),
        "way_out": show_text(finding.way_out),
        "file": show_text(finding.file or ""),
        "touches": "\n".join(show_text(touch) for touch in touches),
    }
