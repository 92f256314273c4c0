"""Two pushers over a wire, killed at random: no update that was reported is lost (G8)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from muse.core.errors import LockedError, NonFastForwardError, RefChangedError
from muse.core.refs import HEADS
from muse.core.repo import open_repo
from muse.core.types import ObjectId, from_raw
from muse.ops.fetch import fetch
from muse.ops.push import push
from muse.ops.remote import add_remote
from tests.crash import oracle
from tests.crash.crowd import FULL, Crowd, Step
from tests.remotes.fake_ssh import fake_ssh, wait_for_servers
from tests.remotes.repositories import add_commit, make_repo, reachable, set_ref

pytestmark = [pytest.mark.crash, pytest.mark.slow]

MAIN = HEADS + "main"
SEED = int(os.environ.get("MUSE_CRASH_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
LOST_THE_RACE = (RefChangedError, NonFastForwardError, LockedError)


def pusher(root: Path) -> Step:
    """Put a commit on whatever is there, and push it; report it when the push is done."""
    repo = open_repo(root)

    def step(number: int) -> str | None:
        try:
            fetch(repo)
            set_ref(repo, MAIN, repo.refs.read("refs/remotes/origin/main"))
            # Now and then more than fits into one answer, so that some die in the middle of it.
            size = 40 if number % 4 else 200_000
            oid = add_commit(repo, {b"by": os.urandom(size), b"who": root.name.encode()})
            push(repo, remote="origin", branches=["main"])
        except LOST_THE_RACE as error:
            assert error.hint
            return None
        return oid

    return step


def test_no_reported_push_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit whose push was reported is in the branch's one line of history."""
    pids = tmp_path / "pids"
    monkeypatch.setenv("MUSE_SSH", fake_ssh(pids=pids))
    hub = make_repo(tmp_path / "hub", bare=True)
    add_commit(hub, {b"a": b"1"})
    names = ("one", "two")
    for name in names:
        add_remote(make_repo(tmp_path / name), "origin", f"there:{hub.root}")
    with Crowd(tmp_path, seed=SEED) as crowd:
        for name in names:
            crowd.start(name, lambda name=name: pusher(tmp_path / name))  # type: ignore[misc]  # bound now
        crowd.strike(kills=400 if FULL else 25, within_s=0.8)
        for name in names:
            crowd.wait_for(len(crowd.reports(name)) + 1, [name])
        crowd.disperse()
        crowd.check_errors()
        reported = crowd.reports()
    wait_for_servers(pids)
    chain: set[ObjectId] = set()
    repo = open_repo(hub.root)
    oid = repo.refs.read(MAIN)
    while oid is not None:
        chain.add(oid)
        parents = repo.commit(oid).parents
        oid = from_raw(parents[0]) if parents else None
    lost = [oid for oid in reported if oid not in chain]
    assert not lost, f"seed {SEED}: lost {lost}"
    reachable(repo)
    oracle.check(hub.root, bare=True)
