"""Records leave a store once each, verified, whatever it is made of."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from muse.core.errors import CorruptObjectError, ObjectNotFoundError
from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.pack_format import expand
from muse.core.trees import EMPTY_TREE
from muse.core.types import RawId, from_raw, raw_object_id
from muse.remotes.protocol import CHUNK_BYTES, ObjectRecord
from muse.remotes.records import find_whole, iter_records, keep_young

COUNT = 600


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store's folder: loose objects, a plain pack, a compressed one, and large objects."""
    rng = random.Random(1)
    (tmp_path / ".muse/objects/pack").mkdir(parents=True)
    store = ObjectStore(tmp_path)
    for level in (None, 3):
        writer = PackWriter(tmp_path, level=level)
        for number in range(COUNT // 2):
            writer.add("blob", b"%d of %r, " % (number, level) * rng.randint(1, 400))
        writer.add("blob", rng.randbytes(CHUNK_BYTES + 1 + (level or 0)))
        writer.finish()
    for number in range(20):
        store.write("blob", b"loose %d" % number)
    store.write("blob", bytes(CHUNK_BYTES + 7))
    return tmp_path


def payload_of(each: ObjectRecord) -> bytes:
    """Return a record's content."""
    if each.stored is None:
        return b"".join(each.chunks)
    return expand(each.stored, each.size) if each.compressed else each.stored


def all_ids(store: ObjectStore) -> list[RawId]:
    """Return everything in a store, shuffled."""
    ids = [*store.iter_loose(), *(raw for pack in store.packs() for raw in pack.ids())]
    random.Random(2).shuffle(ids)
    return ids


@pytest.mark.parametrize("count", [10, COUNT + 23])
def test_each_comes_once_and_whole(root: Path, count: int) -> None:
    """Few are looked up, many are read from end to end; both give the same."""
    store = ObjectStore(root)
    ids = all_ids(store)[:count]
    came = []
    for each in iter_records(store, ids):
        assert raw_object_id(each.kind, payload_of(each)) == each.raw
        came.append(each.raw)
    assert sorted(came) == sorted(ids)


def test_damage_is_named_unless_there_is_a_good_copy(root: Path) -> None:
    """A flipped byte in a pack stops the transfer, and does not when the object is loose, too."""
    store = ObjectStore(root)
    ids = all_ids(store)
    plain = next(pack for pack in store.packs() if b" of None, " in pack.path.read_bytes())
    data = bytearray(plain.path.read_bytes())
    raw = next(plain.ids())
    content = store.read(raw)[1]
    data[data.index(content) + 3] ^= 1
    plain.path.chmod(0o644)
    plain.path.write_bytes(bytes(data))
    with pytest.raises(CorruptObjectError, match=from_raw(raw)):
        list(iter_records(ObjectStore(root), ids))
    assert find_whole(ObjectStore(root), ids) == set(ids) - {raw}
    store.write("blob", content)
    assert len(list(iter_records(ObjectStore(root), ids))) == len(ids)
    assert find_whole(ObjectStore(root), ids) == set(ids)


def test_what_is_not_there(root: Path) -> None:
    """A missing object is an error with its name; the empty tree is known without being stored."""
    store = ObjectStore(root)
    missing = RawId(b"\x01" * 32)
    with pytest.raises(ObjectNotFoundError, match=from_raw(missing)):
        list(iter_records(store, [*all_ids(store), missing]))
    (empty,) = iter_records(store, [EMPTY_TREE])
    assert (empty.kind, empty.stored) == ("tree", b"")
    assert find_whole(store, [missing, EMPTY_TREE]) == set()


def test_a_pack_that_is_repacked_meanwhile(root: Path) -> None:
    """It vanishes while its objects are on their way: they come from where they are now."""
    store = ObjectStore(root)
    ids = all_ids(store)
    records = iter_records(store, ids)
    came = [next(records).raw]
    everything = {raw: store.read(raw) for raw in ids}
    for pack in store.packs():
        pack.path.unlink()
        pack.path.with_suffix(".idx").unlink()
        pack.close()
    writer = PackWriter(root)
    for kind, content in everything.values():
        writer.add(kind, content)
    writer.finish()
    came += [each.raw for each in records]
    assert sorted(came) == sorted(ids)


def test_keeping_young(root: Path) -> None:
    """The files of the named objects get a new time, packs included; others stay old."""
    import os

    store = ObjectStore(root)
    loose, other = list(store.iter_loose())[:2]
    first, second = store.packs()
    paths = [Path(store.loose_path(raw)) for raw in (loose, other)] + [first.path, second.path]
    for path in paths:
        os.utime(path, (1, 1))
    keep_young(store, [loose, next(first.ids())])
    assert [path.stat().st_mtime > 1 for path in paths] == [True, False, True, False]
