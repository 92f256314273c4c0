"""Packs on their way into a store: cut, hashed, indexed and uploaded in bounded memory.

An object under ``packs/`` is the pack's index and then the pack, both as they lie in a repository
(`pack_format`, `pack_index`); in the pack, commits, tags and trees come before the blobs. So one
request brings a small pack whole, and two bring a large one: what a walk needs, then the rest.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import IO, TYPE_CHECKING, Final

from muse.core.pack_format import (
    HASH_SIZE,
    HEADER_SIZE,
    RECORD_SIZE,
    TRIED_HEADER,
    Record,
    format_record,
)
from muse.core.pack_index import PackIndex, encode_index
from muse.core.types import ObjectType, RawId, frame_header
from muse.remotes.background import Lane
from muse.remotes.bucket import Bucket
from muse.remotes.protocol import CHUNK_BYTES, ObjectRecord, Received
from muse.remotes.store_document import PackEntry, new_mark
from muse.remotes.vetting import WRONG_HASH, Vetting

if TYPE_CHECKING:
    import zstandard

# A pack is cut when it holds a twentieth of the objects, though not below the one size, and always
# beyond the other: so much is sent again at most after a kill.
_PARTS: Final = 20
_MIN_PART_BYTES: Final = 4 << 20
_MAX_PART_BYTES: Final = 64 << 20
# Kept in memory up to here, in a nameless file beyond.
_IN_MEMORY: Final = 8 << 20
_BLOCK: Final = 1 << 20
_LEVEL: Final = 3
# Below this, a frame's own overhead eats the gain.
_COMPRESS_FROM: Final = 64


class SealedPack:
    """A whole pack, ready to be uploaded; read it once.

    Attributes:
        entry: What the list of packs will say of it.
        index: Its index.
    """

    def __init__(
        self, entry: PackEntry, index: bytes, pack: tuple[bytes, IO[bytes], IO[bytes], bytes]
    ) -> None:
        self.entry = entry
        self.index_bytes = index
        self.index = PackIndex(index, pack_hash=entry.pack_hash)
        self._pack = pack

    def parts(self) -> Iterator[bytes]:
        """Yield the bytes of the object."""
        header, history, blobs, trailer = self._pack
        yield self.index_bytes
        yield header
        yield from _blocks(history)
        yield from _blocks(blobs)
        yield trailer

    def close(self) -> None:
        """Let go of the bytes."""
        self._pack[1].close()
        self._pack[2].close()


class PackDraft:
    """A pack that is being filled. Payloads are the caller's to verify, but for streams."""

    def __init__(self) -> None:
        self._history: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # closed with the sealed pack
        self._blobs: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # closed with the sealed pack
        self._history_at: dict[RawId, int] = {}
        self._blobs_at: dict[RawId, int] = {}
        self._zstd: zstandard.ZstdCompressor | None = None

    def __len__(self) -> int:
        return len(self._history_at) + len(self._blobs_at)

    def __contains__(self, raw: object) -> bool:
        return raw in self._blobs_at or raw in self._history_at

    @property
    def size_bytes(self) -> int:
        """Bytes of records so far."""
        return self._history.tell() + self._blobs.tell()

    def add_record(self, record: ObjectRecord, payload: bytes) -> None:
        """Add a small object as it came if that was compressed; its payload is verified."""
        if record.compressed and record.stored is not None:
            stored = Record(record.kind, True, record.size, len(record.stored), record.raw)
            self.add_stored(stored, record.stored)
        else:
            self.add(record.raw, record.kind, payload)

    def add(self, raw: RawId, kind: ObjectType, payload: bytes) -> None:
        """Add an object, compressed when it pays."""
        if len(payload) >= _COMPRESS_FROM:
            smaller = self._compressor.compress(payload)
            if _pays(len(smaller), len(payload)):
                self.add_stored(Record(kind, True, len(payload), len(smaller), raw), smaller)
                return
        self.add_stored(Record(kind, False, len(payload), len(payload), raw), payload)

    def add_stored(self, record: Record, data: bytes) -> None:
        """Add an object as another pack stores it."""
        file, places = self._part(record.kind)
        if record.raw not in self:
            places[record.raw] = file.tell()
            file.write(format_record(record))
            file.write(data)

    def add_stream(self, raw: RawId, kind: ObjectType, size: int, chunks: Iterable[bytes]) -> bool:
        """Add a large object while it passes.

        Returns:
            Whether its bytes hash to ``raw``; if not, the draft is as it was before.
        """
        file, places = self._part(kind)
        start = file.tell()
        file.write(bytes(RECORD_SIZE))
        digest = hashlib.sha256(frame_header(kind, size))
        seen = 0
        compress = None
        try:
            for chunk in chunks:
                if not seen:
                    sample = chunk[:_BLOCK]
                    if _pays(len(self._compressor.compress(sample)), len(sample)):
                        compress = self._compressor.compressobj(size=size)
                digest.update(chunk)
                seen += len(chunk)
                file.write(compress.compress(chunk) if compress else chunk)
            whole = seen == size and digest.digest() == raw
            if compress and whole:
                file.write(compress.flush())
        except BaseException:
            _cut(file, start)
            raise
        if not whole or raw in self:
            _cut(file, start)
            return whole
        end = file.tell()
        record = Record(kind, compress is not None, size, end - start - RECORD_SIZE, raw)
        file.seek(start)
        file.write(format_record(record))
        file.seek(end)
        places[raw] = start
        return True

    def seal(self) -> SealedPack:
        """Close the pack; the draft is used up."""
        front = HEADER_SIZE + self._history.tell()
        offsets = {raw: HEADER_SIZE + at for raw, at in self._history_at.items()}
        offsets.update((raw, front + at) for raw, at in self._blobs_at.items())
        digest = hashlib.sha256(TRIED_HEADER)
        for file in (self._history, self._blobs):
            for block in _blocks(file):
                digest.update(block)
        trailer = digest.digest()
        size = front + self._blobs.tell() + HASH_SIZE
        index = encode_index(offsets, pack_hash=trailer, pack_size=size)
        name = f"{trailer.hex()}-{new_mark()}"
        entry = PackEntry(name, len(index) + size, len(index), front, len(offsets))
        return SealedPack(entry, index, (TRIED_HEADER, self._history, self._blobs, trailer))

    def close(self) -> None:
        """Let go of a draft that is not going to be sealed."""
        self._history.close()
        self._blobs.close()

    def _part(self, kind: ObjectType) -> tuple[IO[bytes], dict[RawId, int]]:
        if kind == "blob":
            return self._blobs, self._blobs_at
        return self._history, self._history_at

    @property
    def _compressor(self) -> zstandard.ZstdCompressor:
        if self._zstd is None:
            import zstandard  # start-up time

            self._zstd = zstandard.ZstdCompressor(level=_LEVEL)
        return self._zstd


class Upload:
    """Takes the records of one transfer and uploads them as packs; a context manager.

    One pack is on its way while the next one is filled.

    Args:
        bucket: Where to.
        source: Who sends, for messages.
        count: How many objects were announced.
        intend: Told of each pack before it is uploaded, so that a later push finds it.
        arrived: Told of each pack that is there, in order.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        source: str,
        count: int,
        intend: Callable[[SealedPack], None],
        arrived: Callable[[SealedPack], None],
    ) -> None:
        self._bucket, self._intend, self._arrived = bucket, intend, arrived
        self._vet = Vetting(source=source, count=count)
        self._part_count = count // _PARTS
        self._draft = PackDraft()
        self._lane = Lane(1)
        self._going: tuple[SealedPack, Future[None]] | None = None
        self._ids: set[RawId] = set()
        self._bytes = 0

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._draft.close()

    def take(self, records: Iterable[ObjectRecord]) -> Received:
        """Upload everything.

        Raises:
            BadTransferError: A record is damaged or hostile; what was uploaded before stays,
                and nothing refers to it.
            RemoteError: The store failed.
        """
        try:
            for record in records:
                self._take(record)
                size = self._draft.size_bytes
                if size >= _MAX_PART_BYTES or (
                    size >= _MIN_PART_BYTES and len(self._draft) >= self._part_count
                ):
                    self._send()
            if len(self._draft):
                self._send()
        finally:
            # Also when the sender failed: what is on its way is not sent again then.
            self._settle()
        return Received(len(self._ids), self._bytes)

    def _take(self, record: ObjectRecord) -> None:
        self._vet.announce(record, known=record.raw in self._ids, taken=len(self._ids))
        if record.stored is None and record.kind == "blob" and record.size > CHUNK_BYTES:
            chunks = self._vet.bounded(record)
            if not self._draft.add_stream(record.raw, record.kind, record.size, chunks):
                raise self._vet.bad(record, WRONG_HASH)
        else:
            self._draft.add_record(record, self._vet.payload(record))
        self._ids.add(record.raw)
        self._bytes += record.size

    def _send(self) -> None:
        self._settle()
        sealed = self._draft.seal()
        self._draft = PackDraft()
        self._intend(sealed)
        entry = sealed.entry
        self._going = (
            sealed,
            self._lane.run(lambda: self._bucket.create(entry.key, sealed.parts(), size=entry.size)),
        )

    def _settle(self) -> None:
        if self._going is None:
            return
        (sealed, done), self._going = self._going, None
        try:
            done.result()
            self._arrived(sealed)
        finally:
            sealed.close()


def _pays(smaller: int, size: int) -> bool:
    return smaller <= size - size // 16


def _cut(file: IO[bytes], end: int) -> None:
    file.seek(end)
    file.truncate()


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file's bytes from its start; afterwards it stands at its end again."""
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block
