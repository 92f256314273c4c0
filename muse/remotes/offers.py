"""An offer is a remote's word: what it may say, and that it sends what it said and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from muse.core.commits import decode_commit
from muse.core.errors import BadTransferError, RemoteError
from muse.core.object_store import ObjectStore
from muse.core.types import RAW_ID_SIZE, ObjectId, RawId, from_raw
from muse.remotes.protocol import (
    ASK_BATCH,
    MAX_OFFERED,
    MAX_SHALLOW,
    ObjectRecord,
    Offer,
    Remote,
)


def ask(
    remote: Remote,
    wants: Iterable[ObjectId],
    haves: Sequence[ObjectId],
    *,
    depth: int | None,
    shallow: Sequence[ObjectId],
) -> Offer:
    """Ask a remote what it would send, and refuse an answer that cannot be true.

    Args:
        remote: Whom.
        wants: As in `Remote.offer`, as are the others; the same twice is no harm.
        haves: What is here.
        depth: How far down to go.
        shallow: Where history here ends.

    Raises:
        BadTransferError: It names too much, the same twice, or what is no object.
    """
    offer = remote.offer(list(dict.fromkeys(wants)), haves, depth=depth, shallow=shallow)
    _check_offer(offer, remote.url)
    return offer


def _check_offer(offer: Offer, url: str) -> None:
    count = max(len(offer.ids) - MAX_OFFERED, len(offer.shallow) - MAX_SHALLOW)
    if count > 0:
        reason = f"that is {count} objects more than any history has"
        raise BadTransferError("an offer", source=url, reason=reason)
    if any(len(raw) != RAW_ID_SIZE for ids in (offer.ids, offer.shallow) for raw in ids):
        raise BadTransferError("an offer", source=url, reason="it names what is no object id")
    if len(set(offer.ids)) != len(offer.ids):
        raise BadTransferError("an offer", source=url, reason="it names an object twice")


def only_offered(
    records: Iterable[ObjectRecord], wanted: set[RawId], *, source: str
) -> Iterator[ObjectRecord]:
    """Pass on what was offered and asked for, once each; refuse the rest unread.

    Args:
        records: What comes.
        wanted: What may come; each is taken out when it does.
        source: Who sends, for messages.
    """
    for record in records:
        if record.raw not in wanted:
            is_id = len(record.raw) == RAW_ID_SIZE
            name = from_raw(record.raw) if is_id else "an object without an id"
            reason = "it was not asked for, or came before"
            raise BadTransferError(name, source=source, reason=reason)
        wanted.discard(record.raw)
        yield record


def check_left_out(store: ObjectStore, remote: Remote, ends: Sequence[RawId]) -> None:
    """Refuse to send commits at which our history ends to a remote that lacks what is below.

    Raises:
        RemoteError: It does; nothing was sent.
    """
    below = {
        parent: end
        for end in ends
        for parent in decode_commit(end, store.read(end, expected="commit")[1]).parents
    }
    asked = list(below)
    for start in range(0, len(asked), ASK_BATCH):
        batch = asked[start : start + ASK_BATCH]
        there = remote.find_present(batch)
        for parent in batch:
            if parent not in there:
                raise RemoteError(
                    f"{remote.url} lacks {from_raw(parent)}, which {from_raw(below[parent])} is "
                    "built on, and which is left out here.",
                    hint="The history here is cut off: 'muse fetch --unshallow <remote>' brings "
                    "the rest from where it was cloned; then push again.",
                )
