"""Objects of a store, found through indexes and read by ranges; nothing is believed.

What is here already is read here. The rest is looked for in the packs' indexes, which are small,
immutable and kept in the cache, newest pack first; a walk reads ahead in the front of a pack,
where commits and trees lie in the order of the walk that wrote them.
"""

from __future__ import annotations

import contextlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from muse.core.errors import (
    BadTransferError,
    CorruptObjectError,
    ObjectNotFoundError,
    RemoteError,
)
from muse.core.object_store import ObjectStore
from muse.core.pack_format import (
    HASH_SIZE,
    RECORD_SIZE,
    Record,
    RecordError,
    expand,
    expand_blocks,
    parse_record,
)
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectType, RawId, from_raw, raw_object_id
from muse.remotes.background import Lane
from muse.remotes.bucket import Bucket
from muse.remotes.protocol import CHUNK_BYTES, MAX_PARSED_BYTES, ObjectRecord
from muse.remotes.store_document import PackEntry
from muse.remotes.store_notes import Notes
from muse.remotes.store_packs import JOB_BYTES, PARALLEL, Place, StorePacks

# Bytes that are fetched for nothing rather than asking once more.
_GAP: Final = 256 << 10


class _Job(NamedTuple):
    """One request of `StoreReader.iter_records`: wanted records that lie close together."""

    entry: PackEntry
    start: int
    end: int
    wanted: list[tuple[int, int, RawId]]


class StoreReader(StorePacks):
    """Reads objects of a store, as an object store does, for walks; and many, for transfers.

    Args:
        bucket: Where they are.
        notes: What this side remembers of it.

    Attributes:
        local: Our own objects, which are looked at first; None when there are none.
    """

    def __init__(self, bucket: Bucket, notes: Notes) -> None:
        super().__init__(bucket, notes)
        self.local: ObjectStore | None = None
        self._ends: dict[str, array[int]] = {}

    # -- one object ------------------------------------------------------------------------

    def read(self, raw: RawId, *, expected: ObjectType | None = None) -> tuple[ObjectType, bytes]:
        """Return an object's type and payload, verified; see `ObjectStore.read`.

        Raises:
            ObjectNotFoundError: It is neither here nor there.
            CorruptObjectError: What is there under its name is something else.
            RemoteError: The store failed.
        """
        kind, payload = self._read_here(raw) or self._read_there(raw)
        if expected is not None and kind != expected:
            raise self._damaged(raw, f"it is a {kind}, not a {expected}")
        return kind, payload

    def kind(self, raw: RawId) -> ObjectType:
        """Return an object's type; errors as for `read`."""
        if self.local is not None:
            with contextlib.suppress(ObjectNotFoundError, CorruptObjectError):
                return self.local.stat(raw)[0]
        return self._record(self._need(raw), raw)[0].kind

    def _read_here(self, raw: RawId) -> tuple[ObjectType, bytes] | None:
        if self.local is None:
            return None
        try:
            return self.local.read(raw)
        except (ObjectNotFoundError, CorruptObjectError):
            return None

    def _read_there(self, raw: RawId) -> tuple[ObjectType, bytes]:
        place = self._need(raw)
        record, start = self._record(place, raw)
        if record.kind != "blob" and record.size > MAX_PARSED_BYTES:
            raise self._damaged(raw, f"a {record.kind} of {record.size} bytes is too large")
        end = start + record.stored
        data = self._pack_blocks(place.entry).read_near(start, end, limit=self._limit(place))
        try:
            payload = expand(data, record.size) if record.compressed else data
        except RecordError as error:
            raise self._damaged(raw, str(error)) from error
        if raw_object_id(record.kind, payload) != raw:
            raise self._damaged(raw, "its bytes do not hash to its name")
        return record.kind, payload

    def _need(self, raw: RawId) -> Place:
        found = self.find(raw)
        if found is None:
            raise ObjectNotFoundError(from_raw(raw))
        return found

    def _record(self, place: Place, raw: RawId) -> tuple[Record, int]:
        """Return a record's header, and where in the object its bytes begin."""
        entry = place.entry
        if not self._indexes[entry.name].is_possible(place.offset):
            raise self._damaged(raw, "its place in the index is outside the pack")
        start = entry.index_bytes + place.offset
        data = self._pack_blocks(entry).read_near(
            start, start + RECORD_SIZE, limit=self._limit(place)
        )
        return self._parse(entry, data, place.offset, raw), start + RECORD_SIZE

    def _parse(self, entry: PackEntry, data: bytes, offset: int, raw: RawId) -> Record:
        try:
            record = parse_record(data, room=entry.size - entry.index_bytes - HASH_SIZE - offset)
        except RecordError as error:
            raise self._damaged(raw, str(error)) from error
        if record.raw != raw:
            raise self._damaged(raw, "another object is in its place")
        return record

    def _limit(self, place: Place) -> int:
        """Return up to where reading on helps a walk: blobs are of no use to it."""
        entry = place.entry
        return entry.index_bytes + entry.front if place.offset < entry.front else 0

    def _damaged(self, raw: RawId, reason: str) -> CorruptObjectError:
        return CorruptObjectError(from_raw(raw), where=self._bucket.shown, reason=reason)

    # -- many objects ----------------------------------------------------------------------

    def iter_records(self, ids: Iterable[RawId]) -> Iterator[ObjectRecord]:
        """Yield the record of each object, pack by pack, in order, several requests ahead.

        The receiver hashes them; here it is only made sure that lengths are possible.

        Raises:
            ObjectNotFoundError: One is not there.
            CorruptObjectError: The place of one holds something else.
            RemoteError: The store failed.
        """
        by_pack: dict[str, list[tuple[int, RawId]]] = {}
        for raw in ids:
            place = self.find(raw)
            if place is not None:
                by_pack.setdefault(place.entry.name, []).append((place.offset, raw))
            elif raw == EMPTY_TREE:
                # Known to everybody, so not everybody stores it.
                yield ObjectRecord(raw, "tree", 0, b"")
            else:
                raise ObjectNotFoundError(from_raw(raw))
        yield from self._run(
            job
            for name, wanted in by_pack.items()
            for job in self._plan(self._entries[name], wanted)
        )

    def iter_pack(self, entry: PackEntry, ids: Iterable[RawId]) -> Iterator[ObjectRecord]:
        """Yield the records of objects that a pack's index names; as `iter_records`."""
        index = self.index(entry)
        wanted = [(index.find(raw), raw) for raw in ids]
        yield from self._run(self._plan(entry, [(at, raw) for at, raw in wanted if at is not None]))

    def _run(self, jobs: Iterable[_Job]) -> Iterator[ObjectRecord]:
        small: list[_Job] = []
        large: list[_Job] = []
        for job in jobs:
            alone = len(job.wanted) == 1 and job.end - job.start > JOB_BYTES
            (large if alone else small).append(job)
        lane = Lane(PARALLEL)
        for job, came in zip(small, lane.map(self._bring, small), strict=True):
            data = came or self._pack_blocks(job.entry).read(job.start, job.end)
            for start, end, raw in job.wanted:
                begin = start - job.start
                yield self._from_bytes(job.entry, start, raw, data[begin : end - job.start])
        for job in large:
            yield self._from_stream(job)

    def _bring(self, job: _Job) -> bytes:
        """Fetch what a job needs; nothing when it is here already."""
        blocks = self._blocks.get(job.entry.name)
        if blocks is not None and blocks.has(job.start, job.end):
            return b""
        return self._bucket.read(job.entry.key, job.start, job.end)

    def _plan(self, entry: PackEntry, wanted: list[tuple[int, RawId]]) -> Iterator[_Job]:
        """Yield the requests for some objects of a pack, in the order in which they lie."""
        job: _Job | None = None
        for offset, raw in sorted(wanted):
            start = entry.index_bytes + offset
            end = entry.index_bytes + self._end(entry, offset)
            if job is not None and start - job.end <= _GAP and end - job.start <= JOB_BYTES:
                job = job._replace(end=max(job.end, end))
                job.wanted.append((start, end, raw))
                continue
            if job is not None:
                yield job
            job = _Job(entry, start, end, [(start, end, raw)])
        if job is not None:
            yield job

    def _end(self, entry: PackEntry, offset: int) -> int:
        """Return where the record at an offset ends: where the next one begins."""
        offsets = self._ends.get(entry.name)
        if offsets is None:
            found = [at for _, at in self._indexes[entry.name].entries()]
            room = entry.size - entry.index_bytes - HASH_SIZE
            offsets = array("Q", sorted({*(at for at in found if at < room), room}))
            self._ends[entry.name] = offsets
        at = bisect_right(offsets, offset)
        if at >= len(offsets):
            raise BadTransferError(
                f"the index of pack {entry.name[:16]}",
                source=self._bucket.shown,
                reason="it names places outside the pack",
            )
        return offsets[at]

    def _from_bytes(self, entry: PackEntry, start: int, raw: RawId, data: bytes) -> ObjectRecord:
        record = self._parse(entry, data[:RECORD_SIZE], start - entry.index_bytes, raw)
        stored = data[RECORD_SIZE : RECORD_SIZE + record.stored]
        if max(record.stored, record.size) <= CHUNK_BYTES:
            return ObjectRecord(raw, record.kind, record.size, stored, compressed=record.compressed)
        return ObjectRecord(
            raw, record.kind, record.size, None, chunks=self._chunks(record, iter((stored,)))
        )

    def _from_stream(self, job: _Job) -> ObjectRecord:
        """Return a record that is too large for one piece, its bytes still on their way."""
        ((start, end, raw),) = job.wanted
        head = self._bucket.read(job.entry.key, start, start + RECORD_SIZE)
        record = self._parse(job.entry, head, start - job.entry.index_bytes, raw)
        begin = start + RECORD_SIZE
        blocks = self._bucket.stream(job.entry.key, begin, min(end, begin + record.stored))
        return ObjectRecord(
            raw, record.kind, record.size, None, chunks=self._chunks(record, blocks)
        )

    def _chunks(self, record: Record, blocks: Iterator[bytes]) -> Iterator[bytes]:
        if record.compressed:
            try:
                yield from expand_blocks(blocks, record.size)
            except RecordError as error:
                raise self._damaged(record.raw, str(error)) from error
            return
        for block in blocks:
            for at in range(0, len(block), CHUNK_BYTES):
                yield block[at : at + CHUNK_BYTES]


def as_remote_error(error: Exception, *, shown: str) -> RemoteError:
    """Return what an object's error means when it is the store's."""
    if isinstance(error, CorruptObjectError):
        return BadTransferError(error.oid, source=shown, reason=error.reason)
    if isinstance(error, ObjectNotFoundError):
        return RemoteError(
            f"{shown}: {error.message}",
            hint="It may be incomplete: 'muse push' from a repository that has it does not bring "
            "it back; ask whoever keeps that store.",
        )
    assert isinstance(error, RemoteError)
    return error
