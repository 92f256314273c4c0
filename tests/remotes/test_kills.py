"""kill -9 in the middle of push, fetch and clone: all stays valid, and repeating completes it."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from muse.core.refs import HEADS
from muse.core.repo import Repository, open_repo
from muse.ops.status import read_status
from tests.remotes.killing import run_until, spread, start
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable, set_ref

MAIN = HEADS + "main"
TRACKING = "refs/remotes/origin/main"
POINTS = 8

pytestmark = [pytest.mark.crash, pytest.mark.slow]


class World:
    """A pushes to a hub, B fetches from it; a copy of all three for each kill."""

    def __init__(self, base: Path) -> None:
        self.base = base
        hub = make_repo(base / "hub", bare=True)
        ada = make_repo(base / "ada")
        make_repo(base / "bob")
        for name in ("ada", "bob"):
            config = base / name / ".muse/config.toml"
            config.write_text('[remote.origin]\nurl = "../hub"\n')
        old = add_commit(ada, files_of(60))
        add_commit(hub, files_of(60))
        set_ref(ada, TRACKING, old)
        add_commit(ada, files_of(150, seed=b"new"))

    def copy(self, number: int) -> Path:
        """Return a fresh copy."""
        return Path(shutil.copytree(self.base, self.base.with_name(f"copy{number}")))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The state before the command that is killed."""
    return World(tmp_path / "world")


def fresh(path: Path) -> Repository:
    """Open a repository as the next command would."""
    return open_repo(path)


def test_a_killed_push_completes_when_repeated(world: World) -> None:
    """G1, G9: the hub's branch is at the old or the new commit, always whole, and then the new."""
    whole = world.copy(0)
    old, new = fresh(whole / "hub").refs.read(MAIN), fresh(whole / "ada").refs.read(MAIN)
    command = ("push", "-u", "origin", "main")
    total = run_until(0, *command, root=whole, cwd=whole / "ada")
    assert total > 20
    for number, limit in enumerate(spread(total, POINTS), 1):
        base = world.copy(number)
        assert not run_until(limit, *command, root=base, cwd=base / "ada")
        hub = fresh(base / "hub")
        reachable(hub)
        reachable(fresh(base / "ada"))
        assert hub.refs.read(MAIN) in {old, new}
        run_until(0, *command, root=base, cwd=base / "ada")
        ada = fresh(base / "ada")
        assert fresh(base / "hub").refs.read(MAIN) == new == ada.refs.read(TRACKING)
        assert reachable(fresh(base / "hub")) == reachable(ada)
        shutil.rmtree(base)


def test_a_killed_fetch_completes_when_repeated(world: World) -> None:
    """G1, G9: nothing or all is remembered; the hub is never written to."""
    whole = world.copy(0)
    tip = fresh(whole / "hub").refs.read(MAIN)
    total = run_until(0, "fetch", root=whole, cwd=whole / "bob")
    for number, limit in enumerate(spread(total, POINTS), 1):
        base = world.copy(number)
        assert not run_until(limit, "fetch", root=base, cwd=base / "bob")
        bob = fresh(base / "bob")
        reachable(bob)
        assert bob.refs.read(TRACKING) in {None, tip}
        run_until(0, "fetch", root=base, cwd=base / "bob")
        assert fresh(base / "bob").refs.read(TRACKING) == tip
        assert reachable(fresh(base / "bob")) == reachable(fresh(base / "hub"))
        shutil.rmtree(base)


def test_a_killed_clone_completes_when_repeated(world: World) -> None:
    """G1, G5: whatever is left, the same command makes a whole clone of it."""
    whole = world.copy(0)
    command = ("clone", "ada", "new")
    total = run_until(0, *command, root=whole, cwd=whole)
    for number, limit in enumerate(spread(total, POINTS), 1):
        base = world.copy(number)
        assert not run_until(limit, *command, root=base, cwd=base)
        if (base / "new/.muse").is_dir():
            reachable(open_repo(base / "new", unfinished=True))
        if (base / "new/.muse/clone.json").exists() or not (base / "new/d0").exists():
            run_until(0, *command, root=base, cwd=base)
        new = fresh(base / "new")
        assert new.head().commit == fresh(base / "ada").refs.read(MAIN)
        assert not (base / "new/.muse/clone.json").exists()
        assert reachable(new).keys() <= reachable(fresh(base / "ada")).keys()
        assert read_status(new).status.is_clean
        shutil.rmtree(base)


@pytest.mark.parametrize("command", [("clone", "ada", "new"), ("push", "-u", "origin", "main")])
def test_an_interrupted_transfer_says_how_to_go_on(world: World, command: tuple[str, ...]) -> None:
    """Ctrl-C at any point: exit 130, and a line that says that the same command continues."""
    cwd = "" if command[0] == "clone" else "ada"
    whole = world.copy(0)
    total = run_until(0, *command, root=whole, cwd=whole / cwd)
    # Not the first calls, before the transfer begins, nor the last, when nothing is left of it.
    for number, limit in enumerate(spread(total * 3 // 4, 6)[1:], 1):
        base = world.copy(number)
        done = start(limit, *command, root=base, cwd=base / cwd, sign=signal.SIGINT)
        assert done.returncode == 130, done.stderr
        assert b"same command again" in done.stderr
        assert b"Traceback" not in done.stderr
        run_until(0, *command, root=base, cwd=base / cwd)
        shutil.rmtree(base)
