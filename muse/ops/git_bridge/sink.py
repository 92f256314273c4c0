"""Where brought objects go: packs of a bounded size, and the map of ids right after each.

Durability:
    A pack is durable before the map names its objects, and both are before any ref does. Killed at
    any point: objects that nothing refers to, most of which the next run finds and does not bring
    again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.types import RAW_ID_SIZE, ObjectType, RawId, raw_object_id
from muse.ops.git_bridge.id_maps import IdMaps

# A pack is closed, and its part of the map written, at either of these.
PACK_BYTES: Final = 256 << 20
PACK_OBJECTS: Final = 100_000
# Ids that are held in memory, where looking one up is quickest.
_HELD_IDS: Final = 1_000_000


class Sink:
    """The writing side of one import.

    Args:
        store: Where objects go.
        maps: The mapping for the git repository's format.
        maps_commits: False when what commits and tags become depends on more than themselves.
    """

    def __init__(self, store: ObjectStore, maps: IdMaps, *, maps_commits: bool) -> None:
        self._store, self._maps, self._maps_commits = store, maps, maps_commits
        self.is_empty = not store.packs() and next(store.iter_loose(), None) is None
        self._ids: dict[bytes, bytes] = {}
        self._altered: set[bytes] = set()
        # What the map does not name durably yet.
        self._unrecorded: dict[bytes, bytes] = {}
        self._altered_unrecorded: set[bytes] = set()
        self._pack = PackWriter(store.root)
        self._packs: list[Path] = []
        # Our ids of all that is needed, end to end.
        self._needed = bytearray()
        self._found_here = 0

    # -- looking -----------------------------------------------------------------------------

    def find(self, git_raw: bytes) -> RawId | None:
        """Return what a git object became; None when it is not here yet."""
        found = self._ids.get(git_raw)
        if found is None:
            found = self._maps.muse_id(git_raw)
            if found is None and self._maps.is_identity and self._store.has(RawId(git_raw)):
                found = RawId(git_raw)
            if found is None:
                return None
            self._ids[git_raw] = found
        return RawId(found)

    @property
    def ids(self) -> dict[bytes, bytes]:
        """The ids that are held in memory: many, and the most recent ones, but not all."""
        return self._ids

    def is_here(self, git_raw: bytes) -> bool:
        """Tell whether a listed object need not be brought."""
        if self.is_empty or self.is_altered([git_raw]):
            # What is altered is looked at again, so that it is reported again.
            return False
        ours = self._maps.muse_id(git_raw) or (git_raw if self._maps.is_identity else None)
        if ours is None or not self._store.has(RawId(ours)):
            return False
        self._needed += ours
        self._found_here += 1
        return True

    def is_altered(self, git_ids: Iterable[bytes]) -> bool:
        """Tell whether something was left out of, or changed in, what any of these became."""
        altered, has_old = self._altered, self._maps.has_altered
        if not altered and not has_old:
            return False
        return any(raw in altered or (has_old and self._maps.is_altered(raw)) for raw in git_ids)

    @property
    def has_altered(self) -> bool:
        """Whether any object became something else than its own content, in this run or before."""
        return bool(self._altered) or self._maps.has_altered

    def is_complete(self) -> bool:
        """Tell whether all that this run brought, or found here, is here still.

        Asked under the write lock, before refs move: nothing held a concurrent gc back until then.
        """
        self._store.refresh()
        if not self._found_here and all(pack.exists() for pack in self._packs):
            return True
        step = RAW_ID_SIZE
        ids = (self._needed[at : at + step] for at in range(0, len(self._needed), step))
        return all(self._store.has(RawId(bytes(raw))) for raw in ids)

    # -- writing -----------------------------------------------------------------------------

    def put(self, kind: ObjectType, git_raw: bytes, payload: bytes, *, altered: bool) -> None:
        """Add an object.

        Args:
            kind: Its type.
            git_raw: Its id in git.
            payload: What it is here.
            altered: It, or something it names, is not quite what git has.
        """
        same = self._maps.is_identity and not altered
        ours = RawId(git_raw) if same else raw_object_id(kind, payload)
        # An object that is there but damaged is written again (G4).
        if self.is_empty or not self._store.is_whole(ours):
            self._pack.add_hashed(ours, kind, payload)
        self._note(kind, git_raw, ours, altered=altered)

    def put_stream(self, git_raw: bytes, size: int, chunks: Iterable[bytes]) -> None:
        """Add a file of any size; what ``chunks`` raises passes through, and nothing is added."""
        ours = self._pack.add_stream("blob", size, chunks)
        self._note("blob", git_raw, ours, altered=False)

    def _note(self, kind: ObjectType, git_raw: bytes, ours: bytes, *, altered: bool) -> None:
        self._ids[git_raw] = ours
        self._needed += ours
        if altered:
            self._altered.add(git_raw)
        may_map = self._maps_commits or kind in {"blob", "tree"}
        if may_map and not (self._maps.is_identity and git_raw == ours):
            self._unrecorded[git_raw] = ours
            if altered:
                self._altered_unrecorded.add(git_raw)
        if len(self._pack) >= PACK_OBJECTS or self._pack.size_bytes >= PACK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Make everything so far durable: the pack, and then the map."""
        pack = self._pack.finish()
        if pack is not None:
            self._packs.append(pack)
        self._store.refresh()
        # INVARIANT: the map never names an object that a power cut could still take.
        self._maps.record(self._unrecorded, altered=self._altered_unrecorded)
        self._unrecorded.clear()
        self._altered_unrecorded.clear()
        if len(self._ids) > _HELD_IDS and self._maps_commits:
            # All of them can be looked up now, a little slower, so memory stays bounded.
            self._ids.clear()
            self._altered.clear()
        self._pack = PackWriter(self._store.root)

    def abandon(self) -> None:
        """Drop the pack that is not closed yet; harmless after `flush`."""
        self._pack.abandon()
