"""The sending side of a transfer: objects as they lie in a store, ready to travel.

A record from a pack travels as it is stored, so nothing is compressed again. Each is verified
before it leaves: damage is found where it is, and named with the file that holds it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from muse.core.errors import CorruptObjectError, ObjectNotFoundError
from muse.core.object_store import ObjectStore
from muse.core.pack_format import HASH_SIZE, RECORD_SIZE, Record, RecordError, parse_record
from muse.core.plain_files import open_plain
from muse.core.stored_ids import StoredIds
from muse.core.trees import EMPTY_TREE
from muse.core.types import RawId
from muse.remotes.protocol import CHUNK_BYTES, ObjectRecord

if TYPE_CHECKING:
    from muse.core.pack import Pack

# From so many objects on, packs are read from end to end.
_BULK: Final = 256
_WINDOW: Final = 4 << 20


def iter_records(store: ObjectStore, ids: Sequence[RawId]) -> Iterator[ObjectRecord]:
    """Yield the record of each object, in any order; large ones come as chunks.

    Raises:
        ObjectNotFoundError: One is not stored.
        CorruptObjectError: One is damaged; for one that is sent in chunks, while they are read.
    """
    packs = store.packs()
    done: set[RawId] = set()
    for pack in packs if len(ids) >= _BULK else ():
        # Reading in the order of the file beats searching as soon as a good part is wanted.
        if (len(ids) - len(done)) * 8 >= len(pack):
            for record in iter_pack(pack, set(ids) - done):
                yield record
                done.add(record.raw)
    for raw in ids:
        if raw in done:
            continue
        packed = None
        # Damage in one pack is no obstacle: the store looks for another copy.
        with contextlib.suppress(CorruptObjectError):
            packed = _read_packed(packs, raw)
        yield packed or _read_any(store, raw)


def iter_pack(pack: Pack, wanted: Collection[RawId]) -> Iterator[ObjectRecord]:
    """Yield the records of those wanted objects that are in a pack, small and whole.

    One pass through the file in large reads. What is large, damaged or not here is left out.
    """
    places = sorted((offset, raw) for raw, offset in pack.offsets() if raw in wanted)
    try:
        file = open(pack.path, "rb", buffering=0, opener=open_plain)  # noqa: SIM115  # closed below
    except OSError:
        # A repack took it away a moment ago: its objects are elsewhere.
        return
    with file:
        window, start = b"", 0
        for offset, raw in places:
            at = offset - start
            record = _parse(window, at, offset, pack)
            if record is None or at + RECORD_SIZE + record.stored > len(window):
                size = _WINDOW if record is None else max(_WINDOW, RECORD_SIZE + record.stored)
                window, start, at = os.pread(file.fileno(), size, offset), offset, 0
                record = _parse(window, at, offset, pack)
            if record is None or record.raw != raw or max(record[2:4]) > CHUNK_BYTES:
                continue
            begin = at + RECORD_SIZE
            data = window[begin : begin + record.stored]
            try:
                payload = pack.unwrap(record, data)
            except CorruptObjectError:
                continue
            yield ObjectRecord(raw, record.kind, record.size, data, record.compressed, (), payload)


def _parse(window: bytes, at: int, offset: int, pack: Pack) -> Record | None:
    try:
        room = pack.size_bytes - HASH_SIZE - offset
        return parse_record(window[at : at + RECORD_SIZE], room=room) if window else None
    except RecordError:
        return None


def _read_packed(packs: list[Pack], raw: RawId) -> ObjectRecord | None:
    for position, pack in enumerate(packs):
        head = pack.stat(raw)
        if head is None:
            continue
        found = pack.read_stored(raw) if head[1] <= CHUNK_BYTES else None
        if found is None:
            return None
        record, data = found
        pack.unwrap(record, data)
        if position:
            # What was written together is asked for together: the next one is likely here, too.
            packs.insert(0, packs.pop(position))
        return ObjectRecord(raw, record.kind, record.size, data, compressed=record.compressed)
    return None


def _read_any(store: ObjectStore, raw: RawId) -> ObjectRecord:
    try:
        kind, size = store.stat(raw)
        if size > CHUNK_BYTES:
            stream = store.open_stream(raw)
            return ObjectRecord(raw, stream.kind, stream.size, None, chunks=iter(stream))
        kind, payload = store.read(raw)
    except ObjectNotFoundError:
        # Known to everybody, so not everybody stores it.
        if raw != EMPTY_TREE:
            raise
        kind, payload = "tree", b""
    return ObjectRecord(raw, kind, len(payload), payload)


def find_whole(store: ObjectStore, ids: Sequence[RawId]) -> set[RawId]:
    """Return those of the ids that are stored with bytes that hash to them.

    Costs next to nothing for what is not there, and a read for what is.
    """
    stored = StoredIds(store)
    return {raw for raw in ids if raw in stored and store.is_whole(raw)}


def keep_young(store: ObjectStore, ids: Iterable[RawId]) -> None:
    """Renew the times of files that hold these objects, so that a prune beside us spares them."""
    packs = store.packs()
    touched = set()
    for raw in ids:
        touched.add(store.loose_path(raw))
        touched.update(str(pack.path) for pack in packs if pack.find(raw) is not None)
    for path in touched:
        with contextlib.suppress(OSError):
            os.utime(path)
