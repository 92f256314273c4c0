"""Counts that must not grow: what one change costs does not depend on how much there is.

Times are for `make bench`; here strace counts what the system is asked for, in the real program,
with a small tree and with one twenty times its size.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from muse.core.repo import open_repo
from muse.ops.add import add
from muse.ops.commit import commit
from tests.core.edits import ADA, make_repo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the calls"),
]
ROOT = Path(__file__).parents[2]
SMALL, LARGE = 30, 600
PER_FOLDER = 10
BEGIN, END = "/begin-here", "/end-here"
SYNCS = ("fsync", "fdatasync", "syncfs", "sync")
# Caches are written, or not, by the clock; what a file costs would show many times over.
SLACK = 12
PREPARE = """if True:
    import os, sys
    from pathlib import Path
    from muse.core.repo import open_repo
    from muse.ops.add import add
    from muse.ops.commit import commit
    from muse.ops.status import open_engine
    from tests.core.edits import ADA
    root = Path(sys.argv[1])
    repo = open_repo(root)
    def mark(name):
        try:
            os.stat(name)
        except OSError:
            pass
"""


def make_tree(folder: Path, files: int) -> Path:
    """Commit a tree of that many files, ten a folder, and let its status be cached."""
    folder.mkdir()
    repo = make_repo(folder)
    for number in range(files):
        path = folder / f"d{number // PER_FOLDER}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n")
    add(repo, [b""])
    commit(repo, message="all", committer=ADA)
    return folder


def trace(root: Path, body: str) -> Counter[str]:
    """Run some lines on a repository in a fresh process; count the calls between its marks."""
    log = root.parent / "trace"
    code = PREPARE + "".join(f"    {line}\n" for line in body.splitlines())
    done = subprocess.run(
        ["strace", "-f", "-o", log, sys.executable, "-c", code, root],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    text = log.read_text(errors="replace")
    between = text[text.index(BEGIN) : text.index(END)]
    return Counter(re.findall(r"^\d+ +(\w+)\(", between, re.MULTILINE))


def syncs(calls: Counter[str]) -> int:
    """Return how often the disk was waited for."""
    return sum(calls[name] for name in SYNCS)


def opened(calls: Counter[str]) -> int:
    """Return how many files were opened."""
    return calls["openat"] + calls["open"]


REFRESH = f"""
engine = open_engine(repo)
engine.refresh_all()
(root / "d0" / "f0").write_text("changed")
mark("{BEGIN}")
changed = engine.refresh_paths([b"d0/f0"])
mark("{END}")
assert changed == {{b"d0/f0"}}, changed
"""
COMMIT = f"""
(root / "d0" / "f0").write_text("changed")
add(repo, [b"d0/f0"])
mark("{BEGIN}")
commit(repo, message="x", committer=ADA)
mark("{END}")
"""
STATUS = f"""
engine = open_engine(repo)
mark("{BEGIN}")
assert engine.refresh_all().is_clean
mark("{END}")
"""


class TestCounts:
    """The same change, in trees of two sizes."""

    def test_a_refresh_touches_the_named_file(self, tmp_path: Path) -> None:
        """A running process that hears of a change makes the same few calls in any tree."""
        small, large = (
            trace(make_tree(tmp_path / str(files), files), REFRESH) for files in (SMALL, LARGE)
        )
        assert small == large
        assert opened(large) == 1
        assert large.total() <= 12, large

    def test_an_everyday_commit_reads_what_changed(self, tmp_path: Path) -> None:
        """A commit of one file opens and writes as much in a small tree as in a large one."""
        small, large = (
            trace(make_tree(tmp_path / str(files), files), COMMIT) for files in (SMALL, LARGE)
        )
        assert abs(opened(large) - opened(small)) <= SLACK, (small, large)
        assert large.total() - small.total() <= 3 * SLACK, (small, large)

    @pytest.mark.parametrize("changed", [1, 20, 200])
    def test_a_commit_waits_for_the_disk_as_often(self, tmp_path: Path, changed: int) -> None:
        """One sync is the commit point; a pack, for many objects, adds a constant number.

        Another one makes sure of packs that came since the last commit, here those of the add.
        """
        root = make_tree(tmp_path / "tree", LARGE)
        # A journal that is full of earlier records is checkpointed on the way: begin with none.
        open_repo(root)
        body = COMMIT.replace(
            '(root / "d0" / "f0").write_text("changed")\nadd(repo, [b"d0/f0"])',
            f"for n in range(0, {LARGE}, {LARGE // changed}):\n"
            '    (root / f"d{n // 10}" / f"f{n}").write_text("changed")\n'
            'add(repo, [b""])',
        )
        assert body != COMMIT
        calls = trace(root, body)
        assert 1 <= syncs(calls) <= (2 if changed < 20 else 7), calls

    def test_a_clean_status_opens_no_file(self, tmp_path: Path) -> None:
        """Files that are known are looked at once each; neither they nor their folders are read."""
        found: dict[int, Counter[str]] = {}
        for files in (SMALL, LARGE):
            root = make_tree(tmp_path / str(files), files)
            trace(root, SETTLE)
            found[files] = trace(root, STATUS)
        looked = LARGE - SMALL + (LARGE - SMALL) // PER_FOLDER
        assert abs(opened(found[LARGE]) - opened(found[SMALL])) <= SLACK, found
        assert found[LARGE].total() - found[SMALL].total() <= looked + 10 * SLACK, found


# Files as young as these are read again until their times lie far enough back to be trusted.
SETTLE = f"""
import time
mark("{BEGIN}")
deadline = time.monotonic() + 30
while True:
    engine = open_engine(repo)
    engine.refresh_all()
    engine.save(only_if_useful=False)
    again = open_engine(repo)
    again.refresh_all()
    if not again.worktree.files.files_read and not again.worktree.folders_listed:
        break
    assert time.monotonic() < deadline
mark("{END}")
"""
