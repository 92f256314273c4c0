"""The only door to msgpack: bounded, strict, and with one error of our own.

A file written with `seal` ends in the SHA-256 of all before it, so that a torn or damaged file
is told from a whole one. Sources: msgpack-python's exceptions may escape its own base class, so
every exception is translated here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgpack

SEAL_SIZE: Final = 32
# From here on msgpack writes the length of bytes in four of its own.
LARGE: Final = 1 << 16


class CodecError(ValueError):
    """The bytes are not what they should be; callers turn it into an error with a path."""


def pack(value: object) -> bytes:
    """Encode a value of dicts, lists, str, bytes, int, bool, None and float."""
    # Ref names and people are text whose odd bytes are kept by surrogateescape.
    return bytes(msgpack.packb(value, use_bin_type=True, unicode_errors="surrogateescape"))


def unpack(data: bytes | memoryview) -> Any:  # noqa: ANN401  # msgpack decides the shape
    """Decode one value.

    Raises:
        CodecError: Damaged, truncated, trailing bytes, or lengths beyond the input.
    """
    size = len(data)
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            unicode_errors="surrogateescape",
            strict_map_key=False,
            max_str_len=size,
            max_bin_len=size,
            max_array_len=size,
            max_map_len=size,
            max_ext_len=0,
        )
    except Exception as error:
        raise CodecError(str(error) or type(error).__name__) from error


def seal(value: object) -> bytes:
    """Encode a value and append the SHA-256 of the encoding."""
    # Not deeper than the fields of a dict: what is in them may be many, which msgpack is faster at.
    pieces = list(iter_packed(value, depth=int(isinstance(value, dict))))
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return b"".join([*pieces, digest.digest()])


def iter_packed(value: object, *, depth: int) -> Iterator[bytes]:
    """Yield what `pack` would return, in pieces: large bytes are one each, and are not copied.

    msgpack takes three times their memory meanwhile.

    Args:
        value: As for `pack`.
        depth: How many dicts and lists deep to look for them.
    """
    small = bytearray()
    for piece in _encode(value, depth):
        if len(piece) < LARGE:
            small += piece
            continue
        yield bytes(small)
        small.clear()
        yield piece
    yield bytes(small)


def _encode(value: object, depth: int) -> Iterator[bytes]:
    if depth and isinstance(value, dict):
        yield bytes(msgpack.Packer().pack_map_header(len(value)))
        for name, item in value.items():
            yield pack(name)
            yield from _encode(item, depth - 1)
    elif depth and isinstance(value, list | tuple):
        yield bytes(msgpack.Packer().pack_array_header(len(value)))
        for item in value:
            yield from _encode(item, depth - 1)
    elif isinstance(value, bytes) and len(value) >= LARGE:
        yield b"\xc6" + len(value).to_bytes(4, "big")
        yield value
    else:
        yield pack(value)


def unseal(data: bytes | memoryview) -> Any:  # noqa: ANN401  # msgpack decides the shape
    """Decode what `seal` wrote.

    Raises:
        CodecError: The hash at the end does not fit: torn, truncated or changed.
    """
    view = memoryview(data)
    if len(view) <= SEAL_SIZE:
        raise CodecError("too short")
    body = view[:-SEAL_SIZE]
    if hashlib.sha256(body).digest() != view[-SEAL_SIZE:]:
        raise CodecError("checksum does not match")
    return unpack(body)
