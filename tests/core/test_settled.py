"""What a transaction rests on is durable, whoever wrote it and died before saying so (G1, G2)."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path

import pytest

from muse.core import io, journal, journal_pieces
from muse.core.errors import IoFailedError
from muse.core.object_store import ObjectStore
from muse.core.operations import read_operations
from muse.core.paths import MUSE, journal_dir, muse_dir, pack_dir
from muse.core.repo import Repository, open_repo
from muse.core.types import raw_object_id
from muse.ops.init import init
from tests.core.repos import MAIN, commit_files
from tests.core.test_durability import Syncs
from tests.crash.harness import KILLED, Fault, every_fault, run_faulted


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with one commit in it."""
    init(tmp_path / "repo")
    commit_files(open_repo(tmp_path / "repo"), {b"first": b"first\n"})
    return open_repo(tmp_path / "repo")


def names(syncs: Syncs) -> list[str]:
    """Return the last part of what was synced, in order."""
    return [name.rpartition("/")[2] for name in syncs.calls]


class TestALogThatCannotBeWritten:
    """The journal has its line, and is not retired before the log has it too."""

    def test_a_later_transaction_of_the_same_process(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """G3: though its journal is retired for its size."""
        with monkeypatch.context() as patch:

            def fail(*arguments: object) -> None:
                raise IoFailedError("append to", path="a log", error=OSError(errno.EMFILE, "many"))

            patch.setattr(journal_pieces, "append_line", fail)
            commit_files(repo, {b"second": b"x"})
        assert len(list(read_operations(repo.root))) == 1
        monkeypatch.setattr(journal, "MAX_RECORDS", 1)
        commit_files(repo, {b"third": b"y"})
        assert len(list(read_operations(repo.root))) == 3


class TestWhatADeadWriterLeft:
    """It is made durable before anything points at it."""

    def test_the_name_of_a_pack(self, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """G1: a pack that is there may be so in memory alone, until its folder is synced."""
        commit_files(repo, {b"many/%d" % n: b"%d" % n for n in range(60)})
        syncs = Syncs(monkeypatch)
        commit_files(open_repo(repo.root), {b"small": b"x"})
        assert names(syncs) == ["pack", "wal"]

    def test_the_name_of_a_pack_is_synced_once(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder that has not changed since costs nothing."""
        commit_files(repo, {b"many/%d" % n: b"%d" % n for n in range(60)})
        os.utime(pack_dir(repo.root), (1e9, 1e9))
        commit_files(repo, {b"small": b"x"})
        syncs = Syncs(monkeypatch)
        commit_files(open_repo(repo.root), {b"small": b"y"})
        assert names(syncs) == ["wal"]

    def test_the_name_of_the_journals_folder(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """G2: where no `init` made it, one that a dead writer made is synced before a record is."""
        journal.checkpoint(repo.root)
        journal_dir(repo.root).rmdir()
        died_at = []

        def give(root: Path) -> None:
            commit_files(open_repo(root), {b"small": b"x"})

        for number, outcome in every_fault(repo.root, repo.root.parent / "work", give):
            work = repo.root.parent / "work"
            if outcome != KILLED or not journal_dir(work).exists():
                continue
            if journal.read_journal(work).records:
                break
            with monkeypatch.context() as patch:
                syncs = Syncs(patch)
                commit_files(open_repo(work), {b"again": b"y"})
            if MUSE in names(syncs):
                died_at.append(number)
                assert names(syncs).index(MUSE) < names(syncs).index("wal")
        assert died_at
        assert not (muse_dir(repo.root.parent / "work") / "journal-unsynced").exists()

    def test_a_journals_folder_that_is_known_costs_nothing(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new journal costs its folder's sync and its own, as ever."""
        journal.checkpoint(repo.root)
        syncs = Syncs(monkeypatch)
        commit_files(repo, {b"small": b"x"})
        assert names(syncs) == ["journal", "wal"]

    def test_an_object_without_a_sync(self, repo: Repository) -> None:
        """G1: one that was stored on the side goes into the record of who refers to it."""
        ObjectStore(repo.root).write("blob", b"on the side\n")
        commit_files(repo, {b"side": b"on the side\n"})
        last = journal.read_journal(repo.root).records[-1]
        assert raw_object_id("blob", b"on the side\n") in [raw for raw, _ in last.objects]

    def test_a_big_object_without_a_sync(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """G1: it stays where it is, and is synced there."""
        content = os.urandom((1 << 20) + 1)
        raw = ObjectStore(repo.root).write("blob", content)
        syncs = Syncs(monkeypatch)
        commit_files(repo, {b"big": content})
        path = Path(repo.objects.loose_path(raw))
        assert path.name in names(syncs)
        assert names(syncs).index(path.name) < names(syncs).index("wal")

    def test_a_record_without_a_sync(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """G2, G13: who completes a record first makes it durable: its writer may not have."""
        known = len(journal.read_journal(repo.root).records)
        for number in range(1, 100):
            outcome = run_faulted(
                lambda: commit_files(open_repo(repo.root), {b"x": b"x"}), Fault(number)
            )
            assert outcome == KILLED
            if len(journal.read_journal(repo.root).records) > known:
                break
        before = repo.refs.read(MAIN)
        syncs = Syncs(monkeypatch)
        assert open_repo(repo.root).recovered
        assert names(syncs)[:1] == ["wal"]
        assert open_repo(repo.root).refs.read(MAIN) != before


class TestAFailedSync:
    """It is final: the same file is never synced again and believed."""

    def test_of_a_record(self, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """G10: nothing is published, and the next writer writes the journal into a new file."""
        wal = journal.wal_path(repo.root)
        before, inode = repo.refs.read(MAIN), wal.stat().st_ino
        with monkeypatch.context() as patch, pytest.raises(IoFailedError):
            patch.setattr(os, "fsync", _fail)
            commit_files(repo, {b"x": b"x"})
        assert open_repo(repo.root).refs.read(MAIN) == before
        commit_files(open_repo(repo.root), {b"x": b"x"})
        assert wal.stat().st_ino != inode
        assert open_repo(repo.root).refs.read(MAIN) != before
        assert not (muse_dir(repo.root) / "journal/doubt").exists()

    def test_of_a_checkpoint(self, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """G2, G10: all that the journal moved is written anew before it is retired."""
        wal = journal.wal_path(repo.root)
        ref = muse_dir(repo.root) / MAIN
        record = journal.read_journal(repo.root).records[0]
        loose = [Path(repo.objects.loose_path(raw)) for raw, _ in record.objects]
        old = {path: path.stat().st_ino for path in (wal, ref, *loose)}

        def refuse(path: Path) -> None:
            raise IoFailedError("make durable", path=str(path), error=OSError(5, "EIO"))

        with monkeypatch.context() as patch, pytest.raises(IoFailedError):
            patch.setattr(io, "sync_filesystem", refuse)
            journal.checkpoint(repo.root)
        assert journal.read_journal(repo.root).records
        found, _ = journal.recover(ObjectStore(repo.root))
        assert [path for path, inode in old.items() if path.stat().st_ino == inode] == []
        assert len(found.records) == 1
        journal.checkpoint(repo.root)
        assert not wal.exists()
        assert open_repo(repo.root).refs.read(MAIN) == repo.refs.read(MAIN)


def test_a_drive_that_has_a_cache_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS the call that empties it is used; where a file system has none, fsync is."""
    calls: list[int] = []

    def control(fd: int, what: int) -> None:
        calls.append(what)
        if len(calls) > 1:
            raise OSError(45, "Operation not supported")

    monkeypatch.setattr(io, "_FULLFSYNC", 51)
    monkeypatch.setattr(io, "_NO_FULLFSYNC", {45})
    monkeypatch.setattr(fcntl, "fcntl", control)
    syncs = Syncs(monkeypatch)
    io.sync_path(tmp_path)
    assert (calls, syncs.calls) == ([51], [])
    io.sync_path(tmp_path)
    assert (calls, names(syncs)) == ([51, 51], [tmp_path.name])


def _fail(_: int) -> None:
    raise OSError(5, "Input/output error")


class TestALogThatCannotBeRead:
    """Recovery does not take it for one that lacks its lines."""

    def test_for_a_moment(self, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """G10: out of descriptors, the command fails; no line is appended a second time."""
        _fail_on_logs(monkeypatch, errno.EMFILE)
        before = _log(repo).read_bytes()
        with pytest.raises(IoFailedError, match="Too many open files"):
            commit_files(open_repo(repo.root), {b"second": b"2\n"})
        monkeypatch.undo()
        assert _log(repo).read_bytes() == before
        commit_files(open_repo(repo.root), {b"second": b"2\n"})
        assert len(read_operations(repo.root)) == 2

    def test_for_ever(self, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """G5: a log on a broken sector stands in nobody's way."""
        _fail_on_logs(monkeypatch, errno.EIO)
        commit_files(open_repo(repo.root), {b"second": b"2\n"})
        monkeypatch.undo()
        assert len(read_operations(repo.root)) == 2

    def test_a_line_that_stands_twice(self, repo: Repository) -> None:
        """An operation counts once, where it was written first."""
        commit_files(repo, {b"second": b"2\n"})
        first, *_ = _log(repo).read_bytes().splitlines()
        with _log(repo).open("ab") as file:
            file.write(first + b"\n")
        assert [op.id for op in read_operations(repo.root)][1] == json.loads(first)["id"]


def _log(repo: Repository) -> Path:
    return muse_dir(repo.root) / "logs/operations"


def _fail_on_logs(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let no log be opened for reading."""

    def fail(path: str, flags: int) -> int:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(journal_pieces, "open_plain", fail)
