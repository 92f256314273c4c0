r"""Reflogs: where each ref was, one line a move, in git's format.

``<old hex> <new hex> Name <mail> seconds zone\tmessage``; 64 zeros stand for "absent". A line is
appended after the ref has moved, so a reflog may lack its last move after a crash, but never
tells of one that did not happen. A torn line is skipped by the reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from muse.core.commits import ObjectFormatError, Signature, parse_signature
from muse.core.io import read_bytes
from muse.core.paths import logs_dir
from muse.core.plain_files import LOG_BYTES
from muse.core.types import ObjectId, from_hex

_ZERO: Final = "0" * 64


class ReflogEntry(NamedTuple):
    """One move of a ref.

    Attributes:
        old: Where it was; None when it did not exist.
        new: Where it went; None when it was deleted.
        who: Who moved it, and when.
        message: What moved it, as in "commit: Fix the pool".
    """

    old: ObjectId | None
    new: ObjectId | None
    who: Signature
    message: str


def reflog_path(root: Path, ref: str) -> Path:
    """Return the reflog of a full ref name or of ``HEAD``."""
    return logs_dir(root) / ref


def encode_entry(entry: ReflogEntry) -> bytes:
    """Return an entry's line, without its newline."""
    old, new = (oid.removeprefix("sha256:") if oid else _ZERO for oid in (entry.old, entry.new))
    message = " ".join(entry.message.split()).encode("utf-8", "surrogateescape")
    return f"{old} {new} ".encode() + entry.who.encode() + b"\t" + message


def read_reflog(root: Path, ref: str) -> list[ReflogEntry]:
    """Return a ref's moves, newest first; empty when it has no log.

    Raises:
        IoFailedError: The file exists and cannot be read.
    """
    data = read_bytes(reflog_path(root, ref), doing="read a reflog", limit=LOG_BYTES)
    entries = []
    for line in (data or b"").split(b"\n"):
        entry = _decode(line)
        if entry is not None:
            entries.append(entry)
    entries.reverse()
    return entries


def count_damaged_lines(root: Path, ref: str) -> int:
    """Return how many lines of a reflog cannot be read, for `verify`."""
    data = read_bytes(reflog_path(root, ref), doing="read a reflog", limit=LOG_BYTES)
    return sum(bool(line) and _decode(line) is None for line in (data or b"").split(b"\n"))


def _decode(line: bytes) -> ReflogEntry | None:
    head, tab, message = line.partition(b"\t")
    parts = head.split(b" ", 2)
    if not tab or len(parts) != 3:
        return None
    try:
        old, new = (_decode_id(part.decode("ascii")) for part in parts[:2])
        who = parse_signature(parts[2])
    except (ObjectFormatError, ValueError):
        return None
    return ReflogEntry(old, new, who, message.decode("utf-8", "surrogateescape"))


def _decode_id(digits: str) -> ObjectId | None:
    return None if digits == _ZERO else from_hex(digits)
