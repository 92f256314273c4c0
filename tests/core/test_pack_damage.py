"""A damaged or hostile pack is an error that names the object, never wrong bytes."""

from __future__ import annotations

import os
import resource
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.errors import (
    CorruptFileError,
    CorruptObjectError,
    MuseError,
)
from muse.core.pack import Pack
from muse.core.pack_format import (
    CODE_OF_KIND,
    PACK_HEADER,
    Record,
    index_path,
)
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, from_raw, raw_object_id
from tests.core.packs import damage, forge, patch, write_pack

LEVELS = st.sampled_from([None, 1, 3])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a folder that could be a repository."""
    (tmp_path / ".muse").mkdir()
    return tmp_path


class TestDamage:
    """A damaged or hostile pack is an error that names the object, never wrong bytes (G4)."""

    @settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data(), level=LEVELS, keep_index=st.booleans())
    def test_any_change_anywhere(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        data: st.DataObject,
        level: int | None,
        keep_index: bool,
    ) -> None:
        """With any bytes flipped or cut off, a read gives the right bytes or one of our errors."""
        root = tmp_path_factory.mktemp("r")
        objects: list[tuple[ObjectType, bytes]] = [("blob", bytes([n]) * n * 5) for n in range(30)]
        path = write_pack(root, objects, level=level)
        if not keep_index:
            index_path(path).unlink()
        patch(path, damage(data))
        try:
            pack = Pack.open(path)
        except CorruptFileError:
            return
        for kind, payload in objects:
            raw = raw_object_id(kind, payload)
            try:
                assert pack.read(raw) in {(kind, payload), None}
                stream = pack.open_stream(raw)
                assert stream is None or b"".join(stream) == payload
            except CorruptObjectError as error:
                named = error.oid
            else:
                continue
            assert named == from_raw(raw)
        list(pack.ids())

    def test_one_bad_record_costs_one_object(self, root: Path) -> None:
        """Without an index, the walk finds everything on both sides of a destroyed header."""
        objects: list[tuple[ObjectType, bytes]] = [("blob", b"%d" % n * 50) for n in range(50)]
        path = write_pack(root, objects)
        victim = raw_object_id(*objects[20])
        offset = Pack.open(path).find(victim)
        assert offset is not None
        patch(path, lambda data: data.__setitem__(slice(offset, offset + 60), bytes(60)))
        index_path(path).unlink()
        pack = Pack.open(path)
        assert set(pack.ids()) == {raw_object_id(*o) for o in objects} - {victim}
        assert not index_path(path).exists(), "an index of a damaged pack would hide what is lost"

    @pytest.mark.parametrize("size", [1 << 62, 1 << 40, 1 << 33])
    def test_a_size_beyond_the_file_sets_no_memory_aside(self, root: Path, size: int) -> None:
        """A record that claims more bytes than its pack has is refused before it is believed."""
        raw = RawId(bytes(32))
        path = forge(root, (Record("blob", False, size, size, raw), b"tiny"))
        with pytest.raises(CorruptObjectError, match="beyond the end"):
            Pack.open(path).read(raw)

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_bomb_does_not_go_off(self, root: Path, stream: bool) -> None:
        """A frame that expands to another size than declared stops at the declared one."""
        import zstandard

        bomb = zstandard.ZstdCompressor(level=3).compress(bytes(1 << 28))
        raw = RawId(bytes(32))
        path = forge(root, (Record("blob", True, 1000, len(bomb), raw), bomb))
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), hard))
        try:
            pack = Pack.open(path)
            with pytest.raises(CorruptObjectError):
                list(pack.open_stream(raw) or ()) if stream else pack.read(raw)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    def test_an_impossible_ratio_is_refused(self, root: Path) -> None:
        """A few bytes cannot stand for terabytes, and no memory is set aside to find out."""
        import zstandard

        data = zstandard.ZstdCompressor().compress(bytes(100))
        raw = RawId(bytes(32))
        path = forge(root, (Record("blob", True, 1 << 45, len(data), raw), data))
        with pytest.raises(CorruptObjectError, match="contradict"):
            Pack.open(path).read(raw)

    def test_a_huge_window_is_refused(self, root: Path) -> None:
        """A frame that asks for more memory than any writer here needs is damaged for us."""
        import zstandard

        parameters = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=True)
        data = zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(b"")
        frame = data + struct.pack("<I", 0xFD2FB528) + b"\x00" + b"\xa0" + b"\x01\x00\x00"
        raw = RawId(bytes(32))
        path = forge(root, (Record("blob", True, 1, len(frame), raw), frame))
        with pytest.raises(CorruptObjectError):
            Pack.open(path).read(raw)
        with pytest.raises(CorruptObjectError):
            list(Pack.open(path).open_stream(raw) or ())

    def test_an_id_that_is_not_the_contents_is_refused(self, root: Path) -> None:
        """Bytes under another object's id are never returned."""
        raw = raw_object_id("blob", b"good")
        path = forge(root, (Record("blob", False, 3, 3, raw), b"bad"))
        pack = Pack.open(path)
        with pytest.raises(CorruptObjectError, match="hash"):
            pack.read(raw)
        with pytest.raises(CorruptObjectError, match="hash"):
            list(pack.open_stream(raw) or ())

    def test_the_type_belongs_to_the_hash(self, root: Path) -> None:
        """A tree's bytes handed out as a blob would be wrong bytes too."""
        raw = raw_object_id("tree", b"x")
        path = forge(root, (Record("blob", False, 1, 1, raw), b"x"))
        with pytest.raises(CorruptObjectError):
            Pack.open(path).read(raw)

    @pytest.mark.parametrize("content", [b"", b"MUSE", bytes(48), bytes(5000)])
    def test_what_is_no_pack_is_refused(self, root: Path, content: bytes) -> None:
        """An empty, short or zeroed file is an error that names it."""
        path = root / ("0" * 64 + ".mpack")
        path.write_bytes(content)
        with pytest.raises(CorruptFileError) as caught:
            Pack.open(path)
        assert caught.value.path == str(path)
        assert caught.value.hint

    def test_a_later_version_is_refused(self, root: Path) -> None:
        """A pack of a version that is not ours is said to be one, and not scanned for records."""
        path = write_pack(root, [("blob", b"x")])
        index_path(path).unlink()
        patch(path, lambda data: data.__setitem__(11, 2))
        with pytest.raises(CorruptFileError, match="version 2"):
            Pack.open(path)

    def test_a_pack_that_vanished_is_no_error(self, root: Path) -> None:
        """What a repack has taken away reads as "not here", so that the store looks elsewhere."""
        path = write_pack(root, [("blob", b"x")])
        pack = Pack.open(path)
        path.unlink()
        raw = raw_object_id("blob", b"x")
        assert pack.find(raw) is not None
        assert not any((pack.read(raw), pack.stat(raw), pack.open_stream(raw)))

    def test_a_pack_that_vanishes_while_streaming_is_read_to_its_end(self, root: Path) -> None:
        """A stream holds its file: a repack does not cut it off."""
        data = os.urandom(3 << 20)
        path = write_pack(root, [("blob", data)])
        stream = Pack.open(path).open_stream(raw_object_id("blob", data))
        assert stream is not None
        chunks = iter(stream)
        first = next(chunks)
        path.unlink()
        assert first + b"".join(chunks) == data

    @settings(deadline=None, max_examples=100)
    @given(content=st.binary(max_size=400))
    def test_any_bytes_behind_a_pack_header(
        self, tmp_path_factory: pytest.TempPathFactory, content: bytes
    ) -> None:
        """Arbitrary content is an empty pack or one of our errors."""
        path = tmp_path_factory.mktemp("r") / ("0" * 64 + ".mpack")
        path.write_bytes(PACK_HEADER + content)
        try:
            pack = Pack.open(path)
        except MuseError:
            return
        assert len(pack) == 0

    def test_every_type_has_a_code(self) -> None:
        """The format can hold each type of object that there is."""
        assert set(CODE_OF_KIND) == set(OBJECT_TYPES)
