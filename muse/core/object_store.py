"""The object store: loose files and packs, every read verified.

A loose object is the frame itself under ``objects/sha256/<2>/<62>``, so ``sha256sum`` of the file
prints its name. Reads look at loose objects, then at the packs, then at the packs once more after
rereading their folder, since a concurrent repack may have moved an object.

INVARIANT: bytes that do not hash to their name are never returned (G4), and a write never trusts
that a name exists: an object that is there but damaged is replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from muse.core import sweep, temps
from muse.core.errors import CorruptObjectError, MissingObjectError, UsageError
from muse.core.frames import (
    CHUNK_SIZE,
    MAX_HEADER,
    ObjectStream,
    describe_damage,
    iter_frame_chunks,
    iter_shard,
    parse_header,
    read_frame,
    unreadable,
)
from muse.core.io import NewFile, make_dirs, sync_path
from muse.core.pack_set import PackSet
from muse.core.paths import objects_dir, pack_dir, shards_dir
from muse.core.plain_files import open_plain
from muse.core.shallow import Boundary
from muse.core.types import (
    ObjectId,
    ObjectType,
    RawId,
    frame_header,
    from_raw,
    raw_object_id,
    to_raw,
)

if TYPE_CHECKING:
    from muse.core.pack import Pack

__all__ = [
    "ObjectReader",
    "ObjectStore",
    "ObjectStream",
    "cleanup_stale_object_temps",
    "has_object",
    "object_path",
    "objects_dir",
    "read_object",
    "write_object",
]


class ObjectReader(Protocol):
    """What a walk through history asks of a store, wherever that is."""

    def read(self, raw: RawId, *, expected: ObjectType | None = None) -> tuple[ObjectType, bytes]:
        """Read and verify one object; see `ObjectStore.read`."""
        ...


class ObjectStore:
    """All objects of one repository.

    Args:
        root: The folder that holds ``.muse``.
        readonly: Write nothing here, not even an index that is missing.

    Attributes:
        overlay: Frames that a journal holds and that this process may not write.
        journal: The journal that this process has applied, with what tells it from any other.
        boundary: Where history ends on purpose.
    """

    def __init__(self, root: Path, *, readonly: bool = False) -> None:
        self.root = root
        self.overlay: dict[RawId, bytes] = {}
        self.journal: tuple[tuple[int, int, int], object] | None = None
        self._shards = os.fspath(shards_dir(root))
        self._packs = PackSet(pack_dir(root), readonly=readonly)
        self.boundary = Boundary(root)

    def loose_path(self, raw: RawId) -> str:
        """Return where this object lives when it is loose."""
        digits = raw.hex()
        return f"{self._shards}/{digits[:2]}/{digits[2:]}"

    # -- reading ---------------------------------------------------------------------------

    def read(self, raw: RawId, *, expected: ObjectType | None = None) -> tuple[ObjectType, bytes]:
        """Read and verify one object.

        Args:
            raw: Its id.
            expected: The type that the caller needs.

        Returns:
            Its type and payload.

        Raises:
            MissingObjectError: Not stored here.
            CorruptObjectError: Stored, but damaged everywhere it is; or not of that type.
        """
        try:
            kind, payload = self._read_any(raw)
        except MissingObjectError:
            # Before it is called missing: a damaged index hides what its pack has.
            if not self._packs.recheck():
                raise
            kind, payload = self._read_any(raw)
        if expected is not None and kind != expected:
            raise CorruptObjectError(
                from_raw(raw), where="the store", reason=f"it is a {kind}, not a {expected}"
            )
        return kind, payload

    def read_object(self, oid: ObjectId) -> tuple[ObjectType, bytes]:
        """Read and verify one object by its text id; see `read`."""
        return self.read(to_raw(oid))

    def _read_any(self, raw: RawId) -> tuple[ObjectType, bytes]:
        damaged: CorruptObjectError | None = None
        try:
            frame = self._read_loose(raw)
        except CorruptObjectError as error:
            # A good copy in a pack is as good as any.
            damaged, frame = error, None
        if frame is not None:
            return frame
        for _ in range(2):
            for pack in self.packs():
                try:
                    found = pack.read(raw)
                except CorruptObjectError as error:
                    damaged = error
                    continue
                if found is not None:
                    self._packs.prefer(pack)
                    return found
            if not self.refresh():
                break
        else:
            if (frame := self._read_loose(raw)) is not None:
                return frame
        raise damaged or MissingObjectError(from_raw(raw))

    def _read_loose(self, raw: RawId) -> tuple[ObjectType, bytes] | None:
        path = self.loose_path(raw)
        try:
            frame = read_frame(raw, path)
        except FileNotFoundError:
            if raw not in self.overlay:
                return None
            frame = self.overlay[raw]
        except OSError as error:
            raise unreadable(raw, path, error) from error
        if hashlib.sha256(frame).digest() != raw:
            raise CorruptObjectError(from_raw(raw), where=path, reason=describe_damage(frame))
        kind, size, start = parse_header(frame, raw, path)
        if len(frame) - start != size:
            raise CorruptObjectError(from_raw(raw), where=path, reason="wrong length in its header")
        return kind, frame[start:]

    def stat(self, raw: RawId) -> tuple[ObjectType, int]:
        """Return type and payload size from the header, without reading the payload.

        Raises:
            MissingObjectError: Not stored here.
            CorruptObjectError: The header is damaged.
        """
        path = self.loose_path(raw)
        try:
            with open(path, "rb", buffering=0, opener=open_plain) as file:
                kind, size, start = parse_header(file.read(MAX_HEADER), raw, path)
                if os.fstat(file.fileno()).st_size == start + size:
                    return kind, size
        except (FileNotFoundError, CorruptObjectError):
            pass
        except OSError as error:
            raise unreadable(raw, path, error) from error
        for _ in range(2):
            for pack in self.packs():
                found = pack.stat(raw)
                if found is not None:
                    return found
            if not self.refresh():
                break
        kind, payload = self._read_any(raw)
        return kind, len(payload)

    def open_stream(self, raw: RawId) -> ObjectStream:
        """Open an object of any size for reading in chunks.

        Raises:
            MissingObjectError: Not stored here.
            CorruptObjectError: The header is damaged (a damaged payload shows while iterating).
        """
        path = self.loose_path(raw)
        try:
            fd = open_plain(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise unreadable(raw, path, error) from error
        else:
            return self._stream_loose(raw, path, fd)
        for _ in range(2):
            for pack in self.packs():
                found = pack.open_stream(raw)
                if found is not None:
                    self._packs.prefer(pack)
                    return ObjectStream(found.kind, found.size, iter(found))
            if not self.refresh():
                break
        kind, payload = self._read_any(raw)
        return ObjectStream(kind, len(payload), iter((payload,)))

    def _stream_loose(self, raw: RawId, path: str, fd: int) -> ObjectStream:
        try:
            head = os.read(fd, CHUNK_SIZE)
            kind, size, start = parse_header(head, raw, path)
        except BaseException:
            os.close(fd)
            raise
        return ObjectStream(kind, size, iter_frame_chunks(raw, path, fd, head, start, size))

    def has(self, raw: RawId) -> bool:
        """Tell whether an object of this name is stored; its bytes are not looked at."""
        if os.path.exists(self.loose_path(raw)) or raw in self.overlay:
            return True
        for _ in range(2):
            if any(pack.find(raw) is not None for pack in self.packs()):
                return True
            if not self.refresh():
                break
        return os.path.exists(self.loose_path(raw))

    def is_whole(self, raw: RawId) -> bool:
        """Tell whether the object is stored and its bytes hash to its name."""
        if not self.has(raw):
            # What is new, as most of what is written is, is told at the price of two lookups.
            return False
        try:
            kind, size = self.stat(raw)
            if size <= CHUNK_SIZE:
                self._read_any(raw)
            else:
                stream = self.open_stream(raw)
                if (stream.kind, stream.size) != (kind, size):
                    return False
                for _ in stream:
                    pass
        except (MissingObjectError, CorruptObjectError):
            return False
        return True

    def find_prefix(self, hex_prefix: str) -> list[ObjectId]:
        """Return the ids that begin with these hex digits (two or more), sorted."""
        digits = hex_prefix.removeprefix("sha256:").lower()
        if len(digits) < 2 or not re.fullmatch(r"[0-9a-f]{2,64}", digits):
            return []
        found = {from_raw(raw) for raw in iter_shard(self._shards, digits[:2])}
        for pack in self.packs():
            found.update(from_raw(raw) for raw in pack.find_prefix(digits))
        return sorted(oid for oid in found if oid.startswith(digits, len("sha256:")))

    def iter_loose(self) -> Iterator[RawId]:
        """Yield the id of every loose object, shard by shard."""
        for number in range(256):
            yield from iter_shard(self._shards, f"{number:02x}")

    # -- packs -----------------------------------------------------------------------------

    def packs(self) -> list[Pack]:
        """Return the open packs."""
        return self._packs.all()

    def refresh(self) -> bool:
        """Reread the pack folder if it changed; True when it did."""
        return self._packs.refresh()

    # -- writing ---------------------------------------------------------------------------

    def write(self, kind: ObjectType, payload: bytes) -> RawId:
        """Store a loose object that nothing publishes, whole or not at all, and not durable."""
        raw = raw_object_id(kind, payload)
        self.write_loose(raw, frame_header(kind, len(payload)) + payload)
        return raw

    def write_loose(
        self, raw: RawId, frame: bytes, *, durable: bool = False, anew: bool = False
    ) -> bool:
        """Store a frame whose hash the caller has computed.

        Args:
            raw: The SHA-256 of ``frame``.
            frame: Header and payload.
            durable: Sync the bytes before the name appears; the shard is the caller's to sync.
            anew: Replace even a whole copy: it may be whole in memory alone.

        Returns:
            False when a whole copy was there, whose mtime now spares it from a concurrent prune.
        """
        path = self.loose_path(raw)
        if not anew and self._freshen(path, frame):
            if durable:  # whoever wrote it may have died before its sync, or never meant to
                sync_path(path)
            return False
        with self.new_loose(raw) as new:
            new.write(frame)
            if durable:
                new.sync()
            if new.publish(path):
                return True
        # Another writer was faster, or what has this name is damaged: replace, never skip.
        if not anew and not durable and self._freshen(path, frame):
            return False
        with self.new_loose(raw) as new:
            new.write(frame)
            if durable:
                new.sync()
            return new.publish(path, replace=True)

    def new_loose(self, raw: RawId) -> NewFile:
        """Open a nameless file in an object's shard, which is made when missing."""
        shard = Path(self._shards, raw.hex()[:2])
        if not shard.is_dir():
            make_dirs(shard)
        return NewFile(shard, family=temps.OBJECT)

    @staticmethod
    def _freshen(path: str, frame: bytes) -> bool:
        try:
            with open(path, "rb", buffering=0, opener=open_plain) as file:
                if os.fstat(file.fileno()).st_size != len(frame) or file.read() != frame:
                    return False
            with contextlib.suppress(PermissionError):
                os.utime(path)
        except OSError:
            return False
        return True


# -- by root: for programs that hold a path and an id --------------------------------------


def object_path(root: Path, oid: str) -> Path:
    """Return where an object lives when it is loose."""
    return Path(ObjectStore(root).loose_path(to_raw(oid)))


def has_object(root: Path, oid: str) -> bool:
    """Tell whether an object of this name is stored."""
    return ObjectStore(root).has(to_raw(oid))


def read_object(root: Path, oid: str) -> bytes:
    """Read one object's payload, verified; see `ObjectStore.read`."""
    return ObjectStore(root).read(to_raw(oid))[1]


def write_object(root: Path, oid: str, data: bytes, *, kind: ObjectType = "blob") -> bool:
    """Store one object whose id the caller knows.

    Returns:
        True when it was written; False when a whole copy was there.

    Raises:
        UsageError: ``data`` is not what ``oid`` names.

    Durability:
        Killed at any instant: no name, or the whole object. Not synced: nothing refers to it yet.
    """
    if raw_object_id(kind, data) != to_raw(oid):
        raise UsageError(
            f"The data given for {oid} is not what that id names.",
            hint="Compute the id with muse.core.types.blob_id.",
        )
    store = ObjectStore(root)
    raw = to_raw(oid)
    if not os.path.exists(store.loose_path(raw)) and store.is_whole(raw):
        return False
    return store.write_loose(raw, frame_header(kind, len(data)) + data)


def cleanup_stale_object_temps(root: Path) -> int:
    """Remove the orphan temps of shards and packs; return how many."""
    findings = sweep.sweep_object_temps(root)
    return sum(f.state == sweep.REMOVED for f in findings)
