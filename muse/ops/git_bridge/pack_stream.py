"""Git's pack format, written as a stream: what `git index-pack --stdin` reads.

``PACK``, version 2, the number of objects; then each object as its type and size in a varint and
its payload in zlib; then the hash of all before it. Deltas are never written: git makes its own
when it repacks, and making them here would cost more than sending does.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable
from typing import Final

from muse.core.types import ObjectType

# The fastest level: the bytes cross a pipe once, and git compresses again when it repacks.
LEVEL: Final = 1
_TYPES: Final[dict[ObjectType, int]] = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_BUFFER: Final = 1 << 18
_SAMPLE: Final = 1 << 14
_COMPRESS_FROM: Final = 512
# What one stored block can hold.
_MAX_STORED: Final = 0xFFFF


class PackStream:
    """A pack on its way to git.

    Args:
        write: Takes the bytes.
        count: How many objects will be added.
        object_format: ``sha1`` or ``sha256``: the hash at the end.
    """

    def __init__(self, write: Callable[[bytes], None], *, count: int, object_format: str) -> None:
        self._write = write
        self._digest = hashlib.new(object_format, usedforsecurity=False)
        self._buffer = bytearray(b"PACK" + (2).to_bytes(4, "big") + count.to_bytes(4, "big"))
        self._left = count

    def add(self, kind: ObjectType, payload: bytes) -> None:
        """Add one object."""
        self._begin(kind, len(payload))
        self._buffer += _stored(payload) if _is_dense(kind, payload) else _deflated(payload)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def add_stream(self, kind: ObjectType, size: int, chunks: Iterable[bytes]) -> None:
        """Add one object of any size.

        What ``chunks`` raises passes through, and git, which is left without an end, keeps nothing.
        """
        self._begin(kind, size)
        compress = None
        for chunk in chunks:
            if compress is None:
                compress = zlib.compressobj(_level_for(chunk))
            size -= len(chunk)
            self._buffer += compress.compress(chunk)
            self._flush()
        assert size == 0
        self._buffer += (compress or zlib.compressobj(0)).flush()

    def _begin(self, kind: ObjectType, size: int) -> None:
        assert self._left > 0
        self._left -= 1
        self._buffer += format_header(kind, size)

    def finish(self) -> None:
        """End the pack; without this git takes none of it."""
        assert self._left == 0
        self._flush()
        self._write(self._digest.digest())

    def _flush(self) -> None:
        data = bytes(self._buffer)
        self._digest.update(data)
        self._write(data)
        self._buffer.clear()


def _is_dense(kind: ObjectType, payload: bytes) -> bool:
    # Ids do not compress, and setting up zlib costs more than a small payload could save.
    return (kind == "tree" or len(payload) < _COMPRESS_FROM) and len(payload) <= _MAX_STORED


def _deflated(payload: bytes) -> bytes:
    return zlib.compress(payload, _level_for(payload))


def _level_for(payload: bytes) -> int:
    """Return level 0 for what is compressed already: its first bytes tell, in a thousandth."""
    if len(payload) <= _SAMPLE:
        return LEVEL
    sample = payload[:_SAMPLE]
    return LEVEL if len(zlib.compress(sample, LEVEL)) < _SAMPLE - _SAMPLE // 16 else 0


def _stored(payload: bytes) -> bytes:
    """Return a zlib stream of one stored block (RFC 1950, RFC 1951 section 3.2.4)."""
    size = len(payload)
    block = b"\x78\x01\x01%b%b" % (
        size.to_bytes(2, "little"),
        (size ^ 0xFFFF).to_bytes(2, "little"),
    )
    return block + payload + zlib.adler32(payload).to_bytes(4, "big")


def format_header(kind: ObjectType, size: int) -> bytes:
    """Return an object's type and size: four bits of the size, then seven a byte, low first."""
    first, rest = size & 0x0F, size >> 4
    out = bytearray([_TYPES[kind] << 4 | first])
    while rest:
        out[-1] |= 0x80
        out.append(rest & 0x7F)
        rest >>= 7
    return bytes(out)
