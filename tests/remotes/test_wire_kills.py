"""Either side of a wire is killed, or gets an error, at its calls: both stay valid."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.errors import MuseError
from muse.core.paths import clone_marker_path
from muse.core.refs import HEADS
from muse.core.repo import open_repo
from muse.ops.clone import CloneOptions, clone
from muse.ops.fetch import fetch
from muse.ops.push import push
from tests.crash import oracle
from tests.crash.harness import DONE, KILLED, Fault, run_faulted
from tests.remotes.fake_ssh import fake_ssh, wait_for_servers
from tests.remotes.killing import spread
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable, set_ref

MAIN = HEADS + "main"
TRACKING = "refs/remotes/origin/main"
# So many calls of each run, or every one of them.
POINTS = 1_000_000 if os.environ.get("MUSE_CRASH_FULL") else 6

pytestmark = [pytest.mark.crash, pytest.mark.slow]


class World:
    """Ada pushes to a hub on another machine, bob fetches from it."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base, self._patch = base, monkeypatch
        self._origin, self.now = base / "origin", base / "now"
        self._home = base / "home"
        self.note = base / "note"
        hub = make_repo(self._origin / "hub", bare=True)
        ada = make_repo(self._origin / "ada")
        make_repo(self._origin / "bob")
        url = f"there:{self.now}/hub"
        for name in ("ada", "bob"):
            config = self._origin / name / ".muse/config.toml"
            config.write_text(f'[remote.origin]\nurl = "{url}"\n')
        self.url = url
        self.old = add_commit(ada, files_of(40))
        add_commit(hub, files_of(40))
        set_ref(ada, TRACKING, self.old)
        self.new = add_commit(ada, files_of(90, seed=b"new"))
        # Killed in the middle of its own clean-up, a process ends when its reader is gone.
        self.pids = base / "pids"
        monkeypatch.setenv("MUSE_SSH", fake_ssh(pids=self.pids))
        monkeypatch.setenv("HOME", str(self._home))
        self.reset()

    def reset(self) -> None:
        """Lay a fresh copy of all three."""
        self.wait()
        shutil.rmtree(self.now, ignore_errors=True)
        shutil.copytree(self._origin, self.now)

    def wait(self) -> None:
        """Wait until no server is left."""
        wait_for_servers(self.pids)

    def server(self, at: int, *, error: int = 0) -> None:
        """Have the server fail at one of its calls from now on; 0 for none."""
        program = shlex.join(
            [
                "env", f"PYTHONPATH={Path(__file__).parents[2]}", sys.executable, "-m",
                "tests.remotes.faulty_serve", str(at), str(error), str(self.note),
            ]
        )  # fmt: skip
        config = self._home / ".config/muse/config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(f"[ssh.there]\nprogram = '''{program}'''\n")

    def push(self) -> None:
        """Push as ada."""
        push(open_repo(self.now / "ada", user_config=self._config), remote="origin",
             branches=["main"])  # fmt: skip

    def fetch(self) -> None:
        """Fetch as bob."""
        fetch(open_repo(self.now / "bob", user_config=self._config))

    def clone(self) -> None:
        """Clone the hub."""
        options = CloneOptions(user_config=self._config)
        clone(self.url, self.now / "new", cwd=self.now, options=options)

    @property
    def _config(self) -> Path:
        return self._home / ".config/muse/config.toml"

    def check(self) -> None:
        """Judge whatever is left, on all sides."""
        assert open_repo(self.now / "hub").refs.read(MAIN) in {self.old, self.new}
        for name in ("hub", "ada", "bob", "new"):
            if not (self.now / name / ".muse").is_dir():
                continue
            reachable(open_repo(self.now / name, unfinished=True))
            if not clone_marker_path(self.now / name).exists():
                oracle.check_graph(self.now / name)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The state before the command that is killed."""
    world = World(tmp_path, monkeypatch)
    world.server(0)
    return world


def action(world: World, name: str) -> Callable[[], None]:
    """Return one of the three commands."""
    found: Callable[[], None] = getattr(world, name)
    return found


def expect(world: World, name: str) -> None:
    """Check that a command that was repeated has done all of it."""
    hub = open_repo(world.now / "hub")
    if name == "push":
        assert hub.refs.read(MAIN) == world.new
        assert open_repo(world.now / "ada").refs.read(TRACKING) == world.new
    else:
        there = reachable(hub).keys()
        side = open_repo(world.now / ("bob" if name == "fetch" else "new"))
        assert side.refs.read(TRACKING) == world.old
        assert reachable(side).keys() == there


COMMANDS = ("push", "fetch", "clone")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_client_is_killed(world: World, name: str) -> None:
    """G1, G5, G9: at calls spread over its run, each write to the wire among them."""
    total = _count(world, action(world, name))
    for at in spread(total, min(POINTS, total)):
        world.reset()
        assert run_faulted(action(world, name), Fault(at)) == KILLED
        world.wait()
        world.check()
        action(world, name)()
        world.wait()
        expect(world, name)
        world.check()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_server_is_killed(world: World, name: str) -> None:
    """G1, G5, G9: the client gets one error with a hint, and the same command completes."""
    action(world, name)()
    world.wait()
    total = int(world.note.read_text())
    for at in spread(total, min(POINTS, total)):
        world.reset()
        world.server(at)
        try:
            action(world, name)()
        except MuseError as error:
            assert error.exit_code == 5
            assert error.hint
        world.wait()
        world.check()
        world.server(0)
        action(world, name)()
        world.wait()
        expect(world, name)
        world.check()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_the_server_gets_an_error(world: World, code: int) -> None:
    """G10: a full disk over there is said as such, and the same push works when it has room."""
    action(world, "push")()
    world.wait()
    total = int(world.note.read_text())
    told = set()
    for at in spread(total, min(POINTS, total)):
        world.reset()
        world.server(at, error=code)
        try:
            world.push()
        except MuseError as error:
            assert error.hint
            told.add(error.message.rpartition(": ")[2])
        world.wait()
        world.check()
        world.server(0)
        world.push()
        world.wait()
        expect(world, "push")
        world.check()
    assert os.strerror(code) + "." in told


def _count(world: World, act: Callable[[], None]) -> int:
    """Count the calls of an undisturbed run."""
    reader, writer = os.pipe()
    fault = Fault(0)
    real_write = os.write

    def counted() -> None:
        act()
        real_write(writer, str(fault.count).encode())

    assert run_faulted(counted, fault) == DONE
    os.close(writer)
    with os.fdopen(reader) as pipe:
        return int(pipe.read())
