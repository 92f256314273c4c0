"""``refs.json``: the one mutable object of a store, and the only thing that a reader must know.

It holds every ref and lists every pack, so that one GET tells everything and one conditional PUT
moves several refs together with the packs that they need. Nobody ever lists the bucket, but gc.
What only gc needs to know is therefore kept out of it, in objects that are dated by the store:
``past/<r>`` holds what refs have left behind, ``retired/<r>`` the packs that were replaced.

================  ====================================================================
``id``            random, given once: tells a store from another one at the same place
``serial``        counts the writes
``drops``         counts the times that a gc dropped *objects*: while it stays the same,
                  what was complete before is complete now
``head``          the branch that a clone starts at
``refs peeled``   name → id; annotated tags → what is behind them
``packs``         ``[name, size, index, front, objects]`` each, oldest first
``recent``        marks of the last writes: whoever lost an answer finds out if it was heard
================  ====================================================================
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from muse.core.errors import RemoteError
from muse.core.paths import show_text
from muse.core.refs import DEFAULT_BRANCH, HEADS
from muse.core.types import ObjectId, is_object_id
from muse.remotes.protocol import MAX_REF_NAME, MAX_REFS

DOCUMENT: Final = "refs.json"
FORMAT: Final = 1
MAX_DOCUMENT: Final = 256 << 20
PACKS: Final = "packs/"
PAST: Final = "past/"
RETIRED: Final = "retired/"
_MAX_PACKS: Final = 100_000
_MAX_PACK_BYTES: Final = 1 << 50
_MAX_RECENT: Final = 128
_NAME: Final = re.compile(r"[0-9a-f]{64}-[0-9a-f]{16}")
_MARK: Final = re.compile(r"[0-9a-f]{16}")
_STORE_ID: Final = re.compile(r"[0-9a-f]{32}")
# What an index takes for each object, and without any.
INDEX_FIXED: Final = 16 + 1024 + 40 + 32
INDEX_EACH: Final = 40


class PackEntry(NamedTuple):
    """One pack of the store: an object that is the pack's index, and then the pack.

    Args:
        name: The pack's hash and, after a dash, random digits of its writer.
        size: Bytes of the whole.
        index_bytes: Bytes of the index in front.
        front: Bytes of the pack up to its first blob: header, commits, tags and trees.
        objects: How many it holds.
    """

    name: str
    size: int
    index_bytes: int
    front: int
    objects: int

    @property
    def key(self) -> str:
        """Where it lies."""
        return f"{PACKS}{self.name}"

    @property
    def pack_hash(self) -> bytes:
        """The hash that the pack ends in."""
        return bytes.fromhex(self.name[:64])


def new_mark() -> str:
    """Return random digits that nobody else has."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Document:
    """See the table above."""

    store_id: str
    serial: int = 0
    drops: int = 0
    head: str = HEADS + DEFAULT_BRANCH
    refs: Mapping[str, ObjectId] = field(default_factory=dict)
    peeled: Mapping[str, ObjectId] = field(default_factory=dict)
    packs: tuple[PackEntry, ...] = ()
    recent: tuple[str, ...] = ()

    @classmethod
    def new(cls) -> Document:
        """Return the document of a store that is about to be made."""
        return cls(secrets.token_hex(16))

    def next(self, mark: str) -> Document:
        """Return it with the next serial and the mark of the write that makes it."""
        recent = (*self.recent, mark)[-_MAX_RECENT:]
        return replace(self, serial=self.serial + 1, recent=recent)

    def with_packs(self, added: Iterable[PackEntry]) -> Document:
        """Return it with more packs."""
        names = {entry.name for entry in self.packs}
        return replace(self, packs=self.packs + tuple(e for e in added if e.name not in names))

    def encode(self) -> bytes:
        """Return the bytes as they are stored."""
        return json.dumps(
            {
                "muse-store": FORMAT,
                "id": self.store_id,
                "serial": self.serial,
                "drops": self.drops,
                "head": self.head,
                "refs": dict(sorted(self.refs.items())),
                "peeled": dict(sorted(self.peeled.items())),
                "packs": self.packs,
                "recent": self.recent,
            },
            separators=(",", ":"),
        ).encode()


def parse_document(data: bytes, *, shown: str) -> Document:
    """Read a document, believing nothing of it.

    Names of refs are only bounded here: `check_listing` refuses them by the rules for names.

    Raises:
        RemoteError: It is no document, a damaged one, or of a later format.
    """
    try:
        return _parse(json.loads(data))
    except _LaterError as error:
        raise RemoteError(
            f"{shown} was written by a newer Muse (format {show_text(str(error))[:40]}).",
            hint="Install a newer Muse.",
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RemoteError(
            f"{shown}: its '{DOCUMENT}' is damaged or is not Muse's.",
            hint="Nothing was changed. Check the address; a bucket with versions still has the "
            "one before.",
        ) from error


class _LaterError(Exception):
    """A format that this program cannot read."""


def _parse(found: object) -> Document:
    _need(isinstance(found, dict))
    assert isinstance(found, dict)
    version = found["muse-store"]
    _need(type(version) is int)
    if version != FORMAT:
        raise _LaterError(version)
    _need(_matches(_STORE_ID, found["id"]) and _is_name(found["head"]))
    recent = found["recent"]
    _need(isinstance(recent, list))
    _need(len(recent) <= _MAX_RECENT and all(_matches(_MARK, mark) for mark in recent))
    _need(_is_count(found["serial"]) and _is_count(found["drops"]))
    packs = found["packs"]
    _need(isinstance(packs, list) and len(packs) <= _MAX_PACKS)
    entries = tuple(_entry(each) for each in packs)
    _need(len({entry.name for entry in entries}) == len(entries))
    return Document(
        found["id"],
        found["serial"],
        found["drops"],
        found["head"],
        _refs(found["refs"]),
        _refs(found["peeled"]),
        entries,
        tuple(recent),
    )


def _entry(found: object) -> PackEntry:
    _need(isinstance(found, list) and len(found) == 5)
    assert isinstance(found, list)
    entry = PackEntry(*found)
    _need(_matches(_NAME, entry.name) and all(_is_count(each) for each in entry[1:]))
    _need(entry.objects < 1 << 32 and entry.size <= _MAX_PACK_BYTES)
    # Sizes that contradict each other must not become the size of a buffer.
    _need(entry.index_bytes == INDEX_FIXED + entry.objects * INDEX_EACH)
    _need(16 <= entry.front <= entry.size - entry.index_bytes - 32)
    return entry


def _refs(found: object) -> dict[str, ObjectId]:
    _need(isinstance(found, dict) and len(found) <= MAX_REFS)
    assert isinstance(found, dict)
    _need(all(_is_name(name) and is_object_id(oid) for name, oid in found.items()))
    return found


def _is_name(found: object) -> bool:
    return isinstance(found, str) and 0 < len(found) <= MAX_REF_NAME


def _is_count(found: object) -> bool:
    return type(found) is int and 0 <= found < 1 << 60


def _matches(pattern: re.Pattern[str], found: object) -> bool:
    return isinstance(found, str) and pattern.fullmatch(found) is not None


def _need(fine: object) -> None:
    if not fine:
        raise ValueError("it contradicts the format")
