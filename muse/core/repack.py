"""Writing many objects, loose or packed, into one new pack, and proving that they are in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import CorruptObjectError, MissingObjectError, StorageError
from muse.core.object_store import ObjectStore, ObjectStream
from muse.core.pack import Pack, PackStream, PackWriter
from muse.core.scrub import Whole
from muse.core.scrub_pack import PackScrub
from muse.core.types import RawId, from_raw

# Objects beyond this pass through in pieces.
_BIG: Final = 1 << 20
# A pack stays as it is while it is at least so many times as big as all smaller ones together:
# each byte is then rewritten a logarithmic number of times, and few packs remain.
_FACTOR: Final = 2


class DamagedCopy(NamedTuple):
    """A copy of an object that could not be read, and therefore stays where it is.

    Attributes:
        raw: The object.
        file: The file that holds the copy.
        reason: What is wrong with it.
    """

    raw: RawId
    file: str
    reason: str


class Repacked(NamedTuple):
    """One new pack.

    Attributes:
        path: Its file; None when there was nothing to write.
        whole: What was read back from it and is whole.
        damaged: What could not be put into it.
    """

    path: Path | None
    whole: frozenset[RawId] | set[RawId]
    damaged: tuple[DamagedCopy, ...]


def choose_packs(packs: Sequence[Pack], *, loose_bytes: int, must: set[Path]) -> list[Pack]:
    """Choose the packs to be melted into one, so that few packs remain and little is copied.

    Args:
        packs: What may be chosen from.
        loose_bytes: Bytes of loose objects that go into the same new pack.
        must: Paths of packs that have a reason of their own to be rewritten.

    Returns:
        The smaller ones up to the first that is big enough to stay; empty when only a single
        pack would be copied for nothing.
    """
    melted = loose_bytes + sum(pack.size_bytes for pack in packs if pack.path in must)
    chosen = [pack for pack in packs if pack.path in must]
    rest = sorted((p for p in packs if p.path not in must), key=lambda p: (p.size_bytes, p.path))
    # From the largest down: the first that is too small for what lies below it goes, with that.
    below = melted + sum(pack.size_bytes for pack in rest)
    while rest:
        below -= rest[-1].size_bytes
        if rest[-1].size_bytes < _FACTOR * below:
            break
        rest.pop()
    chosen += rest
    if len(chosen) == 1 and not loose_bytes and not must:
        return []
    return chosen


class Repack:
    """Writes one new pack.

    Args:
        store: Where the objects are.
        level: The zstd level.
        tick: Called for each object.
    """

    def __init__(
        self, store: ObjectStore, *, level: int, tick: Callable[[], None] | None = None
    ) -> None:
        self._store, self._tick = store, tick
        self._writer = PackWriter(store.root, level=level)
        self._damaged: list[DamagedCopy] = []

    def run(self, ids: Iterable[RawId], sources: Sequence[Pack]) -> Repacked:
        """Write objects in the given order, and read the pack back.

        Args:
            ids: The objects.
            sources: Packs that are rewritten; their compressed records are copied as they are.

        Returns:
            What is now in the pack. An object without any whole copy is not, and is told of.

        Raises:
            StorageError: What was written does not read back; the pack is not used.

        Durability:
            Killed before it returns: at most one more whole pack. Nothing has been removed.
        """
        try:
            for raw in ids:
                self._add(raw, sources)
                if self._tick is not None:
                    self._tick()
            path = self._writer.finish()
        finally:
            self._writer.abandon()
        if path is None:
            return Repacked(None, frozenset(), tuple(self._damaged))
        return Repacked(path, read_back(path), tuple(self._damaged))

    def _add(self, raw: RawId, sources: Sequence[Pack]) -> None:
        try:
            if not self._copy_record(raw, sources):
                self._add_anew(raw)
        except CorruptObjectError as error:
            self._damaged.append(DamagedCopy(raw, error.where, error.reason))
        except MissingObjectError as error:
            self._damaged.append(DamagedCopy(raw, "", error.message))

    def _copy_record(self, raw: RawId, sources: Sequence[Pack]) -> bool:
        """Copy a record that is compressed, or that would not get smaller by it."""
        for pack in sources:
            try:
                known = pack.stat(raw)
                if known is None or known[1] > _BIG:
                    continue
                found = pack.read_stored(raw)
                if found is None:
                    continue
                payload = pack.unwrap(*found)
            except CorruptObjectError:
                # Another copy may be whole; if none is, that is found out below.
                continue
            if found[0].compressed:
                self._writer.add_stored(*found)
            else:
                self._writer.add_hashed(raw, found[0].kind, payload)
            return True
        return False

    def _add_anew(self, raw: RawId) -> None:
        kind, size = self._store.stat(raw)
        if size <= _BIG:
            self._writer.add_hashed(raw, *self._store.read(raw, expected=kind))
            return
        last: CorruptObjectError | None = None
        for open_stream in self._open_streams(raw):
            try:
                stream = open_stream()
                if stream is not None:
                    self._writer.add_stream(stream.kind, stream.size, iter(stream))
                    return
            except CorruptObjectError as error:
                last = error
        raise last or MissingObjectError(from_raw(raw))

    def _open_streams(self, raw: RawId) -> Iterator[Callable[[], ObjectStream | PackStream | None]]:
        """Yield a way to each copy: the store's choice first, then every pack's."""
        yield partial(self._store.open_stream, raw)
        for pack in self._store.packs():
            yield partial(pack.open_stream, raw)


def is_whole_in(pack: Pack, raw: RawId) -> bool:
    """Tell whether a pack has an object, and its bytes hash to its name."""
    try:
        stream = pack.open_stream(raw)
        if stream is None:
            return False
        for _ in stream:
            pass
    except CorruptObjectError:
        return False
    return True


def read_back(path: Path) -> set[RawId]:
    """Read a pack that was just written; return the ids of what is whole in it.

    Raises:
        StorageError: Anything in it is not.
    """
    whole = Whole()
    for fault in PackScrub(path, whole).run():
        raise StorageError(
            f"The new pack {path} does not read back: {fault.reason}.",
            hint="Nothing was removed. Check the disk; then delete that file and its .idx.",
        )
    return whole.blob | whole.tree | whole.commit | whole.tag
