"""Objects on their way: small ones in batches, large ones in pieces, in both directions alike.

::

    objects [[id, kind, size, bytes, compressed], …]     whole ones, each up to a chunk
    large id kind size · piece bytes … · done            one that is streamed
    end …                                                no more

What was never compressed is compressed here, since the way is narrower than the disk; a record
from a pack travels as it lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from muse.core.errors import BadTransferError
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, from_raw
from muse.remotes.protocol import CHUNK_BYTES, ObjectRecord
from muse.remotes.wire_fields import (
    MAX_TEXT,
    take_bool,
    take_bytes,
    take_fields,
    take_id,
    take_int,
    take_list,
    take_text,
)
from muse.remotes.wire_frames import BATCH_BYTES, Channel, Message, WireError

# An object beyond this is nobody's, and its size fits every format.
MAX_SIZE: Final = 1 << 60
_MAX_BATCH: Final = 16_384
_COMPRESS_FROM: Final = 64
_LEVEL: Final = 1
_OVERHEAD: Final = 60


class RecordWriter:
    """Sends records.

    Args:
        channel: Where.
        stop: Asked between two messages; true to send no more.
    """

    def __init__(self, channel: Channel, *, stop: Callable[[], bool]) -> None:
        import zstandard  # start-up time

        self._channel, self._stop = channel, stop
        self._zstd = zstandard.ZstdCompressor(level=_LEVEL)
        self._batch: list[object] = []
        self._size = 0

    def send_all(self, records: Iterable[ObjectRecord]) -> bool:
        """Send records until there are no more, or `stop` says so.

        Returns:
            Whether all were sent; they may still be queued.
        """
        for record in records:
            if record.stored is None:
                self._send_large(record)
            else:
                self._send_whole(record, record.stored)
            if self._stop():
                return False
        self._send_batch()
        return not self._stop()

    def _send_whole(self, record: ObjectRecord, stored: bytes) -> None:
        if len(stored) > CHUNK_BYTES:
            raise BadTransferError(
                from_raw(record.raw),
                source="This repository",
                reason="it is too large to come in one piece",
            )
        compressed = record.compressed
        if not compressed and len(stored) >= _COMPRESS_FROM:
            smaller = self._zstd.compress(stored)
            if len(smaller) <= len(stored) - len(stored) // 16:
                stored, compressed = smaller, True
        size = len(stored) + _OVERHEAD
        if self._size + size > BATCH_BYTES:
            self._send_batch()
        self._batch.append([record.raw, record.kind, record.size, stored, compressed])
        self._size += size

    def _send_batch(self) -> None:
        if self._batch:
            self._channel.send("objects", self._batch)
            self._batch, self._size = [], 0

    def _send_large(self, record: ObjectRecord) -> None:
        self._send_batch()
        self._channel.send("large", record.raw, record.kind, record.size)
        for chunk in record.chunks:
            for start in range(0, len(chunk), CHUNK_BYTES):
                self._channel.send("piece", chunk[start : start + CHUNK_BYTES])
                if self._stop():
                    return
        self._channel.send("done")


class RecordReader:
    """Takes in records, up to the message that ends them.

    Args:
        receive: Returns the next message.
        source: Who sends them, for messages.

    Attributes:
        end: The fields of the message that ended the records; None before it came.
    """

    def __init__(self, receive: Callable[[], Message], *, source: str) -> None:
        self._receive, self._source = receive, source
        self.end: list[Any] | None = None

    def __iter__(self) -> Iterator[ObjectRecord]:
        """Yield each record; the chunks of a large one must be read before the next.

        Raises:
            BadTransferError: A record contradicts itself.
            WireError: Something else came in between.
        """
        while True:
            message = self._receive()
            if message[0] == "objects":
                fields = take_fields(message, "objects", 1)
                for item in take_list(fields[0], limit=_MAX_BATCH):
                    yield self._whole(item)
            elif message[0] == "large":
                raw, kind, size, *_ = take_fields(message, "large", 3)
                pieces = self._pieces()
                yield ObjectRecord(
                    take_id(raw), self._kind(raw, kind), self._size(raw, size), None, chunks=pieces
                )
                # Whoever took it knows what it holds; the next message stands behind its end.
                for _ in pieces:
                    pass
            else:
                self.end = take_fields(message, "end", 0)
                return

    def _whole(self, item: object) -> ObjectRecord:
        fields = take_list(item, limit=16)
        if len(fields) < 5:
            raise WireError("a record without all its parts")
        raw, kind, size, stored, compressed, *_ = fields
        return ObjectRecord(
            take_id(raw),
            self._kind(raw, kind),
            self._size(raw, size),
            take_bytes(stored, limit=CHUNK_BYTES),
            take_bool(compressed),
        )

    def _kind(self, raw: RawId, value: object) -> ObjectType:
        for kind in OBJECT_TYPES:
            if value == kind:
                return kind
        shown = take_text(value, limit=MAX_TEXT)[:40]
        raise BadTransferError(
            from_raw(raw), source=self._source, reason=f"its type is '{shown!a}'"
        )

    def _size(self, raw: RawId, value: object) -> int:
        try:
            return take_int(value, limit=MAX_SIZE)
        except WireError as error:
            raise BadTransferError(
                from_raw(raw), source=self._source, reason="its size is none"
            ) from error

    def _pieces(self) -> Iterator[bytes]:
        while True:
            message = self._receive()
            if message[0] == "done":
                return
            yield take_bytes(take_fields(message, "piece", 1)[0], limit=CHUNK_BYTES)

    def discard(self) -> None:
        """Read up to the end without looking, so that the next message is understood again."""
        while self.end is None:
            message = self._receive()
            if message[0] == "end":
                self.end = message[1:]
