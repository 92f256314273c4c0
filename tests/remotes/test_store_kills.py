"""A client that dies at any request to a store, or at any call in a folder that is one."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muse.core.repo import Repository, open_repo
from muse.core.types import ObjectId
from muse.ops.clone import clone
from muse.ops.gc_remote import gc_remote
from muse.ops.push import PushOptions, push
from muse.ops.remote import add_remote
from muse.remotes.store_gc import DEFAULT_GRACE_S
from tests.remotes import azure_server
from tests.remotes.killing import run_until, spread
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable
from tests.remotes.s3_server import BUCKET, Act, Proxy, Request
from tests.remotes.store_oracle import State, links, read_azure, read_folder, read_s3

pytestmark = [pytest.mark.crash, pytest.mark.slow]
MAIN = "refs/heads/main"
Place = tuple[str, Callable[[], State]]


class Bench:
    """A repository whose origin is a bucket behind a proxy."""

    def __init__(self, tmp_path: Path, proxy: Proxy) -> None:
        self.tmp_path, self.proxy = tmp_path, proxy
        self.prefix = f"k{tmp_path}"
        self.url = f"s3://{BUCKET}/{self.prefix}"
        self.repo = make_repo(tmp_path / "repo")
        add_remote(self.repo, "origin", self.url)

    def state(self) -> State:
        """Return what the store holds, by the oracle."""
        return read_s3(self.proxy.upstream, BUCKET, self.prefix)

    def run(self, *command: str, cwd: Path | None = None) -> int:
        """Run a command in a process that the proxy may kill; return its exit code."""
        with subprocess.Popen(
            [sys.executable, "-m", "muse", *command],
            cwd=cwd or self.repo.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            self.proxy.set_victim(child.pid)
            return child.wait(120)

    def each_kill(self, *, points: int = 100) -> Iterator[Callable[[], bool]]:
        """Yield for each request, before and after it takes effect; call it when the command ran.

        It tells whether the command came to its end before that request.
        """
        for number in range(1, points):
            for act in ("kill before", "kill after"):
                self.proxy.reset(_at(number, act))
                done = False

                def ended(number: int = number) -> bool:
                    nonlocal done
                    done = len(self.proxy.requests) < number
                    return done

                yield ended
                if done:
                    return
        raise AssertionError("it never ends")


def _at(number: int, act: str) -> Callable[[Request], Act]:
    assert act in {"kill before", "kill after"}
    return lambda request: act if request.number == number else "pass"  # type: ignore[return-value]  # just looked


@pytest.fixture
def bench(tmp_path: Path, proxy: Proxy) -> Bench:
    """One with a commit."""
    made = Bench(tmp_path, proxy)
    add_commit(made.repo, files_of(40))
    return made


class TestKilledAtRequests:
    """kill -9 at each request, before the server hears it and after (G5, G9)."""

    def test_the_first_push(self, tmp_path: Path, proxy: Proxy) -> None:
        """The probe, the packs and the document: nothing, or all of it; the next push does it."""
        code, number = -9, 0
        for number in range(1, 40):
            for act in ("kill before", "kill after"):
                place = tmp_path / f"{act[5:]}{number}"
                place.mkdir()
                bench = Bench(place, proxy)
                oid = add_commit(bench.repo, files_of(5))
                proxy.reset(_at(number, act))
                code = bench.run("push", "origin", "main")
                state = bench.state()
                assert state.refs in ({}, {MAIN: oid})
                state.check()
                proxy.reset()
                assert bench.run("push", "origin", "main") == 0
                assert bench.state().refs == {MAIN: oid}
                bench.state().check()
            if code == 0:
                break
        assert 6 < number < 39

    def test_an_everyday_push(self, bench: Bench) -> None:
        """The old state or the new one, complete; the next push makes it the new one."""
        push(bench.repo, remote="origin", branches=("main",))
        for count, ended in enumerate(bench.each_kill()):
            before = bench.state().refs[MAIN]
            oid = add_commit(bench.repo, {b"a": b"%d" % count})
            bench.run("push", "origin", "main")
            if not ended():
                state = bench.state()
                assert state.refs[MAIN] in {before, oid}
                state.check()
            bench.proxy.reset()
            assert bench.run("push", "origin", "main") == 0
            assert bench.state().refs[MAIN] == oid
            bench.state().check()

    def test_a_forced_push_and_a_deletion(self, bench: Bench) -> None:
        """What a ref leaves behind is noted before it moves, and both happen or none."""
        add_commit(bench.repo, {b"a": b"0"}, branch="old")
        push(bench.repo, remote="origin", branches=("main", "main:topic"))
        for count, ended in enumerate(bench.each_kill()):
            before = dict(bench.state().refs)
            oid = add_commit(bench.repo, {b"a": b"%d" % count}, parents=())
            bench.run("push", "--force", "origin", "main", ":topic")
            after = {MAIN: oid}
            if not ended():
                state = bench.state()
                assert state.refs in (before, after)
                state.check()
            bench.proxy.reset()
            force = PushOptions(force=True)
            push(bench.repo, remote="origin", branches=("main:topic",), options=force)
            assert bench.run("push", "--force", "origin", "main", ":topic") == 0
            assert bench.state().refs == after
            push(bench.repo, remote="origin", branches=("old:topic",))

    @pytest.mark.parametrize("act", ["kill before", "kill after"])
    @pytest.mark.parametrize("what", ["/packs/", "/retired/", "refs.json"])
    def test_a_push_that_merges_packs(self, bench: Bench, what: str, act: str) -> None:
        """The 32nd push melts packs; killed at each write of that, nothing is lost."""
        for number in range(31):
            add_commit(bench.repo, {b"a": b"%d" % number})
            push(bench.repo, remote="origin", branches=("main",))
        oid = add_commit(bench.repo, {b"a": b"last"})
        bench.proxy.reset(_in_merge(what, act))
        assert bench.run("push", "origin", "main") == -9
        state = bench.state()
        assert state.refs[MAIN] == oid
        assert len(state.listed) in {32, 1}
        state.check()
        bench.proxy.reset()
        assert bench.run("push", "origin", "main") == 0
        add_commit(bench.repo, {b"a": b"more"})
        assert bench.run("push", "origin", "main") == 0
        bench.state().check()

    def test_a_clone(self, bench: Bench) -> None:
        """The folder that is left is completed by the same command."""
        push(bench.repo, remote="origin", branches=("main",))
        for count, ended in enumerate(bench.each_kill()):
            folder = f"copy{count}"
            bench.run("clone", bench.url, folder, cwd=bench.tmp_path)
            ended()
            bench.proxy.reset()
            assert bench.run("clone", bench.url, folder, cwd=bench.tmp_path) in {0, 1}
            assert reachable(open_repo(bench.tmp_path / folder)) == reachable(bench.repo)

    def test_a_gc(self, bench: Bench) -> None:
        """Killed at each request, every ref is complete, and the next gc goes on (G7)."""
        push(bench.repo, remote="origin", branches=("main",))
        for count, ended in enumerate(bench.each_kill()):
            plan = bench.proxy.plan
            for number in range(4):
                add_commit(bench.repo, {b"a": b"%d %d" % (count, number)})
                bench.proxy.plan = lambda _: "pass"
                push(bench.repo, remote="origin", branches=("main",))
            bench.proxy.reset(plan)
            bench.run("gc", "--remote", "origin")
            # Each run leaves a note for the next ones, so that they never get shorter.
            if ended() or count == 27:
                break
            state = bench.state()
            assert state.refs[MAIN] == bench.repo.refs.read(MAIN)
            state.check()
        bench.proxy.reset()
        assert bench.run("gc", "--remote") == 0
        bench.state().check()


def _in_merge(what: str, act: str) -> Callable[[Request], Act]:
    """Kill at the first write of something after the push's own document."""
    pushed = False

    def plan(request: Request) -> Act:
        nonlocal pushed
        if pushed and request.method == "PUT" and what in request.path:
            return act  # type: ignore[return-value]  # one of two
        pushed |= request.method == "PUT" and request.path.endswith("refs.json")
        return "pass"

    return plan


class TestKilledInAFolder:
    """The same where the store is a folder: kill -9 at its file-system calls."""

    def test_a_push(self, tmp_path: Path) -> None:
        """Old or new, complete; the next push completes it; a gc leaves no temp (G6)."""
        url = f"store://{tmp_path}/store"
        repo = make_repo(tmp_path / "repo")
        add_remote(repo, "origin", url)
        add_commit(repo, files_of(5))
        total = run_until(0, "push", "origin", "main", root=tmp_path, cwd=repo.root)
        for count, limit in enumerate(spread(total, 25)):
            before = read_folder(tmp_path / "store").refs[MAIN]
            oid = add_commit(repo, {b"a": b"%d" % count})
            run_until(limit, "push", "origin", "main", root=tmp_path, cwd=repo.root)
            state = read_folder(tmp_path / "store")
            assert state.refs[MAIN] in {before, oid}
            state.check()
            run_until(0, "push", "origin", "main", root=tmp_path, cwd=repo.root)
            assert read_folder(tmp_path / "store").refs[MAIN] == oid
        gc_remote(open_repo(repo.root), remote="origin", grace_s=DEFAULT_GRACE_S)
        assert not list((tmp_path / "store").rglob(".*"))
        read_folder(tmp_path / "store").check()


class TestResume:
    """What a killed push has brought is not sent again (G9)."""

    def test_nine_tenths_of_a_half_done_push(self, bench: Bench) -> None:
        """Killed in the middle of 24 MiB, the next push sends the rest."""
        push(bench.repo, remote="origin", branches=("main",))
        noise = random.Random(7)
        add_commit(bench.repo, {b"n%d" % n: noise.randbytes(1 << 20) for n in range(24)})
        packs = 0

        def plan(request: Request) -> Act:
            nonlocal packs
            packs += request.method == "PUT" and "/packs/" in request.path
            return "kill before" if packs == 4 else "pass"

        bench.proxy.reset(plan)
        assert bench.run("push", "origin", "main") == -9
        arrived = sum(r.sent for r in bench.proxy.requests if "/packs/" in r.path)
        arrived -= bench.proxy.requests[-1].sent
        assert arrived > 8 << 20
        bench.proxy.reset()
        assert bench.run("push", "origin", "main") == 0
        total = 24 << 20
        assert bench.proxy.received <= total - 0.9 * arrived + (1 << 18)
        bench.state().check()

    def test_nine_tenths_of_a_half_done_clone(self, bench: Bench) -> None:
        """A clone that is killed in the middle does not fetch again what it has."""
        noise = random.Random(8)
        add_commit(bench.repo, {b"n%d" % n: noise.randbytes(1 << 20) for n in range(48)})
        push(bench.repo, remote="origin", branches=("main",))
        gets = 0

        def plan(request: Request) -> Act:
            nonlocal gets
            gets += request.method == "GET"
            return "kill before" if gets == 22 else "pass"

        bench.proxy.reset(plan)
        assert bench.run("clone", bench.url, "copy", cwd=bench.tmp_path) == -9
        copy = Repository(bench.tmp_path / "copy")
        here = sum(path.stat().st_size for path in (copy.muse / "objects").rglob("*.mpack"))
        assert here > 4 << 20
        bench.proxy.reset()
        assert bench.run("clone", bench.url, "copy", cwd=bench.tmp_path) == 0
        assert bench.proxy.answered <= (48 << 20) - 0.9 * here + (1 << 19)
        assert reachable(open_repo(bench.tmp_path / "copy")) == reachable(bench.repo)


class TestRacingPushers:
    """Pushers at one branch, killed at random: nothing that was reported is lost (G8)."""

    @pytest.fixture(
        params=["s3", "folder", pytest.param("azure", marks=azure_server.needs_azurite)]
    )
    def place(self, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
        """An address, and how the oracle reads what is there."""
        prefix = f"r{tmp_path}"
        if request.param == "folder":
            return f"store://{tmp_path}/store", lambda: read_folder(tmp_path / "store")
        if request.param == "s3":
            proxy: Proxy = request.getfixturevalue("proxy")
            return f"s3://{BUCKET}/{prefix}", lambda: read_s3(proxy.upstream, BUCKET, prefix)
        container = f"{request.getfixturevalue('azure_env')}/{azure_server.CONTAINER}"
        grant = azure_server.sign_grant()
        url = f"az://{azure_server.CONTAINER}/{prefix}"
        return url, lambda: read_azure(container, prefix, grant)

    def test_no_update_is_lost(self, tmp_path: Path, place: Place) -> None:
        """Every commit whose push was reported is below the branch in the end."""
        url, read_state = place
        seed = make_repo(tmp_path / "seed")
        add_remote(seed, "origin", url)
        add_commit(seed, files_of(5))
        push(seed, remote="origin", branches=("main",))
        reported: list[ObjectId] = []
        threads = [
            threading.Thread(target=_race, args=(tmp_path / f"p{n}", url, n, reported))
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        state = read_state()
        objects = state.check()
        below = set()
        todo = [bytes.fromhex(state.refs[MAIN].removeprefix("sha256:"))]
        while todo:
            raw = todo.pop()
            if raw not in below and objects[raw][0] == "commit":
                below.add(raw)
                todo += links(*objects[raw])
        assert len(reported) >= 3
        assert {bytes.fromhex(oid.removeprefix("sha256:")) for oid in reported} <= below


def _race(folder: Path, url: str, number: int, reported: list[ObjectId]) -> None:
    """Commit on top of what is there and push, again and again; half the pushes are killed."""
    dice = random.Random(number)
    clone(url, folder, cwd=folder.parent)
    repo = open_repo(folder)
    for step in range(8):
        subprocess.run(["muse", "fetch", "-q"], cwd=folder, check=False, capture_output=True)
        top = repo.refs.read("refs/remotes/origin/main")
        assert top is not None
        oid = add_commit(repo, {b"p%d" % number: b"%d" % step}, branch=f"s{step}", parents=(top,))
        with subprocess.Popen(
            ["muse", "push", "origin", f"s{step}:main"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            if step % 2:
                try:
                    child.wait(dice.uniform(0.1, 0.6))
                except subprocess.TimeoutExpired:
                    child.kill()
            if child.wait(60) == 0:
                reported.append(oid)
