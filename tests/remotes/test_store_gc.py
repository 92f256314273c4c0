"""Garbage in a store, and many packs made few: nothing that a ref needs is ever taken (G7)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.errors import RemoteError, UsageError
from muse.core.repo import Repository
from muse.core.types import ObjectId, to_raw
from muse.ops.clone import clone
from muse.ops.fetch import fetch
from muse.ops.gc_remote import RemoteGc, gc_remote
from muse.ops.push import push
from muse.ops.remote import add_remote
from muse.remotes import store_merge
from muse.remotes.bucket import Version
from muse.remotes.bucket_folder import FolderBucket
from muse.remotes.store_document import PackEntry
from muse.remotes.store_gc import DEFAULT_GRACE_S
from muse.remotes.store_merge import choose_small
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable
from tests.remotes.store_oracle import State, read_folder

MAIN = "refs/heads/main"
DAY_S = 24 * 3600
Arrange = Callable[[Callable[[], object]], None]


class Bench:
    """A repository whose origin is a store in a folder."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path, self.folder = tmp_path, tmp_path / "store"
        self.url = f"store://{self.folder}"
        self.repo = make_repo(tmp_path / "repo")
        add_remote(self.repo, "origin", self.url)

    def commit(self, name: str, *, branch: str = "main") -> ObjectId:
        """Commit a file and push."""
        oid = add_commit(self.repo, {name.encode(): name.encode() * 50}, branch=branch)
        push(self.repo, remote="origin", branches=(branch,))
        return oid

    def state(self) -> State:
        """Return what the store holds."""
        return read_folder(self.folder)

    def gc(self, *, grace_s: float = DEFAULT_GRACE_S, dry_run: bool = False) -> RemoteGc:
        """Collect."""
        return gc_remote(self.repo, remote="origin", grace_s=grace_s, dry_run=dry_run)

    def age(self, days: float) -> None:
        """Let time pass in the store: all that is there was written so long ago."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                when = path.stat().st_mtime - days * DAY_S
                os.utime(path, (when, when))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """One with a first commit pushed."""
    made = Bench(tmp_path)
    add_commit(made.repo, files_of(30))
    push(made.repo, remote="origin", branches=("main",))
    return made


class TestWhatIsUnreachable:
    """It goes after its grace, by the store's clock, and not before."""

    def test_a_deleted_branch_is_kept_for_its_grace(self, bench: Bench) -> None:
        """Two weeks after it was left behind its objects go; a day later its files do."""
        oid = bench.commit("topic", branch="topic")
        push(bench.repo, remote="origin", branches=(":topic",))
        bench.age(13)
        assert bench.gc().result.dropped == 0
        assert to_raw(oid) in bench.state().objects()
        bench.age(2)
        assert bench.gc().result.dropped == 3
        assert to_raw(oid) not in bench.state().objects()
        bench.age(2)
        bench.gc()
        assert set(bench.state().packs) == set(bench.state().listed)
        assert len(reachable_there(bench)) == len(reachable(bench.repo)) - 3

    def test_what_a_ref_names_again_stays(self, bench: Bench) -> None:
        """A note of the past says nothing against the present."""
        oid = bench.commit("topic", branch="topic")
        push(bench.repo, remote="origin", branches=(":topic",))
        push(bench.repo, remote="origin", branches=("topic",))
        bench.age(30)
        assert bench.gc().result.dropped == 0
        assert bench.state().refs["refs/heads/topic"] == oid
        bench.state().check()

    def test_a_pack_of_a_killed_push_goes_by_its_own_age(self, bench: Bench) -> None:
        """It was never listed: two weeks after it was written it is deleted."""
        name = "0" * 64 + "-" + "1" * 16
        (bench.folder / "packs" / name).write_bytes(b"half")
        assert bench.gc().result.waiting == 1
        bench.age(13)
        bench.gc()
        assert (bench.folder / "packs" / name).exists()
        bench.age(2)
        assert bench.gc().result.deleted == 1
        assert not (bench.folder / "packs" / name).exists()

    def test_our_clock_does_not_matter(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine that believes to live in 2090 deletes nothing early."""
        bench.commit("topic", branch="topic")
        push(bench.repo, remote="origin", branches=(":topic",))
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 70 * 365 * DAY_S)
        result = bench.gc().result
        assert (result.dropped, result.deleted) == (0, 0)

    def test_a_dry_run_changes_nothing(self, bench: Bench) -> None:
        """It says what would be done."""
        bench.commit("topic", branch="topic")
        push(bench.repo, remote="origin", branches=(":topic",))
        bench.age(20)
        before = {p: p.read_bytes() for p in bench.folder.rglob("*") if p.is_file()}
        assert bench.gc(dry_run=True).result.dropped == 3
        assert {p: p.read_bytes() for p in bench.folder.rglob("*") if p.is_file()} == before

    def test_a_short_grace_is_refused(self, bench: Bench) -> None:
        """A push that is under way may need what nothing names yet."""
        with pytest.raises(UsageError, match="a day at least"):
            bench.gc(grace_s=3600)

    def test_only_in_stores(self, tmp_path: Path) -> None:
        """Other media collect by themselves."""
        repo = make_repo(tmp_path / "a")
        make_repo(tmp_path / "b", bare=True)
        add_remote(repo, "origin", str(tmp_path / "b"))
        with pytest.raises(UsageError, match="not an object store"):
            gc_remote(repo, remote="origin", grace_s=DEFAULT_GRACE_S)

    def test_an_incomplete_store_loses_nothing_more(self, bench: Bench) -> None:
        """When something is missing, nothing is removed."""
        (listed,) = bench.state().listed
        (bench.folder / "packs" / listed).unlink()
        bench.repo = make_repo(bench.tmp_path / "empty")
        add_remote(bench.repo, "origin", bench.url)
        bench.age(30)
        with pytest.raises(RemoteError):
            bench.gc()


class TestPushesBeside:
    """A push that counted on what a gc drops in this very moment."""

    def test_a_push_between_proof_and_write(self, bench: Bench, before_write: Arrange) -> None:
        """Its comparison fails, it proves again, and sends what is missing."""
        bench.commit("topic", branch="topic")
        other = copy_of(bench, "other")
        push(bench.repo, remote="origin", branches=(":topic",))
        bench.age(20)
        top = other.refs.read("refs/remotes/origin/topic")
        assert top is not None
        oid = add_commit(other, {b"more": b"1"}, branch="topic", parents=(top,))
        before_write(bench.gc)
        push(other, remote="origin", branches=("topic",))
        assert bench.state().refs["refs/heads/topic"] == oid
        bench.state().check()

    def test_a_push_while_gc_works(self, bench: Bench, before_write: Arrange) -> None:
        """A ref that comes back to what is about to be dropped keeps it."""
        oid = bench.commit("topic", branch="topic")
        push(bench.repo, remote="origin", branches=(":topic",))
        bench.age(20)
        before_write(lambda: push(bench.repo, remote="origin", branches=("topic",)))
        bench.gc()
        assert bench.state().refs["refs/heads/topic"] == oid
        bench.state().check()

    def test_a_reader_with_the_old_list(self, bench: Bench) -> None:
        """Packs that were replaced stay a day for whoever has begun to read them."""
        for number in range(4):
            bench.commit(f"f{number}")
        before = set(bench.state().listed)
        bench.gc()
        assert set(bench.state().listed) != before
        assert before <= set(bench.state().packs)


class TestMerging:
    """Many small packs become few, without a gc."""

    def test_every_so_many_pushes(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """The number of packs stays small, and all is there."""
        most = 0
        for number in range(70):
            bench.commit(f"f{number % 7}")
            most = max(most, len(bench.state().listed))
        assert most <= 40
        bench.state().check()
        assert reachable_there(bench) == set(reachable(bench.repo))
        copy = copy_of(bench, "copy")
        assert reachable(copy) == reachable(bench.repo)

    def test_a_failed_merge_is_no_failed_push(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the push did is done; the packs are merged another time."""
        monkeypatch.setattr(store_merge, "_EVERY", 1)
        monkeypatch.setattr(store_merge, "_MANY", 2)

        def fail(*_: object, **__: object) -> None:
            raise RemoteError("no")

        monkeypatch.setattr(store_merge, "copy_packs", fail)
        oid = bench.commit("f")
        assert bench.state().refs[MAIN] == oid
        bench.state().check()

    def test_each_byte_is_copied_a_few_times(self) -> None:
        """A thousand packs of one size cost ten copies of each, and few packs remain."""
        packs: list[PackEntry] = []
        copied = 0
        for number in range(1, 1025):
            packs.append(PackEntry(f"{number:064x}-{number:016x}", 1000, 0, 0, 1))
            if number % 32 == 0:
                chosen = choose_small(packs)
                size = sum(entry.size for entry in chosen)
                copied += size
                packs = [entry for entry in packs if entry not in chosen]
                if chosen:
                    packs.append(PackEntry(f"{number:064x}-f" + "0" * 15, size, 0, 0, 1))
        assert len(packs) <= 12
        assert copied <= 10 * 1024 * 1000


@pytest.fixture
def before_write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something done just before the next write of a document, once."""

    def arrange(deed: Callable[[], object]) -> None:
        real = FolderBucket.swap
        done = False

        def swap(
            self: FolderBucket, name: str, data: bytes, version: Version | None
        ) -> Version | None:
            nonlocal done
            if not done and name == "refs.json":
                done = True
                deed()
            return real(self, name, data, version)

        monkeypatch.setattr(FolderBucket, "swap", swap)

    return arrange


def copy_of(bench: Bench, name: str) -> Repository:
    """Clone the store, with every branch."""
    clone(bench.url, bench.tmp_path / name, cwd=bench.tmp_path)
    repo = Repository(bench.tmp_path / name)
    fetch(repo, remote="origin")
    return repo


def reachable_there(bench: Bench) -> set[bytes]:
    """Return what the refs there need."""
    return set(bench.state().check())
