"""Packs: what goes in comes out, and nothing else ever does."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.errors import (
    UsageError,
)
from muse.core.pack import Pack, PackWriter
from muse.core.pack_format import (
    HEADER_SIZE,
    RECORD_SIZE,
    index_path,
)
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, raw_object_id
from tests.core.packs import patch, write_pack

KINDS = st.sampled_from(OBJECT_TYPES)
OBJECTS = st.lists(st.tuples(KINDS, st.binary(max_size=3000)), max_size=30)
LEVELS = st.sampled_from([None, 1, 3])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a folder that could be a repository."""
    (tmp_path / ".muse").mkdir()
    return tmp_path


class TestRoundTrip:
    """What was added is read back, byte for byte, by its git id."""

    @settings(deadline=None, max_examples=60)
    @given(objects=OBJECTS, level=LEVELS)
    def test_all_objects_come_back(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        objects: list[tuple[ObjectType, bytes]],
        level: int | None,
    ) -> None:
        """Any objects, compressed or not, come back with type and bytes; no others are found."""
        root = tmp_path_factory.mktemp("r")
        writer = PackWriter(root, level=level)
        expected = {writer.add(kind, payload): (kind, payload) for kind, payload in objects}
        path = writer.finish()
        if path is None:
            assert not expected
            return
        pack = Pack.open(path)
        assert list(pack.ids()) == sorted(expected)
        assert len(pack) == len(expected)
        for raw, (kind, payload) in expected.items():
            assert raw == raw_object_id(kind, payload)
            assert pack.read(raw) == (kind, payload)
            assert pack.stat(raw) == (kind, len(payload))
            stream = pack.open_stream(raw)
            assert stream is not None
            assert (stream.kind, stream.size, b"".join(stream)) == (kind, len(payload), payload)
        missing = RawId(hashlib.sha256(b"missing").digest())
        assert not any((pack.read(missing), pack.stat(missing), pack.open_stream(missing)))

    def test_an_object_is_stored_once(self, root: Path) -> None:
        """Adding the same content again adds nothing, in whatever way it is added."""
        writer = PackWriter(root, level=1)
        big = bytes(range(256)) * 8192
        raw = writer.add("blob", big)
        size = writer.size_bytes
        assert writer.add_stream("blob", len(big), iter([big])) == raw
        writer.add_hashed(raw, "blob", big)
        assert (len(writer), writer.size_bytes) == (1, size)
        assert raw in writer

    def test_the_name_is_the_hash(self, root: Path) -> None:
        """A pack ends in the SHA-256 of what stands before it, and that is its name."""
        path = write_pack(root, [("blob", b"hello")])
        data = path.read_bytes()
        assert hashlib.sha256(data[:-32]).digest() == data[-32:] == bytes.fromhex(path.stem)
        index = index_path(path).read_bytes()
        assert hashlib.sha256(index[:-32]).digest() == index[-32:]

    def test_nothing_added_is_no_pack(self, root: Path) -> None:
        """A writer that was given nothing, or that is abandoned, leaves no file behind."""
        assert PackWriter(root).finish() is None
        writer = PackWriter(root)
        writer.add("blob", b"x")
        writer.abandon()
        assert list((root / ".muse/objects/pack").iterdir()) == []

    def test_the_same_pack_again_replaces_a_damaged_one(self, root: Path) -> None:
        """Writing what exists by name but is damaged makes it whole."""
        path = write_pack(root, [("blob", b"hello")])
        patch(path, lambda data: data.__setitem__(HEADER_SIZE + RECORD_SIZE, 0))
        patch(index_path(path), lambda data: data.__setitem__(-1, data[-1] ^ 1))
        assert write_pack(root, [("blob", b"hello")]) == path
        assert Pack.open(path).read(raw_object_id("blob", b"hello")) == ("blob", b"hello")

    def test_compression_only_where_it_pays(self, root: Path) -> None:
        """Noise is stored as it is; text gets smaller."""
        noise = os.urandom(5000)
        text = b"the quick brown fox " * 400
        writer = PackWriter(root, level=3)
        writer.add("blob", noise)
        before = writer.size_bytes
        assert before == HEADER_SIZE + RECORD_SIZE + len(noise)
        writer.add("blob", text)
        assert writer.size_bytes - before < len(text) // 4

    def test_a_level_that_does_not_exist_is_refused(self, root: Path) -> None:
        """Levels whose window a reader would not accept cannot be written."""
        with pytest.raises(UsageError):
            PackWriter(root, level=22)

    def test_records_can_be_copied(self, root: Path) -> None:
        """A compressed record moves to another pack without being compressed again."""
        text = b"the quick brown fox " * 400
        raw = raw_object_id("blob", text)
        source = Pack.open(write_pack(root, [("blob", text)], level=3))
        found = source.read_stored(raw)
        assert found is not None
        writer = PackWriter(root)
        writer.add_stored(*found)
        writer.add("blob", b"another, so that the name differs")
        path = writer.finish()
        assert path is not None
        assert Pack.open(path).read(raw) == ("blob", text)


class TestStreams:
    """Objects of any size pass with memory for a few chunks."""

    @pytest.mark.parametrize("level", [None, 1])
    @pytest.mark.parametrize("step", [1 << 20, 300_001])
    def test_a_stream_equals_its_bytes(self, root: Path, level: int | None, step: int) -> None:
        """A streamed object has the id and the bytes of the same object added whole."""
        data = os.urandom(1 << 20) + b"compressible " * 200_000
        writer = PackWriter(root, level=level)
        first = writer.add("blob", b"before")
        raw = writer.add_stream(
            "blob", len(data), (data[at : at + step] for at in range(0, len(data), step))
        )
        last = writer.add("blob", b"after")
        path = writer.finish()
        assert path is not None
        assert raw == raw_object_id("blob", data)
        pack = Pack.open(path)
        assert pack.read(raw) == ("blob", data)
        stream = pack.open_stream(raw)
        assert stream is not None
        chunks = list(stream)
        assert b"".join(chunks) == data
        assert max(map(len, chunks)) <= 1 << 20
        assert pack.read(first) == ("blob", b"before")
        assert pack.read(last) == ("blob", b"after")
        assert hashlib.sha256(path.read_bytes()[:-32]).hexdigest() == path.stem

    @pytest.mark.parametrize("size", [10, 3 << 20])
    @pytest.mark.parametrize("difference", [-1, 1])
    def test_content_that_changes_meanwhile_is_refused(
        self, root: Path, size: int, difference: int
    ) -> None:
        """A stream that is shorter or longer than announced leaves the pack as it was."""
        writer = PackWriter(root)
        kept = writer.add("blob", b"kept")
        data = bytes(size + difference)
        with pytest.raises(UsageError, match="not the"):
            writer.add_stream("blob", size, iter([data[:5], data[5:]]))
        later = writer.add("blob", b"later")
        path = writer.finish()
        assert path is not None
        pack = Pack.open(path)
        assert list(pack.ids()) == sorted([kept, later])
        assert hashlib.sha256(path.read_bytes()[:-32]).hexdigest() == path.stem

    def test_a_failing_source_leaves_the_pack_usable(self, root: Path) -> None:
        """An error from the source travels up, and the next object is added as if nothing was."""

        def source() -> Iterator[bytes]:
            yield bytes(2 << 20)
            raise OSError("gone")

        writer = PackWriter(root)
        with pytest.raises(OSError, match="gone"):
            writer.add_stream("blob", 3 << 20, source())
        raw = writer.add("blob", b"later")
        path = writer.finish()
        assert path is not None
        assert Pack.open(path).read(raw) == ("blob", b"later")

    @pytest.mark.slow
    @pytest.mark.parametrize("level", [None, 1])
    def test_memory_stays_flat(self, root: Path, level: int | None) -> None:
        """384 MiB go in and out within 64 MiB of address space above the idle process."""
        program = f"""
import resource, sys
from pathlib import Path
import zstandard
from muse.core.pack import Pack, PackWriter
def vm():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = vm() + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
block, count = bytes(1 << 20), 384
writer = PackWriter(Path({str(root)!r}), level={level})
raw = writer.add_stream("blob", count << 20, (block for _ in range(count)))
pack = Pack.open(writer.finish())
stream = pack.open_stream(raw)
assert sum(map(len, stream)) == count << 20
"""
        subprocess.run([sys.executable, "-c", program], check=True)
