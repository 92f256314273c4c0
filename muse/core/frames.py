"""The frame of an object: its header, its damage, and its bytes in chunks."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from typing import Final

from muse.core.errors import CorruptObjectError, IoFailedError, UnreadableObjectError
from muse.core.plain_files import PARSED_BYTES, open_plain
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, from_raw

CHUNK_SIZE: Final = 1 << 20
# "commit", a space, twenty digits and the NUL: no header is longer.
MAX_HEADER: Final = 28
_HEX_NAME = re.compile(r"[0-9a-f]{62}\Z")
_HEADER = re.compile(rb"(blob|tree|commit|tag) (0|[1-9][0-9]{0,18})\0")


def iter_shard(shards: str, shard: str) -> Iterator[RawId]:
    """Yield the ids of the loose objects in one shard; a missing shard has none.

    Raises:
        IoFailedError: It cannot be listed.
    """
    try:
        names = os.listdir(os.path.join(shards, shard))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        path = os.path.join(shards, shard)
        raise IoFailedError("list a shard", path=path, error=error) from error
    for name in names:
        if _HEX_NAME.match(name):
            yield RawId(bytes.fromhex(shard + name))


class ObjectStream:
    """A stored object read in chunks; the hash is checked at the end.

    Iterating yields the payload in order and raises CorruptObjectError instead of ending when the
    bytes do not hash to the name: a consumer publishes nothing before the iteration has ended.

    Attributes:
        kind: The object's type.
        size: Payload size in bytes.
    """

    def __init__(self, kind: ObjectType, size: int, chunks: Iterator[bytes]) -> None:
        self.kind = kind
        self.size = size
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def parse_header(frame: bytes, raw: RawId, path: str) -> tuple[ObjectType, int, int]:
    """Parse the header at the begin of a frame.

    Args:
        frame: At least the header, up to `MAX_HEADER` bytes.
        raw: The object's id, for the error.
        path: The file that holds it, for the error.

    Returns:
        Type, payload size, and where the payload begins.

    Raises:
        CorruptObjectError: It is no header.
    """
    match = _HEADER.match(frame)
    if match is None:
        raise CorruptObjectError(from_raw(raw), where=path, reason=describe_damage(frame))
    kind: ObjectType = next(k for k in OBJECT_TYPES if k == match[1].decode())
    return kind, int(match[2]), match.end()


def read_frame(raw: RawId, path: str) -> bytes:
    """Read the whole file of a loose object, which the caller hashes.

    Args:
        raw: The object's id.
        path: The file.

    Raises:
        CorruptObjectError: It is large, and not the object: no memory was set aside for it.
        OSError: It cannot be read.
    """
    with open(path, "rb", buffering=0, opener=open_plain) as file:
        size = os.fstat(file.fileno()).st_size
        if size > CHUNK_SIZE:
            _check_large(file.fileno(), raw, path, size)
        return file.read()


def _check_large(fd: int, raw: RawId, path: str, size: int) -> None:
    kind, length, start = parse_header(os.pread(fd, MAX_HEADER, 0), raw, path)
    if start + length != size:
        reason = f"it holds {size} bytes, and should hold {start + length} by its header"
        raise CorruptObjectError(from_raw(raw), where=path, reason=reason)
    if kind != "blob" and length > PARSED_BYTES:
        reason = f"a {kind} of {length} bytes is larger than any that is right"
        raise CorruptObjectError(from_raw(raw), where=path, reason=reason)
    digest = hashlib.sha256()
    at = 0
    while block := os.pread(fd, CHUNK_SIZE, at):
        digest.update(block)
        at += len(block)
    if digest.digest() != raw:
        reason = "its bytes do not hash to its name"
        raise CorruptObjectError(from_raw(raw), where=path, reason=reason)


def describe_damage(frame: bytes) -> str:
    """Say in a few words what is wrong with a frame that does not hash to its name."""
    if not frame:
        return "the file is empty"
    if not frame.strip(b"\0"):
        return "the file is all zeros"
    return "its bytes do not hash to its name"


def unreadable(raw: RawId, path: str | os.PathLike[str], error: OSError) -> UnreadableObjectError:
    """Return the error for an object whose file the system does not let us read."""
    return UnreadableObjectError(from_raw(raw), where=os.fspath(path), error=error)


def iter_frame_chunks(
    raw: RawId, path: str, fd: int, head: bytes, start: int, size: int
) -> Iterator[bytes]:
    """Yield the payload of a loose object chunk by chunk, and close its file.

    Args:
        raw: The object's id.
        path: Its file, for the error.
        fd: That file, open, read up to the end of ``head``.
        head: The first bytes of the frame.
        start: Where the payload begins in ``head``.
        size: The payload's size.

    Raises:
        CorruptObjectError: At the end, when the bytes do not hash to the name.
    """
    digest = hashlib.sha256(head)
    total = len(head) - start
    try:
        yield head[start:]
        while chunk := os.read(fd, CHUNK_SIZE):
            digest.update(chunk)
            total += len(chunk)
            if total > size:
                break
            yield chunk
    except OSError as error:
        raise unreadable(raw, path, error) from error
    finally:
        os.close(fd)
    if total != size or digest.digest() != raw:
        raise CorruptObjectError(
            from_raw(raw), where=path, reason="its bytes do not hash to its name"
        )
