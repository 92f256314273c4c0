"""Ids, modes and object types: the words that everything else is written in.

An object is a frame (ASCII type, space, decimal length, NUL, payload); its id is ``sha256:`` and
the 64 lower-case hex digits of the SHA-256 of the frame. This is git's SHA-256 object format.

Two forms of one id: ``ObjectId`` (text, for people, refs and interfaces) and ``RawId``
(32 bytes, for trees, columns and packs).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final, Literal, NewType

ObjectId = NewType("ObjectId", str)
RawId = NewType("RawId", bytes)
ObjectType = Literal["blob", "tree", "commit", "tag"]
# Called with (done, total); total is None while it is not known.
Progress = Callable[[int, int | None], None]

OBJECT_TYPES: Final[tuple[ObjectType, ...]] = ("blob", "tree", "commit", "tag")
ID_PREFIX: Final = "sha256:"
RAW_ID_SIZE: Final = 32

MODE_FILE: Final = 0o100644
MODE_EXEC: Final = 0o100755
MODE_LINK: Final = 0o120000
MODE_TREE: Final = 0o40000
FILE_MODES: Final = frozenset({MODE_FILE, MODE_EXEC, MODE_LINK})

_OID = re.compile(r"sha256:[0-9a-f]{64}\Z")


def frame_header(kind: str, size_bytes: int) -> bytes:
    """Return what stands before the payload in an object's frame."""
    return b"%s %d\0" % (kind.encode("ascii"), size_bytes)


def object_id(kind: ObjectType, payload: bytes) -> ObjectId:
    """Return the id of an object of type ``kind`` with this payload."""
    digest = hashlib.sha256(frame_header(kind, len(payload)))
    digest.update(payload)
    return ObjectId(ID_PREFIX + digest.hexdigest())


def raw_object_id(kind: ObjectType, payload: bytes) -> RawId:
    """Return the 32 bytes of an object's id."""
    digest = hashlib.sha256(frame_header(kind, len(payload)))
    digest.update(payload)
    return RawId(digest.digest())


def blob_id(data: bytes) -> ObjectId:
    """Return the id of a file with these bytes."""
    return object_id("blob", data)


def is_object_id(text: str) -> bool:
    """Tell whether ``text`` is a full id, prefix included."""
    return _OID.match(text) is not None


def to_raw(oid: ObjectId | str) -> RawId:
    """Turn ``sha256:<hex>`` into its 32 bytes.

    Raises:
        ValueError: ``oid`` is not a full id.
    """
    if not is_object_id(oid):
        raise ValueError(f"not an object id: {oid!r}")
    return RawId(bytes.fromhex(oid[7:]))


def from_raw(raw: bytes) -> ObjectId:
    """Turn 32 bytes into ``sha256:<hex>``."""
    return ObjectId(ID_PREFIX + raw.hex())


def from_hex(digits: str) -> ObjectId:
    """Turn 64 hex digits into ``sha256:<hex>``.

    Raises:
        ValueError: ``digits`` is not 64 lower-case hex digits.
    """
    oid = ID_PREFIX + digits
    if not is_object_id(oid):
        raise ValueError(f"not an object id: {digits!r}")
    return ObjectId(oid)
