"""The bridge's own formats: the table of ids, payloads between id sizes, git's pack stream."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.types import ObjectType
from muse.ops.git_bridge import convert
from muse.ops.git_bridge.export_objects import is_hostile_name
from muse.ops.git_bridge.id_table import IdTable
from muse.ops.git_bridge.pack_stream import PackStream, format_header
from muse.ops.git_bridge.waiting import Waiting
from tests.ops.git_bridge_fixtures import FORMATS, make_git, run_git

PAIRS = st.dictionaries(st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32))


def open_table(folder: Path) -> IdTable:
    """Open the table that the tests below fill."""
    return IdTable(folder / ".muse" / "bridge", "t", key_size=20, value_size=32)


def many(count: int, seed: bytes = b"") -> dict[bytes, bytes]:
    """Return pairs that look like ids."""
    keys = (hashlib.sha1(seed + b"%d" % n).digest() for n in range(count))
    return {key: hashlib.sha256(key).digest() for key in keys}


class TestIdTable:
    @settings(max_examples=30, deadline=None)
    @given(batches=st.lists(PAIRS, max_size=12))
    def test_every_pair_is_found_again(
        self, batches: list[dict[bytes, bytes]], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Whatever is appended, in however many segments, is found by a new reader too."""
        folder = tmp_path_factory.mktemp("table")
        written: dict[bytes, bytes] = {}
        with_later = open_table(folder)
        for batch in batches:
            new = {key: value for key, value in batch.items() if key not in written}
            with_later.append(new)
            written |= new
        for table in (with_later, open_table(folder)):
            assert all(table.find(key) == value for key, value in written.items())
            assert table.find(b"\x42" * 20) == written.get(b"\x42" * 20)
            assert len(table) == len(written)

    def test_many_pairs_are_one_file_after_merging(self, tmp_path: Path) -> None:
        """Segments do not pile up, and none of their pairs is lost."""
        table = open_table(tmp_path)
        pairs: dict[bytes, bytes] = {}
        for number in range(20):
            batch = many(200, b"%d-" % number)
            table.append(batch)
            pairs |= batch
        assert len(list((tmp_path / ".muse" / "bridge").iterdir())) < 8
        table.merge()
        table.merge()
        assert len(list((tmp_path / ".muse" / "bridge").iterdir())) == 1
        again = open_table(tmp_path)
        assert all(again.find(key) == value for key, value in pairs.items())

    def test_a_merge_that_equals_a_segment_keeps_it(self, tmp_path: Path) -> None:
        """Merging a segment with a part of itself does not remove what it just wrote."""
        table = open_table(tmp_path)
        pairs = many(40)
        table.append(pairs)
        table.append(dict(list(pairs.items())[:1]))
        table.merge()
        assert all(open_table(tmp_path).find(key) == value for key, value in pairs.items())

    @pytest.mark.parametrize("damage", ["cut", "flip", "empty", "zeros"])
    def test_a_damaged_segment_is_ignored_and_named(self, tmp_path: Path, damage: str) -> None:
        """The rest is still found, and a merge drops the file."""
        table = open_table(tmp_path)
        table.append(many(50, b"a"))
        good = set((tmp_path / ".muse" / "bridge").iterdir())
        table.append(many(50, b"b"))
        (bad,) = set((tmp_path / ".muse" / "bridge").iterdir()) - good
        data = bad.read_bytes()
        bad.chmod(0o644)
        flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        bad.write_bytes(
            {"cut": data[:-7], "flip": flipped, "empty": b"", "zeros": bytes(len(data))}[damage]
        )
        again = open_table(tmp_path)
        assert again.damaged == [bad.name]
        assert all(again.find(key) == value for key, value in many(50, b"a").items())
        assert all(again.find(key) is None for key in many(50, b"b"))
        again.merge()
        assert not bad.exists()
        assert open_table(tmp_path).damaged == []

    def test_an_empty_table_makes_no_folder(self, tmp_path: Path) -> None:
        """Looking leaves no trace."""
        table = open_table(tmp_path)
        table.append({})
        assert table.find(bytes(20)) is None
        assert not (tmp_path / ".muse").exists()


class TestTrees:
    @settings(max_examples=60, deadline=None)
    @given(
        entries=st.lists(
            st.tuples(
                st.sampled_from([b"100644", b"100755", b"120000", b"40000"]),
                st.binary(min_size=1, max_size=9).filter(
                    lambda name: not set(name) & {0, 47} and not name.startswith(b".")
                ),
                st.binary(min_size=20, max_size=20),
            ),
            unique_by=lambda entry: entry[1],
        )
    )
    def test_a_tree_as_git_writes_it_comes_back_byte_for_byte(
        self, entries: list[convert.Entry]
    ) -> None:
        """Splitting and joining changes nothing where nothing has to change."""
        entries.sort(key=lambda e: e[1] + b"/" if e[0] == b"40000" else e[1])
        payload = convert.format_tree(entries, lambda raw: raw)
        parsed = convert.parse_tree(payload, 20)
        assert (parsed.entries, parsed.problems) == (entries, ())
        assert convert.format_tree(parsed.entries, lambda raw: raw) == payload

    @pytest.mark.parametrize(
        ("mode", "name", "kind"),
        [
            (b"160000", b"sub", convert.SUBMODULE),
            (b"100644", b".git", convert.UNSAFE_NAME),
            (b"40000", b".muse", convert.UNSAFE_NAME),
            (b"40000", b"..", convert.UNSAFE_NAME),
            (b"100644", b"a/b", convert.UNSAFE_NAME),
            (b"100644", b"", convert.UNSAFE_NAME),
            (b"10644", b"pipe", convert.UNKNOWN_MODE),
        ],
    )
    def test_what_cannot_be_held_is_left_out_and_named(
        self, mode: bytes, name: bytes, kind: str
    ) -> None:
        """The rest of the tree stays."""
        good = b"100644 zz\0" + bytes(20)
        parsed = convert.parse_tree(mode + b" " + name + b"\0" + bytes(20) + good, 20)
        assert parsed.entries == [(b"100644", b"zz", bytes(20))]
        assert parsed.problems == (convert.TreeProblem(kind, name),)

    @pytest.mark.parametrize(
        ("written", "canonical"),
        [
            (b"100664", b"100644"),
            (b"100775", b"100755"),
            (b"040000", b"40000"),
            (b"120777", b"120000"),
        ],
    )
    def test_old_modes_are_written_as_git_writes_them_today(
        self, written: bytes, canonical: bytes
    ) -> None:
        """The entry stays, and the change is named."""
        parsed = convert.parse_tree(written + b" f\0" + bytes(20), 20)
        assert parsed.entries == [(canonical, b"f", bytes(20))]
        assert [problem.kind for problem in parsed.problems] == [convert.ODD_MODE]

    def test_duplicates_and_wrong_order_are_put_right(self) -> None:
        """The first of two entries is taken, and the order is git's."""
        payload = b"".join(b"100644 %b\0%b" % (n, n * 20) for n in (b"b", b"a", b"b"))
        parsed = convert.parse_tree(payload, 20)
        assert [name for _, name, _ in parsed.entries] == [b"a", b"b"]
        assert {problem.kind for problem in parsed.problems} == {
            convert.DUPLICATE,
            convert.ODD_ORDER,
        }

    @settings(max_examples=100, deadline=None)
    @given(payload=st.binary(max_size=80))
    def test_any_bytes_are_a_tree_or_a_value_error(self, payload: bytes) -> None:
        """No other exception, and what is accepted can be written."""
        try:
            parsed = convert.parse_tree(payload, 20)
        except ValueError:
            return
        again = convert.parse_tree(convert.format_tree(parsed.entries, lambda raw: raw), 20)
        assert again == (parsed.entries, ())


class TestPeople:
    @pytest.mark.parametrize(
        ("line", "repaired"),
        [
            (b"author A <a@b> 12 +0100", b"author A <a@b> 12 +0100"),
            (b"author A <a@b 12 +0100", b"author A <a@b> 12 +0100"),
            (b"author A a@b", b"author A a@b <> 0 +0000"),
            (b"author A <a@b>", b"author A <a@b> 0 +0000"),
            (b"author A <a@b> yesterday", b"author A <a@b yesterday> 0 +0000"),
            (b"author ", b"author  <> 0 +0000"),
        ],
    )
    def test_a_line_that_git_only_shrugs_at_becomes_readable(
        self, line: bytes, repaired: bytes
    ) -> None:
        """What can be read stays, the rest is filled in; the message is not touched."""
        rest = line + b"\ncommitter C <c@d> 1 +0000\n\nauthor is not a header here\n"
        expected = repaired + b"\ncommitter C <c@d> 1 +0000\n\nauthor is not a header here\n"
        assert convert.repair_people(rest) == expected


class TestHostileNames:
    @pytest.mark.parametrize(
        "name",
        [b".git", b".GIT", b".Git ", b".git...", b"git~1", b"GIT~1", b".g\xe2\x80\x8cit", b".git:a",
         b".git\\hooks", b"a\\.git", b"..", b".", b""],
    )  # fmt: skip
    def test_what_some_system_takes_for_dot_git_is_hostile(self, name: bytes) -> None:
        """Case, short names, stream names and ignored characters do not hide it."""
        assert is_hostile_name(name)

    @pytest.mark.parametrize(
        "name", [b".gitignore", b".github", b"git", b"a.git", b"git~2", b"\xff"]
    )
    def test_other_names_are_not(self, name: bytes) -> None:
        """Names that only look similar pass."""
        assert not is_hostile_name(name)


class TestPackStream:
    @pytest.mark.parametrize("object_format", FORMATS)
    def test_git_takes_it_and_gives_every_object_back(
        self, tmp_path: Path, object_format: str
    ) -> None:
        """Types, sizes around each varint step, dense and compressible, whole and streamed."""
        repo = make_git(tmp_path / "g", object_format=object_format)
        sizes = [0, 1, 15, 16, 127, 511, 512, 2047, 2048, 65_535, 65_536, 300_000]
        payloads = [bytes((size * 7 + at * at) % 251 for at in range(size)) for size in sizes]
        objects: list[tuple[ObjectType, bytes]] = [("blob", data) for data in payloads]
        objects += [("tree", b""), ("blob", b"z" * 100_000)]
        objects += [("blob", random.Random(1).randbytes(100_000))]
        sent = bytearray()
        stream = PackStream(sent.extend, count=len(objects) + 2, object_format=object_format)
        for kind, payload in objects:
            stream.add(kind, payload)

        dense = random.Random(2).randbytes(50_000)

        def chunks(chunk: bytes) -> Iterator[bytes]:
            yield from (chunk for _ in range(100))

        stream.add_stream("blob", 500_000, chunks(b"chunk" * 1000))
        stream.add_stream("blob", 5_000_000, chunks(dense))
        stream.finish()
        run_git("index-pack", "--stdin", "--strict", cwd=repo, data=bytes(sent))
        for kind, payload in [*objects, ("blob", b"chunk" * 100_000), ("blob", dense * 100)]:
            frame = b"%b %d\0" % (kind.encode(), len(payload)) + payload
            digits = hashlib.new(object_format, frame).hexdigest()
            assert run_git("cat-file", kind, digits, cwd=repo) == payload

    def test_a_stream_without_end_is_refused_by_git(self, tmp_path: Path) -> None:
        """What was cut off leaves nothing behind."""
        repo = make_git(tmp_path / "g")
        sent = bytearray()
        PackStream(sent.extend, count=2, object_format="sha1").add("blob", b"x" * 600_000)
        with pytest.raises(AssertionError, match="early EOF"):
            run_git("index-pack", "--stdin", cwd=repo, data=bytes(sent))
        assert run_git("cat-file", "--batch-all-objects", "--batch-check", cwd=repo) == b""

    @given(size=st.integers(0, 2**60))
    def test_the_header_says_the_size(self, size: int) -> None:
        """Four bits, then seven a byte, low first."""
        first, *rest = format_header("blob", size)
        value, shift = first & 0x0F, 4
        for byte in rest:
            value |= (byte & 0x7F) << shift
            shift += 7
        assert (first >> 4) & 7 == 3
        assert value == size

    def test_a_stored_block_is_valid_zlib(self) -> None:
        """Small payloads are wrapped by hand; zlib unwraps them."""
        sent = bytearray()
        stream = PackStream(sent.extend, count=1, object_format="sha1")
        stream.add("commit", b"tree \n")
        stream.finish()
        assert zlib.decompress(sent[13:-20]) == b"tree \n"


class TestWaiting:
    def test_what_waits_comes_when_the_last_of_its_needs_does(self) -> None:
        """Also through others that wait, in an order in which each is possible."""
        waiting = Waiting()
        waiting.add(b"root", b"R", missing={b"a", b"b"})
        waiting.add(b"a", b"A", missing={b"b"})
        assert waiting.first_missing in {b"a", b"b"}
        assert list(waiting.arrive(b"x")) == []
        assert list(waiting.arrive(b"b")) == [(b"a", b"A"), (b"root", b"R")]
        assert waiting.first_missing is None
