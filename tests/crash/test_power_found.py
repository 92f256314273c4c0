"""What the exploration of power cuts found, each as a small test of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core import journal
from muse.core.object_store import ObjectStore
from muse.core.operations import operations_path, read_operations
from muse.core.reflog import read_reflog, reflog_path
from muse.core.repo import open_repo
from muse.ops.init import init
from muse.ops.selftest.judge import observe
from muse.ops.selftest.recording import record
from muse.ops.selftest.tree import RENAME, SYNC, WRITE
from tests.crash.setups import branches, ok, run

pytestmark = pytest.mark.crash


def test_log_of_a_branch_below_the_old_name(tmp_path: Path) -> None:
    """Renamed from `topic` to `topic/sub`, a branch has its log at once."""
    branches(tmp_path / "repo")
    ok(tmp_path / "repo", "branch", "-m", "topic", "topic/sub")
    repo = open_repo(tmp_path / "repo")
    assert repo.recovered == 0
    assert len(read_reflog(repo.root, "refs/heads/topic/sub")) == 1


def test_recovery_of_such_a_rename(tmp_path: Path) -> None:
    """G13: recovery removes the old log first, so that one recovery is enough."""
    branches(tmp_path / "repo")
    ok(tmp_path / "repo", "branch", "-m", "topic", "topic/sub")
    logs = tmp_path / "repo" / ".muse" / "logs" / "refs" / "heads"
    (logs / "topic" / "sub").unlink()
    (logs / "topic").rmdir()
    (logs / "topic").write_bytes(b"")
    store = ObjectStore(tmp_path / "repo")
    assert journal.recover(store)[1] > 0
    assert journal.recover(store)[1] == 0
    assert len(read_reflog(store.root, "refs/heads/topic/sub")) == 1


def test_files_of_init_are_durable_before_their_names(tmp_path: Path) -> None:
    """G5: `init` leaves no torn HEAD or settings, which the next `init` would leave as they are."""
    (tmp_path / "repo").mkdir()
    recording = record(
        tmp_path / "repo",
        [("init",)],
        run=run,
        observe=lambda folder: observe(folder, ["."]),
    )
    synced: set[int] = set()
    named = []
    for op in recording.ops:
        if op.kind == SYNC:
            synced.add(op.node)
        elif op.kind == WRITE:
            synced.discard(op.node)
        elif op.kind == RENAME:
            assert op.node in synced, op.name
            named.append(op.name)
    assert {"HEAD", "config.toml"} <= set(named)
    assert named.index("repo.json") > named.index("HEAD")


def test_init_again_after_a_cut(tmp_path: Path) -> None:
    """An `init` without its last file is finished by the next one."""
    init(tmp_path / "repo")
    (tmp_path / "repo" / ".muse" / "repo.json").unlink()
    assert init(tmp_path / "repo").created
    assert not init(tmp_path / "repo").created


def test_the_order_of_operations(tmp_path: Path) -> None:
    """G13: where a cut took an operation's line and left the next one, the next stays the last."""
    root = tmp_path / "repo"
    branches(root)
    ok(root, "branch", "one")
    ok(root, "branch", "two")
    for log in (operations_path(root), reflog_path(root, "HEAD")):
        lines = log.read_bytes().split(b"\n")
        lines[-3] = bytes(len(lines[-3]))
        log.write_bytes(b"\n".join(lines))
    wanted = [operation.summary for operation in read_operations(root)]
    assert open_repo(root).recovered == 2
    found = [operation.summary for operation in read_operations(root)]
    assert found[0] == wanted[0]
    assert len(found) == len(wanted) + 1
    assert read_reflog(root, "HEAD")[0].message == "commit: three"
    assert open_repo(root).recovered == 0
    assert "two" in ok(root, "undo")
