"""Damage is never packed, and never a reason to remove the only copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.journal import checkpoint
from muse.core.object_store import ObjectStore
from muse.core.paths import head_path, muse_dir, stage_path
from muse.core.repo import Repository
from muse.core.types import raw_object_id, to_raw
from muse.core.verify import verify_store
from tests.core.gc_runs import (
    FILES,
    Objects,
    age,
    fill,
    loose,
    now,
    pack_of,
    read_all,
    run,
)
from tests.core.packs import patch
from tests.core.repos import MAIN, stage_files


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits, all loose."""
    return fill(tmp_path / "repo")


class TestDamage:
    """Damage is never packed, and never a reason to remove the only copy (G15)."""

    def test_a_damaged_object_stays_as_it_is(self, repo: Repository) -> None:
        """Its bytes are not touched, the rest is packed, and the report names it."""
        raw = raw_object_id("blob", FILES[b"src/a.py"])
        path = Path(repo.objects.loose_path(raw))
        patch(path, lambda data: data.__setitem__(-1, 0))
        before = path.read_bytes()
        result = run(repo, expire=now())
        assert path.read_bytes() == before
        assert [d.raw for d in result.damaged] == [raw]
        assert list(ObjectStore(repo.root).iter_loose()) == [raw]
        assert raw not in ObjectStore(repo.root).packs()[0]

    def test_a_damaged_double_goes_when_a_whole_copy_is_packed(self, repo: Repository) -> None:
        """With a good copy in a pack, the damaged file heals by going."""
        raw = raw_object_id("blob", FILES[b"src/a.py"])
        pack_of(repo, FILES[b"src/a.py"])
        patch(Path(repo.objects.loose_path(raw)), lambda data: data.__setitem__(-1, 0))
        assert not verify_store(repo.root).is_whole
        result = run(repo)
        assert result.damaged == ()
        assert verify_store(repo.root).findings == ()

    def test_a_damaged_packed_copy_is_no_reason_to_remove_the_loose_one(
        self, repo: Repository
    ) -> None:
        """A pack that only says that it has an object is not believed."""
        raw = raw_object_id("blob", FILES[b"src/a.py"])
        pack = pack_of(repo, FILES[b"src/a.py"], level=None)
        patch(pack, lambda data: data.__setitem__(-40, 0))
        run(repo)
        assert ObjectStore(repo.root).read(raw) == ("blob", FILES[b"src/a.py"])

    def test_all_replaces_a_damaged_pack(self, repo: Repository) -> None:
        """With whole copies elsewhere, a collection of everything leaves nothing damaged."""
        run(repo)
        pack = pack_of(repo, FILES[b"src/a.py"], b"changed\n")
        patch(pack, lambda data: data.__setitem__(-40, data[-40] ^ 1))
        assert not verify_store(repo.root).is_whole
        run(repo, everything=True)
        assert verify_store(repo.root).findings == ()

    def test_a_pack_with_the_only_damaged_copy_stays(self, repo: Repository) -> None:
        """What could not be read may still be rescued by somebody: its pack is not removed."""
        run(repo)
        (pack,) = ObjectStore(repo.root).packs()
        offset = pack.find(raw_object_id("blob", FILES[b"src/a.py"]))
        assert offset is not None
        patch(pack.path, lambda data: data.__setitem__(offset + 60, data[offset + 60] ^ 1))
        result = run(repo, everything=True, expire=now())
        assert [d.raw for d in result.damaged] == [raw_object_id("blob", FILES[b"src/a.py"])]
        assert pack.path.exists()

    @pytest.mark.parametrize("victim", ["commit", "tree"])
    @pytest.mark.parametrize("how", ["missing", "damaged"])
    def test_nothing_is_dropped_while_a_way_is_broken(
        self, repo: Repository, victim: str, how: str
    ) -> None:
        """Behind a broken commit or tree may lie what looks unreachable."""
        head = repo.refs.read(MAIN)
        assert head is not None
        raw = to_raw(head) if victim == "commit" else repo.commit(head).tree
        path = Path(repo.objects.loose_path(raw))
        path.unlink() if how == "missing" else patch(path, lambda d: d.__setitem__(-1, d[-1] ^ 1))
        garbage = loose(repo, b"garbage")
        age(repo)
        before = set(read_readable(repo))
        result = run(repo, expire=now(), everything=True)
        assert result.dropped == 0
        assert raw.hex() in result.kept_because
        assert set(read_readable(repo)) == before
        assert ObjectStore(repo.root).has(garbage)

    @pytest.mark.parametrize("file", [stage_path, head_path, lambda r: r / ".muse/refs/heads/main"])
    def test_nothing_is_dropped_while_a_root_cannot_be_read(
        self, repo: Repository, file: Callable[[Path], Path]
    ) -> None:
        """Nobody knows what a damaged ref, HEAD or stage named."""
        stage_files(repo, {b"new": b"staged\n"})
        checkpoint(repo.root)
        (muse_dir(repo.root) / "logs/operations").unlink()
        file(repo.root).write_bytes(b"nonsense")
        age(repo)
        before = read_all(repo)
        result = run(repo, expire=now(), everything=True)
        assert result.kept_because
        assert read_all(repo) == before

    def test_a_file_that_is_missing_hides_nothing(self, repo: Repository) -> None:
        """A missing blob is damage, but leads nowhere: garbage is dropped all the same."""
        Path(repo.objects.loose_path(raw_object_id("blob", FILES[b"src/a.py"]))).unlink()
        loose(repo, b"garbage")
        result = run(repo, expire=time.time() - 3600)
        assert result.dropped == 1


def read_readable(repo: Repository) -> Objects:
    """Return every object that is whole."""
    store = ObjectStore(repo.root)
    ids = set(store.iter_loose()).union(*(pack.ids() for pack in store.packs()))
    return {raw: store.read(raw) for raw in ids if store.is_whole(raw)}
