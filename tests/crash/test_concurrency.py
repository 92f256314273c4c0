"""Many processes at one repository, killed at random: nothing reported is lost (G5, G7, G8).

`MUSE_CRASH_FULL=1` makes each of these as long as the figures that are published.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from muse.core import io
from muse.core.errors import LockedError, RefChangedError
from muse.core.paths import muse_dir
from muse.core.repo import _cleanup_muse_dir_temps, _startup_gc, open_repo
from muse.core.sweep import sweep_object_temps
from muse.core.types import from_raw, raw_object_id, to_raw
from muse.ops.fetch import fetch
from muse.ops.gc import gc
from muse.ops.init import init
from muse.ops.push import push
from muse.ops.remote import add_remote
from tests.core.repos import MAIN, WHO, commit_files
from tests.crash import oracle
from tests.crash.crowd import FULL, Crowd, Step
from tests.remotes.repositories import reachable

pytestmark = [pytest.mark.crash, pytest.mark.slow]

SEED = int(os.environ.get("MUSE_CRASH_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
# What one of many writers must expect, and nothing else.
LOST_THE_RACE = (RefChangedError, LockedError)


def content(*, size: int = 40) -> bytes:
    """Return bytes that nobody else writes, told apart even after a fork."""
    return os.urandom(size)


def committer(root: Path, ref: str) -> Step:
    """Commit below the command line: small files, now and then a pack or a big one."""
    repo = open_repo(root)

    def step(number: int) -> str | None:
        name = b"%d" % os.getpid()
        files: dict[bytes, bytes | None] = {name: content()}
        if number % 9 == 4:
            files |= {b"many/%d" % n: content() for n in range(40)}
        if number % 30 == 14:
            files[b"big"] = content(size=(1 << 20) + 1)
        try:
            return commit_files(repo, files, ref=ref)
        except LOST_THE_RACE:
            return None

    return step


def commander(root: Path) -> Step:
    """Add and commit as a user does, beside others who do the same."""

    def step(number: int) -> str | None:
        name = f"file-{os.getpid()}-{number % 5}"
        (root / name).write_bytes(content())
        code, text = oracle.run(root, "add", name)
        assert code in {0, 1}, text
        code, text = oracle.run(root, "commit", "-m", name, "--json")
        # 1: another took the branch, or our stage, before us.
        assert code in {0, 1}, text
        return str(json.loads(text)["commit_id"]) if code == 0 else None

    return step


def sweeper(root: Path) -> Step:
    """Sweep without a pause."""

    def step(_: int) -> str | None:
        _startup_gc(root)
        return None

    return step


def collector(root: Path) -> Step:
    """Collect garbage, by turns what is loose and everything."""
    repo = open_repo(root)

    def step(number: int) -> str | None:
        try:
            gc(repo, expire_before_s=time.time() - 60, everything=number % 3 == 2)
        except LockedError:
            return None
        return "collected"

    return step


def pusher(root: Path, branch: str) -> Step:
    """Commit in a repository of its own, and push that to the one that all share."""
    repo = open_repo(root)

    def step(_: int) -> str | None:
        oid = commit_files(repo, {b"pushed": content()}, ref=f"refs/heads/{branch}")
        try:
            push(repo, remote="origin", branches=[branch])
        except LOST_THE_RACE:
            return None
        return oid

    return step


def fetcher(root: Path) -> Step:
    """Fetch what the pushers bring."""
    repo = open_repo(root)

    def step(_: int) -> str | None:
        try:
            fetch(repo, remote="origin")
        except LOST_THE_RACE:
            return None
        return "fetched"

    return step


def test_a_crowd_that_is_killed_at_random(tmp_path: Path) -> None:
    """Writers, sweepers, gc, pushers, a fetcher: every reported commit is reachable afterwards."""
    shared, hub = tmp_path / "shared", tmp_path / "hub"
    init(shared)
    init(hub, bare=True)
    commit_files(open_repo(shared), {b"first": b"first\n"})
    add_remote(open_repo(shared), "origin", str(hub))
    for name in ("p0", "p1"):
        init(tmp_path / name)
        add_remote(open_repo(tmp_path / name), "origin", str(hub))
    with Crowd(tmp_path, seed=SEED) as crowd:
        crowd.start("main", lambda: committer(shared, MAIN))
        crowd.start("topic", lambda: committer(shared, "refs/heads/topic"))
        crowd.start("rival", lambda: committer(shared, "refs/heads/topic"))
        crowd.start("user", lambda: commander(shared))
        crowd.start("sweeper", lambda: sweeper(shared))
        crowd.start("gc", lambda: collector(shared))
        crowd.start("hub-gc", lambda: collector(hub))
        crowd.start("p0", lambda: pusher(tmp_path / "p0", "p0"))
        crowd.start("p1", lambda: pusher(tmp_path / "p1", "p1"))
        crowd.start("fetcher", lambda: fetcher(shared))
        crowd.strike(kills=2000 if FULL else 40, within_s=0.2)
        # Nobody is stuck: whoever writes gets on, whatever has died beside it.
        names = ("main", "topic", "user", "p0", "p1")
        done = {name: len(crowd.reports(name)) for name in names}
        for name in names:
            crowd.wait_for(done[name] + 1, [name])
        crowd.disperse()
        crowd.check_errors()
        found = {root: reachable(open_repo(root)) for root in (shared, hub)}
        for name in names:
            there = found[hub if name in {"p0", "p1"} else shared]
            lost = [oid for oid in crowd.reports(name) if to_raw(oid) not in there]
            assert not lost, f"seed {SEED}: {name} lost {lost}"
        lost = [oid for oid in crowd.reports("rival") if to_raw(oid) not in found[shared]]
        assert not lost, f"seed {SEED}: rival lost {lost}"
    oracle.check(shared)
    oracle.check(hub, bare=True)


def counter(root: Path) -> Step:
    """Move one ref by one step, as often as possible."""
    repo = open_repo(root)

    def step(_: int) -> str | None:
        try:
            return commit_files(repo, {b"count": content()})
        except LOST_THE_RACE:
            return None

    return step


def test_killed_compare_and_swaps(tmp_path: Path) -> None:
    """Killed in the middle of moving one ref, over and over: none is lost, nobody is stuck (G8)."""
    root = tmp_path / "repo"
    init(root)
    names = [f"writer{n}" for n in range(3)]
    with Crowd(tmp_path, seed=SEED) as crowd:
        for name in names:
            crowd.start(name, lambda: counter(root))
        # Each does nothing else, so whenever one dies, it dies at it.
        crowd.strike(kills=3000 if FULL else 300, within_s=0.02)
        crowd.wait_for(1, names)
        crowd.disperse()
        crowd.check_errors()
        reported = crowd.reports()
        repo = open_repo(root)
        chain = set()
        oid = repo.refs.read(MAIN)
        while oid is not None:
            chain.add(oid)
            parents = repo.commit(oid).parents
            oid = from_raw(parents[0]) if parents else None
        assert set(reported) <= chain, f"seed {SEED}: an update was lost"
        # Whoever died between its move and its report may be in the chain, and nobody else.
        assert len(chain) <= len(set(reported)) + crowd.kills + len(names)
    with repo.transaction("next", who=WHO, wait_s=0.0):
        pass  # no lock survives its holder
    oracle.check(root)


@pytest.mark.parametrize("named", [False, True], ids=["nameless", "named"])
def test_writes_beside_a_sweeper(
    tmp_path: Path, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep never takes a temp from a writer that lives, whatever kind of temp it is (G7)."""
    if named:
        monkeypatch.setattr(io, "_O_TMPFILE", 0)
    root = tmp_path / "repo"
    init(root)
    repo = open_repo(root)

    def sweep(_: int) -> str | None:
        _cleanup_muse_dir_temps(muse_dir(root))
        sweep_object_temps(root)
        return "swept"

    rounds = (100_000 if FULL else 4_000) // 2
    with Crowd(tmp_path, seed=SEED) as crowd:
        crowd.start("sweeper", lambda: sweep)
        for number in range(rounds):
            data = b"%d" % number
            io.write_bytes_atomic(muse_dir(root) / "refs/heads/marathon", data)
            repo.objects.write("blob", data)
            if number % 500 == 0:
                crowd.check_errors()
        crowd.wait_for(2, ["sweeper"])
    assert all(repo.objects.has(raw_object_id("blob", b"%d" % n)) for n in range(0, rounds, 97))
