"""The network goes away in the middle: all stays valid, and what arrived is not sent again (G9)."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.errors import ConnectionLostError, RemoteError
from muse.core.refs import HEADS
from muse.core.repo import Repository, open_repo
from muse.ops.clone import clone
from muse.ops.fetch import fetch
from muse.ops.push import push
from muse.ops.remote import add_remote
from muse.remotes.protocol import TransferProgress
from tests.crash import oracle
from tests.remotes.fake_ssh import DEADLINE_S, fake_ssh, wait_for_servers
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable

MAIN = HEADS + "main"
# What zstd cannot make smaller, so that bytes on the wire are bytes of payload.
SIZE = 6 << 20


class World:
    """A repository with something to push, and a bare one that takes it."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base, self._patch = base, monkeypatch
        self.count, self.pids = base / "count", base / "pids"
        self.hub = make_repo(base / "hub", bare=True)
        self.ada = make_repo(base / "ada")
        add_remote(self.ada, "origin", f"there:{self.hub.root}")
        self.url = f"there:{self.hub.root}"

    def network(self, **options: object) -> None:
        """Choose how the network is from now on."""
        options = {"count": self.count, "pids": self.pids, **options}
        self._patch.setenv("MUSE_SSH", fake_ssh(**options))

    def passed(self) -> tuple[int, int]:
        """Return how many bytes went up and down."""
        up, down = self.count.read_text().split()
        return int(up), int(down)

    def wait_for_servers(self) -> None:
        """Wait until no server is left of those that were started."""
        wait_for_servers(self.pids)


def bulk(size: int, *, seed: int) -> dict[bytes, bytes]:
    """Return random files of 24 KiB, so many bytes in all."""
    rng = random.Random(seed)
    each = 24 << 10
    return {
        b"d%d/f%d" % (number // 40, number): rng.randbytes(each) for number in range(size // each)
    }


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A repository with one commit of some megabytes."""
    world = World(tmp_path, monkeypatch)
    add_commit(world.ada, bulk(SIZE, seed=1))
    return world


class TestResume:
    """Nine tenths of what arrived, and more, need not travel again."""

    @pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
    def test_a_cut_push_goes_on(self, world: World, share: float) -> None:
        """G9: the second push sends what is missing, the hub never held a half-made branch."""
        world.network(up=int(SIZE * share))
        with pytest.raises(ConnectionLostError) as caught:
            push(world.ada, remote="origin", branches=["main"])
        assert caught.value.hint
        assert caught.value.exit_code == 5
        world.wait_for_servers()
        assert open_repo(world.hub.root).refs.read(MAIN) is None
        arrived, _ = world.passed()
        world.network()
        result = push(world.ada, remote="origin", branches=["main"])
        again, _ = world.passed()
        assert again <= SIZE * 1.01 - 0.9 * arrived
        assert result.present > 0
        world.wait_for_servers()
        assert reachable(open_repo(world.hub.root)) == reachable(world.ada)
        oracle.check_graph(world.hub.root)

    @pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
    def test_a_cut_clone_goes_on(self, world: World, share: float) -> None:
        """G9: the same command brings what is missing."""
        world.network()
        push(world.ada, remote="origin", branches=["main"])
        world.network(down=int(SIZE * share))
        place = world.base / "new"
        with pytest.raises(ConnectionLostError):
            clone(world.url, place, cwd=world.base)
        _, arrived = world.passed()
        world.network()
        result = clone(world.url, place, cwd=world.base)
        _, again = world.passed()
        assert result.resumed
        assert again <= SIZE * 1.01 - 0.9 * arrived
        world.wait_for_servers()
        assert reachable(open_repo(place)).keys() == reachable(world.ada).keys()
        oracle.check(place)

    def test_a_cut_fetch_goes_on(self, world: World) -> None:
        """G9: no ref moves before all is here."""
        world.network()
        push(world.ada, remote="origin", branches=["main"])
        bob = make_repo(world.base / "bob")
        add_remote(bob, "origin", world.url)
        world.network(down=SIZE // 2)
        with pytest.raises(ConnectionLostError):
            fetch(bob)
        _, arrived = world.passed()
        assert list(bob.refs.iter()) == []
        world.network()
        fetch(bob)
        _, again = world.passed()
        assert again <= SIZE * 1.01 - 0.9 * arrived
        assert reachable(open_repo(bob.root)) == reachable(world.ada)


class TestSignals:
    """A server that is told to go, goes."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
    def test_a_server_is_ended_in_the_middle(self, world: World, number: signal.Signals) -> None:
        """G1, G9: the client gets one error with a hint, the hub is whole, and the push repeats."""
        if signal.getsignal(number) == signal.SIG_IGN:
            pytest.skip("run by nohup or its like: servers ignore what their parent ignores")
        world.network()

        def end(progress: TransferProgress) -> None:
            if progress.phase == "send" and progress.objects == (progress.total_objects or 0) // 2:
                for pid in world.pids.read_text().split():
                    os.kill(int(pid), number)

        with pytest.raises(ConnectionLostError) as caught:
            push(world.ada, remote="origin", branches=["main"], progress=end)
        assert caught.value.hint
        world.wait_for_servers()
        assert open_repo(world.hub.root).refs.read(MAIN) is None
        oracle.check(world.hub.root, bare=True)
        push(world.ada, remote="origin", branches=["main"])
        world.wait_for_servers()
        assert reachable(open_repo(world.hub.root)) == reachable(world.ada)


class TestCutAnywhere:
    """Every kind of byte is once the last one that passes."""

    @pytest.mark.slow
    @pytest.mark.parametrize("way", ["up", "down"])
    def test_a_push_cut_at_an_offset(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        """G1, G9: the branch is at the old or the new commit, and then at the new."""
        world = World(tmp_path, monkeypatch)
        world.network()
        old = add_commit(world.ada, files_of(30))
        push(world.ada, remote="origin", branches=["main"])
        new = add_commit(world.ada, files_of(120, seed=b"new"))
        before = {name: tmp_path / f"{name}-before" for name in ("hub", "ada")}
        for name, copy in before.items():
            shutil.copytree(tmp_path / name, copy)
        push(world.ada, remote="origin", branches=["main"])
        world.wait_for_servers()
        total = world.passed()[way == "down"]
        for limit in _offsets(total):
            for name, copy in before.items():
                shutil.rmtree(tmp_path / name)
                shutil.copytree(copy, tmp_path / name)
            world.network(**{way: limit})
            ada = open_repo(tmp_path / "ada")
            with pytest.raises(RemoteError) as caught:
                push(ada, remote="origin", branches=["main"])
            assert caught.value.hint
            world.wait_for_servers()
            assert open_repo(world.hub.root).refs.read(MAIN) in {old, new}
            reachable(open_repo(world.hub.root))
            world.network()
            push(ada, remote="origin", branches=["main"])
            world.wait_for_servers()
            assert open_repo(world.hub.root).refs.read(MAIN) == new
            assert reachable(open_repo(world.hub.root)) == reachable(open_repo(ada.root))

    @pytest.mark.slow
    @pytest.mark.parametrize("way", ["up", "down"])
    def test_a_clone_cut_at_an_offset(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        """G1, G9: whatever is left, the same command makes a whole clone."""
        world = World(tmp_path, monkeypatch)
        world.network()
        add_commit(world.ada, files_of(120))
        push(world.ada, remote="origin", branches=["main"])
        clone(world.url, tmp_path / "whole", cwd=tmp_path)
        world.wait_for_servers()
        total = world.passed()[way == "down"]
        for limit in _offsets(total):
            world.network(**{way: limit})
            place = tmp_path / f"cut-{limit}"
            with pytest.raises(RemoteError):
                clone(world.url, place, cwd=tmp_path)
            world.wait_for_servers()
            world.network()
            clone(world.url, place, cwd=tmp_path)
            world.wait_for_servers()
            assert reachable(open_repo(place)).keys() == reachable(world.ada).keys()
            shutil.rmtree(place)


def _offsets(total: int) -> list[int]:
    """Return the first and the last bytes, and some between them."""
    assert total > 30
    step = max(1, total // (total if os.environ.get("MUSE_CRASH_FULL") else 9))
    return sorted({0, 1, 3, 4, 5, *range(0, total, step), total - 2, total - 1})


class TestSlow:
    """A slow network is no error, and costs few waits."""

    def test_dribbling_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half messages are waited for, in both directions."""
        world = World(tmp_path, monkeypatch)
        oid = add_commit(world.ada, {b"a": b"1"})
        world.network(pieces=7)
        push(world.ada, remote="origin", branches=["main"])
        clone(world.url, tmp_path / "new", cwd=tmp_path)
        assert open_repo(tmp_path / "new").head().commit == oid

    def test_a_caller_cancels_while_nothing_moves(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A callback that raises is asked in a stalled transfer, and ends the connection."""

        class Cancelled(Exception):  # noqa: N818  # a caller's own
            pass

        calls = 0

        def cancel(_progress: object) -> None:
            nonlocal calls
            calls += 1
            if calls > 3:
                raise Cancelled

        world.network(pieces=1, pause=3600.0)
        with pytest.raises(Cancelled):
            push(world.ada, remote="origin", branches=["main"], progress=cancel)
        world.wait_for_servers()
        assert isinstance(open_repo(world.hub.root), Repository)

    def test_a_job_of_the_interface_is_cancelled_while_nothing_moves(self, world: World) -> None:
        """The job ends as cancelled, and neither its ssh nor the server stays."""
        world.network(pieces=1, pause=3600.0)
        reader, writer = os.pipe()
        job = subprocess.Popen(
            [sys.executable, "-m", "muse_tui.runner", str(world.ada.root), "1", str(reader)],
            pass_fds=(reader,),
        )
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(json.dumps({"kind": "push", "args": {"remote": "origin"}}).encode())
        folder = world.ada.root / ".muse/jobs/1"
        wait_until(lambda: (folder / "progress.json").exists() and world.pids.exists())
        job.send_signal(signal.SIGTERM)
        assert job.wait(DEADLINE_S) == 0
        assert json.loads((folder / "result.json").read_text())["state"] == "cancelled"
        world.wait_for_servers()

    def test_an_interrupted_command_leaves_nothing_behind(self, world: World) -> None:
        """Ctrl-C in a stalled push: exit code 130, and neither ssh nor server stays."""
        world.network(pieces=1, pause=3600.0)
        command = subprocess.Popen(
            ["muse", "push", "-u", "origin", "main"], cwd=world.ada.root, stderr=subprocess.PIPE
        )
        wait_until(world.pids.exists)
        command.send_signal(signal.SIGINT)
        _, errors = command.communicate(timeout=DEADLINE_S)
        assert command.returncode == 130
        assert b"interrupted" in errors
        world.wait_for_servers()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
