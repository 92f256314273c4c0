"""Packs that a thread writes, and ids that a transaction does not look up one by one."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import threading
from pathlib import Path

import pytest

from muse.core import pack_writer
from muse.core.errors import IoFailedError
from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.paths import pack_dir, shards_dir
from muse.core.repo import Repository, open_repo
from muse.core.stored_ids import StoredIds
from muse.core.types import RawId
from muse.core.verify import verify_store
from muse.core.write_behind import WriteBehind
from muse.ops.init import init

_MIB = 1 << 20


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make an empty repository."""
    init(tmp_path / "repo")
    return open_repo(tmp_path / "repo")


def payloads(count: int, size: int = 100_000) -> list[bytes]:
    """Return contents that no two of are alike."""
    rng = random.Random(7)
    return [rng.randbytes(size) for _ in range(count)]


class TestLargePacks:
    def test_every_byte_arrives_in_order(self, repo: Repository) -> None:
        """Small objects, then one that is streamed, then small ones: the pack is whole."""
        few = payloads(160)
        big = random.Random(8).randbytes(5 * _MIB)
        writer = PackWriter(repo.root)
        ids = [writer.add("blob", data) for data in few[:120]]
        assert writer._behind is not None, "too little to be written behind"
        ids.append(writer.add_stream("blob", len(big), iter([big[:_MIB], big[_MIB:]])))
        ids += [writer.add("blob", data) for data in few[120:]]
        path = writer.finish()
        assert path is not None
        data = path.read_bytes()
        assert hashlib.sha256(data[:-32]).digest() == data[-32:]
        store = ObjectStore(repo.root)
        for raw, wanted in zip(ids, [*few[:120], big, *few[120:]], strict=True):
            assert store.read(raw) == ("blob", wanted)
        assert verify_store(repo.root).is_whole
        assert not threads_behind()

    def test_a_full_disk_is_an_error_and_leaves_nothing(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The thread's error is the transaction's, and the next one works."""
        real, written = os.write, 0

        def write(fd: int, data: bytes) -> int:
            nonlocal written
            written += len(data)
            if written > 12 * _MIB:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(fd, data)

        monkeypatch.setattr(os, "write", write)
        with pytest.raises(IoFailedError) as caught, repo.transaction("add") as tx:
            for data in payloads(200):
                tx.write_object("blob", data)
        assert caught.value.errno == errno.ENOSPC
        monkeypatch.undo()
        assert not threads_behind()
        assert list(pack_dir(repo.root).iterdir()) == []
        with repo.transaction("add") as tx:
            raw = tx.write_object("blob", b"later")
        assert ObjectStore(repo.root).read(raw) == ("blob", b"later")

    def test_an_exception_in_the_middle_ends_the_thread(self, repo: Repository) -> None:
        """Nothing is published, and nobody goes on writing."""
        with pytest.raises(KeyError), repo.transaction("add") as tx:
            for data in payloads(120):
                tx.write_object("blob", data)
            assert threads_behind()
            raise KeyError
        assert not threads_behind()
        assert list(pack_dir(repo.root).iterdir()) == []

    def test_small_packs_start_no_thread(self, repo: Repository) -> None:
        """A thread costs more than it saves there."""
        writer = PackWriter(repo.root)
        for data in payloads(50, 1000):
            writer.add("blob", data)
        assert writer._behind is None
        writer.finish()

    def test_the_first_error_is_the_last_block(self) -> None:
        """What comes after a block that failed is not written, and every call says so."""
        seen: list[bytes] = []

        def write(block: bytes | memoryview) -> None:
            if block == b"bad":
                raise ValueError("no")
            seen.append(bytes(block))

        behind = WriteBehind(write)
        behind.put(b"good")
        behind.put(b"bad")
        with pytest.raises(ValueError, match="no"):
            behind.wait()
        with pytest.raises(ValueError, match="no"):
            behind.put(b"more")
        behind.stop()
        assert seen == [b"good"]

    def test_the_bound_is_some_blocks(self) -> None:
        """The writer starts late enough to be worth it, and long before memory matters."""
        assert pack_writer._BUFFER * 4 <= pack_writer._BEHIND_FROM <= 64 * _MIB


class TestEarlyPublishing:
    def test_what_is_published_early_is_there_and_what_comes_later_too(
        self, repo: Repository
    ) -> None:
        """Memory for the ids of the first pack goes; the same content is not stored again."""
        few = payloads(150, 1000)
        with repo.transaction("add") as tx:
            for data in few[:100]:
                tx.write_object("blob", data)
            tx.publish_pack()
            assert [len(list(pack.ids())) for pack in ObjectStore(repo.root).packs()] == [100]
            for data in few:
                tx.write_object("blob", data)
            tx.publish_pack()
            tx.publish_pack()
        store = ObjectStore(repo.root)
        assert sorted(len(list(pack.ids())) for pack in store.packs()) == [50, 100]
        assert not list(store.iter_loose())


class TestStoredIds:
    def test_a_large_transaction_stores_nothing_twice(self, repo: Repository) -> None:
        """What a pack or a loose object holds is found when there are many to ask for."""
        few = payloads(200, 1000)
        with repo.transaction("add") as tx:
            for data in few[:60]:
                tx.write_object("blob", data)
        with repo.transaction("add") as tx:
            for data in few[60:80]:
                tx.write_object("blob", data)
        with open_repo(repo.root).transaction("add") as tx:
            # New ones first, so that what is stored comes when there is a pack.
            for data in reversed(few):
                tx.write_object("blob", data)
        store = ObjectStore(repo.root)
        assert len(list(store.iter_loose())) == 20
        assert sorted(len(list(pack.ids())) for pack in store.packs()) == [60, 120]

    def test_a_shard_that_cannot_be_listed_is_asked_object_by_object(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not known is not no."""
        real = os.listdir
        shards = os.fspath(shards_dir(repo.root))

        def listdir(path: str) -> list[str]:
            if os.fspath(path).startswith(shards):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(path)

        monkeypatch.setattr(os, "listdir", listdir)
        assert RawId(bytes(32)) in StoredIds(repo.objects)
        monkeypatch.undo()
        assert RawId(bytes(32)) not in StoredIds(repo.objects)


def threads_behind() -> list[str]:
    """Return the threads that write packs."""
    return [thread.name for thread in threading.enumerate() if thread.name == "write-behind"]
