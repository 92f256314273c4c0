"""Packs: many objects in one immutable file, found through a sorted index beside it.

A pack never changes after it has its name. Its index is a convenience: missing, torn, or found
to lie about a record, it is rebuilt from the pack. The format is drawn in `pack_format` and
`pack_index`; `pack_writer` makes packs.

INVARIANT: bytes that do not hash to the id asked for are never returned (G4); what a pack says
about lengths is compared with the size of the file before memory is set aside for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from muse.core import temps
from muse.core.errors import (
    CorruptFileError,
    CorruptObjectError,
    IoFailedError,
    UnreadableObjectError,
)
from muse.core.io import NewFile
from muse.core.pack_format import (
    HASH_SIZE,
    HEADER_SIZE,
    RECORD_SIZE,
    TRIED_HEADER,
    Record,
    RecordError,
    expand,
    expand_blocks,
    index_path,
    parse_record,
)
from muse.core.pack_index import IndexDamagedError, PackIndex, encode_index
from muse.core.pack_scan import scan_offsets
from muse.core.pack_writer import PackWriter
from muse.core.plain_files import open_plain
from muse.core.types import ObjectType, RawId, frame_header, from_raw

__all__ = ["Pack", "PackStream", "PackWriter"]

_CHUNK: Final = 1 << 20
# One read brings the header and the whole of most trees, commits and source files.
_FIRST_READ: Final = 4096
_FIRST_CHUNK: Final = 16_384
_NAME = re.compile(r"[0-9a-f]{64}\Z")
# So many packs keep their file open between reads; the others open it for each.
_KEEP_OPEN: Final = 128


class _Descriptor:
    """An open file that closes itself when its last user is done, in whatever thread."""

    kept = 0

    def __init__(self, path: Path) -> None:
        self.fd = open_plain(path)
        _Descriptor.kept += 1

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            _Descriptor.kept -= 1
            os.close(self.fd)


class PackStream:
    """An object's payload in chunks of at most 1 MiB; it can be iterated once.

    The last chunk is held back until the hash has been compared.

    Attributes:
        kind: The object's type.
        size: The payload's size in bytes.
    """

    def __init__(
        self, raw: RawId, kind: ObjectType, *, size: int, chunks: Iterator[bytes], where: str
    ) -> None:
        self.kind, self.size = kind, size
        self._raw, self._chunks, self._where = raw, chunks, where

    def __iter__(self) -> Iterator[bytes]:
        """Yield the payload.

        Raises:
            CorruptObjectError: The bytes do not hash to the id; what was yielded is worth nothing.
        """
        digest = hashlib.sha256(frame_header(self.kind, self.size))
        held, seen = b"", 0
        for chunk in self._chunks:
            if held:
                yield held
            digest.update(chunk)
            seen += len(chunk)
            held = chunk
        if seen != self.size or digest.digest() != self._raw:
            raise _damaged(self._raw, self._where, "its bytes do not hash to its name")
        if held:
            yield held


class _Found(NamedTuple):
    """A record that is there: where its bytes begin, and what was read from its header on."""

    record: Record
    file: _Descriptor
    start: int
    head: bytes


class Pack:
    """One pack, open for reading; safe to share between threads.

    Use `open`. Objects are read with ``pread``, never through a mapping: a file that shrinks or a
    disk that fails is an error then, not a signal that ends the process.
    """

    def __init__(self, path: Path, size: int, index: PackIndex) -> None:
        self.path = path
        self.size_bytes = size
        self._index = index
        self._file: _Descriptor | None = None
        self._checked = False

    @classmethod
    def open(cls, path: Path, *, write: bool = True) -> Pack:
        """Open a pack; the cost does not depend on its size unless the index must be rebuilt.

        Args:
            path: The ``.mpack`` file.
            write: Put a rebuilt index beside the pack if the system allows it.

        Raises:
            CorruptFileError: No pack, or one of a later version.
            IoFailedError: The system refused; with ENOENT when the pack is gone.
        """
        try:
            size = os.stat(path).st_size
        except OSError as error:
            raise IoFailedError("open the pack", path=str(path), error=error) from error
        if not _NAME.match(path.stem) or size < HEADER_SIZE + HASH_SIZE:
            raise CorruptFileError(
                str(path),
                reason="it is too short for a pack"
                if size < HEADER_SIZE + HASH_SIZE
                else "its name is not that of a pack",
                hint="'muse verify' says what is missing; 'muse fetch' may bring it back.",
            )
        try:
            index = PackIndex.open(
                index_path(path), pack_hash=bytes.fromhex(path.stem), pack_size=size
            )
        except IndexDamagedError:
            index = None
        if index is not None:
            return cls(path, size, index)
        pack = cls(path, size, _rebuild(path, size, write=write))
        pack._checked = True
        return pack

    # -- looking things up -----------------------------------------------------------------

    def find(self, raw: RawId) -> int | None:
        """Return the offset of an object's record, or None; the record is not looked at."""
        return self._index.find(raw)

    def __contains__(self, raw: object) -> bool:
        return isinstance(raw, bytes) and len(raw) == 32 and self.find(RawId(raw)) is not None

    def __len__(self) -> int:
        return len(self._index)

    def ids(self) -> Iterator[RawId]:
        """Yield the ids of all objects, sorted."""
        return self._index.ids()

    def offsets(self) -> Iterator[tuple[RawId, int]]:
        """Yield each id with the offset of its record, sorted by id."""
        return self._index.entries()

    def ids_by_place(self) -> Iterator[RawId]:
        """Yield the ids of all objects in the order of their records."""
        return self._index.ids_by_place()

    def is_compressed(self) -> bool:
        """Tell whether its writer has compressed what gets smaller by it."""
        with contextlib.suppress(OSError):
            file = _Descriptor(self.path)
            return os.pread(file.fd, HEADER_SIZE, 0) == TRIED_HEADER
        return False

    def find_prefix(self, digits: str) -> list[RawId]:
        """Return the ids that begin with these hex digits, sorted."""
        return self._index.find_prefix(digits)

    # -- reading ---------------------------------------------------------------------------

    def stat(self, raw: RawId) -> tuple[ObjectType, int] | None:
        """Return type and payload size from a record's header; None when it is not here.

        Raises:
            CorruptObjectError: The header is damaged.
        """
        found = self._locate(raw, RECORD_SIZE)
        return None if found is None else (found[0].kind, found[0].size)

    def read(self, raw: RawId) -> tuple[ObjectType, bytes] | None:
        """Read and verify one object; None when it is not here, or the pack is gone.

        Raises:
            CorruptObjectError: It is here, and damaged.
        """
        found = self.read_stored(raw)
        return None if found is None else (found[0].kind, self.unwrap(*found))

    def read_stored(self, raw: RawId) -> tuple[Record, bytes] | None:
        """Read an object as it is stored, for `unwrap` to verify; None as for `read`.

        Raises:
            CorruptObjectError: Its header is damaged.
        """
        found = self._locate(raw, _FIRST_READ)
        if found is None:
            return None
        record, data = found.record, found.head[RECORD_SIZE : RECORD_SIZE + found.record.stored]
        if len(data) < record.stored:
            start = found.start + len(data)
            data += self._pread(raw, found.file, record.stored - len(data), offset=start)
        return record, data

    def unwrap(self, record: Record, data: bytes) -> bytes:
        """Turn a record's stored bytes into its payload, verified.

        Raises:
            CorruptObjectError: They are not what the record's id names.
        """
        try:
            payload = expand(data, record.size) if record.compressed else data
        except RecordError as error:
            raise _damaged(record.raw, str(self.path), str(error)) from error
        digest = hashlib.sha256(frame_header(record.kind, record.size))
        digest.update(payload)
        if len(payload) != record.size or digest.digest() != record.raw:
            raise _damaged(record.raw, str(self.path), "its bytes do not hash to its name")
        return payload

    def open_stream(self, raw: RawId) -> PackStream | None:
        """Open one object of any size; None when it is not here, or the pack is gone.

        Raises:
            CorruptObjectError: The header is damaged; a damaged payload shows while iterating.
        """
        found = self._locate(raw, _FIRST_CHUNK)
        if found is None:
            return None
        record = found.record
        chunks = self._stored(found)
        if record.compressed:
            chunks = self._expanded(record, chunks)
        return PackStream(raw, record.kind, size=record.size, chunks=chunks, where=str(self.path))

    def _stored(self, found: _Found) -> Iterator[bytes]:
        # What came with the header is all of most files.
        first = found.head[RECORD_SIZE : RECORD_SIZE + found.record.stored]
        if first:
            yield first
        start, end = found.start + len(first), found.start + found.record.stored
        while start < end:
            count = min(_CHUNK, end - start)
            block = self._pread(found.record.raw, found.file, count, offset=start)
            if not block:
                raise _damaged(found.record.raw, str(self.path), "its pack is cut short")
            yield block
            start += len(block)

    def _expanded(self, record: Record, blocks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from expand_blocks(blocks, record.size)
        except RecordError as error:
            raise _damaged(record.raw, str(self.path), str(error)) from error

    def _locate(self, raw: RawId, want: int) -> _Found | None:
        """Find an object's record and read so many bytes from its header on.

        A record that is not what the index promised may be the index's fault: then that is
        rebuilt, once, before anything is called damaged.
        """
        offset = self._index.find(raw)
        file = None if offset is None else self._open_file(raw)
        if offset is None or file is None:
            return None
        if self._index.is_possible(offset):
            head = self._pread(raw, file, want, offset=offset)
            try:
                record = parse_record(head, room=self.size_bytes - HASH_SIZE - offset)
            except RecordError as error:
                reason = str(error)
            else:
                if record.raw == raw:
                    return _Found(record, file, offset + RECORD_SIZE, head)
                reason = "another object is in its place"
        else:
            reason = "its place in the index is outside the pack"
        if self.recheck():
            return self._locate(raw, want)
        raise _damaged(raw, str(self.path), reason)

    def recheck(self, *, write: bool = True) -> bool:
        """Hash the index, once, and rebuild it if it is damaged; True when it was.

        A damaged table can hide an object: ask this before calling one missing for good.
        """
        if self._checked or self._index.is_whole():
            self._checked = True
            return False
        self._checked = True
        self._index = _rebuild(self.path, self.size_bytes, write=write)
        return True

    def _open_file(self, raw: RawId) -> _Descriptor | None:
        """Open the pack, or return None when it is gone: a repack has moved its objects."""
        file = self._file
        if file is None:
            try:
                file = _Descriptor(self.path)
            except FileNotFoundError:
                return None
            except OSError as error:
                where = os.fspath(self.path)
                raise UnreadableObjectError(from_raw(raw), where=where, error=error) from error
            if _Descriptor.kept <= _KEEP_OPEN:
                self._file = file
        return file

    def _pread(self, raw: RawId, file: _Descriptor, count: int, *, offset: int) -> bytes:
        try:
            return os.pread(file.fd, count, offset)
        except OSError as error:
            where = os.fspath(self.path)
            raise UnreadableObjectError(from_raw(raw), where=where, error=error) from error

    def close(self) -> None:
        """Let go of the file; reads in other threads end undisturbed, later ones open it again."""
        self._file = None


def _damaged(raw: RawId, where: str, reason: str) -> CorruptObjectError:
    return CorruptObjectError(from_raw(raw), where=where, reason=reason)


def _rebuild(path: Path, size: int, *, write: bool) -> PackIndex:
    """Make a pack's index anew, from its records.

    A writer publishes the pack a moment before its index: whoever looks in between arrives here,
    and so does whoever comes after a writer that died there. Both build the very bytes that the
    writer builds, so it does not matter who publishes them, or how often.
    """
    pack_hash = bytes.fromhex(path.stem)
    try:
        file = _Descriptor(path)
        offsets, whole = scan_offsets(path, file.fd, size)
    except OSError as error:
        raise IoFailedError("read the pack", path=str(path), error=error) from error
    data = encode_index(offsets, pack_hash=pack_hash, pack_size=size)
    # An index that was damaged may still name what a damaged pack has lost: it stays then.
    if write and whole:
        # A read-only or full disk is no obstacle to reading (G14).
        with (
            contextlib.suppress(IoFailedError),
            NewFile(path.parent, family=temps.OBJECT) as new,
        ):
            new.write(data)
            new.sync()
            new.publish(index_path(path), replace=True)
    return PackIndex(data, pack_hash=pack_hash, pack_size=size)
