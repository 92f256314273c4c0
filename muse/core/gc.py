"""Packs what is loose, melts packs together, and drops what nothing refers to any more.

The order is what makes it safe to kill anywhere::

    look     what is there, what can be reached, what is young        no lock; nothing is written
    pack     one new pack, durable, and read back to its last byte    no lock; only adds
    remove   the write lock; the journal is replayed and retired;     each file only after a last
             the roots are read once more                             look at what makes it spare

INVARIANT: a loose file goes only when a copy in a pack has been read back and hashed, or when
nothing reaches it and it is older than the expiry; an old pack goes only when that holds for every
object in it. A damaged copy is not evidence of anything: it goes only when a whole one is packed.

INVARIANT: nothing is dropped while anything is unknown: a ref, stage or log that cannot be read,
or a commit or tree that is missing, may stand before the only way to an object.

Readers beside it need no lock: they look at loose objects, then at packs, then at the packs anew.
What an unreachable but young object refers to is kept as well: its writer may be about to publish.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from muse.core import journal, temps
from muse.core.errors import MuseError
from muse.core.file_lock import lock_file
from muse.core.io import move_file, remove_file, sync_dir
from muse.core.lock import WAIT_S, WriteLock
from muse.core.object_store import ObjectStore
from muse.core.pack import Pack
from muse.core.pack_format import index_path
from muse.core.paths import pack_dir
from muse.core.reach import Reach
from muse.core.repack import DamagedCopy, Repack, Repacked, choose_packs, is_whole_in
from muse.core.roots import read_roots
from muse.core.types import ObjectType, Progress, RawId, from_raw

DEFAULT_EXPIRY_S: Final = 14 * 24 * 3600.0
DEFAULT_LEVEL: Final = 3
# A pack is rewritten for the garbage in it when it is small, or when more than 1 in so many of its
# objects is garbage; a large one with a little waits until there is more.
_WORTH: Final = 16
_SMALL_PACK: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class GcOptions:
    """What to do.

    Attributes:
        expire_before_s: Unix time: unreachable objects last written before it are dropped.
        everything: Melt all packs into one, whatever their sizes.
        dry_run: Only say what would be done.
        level: The zstd level for what is packed.
        logs_since_s: Unix time: entries of reflogs and the operation log before it protect nothing;
            None: all of them do.
        wait_s: How long to wait for the write lock.
    """

    expire_before_s: float
    everything: bool = False
    dry_run: bool = False
    level: int = DEFAULT_LEVEL
    logs_since_s: float | None = None
    wait_s: float = WAIT_S


@dataclass(frozen=True, slots=True)
class GcResult:
    """What was done, or would be.

    Attributes:
        dry_run: Whether it is only what would be.
        packed: Loose objects that are in a pack now and loose no more.
        melted: Packs that went into a new one.
        dropped: Unreachable objects that are gone.
        kept: Unreachable objects that stay, for they, or what refers to them, are young.
        damaged: Copies that could not be read, and stay as they are.
        loose_before: Loose objects that there were.
        loose_after: And are.
        packs_before: Packs that there were.
        packs_after: And are.
        bytes_before: Bytes of all objects, packs and indexes that there were.
        bytes_after: And are; the same as before on a dry run.
        kept_because: Why nothing was dropped; empty when that was not held back.
        expired: Entries of the trash that were too old to be kept.
    """

    dry_run: bool
    packed: int
    melted: int
    dropped: int
    kept: int
    damaged: tuple[DamagedCopy, ...]
    loose_before: int
    loose_after: int
    packs_before: int
    packs_after: int
    bytes_before: int
    bytes_after: int
    kept_because: str
    expired: int = 0


def collect(
    store: ObjectStore, options: GcOptions, *, progress: Progress | None = None
) -> GcResult:
    """Collect garbage; see the module for the order of things.

    Args:
        store: The repository's objects, its journal recovered.
        options: What to do.
        progress: Called with (objects done, objects in all).

    Raises:
        LockedError: Another command held the lock for too long; what was packed stays packed.
        StorageError: A new pack does not read back, or the system refused; nothing was removed.

    Durability:
        Killed anywhere: every object that was reachable is there and durable. Running it again
        goes on.

    See:
        G5, G7, G13.
    """
    return _Collection(store, options, progress).run()


class _Collection:
    def __init__(self, store: ObjectStore, options: GcOptions, progress: Progress | None) -> None:
        self._store, self._options, self._progress = store, options, progress
        self._done = self._total = 0
        self._reach = Reach(store)
        self._kept_because = ""

    def run(self) -> GcResult:
        store, options = self._store, self._options
        store.refresh()
        before = take_survey(store)
        self._walk()
        unreached = self._find_unreached(before)
        wanted = before.loose - unreached
        melting = self._choose(before, unreached)
        to_pack, spare = self._split_duplicates(wanted, melting)
        if options.dry_run:
            return self._foresee(before, unreached, wanted, melting)
        repacked = self._pack(to_pack, melting)
        if spare:
            # Their writer may not have come to it yet: a power cut must not take both copies.
            sync_dir(pack_dir(store.root))
        with WriteLock(store.root, command="gc", wait_s=options.wait_s):
            journal.recover(store)
            journal.checkpoint(store.root)
            # What was published while we packed is read by nobody but this second walk.
            self._walk()
            packed = self._remove_loose(wanted & (repacked.whole | spare))
            dropped, melted = self._remove_packs(melting, repacked)
            dropped += sum(map(self._drop_loose, before.loose & unreached))
            self._remove_lone_indexes()
        store.refresh()
        after = take_survey(store)
        return GcResult(
            dry_run=False,
            packed=packed,
            melted=melted,
            dropped=dropped,
            kept=max(0, len(unreached) - dropped),
            damaged=repacked.damaged,
            loose_before=len(before.loose),
            loose_after=len(after.loose),
            packs_before=len(before.packs),
            packs_after=len(after.packs),
            bytes_before=before.bytes,
            bytes_after=after.bytes,
            kept_because=self._kept_because,
        )

    def _tick(self) -> None:
        self._done += 1
        if self._progress is not None and not self._done % 256:
            self._progress(min(self._done, self._total), self._total)

    # -- what can be reached, and what is young ----------------------------------------------

    def _walk(self) -> None:
        """Follow all roots; called again under the lock, it goes on where it was."""
        roots = read_roots(self._store, logs_since_s=self._options.logs_since_s)
        reach, strict = self._reach, [root for root in roots.roots if not root.lesser]
        known = set(reach.gaps)
        reach.walk((root.raw, root.kind) for root in strict)
        gaps = reach.gaps.keys() - known
        gaps |= {root.raw for root in strict if root.raw in reach.gaps}
        reach.walk((root.raw, root.kind) for root in roots.roots if root.lesser)
        if roots.hidden is not None:
            self._kept_because = f"{roots.hidden.label} cannot be read: {roots.hidden.reason}"
        elif gaps:
            raw = min(gaps)
            self._kept_because = f"{from_raw(raw)} is needed, and {reach.gaps[raw].reason}"

    def _find_unreached(self, survey: Survey) -> set[RawId]:
        """Return what nothing reaches; what the young among it refer to counts as reached then."""
        unreached = {raw for raw in survey.loose if raw not in self._reach}
        young = {raw for raw in unreached if not self._is_old(self._store.loose_path(raw))}
        for pack in survey.packs:
            spare = {raw for raw in pack.ids() if raw not in self._reach}
            unreached |= spare
            if spare and not self._is_old(pack.path):
                young |= spare
        self._reach.walk(self._starts(young))
        return unreached

    def _starts(self, young: Iterable[RawId]) -> Iterator[tuple[RawId, ObjectType]]:
        for raw in young:
            # What is damaged leads nowhere.
            with contextlib.suppress(MuseError):
                yield raw, self._store.stat(raw)[0]

    def _is_old(self, path: str | Path) -> bool:
        """Tell whether a file was last written before the expiry; one that is gone is not."""
        try:
            return os.stat(path).st_mtime < self._options.expire_before_s
        except OSError:
            return False

    def _is_garbage(self, raw: RawId) -> bool:
        return not self._kept_because and raw not in self._reach

    # -- packing -----------------------------------------------------------------------------

    def _choose(self, survey: Survey, unreached: set[RawId]) -> list[Pack]:
        """Choose the packs to melt: never one whose age still protects something in it."""
        able, must = [], set()
        for pack in survey.packs:
            spare = sum(raw in unreached for raw in pack.ids())
            if spare and (self._kept_because or not self._is_old(pack.path)):
                continue
            able.append(pack)
            garbage = sum(self._is_garbage(raw) for raw in pack.ids()) if spare else 0
            much = garbage * _WORTH > len(pack) or pack.size_bytes <= _SMALL_PACK
            if self._options.everything or not pack.is_compressed() or (garbage and much):
                must.add(pack.path)
        loose_bytes = survey.loose_bytes if survey.loose - unreached else 0
        return choose_packs(able, loose_bytes=loose_bytes, must=must)

    def _split_duplicates(
        self, wanted: set[RawId], melting: Sequence[Pack]
    ) -> tuple[set[RawId], set[RawId]]:
        """Return what must be packed, and what a pack that stays holds already, whole."""
        staying = [pack for pack in self._store.packs() if pack not in melting]
        spare = {raw for raw in wanted if any(is_whole_in(pack, raw) for pack in staying)}
        return wanted - spare, spare

    def _pack(self, to_pack: set[RawId], melting: Sequence[Pack]) -> Repacked:
        self._total = len(to_pack) + sum(map(len, melting))
        repack = Repack(self._store, level=self._options.level, tick=self._tick)
        return repack.run(self._in_order(to_pack, melting), melting)

    def _in_order(self, to_pack: set[RawId], melting: Sequence[Pack]) -> Iterator[RawId]:
        """Yield commits, then trees, as they are walked, then blobs as they lie on disk."""
        reach = self._reach
        for kind in (reach.commits, reach.tags, reach.trees):
            for raw in kind:
                if raw in to_pack or any(pack.find(raw) is not None for pack in melting):
                    yield raw
        for pack in melting:
            yield from (raw for raw in pack.ids_by_place() if raw in reach.blobs)
        yield from sorted(raw for raw in to_pack if raw in reach.blobs)

    # -- removing, under the lock ------------------------------------------------------------

    def _remove_loose(self, packed: Iterable[RawId]) -> int:
        """Remove loose files whose copies in a pack have been read back."""
        return sum(remove_file(Path(self._store.loose_path(raw))) for raw in packed)

    def _remove_packs(self, melting: Sequence[Pack], repacked: Repacked) -> tuple[int, int]:
        """Remove packs of which everything is in the new one, or garbage; return both counts."""
        dropped = melted = 0
        for pack in melting:
            if pack.path == repacked.path:
                continue
            rest = [raw for raw in pack.ids() if raw not in repacked.whole]
            if rest and not self._is_old(pack.path):
                continue
            if not all(map(self._is_garbage, rest)):
                # A copy that could not be read may be all there is, and worth a rescue.
                continue
            # The pack first: an index alone is nothing, a pack alone gets its index rebuilt.
            if remove_file(pack.path):
                remove_file(index_path(pack.path))
                melted += 1
                dropped += len(rest)
        return dropped, melted

    def _drop_loose(self, raw: RawId) -> bool:
        """Remove one loose object that nothing reaches, unless somebody has just touched it."""
        path = Path(self._store.loose_path(raw))
        if not self._is_garbage(raw) or not self._is_old(path):
            return False
        # Aside first: a writer that finds this object, and counts on it, refreshes its time by
        # name. Before the move, we see that; after it, the writer finds nothing and writes anew.
        aside = path.with_name(temps.new_name(temps.OBJECT))
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            # Locked, so that a sweep beside us takes it for what it is: in use.
            lock_file(fd)
            move_file(path, aside)
            if os.fstat(fd).st_mtime >= self._options.expire_before_s and not path.exists():
                move_file(aside, path)
                return False
            remove_file(aside)
        finally:
            os.close(fd)
        return True

    def _remove_lone_indexes(self) -> None:
        """Remove what a collection left that was killed between a pack and its index."""
        folder = pack_dir(self._store.root)
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(folder):
                path = folder / name
                if path.suffix == ".idx" and not path.with_suffix(".mpack").exists():
                    remove_file(path)

    # -- dry run -----------------------------------------------------------------------------

    def _foresee(
        self, survey: Survey, unreached: set[RawId], wanted: set[RawId], melting: Sequence[Pack]
    ) -> GcResult:
        loose = survey.loose & unreached
        dropped = sum(self._is_garbage(raw) for raw in loose)
        dropped += sum(self._is_garbage(raw) for pack in melting for raw in pack.ids())
        gone = len(melting) + (0 if melting or wanted else 1)
        return GcResult(
            dry_run=True,
            packed=len(wanted),
            melted=len(melting),
            dropped=dropped,
            kept=max(0, len(unreached) - dropped),
            damaged=(),
            loose_before=len(survey.loose),
            loose_after=len(survey.loose) - len(wanted) - sum(map(self._is_garbage, loose)),
            packs_before=len(survey.packs),
            packs_after=len(survey.packs) + 1 - gone,
            bytes_before=survey.bytes,
            bytes_after=survey.bytes,
            kept_because=self._kept_because,
        )


class Survey(NamedTuple):
    """What is stored.

    Attributes:
        loose: Every loose object.
        loose_bytes: Their bytes.
        packs: Every pack.
        bytes: Bytes of loose objects, packs and indexes.
    """

    loose: set[RawId]
    loose_bytes: int
    packs: list[Pack]
    bytes: int


def take_survey(store: ObjectStore) -> Survey:
    """Look at what is stored, by names and sizes."""
    loose = set(store.iter_loose())
    loose_bytes = sum(_size(store.loose_path(raw)) for raw in loose)
    packs = store.packs()
    packed = sum(_size(pack.path) + _size(index_path(pack.path)) for pack in packs)
    return Survey(loose, loose_bytes, packs, loose_bytes + packed)


def _size(path: str | Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
