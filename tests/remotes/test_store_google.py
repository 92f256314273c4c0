"""Google's protocol, at an emulator that writes without asking for conditions: it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.core.errors import RemoteError
from muse.ops.push import push
from tests.remotes import google_server
from tests.remotes.repositories import add_commit, files_of, make_repo


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """The address of such a server."""
    with google_server.run_server() as address:
        yield address


def test_it_overwrites_without_asking(google: str) -> None:
    """The premise: two writers who both create one object both hear that they did."""
    assert google_server.overwrites(google, "premise")


def test_a_push_there_is_refused(
    google: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, and before anything but the probe is in it."""
    for name, value in google_server.environment(google).items():
        monkeypatch.setenv(name, value)
    repo = make_repo(tmp_path / "repo")
    add_commit(repo, files_of(3))
    with pytest.raises(RemoteError, match="not those of such a store") as caught:
        push(repo, remote=f"gs://{google_server.BUCKET}/project", branches=("main",))
    assert caught.value.exit_code == 5
    there = [name for name in google_server.list_names(google) if name.startswith("project/")]
    assert all(name.startswith("project/probe/") for name in there)
