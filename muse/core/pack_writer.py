"""Writing a pack: any number of objects into one file, for a constant number of syncs."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core import temps
from muse.core.errors import UsageError
from muse.core.io import NewFile, io_errors, make_dirs, sync_dir
from muse.core.pack_format import (
    MAX_LEVEL,
    PACK_HEADER,
    RECORD_SIZE,
    TRIED_HEADER,
    Record,
    format_record,
    index_path,
    pack_path,
)
from muse.core.pack_index import encode_index
from muse.core.paths import pack_dir
from muse.core.types import ObjectType, RawId, frame_header

if TYPE_CHECKING:
    from muse.core.write_behind import WriteBehind

Block = bytes | memoryview

_BUFFER: Final = 1 << 18
# Streams up to this size are gathered and added like any other object.
_GATHER: Final = 1 << 20
# So much of a stream tells whether it is worth compressing, and is read back at once.
_SAMPLE: Final = 1 << 20
# A pack beyond this is written by a thread: a smaller one is soon done.
_BEHIND_FROM: Final = 8 << 20
# Below this, a frame's own overhead eats the gain.
_COMPRESS_FROM: Final = 64


class PackWriter:
    """A pack that is being written; nobody sees it before `finish`.

    Args:
        root: The folder that holds ``.muse``.
        level: A zstd level from 1 to 19: compress what gets smaller by a sixteenth or more. None:
            store bytes as they are.

    Durability:
        Killed before `finish` has returned: no pack, or a whole and durable one that nothing
        refers to. Nameless where the system allows it, else a locked temp of the object family.
    """

    def __init__(self, root: Path, *, level: int | None = None) -> None:
        if level is not None and not 1 <= level <= MAX_LEVEL:
            raise UsageError(
                f"{level} is no compression level.", hint=f"Choose one from 1 to {MAX_LEVEL}."
            )
        self._root, self._level = root, level
        self._new: NewFile | None = None
        self._offsets: dict[RawId, int] = {}
        # Blocks are made in place and used again, or the heap would grow by holes between them.
        self._buffer, self._used = bytearray(_BUFFER), 0
        self._spare: deque[bytearray] = deque()
        self._digest = hashlib.sha256()
        self._written = 0
        self._behind: WriteBehind | None = None
        if level is not None:
            import zstandard  # start-up time

            self._zstd = zstandard.ZstdCompressor(level=level)

    def __contains__(self, raw: object) -> bool:
        return raw in self._offsets

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def size_bytes(self) -> int:
        """Bytes of the pack so far."""
        return self._written + self._used

    def add(self, kind: ObjectType, payload: bytes) -> RawId:
        """Add one object; one that is in this pack already is not added again."""
        digest = hashlib.sha256(frame_header(kind, len(payload)))
        digest.update(payload)
        raw = RawId(digest.digest())
        self.add_hashed(raw, kind, payload)
        return raw

    def add_hashed(self, raw: RawId, kind: ObjectType, payload: bytes) -> None:
        """Add one object whose id the caller has computed from these very bytes."""
        if raw in self._offsets:
            return
        data, compressed = payload, False
        if self._level is not None and len(payload) >= _COMPRESS_FROM:
            smaller = self._zstd.compress(payload)
            if _pays(len(smaller), len(payload)):
                data, compressed = smaller, True
        self._put(raw, Record(kind, compressed, len(payload), len(data), raw), data)

    def add_stored(self, record: Record, data: bytes) -> None:
        """Add a record as another pack holds it, whose payload the caller has verified."""
        if record.raw not in self._offsets:
            self._put(record.raw, record, data)

    def _put(self, raw: RawId, record: Record, data: bytes) -> None:
        if self._new is None:
            self._begin()
        size = RECORD_SIZE + len(data)
        if self._used + size > _BUFFER:
            self._flush()
        at = self._used
        self._offsets[raw] = self._written + at
        if size > _BUFFER:
            self._hand_over(format_record(record) + data)
            return
        self._buffer[at : at + RECORD_SIZE] = format_record(record)
        self._buffer[at + RECORD_SIZE : at + size] = data
        self._used = at + size

    def add_stream(self, kind: ObjectType, size: int, chunks: Iterable[bytes]) -> RawId:
        """Add one object of any size, with memory for a few chunks.

        Args:
            kind: Its type.
            size: The payload's size in bytes, which its hash begins with.
            chunks: The payload.

        Raises:
            UsageError: The chunks do not add up to ``size``: the file changed while it was read.
                The pack is as it was before the call.
        """
        stream = iter(chunks)
        if size <= _GATHER:
            return self.add(kind, b"".join(_sized(stream, size)))
        if self._new is None:
            self._begin()
        self._drain()
        start = self._written
        try:
            return self._stream(kind, size, _sized(stream, size))
        except BaseException:
            self._rewind(start)
            raise

    def _stream(self, kind: ObjectType, size: int, chunks: Iterator[bytes]) -> RawId:
        """Write the bytes behind room for their header, which is known when they have passed."""
        start = self._written
        digest = hashlib.sha256(frame_header(kind, size))
        self._write(bytes(RECORD_SIZE))
        first = next(chunks)
        sample = first[:_SAMPLE]
        compressed = self._level is not None and _pays(
            len(self._zstd.compress(sample)), len(sample)
        )
        compress = self._zstd.compressobj(size=size) if compressed else None
        for chunk in _then(first, chunks):
            digest.update(chunk)
            self._write(compress.compress(chunk) if compress else chunk)
        if compress:
            self._write(compress.flush())
        raw = RawId(digest.digest())
        if raw in self._offsets:
            self._rewind(start)
            return raw
        stored = self._written - start - RECORD_SIZE
        header = format_record(Record(kind, compressed, size, stored, raw))
        with io_errors("write", pack_dir(self._root)):
            os.pwrite(self._file.fd, header, start)
        self._hash_from(start)
        self._offsets[raw] = start
        return raw

    def _hash_from(self, start: int) -> None:
        # The header came after the bytes, the pack's hash needs it before them.
        with io_errors("read", pack_dir(self._root)):
            while start < self._written:
                block = os.pread(self._file.fd, min(_SAMPLE, self._written - start), start)
                if not block:
                    raise OSError("the file is shorter than what was written")
                self._digest.update(block)
                start += len(block)

    def _rewind(self, start: int) -> None:
        with io_errors("write", pack_dir(self._root)):
            os.ftruncate(self._file.fd, start)
            os.lseek(self._file.fd, start, os.SEEK_SET)
        self._written = start

    @property
    def _file(self) -> NewFile:
        assert self._new is not None
        return self._new

    def _begin(self) -> None:
        folder = pack_dir(self._root)
        if not folder.is_dir():
            make_dirs(folder, durable=True)
        self._new = NewFile(folder, family=temps.OBJECT)
        header = PACK_HEADER if self._level is None else TRIED_HEADER
        self._buffer[: len(header)] = header
        self._used = len(header)

    def _flush(self) -> None:
        if self._used:
            self._hand_over(memoryview(self._buffer)[: self._used])
            self._used = 0
            if self._behind is not None:
                self._buffer = self._spare.popleft() if self._spare else bytearray(_BUFFER)

    def _hand_over(self, block: Block) -> None:
        if self._behind is None and self._written >= _BEHIND_FROM:
            from muse.core.write_behind import WriteBehind  # start-up time: most packs are small

            self._behind = WriteBehind(self._append_behind)
        if self._behind is None:
            self._append(block)
        else:
            self._behind.put(block)
        self._written += len(block)

    def _drain(self) -> None:
        """Write all that was added, and wait for it."""
        self._flush()
        if self._behind is not None:
            self._behind.wait()

    def _append(self, block: Block) -> None:
        self._digest.update(block)
        self._file.write(block)

    def _append_behind(self, block: Block) -> None:
        self._append(block)
        if isinstance(block, memoryview) and isinstance(block.obj, bytearray):
            self._spare.append(block.obj)

    def _write(self, data: bytes | bytearray) -> None:
        self._file.write(data)
        self._written += len(data)

    def finish(self) -> Path | None:
        """Make the pack durable and give it its name.

        Returns:
            The pack's path; None when nothing was added.

        Durability:
            Both files are synced before either has a name, the index comes last, and the folder
            is synced before this returns. Killed between the two names: a whole pack whose index
            the next reader rebuilds.
        """
        if self._new is None:
            return None
        if not self._offsets:
            self.abandon()
            return None
        try:
            return self._finish()
        finally:
            self.abandon()

    def _finish(self) -> Path:
        self._drain()
        trailer = self._digest.digest()
        self._write(trailer)
        dest = pack_path(self._root, trailer.hex())
        index = encode_index(self._offsets, pack_hash=trailer, pack_size=self._written)
        with NewFile(dest.parent, family=temps.OBJECT) as new_index:
            new_index.write(index)
            # A name must never stand for bytes that a power cut can still take.
            self._file.sync()
            new_index.sync()
            # Over what is there: a file of this name holds the same bytes, or damaged ones.
            self._file.publish(dest, replace=dest.exists())
            new_index.publish(index_path(dest), replace=index_path(dest).exists())
        # Whoever asked for the pack may point at its objects next: the names must outlive a cut.
        sync_dir(dest.parent)
        return dest

    def abandon(self) -> None:
        """Drop what was written; harmless after `finish`."""
        if self._behind is not None:
            self._behind.stop()
            self._behind = None
        if self._new is not None:
            self._new.abandon()
            self._new = None
        self._used = 0
        self._offsets.clear()
        self._digest = hashlib.sha256()
        self._written = 0


def _pays(smaller: int, size: int) -> bool:
    return smaller <= size - size // 16


def _then(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _sized(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield the chunks; refuse if they are more or fewer bytes than was said."""
    seen = 0
    for chunk in chunks:
        seen += len(chunk)
        if seen > size:
            break
        yield chunk
    if seen != size:
        raise UsageError(
            f"The content has {'more' if seen > size else 'only'} "
            f"{size if seen > size else seen} bytes, not the {size} that it began with.",
            hint="It changed while it was read: run the command again.",
        )
