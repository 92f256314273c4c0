"""Which objects a store may have, told without a look at each: for those who ask about many."""

from __future__ import annotations

import os

from muse.core.errors import IoFailedError
from muse.core.frames import iter_shard
from muse.core.object_store import ObjectStore
from muse.core.paths import shards_dir
from muse.core.types import RawId


class StoredIds:
    """What was stored when it was first asked for; each shard of loose objects is listed once.

    What is stored later is not seen, so whoever writes on a "no" may write a second copy of what
    another writer has just stored, and holds the write lock against that. A "yes" says nothing of
    the bytes.

    Args:
        store: The store; packs that came since it was opened are seen.
    """

    def __init__(self, store: ObjectStore) -> None:
        store.refresh()
        self._overlay, self._packs = store.overlay, store.packs()
        self._shards = os.fspath(shards_dir(store.root))
        self._loose: dict[int, frozenset[RawId] | None] = {}

    def __contains__(self, raw: RawId) -> bool:
        if raw[0] not in self._loose:
            self._loose[raw[0]] = self._list(raw[0])
        loose = self._loose[raw[0]]
        if loose is None or raw in loose or raw in self._overlay:
            return True
        return any(pack.find(raw) is not None for pack in self._packs)

    def _list(self, number: int) -> frozenset[RawId] | None:
        """Return the ids in a shard; None when they cannot be known."""
        try:
            return frozenset(iter_shard(self._shards, f"{number:02x}"))
        except IoFailedError:
            return None
