"""Garbage in a store: what no ref needs goes, after a grace by the store's own clock.

Pushes go on beside it. Objects leave the *list* of packs first, in one conditional write that
counts up ``drops``, so that a push which counted on them fails its comparison and proves again;
files are deleted afterwards, and only those that have been unlisted for longer than any push takes.

============================  =====================================================
killed                        what is left
============================  =====================================================
copying packs                 a pack that nothing lists; the next gc removes it
before the list is replaced   the same
after it                      old packs, noted as retired; a gc a day later deletes them
while deleting                the rest of them, likewise
============================  =====================================================
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from muse.core.errors import ObjectNotFoundError, RemoteError
from muse.core.types import RawId, is_object_id, to_raw
from muse.remotes.bucket import Bucket, Listed
from muse.remotes.store_document import PACKS, PAST, RETIRED, Document, PackEntry, new_mark
from muse.remotes.store_merge import (
    BIG_BYTES,
    GoneError,
    choose_small,
    copy_packs,
    retire,
    swap_packs,
)
from muse.remotes.store_probe import PROBES
from muse.remotes.store_reader import StoreReader
from muse.remotes.store_update import Seen, write_document
from muse.remotes.walk import NewObjects

DEFAULT_GRACE_S: Final = 14 * 24 * 3600
# Longer than a push counts on packs that it has uploaded (see `store_notes.PENDING_S`).
MIN_GRACE_S: Final = 24 * 3600
# Packs whose objects are all elsewhere are kept for readers that still have the old list.
_RETIRED_S: Final = 24 * 3600
# A pack is rewritten when so much of it is garbage.
_WORTH: Final = 0.1
_TRIES: Final = 5
_MAX_NOTE: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class StoreGcResult:
    """What a gc of a store did, or would do.

    Attributes:
        packs_before: Listed packs before.
        packs_after: Listed packs after.
        bytes_before: Bytes in them before.
        bytes_after: Bytes in them after.
        dropped: Objects that are listed no more.
        deleted: Files that were deleted: retired packs, and packs that never were listed.
        deleted_bytes: Bytes in them.
        waiting: Files that are to be deleted when their grace is over.
        dry_run: Whether nothing was changed.
    """

    packs_before: int
    packs_after: int
    bytes_before: int
    bytes_after: int
    dropped: int
    deleted: int
    deleted_bytes: int
    waiting: int
    dry_run: bool


class _ChangedError(Exception):
    """A push needs what was about to be dropped, or somebody else has merged packs."""


class StoreGc:
    """One collection.

    Args:
        bucket: Where.
        reader: Reads objects, ours first.
        look: Reads the document anew, and lets the reader know its packs.
        grace_s: How long what no ref names is kept.
        dry_run: Only say what would be done (one small object is written and removed to ask the
            store for its time).
    """

    def __init__(
        self,
        bucket: Bucket,
        reader: StoreReader,
        look: Callable[[], Seen],
        *,
        grace_s: float,
        dry_run: bool,
    ) -> None:
        self._bucket, self._reader, self._look = bucket, reader, look
        self._grace_s, self._dry_run = grace_s, dry_run
        self._now_s = 0

    def run(self) -> StoreGcResult:
        """Collect.

        Raises:
            RemoteError: The store failed, or is incomplete: then nothing was removed.
        """
        self._now_s = self._ask_time()
        for _ in range(_TRIES):
            with contextlib.suppress(_ChangedError, GoneError):
                return self._run()
        raise RemoteError(
            f"{self._bucket.shown}: pushes came faster than garbage could be collected.",
            hint="Nothing was removed. Run the same command again at a quieter time.",
        )

    def _ask_time(self) -> int:
        """Return the store's time: ours may be wrong, and theirs is what files are dated by."""
        name = f"{PROBES}{new_mark()}"
        self._bucket.create(name, [b"?"], size=1)
        found = self._bucket.stat(name)
        with contextlib.suppress(RemoteError):
            self._bucket.remove([name])
        if found is None:
            raise RemoteError(f"{self._bucket.shown} does not show what was just written.")
        return int(found.mtime_s)

    def _run(self) -> StoreGcResult:
        # Files before the document: one that is listed by then was not missed. Notes after it: a
        # ref that has left something behind by then has noted it before.
        files = list(self._bucket.list(PACKS))
        document, version = self._look()
        notes = self._read_notes()
        keep, roots = self._reachable(document, notes.past)
        plan = _Plan(document.packs, self._reader, keep)
        after = tuple(entry for entry in document.packs if entry.name not in plan.replaced)
        if plan.replaced and not self._dry_run:
            after = self._replace((document, version), plan, keep=keep, roots=roots).packs
        listed = {entry.name for entry in (*document.packs, *after)}
        doomed, waiting = self._doomed(files, notes, listed)
        if not self._dry_run:
            # Packs first: a note that is gone would not date them any more.
            self._bucket.remove([each.name for each in doomed])
            self._bucket.remove(notes.expired)
        waiting += len(plan.replaced)
        return StoreGcResult(
            len(document.packs),
            len(after) + (len(plan.groups) if self._dry_run else 0),
            sum(entry.size for entry in document.packs),
            sum(entry.size for entry in after),
            len(plan.dropped),
            len(doomed),
            sum(each.size for each in doomed),
            waiting,
            self._dry_run,
        )

    # -- what is needed --------------------------------------------------------------------

    def _read_notes(self) -> _Notes:
        """Read what refs have left behind, and which packs were replaced, each with its age."""
        notes = _Notes()
        for each in self._bucket.list(PAST):
            if self._is_over(each, self._grace_s):
                notes.expired.append(each.name)
            else:
                notes.past += [line for line in self._lines(each) if is_object_id(line)]
        for each in self._bucket.list(RETIRED):
            over = self._is_over(each, min(_RETIRED_S, self._grace_s))
            notes.retired.update(dict.fromkeys(self._lines(each), over))
            if over:
                notes.expired.append(each.name)
        for each in self._bucket.list(PROBES):
            if self._is_over(each, min(_RETIRED_S, self._grace_s)):
                notes.expired.append(each.name)
        return notes

    def _is_over(self, file: Listed, grace_s: float) -> bool:
        return self._now_s - file.mtime_s >= grace_s

    def _lines(self, file: Listed) -> list[str]:
        found = self._bucket.get(file.name, limit=_MAX_NOTE)
        return found.data.decode(errors="replace").split() if found is not None else []

    def _reachable(self, document: Document, past: Sequence[str]) -> tuple[set[RawId], list[RawId]]:
        self._reader.load_indexes()
        roots = [to_raw(oid) for oid in document.refs.values()]
        found = {each.raw for each in NewObjects(self._reader, roots)}
        for oid in dict.fromkeys(past):
            # What was left behind may be incomplete already; it is no reason to stop.
            with contextlib.suppress(ObjectNotFoundError):
                found.update(each.raw for each in NewObjects(self._reader, [to_raw(oid)], roots))
                roots.append(to_raw(oid))
        return found, roots

    # -- packs -----------------------------------------------------------------------------

    def _replace(
        self, seen: Seen, plan: _Plan, *, keep: Collection[RawId], roots: list[RawId]
    ) -> Document:
        """Write the new packs, then the list that holds them in place of the old ones."""
        document = seen[0]
        made = []
        for group in plan.groups:
            pack = copy_packs(self._bucket, self._reader, group, keep=keep)
            if pack is not None:
                made.append(pack.entry)
                pack.close()
        retire(self._bucket, plan.replaced)

        def change(now: Document) -> Document:
            self._check_pushes(document, now, plan.dropped, roots)
            new = swap_packs(now, plan.replaced, made)
            return replace(new, drops=new.drops + bool(plan.dropped))

        return write_document(self._bucket, seen, change)[0]

    def _check_pushes(
        self, then: Document, now: Document, dropped: set[RawId], roots: Iterable[RawId]
    ) -> None:
        """Make sure that no push that came meanwhile needs what is about to be dropped."""
        if now is then or not dropped:
            return
        if now.drops != then.drops:
            raise _ChangedError
        self._reader.set_packs([*then.packs, *now.packs])
        new = {*now.refs.values()} - {*then.refs.values()}
        if any(o.raw in dropped for o in NewObjects(self._reader, map(to_raw, new), roots)):
            raise _ChangedError

    # -- files -----------------------------------------------------------------------------

    def _doomed(
        self, files: Sequence[Listed], notes: _Notes, listed: Collection[str]
    ) -> tuple[list[Listed], int]:
        """Return which packs are deleted now, and how many are to be deleted later.

        One that never was listed goes by its own age; one that was, by when it was replaced.
        """
        doomed, waiting = [], 0
        for each in files:
            name = each.name.removeprefix(PACKS)
            if name in listed:
                continue
            if notes.retired.get(name, self._is_over(each, self._grace_s)):
                doomed.append(each)
            else:
                waiting += 1
        return doomed, waiting


@dataclass(slots=True)
class _Notes:
    """What lies beside the document, for gc alone.

    Attributes:
        past: Ids that refs named before, and that are still kept.
        retired: Packs that were replaced, and whether long enough ago.
        expired: Notes that have served.
    """

    past: list[str] = field(default_factory=list)
    retired: dict[str, bool] = field(default_factory=dict)
    expired: list[str] = field(default_factory=list)


class _Plan:
    """Which packs are rewritten, and which objects are dropped by that.

    Attributes:
        groups: The packs that become one each.
        replaced: Names of all packs that leave the list.
        dropped: Objects that no listed pack has afterwards.
    """

    def __init__(
        self, entries: Sequence[PackEntry], reader: StoreReader, keep: Collection[RawId]
    ) -> None:
        dead, dirty = [], []
        for entry in entries:
            garbage = sum(raw not in keep for raw in reader.index(entry).ids())
            if garbage == entry.objects:
                dead.append(entry)
            elif garbage and garbage >= _WORTH * entry.objects:
                dirty.append(entry)
        taken = {*dead, *dirty}
        small = choose_small([entry for entry in entries if entry not in taken])
        self.groups = _in_groups([*dirty, *small])
        self.replaced = {entry.name for entry in (*dead, *dirty, *small)}
        gone = [entry for entry in entries if entry.name in self.replaced]
        left = [reader.index(entry) for entry in entries if entry.name not in self.replaced]
        self.dropped = {
            raw
            for entry in gone
            for raw in reader.index(entry).ids()
            if raw not in keep and not any(index.find(raw) is not None for index in left)
        }


def _in_groups(entries: Iterable[PackEntry]) -> list[list[PackEntry]]:
    groups: list[list[PackEntry]] = []
    room = 0
    for entry in sorted(entries, key=lambda e: (e.size, e.name)):
        if not groups or room < entry.size:
            groups.append([])
            room = BIG_BYTES
        groups[-1].append(entry)
        room -= entry.size
    return groups
