"""Objects on their way: small ones in batches, large ones in pieces, in both directions alike.

::

    objects size bytes                          a batch: [[id, kind, size, payload], …], squeezed
    large id kind size · piece size bytes … · done     one object that is streamed
    end …                                       no more

All bodies of one transfer are squeezed as one zstd stream, each flushed to its end: a tree that
differs from the last one in one entry costs that entry. Objects that follow one another in history
are alike, so that a history travels in a tenth of its bytes; compressing each alone, as packs
have to, would save a third. So what a pack holds compressed is expanded for the way.

``size`` is the body's own size: nothing is expanded beyond it, nor beyond what a frame may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from muse.core import codec
from muse.core.errors import BadTransferError
from muse.core.pack_format import MAX_WINDOW, RecordError, expand
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, from_raw
from muse.remotes.protocol import CHUNK_BYTES, ObjectRecord
from muse.remotes.wire_fields import (
    MAX_TEXT,
    take_bytes,
    take_fields,
    take_id,
    take_int,
    take_list,
    take_text,
)
from muse.remotes.wire_frames import MAX_FRAME, Channel, Message, WireError

# An object beyond this is nobody's, and its size fits every format.
MAX_SIZE: Final = 1 << 60
_MAX_BATCH: Final = 16_384
# What is lost of a batch when the connection is: small beside a push that is worth resuming.
_BATCH_BYTES: Final = 32 << 10
_PIECE_BYTES: Final = 256 << 10
_OVERHEAD: Final = 60
_LEVEL: Final = 3


class Squeezer:
    """Squeezes the bodies of one transfer, each in the light of those before it."""

    def __init__(self) -> None:
        import zstandard  # start-up time

        window = MAX_WINDOW.bit_length() - 1
        options = zstandard.ZstdCompressionParameters.from_level(_LEVEL, window_log=window)
        self._stream = zstandard.ZstdCompressor(compression_params=options).compressobj()
        self._flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def squeeze(self, body: bytes) -> bytes:
        """Return a body as it travels."""
        return self._stream.compress(body) + self._stream.flush(self._flush)


class Expander:
    """Undoes what a `Squeezer` does, in its order, and never beyond what was announced."""

    def __init__(self) -> None:
        import zstandard  # start-up time

        self._error = zstandard.ZstdError
        self._waiting = b""
        self._stream = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
            self  # type: ignore[arg-type]  # it asks for nothing but `read`
        )

    def read(self, size: int = -1) -> bytes:
        """Hand out what came; the stream asks for it."""
        data = self._waiting if size < 0 else self._waiting[:size]
        self._waiting = self._waiting[len(data) :]
        return data

    def expand(self, data: bytes, size: int) -> bytes:
        """Return a body of exactly this size.

        Raises:
            WireError: It is damaged, or of another size.
        """
        self._waiting = data
        try:
            body = self._stream.read(size)
        except (self._error, MemoryError) as error:
            raise WireError("a body that does not expand") from error
        if len(body) != size or self._waiting:
            raise WireError(f"a body that is not of the {size} bytes announced")
        return bytes(body)


class RecordWriter:
    """Sends records.

    Args:
        channel: Where.
        stop: Asked between two messages; true to send no more.
    """

    def __init__(self, channel: Channel, *, stop: Callable[[], bool]) -> None:
        self._channel, self._stop = channel, stop
        self._squeezer = Squeezer()
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
        if max(len(stored), record.size) > CHUNK_BYTES:
            raise _bad(record.raw, "it is too large to come in one piece")
        payload = stored
        if record.compressed:
            try:
                payload = expand(stored, record.size)
            except RecordError as error:
                raise _bad(record.raw, str(error)) from error
        size = len(payload) + _OVERHEAD
        if self._size + size > _BATCH_BYTES:
            self._send_batch()
        self._batch.append([record.raw, record.kind, record.size, payload])
        self._size += size

    def _send_batch(self) -> None:
        if self._batch:
            self._send_body("objects", codec.pack(self._batch))
            self._batch, self._size = [], 0

    def _send_large(self, record: ObjectRecord) -> None:
        self._send_batch()
        self._channel.send("large", record.raw, record.kind, record.size)
        for chunk in record.chunks:
            for start in range(0, len(chunk), _PIECE_BYTES):
                self._send_body("piece", chunk[start : start + _PIECE_BYTES])
                if self._stop():
                    return
        self._channel.send("done")

    def _send_body(self, name: str, body: bytes) -> None:
        self._channel.send(name, len(body), self._squeezer.squeeze(body))


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
        self._expander = Expander()
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
                yield from take_records(self._body(message, "objects"), source=self._source)
            elif message[0] == "large":
                raw, kind, size, *_ = take_fields(message, "large", 3)
                pieces = self._pieces()
                head = _take_head(raw, kind, size, source=self._source)
                yield ObjectRecord(*head, None, chunks=pieces)
                # Whoever took it knows what it holds; the next message stands behind its end.
                for _ in pieces:
                    pass
            else:
                self.end = take_fields(message, "end", 0)
                return

    def _body(self, message: Message, name: str) -> bytes:
        size, data, *_ = take_fields(message, name, 2)
        return self._expander.expand(
            take_bytes(data, limit=MAX_FRAME), take_int(size, limit=MAX_FRAME)
        )

    def _pieces(self) -> Iterator[bytes]:
        while True:
            message = self._receive()
            if message[0] == "done":
                return
            yield self._body(message, "piece")

    def discard(self) -> None:
        """Read up to the end without looking, so that the next message is understood again."""
        while self.end is None:
            message = self._receive()
            if message[0] == "end":
                self.end = message[1:]


def take_records(body: bytes, *, source: str) -> Iterator[ObjectRecord]:
    """Yield the records of a batch.

    Raises:
        BadTransferError: A record contradicts itself.
        WireError: It is no batch.
    """
    try:
        items = codec.unpack(body)
    except codec.CodecError as error:
        raise WireError(f"a batch that does not decode ({error})") from error
    for item in take_list(items, limit=_MAX_BATCH):
        fields = take_list(item, limit=16)
        if len(fields) < 4:
            raise WireError("a record without all its parts")
        raw, kind, size, payload, *_ = fields
        head = _take_head(raw, kind, size, source=source)
        yield ObjectRecord(*head, take_bytes(payload, limit=CHUNK_BYTES))


def _take_head(
    raw: object, kind: object, size: object, *, source: str
) -> tuple[RawId, ObjectType, int]:
    """Return id, type and size of a record."""
    oid = take_id(raw)
    known = next((each for each in OBJECT_TYPES if each == kind), None)
    if known is None:
        shown = take_text(kind, limit=MAX_TEXT)[:40]
        raise _bad(oid, f"its type is '{shown!a}'", source=source)
    try:
        return oid, known, take_int(size, limit=MAX_SIZE)
    except WireError as error:
        raise _bad(oid, "its size is none", source=source) from error


def _bad(raw: RawId, reason: str, *, source: str = "This repository") -> BadTransferError:
    return BadTransferError(from_raw(raw), source=source, reason=reason)
