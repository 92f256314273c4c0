"""What a verification found, in words: what is wrong, what it touches, and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from muse.core.config import read_tables
from muse.core.errors import CorruptFileError, MuseError
from muse.core.io import read_bytes
from muse.core.paths import config_path, repo_json_path, show_path
from muse.core.plain_files import RECORD_BYTES
from muse.core.reach import Gap
from muse.core.roots import Roots
from muse.core.scrub import CHANGED, DANGLING, MALFORMED, MISNAMED, MISSING, Fault, Whole
from muse.core.trace import Touch
from muse.core.types import ObjectId, RawId, from_raw

Severity = Literal["damage", "notice"]

_FETCH: Final = (
    "'muse doctor' looks for a whole copy in the files here and in the remotes, and brings it back "
    "with --fix; 'muse doctor --from <path or address>' also looks in that clone or backup."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: ``missing empty truncated zeros changed misnamed unreadable malformed dangling``.
        severity: *damage*, or a *notice* of what costs no data.
        message: What is wrong, in one sentence.
        way_out: What to do about it.
        oid: The object; None when a file of another sort is concerned.
        file: The file; None for an object that is in none.
        touches: What needs it, those that matter most first; empty when nothing does.
    """

    kind: str
    severity: Severity
    message: str
    way_out: str
    oid: ObjectId | None = None
    file: str | None = None
    touches: tuple[Touch, ...] = ()


def object_findings(
    faults: Iterable[Fault],
    gaps: Mapping[RawId, Gap],
    touches: Mapping[RawId, Sequence[Touch]],
    *,
    whole: Whole,
    named: str = DANGLING,
) -> Iterator[Finding]:
    """Yield a finding for each damaged copy of an object, and for each object that is missing.

    Args:
        faults: What is wrong with stored files.
        gaps: What is needed and not whole.
        touches: What needs each of them.
        whole: What has a whole copy.
        named: What a missing object is called that a ref or the like names itself.
    """
    explained: set[RawId] = set()
    for fault in faults:
        raw = fault.raw
        if raw is None:
            continue
        explained.add(raw)
        found = tuple(touches.get(raw, ()))
        spare = raw in whole
        also = "; another copy of it is whole" if spare else ""
        yield Finding(
            fault.kind,
            "damage",
            f"Object {from_raw(raw)} in {show_path(fault.file)} is damaged: {fault.reason}{also}.",
            way_out(found, fault=fault, spare=spare),
            oid=from_raw(raw),
            file=fault.file,
            touches=found,
        )
    for raw, gap in gaps.items():
        if raw in explained:
            continue
        found = tuple(touches.get(raw, ()))
        by_name = any(t.commit is None and t.path is None for t in found)
        missing = named if by_name else MISSING
        name = f"{(gap.kind or 'object').capitalize()} {from_raw(raw)}"
        yield Finding(
            missing if gap.missing else CHANGED,
            "damage",
            f"{name} is needed, and {gap.reason.rstrip('.')}.",
            way_out(found),
            oid=from_raw(raw),
            touches=found,
        )


def way_out(touches: Sequence[Touch], *, fault: Fault | None = None, spare: bool = False) -> str:
    """Say what to do about an object that is damaged or missing."""
    if spare and fault is not None:
        if fault.file.endswith(".mpack"):
            return "Nothing is lost: 'muse gc --all' writes the packs anew from the whole copies."
        return "Nothing is lost: 'muse gc' packs the whole copy and removes the damaged one."
    if not touches:
        return "Nothing needs it: the file can be deleted, or left for 'muse gc' to drop."
    if fault is not None and fault.kind == MALFORMED:
        return "Its bytes are what its name says, so it was made like this: check where it is from."
    return _FETCH


def file_findings(faults: Iterable[Fault]) -> Iterator[Finding]:
    """Yield a finding for each file in the store that is wrong as such."""
    for fault in faults:
        if fault.raw is not None:
            continue
        is_index = fault.file.endswith(".idx")
        severity: Severity = "damage"
        if is_index and fault.kind in {MISSING, DANGLING}:
            # A writer, or a gc, that was killed between the two names of a pack leaves this.
            severity = "notice"
            out = "Nothing is lost: the next command that reads the pack rebuilds it."
            if fault.kind == DANGLING:
                out = "Nothing is lost: 'muse gc' removes it."
        elif is_index:
            out = "Nothing is lost: delete this file, and it is rebuilt from its pack."
        elif fault.kind == MISNAMED and not fault.file.endswith(".mpack"):
            severity = "notice"
            out = "Muse did not write it and does not read it: move it elsewhere."
        elif fault.kind == DANGLING:
            severity = "notice"
            out = "Muse does not read it: move it elsewhere."
        else:
            out = f"What was in it and is needed is listed by itself. {_FETCH}"
        message = f"{show_path(fault.file)}: {fault.reason}."
        yield Finding(fault.kind, severity, message, out, file=fault.file)


def root_findings(roots: Roots) -> Iterator[Finding]:
    """Yield a finding for each ref, reflog, stage and the like that cannot be read."""
    for fault in roots.faults:
        yield Finding(
            CHANGED,
            "notice" if fault.lesser else "damage",
            f"{fault.label} ({show_path(fault.file)}): {fault.reason}.",
            fault.way_out,
            file=fault.file,
            touches=(Touch(fault.label, lesser=fault.lesser),),
        )


def settings_findings(root: Path) -> Iterator[Finding]:
    """Yield a finding for each file of settings that does not parse."""
    path = config_path(root)
    try:
        read_tables(path)
    except MuseError as error:
        reason = error.reason if isinstance(error, CorruptFileError) else error.message
        yield Finding(CHANGED, "damage", f"{path}: {reason}.", error.hint, file=str(path))
    path = repo_json_path(root)
    try:
        data = read_bytes(path, doing="read the repository's format", limit=RECORD_BYTES)
        reason = (
            "" if data is None or isinstance(json.loads(data), dict) else "it is no JSON object"
        )
    except (MuseError, ValueError) as error:
        reason = error.message if isinstance(error, MuseError) else "it is not valid JSON"
    if reason:
        hint = "'muse init' writes it anew and keeps everything else."
        yield Finding(CHANGED, "damage", f"{path}: {reason}.", hint, file=str(path))


def lesser_findings(
    faults: Iterable[Fault],
    gaps: Mapping[RawId, Gap],
    touches: Mapping[RawId, Sequence[Touch]],
) -> Iterator[Finding]:
    """Yield one notice for each log or the like that names what is not there any more."""
    explained = {fault.raw for fault in faults}
    groups: dict[str, list[RawId]] = {}
    for raw in gaps:
        if raw not in explained:
            label = next((touch.label for touch in touches.get(raw, ())), "a log")
            groups.setdefault(label, []).append(raw)
    for label, ids in groups.items():
        count = f"{len(ids)} objects" if len(ids) > 1 else f"object {from_raw(ids[0])}"
        verb = "are" if len(ids) > 1 else "is"
        yield Finding(
            MISSING,
            "notice",
            f"The {label} still names {count} that {verb} not there.",
            "Nothing else needs it: only the way back to it is lost.",
            oid=from_raw(ids[0]),
            touches=(Touch(label, lesser=True),),
        )
