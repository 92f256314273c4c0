"""The health report as facts, each with what it means and what to do."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from muse.core.errors import MuseError
from muse.core.paths import show_path, show_text
from muse.core.sweep import TempFinding
from muse.core.temps import OBJECT_GATE_S
from muse.ops.health import HealthReport, read_health
from muse_tui.backend import drafts
from muse_tui.backend.place import Place
from muse_tui.backend.sessions import LastEnd
from muse_tui.job_files import read_jobs
from muse_tui.model import Fact, HealthView, JobView, WatchView
from muse_tui.words import ago, count, plural, size

_RANK = {"ok": 0, "info": 0, "warn": 1, "bad": 2}
_LOW_DISK = 500_000_000
# Where an object's file lies: told by the details, too long for the line.
_PLACE = re.compile(r" in \S*/objects/\S+")
_SHOWN_FINDINGS = 50
_STORAGE, _TEMPS, _CRASH, _SYSTEM = "Storage", "Temps", "Since the last start", "System"


def clock(time_s: float, *, seconds: bool = False) -> str:
    """Return a time of today as ``12:04``, an older one with its date."""
    if not time_s:
        return "unknown"
    moment = time.localtime(time_s)
    today = time.localtime()
    same = moment[:3] == today[:3]
    shape = "%H:%M:%S" if seconds else "%H:%M"
    return time.strftime(shape if same else f"%d %b {shape}", moment)


def read_facts(
    place: Place, *, last: LastEnd, watch: WatchView, unreadable: Collection[bytes] = ()
) -> HealthView:
    """Collect everything that the health pane tells; nothing is written or removed.

    Args:
        place: The repository of the read lane.
        last: How the interface ended last time.
        watch: How true the lists are.
        unreadable: The folders of the working tree that may not be listed.
    """
    try:
        report = read_health(place.repo)
    except MuseError as error:
        fact = Fact("error", "bad", error.message, detail=error.hint, group=_STORAGE)
        return HealthView((fact,), "bad", error.message, last.state)
    jobs = read_jobs(place.root)
    facts = [
        *_broken(report),
        *_storage(report, jobs),
        *_crash(place, last, jobs),
        *_temps(report),
        *_hidden(unreadable),
        *_system(report, watch),
    ]
    level = max((fact.level for fact in facts), key=lambda name: _RANK[name], default="ok")
    level = "ok" if level == "info" else level
    return HealthView(
        tuple(facts),
        level,
        _headline(report, facts, level),
        last.state,
        _crash_line(place, report, last, jobs),
        min((gate_left_s(f) for f in report.present if f.state == "waiting"), default=0.0),
    )


def _headline(report: HealthReport, facts: Iterable[Fact], level: str) -> str:
    worst = [fact for fact in facts if fact.level == level]
    if level in {"warn", "bad"}:
        first = worst[0]
        more = f" · {len(worst) - 1} more" if len(worst) > 1 else ""
        return f"{first.text}{f' · {first.value}' if first.value else ''}{more}"
    total = report.loose_objects + report.packed_objects
    return f"{plural(total, 'object')} · nothing to do"


def _broken(report: HealthReport) -> Iterator[Fact]:
    broken = [("ref", ref) for ref in report.damaged_refs]
    broken += [("file", file) for file in report.damaged_files]
    for kind, found in broken:
        yield Fact(
            f"{kind}:{found.name}",
            "bad",
            show_text(found.name),
            "cannot be read",
            detail=show_text(found.problem, keep="\n"),
            group=_STORAGE,
        )


def _storage(report: HealthReport, jobs: list[JobView]) -> Iterator[Fact]:
    total = report.loose_objects + report.packed_objects
    detail = (
        f"{count(report.loose_objects)} loose objects, {count(report.packed_objects)} in "
        f"{plural(report.packs, 'pack')} ({size(report.pack_bytes)}).\n"
        "Every read checks the hash. V reads and checks all of them."
    )
    verified = next((j for j in jobs if j.kind == "verify" and j.state == "done"), None)
    value, level = "not verified yet", "ok"
    if verified:
        detail += f"\n{verified.message}"
        damaged = int(dict(verified.data).get("damage", "0"))
        level = "bad" if damaged else "ok"
        value = f"{count(damaged)} damaged · " if damaged else "verified "
        value += clock(verified.ended_s)
    yield Fact("objects", level, plural(total, "object"), value, detail, _STORAGE)
    if verified:
        yield from _findings(verified)
    failed = next((j for j in jobs if j.kind == "verify"), None)
    if failed is not None and failed.state == "failed":
        yield Fact("verify", "bad", failed.message, clock(failed.ended_s), failed.hint, _STORAGE)
    if report.lock is not None:
        held = ago(time.time() - report.lock.since_s)
        yield Fact(
            "lock",
            "info",
            f"{show_text(report.lock.command)} is writing",
            f"pid {report.lock.pid} · {held}",
            "It is alive: a lock dies with its process. Readers are not stopped by it.",
            _STORAGE,
        )
    if report.journals:
        yield Fact(
            "journals",
            "info",
            plural(report.journals, "transaction") + " to settle",
            "durable",
            "They are durable, and read through; the next write settles them.",
            _STORAGE,
        )


def _findings(verified: JobView) -> Iterator[Fact]:
    """Yield what the last verification found, each with what it touches and the way out."""
    found = json.loads(dict(verified.data).get("findings", "[]"))
    for number, finding in enumerate(found[:_SHOWN_FINDINGS]):
        level = "bad" if finding["severity"] == "damage" else "info"
        touches = finding["touches"] or "Nothing that a branch or tag needs."
        detail = f"{finding['file']}\n\nTouches:\n{touches}\n\nThe way out:\n{finding['way_out']}"
        when = clock(verified.ended_s)
        message = _PLACE.sub("", finding["message"])
        yield Fact(f"finding:{number}", level, message, when, detail, _STORAGE)


def _crash(place: Place, last: LastEnd, jobs: list[JobView]) -> Iterator[Fact]:
    if last.state == "crashed":
        when = clock(last.ended_s) if last.ended_s else f"after {clock(last.started_s)}"
        yield Fact(
            "shutdown",
            "info",
            "The interface was killed",
            when,
            f"Process {last.pid}, begun {clock(last.started_s)}, ended without a word.\n"
            "What was reported before is stored; nothing of it is lost.",
            _CRASH,
        )
    elif last.state == "clean":
        ended = clock(last.ended_s)
        yield Fact("shutdown", "ok", "Clean shutdown", ended, "", _CRASH)
    draft = drafts.read_draft(place.root)
    if draft.text.strip():
        subject = draft.text.strip().split("\n")[0]
        yield Fact(
            "draft",
            "info",
            f"Draft: {show_text(subject)}",
            clock(draft.saved_s),
            f"{show_text(draft.text, keep=chr(10))}\n\nc continues it. It is the file "
            f"{drafts.draft_path(place.root)}.",
            _CRASH,
        )
    for job in jobs[:5]:
        if job.state in {"died", "failed"}:
            level = "warn" if job.state == "died" and job == jobs[0] else "info"
            yield Fact(
                f"job:{job.id}",
                level,
                job.message or f"{job.kind} {job.state}",
                clock(job.ended_s or job.started_s),
                f"{job.hint}\nIt either happened whole or not at all. Doing it again sends "
                f"only what is missing. Its folder: .muse/jobs/{job.id}",
                _CRASH,
            )


def _temps(report: HealthReport) -> Iterator[Fact]:
    present = [f for f in report.present if f.state != "removed"]
    orphans = [f for f in present if f.state == "orphan"]
    for finding in present:
        yield _temp_fact(finding, "warn" if finding in orphans else "info")
    removed = [
        (entry, finding)
        for entry in report.ledger
        for finding in entry.findings
        if finding.state == "removed"
    ]
    by_sweep: dict[tuple[float, str], list[TempFinding]] = {}
    for entry, finding in removed:
        by_sweep.setdefault((entry.time_s, entry.command), []).append(finding)
    for (time_s, command), findings in list(by_sweep.items())[:8]:
        total = sum(f.size_bytes for f in findings)
        lines = [
            f"{show_text(f.path)}  {f.family}  {size(f.size_bytes)}  "
            f"{ago(f.age_s)} old\n    {f.reason}"
            for f in findings[:200]
        ]
        yield Fact(
            f"removed:{time_s}",
            "ok",
            f"Removed {plural(len(findings), 'temp')} · {size(total)}",
            clock(time_s),
            f"by {show_text(command)}\n\n" + "\n".join(lines),
            _TEMPS,
        )
    if not present and not removed:
        yield Fact("temps", "ok", "No temps left behind", "", "", _TEMPS)


def _temp_fact(finding: TempFinding, level: str) -> Fact:
    words = {"in use": "In use", "waiting": "Waiting", "orphan": "Orphan"}
    who = f" · pid {finding.pid}" if finding.pid else ""
    age = f"{ago(finding.age_s)} old" if finding.age_s >= 60 else "new"
    if finding.state == "waiting":
        age = f"until {clock(time.time() + gate_left_s(finding), seconds=True)}"
    command = f"\nwriter: {_command_of(finding.pid)}" if finding.pid else ""
    return Fact(
        f"temp:{finding.path}",
        level,
        f"{words.get(finding.state, finding.state)} {show_text(finding.path)}",
        f"{size(finding.size_bytes)} · {age}{who}",
        f"family {finding.family}\n{show_text(finding.reason, keep=chr(10))}{command}",
        _TEMPS,
    )


def gate_left_s(finding: TempFinding) -> float:
    """Return for how many seconds a waiting temp is left alone."""
    return max(OBJECT_GATE_S - finding.age_s, 0.0)


def _command_of(pid: int) -> str:
    """Return a process and what it runs, as far as this system tells."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return f"pid {pid}"
    return f"pid {pid}, {show_text(b' '.join(words).decode('utf-8', 'replace').strip())}"


def _hidden(unreadable: Collection[bytes]) -> Iterator[Fact]:
    if unreadable:
        names = "\n".join(f"{show_path(path)}/" for path in sorted(unreadable)[:_SHOWN_FINDINGS])
        more = len(unreadable) - _SHOWN_FINDINGS
        yield Fact(
            "unreadable",
            "warn",
            f"{plural(len(unreadable), 'folder')} cannot be listed",
            "permission denied",
            "What is new in there is not shown, added or committed. Give yourself the right to "
            f"read it, or ignore it in .museignore.\n\n{names}"
            + (f"\nand {count(more)} more" if more > 0 else ""),
            _SYSTEM,
        )


def _system(report: HealthReport, watch: WatchView) -> Iterator[Fact]:
    if report.readonly_reason:
        yield Fact("readonly", "warn", "Read-only", "", report.readonly_reason, _SYSTEM)
    level = "ok" if watch.live in {"live", "starting", "setting up", "reconciling"} else "warn"
    scans = f"{plural(watch.reconciles, 'full scan')}" if watch.reconciles else ""
    detail = f"{watch.reason}\nEvents are hints; what they miss a full scan finds (R starts one)."
    words = {"polling": "Polling", "stopped": "Not watching"}
    text = f"{words.get(watch.live, 'Watching')} the working tree"
    yield Fact("watch", level, text, scans, detail.strip(), _SYSTEM)
    if report.lock is None:
        yield Fact("lock", "ok", "Write lock", "free", "No process is writing.", _SYSTEM)
    if report.durability != "full":
        text = "What is reported may be lost in a power cut; a killed process loses nothing."
        yield Fact("durability", "info", "Durability", report.durability, text, _SYSTEM)
    free = report.disk_free_bytes
    level = "warn" if free < _LOW_DISK else "ok"
    yield Fact("disk", level, "Disk", f"{size(free)} free", "", _SYSTEM)


def _crash_line(place: Place, report: HealthReport, last: LastEnd, jobs: list[JobView]) -> str:
    if last.state != "crashed":
        return ""
    parts = []
    if drafts.read_draft(place.root).text.strip():
        parts.append("your draft is kept")
    removed = sum(f.state == "removed" for f in report.swept)
    if removed:
        parts.append(f"{plural(removed, 'temp')} removed")
    if jobs and jobs[0].state == "died":
        parts.append(f"the {jobs[0].kind} can be repeated")
    parts.append("nothing is lost")
    when = f" at {clock(last.ended_s)}" if last.ended_s else ""
    return f"muse-tui was killed{when}: {', '.join(parts)}."
