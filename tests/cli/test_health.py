"""``muse health`` tells what a crash left, what was done, and what needs a person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muse.core.lock import WriteLock
from tests.cli.conftest import Cli


class TestHealth:
    """The facts after whatever happened."""

    def test_healthy(self, cli: Cli, repo: Path) -> None:
        """A fresh repository is healthy, exit 0."""
        outcome = cli("health", cwd=repo)
        assert outcome.code == 0
        assert outcome.out.startswith("Healthy. ")
        assert cli("health", "--json", cwd=repo).json["healthy"] is True

    def test_orphan_is_removed_and_remembered(self, cli: Cli, repo: Path) -> None:
        """An orphan temp is removed by the command that finds it, and told of later."""
        orphan = repo / ".muse" / ".muse-tmp-1-x"
        orphan.write_bytes(b"half")
        found = cli("health", "--json", cwd=repo).json
        assert [(temp["path"], temp["state"]) for temp in found["swept"]] == [
            (".muse-tmp-1-x", "removed")
        ]
        assert not orphan.exists()
        later = cli("health", cwd=repo)
        assert later.code == 0
        assert "earlier sweeps" in later.out
        assert ".muse-tmp-1-x" in later.out

    def test_waiting(self, cli: Cli, repo: Path) -> None:
        """A young foreign object temp is left alone, with the reason."""
        shard = repo / ".muse" / "objects" / "sha256" / "aa"
        shard.mkdir()
        (shard / ".obj-tmp-x").write_bytes(b"half")
        outcome = cli("health", cwd=repo)
        assert outcome.code == 0
        assert "waiting" in outcome.out
        assert (shard / ".obj-tmp-x").exists()

    def test_lock_has_an_owner(self, cli: Cli, repo: Path) -> None:
        """While somebody writes, the report says who and since when."""
        with WriteLock(repo, command="a long push"):
            assert f"held by 'a long push' (pid {os.getpid()})" in cli("health", cwd=repo).out
        assert cli("health", "--json", cwd=repo).json["lock"] is None

    def test_damaged_ref(self, cli: Cli, repo: Path) -> None:
        """A ref that cannot be read needs a person: exit 1, with the way out."""
        (repo / ".muse" / "refs" / "heads" / "topic").write_bytes(b"nonsense")
        outcome = cli("health", cwd=repo)
        assert outcome.code == 1
        assert outcome.out.startswith("Needs attention. 1 ref cannot be used")
        assert "muse reflog topic" in outcome.out
        assert cli("health", "--json", cwd=repo).json["damaged_refs"][0]["name"] == (
            "refs/heads/topic"
        )

    def test_control_characters(self, cli: Cli, repo: Path) -> None:
        """Names of temps are shown with control characters escaped (G17)."""
        (repo / ".muse" / ".muse-tmp-\x1b[2J").write_bytes(b"")
        assert "\x1b" not in cli("health", cwd=repo).out


@pytest.mark.parametrize("name", ["code/stage.msgpack", "config.toml", "repo.json"])
def test_damaged_files_are_told(repo: Path, cli: Cli, name: str) -> None:
    """Health does not call a repository healthy whose stage or settings cannot be read."""
    path = repo / ".muse" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"[broken")
    found = cli("health", "--json", cwd=repo).json
    assert found["healthy"] is False
    assert [damaged["name"] for damaged in found["damaged_files"]] == [name]
    assert f"{name} cannot be read" in cli("health", cwd=repo).out
