"""The index of a pack: a sorted table of ids that is searched where it lies.

::

    index   = header fan-out ids offsets pack trailer
    header  = "MUSEPIDX" version:u32 count:u32
    fan-out = 256 × u32: how many ids begin with a byte up to this one
    ids     = count × 32, sorted
    offsets = count × u64, of each id's record in the pack
    pack    = size:u64 and SHA-256 of the pack that it belongs to
    trailer = SHA-256 of all before it

Opening costs the same for ten objects and for ten million: sizes, magic, fan-out and the pack's
hash are looked at, the table is not. A wrong table can hide an object or point to a wrong record,
never hand out wrong bytes: each read checks marker, checksum, id and hash of what it finds.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

from muse.core.errors import IoFailedError
from muse.core.pack_format import HASH_SIZE, HEADER_SIZE, RECORD_SIZE
from muse.core.plain_files import open_plain
from muse.core.types import RAW_ID_SIZE, RawId

INDEX_MAGIC: Final = b"MUSEPIDX"
INDEX_VERSION: Final = 1
_HEAD: Final = struct.Struct(">8sII")
_FANOUT: Final = struct.Struct(">256I")
_TAIL: Final = struct.Struct(">Q32s")
_OFFSET: Final = struct.Struct(">Q")
_IDS_AT: Final = _HEAD.size + _FANOUT.size
_FIXED: Final = _IDS_AT + _TAIL.size + HASH_SIZE
# A mapping holds a descriptor open; what is small is read instead, so that many small packs do
# not use them up.
_MAP_FROM: Final = 1 << 18


class IndexDamagedError(ValueError):
    """The bytes are no index of this pack; it is rebuilt from the pack."""


def encode_index(offsets: Mapping[RawId, int], *, pack_hash: bytes, pack_size: int) -> bytes:
    """Build the index of a pack.

    Args:
        offsets: Where each object's record begins.
        pack_hash: The pack's trailer.
        pack_size: The pack's size in bytes, trailer included.
    """
    ids = sorted(offsets)
    table = array("Q", map(offsets.__getitem__, ids))
    if struct.pack("=H", 1) == struct.pack("<H", 1):
        table.byteswap()
    counts = [0] * 256
    for raw in ids:
        counts[raw[0]] += 1
    total = 0
    fanout = [total := total + count for count in counts]
    pieces = [
        _HEAD.pack(INDEX_MAGIC, INDEX_VERSION, len(ids)),
        _FANOUT.pack(*fanout),
        *ids,
        table.tobytes(),
        _TAIL.pack(pack_size, pack_hash),
    ]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return b"".join([*pieces, digest.digest()])


class PackIndex:
    """A pack's index, over bytes or a mapping.

    Args:
        data: The whole index.
        pack_hash: The hash of the pack that it must belong to.
        pack_size: The size that this pack has.

    Raises:
        IndexDamagedError: Not an index, a torn one, or another pack's.
    """

    def __init__(
        self, data: bytes | mmap.mmap, *, pack_hash: bytes, pack_size: int | None = None
    ) -> None:
        count = _check_head(data[: _HEAD.size], len(data), pack_size)
        fanout = _FANOUT.unpack_from(data, _HEAD.size)
        if fanout[-1] != count or any(a > b for a, b in pairwise(fanout)):
            raise IndexDamagedError("its fan-out table is wrong")
        self._offsets_at = _IDS_AT + count * RAW_ID_SIZE
        size, owner = _TAIL.unpack_from(data, self._offsets_at + count * _OFFSET.size)
        if owner != pack_hash:
            raise IndexDamagedError("it belongs to another pack")
        if pack_size is not None and size != pack_size:
            raise IndexDamagedError("its pack has another size")
        self._data, self._fanout = data, fanout
        self._count = count
        self.pack_size: int = size

    @classmethod
    def open(cls, path: Path, *, pack_hash: bytes, pack_size: int | None) -> PackIndex | None:
        """Open an index file; None when there is none. The arguments are those of the class.

        Raises:
            IndexDamagedError: As for the class.
            IoFailedError: The system refused.
        """
        try:
            fd = open_plain(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IoFailedError("open the pack index", path=str(path), error=error) from error
        try:
            size = os.fstat(fd).st_size
            # Before it is mapped: a hole may be larger than all addresses.
            _check_head(os.pread(fd, _HEAD.size, 0), size, pack_size)
            data: bytes | mmap.mmap
            if size < _MAP_FROM:
                data = os.read(fd, size)
            else:
                data = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        except OSError as error:
            raise IoFailedError("read the pack index", path=str(path), error=error) from error
        finally:
            os.close(fd)
        return cls(data, pack_hash=pack_hash, pack_size=pack_size)

    def __len__(self) -> int:
        return self._count

    def id_at(self, position: int) -> RawId:
        """Return the id at a position of the sorted table."""
        start = _IDS_AT + position * RAW_ID_SIZE
        return RawId(self._data[start : start + RAW_ID_SIZE])

    def offset_at(self, position: int) -> int:
        """Return the offset of the record at a position of the sorted table."""
        at = self._offsets_at + position * _OFFSET.size
        return int.from_bytes(bytes(self._data[at : at + _OFFSET.size]), "big")

    def entries(self) -> Iterator[tuple[RawId, int]]:
        """Yield each id with the offset of its record, sorted by id."""
        for position, raw in enumerate(self.ids()):
            yield raw, self.offset_at(position)

    def ids_by_place(self) -> Iterator[RawId]:
        """Yield all ids in the order of their records."""
        return map(self.id_at, sorted(range(self._count), key=self.offset_at))

    def find(self, raw: RawId) -> int | None:
        """Return the offset of an object's record, or None."""
        data = self._data
        first = raw[0]
        low = self._fanout[first - 1] if first else 0
        high = self._fanout[first]
        while low < high:
            middle = (low + high) >> 1
            start = _IDS_AT + middle * RAW_ID_SIZE
            found = data[start : start + RAW_ID_SIZE]
            if found < raw:
                low = middle + 1
            elif found == raw:
                return self.offset_at(middle)
            else:
                high = middle
        return None

    def is_possible(self, offset: int) -> bool:
        """Tell whether a record can begin at this offset at all."""
        return HEADER_SIZE <= offset <= self.pack_size - HASH_SIZE - RECORD_SIZE

    def ids(self) -> Iterator[RawId]:
        """Yield all ids, sorted, a block at a time."""
        step = RAW_ID_SIZE * 1024
        for start in range(_IDS_AT, self._offsets_at, step):
            block = self._data[start : min(start + step, self._offsets_at)]
            for at in range(0, len(block), RAW_ID_SIZE):
                yield RawId(block[at : at + RAW_ID_SIZE])

    def find_prefix(self, digits: str) -> list[RawId]:
        """Return the ids that begin with these hex digits, sorted."""
        low = bytes.fromhex(digits.ljust(64, "0"))
        high = bytes.fromhex(digits.ljust(64, "f"))
        begin = bisect_left(range(self._count), low, key=self.id_at)
        found = []
        for position in range(begin, self._count):
            raw = self.id_at(position)
            if raw > high:
                break
            found.append(raw)
        return found

    def check_whole(self) -> None:
        """Raise IndexDamagedError unless the index still hashes to its trailer."""
        if not self.is_whole():
            raise IndexDamagedError("it does not hash to its end")

    def is_whole(self) -> bool:
        """Tell whether the index still hashes to its trailer; reads all of it."""
        digest = hashlib.sha256()
        end = len(self._data) - HASH_SIZE
        for start in range(0, end, 1 << 20):
            digest.update(self._data[start : min(start + (1 << 20), end)])
        return digest.digest() == bytes(self._data[end:])


def _check_head(head: bytes, size: int, pack_size: int | None) -> int:
    """Return how many objects an index lists; refuse one that claims more than there can be."""
    if size < _FIXED or len(head) < _HEAD.size:
        raise IndexDamagedError("it is too short")
    count: int
    magic, version, count = _HEAD.unpack(head)
    if magic != INDEX_MAGIC or version != INDEX_VERSION:
        raise IndexDamagedError("it does not begin as an index")
    if size != _FIXED + count * (RAW_ID_SIZE + _OFFSET.size):
        raise IndexDamagedError("its size does not fit its count")
    if pack_size is not None and count > pack_size // RECORD_SIZE:
        raise IndexDamagedError("it lists more than its pack can hold")
    return count
