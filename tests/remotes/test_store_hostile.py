"""A store that lies: it is refused by name, and this side is left as it was (G4, G11)."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.errors import MuseError, RemoteError
from muse.core.repo import Repository
from muse.ops.clone import clone
from muse.ops.fetch import fetch
from muse.ops.push import push
from muse.ops.remote import add_remote
from muse.remotes.store_document import Document, PackEntry, parse_document
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable, snapshot

MAIN = "refs/heads/main"
_FIELDS = ["muse-store", "id", "serial", "drops", "head", "refs", "peeled", "packs", "recent"]
ID = "sha256:" + "1" * 64


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository that has pushed to a store in a folder."""
    made = make_repo(tmp_path / "repo")
    add_remote(made, "origin", f"store://{tmp_path}/store")
    add_commit(made, {b"large": bytes(range(256)) * 8192, **files_of(30)})
    push(made, remote="origin", branches=("main",))
    return made


def rewrite(tmp_path: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change the document."""
    path = tmp_path / "store" / "refs.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.unlink()
    path.write_text(json.dumps(document))


def rewrite_pack(tmp_path: Path, change: Callable[[bytearray, int], None]) -> None:
    """Change the bytes of the only pack; the index keeps a hash that fits."""
    (path,) = (tmp_path / "store" / "packs").iterdir()
    data = bytearray(path.read_bytes())
    count = struct.unpack_from(">I", data, 12)[0]
    end = 16 + 1024 + 40 + 32 + count * 40
    change(data, count)
    data[end - 32 : end] = hashlib.sha256(data[: end - 32]).digest()
    path.unlink()
    path.write_bytes(data)


def refused(tmp_path: Path) -> RemoteError:
    """Clone; the error, after which nothing is left."""
    with pytest.raises(RemoteError) as caught:
        clone(f"store://{tmp_path}/store", tmp_path / "copy", cwd=tmp_path)
    assert caught.value.hint
    return caught.value


class TestPacks:
    """Indexes and packs that lie."""

    @pytest.mark.parametrize("where", ["header", "record", "payload"])
    def test_wrong_bytes(self, tmp_path: Path, repo: Repository, where: str) -> None:
        """A flipped bit anywhere in the front is an object that is not what its name says."""

        def change(data: bytearray, count: int) -> None:
            at = 16 + 1024 + 40 + 32 + count * 40
            data[at + {"header": 0, "record": 20, "payload": 90}[where]] ^= 1

        rewrite_pack(tmp_path, change)
        if where == "header":
            # Nobody reads it: every object is whole.
            clone(f"store://{tmp_path}/store", tmp_path / "copy", cwd=tmp_path)
        else:
            refused(tmp_path)

    def test_an_index_that_points_elsewhere(self, tmp_path: Path, repo: Repository) -> None:
        """Offsets that are swapped, outside, or all the same."""

        def offsets(values: Callable[[int, list[int]], int]) -> Callable[[bytearray, int], None]:
            def change(data: bytearray, count: int) -> None:
                at = 1040 + count * 32
                old = list(struct.unpack_from(f">{count}Q", data, at))
                struct.pack_into(f">{count}Q", data, at, *(values(n, old) for n in range(count)))

            return change

        (path,) = (tmp_path / "store" / "packs").iterdir()
        good = path.read_bytes()
        for values in (
            lambda n, old: old[n - 1],
            lambda n, old: 1 << 60,
            lambda n, old: (1 << 64) - 1,
            lambda n, old: 16,
            lambda n, old: 0,
            lambda n, old: old[n] + 1,
        ):
            path.unlink()
            path.write_bytes(good)
            rewrite_pack(tmp_path, offsets(values))
            refused(tmp_path)

    def test_an_index_of_another_pack(self, tmp_path: Path, repo: Repository) -> None:
        """Its owner's hash is compared."""

        def change(data: bytearray, count: int) -> None:
            data[1040 + count * 40 + 8] ^= 1

        rewrite_pack(tmp_path, change)
        assert "another pack" in refused(tmp_path).message

    @pytest.mark.parametrize("cut", [1, 1000, 100_000])
    def test_a_pack_that_is_cut_short(self, tmp_path: Path, repo: Repository, cut: int) -> None:
        """Bytes that are announced and not there."""
        (path,) = (tmp_path / "store" / "packs").iterdir()
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[:-cut])
        if cut > 1:
            refused(tmp_path)

    def test_a_fetch_leaves_this_side_as_it_was(self, tmp_path: Path, repo: Repository) -> None:
        """No ref moves, and once the store is right again the same fetch works."""
        copy_root = tmp_path / "copy"
        clone(f"store://{tmp_path}/store", copy_root, cwd=tmp_path)
        copy = Repository(copy_root)
        old = set((tmp_path / "store" / "packs").iterdir())
        add_commit(repo, files_of(40, seed=b"x"))
        push(repo, remote="origin", branches=("main",))
        packs = list(set((tmp_path / "store" / "packs").iterdir()) - old)
        good = packs[0].read_bytes()
        packs[0].unlink()
        packs[0].write_bytes(good[:3000] + bytes(len(good) - 3000))
        before = snapshot(copy)
        with pytest.raises(RemoteError):
            fetch(copy, remote="origin")
        assert snapshot(copy) == before
        packs[0].unlink()
        packs[0].write_bytes(good)
        fetch(copy, remote="origin")
        assert reachable(copy) == reachable(repo)


class TestDocuments:
    """Documents that lie."""

    @pytest.mark.parametrize(
        "name",
        [
            "refs/heads/../../x",
            "refs/heads/a\x1b[31m",
            "HEAD",
            "refs/remotes/o/m",
            "refs/heads/a.lock",
        ],
    )
    def test_names(self, tmp_path: Path, repo: Repository, name: str) -> None:
        """A ref that could escape is refused, and shown without control characters."""
        rewrite(tmp_path, lambda d: d.update(refs={name: ID}))
        assert refused(tmp_path).message.isprintable()

    @pytest.mark.parametrize(
        "change",
        [
            {"packs": [["x", 1, 1, 1, 1]]},
            {"packs": [["../../../etc/passwd", 2000, 1152, 20, 1]]},
            {"packs": [["0" * 64 + "-" + "0" * 16, 1 << 62, 1112, 20, 0]]},
            {"packs": [["0" * 64 + "-" + "0" * 16, 4000, 1112 + 40 * (1 << 30), 20, 1 << 30]]},
            {"packs": [["0" * 64 + "-" + "0" * 16, 4000, 1152, 1 << 50, 1]]},
            {"packs": [["0" * 64 + "-" + "0" * 16, True, 1152, 20, 1]]},
            {"packs": {}},
            {"refs": {"refs/heads/main": "main"}},
            {"refs": []},
            {"head": None},
            {"serial": -1},
            {"serial": 1.5},
            {"recent": ["x"]},
            {"id": "../x"},
        ],
    )
    def test_values(self, tmp_path: Path, repo: Repository, change: dict[str, object]) -> None:
        """Counts, sizes and types that cannot be true."""
        rewrite(tmp_path, lambda d: d.update(change))
        refused(tmp_path)

    def test_a_later_format(self, tmp_path: Path, repo: Repository) -> None:
        """It says what to do."""
        rewrite(tmp_path, lambda d: d.update({"muse-store": 2}))
        assert "newer Muse" in refused(tmp_path).hint

    def test_a_ref_to_what_is_not_there(self, tmp_path: Path, repo: Repository) -> None:
        """A commit that no pack has is named."""
        rewrite(tmp_path, lambda d: d.update(refs={MAIN: ID}))
        assert ID in refused(tmp_path).message

    def test_a_huge_document(self, tmp_path: Path, repo: Repository) -> None:
        """It is not read."""
        with open(tmp_path / "store" / "huge", "wb") as file:
            file.truncate((256 << 20) + 1)
        (tmp_path / "store" / "refs.json").unlink()
        (tmp_path / "store" / "huge").rename(tmp_path / "store" / "refs.json")
        assert "more than" in refused(tmp_path).message

    @settings(max_examples=150, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.sampled_from([*_FIELDS, MAIN, "x"]), inner, max_size=6)
            ),
            max_leaves=20,
        )
    )
    def test_any_json(self, found: object) -> None:
        """Whatever it holds, it is read or refused, with no other error."""
        base = json.loads(Document.new().encode())
        for candidate in (found, {**base, **found} if isinstance(found, dict) else base):
            try:
                parse_document(json.dumps(candidate).encode(), shown="here")
            except MuseError as error:
                assert error.exit_code == 5

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, 1 << 20), st.integers(0, 1 << 30))
    def test_what_is_written_is_read(self, objects: int, more: int) -> None:
        """A document comes back as it was."""
        index = 1112 + 40 * objects
        entry = PackEntry("a" * 64 + "-" + "b" * 16, index + 48 + more, index, 16, objects)
        document = Document.new().with_packs([entry]).next("0" * 16)
        assert parse_document(document.encode(), shown="here") == document
