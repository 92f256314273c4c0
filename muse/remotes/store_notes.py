"""What this side remembers of a store, under ``.muse/cache/stores/``: hints, every one of them.

Lost, they cost requests; never more. Each store has a folder of its own, named by a hash of its
address *and* of the server that answers for it, so that nothing is believed of another place.
Indexes are kept by the hash of their pack and are hashed when they are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from muse.core.errors import IoFailedError, OversizeError
from muse.core.io import read_bytes, remove_file, write_bytes_atomic
from muse.core.pack_index import IndexDamagedError, PackIndex
from muse.core.plain_files import SHALLOW_BYTES
from muse.core.types import ObjectId, is_object_id
from muse.remotes.store_document import Document, PackEntry

# A pack that was uploaded longer ago is not counted on any more: a gc may be about to take it.
# Well below the least grace that a gc gives (see `store_gc.MIN_GRACE_S`).
PENDING_S: Final = 12 * 3600
_MAX_TIPS: Final = 4096


class Notes:
    """The hints about one store.

    Args:
        cache: The repository's folder for caches; None: nothing is kept beyond this object.
        fingerprint: See `Bucket.fingerprint`.

    Attributes:
        probed: Whether this place has shown that it honours conditions.
        pending: Packs that were, or were about to be, uploaded and that no document lists yet.
        tips: What refs were seen to name while the document said ``drops`` of ``store_id``.
    """

    def __init__(self, cache: Path | None, fingerprint: str) -> None:
        digest = hashlib.sha256(fingerprint.encode("utf-8", "surrogateescape")).hexdigest()
        self._folder = cache / "stores" / digest[:32] if cache is not None else None
        self.probed = False
        self.pending: list[PackEntry] = []
        self.store_id, self.drops, self.serial = "", 0, 0
        self.tips: dict[ObjectId, None] = {}
        self._uploaded_s: dict[str, float] = {}
        self._written = b""
        with contextlib.suppress(ValueError, TypeError, KeyError, IoFailedError, OversizeError):
            self._load()

    def _load(self) -> None:
        if self._folder is None:
            return
        data = read_bytes(
            self._folder / "notes.json", doing="read what is known of a store", limit=SHALLOW_BYTES
        )
        if data is None:
            return
        found = json.loads(data)
        now_s = time.time()
        pending = [(PackEntry(*each[:5]), float(each[5])) for each in found["pending"]]
        # A clock that went backwards says nothing either.
        young = [(entry, at) for entry, at in pending if 0 <= now_s - at < PENDING_S]
        self.probed = found["probed"] is True
        self.store_id, self.drops = str(found["id"]), int(found["drops"])
        self.serial = int(found["serial"])
        self.tips = dict.fromkeys(tip for tip in found["tips"] if is_object_id(tip))
        self.pending = [entry for entry, _ in young]
        self._uploaded_s = {entry.name: at for entry, at in young}
        self._written = data

    def save(self) -> None:
        """Write them down if they changed; that it fails does not matter."""
        if self._folder is None:
            return
        data = json.dumps(
            {
                "probed": self.probed,
                "id": self.store_id,
                "drops": self.drops,
                "serial": self.serial,
                "tips": list(self.tips),
                "pending": [[*entry, self._uploaded_s[entry.name]] for entry in self.pending],
            }
        ).encode()
        if data != self._written:
            with contextlib.suppress(IoFailedError):
                write_bytes_atomic(self._folder / "notes.json", data)
                self._written = data

    # -- tips ------------------------------------------------------------------------------

    def saw(self, document: Document) -> None:
        """Remember what its refs name: all of that is complete there, and stays so."""
        if not self.knows(document):
            self.tips = {}
        self.store_id, self.drops = document.store_id, document.drops
        self.serial = document.serial
        for oid in document.refs.values():
            self.tips.pop(oid, None)
            self.tips[oid] = None
        for oid in list(self.tips)[: max(0, len(self.tips) - _MAX_TIPS)]:
            del self.tips[oid]

    def knows(self, document: Document) -> bool:
        """Tell whether nothing was dropped there since the tips were seen.

        A document that is older than what was seen comes from a backup, and says nothing.
        """
        same = (self.store_id, self.drops) == (document.store_id, document.drops)
        return same and document.serial >= self.serial

    # -- packs -----------------------------------------------------------------------------

    def intend(self, entry: PackEntry, index: bytes) -> None:
        """Remember a pack that is going to be uploaded."""
        self.pending.append(entry)
        self._uploaded_s[entry.name] = time.time()
        self.keep_index(entry, index)
        self.save()

    def settle(self, names: Collection[str]) -> None:
        """Forget packs that are listed now, or that never arrived."""
        self.pending = [entry for entry in self.pending if entry.name not in names]

    def keep_index(self, entry: PackEntry, data: bytes) -> None:
        """Keep a pack's index."""
        if self._folder is not None:
            with contextlib.suppress(IoFailedError):
                write_bytes_atomic(self._index_path(entry), data)

    def find_index(self, entry: PackEntry) -> PackIndex | None:
        """Return a pack's index if it is kept, and whole."""
        if self._folder is None:
            return None
        with contextlib.suppress(IndexDamagedError, IoFailedError):
            size = entry.size - entry.index_bytes
            index = PackIndex.open(
                self._index_path(entry), pack_hash=entry.pack_hash, pack_size=size
            )
            if index is not None and len(index) == entry.objects and index.is_whole():
                return index
        return None

    def tidy(self, entries: Iterable[PackEntry]) -> None:
        """Drop the indexes of packs that are neither in this list nor pending."""
        if self._folder is None:
            return
        kept = {self._index_path(entry).name for entry in (*entries, *self.pending)}
        with contextlib.suppress(IoFailedError, OSError):
            for name in os.listdir(self._folder):
                if name.endswith(".idx") and name not in kept:
                    remove_file(self._folder / name)

    def _index_path(self, entry: PackEntry) -> Path:
        assert self._folder is not None
        return self._folder / f"{entry.name[:64]}.idx"
