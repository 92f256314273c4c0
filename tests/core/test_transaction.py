"""Transactions: all or nothing, by compare-and-swap, in an order that a kill cannot hurt."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import pytest

from muse.core.commits import Commit, Signature, format_commit
from muse.core.errors import AlreadyExistsError, MuseError, RefChangedError
from muse.core.journal import checkpoint, is_applied, read_journal
from muse.core.object_store import ObjectStore
from muse.core.operations import read_operations
from muse.core.paths import muse_dir, pack_dir, stage_path
from muse.core.reflog import read_reflog
from muse.core.refs import RefStore
from muse.core.repo import Repository, open_repo
from muse.core.trees import EMPTY_TREE, TreeEntry, format_tree, iter_tree
from muse.core.types import MODE_FILE, ObjectId, RawId, from_raw, raw_object_id, to_raw
from muse.ops.init import init
from tests.crash.harness import DONE, ERRORS, FAILED, KILLED, every_fault

WHO = Signature("Ada", "ada@example.com", 1700000000, "+0100")
MAIN = "refs/heads/main"
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Return a fresh repository."""
    root = tmp_path / "repo"
    init(root)
    return open_repo(root)


def publish(repo: Repository, text: str, *, ref: str = MAIN, files: int = 1) -> ObjectId:
    """Commit a tree of some files on a branch, as `muse commit` does below its surface."""
    old = repo.refs.read(ref)
    with repo.transaction("commit", summary=text, who=WHO) as tx:
        entries = []
        for number in range(files):
            blob = tx.write_object("blob", f"{text} {number}".encode())
            entries.append(TreeEntry(MODE_FILE, b"f%05d" % number, blob))
        tree = tx.write_object("tree", format_tree(entries))
        parents = (to_raw(old),) if old else ()
        payload = format_commit(Commit(tree, parents, WHO, WHO, text.encode()))
        new = from_raw(tx.write_object("commit", payload))
        tx.set_ref(ref, new, old=old, log=f"commit: {text}")
        tx.write_file(stage_path(repo.root), text.encode())
    return new


def check_whole(root: Path) -> None:
    """The oracle: every ref names a complete commit, and every object is whole (G1, G4)."""
    store, refs = ObjectStore(root), RefStore(root)
    for _, oid in refs.iter():
        pending: list[RawId] = [to_raw(oid)]
        while pending:
            commit = Repository(root).commit(pending.pop())
            pending += commit.parents
            for _, _, raw in iter_tree(store, commit.tree):
                store.read(raw, expected="blob")
    for raw in store.iter_loose():
        store.read(raw)
    refs.head()


class TestPublishing:
    """What is visible, and when."""

    @pytest.mark.parametrize("files", [1, 100])
    def test_all_of_it_appears(self, repo: Repository, files: int) -> None:
        """Objects loose or packed, ref, reflogs, file and operation."""
        first = publish(repo, "one", files=files)
        second = publish(repo, "two", files=files)
        assert repo.refs.read(MAIN) == second
        assert [(e.old, e.new, e.message) for e in read_reflog(repo.root, MAIN)] == [
            (first, second, "commit: two"),
            (None, first, "commit: one"),
        ]
        assert read_reflog(repo.root, "HEAD") == read_reflog(repo.root, MAIN)
        [last, _] = read_operations(repo.root)
        assert (last.name, last.refs) == ("commit", ((MAIN, first, second),))
        assert last.stage is not None
        assert repo.objects.read_object(ObjectId(last.stage[0])) == ("blob", b"one")
        assert bool(repo.objects.packs()) == (files > 1)
        check_whole(repo.root)

    def test_an_exception_publishes_nothing(self, repo: Repository) -> None:
        """No ref, no file, no operation; the lock is free again."""
        with pytest.raises(RuntimeError), repo.transaction("commit", who=WHO) as tx:
            for number in range(100):
                tx.write_object("blob", b"%d" % number)
            tx.set_ref(MAIN, from_raw(EMPTY_TREE), old=None, log="x")
            tx.write_file(stage_path(repo.root), b"x")
            raise RuntimeError
        assert repo.refs.read(MAIN) is None
        assert not stage_path(repo.root).exists()
        assert read_operations(repo.root) == []
        assert list(repo.objects.iter_loose()) == []
        assert not repo.objects.packs()
        publish(repo, "works")

    def test_a_moved_ref_is_not_overwritten(self, repo: Repository) -> None:
        """The loser gets an error with both ids, and publishes nothing (G8)."""
        first = publish(repo, "one")
        second = publish(repo, "two")
        with (
            pytest.raises(RefChangedError) as caught,
            repo.transaction("commit", who=WHO) as tx,
        ):
            tx.set_ref("refs/heads/other", first, old=None, log="x")
            tx.set_ref(MAIN, first, old=first, log="x")
        assert (caught.value.expected, caught.value.actual) == (first, second)
        assert repo.refs.read("refs/heads/other") is None

    def test_names_that_are_folders_of_others(self, repo: Repository) -> None:
        """`a` and `a/b` cannot both be; a rename from one to the other can."""
        oid = publish(repo, "one", ref="refs/heads/a")
        with pytest.raises(AlreadyExistsError):
            publish(repo, "two", ref="refs/heads/a/b")
        with repo.transaction("branch", who=WHO) as tx:
            tx.set_ref("refs/heads/a", None, old=oid, log="x")
            tx.set_ref("refs/heads/a/b", oid, old=None, log="x")
        assert list(repo.refs.iter()) == [("refs/heads/a/b", oid)]
        with repo.transaction("branch", who=WHO) as tx:
            tx.set_ref("refs/heads/a/b", None, old=oid, log="x")
            tx.set_ref("refs/heads/a", oid, old=None, log="x")
        assert list(repo.refs.iter()) == [("refs/heads/a", oid)]

    def test_damaged_objects_are_replaced(self, repo: Repository) -> None:
        """Existence is not enough to skip a write."""
        publish(repo, "one")
        checkpoint(repo.root)
        for raw in list(repo.objects.iter_loose()):
            path = Path(repo.objects.loose_path(raw))
            path.chmod(0o644)
            path.write_bytes(b"")
        repo.refs.path(MAIN).unlink()
        stage_path(repo.root).unlink()
        publish(repo, "one")
        check_whole(repo.root)

    def test_head_detached_and_back(self, repo: Repository) -> None:
        """HEAD's own reflog tells both moves."""
        oid = publish(repo, "one")
        with repo.transaction("switch", who=WHO) as tx:
            tx.set_head(commit=oid, log="switch: to one")
        assert repo.head().detached
        with repo.transaction("switch", who=WHO) as tx:
            tx.set_head(ref=MAIN, log="switch: to main")
        assert repo.head() == ("main", MAIN, oid)
        assert [e.message for e in read_reflog(repo.root, "HEAD")][:2] == [
            "switch: to main",
            "switch: to one",
        ]


def _increment(root: Path, times: int) -> None:
    repo = open_repo(root)
    for _ in range(times):
        with repo.transaction("commit", who=WHO) as tx:
            old = repo.refs.read(MAIN)
            count = int(repo.objects.read_object(old)[1]) if old else 0
            new = from_raw(tx.write_object("blob", b"%d" % (count + 1)))
            tx.set_ref(MAIN, new, old=old, log="count")


@pytest.mark.slow
def test_no_update_is_lost_among_processes(repo: Repository) -> None:
    """Three processes count on one ref; every step is there at the end (G8)."""
    processes = [SPAWN.Process(target=_increment, args=(repo.root, 40)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0, 0, 0]
    tip = repo.refs.read(MAIN)
    assert tip is not None
    assert repo.objects.read_object(tip) == ("blob", b"120")


@pytest.mark.crash
class TestEveryCall:
    """A kill or an error at any call leaves the old state or the new one, and never a stuck one."""

    @pytest.mark.parametrize("files", [1, 60])
    def test_killed_anywhere(self, repo: Repository, tmp_path: Path, files: int) -> None:
        """Ref old or new, every object whole, the next commit works (G1, G3, G5, G6)."""
        before = publish(repo, "one", files=files)
        outcomes = set()
        for _, outcome in every_fault(
            repo.root, tmp_path / "work", lambda root: _commit_in(root, files)
        ):
            outcomes.add(outcome)
            self._check(tmp_path / "work", before, outcome)
        assert DONE in outcomes
        assert len(outcomes) == 2

    @pytest.mark.parametrize("error", ERRORS)
    @pytest.mark.parametrize("forever", [False, True])
    def test_failing_anywhere(
        self, repo: Repository, tmp_path: Path, error: int, forever: bool
    ) -> None:
        """Success is only reported with everything in place (G10)."""
        before = publish(repo, "one")
        outcomes = set()
        for _, outcome in every_fault(
            repo.root, tmp_path / "work", _commit_in, error=error, forever=forever
        ):
            outcomes.add(outcome)
            self._check(tmp_path / "work", before, outcome)
        assert outcomes == {DONE, FAILED}

    @staticmethod
    def _check(root: Path, before: ObjectId, outcome: int) -> None:
        repo = open_repo(root)
        now = repo.refs.read(MAIN)
        assert now is not None
        assert outcome != DONE or now != before, "reported, but not there"
        if before and now != before:
            assert from_raw(repo.commit(now).parents[0]) == before
        check_whole(root)
        publish(repo, "next")
        check_whole(root)
        assert not list(muse_dir(root).rglob(".*-tmp-*"))
        shutil.rmtree(root)


@pytest.mark.crash
def test_recovery_may_die_too(repo: Repository, tmp_path: Path) -> None:
    """Killed at any call of a recovery, the next start recovers (G13)."""
    publish(repo, "one")
    half = tmp_path / "half"
    recorded = 0
    for number, outcome in every_fault(repo.root, half, _commit_in):
        if outcome != KILLED or not _needs_recovery(half):
            continue
        recorded += 1
        # Half-applied states are much alike: a few of them, from the first to the last.
        if recorded % 8 != 1:
            continue
        base = tmp_path / f"base{number}"
        shutil.copytree(half, base, symlinks=True)
        deaths = 0
        for _, died in every_fault(base, tmp_path / "work", _open, stride=2):
            deaths += died == KILLED
            TestEveryCall._check(tmp_path / "work", ObjectId(""), FAILED)
        assert deaths
    assert recorded > 3


def _needs_recovery(root: Path) -> bool:
    return not is_applied(ObjectStore(root), read_journal(root))


def _open(root: Path) -> None:
    assert open_repo(root).recovered


def _commit_in(root: Path, files: int = 1) -> None:
    publish(open_repo(root), "two", files=files)


def test_the_error_says_what_and_where(repo: Repository, tmp_path: Path) -> None:
    """A full disk names the file and gives a hint."""

    def action() -> None:
        try:
            _commit_in(repo.root)
        except MuseError as error:
            assert "disk" in error.hint.lower(), error.hint
            assert str(repo.root) in error.message
            return
        raise AssertionError("no error")

    from tests.crash.harness import Fault, run_faulted

    assert run_faulted(action, Fault(12, error=ERRORS[0], forever=True)) == DONE


class TestLargeObjects:
    """An object of any size has a file of its own, durable under its name before it is used."""

    PAYLOAD = b"large\n" * 10

    def write(self, repo: Repository) -> tuple[Path, list[Path]]:
        """Write one; return its file, and the folders that were synced after it had its name."""
        synced: list[Path] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("muse.core.transaction.sync_dir", lambda path: synced.append(Path(path)))
            with repo.transaction("test", who=WHO) as tx:
                raw = tx.write_stream("blob", len(self.PAYLOAD), iter([self.PAYLOAD]))
        return Path(repo.objects.loose_path(raw)), synced

    def test_each_folder_whose_names_changed_is_synced(self, tmp_path: Path) -> None:
        """A link changes one folder; a rename over a damaged copy changes two."""
        init(tmp_path)
        repo = open_repo(tmp_path)
        dest, synced = self.write(repo)
        assert synced == [dest.parent, dest.parent.parent]
        inode = dest.stat().st_ino
        dest.chmod(0o644)
        dest.write_bytes(b"damaged")
        _, synced = self.write(repo)
        assert dest.stat().st_ino != inode
        assert synced[:2] == [dest.parent, dest.parent.parent]
        assert pack_dir(tmp_path) in synced
        assert repo.objects.read(raw_object_id("blob", self.PAYLOAD))[1] == self.PAYLOAD
