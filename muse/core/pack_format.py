"""The bytes of a pack: many objects in one file, each of which can be found without an index.

::

    pack    = header records trailer
    header  = "MUSEPACK" version:u32 tried:u32
    record  = marker:2 type:u8 flags:u8 payload:u64 stored:u64 id:32 crc:u32  bytes[stored]
    trailer = SHA-256 of all before it, which is also the file's name

All numbers are big-endian. ``tried`` is 1 when whatever gets smaller by it is compressed, so that
a repack need not try again, else 0. ``flags`` is 0 for bytes as they are and 1 for one zstd frame
that says its content's size. ``crc`` is the CRC-32 of the 52 bytes before it, so that a damaged
length is known for what it is before anybody believes it. Marker, checksum and id let a scan take
up the trail behind damage: one bad record costs one object, never the rest of the pack.

Nothing here is trusted: whoever reads a payload hashes it and compares with the id that was
asked for.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from muse.core import paths
from muse.core.types import ObjectType, RawId

if TYPE_CHECKING:
    import zstandard

PACK_MAGIC: Final = b"MUSEPACK"
PACK_VERSION: Final = 1
PACK_HEADER: Final = PACK_MAGIC + struct.pack(">II", PACK_VERSION, 0)
TRIED_HEADER: Final = PACK_MAGIC + struct.pack(">II", PACK_VERSION, 1)
HEADER_SIZE: Final = len(PACK_HEADER)
HASH_SIZE: Final = 32

MARKER: Final = b"\xa7\xb0"
FLAG_RAW: Final = 0
FLAG_ZSTD: Final = 1
KIND_OF_CODE: Final[dict[int, ObjectType]] = {1: "blob", 2: "tree", 3: "commit", 4: "tag"}
CODE_OF_KIND: Final[dict[str, int]] = {kind: code for code, kind in KIND_OF_CODE.items()}

# The widest window that a writer here can ask for (levels up to 19), hence the most memory that
# a hostile frame can make a reader set aside.
MAX_LEVEL: Final = 19
MAX_WINDOW: Final = 1 << 23
# zstd cannot expand further than this: 128 KiB from a block of 4 bytes. A record that claims more
# is damaged or hostile.
MAX_RATIO: Final = 1 << 16

_BODY: Final = struct.Struct(">2sBBQQ32s")
_CRC: Final = struct.Struct(">I")
RECORD_SIZE: Final = _BODY.size + _CRC.size


class Record(NamedTuple):
    """What stands before a record's bytes."""

    kind: ObjectType
    compressed: bool
    size: int
    stored: int
    raw: RawId


class RecordError(ValueError):
    """The bytes at an offset are no record; callers turn it into an error with a name."""


def pack_path(root: Path, name: str) -> Path:
    """Return the path of a pack, from the 64 hex digits of its hash."""
    return paths.pack_dir(root) / f"{name}.mpack"


def index_path(pack: Path) -> Path:
    """Return the path of the index that belongs to a pack."""
    return pack.with_suffix(".idx")


def format_record(record: Record) -> bytes:
    """Return the header of a record."""
    body = _BODY.pack(
        MARKER,
        CODE_OF_KIND[record.kind],
        FLAG_ZSTD if record.compressed else FLAG_RAW,
        record.size,
        record.stored,
        record.raw,
    )
    return body + _CRC.pack(crc32(body))


def parse_record(data: bytes | memoryview, *, room: int) -> Record:
    """Read a record's header.

    Args:
        data: At least the header's bytes, if the file has them.
        room: How many bytes the file has from the header's start up to its trailer.

    Raises:
        RecordError: Not a record, a damaged one, or one that does not fit into the file.
    """
    if len(data) < RECORD_SIZE or room < RECORD_SIZE:
        raise RecordError("the pack ends before it")
    body = bytes(data[: _BODY.size])
    if _CRC.pack(crc32(body)) != data[_BODY.size : RECORD_SIZE]:
        raise RecordError("its header does not fit its checksum")
    marker, code, flags, size, stored, raw = _BODY.unpack(body)
    kind = KIND_OF_CODE.get(code)
    if marker != MARKER or kind is None or flags > FLAG_ZSTD:
        raise RecordError("its header is not one of this format")
    if stored > room - RECORD_SIZE:
        raise RecordError("its length goes beyond the end of the pack")
    if size != stored if flags == FLAG_RAW else size > stored * MAX_RATIO:
        raise RecordError("its lengths contradict each other")
    return Record(kind, flags == FLAG_ZSTD, size, stored, RawId(raw))


_local = threading.local()


def decompressor() -> zstandard.ZstdDecompressor:
    """Return this thread's decompressor, with bounded memory; making one costs 12 µs."""
    found: zstandard.ZstdDecompressor | None = getattr(_local, "decompressor", None)
    if found is None:
        import zstandard  # start-up time

        found = _local.decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return found


def expand(data: bytes | memoryview, size: int) -> bytes:
    """Decompress a frame whose whole content was asked for.

    Args:
        data: The frame.
        size: The content's size as the record declares it; memory follows what really comes out,
            not what is declared.

    Raises:
        RecordError: No frame, a damaged one, or one of another size.
    """
    import zstandard  # start-up time

    try:
        if zstandard.get_frame_parameters(data).content_size != size:
            raise RecordError("its compressed size contradicts its header")
        if size <= 1 << 20:
            return decompressor().decompress(data, max_output_size=size)
        with decompressor().stream_reader(data) as reader:
            parts = list(iter(lambda: reader.read(1 << 20), b""))
    except (zstandard.ZstdError, MemoryError) as error:
        raise RecordError("it does not decompress") from error
    whole = b"".join(parts)
    if len(whole) != size:
        raise RecordError("its compressed size contradicts its header")
    return whole


def expand_blocks(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Decompress a frame that comes in blocks, in bounded memory.

    Args:
        blocks: The frame.
        size: The content's size as the record declares it.

    Yields:
        The content, never more of it than was declared.

    Raises:
        RecordError: A damaged frame, or one of more bytes.
    """
    import zstandard  # start-up time

    left = size
    try:
        with zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
            _Source(blocks),  # type: ignore[arg-type]  # of a file, only read() is asked for
            read_size=1 << 17,
        ) as reader:
            while chunk := reader.read(1 << 20):
                left -= len(chunk)
                if left < 0:
                    raise RecordError("it is longer than it says")
                yield chunk
    except zstandard.ZstdError as error:
        raise RecordError("it does not decompress") from error


class _Source:
    """What a decompressor reads from: an iterator of blocks."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._block = blocks, memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes; none at the end."""
        if not self._block:
            self._block = memoryview(next(self._blocks, b""))
        size = len(self._block) if size < 0 else size
        data, self._block = self._block[:size], self._block[size:]
        return bytes(data)
