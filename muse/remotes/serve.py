"""The other end of the wire: one repository, answering one client until it leaves.

Nothing that comes is believed: each message is checked, each object hashed, refs move only after
what they need was walked (see `PathRemote`, which does the work). A client that goes away in the
middle loses nothing that it sent whole: the objects are published, though nothing refers to them,
and the next push finds them. This process ends with its connection, whatever it is doing then; the
repository bears that as it bears any death.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from muse.core.commits import Signature
from muse.core.errors import ConnectionLostError, MuseError, RemoteError
from muse.core.paths import show_text
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.remotes.path import PathRemote
from muse.remotes.protocol import (
    MAX_REF_NAME,
    MAX_REFS,
    UNLIMITED,
    ObjectRecord,
    Offer,
    RefUpdate,
)
from muse.remotes.wire_errors import encode_error
from muse.remotes.wire_fields import (
    REFS_PAGE,
    iter_pages,
    pack_bits,
    pack_ref,
    take_bool,
    take_bytes,
    take_fields,
    take_int,
    take_list,
    take_page,
    take_person,
    take_text,
    take_updates,
)
from muse.remotes.wire_frames import Channel, Message, WireError
from muse.remotes.wire_protocol import (
    BITS_PAGE,
    EAGER_BYTES,
    EAGER_OBJECTS,
    KEPT_OFFERS,
    MAX_OFFER,
    OURS,
    Versions,
    common_version,
)
from muse.remotes.wire_records import RecordReader, RecordWriter

# What is left to do for a client that has left (publishing what it sent) may take so long.
GRACE_S: Final = 10.0

OpenPlace = Callable[[str, Callable[[], Signature]], PathRemote]


class _Ids(NamedTuple):
    """The ids of a question: what is wanted, what is there, and where its history ends."""

    wants: list[RawId]
    haves: list[RawId]
    shallow: list[RawId]

    def texts(self) -> tuple[list[ObjectId], ...]:
        """Return each list as refs have it."""
        return tuple(list(map(from_raw, ids)) for ids in self)


class Server:
    """Answers one client.

    Args:
        channel: Where it is.
        open_place: Opens the repository, given how the client names it and who it says it is.
        versions: What is spoken here.
    """

    def __init__(
        self, channel: Channel, open_place: OpenPlace, *, versions: Versions = OURS
    ) -> None:
        self._channel = channel
        self._open_place = open_place
        self._versions = versions
        self._place: PathRemote | None = None
        self._who: Signature | None = None
        # Announced for the next question that moves refs.
        self._updates: list[RefUpdate] = []
        self._offers: dict[int, Offer] = {}
        self._next_offer = 0
        self._answers: dict[str, Callable[[Message], None]] = {
            "refs": self._list_refs,
            "present": self._find_present,
            "receive": self._receive,
            "updates": self._take_updates,
            "move": self._move,
            "offer": self._offer,
            "send": self._send,
        }

    def run(self) -> None:
        """Answer until the client leaves.

        Raises:
            WireError: What came was no message of ours; it was told so.
        """
        try:
            if self._greet():
                while True:
                    self._answer(self._channel.receive())
        except ConnectionLostError:
            return
        except WireError as error:
            self._refuse(RemoteError(f"What the client sent was refused: {error.reason}."))
            raise
        finally:
            if self._place is not None:
                self._place.close()

    def _refuse(self, error: MuseError) -> None:
        self._channel.send(*encode_error(error))
        self._channel.flush()

    def _greet(self) -> bool:
        first, last, program, shown, *_ = take_fields(self._channel.receive(), "hello", 4)
        theirs = Versions(
            take_int(first), take_int(last), show_text(take_text(program, limit=MAX_REF_NAME))
        )
        version = common_version(theirs, self._versions)
        # Told in any case: a client that finds nothing in common says so in its own words.
        ours = self._versions
        self._channel.send("hello", version, ours.first, ours.last, ours.program)
        if version is None:
            self._channel.flush()
            return False
        try:
            self._place = self._open_place(show_text(take_text(shown)), self._identity)
        except MuseError as error:
            self._refuse(error)
            return False
        return True

    def _answer(self, message: Message) -> None:
        answer = self._answers.get(message[0])
        if answer is None:
            raise WireError(f"an unknown question '{message[0]!a:.40}'")
        try:
            answer(message)
        except ConnectionLostError:
            raise
        except MuseError as error:
            self._channel.send(*encode_error(error))

    @property
    def _there(self) -> PathRemote:
        assert self._place is not None
        return self._place

    def _identity(self) -> Signature:
        return self._who or Signature("unknown", "unknown", int(time.time()))

    # -- looking ---------------------------------------------------------------------------

    def _list_refs(self, _message: Message) -> None:
        listing = self._there.list_refs()
        refs = [pack_ref(ref) for ref in listing.refs]
        for start in range(0, len(refs), REFS_PAGE):
            self._channel.send("refs", refs[start : start + REFS_PAGE])
        for page in iter_pages([to_raw(oid) for oid in listing.shallow]):
            self._channel.send("shallow", page)
        self._channel.send("listing", listing.head, listing.checked_out, listing.version)

    def _find_present(self, message: Message) -> None:
        ids = take_page(take_fields(message, "present", 1)[0])
        found = self._there.find_present(ids)
        self._channel.send("present", pack_bits([raw in found for raw in ids]))

    # -- receiving -------------------------------------------------------------------------

    def _receive(self, message: Message) -> None:
        count, who, *_ = take_fields(message, "receive", 2)
        count = take_int(count)
        self._who = self._person(who)
        reader = RecordReader(self._channel.receive, source="This repository")
        updates, self._updates = self._updates, []
        try:
            received = self._there.receive(self._whole(reader), count=count)
        except ConnectionLostError:
            raise
        except MuseError as error:
            # Said at once, so that the client stops; what is under way already is not looked at.
            self._refuse(error)
            reader.discard()
            return
        self._channel.send("received", received.objects, received.size_bytes)
        moves = (reader.end or [])[1:2]
        if moves and moves[0] is not None:
            self._move_refs(updates, take_list(moves[0], limit=16))

    @staticmethod
    def _whole(reader: RecordReader) -> Iterator[ObjectRecord]:
        """Yield the records; fail like a lost connection when the client gave up."""
        yield from reader
        whole, *_ = [*(reader.end or []), None]
        if not take_bool(whole):
            raise ConnectionLostError("The client gave up.")

    def _take_updates(self, message: Message) -> None:
        self._updates += take_updates(take_fields(message, "updates", 1)[0])
        if len(self._updates) > MAX_REFS:
            raise WireError("moves without end")

    def _move(self, message: Message) -> None:
        updates, self._updates = self._updates, []
        self._move_refs(updates, take_fields(message, "move", 3))

    def _move_refs(self, updates: list[RefUpdate], fields: list[Any]) -> None:
        if len(fields) < 3:
            raise WireError("a move without all its parts")
        version, log, who, *_ = fields
        self._who = self._person(who)
        self._there.update_refs(
            updates,
            version=take_text(version),
            log=show_text(take_text(log, limit=256)),
        )
        self._channel.send("moved")

    @staticmethod
    def _person(value: object) -> Signature | None:
        # A log here is kept by the clock here: what a client's clock says must not expire it.
        return take_person(value, time_s=int(time.time()))

    # -- sending ---------------------------------------------------------------------------

    def _offer(self, message: Message) -> None:
        depth, eager, *_ = take_fields(message, "offer", 2)
        depth = None if depth is None else take_int(depth, limit=UNLIMITED)
        limit = min(take_int(eager), EAGER_BYTES)
        wants, haves, shallow = self._take_ids().texts()
        offer = self._there.offer(wants, haves, depth=depth, shallow=shallow)
        number = self._next_offer = self._next_offer + 1
        for name, ids in (("ids", offer.ids), ("shallow", offer.shallow)):
            for page in iter_pages(ids):
                self._channel.send(name, page)
                self._check_client()
        comes_along = self._is_small(offer.ids, limit)
        if not comes_along:
            self._offers[number] = offer
            while len(self._offers) > KEPT_OFFERS:
                del self._offers[min(self._offers)]
        self._channel.send("offered", number, len(offer.ids), comes_along)
        if comes_along:
            self._send_records(offer)

    def _take_ids(self) -> _Ids:
        ids = _Ids([], [], [])
        left = MAX_OFFER
        while (message := self._channel.receive())[0] != "end":
            name = message[0] if message[0] in _Ids._fields else "wants"
            page = take_page(take_fields(message, name, 1)[0])
            getattr(ids, name).extend(page)
            left -= len(page)
            if left < 0:
                raise WireError("a question without end")
        return ids

    def _is_small(self, ids: Sequence[RawId], limit: int) -> bool:
        """Tell whether all of an offer is so little that asking for it costs more than sending."""
        if len(ids) > EAGER_OBJECTS or not limit:
            return False
        left = limit
        for raw in ids:
            left -= 0 if raw == EMPTY_TREE else self._there.repo.objects.stat(raw)[1]
            if left < 0:
                return False
        return True

    def _send(self, message: Message) -> None:
        number = take_int(take_fields(message, "send", 1)[0])
        offer = self._offers.get(number)
        size = (len(offer.ids) if offer else MAX_OFFER + 7) // 8 + 1
        bits = bytearray()
        while (message := self._channel.receive())[0] != "end":
            bits += take_bytes(take_fields(message, "skip", 1)[0], limit=BITS_PAGE // 8)
            if len(bits) > size:
                raise WireError("more answers than questions")
        if offer is None:
            raise RemoteError("The client asked for an offer that was not made.")
        skip = {
            raw
            for place, raw in enumerate(offer.ids)
            if place >> 3 < len(bits) and bits[place >> 3] & 1 << (place & 7)
        }
        self._send_records(offer, skip=skip)

    def _send_records(self, offer: Offer, *, skip: Sequence[RawId] | set[RawId] = ()) -> None:
        writer = RecordWriter(self._channel, stop=self._check_client)
        writer.send_all(self._there.send(offer, skip=skip))
        self._channel.send("end")

    def _check_client(self) -> bool:
        """Stop working for a client that has left."""
        if self._channel.is_deaf:
            raise ConnectionLostError("The client left.")
        return False


def watch_connection(reader: int, writer: int, end: Callable[[], NoReturn]) -> None:
    """Watch the connection from a thread, and end the process when it has been gone for a while.

    The one who works for a client notices only when it next reads or writes, which a long walk or
    a wait for the lock does not do.

    Args:
        reader: Where the client's messages come from.
        writer: Where the answers go.
        end: Ends the process.
    """

    def watch() -> None:
        poll = select.poll()
        # What is not asked for is told all the same: hung up, or nobody reads.
        poll.register(reader, getattr(select, "POLLRDHUP", 0))
        poll.register(writer, 0)
        poll.poll()
        time.sleep(GRACE_S)
        end()

    threading.Thread(target=watch, name="connection", daemon=True).start()
