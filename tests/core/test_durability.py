"""Levels of durability: what is synced at each, and that a kill or an error hurts at none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from muse.cli.main import main
from muse.core import io, transaction
from muse.core.durability import LEVELS, are_syncs_waived
from muse.core.errors import IoFailedError, UsageError
from muse.core.repo import Repository, open_repo
from muse.ops.health import read_health
from muse.ops.init import init
from muse.ops.settings import set_setting
from tests.core.repos import MAIN, commit_files
from tests.crash import oracle
from tests.crash.harness import DONE, FAILED, KILLED, every_fault

BIG = {b"big%d" % n: os.urandom((1 << 20) + 1) for n in range(3)}


def make(root: Path, level: str) -> Repository:
    """Make a repository of that level, with one commit."""
    init(root)
    set_setting(open_repo(root), "core.durability", level)
    commit_files(open_repo(root), {b"first": b"first\n"})
    return open_repo(root)


class Syncs:
    """Counts the syncs of this process, in the order that they come."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        real_sync, real_all = os.fsync, io.sync_filesystem

        def fsync(fd: int) -> None:
            self.calls.append(os.readlink(f"/proc/self/fd/{fd}"))
            real_sync(fd)

        def sync_filesystem(path: Path) -> None:
            self.calls.append("everything")
            real_all(path)

        monkeypatch.setattr(os, "fsync", fsync)
        for module in (io, transaction):
            monkeypatch.setattr(module, "sync_filesystem", sync_filesystem)


def test_full_syncs_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every big object, and the record; an everyday commit needs the record alone."""
    repo = make(tmp_path / "repo", "full")
    syncs = Syncs(monkeypatch)
    commit_files(repo, {b"small": b"x"})
    assert [name.rpartition("/")[2] for name in syncs.calls] == ["wal"]
    commit_files(repo, {b"big": BIG[b"big0"]})
    assert "everything" not in syncs.calls
    assert len(syncs.calls) >= 4


def test_batch_syncs_large_files_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: one call for them, and then the record."""
    repo = make(tmp_path / "repo", "batch")
    syncs = Syncs(monkeypatch)
    commit_files(repo, {b"small": b"x"})
    assert [name.rpartition("/")[2] for name in syncs.calls] == ["wal"]
    syncs.calls.clear()
    commit_files(repo, {b"big": BIG[b"big0"]})
    assert [name.rpartition("/")[2] for name in syncs.calls] == ["everything", "wal"]


def test_none_syncs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call at all; and another repository, written meanwhile, is as durable as it says."""
    repo = make(tmp_path / "repo", "none")
    other = make(tmp_path / "other", "full")
    syncs = Syncs(monkeypatch)
    commit_files(repo, BIG)
    commit_files(repo, {b"%d" % n: b"%d" % n for n in range(100)})
    for number in range(20):
        commit_files(repo, {b"n": b"%d" % number})
    # A call that reached the disk is one of `os.fsync`; what is waived never gets there.
    assert [name for name in syncs.calls if name != "everything"] == []
    with repo.transaction("outer"):
        assert are_syncs_waived()
        commit_files(other, {b"small": b"x"})
        assert are_syncs_waived()
    assert not are_syncs_waived()
    assert "wal" in syncs.calls[-1]


@pytest.mark.crash
@pytest.mark.parametrize("level", LEVELS)
def test_killed_at_every_call(tmp_path: Path, level: str) -> None:
    """The state before or after, and everything works (G1, G3, G5)."""
    repo = make(tmp_path / "repo", level)
    before = repo.refs.read(MAIN)
    outcomes = set()
    for _, outcome in every_fault(repo.root, tmp_path / "work", _commit, stride=3):
        outcomes.add(outcome)
        after = open_repo(tmp_path / "work").refs.read(MAIN)
        assert outcome != DONE or after != before
        oracle.check_graph(tmp_path / "work")
    assert outcomes == {DONE, KILLED}


@pytest.mark.crash
@pytest.mark.parametrize("level", LEVELS)
def test_an_error_is_final(tmp_path: Path, level: str) -> None:
    """With EIO at any call, a commit that reports success is there, and one that fails is not."""
    repo = make(tmp_path / "repo", level)
    before = repo.refs.read(MAIN)
    outcomes = set()
    for _, outcome in every_fault(repo.root, tmp_path / "work", _commit, error=5, stride=3):
        outcomes.add(outcome)
        after = open_repo(tmp_path / "work").refs.read(MAIN)
        assert outcome != DONE or after != before
        oracle.check_graph(tmp_path / "work")
    assert outcomes == {DONE, FAILED}


def test_a_failed_sync_of_the_batch_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bulk is not durable: then there is no record that names it."""
    repo = make(tmp_path / "repo", "batch")
    before = repo.refs.read(MAIN)

    def fail(path: Path) -> None:
        raise IoFailedError("make durable", path=str(path), error=OSError(5, "EIO"))

    monkeypatch.setattr(transaction, "sync_filesystem", fail)
    with pytest.raises(IoFailedError):
        commit_files(repo, BIG)
    assert open_repo(repo.root).refs.read(MAIN) == before


def test_a_wrong_level_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused when it is set; put there by hand, nothing is written until it is mended."""
    root = tmp_path / "repo"
    repo = make(root, "full")
    with pytest.raises(UsageError) as caught:
        set_setting(repo, "core.durability", "often")
    assert "batch" in caught.value.hint
    (root / ".muse/config.toml").write_text('[core]\ndurability = "often"\n')
    with pytest.raises(UsageError):
        commit_files(open_repo(root), {b"x": b"x"})
    assert main(["-C", str(root), "config", "core.durability", "batch"]) == 0
    commit_files(open_repo(root), {b"x": b"x"})
    capsys.readouterr()


def test_it_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By status, for programs, and by health, for people."""
    root = tmp_path / "repo"
    repo = make(root, "none")
    assert read_health(repo).durability == "none"
    assert main(["-C", str(root), "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["durability"] == "none"
    assert main(["-C", str(root), "health"]) == 0
    assert "throw-away" in capsys.readouterr().out


def _commit(root: Path) -> None:
    commit_files(open_repo(root), BIG)
