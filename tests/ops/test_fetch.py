"""`fetch`: what it brings, what it refuses, and that it leaves our own branches alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.errors import BadTransferError, MuseError, RefNotFoundError, RemoteError
from muse.core.object_store import ObjectStore
from muse.core.refs import HEADS, TAGS
from muse.core.repo import Repository
from muse.core.types import ObjectId, RawId, from_raw, raw_object_id, to_raw
from muse.ops.fetch import FetchOptions, FetchResult, fetch, fetch_from
from muse.ops.push import push
from muse.ops.remote_config import find_remote
from muse.ops.verify import verify
from muse.remotes.protocol import (
    RemoteRef,
    TransferProgress,
)
from tests.remotes.histories import write_tag
from tests.remotes.liar import Liar, lying_commit, make_story
from tests.remotes.repositories import (
    add_commit,
    files_of,
    make_repo,
    reachable,
    record,
    set_ref,
    settle,
    snapshot,
    write_tree,
)

MAIN = HEADS + "main"
TRACKING = "refs/remotes/origin/main"


@pytest.fixture
def there(tmp_path: Path) -> Repository:
    """A repository to fetch from: a commit of 120 files."""
    repo = make_repo(tmp_path / "there")
    add_commit(repo, files_of(120))
    return repo


@pytest.fixture
def here(tmp_path: Path, there: Repository) -> Repository:
    """An empty repository with that one as ``origin``."""
    return make_repo(tmp_path / "here", origin=there.root)


def states(result: FetchResult) -> dict[str, str]:
    """Return what became of each ref."""
    return {ref.name: ref.state for ref in result.refs}


class TestBranches:
    """``refs/remotes/<remote>/`` becomes what the other side has."""

    def test_the_first_fetch_brings_all(self, here: Repository, there: Repository) -> None:
        """Objects and the refs that remember the branches; our own branches stay."""
        add_commit(there, {b"t": b"1"}, branch="topic/one")
        result = fetch(here)
        assert states(result) == {TRACKING: "new", "refs/remotes/origin/topic/one": "new"}
        assert here.refs.read(TRACKING) == there.refs.read(MAIN)
        assert here.refs.read(MAIN) is None
        assert reachable(here) == reachable(there)
        assert result.head == MAIN

    def test_one_change_brings_what_changed(self, here: Repository, there: Repository) -> None:
        """A commit, two trees and a file."""
        fetch(here)
        add_commit(there, {**files_of(120), b"d1/f60": b"changed"})
        result = fetch(here)
        assert (result.objects, states(result)) == (4, {TRACKING: "updated"})
        assert reachable(here) == reachable(there)

    def test_nothing_new(self, here: Repository) -> None:
        """Says so, and changes nothing."""
        fetch(here)
        before = snapshot(here)
        result = fetch(here)
        assert (result.up_to_date, result.objects) == (True, 0)
        assert snapshot(here) == before

    def test_a_rewritten_branch(self, here: Repository, there: Repository) -> None:
        """It is followed, and the result says that its history was rewritten."""
        fetch(here)
        set_ref(there, MAIN, None)
        add_commit(there, {b"new": b"start"})
        assert states(fetch(here)) == {TRACKING: "forced"}
        assert here.refs.read(TRACKING) == there.refs.read(MAIN)

    def test_our_own_commits_help(self, here: Repository, there: Repository) -> None:
        """What our branches have is not sent, though nothing remembers the other side."""
        fetch(here)
        set_ref(here, MAIN, here.refs.read(TRACKING))
        set_ref(here, TRACKING, None)
        add_commit(there, {**files_of(120), b"x": b"1"})
        assert fetch(here).objects == 3

    def test_a_branch_that_went_back(self, here: Repository, there: Repository) -> None:
        """What is reachable here already is not asked for."""
        old = there.refs.read(MAIN)
        add_commit(there, {b"b": b"2"})
        fetch(here)
        set_ref(there, MAIN, old)
        result = fetch(here)
        assert (result.objects, states(result)) == (0, {TRACKING: "forced"})

    def test_pruning(self, here: Repository, there: Repository) -> None:
        """Without it the stale ref is named; with it the ref is gone."""
        set_ref(there, HEADS + "topic", there.refs.read(MAIN))
        fetch(here)
        set_ref(there, HEADS + "topic", None)
        assert fetch(here).stale == ("refs/remotes/origin/topic",)
        result = fetch(here, options=FetchOptions(prune=True))
        assert states(result) == {"refs/remotes/origin/topic": "pruned"}
        assert here.refs.read("refs/remotes/origin/topic") is None

    def test_a_name_that_became_a_folder(self, here: Repository, there: Repository) -> None:
        """``topic`` there became ``topic/two``: the hint says to prune, and pruning works."""
        set_ref(there, HEADS + "topic", there.refs.read(MAIN))
        fetch(here)
        set_ref(there, HEADS + "topic", None)
        set_ref(there, HEADS + "topic/two", there.refs.read(MAIN))
        with pytest.raises(MuseError) as caught:
            fetch(here)
        assert "--prune" in caught.value.hint
        fetch(here, options=FetchOptions(prune=True))
        assert here.refs.read("refs/remotes/origin/topic/two") == there.refs.read(MAIN)

    def test_an_empty_remote(self, here: Repository, tmp_path: Path) -> None:
        """Nothing there is nothing wrong."""
        make_repo(tmp_path / "empty", bare=True)
        repo = make_repo(tmp_path / "r", origin=tmp_path / "empty")
        assert fetch(repo).up_to_date

    def test_which_remote(self, here: Repository, tmp_path: Path) -> None:
        """An unknown name, and a remote that is gone, are told apart by their exit codes."""
        with pytest.raises(RefNotFoundError) as unknown:
            fetch(here, remote="nowhere")
        assert unknown.value.exit_code == 4
        (tmp_path / "there").rename(tmp_path / "moved")
        with pytest.raises(RemoteError) as gone:
            fetch(here)
        assert gone.value.exit_code == 5


class TestTags:
    """Tags come along when what they point at does."""

    def test_tags_on_what_was_fetched(self, here: Repository, there: Repository) -> None:
        """Light and annotated ones; one on another history does not come."""
        oid = there.refs.read(MAIN)
        assert oid is not None
        tag = from_raw(write_tag(there.objects, to_raw(oid), "commit"))
        set_ref(there, TAGS + "v1", tag)
        set_ref(there, TAGS + "light", oid)
        alone = add_commit(there, {b"elsewhere": b"1"}, branch="gone", parents=())
        set_ref(there, TAGS + "alone", alone)
        set_ref(there, HEADS + "gone", None)
        fetch(here)
        assert {name: here.refs.read(TAGS + name) for name in ("v1", "light", "alone")} == {
            "v1": tag,
            "light": oid,
            "alone": None,
        }
        fetch(here, options=FetchOptions(tags=True))
        assert here.refs.read(TAGS + "alone") == alone
        assert reachable(here).keys() >= {to_raw(tag), to_raw(alone)}

    def test_a_tag_that_comes_later(self, here: Repository, there: Repository) -> None:
        """A tag put on a commit that we have is one more object."""
        fetch(here)
        oid = there.refs.read(MAIN)
        assert oid is not None
        set_ref(there, TAGS + "v1", from_raw(write_tag(there.objects, to_raw(oid), "commit")))
        result = fetch(here)
        assert (result.objects, states(result)) == (1, {TAGS + "v1": "new"})

    def test_our_tag_stays(self, here: Repository, there: Repository) -> None:
        """A tag of the same name is not overwritten; the result says so."""
        ours = add_commit(here, {b"mine": b"1"})
        set_ref(here, TAGS + "v1", ours)
        set_ref(there, TAGS + "v1", there.refs.read(MAIN))
        assert states(fetch(here)) == {TRACKING: "new", TAGS + "v1": "kept"}
        assert here.refs.read(TAGS + "v1") == ours


class TestInterruption:
    """What arrived is kept; what was not complete is not used."""

    def test_the_rest_is_brought_later(
        self, here: Repository, there: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cancelled fetch moves no ref, and the next one brings what is missing."""
        monkeypatch.setattr("muse.remotes.intake._MIN_PART_BYTES", 500)

        def stop(progress: TransferProgress) -> None:
            if progress.objects == 100:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fetch(here, progress=stop)
        assert here.refs.read(TRACKING) is None
        result = fetch(here)
        assert result.present >= 90
        assert result.objects + result.present == 125
        assert reachable(here) == reachable(there)

    def test_objects_without_a_ref_are_verified(self, here: Repository, there: Repository) -> None:
        """All objects lie here but one, which nobody noticed: it is brought."""
        fetch(here)
        set_ref(here, TRACKING, None)
        settle(here)
        (pack,) = here.objects.packs()
        data = bytearray(pack.path.read_bytes())
        data[data.index(b" content of 7\n")] ^= 1
        pack.path.chmod(0o644)
        pack.path.write_bytes(bytes(data))
        result = fetch(Repository(here.root))
        assert (result.objects, result.present) == (1, 124)
        reachable(Repository(here.root))


class TestRepair:
    """``--refetch`` brings back what was damaged or lost here, and nothing else."""

    def test_damaged_and_missing_objects(self, here: Repository, there: Repository) -> None:
        """A flipped file, a lost file and a lost tree come back; the rest is not sent again."""
        add_commit(there, {b"d/one": b"first", b"d/two": b"second"})
        fetch(here)
        settle(here)
        blob, gone = (raw_object_id("blob", data) for data in (b"first", b"second"))
        tree = next(raw for raw, kind in reachable(here).items() if kind == "tree")
        path = Path(here.objects.loose_path(blob))
        # All of it lies in the one pack of the fetch, so the pack goes, and loose copies come.
        kept = {raw: here.objects.read(raw) for raw in reachable(here) if raw not in {gone, tree}}
        for pack in here.objects.packs():
            pack.path.unlink()
            pack.path.with_suffix(".idx").unlink()
        here = Repository(here.root)
        for kind, payload in kept.values():
            here.objects.write(kind, payload)
        path.chmod(0o644)
        path.write_bytes(b"rubbish")
        assert fetch(here).objects == 0
        result = fetch(here, options=FetchOptions(refetch=True))
        assert (result.objects, result.up_to_date) == (3, True)
        assert reachable(Repository(here.root)) == reachable(there)


class TestHostileRemotes:
    """A remote that lies gets an error that names the lie, and changes nothing here."""

    @pytest.fixture
    def before(self, here: Repository) -> dict[str, bytes]:
        """Our refs before the lie."""
        add_commit(here, {b"mine": b"1"})
        return snapshot(here)

    @staticmethod
    def fetch_lies(here: Repository, liar: Liar) -> str:
        """Fetch from it, and return the error's message."""
        with pytest.raises(BadTransferError) as caught:
            fetch_from(here, liar, find_remote(here, "origin"))  # type: ignore[arg-type]  # lies
        assert caught.value.exit_code == 5
        assert "the liar" in caught.value.message
        return caught.value.message

    @pytest.mark.parametrize(
        "name",
        [
            "refs/heads/../../config.toml",
            "refs/heads/a/../../../x",
            "refs/heads/a..b",
            "refs/heads/x.lock",
            "refs/heads/\x1b[2Jx",
            "refs/heads/" + "x" * 2000,
            "refs/remotes/origin/main",
            "HEAD",
            "",
            "/etc/passwd",
        ],
    )
    def test_names_of_refs(self, here: Repository, before: dict[str, bytes], name: str) -> None:
        """A name that may not exist is refused before anything is asked for, and shown safely."""
        message = self.fetch_lies(here, Liar([RemoteRef(name, ObjectId("sha256:" + "1" * 64))]))
        assert "\x1b" not in message
        assert len(message) < 1500
        assert snapshot(here) == before

    def test_values_of_refs(self, here: Repository, before: dict[str, bytes]) -> None:
        """A value that is no id, twice the same name, a name that is another's folder."""
        oid = ObjectId("sha256:" + "1" * 64)
        self.fetch_lies(here, Liar([RemoteRef(MAIN, ObjectId("../../x"))]))
        self.fetch_lies(here, Liar([RemoteRef(MAIN, oid), RemoteRef(MAIN, oid)]))
        self.fetch_lies(here, Liar([RemoteRef(MAIN, oid), RemoteRef(MAIN + "/x", oid)]))
        liar = Liar()
        liar.listing = liar.listing._replace(head="refs/heads/../x")
        self.fetch_lies(here, liar)
        assert snapshot(here) == before

    @pytest.mark.parametrize("name", [b"..", b".muse", b".git", b"a/b", b"."])
    def test_trees_that_escape(
        self, here: Repository, before: dict[str, bytes], name: bytes
    ) -> None:
        """A tree with such a name is never stored."""
        blob = record("blob", b"payload")
        tree = record("tree", b"100644 " + name + b"\0" + blob.raw)
        commit = record("commit", lying_commit(tree.raw))
        liar = Liar([RemoteRef(MAIN, from_raw(commit.raw))], [commit, tree, blob])
        message = self.fetch_lies(here, liar)
        assert from_raw(tree.raw) in message
        assert not here.objects.has(tree.raw)
        assert snapshot(here) == before

    def test_objects_that_are_not_what_they_say(
        self, here: Repository, there: Repository, before: dict[str, bytes]
    ) -> None:
        """A truncated object, one under a wrong name, one of another kind than its holder says."""
        commit, tree, blob, refs = make_story(b"one")
        cut = blob._replace(stored=b"o")
        assert from_raw(blob.raw) in self.fetch_lies(here, Liar(refs, [commit, tree, cut]))
        other = blob._replace(raw=RawId(b"\x05" * 32))
        assert from_raw(other.raw) in self.fetch_lies(here, Liar(refs, [commit, tree, other]))
        wrong = record("commit", lying_commit(blob.raw))
        liar = Liar([RemoteRef(MAIN, from_raw(wrong.raw))], [wrong, blob])
        assert from_raw(blob.raw) in self.fetch_lies(here, liar)
        folder = record("tree", b"40000 d\0" + blob.raw)
        commit = record("commit", lying_commit(folder.raw))
        liar = Liar([RemoteRef(MAIN, from_raw(commit.raw))], [commit, folder, blob])
        assert from_raw(blob.raw) in self.fetch_lies(here, liar)
        assert snapshot(here) == before

    def test_a_history_with_a_gap(self, here: Repository, before: dict[str, bytes]) -> None:
        """An object that is left out is named; the ref does not move."""
        for number, left_out in enumerate(("commit", "tree", "blob")):
            *records, refs = make_story(b"%d" % number)
            (gap,) = [each for each in records if each.kind == left_out]
            sent = [each for each in records if each is not gap]
            assert from_raw(gap.raw) in self.fetch_lies(here, Liar(refs, sent))
        assert snapshot(here) == before

    def test_a_branch_that_is_nolying_commit(
        self, here: Repository, before: dict[str, bytes]
    ) -> None:
        """A branch names a commit."""
        blob = record("blob", b"payload")
        assert MAIN in self.fetch_lies(here, Liar([RemoteRef(MAIN, from_raw(blob.raw))], [blob]))
        assert snapshot(here) == before

    def test_more_than_was_offered(self, here: Repository, before: dict[str, bytes]) -> None:
        """A stream without end ends at the number that was announced."""
        blobs = [record("blob", b"%d" % number) for number in range(50)]
        liar = Liar([RemoteRef(MAIN, from_raw(blobs[0].raw))], blobs)
        liar.announced = [blobs[0].raw]
        with pytest.raises(RemoteError, match="not asked for"):
            fetch_from(here, liar, find_remote(here, "origin"))  # type: ignore[arg-type]  # lies
        assert snapshot(here) == before

    def test_damage_on_the_source_is_named(self, here: Repository, there: Repository) -> None:
        """Object and file are in the message, and the fetch works when it is repaired."""
        settle(there)
        pack = there.objects.packs()[0].path
        good = pack.read_bytes()
        bad = bytearray(good)
        bad[bad.index(b" content of 7\n")] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(bytes(bad))
        with pytest.raises(BadTransferError, match=r"\.mpack") as caught:
            fetch(here)
        assert str(there.root) in caught.value.message
        assert here.refs.read(TRACKING) is None
        pack.write_bytes(good)
        fetch(here)
        assert reachable(here) == reachable(there)


class TestRoundTrip:
    """Two people and a place in the middle."""

    def test_back_and_forth(self, tmp_path: Path) -> None:
        """What one pushes, the other fetches; the next push of the other builds on it."""
        make_repo(tmp_path / "hub", bare=True)
        ada = make_repo(tmp_path / "ada", origin=tmp_path / "hub")
        bob = make_repo(tmp_path / "bob", origin=tmp_path / "hub")
        for turn in range(4):
            one, two = (ada, bob) if turn % 2 == 0 else (bob, ada)
            add_commit(one, {b"file": b"%d" % turn})
            push(one, remote="origin", branches=["main"])
            fetch(two)
            set_ref(two, MAIN, two.refs.read(TRACKING))
        assert reachable(ada) == reachable(bob)
        assert len([kind for kind in reachable(ada).values() if kind == "commit"]) == 4
        assert write_tree(ada.objects, {b"file": b"3"}) in reachable(bob)
        for name in ("ada", "bob", "hub"):
            assert verify(Repository(tmp_path / name)).findings == ()

    def test_cost_follows_the_change(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One file of 1 000 in 20 folders, on top of 8 commits: each side reads a handful."""
        there = make_repo(tmp_path / "large")
        files = files_of(1000)
        for number in range(8):
            files[b"d0/f0"] = b"%d" % number
            add_commit(there, files)
        here = make_repo(tmp_path / "follower", origin=there.root)
        fetch(here)
        files[b"d7/f360"] = b"changed"
        add_commit(there, files)
        reads: list[Path] = []
        read = ObjectStore.read

        def counted(self: ObjectStore, raw: object, **more: object) -> object:
            reads.append(self.root)
            return read(self, raw, **more)  # type: ignore[arg-type]  # passed through

        monkeypatch.setattr(ObjectStore, "read", counted)
        assert fetch(here).objects == 4
        assert reads.count(there.root) <= 20
        assert reads.count(here.root) <= 20
