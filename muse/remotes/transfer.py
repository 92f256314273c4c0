"""The two directions of a transfer, over any medium: find what is missing, move that, report.

Progress is counted here, where records pass. A callback that raises cancels: the side that
receives publishes nothing more, and what it has already is not sent again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from muse.core.errors import (
    BadTransferError,
    MuseError,
    ObjectNotFoundError,
    UnsafeNameError,
)
from muse.core.object_store import ObjectStore
from muse.core.paths import show_text
from muse.core.refs import HEADS, TAGS, check_ref_name
from muse.core.repo import Repository
from muse.core.trees import EMPTY_TREE
from muse.core.types import RawId, is_object_id
from muse.remotes.intake import Arrivals, take_all
from muse.remotes.offers import check_left_out, only_offered
from muse.remotes.protocol import (
    ASK_BATCH,
    MAX_REF_NAME,
    MAX_REFS,
    MAX_SHALLOW,
    ObjectRecord,
    Offer,
    Phase,
    Publishes,
    RefListing,
    RefUpdate,
    Remote,
    TransferCallback,
    TransferProgress,
)
from muse.remotes.records import find_whole, iter_records, keep_young
from muse.remotes.walk import Found, NewObjects

# Reports while counting come every so many objects; while sending, with each.
_COUNT_STEP: Final = 256
# Up to here nobody is asked what has arrived before: the answer would take longer.
_LITTLE: Final = 64
_LITTLE_BYTES: Final = 256 << 10


class Transfer(NamedTuple):
    """What a transfer did.

    Args:
        objects: Objects that travelled.
        size_bytes: Bytes of payload in them.
        needed: Objects that the receiving side needed in all.
        arrivals: What came here; empty when sending.
    """

    objects: int
    size_bytes: int
    needed: int
    arrivals: Arrivals

    @property
    def present(self) -> int:
        """How many of the needed objects were there already, from a transfer that was killed."""
        return self.needed - self.objects


def no_transfer(*, needed: int = 0) -> Transfer:
    """Return what is said where nothing travelled."""
    return Transfer(0, 0, needed, Arrivals())


class GapThereError(Exception):
    """The other side lacks what it was thought to have; no ref moved there.

    Args:
        error: What it said.
    """

    def __init__(self, error: ObjectNotFoundError) -> None:
        super().__init__(str(error))
        self.error = error


def publish_missing(
    store: ObjectStore,
    remote: Remote,
    *,
    tips: Sequence[RawId],
    known: Sequence[RawId],
    known_ends: Collection[RawId] = (),
    updates: Sequence[RefUpdate],
    version: str,
    progress: TransferCallback | None = None,
) -> Transfer:
    """Send a remote everything that some tips need, apart from what it has, and move its refs.

    Args:
        store: Our objects.
        remote: Who gets them.
        tips: What its refs shall name.
        known: What it has for sure, with all that this needs.
        known_ends: Where its history ends.
        updates: The moves.
        version: The version of the listing that they are based on.
        progress: Told of each step; may raise to cancel.

    Raises:
        GapThereError: ``known`` was wrong; nothing moved.
        ObjectNotFoundError: Our own history has a gap.
        CorruptObjectError: One of our objects is damaged; names it.
        RefChangedError: A ref there is not what ``updates`` say; nothing moved.
        RemoteError: The other side failed.
    """
    walk = NewObjects(store, tips, known, ends=store.boundary.read(), known_ends=known_ends)
    ids = [found.raw for found in _counted(walk, progress)]
    check_left_out(store, remote, walk.shallow)
    present: Collection[RawId] = ()
    if not _is_little(store, ids):
        present = remote.find_present(ids)
    missing = [raw for raw in ids if raw not in present] if present else ids
    if not missing:
        with _gap_there():
            remote.update_refs(updates, version=version)
        return no_transfer(needed=len(ids))
    own = _OwnRecords(_metered(iter_records(store, missing), "send", len(missing), progress))
    if isinstance(remote, Publishes):
        with _gap_there(own):
            received = remote.publish(own, count=len(missing), updates=updates, version=version)
    else:
        received = remote.receive(own, count=len(missing))
        with _gap_there():
            remote.update_refs(updates, version=version)
    return Transfer(received.objects, received.size_bytes, len(ids), Arrivals())


def _is_little(store: ObjectStore, ids: Sequence[RawId]) -> bool:
    """Tell whether sending everything costs less than asking what is there already."""
    if len(ids) > _LITTLE:
        return False
    left = _LITTLE_BYTES
    for raw in ids:
        left -= 0 if raw == EMPTY_TREE else store.stat(raw)[1]
        if left < 0:
            return False
    return True


class _OwnRecords:
    """Our records on their way out; knows whether it was our side that failed."""

    def __init__(self, records: Iterable[ObjectRecord]) -> None:
        self._records = records
        self.failed = False

    def __iter__(self) -> Iterator[ObjectRecord]:
        try:
            yield from self._records
        except MuseError:
            self.failed = True
            raise


@contextlib.contextmanager
def _gap_there(own: _OwnRecords | None = None) -> Iterator[None]:
    """Tell an object that is missing over there from one that is missing here."""
    try:
        yield
    except ObjectNotFoundError as error:
        if own is not None and own.failed:
            raise
        raise GapThereError(error) from error


def bring_offered(
    repo: Repository, remote: Remote, offer: Offer, *, progress: TransferCallback | None = None
) -> Transfer:
    """Bring what a remote offers, apart from what an earlier transfer brought.

    Args:
        repo: Where it goes; durable when this returns. No ref moves.
        remote: Who sends.
        offer: What it would send.
        progress: Told of each step; may raise to cancel.

    Raises:
        BadTransferError: Something that came is damaged or hostile.
        RemoteError: The other side failed.
    """
    if not offer.ids:
        return no_transfer()
    present: set[RawId] = set()
    for start in range(0, len(offer.ids), ASK_BATCH):
        present |= find_whole(repo.objects, offer.ids[start : start + ASK_BATCH])
    keep_young(repo.objects, present)
    count = len(offer.ids) - len(present)
    if not count:
        return no_transfer(needed=len(offer.ids))
    missing = {raw for raw in offer.ids if raw not in present}
    sent = only_offered(remote.send(offer, skip=present), missing, source=remote.url)
    records = _metered(sent, "receive", count, progress)
    received, arrivals = take_all(repo, records, source=remote.url, count=count)
    return Transfer(received.objects, received.size_bytes, len(offer.ids), arrivals)


def check_listing(listing: RefListing, url: str) -> RefListing:
    """Return a remote's listing if its names and values are legal (G11).

    Raises:
        BadTransferError: One is not; names it.
    """
    if len(listing.refs) > MAX_REFS:
        raise BadTransferError(
            f"{len(listing.refs)} refs", source=url, reason=f"more than {MAX_REFS}"
        )
    names: set[str] = set()
    for ref in listing.refs:
        _check_name(ref.name, url)
        if ref.name in names:
            raise BadTransferError(ref.name, source=url, reason="it came twice")
        names.add(ref.name)
        for oid in (ref.oid, ref.peeled):
            if oid is not None and not is_object_id(oid):
                raise BadTransferError(ref.name, source=url, reason="its value is no object id")
    for name in names:
        parent = name.rpartition("/")[0]
        while parent.count("/") > 1:
            if parent in names:
                raise BadTransferError(
                    name, source=url, reason=f"it cannot stand beside '{show_text(parent)}'"
                )
            parent = parent.rpartition("/")[0]
    if len(listing.shallow) > MAX_SHALLOW or not all(map(is_object_id, listing.shallow)):
        raise BadTransferError(
            "where its history ends", source=url, reason="not a list of commits that could be true"
        )
    for head in (listing.head, listing.checked_out):
        if head is not None:
            _check_name(head, url)
    return listing


def _check_name(name: str, url: str) -> None:
    shown = show_text(name[:MAX_REF_NAME])
    try:
        check_ref_name(name)
    except UnsafeNameError as error:
        raise BadTransferError(
            f"'{shown}'", source=url, reason="no branch or tag may have that name"
        ) from error
    if not name.startswith((HEADS, TAGS)):
        raise BadTransferError(f"'{shown}'", source=url, reason="it is no branch and no tag")


def _counted(walk: Iterable[Found], progress: TransferCallback | None) -> Iterator[Found]:
    for count, found in enumerate(walk, 1):
        if progress is not None and count % _COUNT_STEP == 0:
            progress(TransferProgress("count", count))
        yield found


def _metered(
    records: Iterable[ObjectRecord], phase: Phase, total: int, progress: TransferCallback | None
) -> Iterator[ObjectRecord]:
    """Pass records on and report each; large ones chunk by chunk."""
    if progress is None:
        yield from records
        return
    meter = _Meter(phase, total, progress)
    meter.report()
    for record in records:
        if record.stored is None:
            yield record._replace(chunks=meter.chunks(record.chunks))
        else:
            yield record
            meter.size_bytes += record.size
        meter.objects += 1
        meter.report()


class Pulse:
    """Passes progress on, and repeats the last of it while a medium waits.

    A callback may cancel by raising: so it is asked while nothing moves as well.
    """

    def __init__(self, progress: TransferCallback) -> None:
        self._progress = progress
        self._last = TransferProgress("connect", 0)

    def __call__(self, progress: TransferProgress) -> None:
        """Take note of progress."""
        self._last = progress
        self._progress(progress)

    def beat(self) -> None:
        """Report what was reported last."""
        self._progress(self._last)


class _Meter:
    def __init__(self, phase: Phase, total: int, progress: TransferCallback) -> None:
        self._phase: Phase = phase
        self._total, self._progress = total, progress
        self.objects = self.size_bytes = 0

    def report(self) -> None:
        self._progress(TransferProgress(self._phase, self.objects, self._total, self.size_bytes))

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            self.size_bytes += len(chunk)
            self.report()
