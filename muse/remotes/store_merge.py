"""Many small packs become few: by every 32nd push, so that readers need few requests.

Packs are merged as gc merges those of a repository: a pack stays as long as it is twice as big as
all smaller ones together, so each byte is copied a logarithmic number of times. Which push does it
is told by the document's serial; nobody has to agree with anybody. Killed at any step, it leaves a
pack that nothing lists, which a gc removes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from muse.core.errors import MuseError
from muse.core.types import RawId
from muse.remotes.background import Lane
from muse.remotes.bucket import Bucket, Version
from muse.remotes.protocol import ObjectRecord
from muse.remotes.store_document import RETIRED, Document, PackEntry, new_mark
from muse.remotes.store_pack import PackDraft, SealedPack
from muse.remotes.store_reader import StoreReader
from muse.remotes.store_update import write_document
from muse.remotes.vetting import WRONG_HASH, Vetting

# A merge is due with so many packs, and then again after so many writes.
_EVERY: Final = 32
_MANY: Final = 32
_FACTOR: Final = 2
# Packs of this size are left alone: a reader gains nothing from larger ones.
BIG_BYTES: Final = 256 << 20


class GoneError(Exception):
    """Somebody else has merged these packs."""


def is_due(document: Document) -> bool:
    """Tell whether the push that wrote this document is the one that merges."""
    return document.serial % _EVERY == 0 and len(document.packs) >= _MANY


def choose_small(entries: Sequence[PackEntry]) -> list[PackEntry]:
    """Choose the packs to be melted into one; empty when that would gain nothing."""
    rest = sorted((e for e in entries if e.size < BIG_BYTES), key=lambda e: (e.size, e.name))
    below = sum(entry.size for entry in rest)
    while rest:
        below -= rest[-1].size
        if rest[-1].size < _FACTOR * below:
            break
        rest.pop()
    chosen: list[PackEntry] = []
    total = 0
    for entry in rest:
        # What becomes of them must not be larger than what is left alone.
        if total + entry.size > BIG_BYTES:
            break
        chosen.append(entry)
        total += entry.size
    return chosen if len(chosen) > 1 else []


def merge_packs(
    bucket: Bucket, reader: StoreReader, seen: tuple[Document, Version | None] | None
) -> tuple[Document, Version] | None:
    """Merge small packs after a push; that it fails does not matter, and is not told.

    Returns:
        The document that was written; None when nothing was.
    """
    if seen is None:
        return None
    chosen = choose_small(seen[0].packs)
    if not chosen:
        return None
    names = {entry.name for entry in chosen}

    with contextlib.suppress(MuseError, GoneError):
        sealed = copy_packs(bucket, reader, chosen)
        # No pack is empty.
        assert sealed is not None
        new = [sealed.entry]
        try:
            retire(bucket, names)
            return write_document(bucket, seen, lambda now: swap_packs(now, names, new))
        finally:
            sealed.close()
    return None


def swap_packs(document: Document, old: Collection[str], new: Sequence[PackEntry]) -> Document:
    """Return the document with packs replaced.

    Args:
        document: As it is now.
        old: Names of the packs that are replaced.
        new: What holds their objects.

    Raises:
        GoneError: One of the old ones is not listed any more.
    """
    if set(old) - {entry.name for entry in document.packs}:
        raise GoneError
    packs = [entry for entry in document.packs if entry.name not in old]
    # Oldest first: what was merged is older than what came since.
    packs = [*new, *packs]
    return replace(document, packs=tuple(packs))


def retire(bucket: Bucket, names: Collection[str]) -> None:
    """Note that packs are about to be replaced, so that they stay a day for who reads them.

    Before the list is replaced: a note without its deed is harmless, the other way is not.
    """
    if names:
        data = "".join(f"{name}\n" for name in sorted(names)).encode()
        bucket.create(f"{RETIRED}{new_mark()}", [data], size=len(data))


def copy_packs(
    bucket: Bucket,
    reader: StoreReader,
    chosen: Sequence[PackEntry],
    *,
    keep: Collection[RawId] | None = None,
) -> SealedPack | None:
    """Write the objects of some packs into one new pack, each of them verified.

    Args:
        bucket: Where.
        reader: Reads them.
        chosen: The packs, which are in the reader's list.
        keep: Copy only these; None: all.

    Returns:
        What was uploaded, which the caller closes; None when there was nothing to keep.

    Raises:
        MuseError: One is damaged, or the store failed; nothing was changed.
    """
    lane = Lane(2)
    list(lane.map(reader.index, chosen))
    draft = PackDraft()
    try:
        for entry in chosen:
            ids = [raw for raw in reader.index(entry).ids() if keep is None or raw in keep]
            ids = [raw for raw in ids if raw not in draft]
            for record in reader.iter_pack(entry, ids):
                _add(draft, record, shown=bucket.shown)
        if not len(draft):
            draft.close()
            return None
        sealed = draft.seal()
    except BaseException:
        draft.close()
        raise
    try:
        bucket.create(sealed.entry.key, sealed.parts(), size=sealed.entry.size)
    except BaseException:
        sealed.close()
        raise
    return sealed


def _add(draft: PackDraft, record: ObjectRecord, *, shown: str) -> None:
    vet = Vetting(source=shown, count=1)
    vet.announce(record, known=False, taken=0)
    if record.stored is None:
        if not draft.add_stream(record.raw, record.kind, record.size, vet.bounded(record)):
            raise vet.bad(record, WRONG_HASH)
    else:
        draft.add_record(record, vet.payload(record))
