"""A remote that says what a test wants it to say, and stories for it to tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from muse.core.types import ObjectId, RawId, from_raw
from muse.remotes.protocol import ObjectRecord, Offer, RefListing, RemoteRef
from tests.remotes.repositories import record

MAIN = "refs/heads/main"


class Liar:
    """A remote that says what a test wants it to say."""

    url = "the liar"

    def __init__(
        self, refs: Sequence[RemoteRef] = (), records: Sequence[ObjectRecord] = ()
    ) -> None:
        self.refs = tuple(refs)
        self.records: Iterable[ObjectRecord] = list(records)
        self.listing = RefListing(self.refs, MAIN, None, "1")
        self.shallow: tuple[RawId, ...] = ()
        self.announced: Sequence[RawId] = [each.raw for each in records]

    def list_refs(self) -> RefListing:
        """Say what was given."""
        return self.listing

    def find_present(self, ids: Sequence[RawId]) -> Collection[RawId]:
        """Have nothing."""
        return ()

    def receive(self, records: Iterable[ObjectRecord], *, count: int) -> object:
        """Take nothing."""
        raise NotImplementedError

    def update_refs(self, updates: object, *, version: str, log: str = "") -> None:
        """Move nothing."""
        raise NotImplementedError

    def offer(
        self,
        wants: Sequence[ObjectId],
        haves: Sequence[ObjectId],
        *,
        depth: int | None = None,
        shallow: Sequence[ObjectId] = (),
    ) -> Offer:
        """Offer what was given."""
        return Offer(self.announced, shallow=self.shallow)

    def send(self, offer: Offer, *, skip: Collection[RawId] = ()) -> Iterator[ObjectRecord]:
        """Send what was given."""
        yield from (each for each in self.records if each.raw not in skip)

    def close(self) -> None:
        """Nothing is open."""


def make_story(
    content: bytes,
) -> tuple[ObjectRecord, ObjectRecord, ObjectRecord, list[RemoteRef]]:
    """Return a commit of one file, and the branch that names it."""
    blob = record("blob", content)
    tree = record("tree", b"100644 a\0" + blob.raw)
    commit = record("commit", lying_commit(tree.raw))
    return commit, tree, blob, [RemoteRef(MAIN, from_raw(commit.raw))]


def lying_commit(tree: RawId) -> bytes:
    """Return a commit's payload; nothing says that its tree exists."""
    who = b"Ada <ada@example.com> 1700000000 +0000"
    return b"tree %s\nauthor %s\ncommitter %s\n\nlies\n" % (tree.hex().encode(), who, who)
