"""Damaged and missing objects: where a whole copy may be, and how it comes back.

A copy counts only when its bytes hash to the name that is needed. It may be in another pack, in
a loose file under a wrong name, in a file of the working tree, or in another repository.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.errors import CorruptObjectError, MuseError
from muse.core.findings import Finding
from muse.core.frames import MAX_HEADER, parse_header
from muse.core.object_store import ObjectStore
from muse.core.pack import Pack
from muse.core.pack_format import index_path
from muse.core.pack_writer import PackWriter
from muse.core.paths import MUSE, show_path
from muse.core.plain_files import open_plain
from muse.core.repo import Repository
from muse.core.scrub import DANGLING, MALFORMED, MISSING, UNREADABLE
from muse.core.types import ObjectType, RawId, frame_header, from_raw, raw_object_id, to_raw
from muse.ops.doctor_places import Errand, Place, Places
from muse.ops.doctor_quarantine import Quarantine
from muse.ops.doctor_remedy import Remedy

if TYPE_CHECKING:
    from muse.core.transaction import Transaction

_BLOCK: Final = 1 << 20


class Source(NamedTuple):
    """A file that holds an object whole.

    Attributes:
        where: The file, as the end of "brought back from".
        file: It has these bytes as its content, or as a frame.
        is_frame: Whether it holds a whole frame.
    """

    where: str
    file: Path
    is_frame: bool = False


class ObjectDoctor:
    """Finds whole copies, and proposes what to do with them.

    Args:
        repo: The repository.
        quarantine: Where damaged files go.
        places: Who else may have copies.
    """

    def __init__(self, repo: Repository, quarantine: Quarantine, places: Places) -> None:
        self._repo, self._quarantine, self._places = repo, quarantine, places
        self._store = ObjectStore(repo.root, readonly=True)
        self._store.overlay.update(repo.objects.overlay)
        self._worktree: dict[RawId, Path] | None = None
        self._elsewhere: dict[RawId, Place] = {}
        self._errands: dict[Place, Errand] = {}
        self._misnamed: dict[RawId, Path] = {}

    def remedies(self, findings: Iterable[Finding]) -> Iterator[Remedy]:
        """Yield a remedy for each finding that is about an object or a pack."""
        found = [f for f in findings if f.oid is not None or _is_pack_file(f.file)]
        self._misnamed = _look_under_wrong_names(found)
        lost = [to_raw(f.oid) for f in found if f.oid is not None and self._is_needed(f)]
        self._elsewhere = self._places.find([raw for raw in lost if self._find(raw) is None])
        hopeless = False
        for finding in found:
            if finding.oid is None:
                continue
            remedy = self._object(finding, to_raw(finding.oid))
            if not remedy.action and finding.severity == "notice":
                continue
            hopeless = hopeless or not remedy.action
            # A damaged pack is dealt with as a whole; its needed objects come first.
            if not (_is_pack_file(finding.file) and remedy.tidy is not None):
                yield remedy
        yield from self._packs(found, hopeless=hopeless)

    def _packs(self, found: Iterable[Finding], *, hopeless: bool) -> Iterator[Remedy]:
        packs: dict[str, None] = {}
        for finding in found:
            file = finding.file or ""
            if file.endswith(".mpack") and finding.kind != MALFORMED:
                packs[file] = None
            # A lone index is what a gc leaves for the next one.
            if file.endswith(".idx") and finding.kind != DANGLING:
                yield self._index(finding, Path(file))
        for file in packs:
            if hopeless:
                way_out = "It stays: what is missing may be in it. Bring that back first."
                yield Remedy(f"{show_path(file)} is damaged.", way_out=way_out)
            else:
                yield self._pack(Path(file))

    # -- one object ------------------------------------------------------------------------

    def _is_needed(self, finding: Finding) -> bool:
        """Tell whether others are to be asked: not for what only a log still names."""
        return (
            finding.severity == "damage"
            and finding.kind != MALFORMED
            and bool(finding.touches)
            and finding.oid is not None
            and not self._may_be_cut_off(finding)
            and not self._store.is_whole(to_raw(finding.oid))
        )

    def _may_be_cut_off(self, finding: Finding) -> bool:
        """Tell whether it may be missing on purpose: nobody can read where history ends."""
        if finding.kind != MISSING or not any(
            t.commit and t.kind == "commit" for t in finding.touches
        ):
            return False
        try:
            self._store.boundary.read()
        except MuseError:
            return True
        return False

    def _object(self, finding: Finding, raw: RawId) -> Remedy:
        path = None if finding.file is None else Path(finding.file)
        if finding.kind == MALFORMED and (finding.touches or _is_pack_file(finding.file)):
            return Remedy(finding.message, way_out=finding.way_out)
        if path is not None and finding.kind == UNREADABLE and _holds(path, raw):
            # An error of a moment; what reads well now may be the only copy.
            return Remedy(finding.message, way_out="It can be read now, and stays where it is.")
        if self._store.is_whole(raw) or not finding.touches:
            if path is None:
                return Remedy(finding.message, way_out=finding.way_out)
            why = "a whole copy is stored" if finding.touches else "nothing needs it"
            where = show_path(finding.file or "")
            action = f"Move {where} to the quarantine: {why}."
            return Remedy(finding.message, action, tidy=lambda: self._quarantine.move(path))
        source = self._find(raw)
        if source is None:
            place = self._elsewhere.get(raw)
            if place is None:
                return self._without_copy(finding, path)
            errand = self._errands.setdefault(place, Errand(place, self._quarantine.keep))
            errand.add(raw, None if _is_pack_file(finding.file) else path)
            return Remedy(finding.message, f"Bring it back from {place.shown}.", errand=errand.run)

        def publish(tx: Transaction) -> None:
            if path is not None and not _is_pack_file(finding.file):
                self._quarantine.keep(path)
            kind, size, chunks = _open(source, raw)
            if size > _BLOCK:
                if tx.write_stream(kind, size, chunks) != raw:
                    raise CorruptObjectError(from_raw(raw), where=source.where, reason="it changed")
            else:
                payload = b"".join(chunks)
                if raw_object_id(kind, payload) != raw:
                    raise CorruptObjectError(from_raw(raw), where=source.where, reason="it changed")
                tx.write_hashed(raw, kind, payload)

        return Remedy(finding.message, f"Bring it back from {source.where}.", publish=publish)

    def _find(self, raw: RawId) -> Source | None:
        if raw in self._misnamed:
            path = self._misnamed[raw]
            return Source(f"{show_path(str(path))}, which holds it", file=path, is_frame=True)
        file = self._files().get(raw)
        if file is not None:
            name = show_path(os.fsencode(file.relative_to(self._repo.root)))
            return Source(f"{name} in the working tree", file=file)
        return None

    def _without_copy(self, finding: Finding, path: Path | None) -> Remedy:
        if self._may_be_cut_off(finding):
            way_out = "It may be missing on purpose: see what is said of where history ends."
            return Remedy(finding.message, way_out=way_out)
        if not self._is_needed(finding):
            return Remedy(finding.message, way_out=finding.way_out)
        if path is not None and all(touch.lesser for touch in finding.touches):
            action = f"Move {show_path(str(path))} to the quarantine: only a way back needs it."
            return Remedy(finding.message, action, tidy=lambda: self._quarantine.move(path))
        asked = self._places.shown()
        also = f", nor in {asked}" if asked else ""
        way_out = (
            f"There is no whole copy among the files here{also}. If a clone or a backup has one: "
            "'muse doctor --fix --from <its path or address>'."
        )
        if any(touch.kind == "blob" for touch in finding.touches):
            way_out += " A file with that content, put anywhere in the working tree, is as good."
        return Remedy(finding.message, way_out=way_out)

    def _files(self) -> dict[RawId, Path]:
        """Return the content of every plain file of the working tree, by id; hashed once."""
        if self._worktree is None:
            self._worktree = {}
            for base, folders, names in os.walk(self._repo.root):
                folders[:] = [name for name in folders if name not in {MUSE, ".git"}]
                for name in names:
                    path = Path(base, name)
                    with contextlib.suppress(OSError):
                        if path.is_symlink():
                            target = os.fsencode(os.readlink(path))
                            self._worktree.setdefault(raw_object_id("blob", target), path)
                        elif path.is_file():
                            size = path.stat().st_size
                            raw = _hash(path, frame_header("blob", size))
                            self._worktree.setdefault(raw, path)
        return self._worktree

    # -- packs -----------------------------------------------------------------------------

    def _pack(self, path: Path) -> Remedy:
        def tidy() -> None:
            if self._salvage(path):
                self._quarantine.move(index_path(path))
                self._quarantine.move(path)

        action = f"Write what is whole in {path.name} to a new pack; move the old to quarantine."
        return Remedy(f"{show_path(str(path))} is damaged.", action, tidy=tidy)

    def _salvage(self, path: Path) -> bool:
        """Copy what is whole; True when the pack is then needed no more."""
        try:
            pack = Pack.open(path, write=False)
            pack.recheck(write=False)
        except MuseError:
            return path.exists()  # nothing can be read from it
        writer = PackWriter(self._repo.root)
        lost = []
        try:
            for raw in pack.ids():
                try:
                    stream = pack.open_stream(raw)
                    if stream is not None:
                        writer.add_stream(stream.kind, stream.size, iter(stream))
                except MuseError:
                    lost.append(raw)
            made = writer.finish()
        finally:
            writer.abandon()
        # The same bytes have the same name: then what is there is not to be moved away.
        return made != path

    def _index(self, finding: Finding, path: Path) -> Remedy:
        def tidy() -> None:
            self._quarantine.move(path)
            Pack.open(path.with_suffix(".mpack"))

        return Remedy(finding.message, "Rebuild it from its pack.", tidy=tidy)


def _is_pack_file(file: str | None) -> bool:
    return file is not None and file.endswith((".mpack", ".idx"))


def _look_under_wrong_names(findings: Iterable[Finding]) -> dict[RawId, Path]:
    """Return what damaged loose files really hold, by its id."""
    held: dict[RawId, Path] = {}
    for finding in findings:
        if finding.file and not _is_pack_file(finding.file):
            with contextlib.suppress(OSError):
                held[_hash(Path(finding.file), b"")] = Path(finding.file)
    return held


def _hash(path: Path, prefix: bytes) -> RawId:
    digest = hashlib.sha256(prefix)
    with open(path, "rb", opener=open_plain) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return RawId(digest.digest())


def _holds(path: Path, raw: RawId) -> bool:
    try:
        return _hash(path, b"") == raw
    except OSError:
        return False


def _open(source: Source, raw: RawId) -> tuple[ObjectType, int, Iterable[bytes]]:
    if source.is_frame:
        with open(source.file, "rb", opener=open_plain) as file:
            kind, size, start = parse_header(file.read(MAX_HEADER), raw, source.where)
        return kind, size, _blocks(source.file, start)
    if source.file.is_symlink():
        target = os.fsencode(os.readlink(source.file))
        return "blob", len(target), (target,)
    return "blob", source.file.stat().st_size, _blocks(source.file)


def _blocks(path: Path, start: int = 0) -> Iterator[bytes]:
    with open(path, "rb", opener=open_plain) as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            yield block
