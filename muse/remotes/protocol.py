"""What Muse asks of another repository, whatever lies between: the `Remote` protocol.

A medium (a path, ssh, an object store) is one class with these methods; every medium passes the
same conformance suite (``tests/remotes/conformance.py``), and nothing in ``muse.ops`` knows which
one it speaks to. The life of a push::

    refs = remote.list_refs()                  what is there, and an opaque version of it
    remote.find_present(ids)                   which of these arrived in an earlier, killed push
    remote.receive(records, count=n)           objects, streamed; durable when it returns
    remote.update_refs(updates, version=…)     all or none, by compare-and-swap

and of a fetch::

    refs = remote.list_refs()
    offer = remote.offer(wants, haves)         the ids that we lack, by walking history there;
                                               limited by depth, and by where our history ends
    remote.send(offer, skip=present)           their records, streamed

**Invariant:** nobody lists all objects. **Invariant:** the other side is never believed: whoever
receives records hashes each one, parses each tree, and walks what is new before a ref moves
(`muse.remotes.intake`, `muse.remotes.connectivity`), on both sides of a wire.

Why it fits media that do not exist yet: all values are plain (text, bytes, ints, tuples), so a
framed message can carry each of them; records stream in both directions and may be grouped into
packs by a medium that stores packs; ``version`` is the ETag of a medium whose refs are one
document, while ``RefUpdate.old`` is what a medium with a lock compares; and progress is counted
where records pass, by the caller, so that no callback has to cross a wire.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, runtime_checkable

from muse.core.plain_files import PARSED_BYTES
from muse.core.types import ObjectId, ObjectType, Progress, RawId

if TYPE_CHECKING:
    from muse.core.repo import Repository

# Ids in one question that travels.
ASK_BATCH: Final = 4096
# A depth beyond every history.
UNLIMITED: Final = 2**31 - 1
# A listing that is longer than this is not a repository's.
MAX_REFS: Final = 1_000_000
# The same for the objects of one offer.
MAX_OFFERED: Final = 50_000_000
# The same for the commits at which a history is cut off.
MAX_SHALLOW: Final = 1_000_000
MAX_REF_NAME: Final = 1024
# Trees, commits and tags are parsed whole, so their size is bounded; blobs are streamed.
MAX_PARSED_BYTES: Final = PARSED_BYTES
# A record up to this size travels whole, a larger one as chunks of at most this size.
CHUNK_BYTES: Final = 2**20

Phase = Literal["connect", "count", "send", "receive", "check", "checkout"]


class TransferProgress(NamedTuple):
    """How far a transfer is; the reader computes rates from two of them.

    Args:
        phase: What is being done.
        objects: Objects (or files, in ``checkout``) done so far.
        total_objects: How many there are; None while that is not known.
        bytes_done: Bytes of payload that passed so far.
    """

    phase: Phase
    objects: int
    total_objects: int | None = None
    bytes_done: int = 0


# May raise to cancel: nothing is published then, and what arrived is not sent again.
TransferCallback = Callable[[TransferProgress], None]


def checkout_progress(progress: TransferCallback | None) -> Progress | None:
    """Return a callback for a checkout that reports to a transfer's callback."""
    if progress is None:
        return None
    return lambda done, total: progress(TransferProgress("checkout", done, total))


class RemoteRef(NamedTuple):
    """One ref of the other side.

    Args:
        name: The full name, ``refs/heads/main``.
        oid: What it names.
        peeled: For an annotated tag, the object behind it; otherwise None.
    """

    name: str
    oid: ObjectId
    peeled: ObjectId | None = None


class RefListing(NamedTuple):
    """All branches and tags of the other side at one moment.

    Args:
        refs: Sorted by name; only ``refs/heads/`` and ``refs/tags/``.
        head: The branch that HEAD names (``refs/heads/main``), born or not; None when detached.
        checked_out: The branch that a working tree there has checked out: pushing to it is
            refused. None for a bare repository.
        version: Opaque; changes whenever the listing does.
        shallow: Where the history there ends: commits that are there without their parents.
    """

    refs: tuple[RemoteRef, ...]
    head: str | None
    checked_out: str | None
    version: str
    shallow: tuple[ObjectId, ...] = ()

    def values(self) -> dict[str, ObjectId]:
        """Return what each ref names."""
        return {ref.name: ref.oid for ref in self.refs}


class RefUpdate(NamedTuple):
    """One move of a ref: from ``old`` to ``new``; None stands for "is not there".

    Args:
        name: The full name.
        old: What must be there for the move to happen.
        new: What shall be there.
    """

    name: str
    old: ObjectId | None
    new: ObjectId | None


class ObjectRecord(NamedTuple):
    """One object on its way.

    Args:
        raw: The id that the sender gives it; the receiver hashes and compares.
        kind: Its type.
        size: Bytes of payload.
        stored: The bytes as they travel: the payload itself, or its zstd frame. None when the
            object is larger than `CHUNK_BYTES` and comes as ``chunks`` of plain payload.
        compressed: Whether ``stored`` is a zstd frame.
        chunks: The payload in order, for large objects; to be read once, before the next record.
        verified: The payload, found in this process to hash to ``raw``; None for what is only
            claimed, as all that comes over a wire.
    """

    raw: RawId
    kind: ObjectType
    size: int
    stored: bytes | None
    compressed: bool = False
    chunks: Iterable[bytes] = ()
    verified: bytes | None = None


class Offer(NamedTuple):
    """The objects that the other side would send; handed back to it in `Remote.send`.

    Args:
        ids: What it would send, in whatever order.
        handle: What the medium needs to remember; opaque.
        shallow: Where the history of what was wanted ends: the commits whose parents are
            deliberately left out, whether they are among ``ids`` or with the asking side already.
            Nonempty only when a depth was given, or when the history there is cut off itself.
    """

    ids: Sequence[RawId]
    handle: object = None
    shallow: tuple[RawId, ...] = ()


class Received(NamedTuple):
    """What a transfer brought.

    Args:
        objects: Objects stored.
        size_bytes: Bytes of payload in them.
    """

    objects: int
    size_bytes: int


class Remote(Protocol):
    """Another repository. Not thread-safe; use it as a context manager or call `close`.

    Every method may raise `RemoteError` (unreachable, refused, damaged: the message names the
    remote and the object or ref) and leaves the other side as valid as before.
    """

    @property
    def url(self) -> str:
        """Where it is, fit for showing: never with a password or token."""
        ...

    def list_refs(self) -> RefListing:
        """Return all branches and tags, and what HEAD says."""
        ...

    def find_present(self, ids: Sequence[RawId]) -> Collection[RawId]:
        """Tell which of the ids are there and whole; a medium asks in batches of `ASK_BATCH`.

        Presence says nothing of what the object refers to.
        """
        ...

    def receive(self, records: Iterable[ObjectRecord], *, count: int) -> Received:
        """Store objects there, in bounded memory.

        Args:
            records: At most ``count`` of them; consumed in order.
            count: How many are announced.

        Durability: when it returns, all are durable. When killed or when ``records`` raises,
        the part that was already published stays (nothing refers to it) and `find_present`
        tells of it, so that a repeated push does not send it again.
        """
        ...

    def update_refs(self, updates: Sequence[RefUpdate], *, version: str, log: str = "push") -> None:
        """Move refs, all or none, if each still is what ``old`` says.

        Args:
            updates: The moves.
            version: The version of the listing that they are based on.
            log: One line for the reflog there.

        Raises:
            RefChangedError: A ref is not at ``old`` any more; nothing moved.
            ObjectNotFoundError: Something that a new value needs is not there; nothing moved.
            MuseError: Refused: a checked-out branch, a bad name, a damaged object.

        Durability: G1, G2, G8: durable when it returns; what the new values need was walked
        and verified before.
        """
        ...

    def offer(
        self,
        wants: Sequence[ObjectId],
        haves: Sequence[ObjectId],
        *,
        depth: int | None = None,
        shallow: Sequence[ObjectId] = (),
    ) -> Offer:
        """Walk history there: what ``wants`` need and ``haves`` do not already imply.

        `muse.remotes.walk.NewObjects` is that walk; a medium passes its arguments on.

        Args:
            wants: Values of refs as listed.
            haves: Commits or tags of which everything is here, down to ``shallow``; unknown ones
                are ignored.
            depth: Go down so many generations of commits from the wants, 1 for the wants alone;
                what is left out stands in `Offer.shallow`. What lies within the depth and below
                ``shallow`` is offered as well, so that `UNLIMITED` asks for all history. None:
                all that is above ``shallow``.
            shallow: Where our own history ends: commits that we have without their parents.
                Neither a have nor a want says anything of what is below them.
        """
        ...

    def send(self, offer: Offer, *, skip: Collection[RawId] = ()) -> Iterator[ObjectRecord]:
        """Stream the records of an offer, but for those in ``skip``."""
        ...

    def close(self) -> None:
        """Let go of files and connections; may be called twice."""
        ...


@runtime_checkable
class Publishes(Protocol):
    """A remote to which each question is a wait: it takes objects and moves of refs together."""

    def publish(
        self,
        records: Iterable[ObjectRecord],
        *,
        count: int,
        updates: Sequence[RefUpdate],
        version: str,
    ) -> Received:
        """Do `Remote.receive`, and if that worked `Remote.update_refs`; errors as there."""
        ...


@runtime_checkable
class UsesLocal(Protocol):
    """A remote without a program on its own side, which does its walking here."""

    def use_local(self, repo: Repository, *, create: bool = False) -> None:
        """Say which repository is on this side: its objects need not be fetched to be read.

        Hints about the other side may be kept under its ``.muse/cache``.

        Args:
            repo: Our side.
            create: We are going to push: an empty place is fine.
        """
        ...
