"""Which packs a store has, their indexes, and where in them an object lies.

Indexes are small, immutable and kept in the cache; they are fetched when they are needed, and a
small pack comes whole with its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from muse.core.errors import BadTransferError
from muse.core.pack_index import IndexDamagedError, PackIndex
from muse.core.types import RawId
from muse.remotes.background import Lane
from muse.remotes.bucket import Bucket
from muse.remotes.store_blocks import WHOLE, PackBlocks
from muse.remotes.store_document import PackEntry
from muse.remotes.store_notes import Notes

# Requests on their way at a time, and how much each brings at most.
PARALLEL: Final = 4
JOB_BYTES: Final = 4 << 20


class Place(NamedTuple):
    """Where an object's record begins, in which pack."""

    entry: PackEntry
    offset: int


class StorePacks:
    """The packs of a store, and what of them is here.

    Args:
        bucket: Where they are.
        notes: What this side remembers of it.
    """

    def __init__(self, bucket: Bucket, notes: Notes) -> None:
        self._bucket, self._notes = bucket, notes
        self._entries: dict[str, PackEntry] = {}
        self._indexes: dict[str, PackIndex] = {}
        self._blocks: dict[str, PackBlocks] = {}

    # -- packs -----------------------------------------------------------------------------

    def use_notes(self, notes: Notes) -> None:
        """Keep hints there from now on."""
        self._notes = notes

    def set_packs(self, entries: Iterable[PackEntry]) -> None:
        """Say which packs there are, oldest first."""
        self._entries = {entry.name: entry for entry in entries}

    def add_pack(self, entry: PackEntry, index: PackIndex) -> None:
        """Add a pack whose index is known."""
        self._entries[entry.name] = entry
        self._indexes[entry.name] = index

    def has_index(self, entry: PackEntry) -> bool:
        """Tell whether a pack's index is here, or can be had without asking the store."""
        if entry.name not in self._indexes:
            index = self._notes.find_index(entry)
            if index is not None:
                self._indexes[entry.name] = index
        return entry.name in self._indexes

    def index(self, entry: PackEntry) -> PackIndex:
        """Return a pack's index.

        Raises:
            RemoteError: It is gone, damaged, or another pack's.
        """
        if not self.has_index(entry):
            self._take_index(entry, self._fetch_index(entry))
        return self._indexes[entry.name]

    def load_indexes(self) -> None:
        """Bring every index that is not here, several at a time."""
        missing = [entry for entry in self._entries.values() if not self.has_index(entry)]
        lane = Lane(PARALLEL)
        for entry, data in zip(missing, lane.map(self._fetch_index, missing), strict=True):
            self._take_index(entry, data)

    def load_fronts(self) -> None:
        """Bring what a walk through everything reads: each pack's index, commits and trees."""
        pieces: list[tuple[PackEntry, int, int]] = []
        for entry in self._entries.values():
            end = entry.size if entry.size <= WHOLE else entry.index_bytes + entry.front
            if not self._pack_blocks(entry).has(0, end):
                steps = range(0, end, JOB_BYTES)
                pieces += [(entry, at, min(end, at + JOB_BYTES)) for at in steps]
        lane = Lane(PARALLEL)
        came = lane.map(lambda piece: self._bucket.read(piece[0].key, *piece[1:]), pieces)
        for (entry, start, _), data in zip(pieces, came, strict=True):
            self._pack_blocks(entry).put(start, data)
        for entry, _, end in pieces:
            if entry.name not in self._indexes and end >= entry.index_bytes:
                self._take_index(entry, self._pack_blocks(entry).read(0, entry.index_bytes))

    def _fetch_index(self, entry: PackEntry) -> bytes:
        if entry.size <= WHOLE:
            return self._bucket.read(entry.key, 0, entry.size)
        return self._bucket.read(entry.key, 0, entry.index_bytes)

    def _take_index(self, entry: PackEntry, data: bytes) -> None:
        if len(data) > entry.index_bytes:
            self._pack_blocks(entry).put(0, data)
            data = data[: entry.index_bytes]
        size = entry.size - entry.index_bytes
        try:
            index = PackIndex(data, pack_hash=entry.pack_hash, pack_size=size)
            index.check_whole()
        except IndexDamagedError as error:
            raise BadTransferError(
                f"the index of pack {entry.name[:16]}", source=self._bucket.shown, reason=str(error)
            ) from error
        self._indexes[entry.name] = index
        self._notes.keep_index(entry, data)

    def _pack_blocks(self, entry: PackEntry) -> PackBlocks:
        found = self._blocks.get(entry.name)
        if found is None:
            found = self._blocks[entry.name] = PackBlocks(self._bucket, entry)
        return found

    # -- finding ---------------------------------------------------------------------------

    def find_known(self, raw: RawId) -> Place | None:
        """Look into the indexes that are here; nothing is asked."""
        for entry in reversed(self._entries.values()):
            if self.has_index(entry):
                offset = self._indexes[entry.name].find(raw)
                if offset is not None:
                    return Place(entry, offset)
        return None

    def find(self, raw: RawId) -> Place | None:
        """Look into all indexes, newest pack first; those that are here before any is asked for."""
        found = self.find_known(raw)
        if found is not None:
            return found
        for entry in reversed(self._entries.values()):
            if not self.has_index(entry):
                offset = self.index(entry).find(raw)
                if offset is not None:
                    return Place(entry, offset)
        return None

    def close(self) -> None:
        """Let go of what was fetched."""
        for blocks in self._blocks.values():
            blocks.close()
        self._blocks.clear()
