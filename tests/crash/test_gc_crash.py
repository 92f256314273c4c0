"""Killing, failing and crowding a collection: every object that was reachable stays readable."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from muse.core.gc import GcOptions, collect
from muse.core.object_store import ObjectStore
from muse.core.paths import muse_dir
from muse.core.repo import Repository, open_repo
from muse.core.types import RawId
from muse.core.verify import verify_store
from tests.core.gc_runs import NEVER, fill, loose, now, pack_of, read_all, unreachable
from tests.core.repos import MAIN, commit_files
from tests.crash.harness import DONE, ERRORS, FAILED, KILLED, every_fault

pytestmark = pytest.mark.crash
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository that has everything: loose, packed, doubled, garbage of both kinds."""
    repo = fill(tmp_path / "repo")
    repo.objects.write("blob", b"loose garbage")
    pack_of(repo, b"packed garbage", b"changed\n", level=None)
    pack_of(repo, b"more packed garbage", level=None)
    for path in (muse_dir(repo.root) / "objects").rglob("*"):
        os.utime(path, (1e9, 1e9))
    loose(repo, b"young garbage", old=False)
    return repo


def collect_in(root: Path) -> None:
    """Collect everything that is not young."""
    collect(open_repo(root).objects, GcOptions(expire_before_s=now() - 3600, wait_s=0.1))


def check(root: Path, kept: dict[RawId, tuple[str, bytes]], *, settled: bool = False) -> None:
    """The oracle: it opens, what was reachable or young reads the same, and nothing is damaged."""
    repo = open_repo(root)
    found = read_all(repo)
    assert kept.items() <= found.items()
    report = verify_store(root)
    assert report.is_whole, [f.message for f in report.findings]
    assert not settled or found.keys() == kept.keys()


class TestFaults:
    """One call dies or fails, each in turn."""

    def test_killed_anywhere(self, repo: Repository, tmp_path: Path) -> None:
        """What stays is whole; the next collection finishes, and leaves no temp behind (G5, G7)."""
        kept = self._kept(repo)
        outcomes = set()
        for _, outcome in every_fault(repo.root, tmp_path / "work", collect_in):
            outcomes.add(outcome)
            check(tmp_path / "work", kept)
            collect_in(tmp_path / "work")
            check(tmp_path / "work", kept, settled=True)
            assert not list(muse_dir(tmp_path / "work").rglob(".*-tmp-*"))
        assert outcomes == {KILLED, DONE}

    @pytest.mark.parametrize("error", ERRORS)
    @pytest.mark.parametrize("forever", [False, True])
    def test_failing_anywhere(
        self, repo: Repository, tmp_path: Path, error: int, forever: bool
    ) -> None:
        """Whatever the system refuses, nothing is lost, and the next collection finishes (G10)."""
        kept = self._kept(repo)
        outcomes = set()
        for _, outcome in every_fault(
            repo.root, tmp_path / "work", collect_in, error=error, forever=forever, stride=7
        ):
            outcomes.add(outcome)
            check(tmp_path / "work", kept)
            collect_in(tmp_path / "work")
            check(tmp_path / "work", kept, settled=True)
        assert outcomes == {FAILED, DONE}

    @staticmethod
    def _kept(repo: Repository) -> dict[RawId, tuple[str, bytes]]:
        garbage = set(unreachable(repo))
        return {
            raw: found
            for raw, found in read_all(repo).items()
            if raw not in garbage or found[1] == b"young garbage"
        }


@pytest.mark.slow
class TestCrowd:
    """Real processes, beside and against each other."""

    def test_killed_with_a_signal(self, repo: Repository, tmp_path: Path) -> None:
        """SIGKILL at a random moment, also inside C code and system calls: nothing is lost."""
        commit_files(repo, {b"t%d" % n: b"text %d\n" % n * 99 for n in range(400)})
        kept = TestFaults._kept(repo)
        chance = random.Random(7)
        program = (
            "import sys; from tests.crash.test_gc_crash import *; collect_in(Path(sys.argv[1]))"
        )
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", program, self._copy(repo, tmp_path)], check=True)
        whole_run_s = time.monotonic() - started
        for _ in range(8):
            copy = self._copy(repo, tmp_path)
            process = subprocess.Popen([sys.executable, "-c", program, copy])
            # The moment is what is under test here, not a state to wait for.
            try:
                process.wait(timeout=chance.uniform(0.4, 1.0) * whole_run_s)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
            check(Path(copy), kept)
        collect_in(tmp_path / "copy")
        check(tmp_path / "copy", kept, settled=True)

    @staticmethod
    def _copy(repo: Repository, tmp_path: Path) -> str:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(repo.root, copy)
        return str(copy)

    def test_writers_readers_and_collectors(self, repo: Repository) -> None:
        """Two collectors beside a writer and a reader: each commit is there, each read succeeds."""
        stop = SPAWN.Event()
        helpers = [
            SPAWN.Process(target=_collect_on, args=(repo.root, stop, bool(n))) for n in range(2)
        ]
        helpers.append(SPAWN.Process(target=_read_on, args=(repo.root, stop)))
        for helper in helpers:
            helper.start()
        try:
            commits = []
            for turn in range(25):
                many = range(40 if turn % 5 == 0 else 2)
                files: dict[bytes, bytes | None] = {
                    b"%d/%d" % (turn, n): b"%d of %d\n" % (n, turn) for n in many
                }
                commits.append(commit_files(repo, files))
        finally:
            stop.set()
            for helper in helpers:
                helper.join(60)
        assert [helper.exitcode for helper in helpers] == [0, 0, 0]
        report = verify_store(repo.root)
        assert report.is_whole, [f.message for f in report.findings]
        assert report.commits == 2 + len(commits)


def _collect_on(root: Path, stop: Event, everything: bool) -> None:
    while not stop.is_set():
        store = open_repo(root).objects
        collect(store, GcOptions(expire_before_s=now() - 60, everything=everything, wait_s=60))
    collect(ObjectStore(root), GcOptions(expire_before_s=NEVER, wait_s=60))


def _read_on(root: Path, stop: Event) -> None:
    """Read what the newest commit needs, over and over, in a store that stays open."""
    repo = open_repo(root)
    while not stop.is_set():
        oid = repo.refs.read(MAIN)
        assert oid is not None
        pending = [repo.commit(oid).tree]
        while pending:
            kind, payload = repo.objects.read(pending.pop())
            if kind == "tree":
                from muse.core.reach import split_tree

                for group in split_tree(payload):
                    pending += group
