"""Another machine by a real ssh: the conformance suite, and what only ssh can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.core.repo import Repository
from muse.remotes.media import open_remote
from muse.remotes.protocol import Remote
from tests.remotes.conformance import OpenPlace, RemoteConformance, here
from tests.remotes.repositories import make_repo
from tests.remotes.sshd import Sshd, needs_sshd, sshd

__all__ = ["here", "sshd"]

pytestmark = needs_sshd


@pytest.fixture
def place(tmp_path: Path) -> Repository:
    """A bare repository on the other side."""
    return make_repo(tmp_path / "place", bare=True)


@pytest.fixture
def open_place(
    place: Repository, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenPlace]:
    """Open it as a user's command does."""
    monkeypatch.setenv("MUSE_SSH", sshd.command)
    opened: list[Remote] = []

    def open_one() -> Remote:
        opened.append(open_remote(sshd.url(place.root), base=Path("/")))
        return opened[-1]

    yield open_one
    for remote in opened:
        remote.close()


class TestSshRemote(RemoteConformance):
    """A real sshd and the ssh of the user do what every medium does."""
