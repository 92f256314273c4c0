"""A store that shows itself as a plain repository, so that any test of a medium can judge it.

What a test commits to the repository is published to the store before the next request to it; what
a remote did to the store is read by the oracle and laid into the repository before it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from muse.core.lock import find_owner
from muse.core.object_store import ObjectStore
from muse.core.refs import HEADS, TAGS, RefStore
from muse.core.repo import Repository
from muse.core.types import ObjectId, ObjectType, RawId, to_raw
from muse.ops.init import init
from muse.remotes.address import parse_address
from muse.remotes.bucket import open_bucket
from muse.remotes.protocol import RefUpdate, Remote
from muse.remotes.records import iter_records
from muse.remotes.store import StoreRemote
from muse.remotes.walk import NewObjects
from tests.remotes.repositories import ADA
from tests.remotes.store_oracle import State


def open_store(url: str) -> StoreRemote:
    """Open a store as a stranger does who may make it."""
    bucket = open_bucket(parse_address(url), url, user_config=None)
    return StoreRemote(bucket, create=True)


class StorePlace(Repository):
    """See the module.

    Args:
        folder: Where the repository lies.
        open_raw: Opens the store.
        read_state: Reads the store, by means of the oracle.
    """

    def __init__(
        self, folder: Path, open_raw: Callable[[], Remote], read_state: Callable[[], State]
    ) -> None:
        init(folder, bare=True)
        super().__init__(folder)
        self._open_raw, self._read_state = open_raw, read_state
        self._base: dict[str, ObjectId] = {}
        self._busy = False
        self.refs = _WatchedRefs(folder, self.sync)
        self.objects = _WatchedObjects(folder, self.sync)
        self._publish({})

    def sync(self) -> None:
        """Publish what changed here, or take over what changed there."""
        if self._busy or find_owner(self.root) is not None:
            # In the middle of a change, of ours or of the test's.
            return
        self._busy = True
        try:
            plain = RefStore(self.root)
            here = {n: oid for n, oid in plain.iter() if n.startswith((HEADS, TAGS))}
            if here != self._base:
                self._publish(here)
                self._base = here
                return
            state = self._read_state()
            store = ObjectStore(self.root)
            for raw, (kind, payload) in state.objects(listed_only=False).items():
                assert store.write(_kind(kind), payload) == raw
            there = {name: ObjectId(oid) for name, oid in state.refs.items()}
            with self.transaction("mirror", who=ADA) as tx:
                for name in here.keys() | there.keys():
                    if here.get(name) != there.get(name):
                        tx.set_ref(name, there.get(name), old=here.get(name), log="mirror")
            self._base = there
        finally:
            self._busy = False

    def _publish(self, here: dict[str, ObjectId]) -> None:
        remote = self._open_raw()
        listing = remote.list_refs()
        there = listing.values()
        store = ObjectStore(self.root)
        walk = NewObjects(store, map(to_raw, here.values()), map(to_raw, there.values()))
        ids = [found.raw for found in walk]
        if ids:
            remote.receive(iter_records(store, ids), count=len(ids))
        updates = [
            RefUpdate(name, there.get(name), here.get(name))
            for name in sorted(here.keys() | there.keys())
            if here.get(name) != there.get(name)
        ]
        remote.update_refs(updates, version=listing.version)
        remote.close()


def _kind(kind: str) -> ObjectType:
    assert kind in {"blob", "tree", "commit", "tag"}
    return kind  # type: ignore[return-value]  # just looked


class _WatchedRefs(RefStore):
    def __init__(self, root: Path, sync: Callable[[], None]) -> None:
        super().__init__(root)
        self._sync = sync

    def read(self, name: str) -> ObjectId | None:
        self._sync()
        return super().read(name)

    def iter(self, prefix: str = "refs/") -> Iterator[tuple[str, ObjectId]]:
        self._sync()
        return super().iter(prefix)


class _WatchedObjects(ObjectStore):
    def __init__(self, root: Path, sync: Callable[[], None]) -> None:
        super().__init__(root)
        self._sync = sync

    def read(self, raw: RawId, *, expected: ObjectType | None = None) -> tuple[ObjectType, bytes]:
        self._sync()
        return super().read(raw, expected=expected)

    def has(self, raw: RawId) -> bool:
        self._sync()
        return super().has(raw)


class SyncedRemote:
    """A remote before each request of which its place is published."""

    def __init__(self, remote: Remote, place: StorePlace) -> None:
        self._remote, self._place = remote, place

    def __getattr__(self, name: str) -> object:
        found = getattr(self._remote, name)
        if not callable(found):
            return found

        def call(*arguments: object, **options: object) -> object:
            self._place.sync()
            return found(*arguments, **options)

        return call
