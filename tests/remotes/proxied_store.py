"""A repository whose origin is a store behind a proxy, and plans of what the proxy does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from muse.core.repo import Repository
from muse.ops.clone import clone
from muse.ops.push import push
from muse.ops.remote import add_remote
from tests.remotes.repositories import add_commit, make_repo
from tests.remotes.s3_server import Act, Answer, Proxy, Request
from tests.remotes.store_oracle import State

Plan = Callable[[Request], Act | Answer]


class Store:
    """A repository with a store as its origin, and the means to look at that.

    Args:
        tmp_path: Where the repository and its clones lie.
        proxy: What stands before the server.
        url: The store's address.
        read_state: Reads the store past the proxy, by means of the oracle.
    """

    def __init__(
        self, tmp_path: Path, proxy: Proxy, *, url: str, read_state: Callable[[], State]
    ) -> None:
        self.url, self.proxy = url, proxy
        self.repo = make_repo(tmp_path / "repo")
        add_remote(self.repo, "origin", self.url)
        self.tmp_path, self._read_state = tmp_path, read_state

    def state(self) -> State:
        """Return what the store holds, by the oracle."""
        return self._read_state()

    def push(self, *branches: str) -> None:
        """Push ``main``, or other branches."""
        push(self.repo, remote="origin", branches=branches or ("main",))

    def clone(self, name: str) -> Repository:
        """Clone it."""
        clone(self.url, self.tmp_path / name, cwd=self.tmp_path)
        return Repository(self.tmp_path / name)


def nth(number: int, act: Act | Answer, *, method: str = "", path: str = "") -> Plan:
    """Do something to the n-th request that fits; 0: to each."""
    seen = 0

    def plan(request: Request) -> Act | Answer:
        nonlocal seen
        if (method and request.method != method) or path not in request.path:
            return "pass"
        seen += 1
        return act if number in {0, seen} else "pass"

    return plan


def from_nth(number: int, act: Act | Answer) -> Plan:
    """Do something to the n-th request and all after it."""
    return lambda request: act if request.number >= number else "pass"


def during(store: Store, deed: Callable[[], object]) -> None:
    """Do something between a push's upload and its write of the document."""
    done = False

    def plan(request: Request) -> Act:
        nonlocal done
        if not done and request.method == "PUT" and request.path.endswith("refs.json"):
            done = True
            deed()
        return "pass"

    store.proxy.reset(plan)


def push_at_each_request(store: Store, act: Act) -> int:
    """Push again and again, with the first request disturbed, then the second, and so on.

    Returns:
        The number of the first request that no push has.
    """
    store.push()
    number = 0
    while True:
        number += 1
        add_commit(store.repo, {b"a": b"%d" % number})
        store.proxy.reset(nth(number, act))
        store.push()
        state = store.state()
        assert state.refs["refs/heads/main"] == store.repo.refs.read("refs/heads/main")
        assert state.check()
        if len(store.proxy.requests) < number:
            return number
