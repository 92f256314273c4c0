"""A day with a real project: in from git, work, push, clone, pull, and out to git again.

Every step is done twice, by `muse` and by `git` in a SHA-256 repository of the same history, with
the same people and dates; so every id must be the same on both sides, to the last one.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.project.generated import Project

ROOT = Path(__file__).resolve().parents[2]


def output(run: Run, *arguments: str, cwd: Path) -> str:
    """Run a command and return what it printed, without the last newline."""
    return run(*arguments, cwd=cwd).stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def make_generated(path: Path, git: Run) -> Path:
    """Make a bare SHA-1 repository of a project from a seed."""
    git("init", "-q", "--bare", "-b", "main", str(path), cwd=path.parent)
    git("fast-import", "--quiet", cwd=path, input=Project(300).stream())
    return path


def make_own(path: Path, git: Run) -> Path:
    """Make a bare copy of this project's own history; skips where there is none."""
    shallow = git("rev-parse", "--is-shallow-repository", cwd=ROOT, check=False)
    if shallow.stdout != b"false\n":
        pytest.skip("the tests do not run in a git clone with its whole history")
    git("init", "-q", "--bare", "-b", "main", str(path), cwd=path.parent)
    git("fetch", "-q", "--tags", str(ROOT), "HEAD:refs/heads/main", cwd=path)
    signed = git("log", "--all", "--format=%GS%GK", cwd=path).stdout.strip()
    if signed:
        pytest.skip("the history is signed, and git itself does not carry that over")
    return path


def convert(source: Path, path: Path, git: Run) -> Path:
    """Let git make a SHA-256 repository of the same history, with a working tree."""
    stream = git(
        "fast-export", "--all", "--reencode=no", "--signed-tags=verbatim", cwd=source
    ).stdout
    git("init", "-q", "--object-format=sha256", "-b", "main", str(path), cwd=path.parent)
    git("fast-import", "--quiet", cwd=path, input=stream)
    git("reset", "-q", "--hard", "main", cwd=path)
    return path


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file below a folder: its mode as trees have it, and its content."""
    found: dict[str, tuple[int, bytes]] = {}
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in {".git", ".muse"}]
        links = [name for name in folders if os.path.islink(os.path.join(base, name))]
        for name in [*names, *links]:
            full = Path(base, name)
            info = full.lstat()
            if stat.S_ISLNK(info.st_mode):
                content, mode = os.fsencode(os.readlink(full)), 0o120000
            else:
                content, mode = full.read_bytes(), 0o100755 if info.st_mode & 0o100 else 0o100644
            found[str(full.relative_to(folder))] = (mode, content)
    return found


def work_in_the_morning(folder: Path) -> None:
    """Edit, add, remove, move, link, and make executable."""
    tracked = sorted(path for path in folder.rglob("*.py") if path.is_file())
    (tracked[0]).write_text(tracked[0].read_text() + "# looked at again\n")
    (tracked[1]).unlink()
    (tracked[2]).rename(folder / "moved.py")
    (folder / "new folder" / "deep").mkdir(parents=True)
    (folder / "new folder" / "deep" / "näme\twith tab").write_text("odd\n")
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    (folder / "shortcut").symlink_to("new folder/deep")
    (folder / "data.bin").write_bytes(bytes(range(256)) * 400)


def work_at_noon(folder: Path) -> None:
    """Go on, in one file and a new one."""
    (folder / "tool").write_text("#!/bin/sh\nexit 0\n")
    (folder / "topic.txt").write_text("an idea\n")


def work_elsewhere(folder: Path) -> None:
    """What a colleague does in a clone."""
    (folder / "tool").chmod(0o644)
    (folder / "from elsewhere.txt").write_text("hello\n")
    (folder / "data.bin").unlink()


class Day:
    """The two sides, and the ways to compare them."""

    def __init__(self, muse: Run, git: Run, ours: Path, theirs: Path) -> None:
        self.muse, self.git, self.ours, self.theirs = muse, git, ours, theirs

    def both(self, work: Callable[[Path], None], message: str) -> None:
        """Do the same work on both sides and commit it; the commits must have one id."""
        work(self.ours)
        work(self.theirs)
        self.muse("add", "-A", cwd=self.ours)
        self.git("add", "-A", cwd=self.theirs)
        assert not json.loads(output(self.muse, "status", "--json", cwd=self.ours))["clean"]
        self.muse("commit", "-m", message, cwd=self.ours)
        self.git("commit", "-q", "-m", message, cwd=self.theirs)
        self.compare()

    def compare(self, ours: Path | None = None) -> None:
        """Commit, tree listing and files are the same, and both sides are clean."""
        ours = ours or self.ours
        ids = [
            output(self.muse, "rev-parse", "HEAD", cwd=ours),
            output(self.git, "rev-parse", "HEAD", cwd=self.theirs),
        ]
        assert ids[0].removeprefix("sha256:") == ids[1]
        listed = self.muse("ls-tree", "-r", "-z", "HEAD", cwd=ours).stdout
        expected = self.git("ls-tree", "-r", "-z", "HEAD", cwd=self.theirs).stdout
        assert listed.replace(b" sha256:", b" ") == expected
        status = json.loads(output(self.muse, "status", "--json", cwd=ours))
        assert status["clean"]
        assert output(self.git, "status", "--porcelain", cwd=self.theirs) == ""
        assert files_of(ours) == files_of(self.theirs)


@pytest.mark.slow
@pytest.mark.parametrize("make_source", [make_generated, make_own])
def test_a_day_with_a_real_project(
    tmp_path: Path, muse: Run, git: Run, make_source: Callable[[Path, Run], Path]
) -> None:
    """Import, edit, add, commit, branch, push, clone, pull, export: git agrees after each step."""
    source = make_source(tmp_path / "source.git", git)
    day = Day(muse, git, tmp_path / "ours", convert(source, tmp_path / "theirs", git))
    ours, theirs = day.ours, day.theirs

    # In from git.
    muse("init", "ours", cwd=tmp_path)
    brought = json.loads(output(muse, "bridge", "git-import", "--json", "../source.git", cwd=ours))
    assert brought["remarks"] == []
    day.compare()
    count = output(git, "rev-list", "--count", "HEAD", cwd=theirs)
    log = output(muse, "log", "--oneline", cwd=ours)
    assert len(log.splitlines()) == int(count)

    # Work, on main and on a branch.
    day.both(work_in_the_morning, "Morning")
    muse("switch", "-c", "topic", cwd=ours)
    git("switch", "-q", "-c", "topic", cwd=theirs)
    day.both(work_at_noon, "An idea")
    muse("switch", "main", cwd=ours)
    git("switch", "-q", "main", cwd=theirs)
    day.compare()
    muse("tag", "noon", cwd=ours)
    git("tag", "noon", cwd=theirs)

    # Push to another place, clone from there, work there, and take it back.
    muse("init", "--bare", "hub", cwd=tmp_path)
    muse("remote", "add", "origin", "../hub", cwd=ours)
    muse("push", "-u", "origin", "main", cwd=ours)
    muse("push", "origin", "topic", cwd=ours)
    muse("push", "--tags", "origin", cwd=ours)
    muse("clone", "hub", "second", cwd=tmp_path)
    second = tmp_path / "second"
    day.compare(second)
    work_elsewhere(second)
    work_elsewhere(theirs)
    muse("add", "-A", cwd=second)
    muse("commit", "-m", "From elsewhere", cwd=second)
    muse("push", cwd=second)
    git("add", "-A", cwd=theirs)
    git("commit", "-q", "-m", "From elsewhere", cwd=theirs)
    muse("pull", cwd=ours)
    day.compare()
    for repo in (ours, second, tmp_path / "hub"):
        muse("verify", cwd=repo)
    muse("gc", cwd=ours)

    # Out to git: the very repository that git made by itself.
    sent = json.loads(output(muse, "bridge", "git-export", "--json", "../out", cwd=ours))
    assert {ref["state"] for ref in sent["refs"]} == {"created"}
    out = tmp_path / "out"
    assert git("fsck", "--strict", "--no-dangling", cwd=out).stdout == b""
    shown = ("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
    assert output(git, *shown, cwd=out) == output(git, *shown, cwd=theirs)
    assert files_of(out) == files_of(theirs)
    assert output(git, "status", "--porcelain", cwd=out) == ""
    nothing = json.loads(output(muse, "bridge", "git-export", "--json", "../out", cwd=ours))
    assert not any(nothing["objects"].values())

    # And back to where it all came from, in that repository's own format.
    muse("bridge", "git-export", "../source.git", cwd=ours)
    assert git("fsck", "--strict", "--no-dangling", cwd=source).stdout == b""
    names = ("ls-tree", "-r", "--name-only", "-z", "main")
    assert git(*names, cwd=source).stdout == git(*names, cwd=theirs).stdout
    git("clone", "-q", "source.git", "back", cwd=tmp_path)
    assert files_of(tmp_path / "back") == files_of(theirs)
    again = json.loads(output(muse, "bridge", "git-import", "--json", "../source.git", cwd=ours))
    assert not any(again["objects"].values())
    assert {ref["state"] for ref in again["refs"]} == {"unchanged"}


def test_the_generated_project_is_the_same_each_time(tmp_path: Path, git: Run) -> None:
    """A seed is a project: what failed once can be looked at again."""
    ids = []
    for name in ("a", "b"):
        path = make_generated(tmp_path / name, git)
        ids.append(subprocess.check_output(["git", "rev-parse", "main"], cwd=path))
    assert ids[0] == ids[1]
    assert int(git("rev-list", "--count", "--merges", "main", cwd=tmp_path / "a").stdout) > 5
