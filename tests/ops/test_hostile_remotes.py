"""Every lie that a remote can tell: one error that names it, and this side is as it was.

These are lies at the level where all media meet. What a medium makes of bytes on a wire or in a
bucket is tested beside it.
"""

from __future__ import annotations

import itertools
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import pytest
import zstandard

from muse.core.errors import MuseError, RemoteError
from muse.core.paths import check_name, is_reserved_name
from muse.core.repo import Repository
from muse.core.types import ObjectId, RawId, from_raw, raw_object_id
from muse.ops.fetch import FetchOptions, FetchResult, fetch_from
from muse.ops.remote_config import RemoteInfo
from muse.ops.verify import verify
from muse.remotes.protocol import (
    CHUNK_BYTES,
    MAX_OFFERED,
    MAX_REFS,
    MAX_SHALLOW,
    ObjectRecord,
    RemoteRef,
)
from tests.remotes.liar import MAIN, Liar, lying_commit, make_story
from tests.remotes.repositories import add_commit, make_repo, record, snapshot

OID = ObjectId("sha256:" + "1" * 64)
# What a lie may cost: the buffers of a stream, and not what it claims.
MEMORY = 48 << 20


class _Huge(Sequence[RawId]):
    """A list that says that it is longer than any memory."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> RawId: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[RawId]: ...
    def __getitem__(self, at: int | slice) -> RawId | Sequence[RawId]:
        raise AssertionError("somebody began to read it")


def _branch(oid: ObjectId) -> list[RemoteRef]:
    return [RemoteRef(MAIN, oid)]


def _endless_records() -> Liar:
    """Offers one commit, and sends blobs for ever."""
    commit, tree, blob, refs = make_story(b"x")
    liar = Liar(refs, [commit, tree, blob])
    others = (record("blob", b"%d" % number) for number in itertools.count())
    liar.records = itertools.chain([commit], others)
    return liar


def _endless_blob(size: int) -> Liar:
    raw = RawId(b"\x07" * 32)
    chunks = itertools.repeat(bytes(CHUNK_BYTES))
    liar = Liar(_branch(from_raw(raw)))
    liar.announced = [raw]
    liar.records = [ObjectRecord(raw, "blob", size, None, chunks=chunks)]
    return liar


def _bomb() -> Liar:
    """A frame of few bytes that would be 1 GiB, said to be small."""
    frame = zstandard.ZstdCompressor().compressobj()
    data = b"".join(frame.compress(bytes(1 << 20)) for _ in range(1024)) + frame.flush()
    raw = RawId(b"\x07" * 32)
    return Liar(_branch(from_raw(raw)), [ObjectRecord(raw, "blob", 900_000, data, compressed=True)])


def _other_compression() -> Liar:
    data = zlib.compress(b"x" * 100)
    raw = raw_object_id("blob", b"x" * 100)
    return Liar(_branch(from_raw(raw)), [ObjectRecord(raw, "blob", 100, data, compressed=True)])


def _big_tree() -> Liar:
    raw = RawId(b"\x07" * 32)
    chunks = itertools.repeat(bytes(CHUNK_BYTES))
    liar = Liar(_branch(from_raw(raw)))
    liar.announced = [raw]
    liar.records = [ObjectRecord(raw, "tree", 1 << 40, None, chunks=chunks)]
    return liar


def _twice() -> Liar:
    commit, tree, blob, refs = make_story(b"x")
    liar = Liar(refs, [commit, tree, blob])
    liar.records = [commit, tree, tree, blob]
    return liar


def _cycle() -> Liar:
    """Two commits, each of which says that the other one is its parent."""
    ids = [RawId(b"\x01" * 32), RawId(b"\x02" * 32)]
    _, tree, blob, _ = make_story(b"x")
    records = [
        record(
            "commit",
            lying_commit(tree.raw).replace(
                b"\nauthor", b"\nparent %s\nauthor" % other.hex().encode(), 1
            ),
            raw,
        )
        for raw, other in zip(ids, reversed(ids), strict=True)
    ]
    return Liar(_branch(from_raw(ids[0])), [*records, tree, blob])


def _offering(ids: Sequence[RawId], *, shallow: tuple[RawId, ...] = ()) -> Liar:
    liar = Liar(_branch(OID))
    liar.announced, liar.shallow = ids, shallow
    return liar


def _listing(**changes: object) -> Liar:
    liar = Liar(_branch(OID))
    liar.listing = liar.listing._replace(**changes)  # type: ignore[arg-type]  # lies
    return liar


def _peeled() -> Liar:
    """A tag that is said to lead to what it does not lead to."""
    commit, tree, blob, refs = make_story(b"x")
    tag = RemoteRef("refs/tags/v1", from_raw(blob.raw), peeled=OID)
    return Liar([*refs, tag._replace(oid=ObjectId("sha256:zz"))], [commit, tree, blob])


def _no_id() -> Liar:
    commit, tree, blob, refs = make_story(b"x")
    liar = Liar(refs, [commit, tree, blob])
    liar.records = [commit, tree, blob._replace(raw=RawId(b"short"))]
    return liar


LIES: dict[str, tuple[Callable[[], Liar], str]] = {
    "records without end": (_endless_records, "not asked for"),
    "a blob without end": (lambda: _endless_blob(2 * CHUNK_BYTES), "more bytes|announced"),
    "a blob larger than the disk": (lambda: _endless_blob(1 << 62), "the disk has"),
    "a bomb": (_bomb, "sent sha256:0707"),
    "another compression": (_other_compression, "sent sha256"),
    "a tree of a terabyte": (_big_tree, "too large"),
    "the same record twice": (_twice, "came before"),
    "a record without an id": (_no_id, "without an id"),
    "a cycle": (_cycle, "hash"),
    "an offer without end": (lambda: _offering(_Huge(MAX_OFFERED + 1)), "more than any history"),
    "an offer of no ids": (lambda: _offering([RawId(b"short")]), "no object id"),
    "an offer of one id twice": (lambda: _offering([RawId(b"\1" * 32)] * 2), "twice"),
    "ends without end": (
        lambda: _offering([], shallow=(RawId(b"\1" * 32),) * (MAX_SHALLOW + 1)), "more than any",
    ),
    "ends that are no ids": (lambda: _offering([], shallow=(RawId(b"x"),)), "no object id"),
    "history that ends at nothing": (
        lambda: _offering([], shallow=(RawId(b"\1" * 32),)), "no such commit|incomplete|shallow",
    ),
    "refs without end": (
        lambda: _listing(refs=tuple(_branch(OID)) * (MAX_REFS + 1)), "more than",
    ),
    "a listing that ends at nonsense": (lambda: _listing(shallow=("../x",)), "history ends"),
    "a HEAD that leads out": (lambda: _listing(head="refs/heads/../../x"), "refused"),
    "a checked-out branch that is none": (lambda: _listing(checked_out="/etc"), "refused"),
    "nothing of what was offered": (lambda: _offering([RawId(b"\1" * 32)]), "incomplete"),
    "a tag of nonsense": (_peeled, "no object id"),
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    """A repository with a commit of its own."""
    repo = make_repo(tmp_path / "here")
    add_commit(repo, {b"mine": b"1"})
    return repo


def _fetch(here: Repository, liar: Liar, *, depth: int | None = None) -> FetchResult:
    origin = RemoteInfo("origin", "liar")
    return fetch_from(here, liar, origin, options=FetchOptions(depth=depth))  # type: ignore[arg-type]  # lies


@pytest.mark.parametrize("depth", [None, 3])
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_named_and_changes_nothing(here: Repository, lie: str, depth: int | None) -> None:
    """G9, G11: exit code 5, whoever said it in the message; refs as before; memory bounded."""
    make, said = LIES[lie]
    before, liar = snapshot(here), make()
    tracemalloc.start()
    try:
        with pytest.raises(RemoteError, match=said) as caught:
            _fetch(here, liar, depth=depth)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.exit_code == 5
    assert "the liar" in caught.value.message
    assert len(caught.value.message) < 1000
    assert snapshot(here) == before
    assert peak < MEMORY or lie in {"refs without end"}, peak
    report = verify(here)
    assert report.is_whole
    assert not (here.muse / "shallow").exists()


@pytest.mark.parametrize("name", [b".GIT", b".Muse", b".gIt"])
def test_names_that_are_the_same_where_case_is_folded(
    here: Repository, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """On a file system that folds case, ``.MUSE`` is ``.muse``, and ``.GIT`` is ``.git``."""
    for check in (check_name, is_reserved_name):
        defaults = check.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "fold", True)
    blob = record("blob", b"payload")
    tree = record("tree", b"40000 " + name + b"\0" + blob.raw)
    commit = record("commit", lying_commit(tree.raw))
    liar = Liar(_branch(from_raw(commit.raw)), [commit, tree, blob])
    before = snapshot(here)
    with pytest.raises(MuseError, match=from_raw(tree.raw)):
        _fetch(here, liar)
    assert snapshot(here) == before


def test_a_head_that_is_not_there_is_passed_over(here: Repository) -> None:
    """HEAD is a hint: a branch that does not exist is no reason to fail."""
    commit, tree, blob, refs = make_story(b"x")
    liar = Liar(refs, [commit, tree, blob])
    liar.listing = liar.listing._replace(head="refs/heads/nowhere")
    result = _fetch(here, liar)
    assert [ref.name for ref in result.refs] == ["refs/remotes/origin/main"]


def test_a_sender_that_stops_half_way_is_an_error(here: Repository) -> None:
    """What it has not sent is missing; what came is not in use."""
    commit, tree, blob, refs = make_story(b"x")
    liar = Liar(refs, [commit, tree, blob])

    def half() -> Iterator[ObjectRecord]:
        yield commit
        raise RemoteError("the liar went away.", hint="Try again.")

    liar.records = half()
    before = snapshot(here)
    with pytest.raises(RemoteError, match="went away"):
        _fetch(here, liar)
    assert snapshot(here) == before
