"""An index is a convenience: what it loses, the pack gives back."""

from __future__ import annotations

import hashlib
import os
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core import pack as pack_module
from muse.core.errors import (
    IoFailedError,
)
from muse.core.pack import Pack
from muse.core.pack_format import (
    RECORD_SIZE,
    index_path,
)
from muse.core.pack_index import IndexDamagedError, PackIndex, encode_index
from muse.core.types import ObjectType, RawId, raw_object_id
from tests.core.packs import damage, patch, write_pack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a folder that could be a repository."""
    (tmp_path / ".muse").mkdir()
    return tmp_path


class TestIndex:
    """An index is a convenience: what it loses, the pack gives back."""

    def test_a_missing_index_is_rebuilt_to_the_same_bytes(self, root: Path) -> None:
        """A pack without an index is read, and its index is written as its writer had."""
        path = write_pack(root, [("blob", bytes([n])) for n in range(200)], level=1)
        original = index_path(path).read_bytes()
        index_path(path).unlink()
        assert len(Pack.open(path)) == 200
        assert index_path(path).read_bytes() == original

    def test_reading_needs_no_writing(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nothing can be written, or may not, the index lives in memory (G14)."""
        path = write_pack(root, [("blob", b"hello")])
        index_path(path).unlink()
        raw = raw_object_id("blob", b"hello")
        assert Pack.open(path, write=False).read(raw) == ("blob", b"hello")

        def refuse(*_: object, **__: object) -> None:
            raise IoFailedError("create a file", path="pack", error=OSError(30, "read-only"))

        monkeypatch.setattr(pack_module, "NewFile", refuse)
        assert Pack.open(path).read(raw) == ("blob", b"hello")
        assert not index_path(path).exists()

    @settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_a_damaged_index_never_gives_wrong_bytes(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """With any bytes of the index changed or cut, each object is right or, at worst, missing.

        After `recheck` it is right.
        """
        root = tmp_path_factory.mktemp("r")
        objects: list[tuple[ObjectType, bytes]] = [("blob", bytes([n]) * n) for n in range(40)]
        path = write_pack(root, objects)
        patch(index_path(path), damage(data))
        pack = Pack.open(path)
        for kind, payload in objects:
            assert pack.read(raw_object_id(kind, payload)) in {(kind, payload), None}
        pack.recheck()
        for kind, payload in objects:
            assert pack.read(raw_object_id(kind, payload)) == (kind, payload)

    def test_another_packs_index_is_not_believed(self, root: Path) -> None:
        """An index under the wrong name is replaced, not used."""
        one = write_pack(root, [("blob", b"one")])
        two = write_pack(root, [("blob", b"two")])
        other = index_path(two).read_bytes()
        patch(index_path(one), lambda data: data.__setitem__(slice(None), other))
        pack = Pack.open(one)
        assert pack.read(raw_object_id("blob", b"one")) == ("blob", b"one")
        assert pack.find(raw_object_id("blob", b"two")) is None

    def test_opening_reads_a_constant_amount(self, root: Path) -> None:
        """The table itself is not touched by opening: its damage shows only when it is asked."""
        ids = {RawId(hashlib.sha256(b"%d" % n).digest()): 16 for n in range(20_000)}
        size = len(ids) * RECORD_SIZE
        data = encode_index(ids, pack_hash=bytes(32), pack_size=size)
        path = root / "big.idx"
        path.write_bytes(data)
        index = PackIndex.open(path, pack_hash=bytes(32), pack_size=size)
        assert index is not None
        assert not isinstance(index._data, bytes)
        assert index.is_whole()
        assert all(index.find(raw) == 16 for raw in list(ids)[:100])

    def test_more_than_a_pack_can_hold(self, root: Path) -> None:
        """A count that no pack of that size can have is refused before the table is mapped."""
        ids = {RawId(hashlib.sha256(b"%d" % n).digest()): 16 for n in range(3)}
        path = root / "long.idx"
        size = len(ids) * RECORD_SIZE - 1
        path.write_bytes(encode_index(ids, pack_hash=bytes(32), pack_size=size))
        with pytest.raises(IndexDamagedError, match="more than its pack can hold"):
            PackIndex.open(path, pack_hash=bytes(32), pack_size=size)

    def test_prefixes(self, root: Path) -> None:
        """A prefix of any length finds exactly the ids that begin with it."""
        path = write_pack(root, [("blob", b"%d" % n) for n in range(600)])
        pack = Pack.open(path)
        ids = list(pack.ids())
        for digits in ("", "0", "00", "a3", "a3f", ids[7].hex(), ids[7].hex()[:9], "ff"):
            assert pack.find_prefix(digits) == [r for r in ids if r.hex().startswith(digits)]

    def test_many_packs_do_not_use_up_descriptors(self, root: Path) -> None:
        """More packs than descriptors can be open and read from at once."""
        count = pack_module._KEEP_OPEN + 60
        packs = [Pack.open(write_pack(root, [("blob", b"%d" % n)])) for n in range(count)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/self/fd"))
        limit = used + pack_module._KEEP_OPEN + 20
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            for n, pack in enumerate(packs):
                assert pack.read(raw_object_id("blob", b"%d" % n)) == ("blob", b"%d" % n)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
