"""Is everything whole? Every ref → commit → tree → blob, and every object that lies around.

Reading only: nothing is repaired, moved or deleted here, since a repair that is wrong about what
is damaged would delete the only copy (G15). First every stored byte is compared with its name
(`scrub`), then everything that must be there is looked for (`reach`), and what was found is
traced back to the branches, commits and paths that it touches (`trace`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core.findings import (
    Finding,
    file_findings,
    lesser_findings,
    object_findings,
    root_findings,
    settings_findings,
)
from muse.core.object_store import ObjectStore
from muse.core.pack_format import index_path
from muse.core.paths import pack_dir, shards_dir
from muse.core.reach import Gap, Reach
from muse.core.roots import Root, Roots, read_roots
from muse.core.scrub import DANGLING, MISNAMED, Fault, Whole, scrub_shard
from muse.core.scrub_pack import PackScrub
from muse.core.temps import FAMILIES, family_of
from muse.core.trace import Touch, Tracer
from muse.core.types import OBJECT_TYPES, ObjectId, ObjectType, Progress, RawId, from_raw

if TYPE_CHECKING:
    from concurrent.futures import Executor

# More damage than this is one catastrophe, not that many findings.
MAX_FINDINGS: Final = 500


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verification has seen.

    Attributes:
        findings: Damage first.
        left_out: How many findings there were beyond the limit.
        objects: Different objects that are whole.
        loose: Loose objects looked at.
        packed: Packed objects looked at.
        packs: Packs looked at.
        refs: Refs, HEAD and staged paths that were followed.
        commits: Commits reached from them.
        unreachable: Whole objects that nothing refers to.
        unreachable_ids: They themselves, with their types, if that was asked for.
        bytes_read: Bytes of objects read.
    """

    findings: tuple[Finding, ...]
    left_out: int
    objects: int
    loose: int
    packed: int
    packs: int
    refs: int
    commits: int
    unreachable: int
    unreachable_ids: tuple[tuple[ObjectId, ObjectType], ...]
    bytes_read: int

    @property
    def is_whole(self) -> bool:
        """Whether there is no damage; notices do not count."""
        return not any(finding.severity == "damage" for finding in self.findings)


def verify_store(
    root: Path,
    *,
    overlay: dict[RawId, bytes] | None = None,
    list_unreachable: bool = False,
    limit: int = MAX_FINDINGS,
    pool: Executor | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Verify a whole repository; writes nothing.

    Args:
        root: The repository's root.
        overlay: Frames that a journal holds where this process may not write them.
        list_unreachable: Name the objects that nothing refers to, and not only count them.
        limit: How many findings to report.
        pool: Hashes packs beside the parsing; None: in this thread.
        progress: Called with (objects checked, objects in all).

    Returns:
        The report; damage is in it, not raised.

    See:
        G14, G15.
    """
    # A store of its own: it must not write an index where one is missing.
    store = ObjectStore(root, readonly=True)
    store.overlay.update(overlay or {})
    return _Verification(store, pool, progress).run(list_unreachable=list_unreachable, limit=limit)


class _Verification:
    def __init__(
        self, store: ObjectStore, pool: Executor | None, progress: Progress | None
    ) -> None:
        self._store, self._pool, self._progress = store, pool, progress
        self._whole = Whole()
        self._faults: list[Fault] = []
        self._loose = self._packed = self._packs = 0
        self._total = 0

    def run(self, *, list_unreachable: bool, limit: int) -> VerifyReport:
        self._total = _count_objects(self._store)
        self._scrub_loose()
        self._scrub_packs()
        roots = read_roots(self._store)
        strict = [root for root in roots.roots if not root.lesser]
        reach = Reach(self._store, kind_of=self._kind_of)
        gaps = self._find_gaps(reach, strict)
        commits = len(reach.commits)
        logged = [r for r in roots.roots if r.lesser and not (r.guess and r.raw not in self._whole)]
        lesser = self._find_gaps(reach, logged)
        lesser = {raw: gap for raw, gap in lesser.items() if raw not in gaps}
        self._settle_names(gaps, lesser)
        touches = self._trace(roots, {**lesser, **gaps})
        findings = [
            *object_findings(self._faults, gaps, touches, whole=self._whole),
            *file_findings(self._faults),
            *root_findings(roots),
            *settings_findings(self._store.root),
            *lesser_findings(self._faults, lesser, touches),
        ]
        findings.sort(key=lambda finding: finding.severity)
        return VerifyReport(
            findings=tuple(findings[:limit]),
            left_out=max(0, len(findings) - limit),
            objects=len(self._whole),
            loose=self._loose,
            packed=self._packed,
            packs=self._packs,
            refs=len(strict),
            commits=commits,
            unreachable=self._count_unreachable(reach),
            unreachable_ids=self._list_unreachable(reach) if list_unreachable else (),
            bytes_read=self._whole.bytes_read,
        )

    # -- every byte ------------------------------------------------------------------------

    def _scrub_loose(self) -> None:
        """Loose objects come first: what a gc beside us packs meanwhile is then in a pack."""
        for frame_raw, frame in self._store.overlay.items():
            kind: ObjectType = frame[: frame.index(b" ")].decode()  # type: ignore[assignment]
            self._whole.of(kind).add(frame_raw)
        for shard in _list(shards_dir(self._store.root)):
            before = len(self._whole)
            faults = list(scrub_shard(shard, self._whole))
            self._faults += faults
            self._loose += len(self._whole) - before + sum(f.raw is not None for f in faults)
            self._tell()

    def _scrub_packs(self) -> None:
        packs = set()
        names = _list(pack_dir(self._store.root))
        # The largest first: while there are no threads yet, a child shares the work.
        for path in sorted(names, key=_size, reverse=True):
            if path.suffix == ".mpack":
                packs.add(path)
                scrub = PackScrub(path, self._whole, pool=self._pool, tick=self._tick)
                self._faults += scrub.run()
                self._packs += 1
                self._packed += scrub.objects
        owned = {index_path(pack) for pack in packs}
        for path in names:
            if path in packs or path in owned or family_of(path.name, FAMILIES):
                continue
            if not path.exists():
                continue
            reason = "there is no pack that it belongs to"
            self._faults.append(Fault(DANGLING, None, str(path), reason))

    def _tick(self, objects: int) -> None:
        if self._progress is not None:
            done = self._loose + self._packed + objects
            self._progress(done, max(done, self._total))

    def _tell(self) -> None:
        self._tick(0)

    # -- everything that must be there -----------------------------------------------------

    def _kind_of(self, raw: RawId) -> ObjectType | None:
        kind = self._whole.kind_of(raw)
        if kind is None and self._store.is_whole(raw):
            # Written, or moved, after we had passed: by a command beside us.
            kind = self._store.stat(raw)[0]
            self._whole.of(kind).add(raw)
        return kind

    def _find_gaps(self, reach: Reach, roots: Iterable[Root]) -> dict[RawId, Gap]:
        """Walk from some roots; return what is needed and not whole, faults explained."""
        known = set(reach.gaps)
        reach.walk((root.raw, root.kind) for root in roots)
        gaps = {raw: gap for raw, gap in reach.gaps.items() if raw not in known}
        for raw in reach.blobs - self._whole.blob:
            actual = self._kind_of(raw)
            if actual is None:
                gaps[raw] = Gap("blob", "it is not there", missing=True)
            elif actual != "blob":
                gaps[raw] = Gap("blob", f"it is a {actual}, not a blob", missing=False)
        return gaps

    def _settle_names(self, *gaps: dict[RawId, Gap]) -> None:
        """A file whose bytes are those of another object that we know of is only misnamed."""
        for at, fault in enumerate(self._faults):
            actual = fault.actual
            if actual is None:
                continue
            if actual in self._whole or any(actual in found for found in gaps):
                reason = f"it holds the object {from_raw(actual)}"
                self._faults[at] = fault._replace(kind=MISNAMED, reason=reason)

    def _trace(self, roots: Roots, gaps: dict[RawId, Gap]) -> dict[RawId, list[Touch]]:
        bad = set(gaps)
        bad |= {f.raw for f in self._faults if f.raw is not None and f.raw not in self._whole}
        return Tracer(self._store, bad).trace(roots.roots) if bad else {}

    def _count_unreachable(self, reach: Reach) -> int:
        return sum(raw not in reach for kind in OBJECT_TYPES for raw in self._whole.of(kind))

    def _list_unreachable(self, reach: Reach) -> tuple[tuple[ObjectId, ObjectType], ...]:
        return tuple(
            (from_raw(raw), kind)
            for kind in reversed(OBJECT_TYPES)
            for raw in sorted(self._whole.of(kind))
            if raw not in reach
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _count_objects(store: ObjectStore) -> int:
    """Count what there is to check, by names alone; only the progress bar believes it."""
    packed = sum(len(pack) for pack in store.packs())
    return packed + sum(len(_list(shard)) for shard in _list(shards_dir(store.root)))


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
