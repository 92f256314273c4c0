"""What every medium must do: subclass `RemoteConformance` and say how to make one.

A medium's test file gives two fixtures: ``place``, a fresh repository on the other side, and
``open_place``, which opens a `Remote` to it (as often as wanted: each is another client).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from muse.core.errors import (
    BadTransferError,
    MuseError,
    ObjectNotFoundError,
    RefChangedError,
    RemoteError,
)
from muse.core.reach import Reach
from muse.core.refs import HEADS, TAGS
from muse.core.repo import Repository
from muse.core.types import ObjectId, ObjectType, RawId, from_raw, raw_object_id, to_raw
from muse.remotes.protocol import (
    CHUNK_BYTES,
    UNLIMITED,
    ObjectRecord,
    RefListing,
    RefUpdate,
    Remote,
)
from muse.remotes.records import iter_records
from muse.remotes.walk import NewObjects
from tests.remotes.histories import write_tag
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable, record, set_ref

OpenPlace = Callable[[], Remote]
MAIN = HEADS + "main"


class Cancelled(Exception):  # noqa: N818  # what a caller's own exception may look like
    """Raised by a caller in the middle of a transfer."""


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    """Our own side: one commit of 120 files on ``main``."""
    repo = make_repo(tmp_path / "here")
    add_commit(repo, files_of(120))
    return repo


def ids_of(repo: Repository, *tips: ObjectId, known: Sequence[ObjectId] = ()) -> list[RawId]:
    """Return what some tips need."""
    walk = NewObjects(repo.objects, map(to_raw, tips), map(to_raw, known))
    return [found.raw for found in walk]


def tip(repo: Repository, name: str = MAIN) -> ObjectId:
    """Return what a ref names, which must exist."""
    oid = repo.refs.read(name)
    assert oid is not None
    return oid


def send_all(here: Repository, remote: Remote, *tips: ObjectId) -> int:
    """Send what some tips need; return how many objects that is."""
    ids = ids_of(here, *tips)
    return remote.receive(iter_records(here.objects, ids), count=len(ids)).objects


class RemoteConformance:
    """The behaviours of a medium. ``place`` is judged through a plain repository."""

    # -- listing ---------------------------------------------------------------------------

    def test_an_empty_place_lists_nothing(self, open_place: OpenPlace) -> None:
        """A new repository has no refs, and HEAD on the unborn default branch."""
        listing = open_place().list_refs()
        assert listing.refs == ()
        assert listing.head == MAIN
        assert listing.checked_out is None

    def test_lists_branches_and_tags_only(self, place: Repository, open_place: OpenPlace) -> None:
        """Refs that remember other remotes are nobody else's business."""
        oid = add_commit(place, {b"a": b"1"})
        set_ref(place, "refs/tags/v1", oid)
        set_ref(place, "refs/remotes/up/main", oid)
        listing = open_place().list_refs()
        assert [ref.name for ref in listing.refs] == [MAIN, TAGS + "v1"]
        assert listing.values() == {MAIN: oid, TAGS + "v1": oid}

    def test_annotated_tags_are_peeled(self, place: Repository, open_place: OpenPlace) -> None:
        """What a tag of a tag points at in the end is part of the listing."""
        oid = add_commit(place, {b"a": b"1"})
        inner = write_tag(place.objects, to_raw(oid), "commit")
        outer = from_raw(write_tag(place.objects, inner, "tag", "outer"))
        set_ref(place, TAGS + "outer", outer)
        (ref,) = [ref for ref in open_place().list_refs().refs if ref.name.startswith(TAGS)]
        assert (ref.oid, ref.peeled) == (outer, oid)

    def test_the_version_changes_with_the_listing(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """Two equal listings have one version, two different ones have two."""
        add_commit(place, {b"a": b"1"})
        before, again = open_place().list_refs(), open_place().list_refs()
        add_commit(place, {b"a": b"2"})
        assert before == again
        assert open_place().list_refs().version != before.version

    # -- receiving -------------------------------------------------------------------------

    def test_objects_arrive_whole(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """Everything that was sent is there, with its bytes."""
        assert send_all(here, open_place(), tip(here)) == 1 + 1 + 3 + 120
        for raw, kind in reachable(here).items():
            assert place.objects.read(raw) == here.objects.read(raw, expected=kind)

    def test_presence_is_told_by_id(self, here: Repository, open_place: OpenPlace) -> None:
        """Only what is there and whole is reported."""
        remote = open_place()
        ids = ids_of(here, tip(here))
        sent = ids[:40]
        remote.receive(iter_records(here.objects, sent), count=len(sent))
        assert set(remote.find_present(ids)) == set(sent)
        assert set(open_place().find_present(ids)) == set(sent)

    def test_a_large_object_is_streamed(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """An object of several chunks arrives as it was."""
        data = b"".join(b"%08d" % n for n in range(3 * CHUNK_BYTES // 8 + 5))
        raw = here.objects.write("blob", data)
        open_place().receive(iter_records(here.objects, [raw]), count=1)
        assert place.objects.read(raw) == ("blob", data)

    def test_a_cancelled_transfer_publishes_no_ref(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """An exception of the sender comes back as it is, and a repeated transfer completes."""
        ids = ids_of(here, tip(here))

        def stop_halfway() -> Iterator[ObjectRecord]:
            yield from iter_records(here.objects, ids[:60])
            raise Cancelled

        with pytest.raises(Cancelled):
            open_place().receive(stop_halfway(), count=len(ids))
        assert open_place().list_refs().refs == ()
        send_all(here, open_place(), tip(here))

    def test_a_failure_of_the_sender_keeps_its_name(
        self, here: Repository, open_place: OpenPlace
    ) -> None:
        """A missing object on our side is our error, not the remote's."""
        missing = RawId(b"\x07" * 32)
        with pytest.raises(ObjectNotFoundError, match=from_raw(missing)):
            open_place().receive(iter_records(here.objects, [missing]), count=1)

    @pytest.mark.parametrize(
        ("kind", "payload", "reason"),
        [
            ("tree", b"100644 ..\0" + b"\x01" * 32, "not a file name"),
            ("tree", b"40000 .muse\0" + b"\x01" * 32, "own folder"),
            ("tree", b"100644 a/b\0" + b"\x01" * 32, "not a file name"),
            ("tree", b"100644 a\0" + b"\x01" * 31, "no tree"),
            ("tree", b"100644 b\0" + b"\x01" * 32 + b"100644 a\0" + b"\x01" * 32, "out of order"),
            ("tree", b"160000 sub\0" + b"\x01" * 32, "unknown mode"),
            ("commit", b"tree nothing\n\n", "no commit"),
            ("tag", b"object nothing\n\n", "no tag"),
        ],
    )
    def test_hostile_objects_are_refused(
        self,
        place: Repository,
        open_place: OpenPlace,
        *,
        kind: ObjectType,
        payload: bytes,
        reason: str,
    ) -> None:
        """A tree that escapes, and what does not parse, is refused by name and not stored."""
        bad = record(kind, payload)
        with pytest.raises(BadTransferError, match=reason) as caught:
            open_place().receive([record("blob", b"good"), bad], count=2)
        assert caught.value.oid == from_raw(bad.raw)
        assert not place.objects.has(bad.raw)

    def test_lies_about_an_object_are_refused(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """Wrong id, wrong size, too many bytes, too few, not a zstd frame, an unknown type."""
        good = record("blob", b"some bytes")
        big = bytes(2 * CHUNK_BYTES)
        big_id = raw_object_id("blob", big)
        lies = [
            good._replace(raw=RawId(b"\x09" * 32)),
            good._replace(size=9),
            good._replace(size=11),
            good._replace(compressed=True),
            good._replace(kind="blub"),  # type: ignore[arg-type]  # that is the lie
            ObjectRecord(big_id, "blob", len(big), None, chunks=[big, b"x"]),
            ObjectRecord(big_id, "blob", len(big), None, chunks=[big[:-1]]),
            ObjectRecord(big_id, "blob", len(big), None, chunks=[big[:-1], b"x"]),
            ObjectRecord(big_id, "blob", len(big), big),
            ObjectRecord(big_id, "tree", 1 << 60, None, chunks=[big]),
        ]
        for lie in lies:
            with pytest.raises(BadTransferError):
                open_place().receive([lie], count=1)
        with pytest.raises(RemoteError, match="announced"):
            open_place().receive([good, record("blob", b"one more")], count=1)
        assert not place.objects.has(big_id)

    # -- moving refs -----------------------------------------------------------------------

    def test_refs_move_after_their_objects(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """A push in its four steps; the other side is whole afterwards."""
        remote = open_place()
        listing = remote.list_refs()
        send_all(here, remote, tip(here))
        remote.update_refs([RefUpdate(MAIN, None, tip(here))], version=listing.version)
        assert open_place().list_refs().values() == {MAIN: tip(here)}
        assert reachable(place) == reachable(here)

    def test_objects_of_an_earlier_session_count(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """What a killed client left is verified and used by the next one."""
        send_all(here, open_place(), tip(here))
        remote = open_place()
        remote.update_refs([RefUpdate(MAIN, None, tip(here))], version=remote.list_refs().version)
        assert reachable(place) == reachable(here)

    @pytest.mark.parametrize("gap", ["commit", "tree", "blob"])
    def test_a_gap_is_noticed(
        self, here: Repository, place: Repository, open_place: OpenPlace, *, gap: str
    ) -> None:
        """A ref does not move when anything that it needs has not arrived."""
        remote = open_place()
        ids = ids_of(here, tip(here))
        left_out = next(raw for raw in reversed(ids) if here.objects.stat(raw)[0] == gap)
        sent = [raw for raw in ids if raw != left_out]
        remote.receive(iter_records(here.objects, sent), count=len(sent))
        with pytest.raises(ObjectNotFoundError, match=from_raw(left_out)):
            remote.update_refs([RefUpdate(MAIN, None, tip(here))], version=_version(remote))
        assert remote.list_refs().refs == ()

    def test_the_loser_of_a_race_is_told_both_ids(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """Two clients saw the same refs; the second update is refused and changes nothing."""
        first, second = tip(here), add_commit(here, {b"b": b"2"})
        one, two = open_place(), open_place()
        seen = one.list_refs(), two.list_refs()
        send_all(here, one, second)
        one.update_refs([RefUpdate(MAIN, None, first)], version=seen[0].version)
        with pytest.raises(RefChangedError) as caught:
            two.update_refs([RefUpdate(MAIN, None, second)], version=seen[1].version)
        assert (caught.value.expected, caught.value.actual) == ("", first)
        assert one.list_refs().values() == {MAIN: first}

    def test_several_refs_move_together_or_not_at_all(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """One update that does not fit keeps all of them from happening."""
        remote = open_place()
        oid = tip(here)
        send_all(here, remote, oid)
        good = RefUpdate(HEADS + "a", None, oid)
        wrong = RefUpdate(HEADS + "b", oid, oid)
        with pytest.raises(RefChangedError):
            remote.update_refs([good, wrong], version=_version(remote))
        assert remote.list_refs().refs == ()
        more = [good, RefUpdate(HEADS + "c", None, oid), RefUpdate(TAGS + "v", None, oid)]
        remote.update_refs(more, version=_version(remote))
        assert len(remote.list_refs().refs) == 3

    def test_a_ref_is_deleted_by_compare_and_swap(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """Deleting takes the value that was seen, as any move does."""
        oid = add_commit(place, {b"a": b"1"}, branch="topic")
        remote = open_place()
        wrong = ObjectId("sha256:" + "1" * 64)
        with pytest.raises(RefChangedError):
            remote.update_refs([RefUpdate(HEADS + "topic", wrong, None)], version=_version(remote))
        remote.update_refs([RefUpdate(HEADS + "topic", oid, None)], version=_version(remote))
        assert remote.list_refs().refs == ()

    @pytest.mark.parametrize(
        "name",
        ["refs/heads/../../../x", "refs/heads/a..b", "HEAD", "refs/remotes/x/y", "refs/heads/a\nb"],
    )
    def test_names_that_escape_are_refused(
        self, here: Repository, place: Repository, open_place: OpenPlace, *, name: str
    ) -> None:
        """A ref's name is checked where it would be written."""
        remote = open_place()
        send_all(here, remote, tip(here))
        with pytest.raises(MuseError):
            remote.update_refs([RefUpdate(name, None, tip(here))], version=_version(remote))
        assert remote.list_refs().refs == ()

    def test_a_branch_names_a_commit(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """A branch that would name a blob is refused; a tag may."""
        blob = here.objects.write("blob", b"alone")
        remote = open_place()
        remote.receive(iter_records(here.objects, [blob]), count=1)
        with pytest.raises(BadTransferError, match="blob"):
            remote.update_refs([RefUpdate(MAIN, None, from_raw(blob))], version=_version(remote))
        update = RefUpdate(TAGS + "file", None, from_raw(blob))
        remote.update_refs([update], version=_version(remote))
        assert remote.list_refs().values() == {TAGS + "file": from_raw(blob)}

    # -- sending ---------------------------------------------------------------------------

    def test_an_offer_is_what_is_missing(self, place: Repository, open_place: OpenPlace) -> None:
        """Wants and haves are commits; the offer is what lies between."""
        files = files_of(120)
        first = add_commit(place, files)
        files[b"d0/f1"] = b"changed"
        second = add_commit(place, files)
        remote = open_place()
        assert len(remote.offer([second], [first]).ids) == 4
        assert len(remote.offer([second], []).ids) == 125 + 4
        assert list(remote.offer([second], [second]).ids) == []
        unknown = ObjectId("sha256:" + "1" * 64)
        assert len(remote.offer([second], [unknown, first]).ids) == 4

    def test_a_depth_ends_history(self, place: Repository, open_place: OpenPlace) -> None:
        """Depth counts commits from the wants, 1 for the wants alone; the end of it is told."""
        *_, third, fourth = commits = _line(place, 4)
        remote = open_place()
        offer = remote.offer([fourth], [], depth=2)
        assert _commits(place, offer.ids) == {third, fourth}
        assert list(map(from_raw, offer.shallow)) == [third]
        assert {raw for raw, _ in _below(place, third)} <= set(offer.ids)
        whole = remote.offer([fourth], [], depth=4)
        assert (_commits(place, whole.ids), whole.shallow) == (set(commits), ())
        assert set(whole.ids) == set(remote.offer([fourth], []).ids)

    def test_a_have_implies_nothing_below_where_it_ends(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """Without a depth nothing below the cut is offered; with one, what lies within it is."""
        first, second, third, fourth = _line(place, 4)
        remote = open_place()
        plain = remote.offer([fourth], [third], shallow=[third])
        assert (_commits(place, plain.ids), plain.shallow) == ({fourth}, ())
        assert len(plain.ids) == 4
        deeper = remote.offer([fourth], [third], depth=3, shallow=[third])
        assert _commits(place, deeper.ids) == {second, fourth}
        assert list(map(from_raw, deeper.shallow)) == [second]
        whole = remote.offer([fourth], [fourth], depth=UNLIMITED, shallow=[third])
        assert (_commits(place, whole.ids), whole.shallow) == ({first, second}, ())
        assert len(whole.ids) < len(remote.offer([second], []).ids) + 1

    def test_a_new_end_is_told_when_nothing_is_missing(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """Asked for less than the client has: nothing to send, and where history ends now."""
        *_, fourth = _line(place, 4)
        offer = open_place().offer([fourth], [fourth], depth=1)
        assert list(offer.ids) == []
        assert list(map(from_raw, offer.shallow)) == [fourth]

    def test_a_depth_compares_with_what_the_client_has(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """Files that the client has from another commit are not offered again for a cut one."""
        commits = _line(place, 4)
        offer = open_place().offer([commits[3]], [commits[0]], depth=1, shallow=[commits[0]])
        assert len(offer.ids) == 4

    def test_a_whole_place_says_so(self, place: Repository, open_place: OpenPlace) -> None:
        """A listing names the commits at which history there is cut off: none."""
        _line(place, 2)
        assert open_place().list_refs().shallow == ()

    def test_sent_records_are_what_was_offered(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """Every offered object but the skipped ones comes once, and is what its id says."""
        files = files_of(60)
        files[b"large"] = bytes(CHUNK_BYTES + 1)
        remote = open_place()
        offer = remote.offer([add_commit(place, files)], [])
        skip = {offer.ids[5]}
        came = []
        for each in remote.send(offer, skip=skip):
            payload = each.stored if each.stored is not None else b"".join(each.chunks)
            assert each.compressed or raw_object_id(each.kind, payload) == each.raw
            came.append(each.raw)
        assert sorted(came) == sorted(raw for raw in offer.ids if raw not in skip)

    def test_wanting_what_is_not_there_is_an_error_with_its_name(
        self, open_place: OpenPlace
    ) -> None:
        """A client that asks for an unknown commit is told which."""
        unknown = ObjectId("sha256:" + "1" * 64)
        with pytest.raises(RemoteError, match=unknown):
            open_place().offer([unknown], [])

    def test_closing_twice_is_fine(self, open_place: OpenPlace) -> None:
        """`close` may be called again."""
        remote = open_place()
        remote.close()
        remote.close()


def _version(remote: Remote) -> str:
    listing: RefListing = remote.list_refs()
    return listing.version


def _line(place: Repository, count: int) -> list[ObjectId]:
    """Make commits one on another, each of which changes one file of many."""
    files = files_of(60)
    commits = []
    for number in range(count):
        files[b"d0/f1"] = b"changed %d" % number
        commits.append(add_commit(place, files, message=f"{number}\n"))
    return commits


def _commits(place: Repository, ids: Iterable[RawId]) -> set[ObjectId]:
    return {from_raw(raw) for raw in ids if place.objects.stat(raw)[0] == "commit"}


def _below(place: Repository, commit: ObjectId) -> list[tuple[RawId, ObjectType]]:
    """Return the trees and blobs of one commit."""
    reach = Reach(place.objects)
    reach.walk([(place.commit(commit).tree, "tree")])
    return [(raw, "tree") for raw in reach.trees] + [(raw, "blob") for raw in reach.blobs]
