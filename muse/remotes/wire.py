"""A `Remote` at the other end of a stream of bytes; what carries the bytes, it does not know.

Latency is what a wire costs, so a question waits for its answer only when the next one depends on
it: the greeting travels with the first question, questions about many ids follow one another, a
small push is objects and refs in one exchange, and a small fetch brings its objects with the offer.

Memory is bounded: records stream, answers have limits, and what the other side sends beyond them
ends the conversation. So does every exception of the caller, at once: the next command resumes.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

from muse.core.commits import Signature
from muse.core.errors import ConnectionLostError, MuseError, RemoteError
from muse.core.paths import show_text
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.remotes.protocol import (
    ASK_BATCH,
    MAX_REF_NAME,
    MAX_REFS,
    MAX_SHALLOW,
    ObjectRecord,
    Offer,
    Received,
    RefListing,
    RefUpdate,
    RemoteRef,
)
from muse.remotes.wire_errors import decode_error
from muse.remotes.wire_fields import (
    REFS_PAGE,
    iter_pages,
    pack_bits,
    pack_person,
    pack_update,
    take_bits,
    take_bool,
    take_fields,
    take_int,
    take_list,
    take_page,
    take_ref,
    take_text,
)
from muse.remotes.wire_frames import Channel, Message, WireError
from muse.remotes.wire_protocol import (
    BITS_PAGE,
    EAGER_BYTES,
    MAX_OFFER,
    OURS,
    Versions,
    version_error,
)
from muse.remotes.wire_records import RecordReader, RecordWriter

# Questions that are under way at once.
_WINDOW: Final = 16


class Carrier(Protocol):
    """What brings the bytes there and back, such as a running ssh."""

    @property
    def channel(self) -> Channel:
        """The bytes."""
        ...

    def explain(self, error: MuseError) -> MuseError:
        """Return what to tell the user when the connection ended, or was no conversation."""
        ...

    def close(self, *, at_once: bool) -> None:
        """Let it end, or make it end; may be called twice."""
        ...


class _Place(NamedTuple):
    """What `send` needs to know of an offer."""

    number: int
    records: tuple[ObjectRecord, ...] | None


class _RefusedError(Exception):
    """The other side answered with an error; the conversation can go on."""

    def __init__(self, error: MuseError) -> None:
        super().__init__(str(error))
        self.error = error


class WireRemote:
    """The client's end of the conversation that `muse.remotes.wire_protocol` describes.

    Args:
        carrier: What is connected to a `muse serve`.
        url: Where it is, fit for showing.
        identity: Says whose name the other side's reflogs get.
        versions: What is spoken here.
        advise: Gives an error that the other side reports a hint that fits this medium.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        url: str,
        identity: Callable[[], Signature] | None = None,
        versions: Versions = OURS,
        advise: Callable[[MuseError], MuseError] | None = None,
    ) -> None:
        self._advise = advise
        self._carrier, self._url, self._identity = carrier, url, identity
        self._channel = carrier.channel
        self._versions = versions
        self._is_greeted = self._is_closed = False
        # Not waited for: the answer to it comes before the answer to the first question.
        self._channel.send("hello", versions.first, versions.last, versions.program, url)

    @property
    def url(self) -> str:
        """Where it is, fit for showing."""
        return self._url

    def close(self) -> None:
        """See `Remote.close`."""
        if not self._is_closed:
            self._is_closed = True
            self._carrier.close(at_once=False)

    # -- looking ---------------------------------------------------------------------------

    def list_refs(self) -> RefListing:
        """See `Remote.list_refs`."""
        with self._exchange():
            self._channel.send("refs")
            refs: list[RemoteRef] = []
            shallow: list[ObjectId] = []
            while (message := self._hear())[0] in {"refs", "shallow"}:
                if message[0] == "refs":
                    page = take_list(take_fields(message, "refs", 1)[0], limit=REFS_PAGE)
                    refs += map(take_ref, page)
                else:
                    page = take_page(take_fields(message, "shallow", 1)[0])
                    shallow += map(from_raw, page)
                if len(refs) > MAX_REFS or len(shallow) > MAX_SHALLOW:
                    raise WireError("a list of refs without end")
            names = take_fields(message, "listing", 3)
            head, checked_out = (
                None if name is None else take_text(name, limit=MAX_REF_NAME) for name in names[:2]
            )
            version = take_text(names[2], limit=MAX_REF_NAME)
            return RefListing(tuple(refs), head, checked_out, version, tuple(shallow))

    def find_present(self, ids: Sequence[RawId]) -> Collection[RawId]:
        """See `Remote.find_present`; takes any number of ids, for hardly more than one wait."""
        found: set[RawId] = set()
        asked: deque[Sequence[RawId]] = deque()
        with self._exchange():
            try:
                for start in range(0, len(ids), ASK_BATCH):
                    batch = ids[start : start + ASK_BATCH]
                    self._channel.send("present", b"".join(batch))
                    asked.append(batch)
                    if len(asked) == _WINDOW:
                        found |= self._take_present(asked.popleft())
                while asked:
                    found |= self._take_present(asked.popleft())
            except _RefusedError:
                # Answers to later questions are on their way: nobody would know whose they are.
                if asked:
                    self._abort()
                raise
        return found

    def _take_present(self, ids: Sequence[RawId]) -> set[RawId]:
        bits = take_bits(take_fields(self._hear(), "present", 1)[0], len(ids))
        return {raw for raw, bit in zip(ids, bits, strict=True) if bit}

    # -- receiving -------------------------------------------------------------------------

    def receive(self, records: Iterable[ObjectRecord], *, count: int) -> Received:
        """See `Remote.receive`."""
        with self._exchange():
            self._send_records(records, count=count, moves=None)
            return self._take_received()

    def update_refs(self, updates: Sequence[RefUpdate], *, version: str, log: str = "push") -> None:
        """See `Remote.update_refs`."""
        with self._exchange():
            self._send_updates(updates)
            self._channel.send("move", version, log, self._who())
            take_fields(self._hear(), "moved", 0)

    def publish(
        self,
        records: Iterable[ObjectRecord],
        *,
        count: int,
        updates: Sequence[RefUpdate],
        version: str,
    ) -> Received:
        """Do `receive` and then `update_refs` for one wait; see `Publishes`."""
        with self._exchange():
            self._send_updates(updates)
            moves: list[object] = [version, "push", self._who()]
            self._send_records(records, count=count, moves=moves)
            received = self._take_received()
            take_fields(self._hear(), "moved", 0)
            return received

    def _send_records(
        self, records: Iterable[ObjectRecord], *, count: int, moves: list[object] | None
    ) -> None:
        channel = self._channel
        self._greet()
        channel.send("receive", count, self._who())
        writer = RecordWriter(channel, stop=lambda: channel.is_answered)
        # An answer before the end is a refusal: the rest need not be sent.
        whole = writer.send_all(records)
        channel.send("end", whole, moves)

    def _take_received(self) -> Received:
        objects, size_bytes, *_ = take_fields(self._hear(), "received", 2)
        return Received(take_int(objects), take_int(size_bytes, limit=1 << 62))

    def _send_updates(self, updates: Sequence[RefUpdate]) -> None:
        packed = [pack_update(update) for update in updates]
        for start in range(0, len(packed), REFS_PAGE):
            self._channel.send("updates", packed[start : start + REFS_PAGE])

    def _who(self) -> list[str] | None:
        return pack_person(self._identity() if self._identity is not None else None)

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
        with self._exchange():
            self._channel.send("offer", depth, EAGER_BYTES)
            for name, oids in (("wants", wants), ("haves", haves), ("shallow", shallow)):
                for page in iter_pages(list(map(to_raw, oids))):
                    self._channel.send(name, page)
            self._channel.send("end")
            ids: list[RawId] = []
            ends: list[RawId] = []
            while (message := self._hear())[0] in {"ids", "shallow"}:
                into = ids if message[0] == "ids" else ends
                into += take_page(take_fields(message, message[0], 1)[0])
                if len(ids) > MAX_OFFER or len(ends) > MAX_SHALLOW:
                    raise WireError("an offer without end")
            number, total, eager, *_ = take_fields(message, "offered", 3)
            if take_int(total) != len(ids):
                raise WireError(f"{len(ids)} ids in an offer of {total}")
            records = self._take_eager() if take_bool(eager) else None
            return Offer(ids, _Place(take_int(number), records), tuple(ends))

    def _take_eager(self) -> tuple[ObjectRecord, ...]:
        """Read the records that come along with an offer, which must be as few as was asked."""
        records: list[ObjectRecord] = []
        left = EAGER_BYTES
        for record in RecordReader(self._hear, source=self._url):
            if record.stored is None:
                raise WireError("a large object beside an offer")
            left -= record.size
            if left < 0:
                raise WireError("more beside an offer than was asked for")
            records.append(record)
        return tuple(records)

    def send(self, offer: Offer, *, skip: Collection[RawId] = ()) -> Iterator[ObjectRecord]:
        """See `Remote.send`."""
        place = offer.handle
        assert isinstance(place, _Place)
        if place.records is not None:
            yield from (record for record in place.records if record.raw not in skip)
            return
        with self._exchange():
            self._channel.send("send", place.number)
            for start in range(0, len(offer.ids) if skip else 0, BITS_PAGE):
                page = offer.ids[start : start + BITS_PAGE]
                self._channel.send("skip", pack_bits([raw in skip for raw in page]))
            self._channel.send("end")
            yield from RecordReader(self._hear, source=self._url)

    # -- the conversation ------------------------------------------------------------------

    @contextlib.contextmanager
    def _exchange(self) -> Iterator[None]:
        """Have one exchange; whatever leaves it half done ends the connection at once."""
        if self._is_closed:
            raise RemoteError(
                f"{self._url}: the connection is closed.", hint="Run the command again."
            )
        try:
            yield
        except _RefusedError as refused:
            raise refused.error from None
        except ConnectionLostError as error:
            told = self._carrier.explain(error)
            self._abort()
            raise told from error
        except WireError as error:
            told = self._carrier.explain(_strange(self._url, error))
            self._abort()
            raise told from error
        except BaseException:
            self._abort()
            raise

    def _abort(self) -> None:
        self._is_closed = True
        self._carrier.close(at_once=True)

    def _greet(self) -> None:
        """Take the answer to our greeting, once."""
        if self._is_greeted:
            return
        self._is_greeted = True
        version, *theirs = take_fields(self._answer(), "hello", 4)
        if version is None:
            first, last, program, *_ = theirs
            shown = show_text(take_text(program, limit=MAX_REF_NAME))
            raise _RefusedError(
                version_error(
                    self._url,
                    theirs=Versions(take_int(first), take_int(last), shown),
                    ours=self._versions,
                )
            )
        if not self._versions.first <= take_int(version) <= self._versions.last:
            raise WireError(f"version {version}, which nobody offered")

    def _hear(self) -> Message:
        """Return the next message of an answer.

        Raises:
            _RefusedError: It is an error.
        """
        self._greet()
        return self._answer()

    def _answer(self) -> Message:
        message = self._channel.receive()
        if message[0] == "error":
            fields: list[Any] = message[1:]
            error = decode_error(fields, url=self._url)
            raise _RefusedError(self._advise(error) if self._advise is not None else error)
        return message


def _strange(url: str, error: WireError) -> RemoteError:
    seen = show_text(error.seen.decode("utf-8", "replace").strip()[:80])
    return RemoteError(
        f"{url} does not speak as a Muse does: {error.reason}"
        + (f" («{seen}»)." if seen.isprintable() and seen else "."),
        hint="Its program may be damaged, of another kind, or hostile; nothing was changed here.",
    )
