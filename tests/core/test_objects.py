"""Objects: ids that git agrees with, reads that never lie, writes that heal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.errors import CorruptObjectError, ObjectNotFoundError, UsageError
from muse.core.object_store import ObjectStore, read_object, write_object
from muse.core.types import ObjectType, RawId, blob_id, object_id, raw_object_id, to_raw
from muse.ops.init import init
from tests.conftest import Run


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """Return the store of a fresh repository."""
    init(tmp_path)
    return ObjectStore(tmp_path)


class TestIds:
    """Ids are git's SHA-256 ids."""

    def test_known_ids(self) -> None:
        """The two ids that the format's page names."""
        assert blob_id(b"hello").startswith("sha256:8aec4e4876f854f688d0ebfc8f37598f38e5fd6903")
        assert blob_id(b"").startswith("sha256:473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7")

    @given(data=st.binary(max_size=300))
    @settings(max_examples=10, deadline=None)
    def test_blob_ids_are_gits(self, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
        """`git hash-object` gives any content the same id."""
        folder = tmp_path_factory.mktemp("git")
        subprocess.run(
            ["git", "init", "-q", "--object-format=sha256", folder], check=True, capture_output=True
        )
        out = subprocess.run(
            ["git", "hash-object", "--stdin"],
            cwd=folder, input=data, capture_output=True, check=True,
        )  # fmt: skip
        assert blob_id(data) == "sha256:" + out.stdout.decode().strip()

    def test_sha256sum_prints_a_loose_objects_name(self, store: ObjectStore) -> None:
        """A loose file can be checked without any of our code."""
        path = store.loose_path(store.write("blob", b"checked by others\n"))
        digest = subprocess.run(["sha256sum", path], capture_output=True, check=True).stdout[:64]
        assert digest.decode() == Path(path).parent.name + Path(path).name
        assert os.stat(path).st_mode & 0o777 == 0o444


def _damage_empty(data: bytes) -> bytes:
    return b""


def _damage_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _damage_zeros(data: bytes) -> bytes:
    return bytes(len(data))


def _damage_flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _damage_longer(data: bytes) -> bytes:
    return data + b"x"


DAMAGES = [_damage_empty, _damage_half, _damage_zeros, _damage_flip, _damage_longer]


class TestDamage:
    """Damaged bytes are an error when read, and replaced when written again (G4)."""

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_damaged_bytes_are_never_served(self, store: ObjectStore, damage: object) -> None:
        """Reading names the object and its file; writing the content again heals it."""
        assert callable(damage)
        payload = b"precious" * 40
        raw = store.write("blob", payload)
        path = Path(store.loose_path(raw))
        path.chmod(0o644)
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(CorruptObjectError) as caught:
            store.read(raw)
        assert str(path) in str(caught.value)
        assert raw.hex() in str(caught.value)
        with pytest.raises(CorruptObjectError):
            for _ in store.open_stream(raw):
                pass
        assert not store.is_whole(raw)
        assert write_object(store.root, "sha256:" + raw.hex(), payload) is True
        assert store.read(raw) == ("blob", payload)

    def test_missing_object_is_named(self, store: ObjectStore) -> None:
        """An absent object is not an empty one."""
        with pytest.raises(ObjectNotFoundError, match="473a0f4c"):
            store.read(to_raw(blob_id(b"")))

    def test_wrong_data_for_an_id_is_refused(self, store: ObjectStore) -> None:
        """write_object does not store what the id does not name."""
        with pytest.raises(UsageError):
            write_object(store.root, blob_id(b"a"), b"b")

    def test_writing_twice_tells_and_refreshes(self, store: ObjectStore) -> None:
        """The second write is a no-op that makes the object young again for a prune."""
        oid = blob_id(b"twice")
        assert write_object(store.root, oid, b"twice") is True
        path = Path(store.loose_path(to_raw(oid)))
        os.utime(path, (1, 1))
        assert write_object(store.root, oid, b"twice") is False
        assert path.stat().st_mtime > 1000
        assert read_object(store.root, oid) == b"twice"

    def test_wrong_type_is_an_error(self, store: ObjectStore) -> None:
        """A blob where a tree is needed is damage, not a tree."""
        raw = store.write("blob", b"")
        with pytest.raises(CorruptObjectError, match="not a tree"):
            store.read(raw, expected="tree")


class TestPrefixes:
    """Shortened ids."""

    def test_prefix_finds_loose_and_reports_all(self, store: ObjectStore) -> None:
        """Every id that begins with the digits is returned, sorted."""
        ids = sorted(object_id("blob", b"%d" % n) for n in range(300))
        for n in range(300):
            store.write("blob", b"%d" % n)
        wanted = ids[0].removeprefix("sha256:")[:2]
        assert store.find_prefix(wanted) == [i for i in ids if i[7:9] == wanted]
        assert store.find_prefix("zz") == []
        assert store.find_prefix("../..") == []


_STREAM = """
import resource, sys
from pathlib import Path
from muse.core.commits import Signature
from muse.core.object_store import ObjectStore
from muse.core.refs import RefStore
from muse.core.transaction import Transaction
root, size = Path(sys.argv[1]), int(sys.argv[2])
block = bytes(range(256)) * 4096
def chunks():
    for _ in range(size // len(block)):
        yield block
store = ObjectStore(root)
store.refresh()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Transaction(store, RefStore(root), operation="t", who=Signature("a", "b", 0)) as tx:
    raw = tx.write_stream("blob", size, chunks())
total = sum(len(c) for c in store.open_stream(raw))
assert total == size, total
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(raw.hex(), after - before)
"""


@pytest.mark.slow
def test_big_files_are_streamed(tmp_path: Path, git: Run) -> None:
    """200 MiB go in and out with less than 64 MiB of memory, to the id that git gives."""
    init(tmp_path)
    size = 200 << 20
    out = subprocess.run(
        [sys.executable, "-c", _STREAM, str(tmp_path), str(size)],
        capture_output=True, check=True,
    ).stdout.decode().split()  # fmt: skip
    assert int(out[1]) * 1024 < 64 << 20, f"used {out[1]} KiB"
    path = tmp_path / ".muse/objects/sha256" / out[0][:2] / out[0][2:]
    digest = subprocess.run(["sha256sum", path], capture_output=True, check=True).stdout[:64]
    assert digest.decode() == out[0]


@given(kind=st.sampled_from(["blob", "tree", "commit", "tag"]), payload=st.binary(max_size=2000))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, kind: ObjectType, payload: bytes
) -> None:
    """Any payload of any type comes back as it was, whole or in chunks."""
    root = tmp_path_factory.mktemp("store")
    init(root)
    store = ObjectStore(root)
    raw: RawId = store.write(kind, payload)
    assert raw == raw_object_id(kind, payload)
    assert store.read(raw) == (kind, payload)
    assert store.stat(raw) == (kind, len(payload))
    stream: Iterator[bytes] = iter(store.open_stream(raw))
    assert b"".join(stream) == payload
    assert list(store.iter_loose()) == [raw]
