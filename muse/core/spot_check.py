"""A verification of some objects and what lies below them, without the rest of the repository.

It is what asks "is this file whole?": every copy of each object is read, loose and packed.
History is not followed: a commit stands for its own tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from muse.core.commits import parse_commit, parse_tag
from muse.core.errors import CorruptObjectError
from muse.core.findings import Finding, object_findings
from muse.core.object_store import ObjectStore
from muse.core.reach import Gap
from muse.core.scrub import (
    CHANGED,
    MALFORMED,
    MISSING,
    Fault,
    Whole,
    check_loose,
    find_format_fault,
)
from muse.core.trace import Touch
from muse.core.trees import EMPTY_TREE, parse_tree
from muse.core.types import MODE_TREE, ObjectId, ObjectType, RawId, from_raw


class Spot(NamedTuple):
    """Where to look.

    Attributes:
        raw: The object.
        kind: The type that it must have; None when any will do.
        touch: How people call it.
    """

    raw: RawId
    kind: ObjectType | None
    touch: Touch


class SpotReport(NamedTuple):
    """What was found there.

    Attributes:
        findings: What is wrong.
        objects: How many objects were looked at.
    """

    findings: tuple[Finding, ...]
    objects: int

    @property
    def is_whole(self) -> bool:
        """Whether every object that was looked at is there and whole."""
        return not any(finding.severity == "damage" for finding in self.findings)


def check_spots(root: Path, spots: Iterable[Spot], *, below: bool = True) -> SpotReport:
    """Check some objects; writes nothing.

    Args:
        root: The repository's root.
        spots: What to check.
        below: Go on to everything below a commit, tag or tree.
    """
    check = _SpotCheck(ObjectStore(root, readonly=True))
    stack = list(spots)
    while stack:
        spot = stack.pop()
        if spot.raw in check.seen or spot.raw == EMPTY_TREE:
            continue
        check.seen.add(spot.raw)
        found = check.look(spot)
        if found is not None and below:
            stack += check.below(spot, *found)
    findings = object_findings(
        check.faults, check.gaps, check.touches, whole=check.whole, named=MISSING
    )
    return SpotReport(tuple(findings), len(check.seen))


class _SpotCheck:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.whole = Whole()
        self.seen: set[RawId] = set()
        self.faults: list[Fault] = []
        self.gaps: dict[RawId, Gap] = {}
        self.touches: dict[RawId, list[Touch]] = {}

    def look(self, spot: Spot) -> tuple[ObjectType, bytes] | None:
        """Check every copy; return type and payload unless it is a blob or cannot be used."""
        raw = spot.raw
        before = len(self.faults)
        fault = check_loose(Path(self._store.loose_path(raw)), raw, self.whole)
        if fault is not None:
            self.faults.append(fault)
        self._look_into_packs(raw)
        kind = self.whole.kind_of(raw)
        if kind is None:
            if len(self.faults) == before:
                self.gaps[raw] = Gap(spot.kind, "it is not there", missing=True)
        elif spot.kind not in {None, kind}:
            self.gaps[raw] = Gap(spot.kind, f"it is a {kind}, not a {spot.kind}", missing=False)
        elif kind != "blob":
            return self._store.read(raw)
        if kind is None or raw in self.gaps or len(self.faults) > before:
            self.touches[raw] = [spot.touch._replace(kind=kind or spot.kind)]
        return None

    def _look_into_packs(self, raw: RawId) -> None:
        self._store.refresh()
        for pack in self._store.packs():
            try:
                stream = pack.open_stream(raw)
                if stream is None:
                    continue
                parts = [chunk for chunk in stream if stream.kind != "blob"]
            except CorruptObjectError as error:
                self.faults.append(Fault(CHANGED, raw, error.where, error.reason))
                continue
            problem = find_format_fault(stream.kind, b"".join(parts))
            if problem:
                reason = f"it is no valid {stream.kind}: {problem}"
                self.faults.append(Fault(MALFORMED, raw, str(pack.path), reason))
            else:
                self.whole.of(stream.kind).add(raw)

    def below(self, spot: Spot, kind: ObjectType, payload: bytes) -> list[Spot]:
        """Return what a whole object names."""
        touch = spot.touch
        if kind == "tag":
            tag = parse_tag(payload)
            return [Spot(tag.target, tag.kind, touch)]
        if kind == "commit":
            oid: ObjectId = from_raw(spot.raw)
            return [Spot(parse_commit(payload).tree, "tree", touch._replace(commit=oid))]
        base = touch.path + b"/" if touch.path else b""
        return [
            Spot(
                entry.raw,
                "tree" if entry.mode == MODE_TREE else "blob",
                touch._replace(path=base + entry.name),
            )
            for entry in parse_tree(payload)
        ]
