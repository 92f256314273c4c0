"""A real project's history there and back by ssh, judged by git and by our own verify."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.project.generated import Project
from tests.remotes.repositories import make_repo
from tests.remotes.sshd import Sshd, needs_sshd, sshd

__all__ = ["sshd"]

pytestmark = [pytest.mark.slow, needs_sshd]

# The long form is the one that was promised.
COMMITS = 10_000 if os.environ.get("MUSE_CRASH_FULL") else 1_500


def test_a_history_there_and_back(
    tmp_path: Path, sshd: Sshd, muse: Run, git: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushed, cloned, exported: `muse verify` and `git fsck` find nothing, nothing changed."""
    monkeypatch.setenv("MUSE_SSH", sshd.command)
    theirs = tmp_path / "theirs"
    git("init", "-q", "-b", "main", "--object-format=sha256", str(theirs), cwd=tmp_path)
    stream = Project(COMMITS).stream().replace(b"0" * 40, b"0" * 64)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=theirs, input=stream, check=True)
    ours, hub = make_repo(tmp_path / "ours"), make_repo(tmp_path / "hub", bare=True)
    muse("bridge", "git-import", str(theirs), cwd=ours.root)
    there = f"here:{hub.root}"
    muse("remote", "add", "origin", there, cwd=ours.root)
    muse("push", "-u", "origin", "main", cwd=ours.root)
    muse("push", "--tags", cwd=ours.root)
    muse("clone", there, "back", cwd=tmp_path)
    for place in (hub.root, tmp_path / "back"):
        muse("verify", cwd=place)
    muse("bridge", "git-export", str(tmp_path / "export"), cwd=tmp_path / "back")
    git("fsck", "--full", "--strict", cwd=tmp_path / "export")
    counted = git("rev-list", "--count", "main", cwd=tmp_path / "export").stdout
    assert counted == git("rev-list", "--count", "main", cwd=theirs).stdout
    # The same format on both sides, so the same ids.
    told = git("rev-parse", "main", cwd=tmp_path / "export").stdout
    assert told == git("rev-parse", "main", cwd=theirs).stdout
