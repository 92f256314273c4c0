"""Temps, locks and the sweep: the living are left alone, the dead leave nothing."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from muse.core import sweep, temps
from muse.core.append import append_line
from muse.core.errors import LockedError
from muse.core.io import NewFile, write_text_atomic
from muse.core.ledger import read_ledger
from muse.core.lock import WriteLock, find_owner
from muse.core.paths import muse_dir
from muse.core.repo import open_repo
from muse.ops.init import init

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a fresh repository's root."""
    init(tmp_path)
    return tmp_path


def _plant(root: Path, where: str, name: str, *, age_s: float = 0) -> Path:
    path = muse_dir(root) / where / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"partial")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def _named_temps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave as on a file system without nameless files."""
    monkeypatch.setattr("muse.core.io._O_TMPFILE", 0)


class TestWhatIsRemoved:
    """Each family by its own rule."""

    @pytest.mark.parametrize("where", [w for w in temps.SWEEP_DIRS if w != "cache"])
    def test_mutable_temps_go_at_once(self, root: Path, where: str) -> None:
        """Even a young one, since its writer would hold a lock."""
        planted = _plant(root, where, ".muse-tmp-abc")
        report = sweep.sweep_repository(root)
        assert not planted.exists()
        assert [f.state for f in report.findings] == [sweep.REMOVED]

    def test_foreign_object_temps_wait_for_their_gate(self, root: Path) -> None:
        """An older version may be writing: the report says how long it waits."""
        young = _plant(root, "objects/sha256/ab", ".obj-tmp-xyz", age_s=10)
        old = _plant(root, "objects/sha256/ab", ".restore-tmp-xyz", age_s=61)
        packed = _plant(root, "objects/pack", ".obj-tmp-xyz", age_s=61)
        states = {f.path: f for f in sweep.sweep_repository(root).findings}
        assert young.exists()
        assert not old.exists()
        assert not packed.exists()
        waiting = states["objects/sha256/ab/.obj-tmp-xyz"]
        assert waiting.state == sweep.WAITING
        assert "50 s" in waiting.reason or "49 s" in waiting.reason

    def test_our_own_orphans_need_no_gate(self, root: Path) -> None:
        """A name of ours whose lock is free has a dead writer, however young it is."""
        planted = _plant(root, "objects/sha256/ab", temps.new_name(temps.OBJECT))
        assert sweep.sweep_repository(root).findings[0].pid == os.getpid()
        assert not planted.exists()

    def test_links_and_pipes_are_left_alone(self, root: Path, tmp_path: Path) -> None:
        """A planted link leads nowhere, and a pipe does not hang the sweep."""
        target = tmp_path / "target"
        target.write_text("mine")
        (muse_dir(root) / "tmp" / ".muse-tmp-link").symlink_to(target)
        os.mkfifo(muse_dir(root) / "tmp" / ".muse-tmp-pipe")
        states = Counter(f.state for f in sweep.sweep_repository(root).findings)
        assert states == {sweep.ORPHAN: 2}
        assert target.read_text() == "mine"

    def test_a_link_of_ours_goes_while_nobody_writes(self, root: Path, tmp_path: Path) -> None:
        """A link cannot be locked: while the write lock is held it may be needed (G6, G7)."""
        target = tmp_path / "target"
        target.write_text("mine")
        link = muse_dir(root) / "tmp" / temps.new_name(temps.MUTABLE)
        link.symlink_to(target)
        with WriteLock(root, command="test"):
            for remove in (True, False):
                [found] = sweep.sweep_repository(root, remove=remove).findings
                assert found.state == sweep.IN_USE
        [found] = sweep.sweep_repository(root, remove=False).findings
        assert found.state == sweep.ORPHAN
        assert link.is_symlink()
        [found] = sweep.sweep_repository(root).findings
        assert (found.state, found.pid) == (sweep.REMOVED, os.getpid())
        assert not link.is_symlink()
        assert target.read_text() == "mine"

    def test_real_files_stay(self, root: Path) -> None:
        """Nothing but temps is ever touched."""
        before = sorted(p for p in muse_dir(root).rglob("*") if p.is_file())
        sweep.sweep_repository(root)
        kept = {p for p in muse_dir(root).rglob("*") if p.is_file()}
        assert set(before) <= kept


def _hold_temp(root: Path, pipe: Connection) -> None:
    import muse.core.io as io_module

    io_module._O_TMPFILE = 0  # type: ignore[misc]  # as on a file system without nameless files
    with NewFile(muse_dir(root) / "tmp", family=temps.MUTABLE) as new:
        new.write(b"half")
        pipe.send("ready")
        pipe.recv()


class TestTheLiving:
    """A running writer keeps its temp; a killed one loses it (G6, G7)."""

    def test_in_use_until_the_writer_dies(self, root: Path) -> None:
        """The lock tells: in use while the process lives, removed once it is killed."""
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=_hold_temp, args=(root, theirs))
        process.start()
        assert ours.recv() == "ready"
        first = sweep.sweep_repository(root).findings
        assert [(f.state, f.pid) for f in first] == [(sweep.IN_USE, process.pid)]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        second = sweep.sweep_repository(root).findings
        assert [f.state for f in second] == [sweep.REMOVED]
        assert not list(muse_dir(root).rglob(".muse-tmp-*"))

    def test_named_files_publish_too(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the system has no nameless files the result is the same, and nothing is left."""
        _named_temps(monkeypatch)
        path = muse_dir(root) / "code" / "note"
        write_text_atomic(path, "one", durable=True)
        write_text_atomic(path, "two")
        assert path.read_text() == "two"
        with NewFile(path.parent, family=temps.OBJECT) as new:
            new.write(b"x")
            assert new.publish(path) is False
        assert path.read_text() == "two"
        assert not list(muse_dir(root).rglob(".*-tmp-*"))

    @pytest.mark.slow
    @pytest.mark.parametrize("named", [False, True])
    def test_writers_beside_a_sweeper_never_fail(self, root: Path, named: bool) -> None:
        """No write loses its temp to another command's sweep."""
        stop = SPAWN.Event()
        sweeper = SPAWN.Process(target=_sweep_until, args=(root, stop))
        writers = [SPAWN.Process(target=_write_many, args=(root, n, named)) for n in range(2)]
        for process in (sweeper, *writers):
            process.start()
        for process in writers:
            process.join()
        stop.set()
        sweeper.join()
        assert [p.exitcode for p in writers] == [0, 0]
        assert not list(muse_dir(root).rglob(".muse-tmp-*"))


def _sweep_until(root: Path, stop: object) -> None:
    while not stop.is_set():  # type: ignore[attr-defined]
        sweep.sweep_mutable_temps(muse_dir(root))


def _write_many(root: Path, number: int, named: bool) -> None:
    if named:
        import muse.core.io as io_module

        io_module._O_TMPFILE = 0  # type: ignore[misc]
    for count in range(2000):
        write_text_atomic(muse_dir(root) / "refs" / "heads" / f"w{number}", str(count))


class TestCost:
    """A clean sweep looks at folder times and lists next to nothing."""

    def test_only_what_moved_is_listed(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a clean sweep a planted temp costs the listing of its own folder."""
        monkeypatch.setattr(sweep, "RACY_NS", -1)
        for number in range(256):
            (muse_dir(root) / "objects/sha256" / f"{number:02x}").mkdir()
        for path in [muse_dir(root), *muse_dir(root).rglob("*")]:
            if path.is_dir():
                os.utime(path, (1000, 1000))
        sweep.sweep_repository(root)
        clean = sweep.sweep_repository(root)
        assert clean.listed <= 3
        _plant(root, "objects/sha256/c4", ".obj-tmp-old", age_s=100)
        again = sweep.sweep_repository(root)
        assert [f.state for f in again.findings] == [sweep.REMOVED]
        assert again.listed <= 4

    @pytest.mark.slow
    @pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the calls")
    def test_a_clean_sweep_makes_few_calls(self, root: Path, tmp_path: Path) -> None:
        """At most 420 system calls with every shard present, whatever the number of objects."""
        for number in range(256):
            (muse_dir(root) / "objects/sha256" / f"{number:02x}").mkdir()
        for path in [muse_dir(root), *muse_dir(root).rglob("*")]:
            if path.is_dir():
                os.utime(path, (1000, 1000))
        sweep.sweep_repository(root)
        code = (
            "import sys, os; from pathlib import Path; from muse.core import sweep\n"
            "root = Path(sys.argv[1]); os.stat('/begin-here') if 0 else None\n"
            "try: os.stat('/begin-here')\nexcept OSError: pass\n"
            "report = sweep.sweep_repository(root)\n"
            "try: os.stat('/end-here')\nexcept OSError: pass\n"
            "assert not report.findings and report.listed <= 3, report\n"
        )
        log = tmp_path / "trace"
        subprocess.run(
            ["strace", "-f", "-o", log, sys.executable, "-c", code, root], check=True, cwd=tmp_path
        )
        text = log.read_text(errors="replace")
        calls = text[text.index("/begin-here") : text.index("/end-here")].count("\n")
        assert calls <= 420, calls

    def test_a_racy_folder_is_not_trusted(self, root: Path) -> None:
        """A folder that changed in the last two seconds is listed again."""
        sweep.sweep_repository(root)
        assert sweep.sweep_repository(root).listed > 3


class TestLedger:
    """What a sweep did is kept for people."""

    def test_opening_records_what_was_removed(self, root: Path) -> None:
        """Time, command, family, path, bytes, age and reason of each temp."""
        _plant(root, "tmp", ".muse-tmp-dead", age_s=5)
        repo = open_repo(root, command="muse status")
        assert repo.sweep_report is not None
        assert repo.sweep_report.removed == 1
        [entry] = read_ledger(root)
        assert entry.command == "muse status"
        [finding] = entry.findings
        assert (finding.family, finding.path, finding.size_bytes) == (
            "mutable", "tmp/.muse-tmp-dead", 7,
        )  # fmt: skip
        assert finding.age_s >= 5
        assert finding.reason

    def test_a_clean_sweep_leaves_no_line(self, root: Path) -> None:
        """The ledger tells of events, not of every command."""
        open_repo(root)
        assert read_ledger(root) == []

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_sweep_that_cannot_write_is_no_error(self, root: Path) -> None:
        """A read-only repository opens."""
        muse_dir(root).chmod(0o500)
        assert open_repo(root).root == root
        muse_dir(root).chmod(0o700)


def _hold_lock(root: Path, pipe: Connection) -> None:
    with WriteLock(root, command="gc"):
        pipe.send("ready")
        pipe.recv()


class TestWriteLock:
    """One writer at a time, and no lock that outlives its process (G5)."""

    def test_the_other_waits_then_tells_who(self, root: Path) -> None:
        """The error names process and command; kill -9 frees the lock at once."""
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=_hold_lock, args=(root, theirs))
        process.start()
        assert ours.recv() == "ready"
        owner = find_owner(root)
        assert owner is not None
        assert (owner.pid, owner.command) == (process.pid, "gc")
        with (
            pytest.raises(LockedError, match=f"process {process.pid} \\(gc"),
            WriteLock(root, command="x", wait_s=0.05),
        ):
            pass
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert find_owner(root) is None
        with WriteLock(root, command="x", wait_s=0):
            pass


def test_appending_closes_a_torn_line(tmp_path: Path) -> None:
    """A line that a crash cut in half does not swallow the next one."""
    path = tmp_path / "log"
    path.write_bytes(b"whole\nto")
    append_line(path, b"next", durable=True)
    assert path.read_bytes() == b"whole\nto\nnext\n"
