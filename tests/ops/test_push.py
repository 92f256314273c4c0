"""`push`: what moves, what is refused, what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from muse.core.errors import (
    CorruptObjectError,
    MuseError,
    NonFastForwardError,
    RefChangedError,
    RefNotFoundError,
    RemoteError,
    UsageError,
)
from muse.core.refs import HEADS, TAGS
from muse.core.repo import Repository, open_repo
from muse.core.types import ObjectId, from_raw, to_raw
from muse.core.upstream import find_upstream
from muse.ops.gc import gc
from muse.ops.push import PushOptions, PushResult, push
from muse.ops.remote import add_remote
from muse.ops.remote_config import list_remotes
from muse.remotes.path import PathRemote
from muse.remotes.protocol import RefUpdate, TransferProgress
from tests.remotes.histories import write_tag
from tests.remotes.repositories import (
    add_commit,
    files_of,
    make_repo,
    reachable,
    set_ref,
    settle,
    snapshot,
)

MAIN = HEADS + "main"
TRACKING = "refs/remotes/origin/main"


@pytest.fixture
def there(tmp_path: Path) -> Repository:
    """A bare repository to push to."""
    return make_repo(tmp_path / "there", bare=True)


@pytest.fixture
def here(tmp_path: Path, there: Repository) -> Repository:
    """A repository with that one as ``origin``, and a commit of 120 files."""
    repo = make_repo(tmp_path / "here", origin=there.root)
    add_commit(repo, files_of(120))
    return repo


def first_push(here: Repository) -> PushResult:
    """Push ``main`` and follow it."""
    return push(here, branches=["main"], options=PushOptions(set_upstream=True))


class TestWhatMoves:
    """Branches and tags, by name or by what the branch follows."""

    def test_the_first_push_sends_all_and_follows(
        self, here: Repository, there: Repository
    ) -> None:
        """Objects, the branch there, the ref that remembers it, and the upstream."""
        result = first_push(here)
        oid = here.refs.read(MAIN)
        assert there.refs.read(MAIN) == oid == here.refs.read(TRACKING)
        assert reachable(there) == reachable(here)
        assert (result.objects, result.upstream, result.refs[0].state) == (
            125,
            "origin/main",
            "new",
        )
        upstream = find_upstream(here.config, "main")
        assert upstream is not None
        assert upstream.tracking == TRACKING

    def test_one_changed_file_sends_what_changed(self, here: Repository, there: Repository) -> None:
        """A commit, its two trees and the file; nothing else of the 120 files is read."""
        first_push(here)
        add_commit(here, {**files_of(120), b"d1/f60": b"changed"})
        result = push(here)
        assert (result.objects, result.refs[0].state) == (4, "updated")
        assert reachable(there) == reachable(here)

    def test_up_to_date_is_no_error(self, here: Repository, there: Repository) -> None:
        """A second push says so, and sends nothing."""
        first_push(here)
        before = snapshot(there), snapshot(here)
        result = push(here)
        assert (result.up_to_date, result.objects) == (True, 0)
        assert (snapshot(there), snapshot(here)) == before

    def test_several_branches_move_at_once(self, here: Repository, there: Repository) -> None:
        """Named branches, and one under another name."""
        topic = add_commit(here, {b"t": b"1"}, branch="topic")
        push(here, remote="origin", branches=["main", "topic:review/topic"])
        assert there.refs.read(HEADS + "review/topic") == topic
        assert here.refs.read("refs/remotes/origin/review/topic") == topic
        assert reachable(there) == reachable(here)

    def test_head_and_ids_can_be_pushed(self, here: Repository, there: Repository) -> None:
        """``HEAD:name``, ``HEAD`` and ``<commit>:name``."""
        oid = here.refs.read(MAIN)
        assert oid is not None
        push(here, remote="origin", branches=["HEAD:one", f"{oid[7:20]}:two", "HEAD"])
        assert {name: there.refs.read(HEADS + name) for name in ("one", "two", "main")} == {
            "one": oid,
            "two": oid,
            "main": oid,
        }

    def test_tags_go_along_when_asked(self, here: Repository, there: Repository) -> None:
        """``--tags`` sends every tag that is not there, annotated ones with their object."""
        oid = here.refs.read(MAIN)
        assert oid is not None
        tag = from_raw(write_tag(here.objects, to_raw(oid), "commit"))
        set_ref(here, TAGS + "v1", tag)
        set_ref(here, TAGS + "light", oid)
        push(here, remote="origin", options=PushOptions(tags=True))
        assert there.refs.read(TAGS + "v1") == tag
        assert there.refs.read(TAGS + "light") == oid
        assert there.refs.read(MAIN) is None
        again = push(here, remote="origin", branches=["main"], options=PushOptions(tags=True))
        assert [ref.name for ref in again.refs] == [MAIN]
        assert again.objects == 0

    def test_one_tag_by_its_name(self, here: Repository, there: Repository) -> None:
        """A tag is pushed to a tag."""
        set_ref(here, TAGS + "v1", here.refs.read(MAIN))
        push(here, remote="origin", branches=["v1"])
        assert there.refs.read(TAGS + "v1") == here.refs.read(MAIN)

    def test_deleting(self, here: Repository, there: Repository) -> None:
        """``--delete`` removes the branch there and what remembered it here."""
        push(here, remote="origin", branches=["main:topic"])
        result = push(here, remote="origin", branches=["topic"], options=PushOptions(delete=True))
        assert result.refs[0].state == "deleted"
        assert there.refs.read(HEADS + "topic") is None
        assert here.refs.read("refs/remotes/origin/topic") is None
        with pytest.raises(RefNotFoundError, match="topic"):
            push(here, remote="origin", branches=["topic"], options=PushOptions(delete=True))

    def test_an_address_in_place_of_a_name(self, here: Repository, tmp_path: Path) -> None:
        """Nothing is remembered then."""
        other = make_repo(tmp_path / "other", bare=True)
        push(here, remote=str(other.root), branches=["main"])
        assert other.refs.read(MAIN) == here.refs.read(MAIN)
        assert list(here.refs.iter("refs/remotes/")) == []

    def test_following_an_address_names_it(self, tmp_path: Path, there: Repository) -> None:
        """``push -u <path>`` makes it ``origin`` if there is none; a name that it has is used."""
        repo = make_repo(tmp_path / "r")
        add_commit(repo, {b"a": b"1"})
        result = push(repo, remote="../there", options=PushOptions(set_upstream=True))
        assert (result.remote, result.upstream) == ("origin", "origin/main")
        assert [(each.name, each.url) for each in list_remotes(repo)] == [("origin", "../there")]
        again = push(repo, remote="../there", options=PushOptions(set_upstream=True))
        assert (again.remote, again.up_to_date) == ("origin", True)
        with pytest.raises(UsageError, match="by its name"):
            push(repo, remote="../else", options=PushOptions(set_upstream=True))

    def test_what_was_remembered_is_corrected(self, here: Repository, there: Repository) -> None:
        """A push that was killed before the last step is completed by the next one."""
        first_push(here)
        set_ref(here, TRACKING, None)
        assert push(here).up_to_date
        assert here.refs.read(TRACKING) == there.refs.read(MAIN)


class TestWhichRemote:
    """The upstream's, else ``origin``, else the only one; and a hint where none fits."""

    def test_no_upstream_is_refused_with_the_command_to_type(self, here: Repository) -> None:
        """A plain push of a branch that follows nothing."""
        with pytest.raises(UsageError) as caught:
            push(here)
        assert "muse push -u origin main" in caught.value.hint

    def test_u_alone_is_enough(self, here: Repository, there: Repository) -> None:
        """With ``-u``, the default remote and the current branch are meant."""
        push(here, options=PushOptions(set_upstream=True))
        assert there.refs.read(MAIN) == here.refs.read(MAIN)
        assert push(here).up_to_date

    def test_a_named_remote_is_enough(self, here: Repository, there: Repository) -> None:
        """``muse push origin`` pushes the current branch, without following it."""
        push(here, remote="origin")
        assert there.refs.read(MAIN) == here.refs.read(MAIN)
        assert find_upstream(here.config, "main") is None

    def test_the_only_remote_is_the_default(self, tmp_path: Path, there: Repository) -> None:
        """Whatever it is called."""
        repo = make_repo(tmp_path / "r")
        add_commit(repo, {b"a": b"1"})
        add_remote(repo, "backup", str(there.root))
        result = push(repo, options=PushOptions(set_upstream=True))
        assert (result.remote, result.upstream) == ("backup", "backup/main")

    def test_no_remote_and_no_choice(self, tmp_path: Path) -> None:
        """Both are errors that say what to type."""
        repo = make_repo(tmp_path / "r")
        add_commit(repo, {b"a": b"1"})
        with pytest.raises(RefNotFoundError) as caught:
            push(repo)
        assert "muse remote add origin" in caught.value.hint
        add_remote(repo, "a", "../a")
        add_remote(repo, "b", "../b")
        with pytest.raises(RefNotFoundError) as caught:
            push(repo)
        assert "a, b" in caught.value.hint

    def test_an_upstream_of_another_name_is_asked_about(
        self, here: Repository, there: Repository
    ) -> None:
        """Two branches could be meant: neither is guessed."""
        push(here, branches=["main:trunk"], options=PushOptions(set_upstream=True))
        with pytest.raises(UsageError, match="another name") as caught:
            push(here)
        assert "main:trunk" in caught.value.hint

    def test_unborn_detached_and_unknown(self, tmp_path: Path, here: Repository) -> None:
        """Nothing to push, and names that mean nothing."""
        empty = make_repo(tmp_path / "empty", origin=tmp_path / "there")
        with pytest.raises(RefNotFoundError, match="no commit"):
            push(empty, options=PushOptions(set_upstream=True))
        with pytest.raises(RefNotFoundError, match="nowhere"):
            push(here, branches=["nowhere"])
        with pytest.raises(RefNotFoundError, match="remote 'up'"):
            push(here, remote="up")
        with here.transaction("test") as tx:
            tx.set_head(commit=here.refs.read(MAIN), log="test")
        with pytest.raises(UsageError, match="not on a branch"):
            push(here)

    def test_plus_does_not_force(self, here: Repository) -> None:
        """Git's ``+branch`` is answered with what to type."""
        with pytest.raises(UsageError) as caught:
            push(here, branches=["+main"])
        assert "--force-with-lease" in caught.value.hint


class TestRefusals:
    """Commits of others are never dropped by accident."""

    @pytest.fixture
    def theirs(self, here: Repository, there: Repository) -> ObjectId:
        """Somebody else pushed on top of ours, and we committed something else."""
        first_push(here)
        oid = add_commit(there, {b"theirs": b"1"}, message="theirs\n")
        add_commit(here, {b"ours": b"1"}, message="ours\n")
        return oid

    def test_a_diverged_branch(self, here: Repository, there: Repository, theirs: ObjectId) -> None:
        """Both ids and the way on are in the error; nothing moved."""
        before = snapshot(there)
        with pytest.raises(NonFastForwardError) as caught:
            push(here)
        assert (caught.value.ours, caught.value.theirs) == (here.refs.read(MAIN), theirs)
        assert "muse fetch origin" in caught.value.hint
        assert caught.value.exit_code == 1
        assert snapshot(there) == before

    def test_a_lease_on_what_was_last_seen(
        self, here: Repository, there: Repository, theirs: ObjectId
    ) -> None:
        """It refuses while we have not seen their commit, and drops it once we have."""
        lease = PushOptions(leases={})
        with pytest.raises(RefChangedError) as caught:
            push(here, options=lease)
        assert caught.value.actual == theirs
        assert "fetch" in caught.value.hint
        set_ref(here, TRACKING, theirs)
        result = push(here, options=lease)
        assert result.refs[0].state == "forced"
        assert there.refs.read(MAIN) == here.refs.read(MAIN)

    def test_a_lease_on_a_value(
        self, here: Repository, there: Repository, theirs: ObjectId
    ) -> None:
        """``--force-with-lease=main:<id>`` compares with that id; other branches are not leased."""
        wrong = here.refs.read(MAIN)
        with pytest.raises(RefChangedError):
            push(here, options=PushOptions(leases={"main": wrong}))
        with pytest.raises(NonFastForwardError):
            push(here, options=PushOptions(leases={"other": theirs}))
        push(here, options=PushOptions(leases={"main": theirs}))
        assert there.refs.read(MAIN) == wrong

    def test_a_lease_on_absence(self, here: Repository, there: Repository) -> None:
        """A branch that must not be there is created, or refused."""
        lease = PushOptions(leases={"main": None})
        push(here, branches=["main"], options=lease)
        add_commit(here, {b"b": b"2"})
        with pytest.raises(RefChangedError):
            push(here, branches=["main"], options=lease)

    def test_force_says_that_it_forced(
        self, here: Repository, there: Repository, theirs: ObjectId
    ) -> None:
        """``--force`` drops what is there, and the result tells what that was."""
        result = push(here, options=PushOptions(force=True))
        assert (result.refs[0].state, result.refs[0].old) == ("forced", theirs)
        assert reachable(there).keys() >= {to_raw(result.refs[0].new or "")}

    def test_a_tag_is_not_moved(self, here: Repository, there: Repository) -> None:
        """A tag of that name there stays unless forced."""
        first_push(here)
        set_ref(there, TAGS + "v1", there.refs.read(MAIN))
        set_ref(here, TAGS + "v1", add_commit(here, {b"b": b"2"}))
        with pytest.raises(NonFastForwardError) as caught:
            push(here, branches=["v1"])
        assert "--force" in caught.value.hint
        push(here, branches=["v1"], options=PushOptions(force=True))
        assert there.refs.read(TAGS + "v1") == here.refs.read(TAGS + "v1")

    def test_a_checked_out_branch(self, here: Repository, tmp_path: Path) -> None:
        """Refused before anything is sent, born or not; another branch is fine."""
        work = make_repo(tmp_path / "work")
        add_remote(here, "work", "../work")
        with pytest.raises(RemoteError, match="checked out") as caught:
            push(here, remote="work")
        assert caught.value.exit_code == 5
        assert list(work.objects.iter_loose()) == []
        assert work.objects.packs() == []
        push(here, remote="work", branches=["main:incoming"])
        assert reachable(work) == reachable(here)

    def test_a_ref_that_moves_during_the_push(
        self, here: Repository, there: Repository, tmp_path: Path
    ) -> None:
        """Somebody is faster between our look and our move: refused, theirs stays."""
        first_push(here)
        add_commit(here, {b"ours": b"1"}, message="ours\n")
        moved: list[ObjectId] = []

        def meanwhile(progress: TransferProgress) -> None:
            if not moved:
                moved.append(add_commit(there, {b"theirs": b"1"}, message="theirs\n"))

        with pytest.raises(RefChangedError) as caught:
            push(here, progress=meanwhile)
        assert caught.value.actual == moved[0] == there.refs.read(MAIN)
        assert "muse fetch origin" in caught.value.hint

    def test_a_remote_that_is_gone(self, here: Repository, there: Repository) -> None:
        """Exit code 5, with a hint."""
        there.root.rename(there.root.with_name("moved"))
        with pytest.raises(RemoteError, match="does not exist") as caught:
            push(here, branches=["main"])
        assert caught.value.exit_code == 5
        assert caught.value.hint

    def test_a_name_that_cannot_stand_there(self, here: Repository, there: Repository) -> None:
        """``main/x`` beside ``main`` is refused, and nothing moves."""
        first_push(here)
        before = snapshot(there)
        with pytest.raises(MuseError, match="main"):
            push(here, branches=["main:main/x"])
        assert snapshot(there) == before


class TestTransfer:
    """What is sent, read and reported."""

    def test_progress_is_data(self, here: Repository, there: Repository) -> None:
        """It counts up to the total, with bytes."""
        seen: list[TransferProgress] = []
        push(here, branches=["main"], progress=seen.append)
        sent = [each for each in seen if each.phase == "send"]
        assert [each.objects for each in sent] == list(range(126))
        assert {each.total_objects for each in sent} == {125}
        total = sum(here.objects.stat(raw)[1] for raw in reachable(here))
        assert sent[-1].bytes_done == total

    def test_cancelling(self, here: Repository, there: Repository) -> None:
        """A callback that raises stops the push; the next one completes."""

        def stop(progress: TransferProgress) -> None:
            if progress.objects == 60:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            push(here, branches=["main"], progress=stop)
        assert list(there.refs.iter()) == []
        push(here, branches=["main"])
        assert reachable(there) == reachable(here)

    def test_what_arrived_is_not_sent_again(
        self, here: Repository, there: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nine tenths of a half-done push are not repeated, at least."""
        monkeypatch.setattr("muse.remotes.intake._MIN_PART_BYTES", 500)

        def stop(progress: TransferProgress) -> None:
            if progress.objects == 100:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            push(here, branches=["main"], progress=stop)
        result = push(here, branches=["main"])
        assert result.present >= 90
        assert result.objects + result.present == 125
        assert reachable(there) == reachable(here)

    def test_a_damaged_object_of_ours_is_named(self, here: Repository, there: Repository) -> None:
        """The push stops with our file in the error, and nothing moves there."""
        settle(here)
        (pack,) = here.objects.packs()
        data = bytearray(pack.path.read_bytes())
        at = data.index(b" content of 7\n")
        data[at] ^= 1
        pack.path.chmod(0o644)
        pack.path.write_bytes(bytes(data))
        with pytest.raises(CorruptObjectError) as caught:
            push(here, branches=["main"])
        assert caught.value.where == str(pack.path)
        assert list(there.refs.iter()) == []

    def test_a_new_branch_on_what_they_moved_past(
        self, here: Repository, there: Repository, tmp_path: Path
    ) -> None:
        """Their branch has commits unknown here, yet a topic on the old tip sends only itself."""
        first_push(here)
        add_commit(there, {b"theirs": b"1"}, message="theirs\n")
        base = here.refs.read(MAIN)
        assert base is not None
        add_commit(here, {**files_of(120), b"t": b"new"}, branch="topic", parents=(base,))
        result = push(here, branches=["topic"])
        assert result.objects == 3
        reachable(there)

    def test_a_branch_that_was_dropped_and_collected_there(
        self, here: Repository, there: Repository, tmp_path: Path
    ) -> None:
        """What we remember is not there any more: everything is sent again, once."""
        first_push(here)
        base = here.refs.read(MAIN)
        assert base is not None
        # Their side starts anew: another history under the same names, one old commit left over.
        fresh = make_repo(tmp_path / "fresh", bare=True)
        add_commit(fresh, {b"x": b"1"}, branch="elsewhere")
        kind, payload = here.objects.read(to_raw(base))
        fresh.objects.write(kind, payload)
        add_commit(here, {**files_of(120), b"t": b"1"}, branch="topic", parents=(base,))
        there.root.rename(tmp_path / "old")
        fresh.root.rename(there.root)
        push(here, branches=["topic"])
        there = Repository(there.root)
        assert there.refs.read(HEADS + "topic") == here.refs.read(HEADS + "topic")
        reachable(there)

    @pytest.mark.parametrize("count", [3, 120])
    def test_a_gc_that_comes_in_between(
        self, tmp_path: Path, there: Repository, monkeypatch: pytest.MonkeyPatch, count: int
    ) -> None:
        """It takes what arrived before a ref needs it: noticed under the lock, and sent again."""
        here = make_repo(tmp_path / "h", origin=there.root)
        add_commit(here, files_of(count))
        update_refs = PathRemote.update_refs
        collected: list[object] = []

        def after_gc(
            self: PathRemote, updates: Sequence[RefUpdate], *, version: str, log: str = "push"
        ) -> None:
            if not collected:
                settle(there)
                collected.append(gc(open_repo(there.root), expire_before_s=4e9))
            update_refs(self, updates, version=version, log=log)

        monkeypatch.setattr(PathRemote, "update_refs", after_gc)
        push(here, branches=["main"])
        assert collected
        assert reachable(open_repo(there.root)) == reachable(here)

    def test_cost_follows_the_change(
        self, tmp_path: Path, there: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One file of 3 000 in 60 folders: each side reads a handful of objects."""
        here = make_repo(tmp_path / "large", origin=there.root)
        files = files_of(3000)
        add_commit(here, files)
        first_push(here)
        files[b"d7/f360"] = b"changed"
        add_commit(here, files)
        reads: list[Path] = []
        from muse.core.object_store import ObjectStore

        read = ObjectStore.read

        def counted(self: ObjectStore, raw: object, **more: object) -> object:
            reads.append(self.root)
            return read(self, raw, **more)  # type: ignore[arg-type]  # passed through

        monkeypatch.setattr(ObjectStore, "read", counted)
        result = push(here)
        assert result.objects == 4
        assert reads.count(here.root) <= 20
        assert reads.count(there.root) <= 20
