"""Reading every stored byte: each loose object and each pack, against its name.

Nothing is repaired or moved here, and nothing is believed: ids are computed from the bytes, trees,
commits and tags are parsed as strictly as when they came in. What is whole is collected as ids
by type, what is not as faults that say which file, which object and what is wrong.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.commits import ObjectFormatError, parse_commit, parse_tag
from muse.core.errors import UnsafePathError
from muse.core.paths import is_reserved_name
from muse.core.plain_files import PARSED_BYTES, open_plain
from muse.core.temps import SHARD_FAMILIES, family_of
from muse.core.trees import TreeFormatError, parse_tree
from muse.core.types import OBJECT_TYPES, ObjectType, RawId

# Kinds of fault, as people and `--json` see them.
MISSING: Final = "missing"
EMPTY: Final = "empty"
TRUNCATED: Final = "truncated"
ZEROS: Final = "zeros"
CHANGED: Final = "changed"
MISNAMED: Final = "misnamed"
UNREADABLE: Final = "unreadable"
MALFORMED: Final = "malformed"
DANGLING: Final = "dangling"

# Above this, an object passes through in pieces.
_BLOCK: Final = 1 << 20
# Reads into more than this make the allocator ask the kernel for fresh pages each time.
_FIRST: Final = 1 << 16
_HEADER = re.compile(rb"(blob|tree|commit|tag) (0|[1-9][0-9]{0,18})\0")
_HEX_NAME = re.compile(r"[0-9a-f]{62}\Z")
_SHARD_NAME = re.compile(r"[0-9a-f]{2}\Z")
_ENTRY = re.compile(rb"(100644|100755|120000|40000|100664) ([^/\0]+)\0(.{32})", re.DOTALL)


class Fault(NamedTuple):
    """One thing that is wrong with a stored file.

    Attributes:
        kind: One of the words above.
        raw: The object that should be there; None when the fault is the file's own.
        file: The path of the file.
        reason: What is wrong, as the end of a sentence.
        actual: For a frame under a wrong name, the id of what it holds.
    """

    kind: str
    raw: RawId | None
    file: str
    reason: str
    actual: RawId | None = None


@dataclass(slots=True)
class Whole:
    """What was found whole, as ids by type; the one thing here that grows with the repository."""

    blob: set[RawId] = field(default_factory=set)
    tree: set[RawId] = field(default_factory=set)
    commit: set[RawId] = field(default_factory=set)
    tag: set[RawId] = field(default_factory=set)
    bytes_read: int = 0

    def of(self, kind: ObjectType) -> set[RawId]:
        """Return the ids of one type."""
        found: set[RawId] = getattr(self, kind)
        return found

    def __contains__(self, raw: RawId) -> bool:
        return any(raw in self.of(kind) for kind in OBJECT_TYPES)

    def __len__(self) -> int:
        return sum(len(self.of(kind)) for kind in OBJECT_TYPES)

    def kind_of(self, raw: RawId) -> ObjectType | None:
        """Return the type of a whole object; None when there is no whole copy."""
        return next((kind for kind in OBJECT_TYPES if raw in self.of(kind)), None)


def find_format_fault(kind: ObjectType, payload: bytes) -> str:
    """Say what is wrong with an object whose bytes are what its name says; empty for nothing."""
    try:
        if kind == "tree":
            if not _is_plain_tree(payload):
                parse_tree(payload)
        elif kind == "commit":
            parse_commit(payload)
        elif kind == "tag":
            parse_tag(payload)
    except (TreeFormatError, ObjectFormatError, UnsafePathError) as error:
        return str(error)
    return ""


def _is_plain_tree(payload: bytes) -> bool:
    """Tell whether a tree is well formed, an order of magnitude faster than parsing it.

    False only means that the parser must have a look.
    """
    found = _ENTRY.findall(payload)
    names = [name for _, name, _ in found]
    if 34 * len(found) + sum(map(len, names)) + sum(len(m) for m, _, _ in found) != len(payload):
        return False
    keys = [name + b"/" if mode == b"40000" else name for mode, name, _ in found]
    if any(a >= b for a, b in pairwise(keys)) or len(set(names)) != len(names):
        return False
    return not any(name[:1] == b"." and _is_odd(name) for name in names)


def _is_odd(name: bytes) -> bool:
    return name in {b".", b".."} or is_reserved_name(name, fold=True)


# -- loose objects -------------------------------------------------------------------------


def scrub_shard(shard: Path, whole: Whole) -> Iterator[Fault]:
    """Check every file of one shard; temps are the sweep's business, not ours."""
    try:
        folder = os.open(shard, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        yield Fault(MISNAMED, None, str(shard), "it is a file where only folders belong")
        return
    except OSError as error:
        yield Fault(UNREADABLE, None, str(shard), f"it cannot be listed ({error.strerror})")
        return
    try:
        for name in os.listdir(folder):
            if _HEX_NAME.match(name) and _SHARD_NAME.match(shard.name):
                raw = RawId(bytes.fromhex(shard.name + name))
                fault = _check_loose(raw, name, folder, shard, whole)
                if fault is not None:
                    yield fault
            elif family_of(name, SHARD_FAMILIES) is None:
                reason = "its name is not an object's"
                yield Fault(MISNAMED, None, f"{shard}/{name}", reason)
    finally:
        os.close(folder)


def check_loose(path: Path, raw: RawId, whole: Whole) -> Fault | None:
    """Check one loose object; None when it is whole, or not there."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _check_loose(raw, path.name, folder, path.parent, whole)
    finally:
        os.close(folder)


def _check_loose(raw: RawId, name: str, folder: int, shard: Path, whole: Whole) -> Fault | None:
    try:
        fd = open_plain(name, dir_fd=folder)
    except FileNotFoundError:
        # A gc beside us has packed it; the packs are looked at after the loose objects.
        return None
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        return Fault(UNREADABLE, raw, f"{shard}/{name}", reason)
    try:
        data, size, actual = _read_frame(fd)
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        return Fault(UNREADABLE, raw, f"{shard}/{name}", reason)
    finally:
        os.close(fd)
    whole.bytes_read += size
    where = f"{shard}/{name}"
    if actual != raw:
        return _explain(raw, where, data, size, actual)
    head = _HEADER.match(data)
    if head is None or int(head[2]) != size - head.end():
        return Fault(MALFORMED, raw, where, "its header is not an object's")
    kind: ObjectType = head[1].decode()  # type: ignore[assignment]  # the pattern allows no other
    if kind != "blob" and size > PARSED_BYTES:
        reason = f"a {kind} of {size} bytes is larger than any that is right"
        return Fault(MALFORMED, raw, where, reason)
    if kind != "blob":
        problem = find_format_fault(kind, data[head.end() :])
        if problem:
            return Fault(MALFORMED, raw, where, f"it is no valid {kind}: {problem}")
    whole.of(kind).add(raw)
    return None


def _read_frame(fd: int) -> tuple[bytes, int, RawId]:
    """Return a file's bytes, its size and its hash; of what is not parsed, only the first bytes."""
    data = os.read(fd, _FIRST)
    if len(data) < _FIRST:
        return data, len(data), RawId(hashlib.sha256(data).digest())
    digest = hashlib.sha256(data)
    size = len(data)
    blocks = [data]
    is_parsed = data.startswith((b"tree ", b"commit ", b"tag "))
    while block := os.read(fd, _BLOCK):
        digest.update(block)
        size += len(block)
        if is_parsed and size <= PARSED_BYTES:
            blocks.append(block)
    return b"".join(blocks), size, RawId(digest.digest())


def _explain(raw: RawId, where: str, data: bytes, size: int, actual: RawId) -> Fault:
    """Say in which way a file's bytes are not the object's."""
    if not size:
        return Fault(EMPTY, raw, where, "the file is empty")
    if not data.strip(b"\0"):
        return Fault(ZEROS, raw, where, "it is zeros where its bytes should be")
    head = _HEADER.match(data)
    if head is not None:
        expected = int(head[2]) + head.end()
        if size < expected:
            reason = f"it is cut off after {size} of {expected} bytes"
            return Fault(TRUNCATED, raw, where, reason)
        if size == expected:
            return Fault(CHANGED, raw, where, "its bytes do not hash to its name", actual)
    return Fault(CHANGED, raw, where, "its bytes do not hash to its name")
