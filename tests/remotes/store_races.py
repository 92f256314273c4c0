"""Two clients at one document: the same tests at every service that is tested behind a proxy."""

from __future__ import annotations

import pytest

from muse.core.errors import RefChangedError
from muse.core.types import ObjectId
from muse.ops.push import push
from tests.remotes.proxied_store import Store, during
from tests.remotes.repositories import add_commit


class StoreRaces:
    """Subclass it where a fixture ``store`` gives one with a commit that is not pushed yet."""

    def test_another_ref_moved(self, store: Store) -> None:
        """The write is repeated on top of it, and nobody is told."""
        store.push()
        other = store.clone("other")
        add_commit(other, {b"o": b"1"}, branch="theirs")
        add_commit(store.repo, {b"a": b"2"})
        during(store, lambda: push(other, remote="origin", branches=("theirs",)))
        store.push()
        refs = store.state().refs
        assert refs["refs/heads/theirs"] == other.refs.read("refs/heads/theirs")
        assert refs["refs/heads/main"] == store.repo.refs.read("refs/heads/main")
        assert store.state().check()

    def test_the_same_ref_moved(self, store: Store) -> None:
        """Both ids are told; theirs is kept."""
        store.push()
        other = store.clone("other")
        theirs = add_commit(other, {b"o": b"1"}, parents=(tip_of(store),))
        ours = add_commit(store.repo, {b"a": b"2"})
        before = store.state().refs["refs/heads/main"]
        during(store, lambda: push(other, remote="origin", branches=("main",)))
        with pytest.raises(RefChangedError) as caught:
            store.push()
        assert (caught.value.expected, caught.value.actual) == (before, theirs)
        assert store.state().refs["refs/heads/main"] == theirs != ours


def tip_of(store: Store) -> ObjectId:
    """Return what ``main`` names here."""
    found = store.repo.refs.read("refs/heads/main")
    assert found is not None
    return found
