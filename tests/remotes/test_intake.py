"""What arrives: stored as it came when it is good, refused by name when it is not."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.errors import BadTransferError, RemoteError
from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.refs import HEADS
from muse.core.repo import Repository
from muse.core.types import RawId, raw_object_id
from muse.ops.push import push
from muse.remotes.intake import Intake, take_all
from muse.remotes.protocol import CHUNK_BYTES, ObjectRecord
from muse.remotes.records import iter_records
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable, record

TEXT = b"the same words again and again\n" * 40


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Where it arrives."""
    return make_repo(tmp_path / "repo", bare=True)


def compressed(payload: bytes, raw: RawId | None = None) -> ObjectRecord:
    """Return a blob's record as a compressed pack holds it."""
    frame = zstandard.ZstdCompressor(level=3).compress(payload)
    raw = raw or raw_object_id("blob", payload)
    return ObjectRecord(raw, "blob", len(payload), frame, compressed=True)


class TestCompression:
    """Compressed records are verified, and stored as they are."""

    def test_they_are_not_compressed_again(self, tmp_path: Path, repo: Repository) -> None:
        """What came from a compressed pack lies compressed in ours."""
        source = make_repo(tmp_path / "source")
        writer = PackWriter(source.root, level=3)
        ids = [writer.add("blob", TEXT + b"%d" % number) for number in range(100)]
        writer.finish()
        source.objects.refresh()
        records = list(iter_records(source.objects, ids))
        assert all(each.compressed for each in records)
        take_all(repo, records, source="them", count=len(ids))
        (pack,) = ObjectStore(repo.root).packs()
        assert pack.size_bytes < sum(len(TEXT) for _ in ids) / 2
        for number, raw in enumerate(ids):
            assert repo.objects.read(raw) == ("blob", TEXT + b"%d" % number)

    def test_frames_that_lie(self, repo: Repository) -> None:
        """Another content, another size, a torn frame, none at all."""
        good = compressed(TEXT)
        assert good.stored is not None
        lies = [
            compressed(TEXT, RawId(b"\x03" * 32)),
            good._replace(size=len(TEXT) - 1),
            good._replace(size=len(TEXT) + 1),
            good._replace(stored=good.stored[:-3]),
            good._replace(stored=good.stored[:4]),
            good._replace(stored=b""),
            good._replace(compressed=False),
        ]
        for lie in lies:
            with pytest.raises(BadTransferError):
                take_all(repo, [lie], source="them", count=1)
        assert not repo.objects.has(good.raw)

    def test_a_bomb_takes_no_memory(self, repo: Repository) -> None:
        """A small frame that would fill the memory is refused, whatever size it declares."""
        bomb = zstandard.ZstdCompressor(level=19).compress(bytes(200 << 20))
        raw = RawId(b"\x04" * 32)
        tracemalloc.start()
        try:
            for size in (10, CHUNK_BYTES, 200 << 20, 1 << 62):
                lie = ObjectRecord(raw, "blob", size, bomb, compressed=True)
                with pytest.raises(BadTransferError):
                    take_all(repo, [lie], source="them", count=1)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


class TestAnything:
    """Random damage to good records is noticed, always."""

    @settings(
        max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(seed=st.integers(0, 2**32))
    def test_damage_is_refused(self, repo: Repository, seed: int) -> None:
        """A record is taken only if its bytes are what its id says."""
        rng = random.Random(seed)
        payload = rng.randbytes(rng.choice([0, 1, 50, 3000]))
        good = rng.choice([record("blob", payload), compressed(payload + TEXT)])
        bad = _damage(good, rng)
        try:
            with Intake(repo, source="them", count=1) as intake:
                intake.take(bad)
        except (BadTransferError, RemoteError):
            return
        kind, stored = repo.objects.read(bad.raw)
        assert (kind, raw_object_id(kind, stored)) == (bad.kind, bad.raw)


def _damage(good: ObjectRecord, rng: random.Random) -> ObjectRecord:
    data = bytearray(good.stored or b"")
    for _ in range(rng.randint(0, 3)):
        choice = rng.randint(0, 4)
        if choice == 0 and data:
            data[rng.randrange(len(data))] ^= 1 << rng.randint(0, 7)
        elif choice == 1:
            del data[rng.randint(0, len(data)) :]
        elif choice == 2:
            data += rng.randbytes(3)
        elif choice == 3:
            good = good._replace(size=rng.choice([0, good.size + 1, 1 << 40, -1]))
        else:
            good = good._replace(kind=rng.choice(["tree", "commit", "tag", "blob"]))
    return good._replace(stored=bytes(data), compressed=good.compressed ^ (rng.random() < 0.1))


def test_memory_does_not_follow_the_transfer(tmp_path: Path) -> None:
    """40 MB of objects of up to 5 MB pass through a few."""
    here = make_repo(tmp_path / "here")
    there = make_repo(tmp_path / "there", bare=True)
    rng = random.Random(1)
    files = {b"big%d" % n: rng.randbytes(5 << 20) for n in range(6)}
    files.update({b"mid%d" % n: rng.randbytes(500_000) for n in range(20)})
    add_commit(here, files)
    files.clear()
    tracemalloc.start()
    try:
        push(here, remote=str(there.root), branches=["main"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert reachable(there) == reachable(here)


def test_a_remote_that_is_this_repository(tmp_path: Path) -> None:
    """Pushing to oneself is a way to make a branch."""
    repo = make_repo(tmp_path / "r")
    oid = add_commit(repo, files_of(3))
    push(repo, remote=".", branches=["main:copy"])
    assert repo.refs.read(HEADS + "copy") == oid
