"""Object stores as a medium: a bucket, or a folder, with no server of ours and no lock.

See ``REMOTES.md`` for the layout, the order of writes and what they cost. In short: a push
uploads packs that nobody knows of, then replaces ``refs.json`` on the condition that it still is
what the push has read. That one write moves the refs and lists the packs; before it nothing has
happened, after it everything has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from muse.core.errors import (
    CorruptObjectError,
    MuseError,
    NoRepositoryThereError,
    ObjectNotFoundError,
)
from muse.core.refs import TAGS
from muse.core.repo import Repository
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.remotes.background import Lane
from muse.remotes.bucket import Bucket, Version
from muse.remotes.protocol import (
    ObjectRecord,
    Offer,
    Received,
    RefListing,
    RefUpdate,
    RemoteRef,
)
from muse.remotes.store_document import DOCUMENT, MAX_DOCUMENT, Document, PackEntry, parse_document
from muse.remotes.store_notes import Notes
from muse.remotes.store_pack import SealedPack, Upload
from muse.remotes.store_probe import check_conditions
from muse.remotes.store_reader import StoreReader, as_remote_error
from muse.remotes.store_update import Proof, RefMove, write_document
from muse.remotes.walk import NewObjects

if TYPE_CHECKING:
    from muse.remotes.store_gc import StoreGcResult

_T = TypeVar("_T")
_THIS_SIDE: Final = "This repository"
# Requests at a time for packs of a push that was killed.
_PARALLEL: Final = 4


class StoreRemote:
    """A repository in an object store, spoken to by the `Remote` protocol.

    Args:
        bucket: Where.
        create: A push makes the repository there if there is none; without this, that there is
            none is an error.
    """

    def __init__(self, bucket: Bucket, *, create: bool = False) -> None:
        self._bucket, self._create = bucket, create
        self._notes = Notes(None, bucket.fingerprint)
        self._reader = StoreReader(bucket, self._notes)
        self._seen: tuple[Document, Version | None] | None = None
        # Packs of this session and of killed ones before it, that no document lists yet.
        self._unlisted: dict[str, PackEntry] = {}
        self._looked = False

    @property
    def url(self) -> str:
        """Where it is, fit for showing."""
        return self._bucket.shown

    def use_local(self, repo: Repository, *, create: bool = False) -> None:
        """See `UsesLocal.use_local`."""
        self._create |= create
        notes = Notes(repo.muse / "cache" if not repo.readonly else None, self._bucket.fingerprint)
        notes.probed |= self._notes.probed
        self._notes = notes
        self._reader.use_notes(notes)
        self._reader.local = repo.objects
        if self._seen is not None:
            self._remember(self._seen[0])

    # -- looking ---------------------------------------------------------------------------

    def list_refs(self) -> RefListing:
        """See `Remote.list_refs`."""
        document, version = self._look()
        if version is not None:
            self._remember(document)
        refs = tuple(
            RemoteRef(name, oid, document.peeled.get(name) if name.startswith(TAGS) else None)
            for name, oid in sorted(document.refs.items())
        )
        mark = document.recent[-1] if document.recent else ""
        return RefListing(refs, document.head, None, mark)

    def _look(self) -> tuple[Document, Version | None]:
        found = self._bucket.get(DOCUMENT, limit=MAX_DOCUMENT)
        if found is not None:
            self._seen = (parse_document(found.data, shown=self.url), found.version)
        elif self._create:
            self._seen = (Document.new(), None)
        else:
            raise NoRepositoryThereError(
                f"There is no Muse repository at {self.url}.",
                found="nothing",
                hint=f"Check the address. The first 'muse push {self.url} <branch>' makes one.",
            )
        self._reader.set_packs(self._seen[0].packs)
        for entry in self._unlisted.values():
            self._reader.add_pack(entry, self._reader.index(entry))
        return self._seen

    def _remember(self, document: Document) -> None:
        self._notes.saw(document)
        self._notes.settle({entry.name for entry in document.packs})
        self._notes.save()
        self._notes.tidy(document.packs)

    def find_present(self, ids: Sequence[RawId]) -> Collection[RawId]:
        """See `Remote.find_present`.

        Without asking for it, the answer may leave out what packs hold whose index is not here:
        that costs sending it twice, and an index for each pack would cost more. Only when nothing
        is known of this store, as with a first push, all indexes are brought.
        """
        document, _ = self._seen or self._look()
        self._find_leftovers()
        found = {raw for raw in ids if self._is_listed(raw, document)}
        if len(found) < len(ids) and not (self._reader.local and self._notes.knows(document)):
            self._reader.load_indexes()
        return found | {raw for raw in ids if self._reader.find_known(raw) is not None}

    def _is_listed(self, raw: RawId, document: Document) -> bool:
        return self._notes.knows(document) and from_raw(raw) in self._notes.tips

    def _find_leftovers(self) -> None:
        """Look, once, which packs of killed pushes have arrived."""
        if self._looked:
            return
        self._looked = True
        pending = [entry for entry in self._notes.pending if entry.name not in self._unlisted]
        indexed = [(entry, self._notes.find_index(entry)) for entry in pending]
        lane = Lane(_PARALLEL)
        there = lane.map(lambda each: self._bucket.stat(each[0].key), indexed)
        gone = set()
        for (entry, index), found in zip(indexed, there, strict=True):
            if index is None or found is None or found.size != entry.size:
                gone.add(entry.name)
            else:
                self._unlisted[entry.name] = entry
                self._reader.add_pack(entry, index)
        if gone:
            self._notes.settle(gone)
            self._notes.save()

    # -- receiving -------------------------------------------------------------------------

    def receive(self, records: Iterable[ObjectRecord], *, count: int) -> Received:
        """See `Remote.receive`."""
        self._check_conditions()
        with Upload(
            self._bucket,
            source=_THIS_SIDE,
            count=count,
            intend=lambda pack: self._notes.intend(pack.entry, pack.index_bytes),
            arrived=self._arrived,
        ) as upload:
            return upload.take(records)

    def _arrived(self, pack: SealedPack) -> None:
        self._unlisted[pack.entry.name] = pack.entry
        self._reader.add_pack(pack.entry, pack.index)

    def _check_conditions(self) -> None:
        if not self._notes.probed:
            check_conditions(self._bucket)
            self._notes.probed = True
            self._notes.save()

    def update_refs(self, updates: Sequence[RefUpdate], *, version: str, log: str = "push") -> None:
        """See `Remote.update_refs`."""
        del log  # There is no reflog; what refs leave behind is kept for a while.
        self._check_conditions()
        seen = self._seen
        if seen is None or (seen[0].recent[-1:] or ("",))[0] != version:
            seen = self._look()
        move = RefMove(updates, shown=self.url)
        proof = Proof(
            self._reader,
            self._notes,
            self._unlisted,
            find_more=self._find_leftovers,
            shown=self.url,
        )

        move.check(seen[0])
        self._told(lambda: move.leave_behind(self._bucket, self._reader))

        def change(document: Document) -> Document:
            move.check(document)
            self._reader.set_packs(document.packs)
            for entry in self._unlisted.values():
                self._reader.add_pack(entry, self._reader.index(entry))
            packs = proof.check(document, move.tips)
            return move.apply(document.with_packs(packs), self._reader)

        written = self._told(
            lambda: write_document(self._bucket, seen, change), keep=ObjectNotFoundError
        )
        self._seen = written
        listed = {entry.name for entry in written[0].packs}
        for name in listed & self._unlisted.keys():
            del self._unlisted[name]
        self._forget_repeated(written[0])
        self._remember(written[0])
        self._merge_sometimes(written[0])

    def _forget_repeated(self, document: Document) -> None:
        """Forget packs of killed pushes whose objects have all come by another way since."""
        self._reader.set_packs(document.packs)
        repeated = set()
        for entry in self._notes.pending:
            index = self._notes.find_index(entry)
            if index is None or all(self._reader.find_known(raw) for raw in index.ids()):
                repeated.add(entry.name)
        self._notes.settle(repeated)

    def _merge_sometimes(self, document: Document) -> None:
        from muse.remotes.store_merge import is_due, merge_packs  # start-up time

        if is_due(document):
            seen = merge_packs(self._bucket, self._reader, self._seen)
            if seen is not None:
                self._seen = seen
                self._remember(seen[0])

    def collect(self, *, grace_s: float, dry_run: bool) -> StoreGcResult:
        """Remove what no ref needs, and make many packs few; see `StoreGc`.

        Raises:
            RemoteError: The store failed, or is incomplete; then nothing was removed.
        """
        from muse.remotes.store_gc import StoreGc  # start-up time

        if not dry_run:
            self._check_conditions()
        gc = StoreGc(self._bucket, self._reader, self._look, grace_s=grace_s, dry_run=dry_run)
        return self._told(gc.run)

    # -- sending ---------------------------------------------------------------------------

    def offer(
        self,
        wants: Sequence[ObjectId],
        haves: Sequence[ObjectId],
        *,
        depth: int | None = None,
        shallow: Sequence[ObjectId] = (),
    ) -> Offer:
        """See `Remote.offer`."""
        return self._told(lambda: self._offer(wants, haves, depth=depth, shallow=shallow))

    def _offer(
        self,
        wants: Sequence[ObjectId],
        haves: Sequence[ObjectId],
        *,
        depth: int | None,
        shallow: Sequence[ObjectId],
    ) -> Offer:
        if self._seen is None:
            self._look()
        if not haves and depth is None:
            # Everything is wanted, so it is fetched in large pieces.
            self._reader.load_fronts()
        walk = NewObjects(
            self._reader,
            map(to_raw, wants),
            map(to_raw, haves),
            known_ends=set(map(to_raw, shallow)),
            depth=depth,
        )
        return Offer([found.raw for found in walk], shallow=walk.shallow)

    def send(self, offer: Offer, *, skip: Collection[RawId] = ()) -> Iterator[ObjectRecord]:
        """See `Remote.send`."""
        records = self._reader.iter_records(raw for raw in offer.ids if raw not in skip)
        for record in self._watched(records):
            yield record._replace(chunks=self._watched(record.chunks))

    def close(self) -> None:
        """See `Remote.close`."""
        self._reader.close()

    # -- errors ----------------------------------------------------------------------------

    def _watched(self, items: Iterable[_T]) -> Iterator[_T]:
        try:
            yield from items
        except (CorruptObjectError, ObjectNotFoundError) as error:
            raise as_remote_error(error, shown=self.url) from error

    def _told(self, call: Callable[[], _T], *, keep: type[MuseError] | tuple[()] = ()) -> _T:
        try:
            return call()
        except (CorruptObjectError, ObjectNotFoundError) as error:
            if isinstance(error, keep):
                raise
            raise as_remote_error(error, shown=self.url) from error
