"""Say what is wrong in words, and put it right from what is there: never from a guess.

A damaged file goes to ``.muse/quarantine/<time>/`` before anything takes its place, so that no
repair deletes an only copy (G15). Objects come back only as bytes that hash to their names. Each
remedy may be repeated, so the doctor may be killed, and run again (G13).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from muse.core import journal
from muse.core.codec import CodecError, unseal
from muse.core.errors import IoFailedError, MuseError
from muse.core.io import read_bytes, remove_file
from muse.core.lock import WriteLock
from muse.core.object_store import ObjectStore
from muse.core.paths import show_path, stat_cache_path, sweep_state_path
from muse.core.plain_files import CACHE_BYTES, JOURNAL_BYTES
from muse.core.repo import Repository
from muse.core.stat_cache_file import load_stat_cache
from muse.core.types import Progress
from muse.core.verify import verify_store
from muse.ops.doctor_layout import (
    check_checkout_record,
    find_blocked_journal,
    find_lost_ways,
    find_misplaced,
    find_nameless,
)
from muse.ops.doctor_names import NameDoctor
from muse.ops.doctor_objects import ObjectDoctor
from muse.ops.doctor_places import Places
from muse.ops.doctor_quarantine import Quarantine
from muse.ops.doctor_remedy import Remedy


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """What was wrong, and what became of it.

    Attributes:
        fixed: What was put right; empty without ``fix``.
        curable: What would be put right, with ``fix``.
        remaining: What nothing here can put right, each with its way out.
        notes: What costs no data and is left alone, each with what can be done.
        quarantine: Where damaged files were kept; None when there were none.
    """

    fixed: tuple[Remedy, ...]
    curable: tuple[Remedy, ...]
    remaining: tuple[Remedy, ...]
    notes: tuple[Remedy, ...]
    quarantine: Path | None

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong any more."""
        return not (self.curable or self.remaining)

    def after(self, earlier: DoctorResult) -> DoctorResult:
        """Return this with what was put right, and kept, before it."""
        kept = [result.quarantine for result in (earlier, self) if result.quarantine is not None]
        # Begun in two seconds, they have two folders side by side.
        common = kept[0] if len(set(kept)) == 1 else kept[0].parent if kept else None
        return replace(self, fixed=(*earlier.fixed, *self.fixed), quarantine=common)


def doctor(
    repo: Repository,
    *,
    fix: bool = False,
    sources: Sequence[str] = (),
    progress: Progress | None = None,
) -> DoctorResult:
    """Look for damage, and repair it where a whole copy or a log says how.

    Args:
        repo: The repository.
        fix: Do it; otherwise only say what would be done.
        sources: Names or addresses of repositories to ask for copies, before the remotes.
        progress: Called with (objects checked, objects in all), from the start in each round.

    Raises:
        RefNotFoundError: One of ``sources`` is neither a remote nor an address.
        StorageError: ``fix`` where nothing may be written, or the system refused.
        LockedError: Another command held the write lock for too long.

    Durability:
        Killed anywhere: each damaged file is where it was, or in the quarantine; running it again
        goes on.

    See:
        G13, G15.
    """
    quarantine = Quarantine(repo.root)
    # What one round puts right may bring to light what the next must: a tree, then what is in it.
    tried: dict[tuple[str, str], Remedy] = {}
    with Places(repo, sources) as places:
        while True:
            remedies, notes = _diagnose(repo, quarantine, places, progress)
            # What was tried and is still there will not get better by trying again.
            todo = [r for r in remedies if r.action and (r.problem, r.action) not in tried]
            if not fix or not todo:
                break
            tried.update({(r.problem, r.action): r for r in _apply(repo, todo)})
        notes = (*notes, *places.failures())
    present = {remedy.problem for remedy in remedies}
    return DoctorResult(
        fixed=tuple(remedy for remedy in tried.values() if remedy.problem not in present),
        curable=tuple(r for r in remedies if r.action),
        remaining=tuple(r for r in remedies if not r.action),
        notes=notes,
        quarantine=quarantine.folder if quarantine.files else None,
    )


def unblock(error: IoFailedError, *, fix: bool = False) -> DoctorResult:
    """Look at what kept the repository from being opened, and move it away.

    Args:
        error: Why it could not be opened.
        fix: Do it; otherwise only say what would be done.

    Returns:
        One problem, fixed or curable; whatever else is wrong shows once it can be opened.

    Raises:
        IoFailedError: The same, if it is nothing that is known here, or the system refused.

    Durability:
        Killed anywhere: what stood there is where it was, or in the quarantine.

    See:
        G13, G15.
    """
    path = Path(error.path)
    quarantine = Quarantine(path.parent.parent.parent)
    remedy = find_blocked_journal(path, quarantine)
    if remedy is None:
        raise error
    if not fix:
        return DoctorResult((), (remedy,), (), (), None)
    # Without the lock: whoever wants to write has to open the repository, which nobody can.
    _tidy([remedy])
    return DoctorResult((remedy,), (), (), (), quarantine.folder)


def _diagnose(
    repo: Repository, quarantine: Quarantine, places: Places, progress: Progress | None
) -> tuple[list[Remedy], tuple[Remedy, ...]]:
    # Not what is shown at most: what is beyond may be what can be put right.
    report = verify_store(
        repo.root, overlay=repo.objects.overlay, limit=sys.maxsize, progress=progress
    )
    findings = {finding.message: finding for finding in report.findings}
    objects, names = ObjectDoctor(repo, quarantine, places), NameDoctor(repo, quarantine)
    remedies = [*names.remedies(report.findings), *objects.remedies(report.findings)]
    for at, remedy in enumerate(remedies):
        finding = findings.get(remedy.problem)
        if not remedy.action and finding is not None and finding.oid is not None:
            remedies[at : at + 1] = list(names.strayed(finding.oid)) or [remedy]
    remedies = [*find_misplaced(repo, quarantine), *remedies]
    remedies += check_checkout_record(repo, quarantine)
    remedies += _caches(repo)
    remedies += _torn_journal(repo, quarantine)
    handled = {remedy.problem for remedy in remedies}
    notes = [
        Remedy(finding.message, way_out=finding.way_out)
        for finding in report.findings
        if finding.severity == "notice" and finding.message not in handled
    ]
    notes += find_lost_ways(repo)
    if not report.commits and not remedies:
        notes += find_nameless(ObjectStore(repo.root, readonly=True))
    remedies = [replace(r, finding=findings.get(r.problem)) for r in remedies]
    notes = [replace(r, finding=findings.get(r.problem)) for r in notes]
    return list({remedy.problem: remedy for remedy in remedies}.values()), tuple(notes)


def _apply(repo: Repository, remedies: Sequence[Remedy]) -> Sequence[Remedy]:
    """Do the first of these that can be done now; return what was tried."""
    if unlocked := [r for r in remedies if r.unlocked]:
        _tidy(unlocked)
        return unlocked
    if first := [r for r in remedies if r.first]:
        with WriteLock(repo.root, command="doctor"):
            _tidy(first)
        return first
    for errand in dict.fromkeys(r.errand for r in remedies if r.errand is not None):
        errand()
    publishing = [r for r in remedies if r.publish is not None]
    if publishing:
        with repo.transaction("doctor", summary=f"{len(publishing)} repairs") as tx:
            for remedy in publishing:
                if remedy.publish is not None:
                    remedy.publish(tx)
    with WriteLock(repo.root, command="doctor"):
        _tidy(remedies)
    repo.objects = ObjectStore(repo.root)
    return remedies


def _tidy(remedies: Sequence[Remedy]) -> None:
    for remedy in remedies:
        if remedy.tidy is not None:
            remedy.tidy()


def _caches(repo: Repository) -> Iterator[Remedy]:
    """Yield a remedy for each cache that does not read: every command makes do without."""
    for path in (stat_cache_path(repo.root), sweep_state_path(repo.root)):
        if not _is_whole_cache(repo, path):
            problem = f"{show_path(str(path))} is damaged; it is only a cache."

            def tidy(path: Path = path) -> None:
                remove_file(path)

            yield Remedy(problem, "Delete it; the next command makes it anew.", tidy=tidy)


def _is_whole_cache(repo: Repository, path: Path) -> bool:
    if path == stat_cache_path(repo.root):
        return not path.exists() or load_stat_cache(repo.root) is not None
    try:
        data = read_bytes(path, doing="read a cache", limit=CACHE_BYTES)
        if data is not None:
            unseal(data)
    except (CodecError, MuseError):
        return False
    return True


def _torn_journal(repo: Repository, quarantine: Quarantine) -> Iterator[Remedy]:
    """Yield a remedy for what stands behind the last whole record of the journal."""
    path = journal.wal_path(repo.root)
    data = read_bytes(path, doing="read the journal", limit=JOURNAL_BYTES) or b""
    extra = len(data) - journal.read_journal(repo.root).end
    if not extra:
        return

    def tidy() -> None:
        quarantine.keep(path)
        journal.recover(repo.objects)
        journal.checkpoint(repo.root)

    problem = (
        f"The last {extra} bytes of {show_path(str(path))} are no whole record: damaged, or of a "
        "command that died before it reported anything."
    )
    action = "Keep a copy in the quarantine, and write out what is whole."
    yield Remedy(problem, action, tidy=tidy)
