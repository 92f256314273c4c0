"""Import and export killed at any of their steps: what is there is sound, and a rerun completes it.

A child counts its file-system calls by an audit hook and kills itself with SIGKILL at the n-th.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.core.repo import open_repo
from muse.ops.git_bridge.export import git_export
from muse.ops.git_bridge.import_ import git_import
from muse.ops.status import read_status
from tests.ops.git_bridge_fixtures import (
    clean_env,
    git_ids,
    git_refs,
    load,
    long_history,
    make_git,
    make_muse,
    muse_ids,
    muse_refs,
    run_git,
    sound,
)

# Forks once per step, so that the modules are imported once; prints how each child ended.
CHILD = """
import json, os, signal, sys
from pathlib import Path
import muse.ops.git_bridge.sink as sink
from muse.core.repo import open_repo
from muse.ops.git_bridge.export import git_export
from muse.ops.git_bridge.import_ import git_import

sink.PACK_OBJECTS = 45
EVENTS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.truncate"}
EVENTS |= {"subprocess.Popen"}
# Imported by the first run; without this every child would count those files too.
import muse.core.ancestry, muse.core.transaction, muse.remotes.walk, muse.core.stat_cache
import subprocess, tempfile, threading

def run(verb, step, base):
    left = step
    def hook(event, args):
        nonlocal left
        if event in EVENTS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    repo = open_repo(base / f"m{step}")
    sys.addaudithook(hook)
    if verb == "import":
        git_import(repo, base / "g", env=dict(os.environ))
    else:
        git_export(repo, base / f"out{step}", env=dict(os.environ), object_format="sha1")

verb, base, steps = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
ends = {}
for step in steps:
    pid = os.fork()
    if not pid:
        try:
            run(verb, step, base)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    ends[step] = os.waitstatus_to_exitcode(status)
print(json.dumps(ends))
"""
# Close together where packs, map and refs follow each other; the last one of each is never hit.
IMPORT_STEPS = [*range(1, 64, 4), *range(64, 400, 15), 5000]
EXPORT_STEPS = [*range(1, 90, 4), 5000]


def run_killed(verb: str, base: Path, steps: list[int]) -> Iterator[tuple[int, int]]:
    """Run a verb once per step, each in its own copy; yield (step, exit code or -9)."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, verb, str(base), json.dumps(steps)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    for step, code in json.loads(done.stdout).items():
        assert code in {0, -9}, done.stderr.decode()
        yield int(step), code


@pytest.mark.crash
@pytest.mark.slow
class TestKilled:
    def test_an_import_killed_anywhere_is_completed_by_the_next(self, tmp_path: Path) -> None:
        """Refs are complete or absent after it, and after a rerun all is as in a clean run."""
        stream = long_history(45)
        source = load(make_git(tmp_path / "g"), stream)
        oracle = load(make_git(tmp_path / "n", object_format="sha256"), stream)
        make_muse(tmp_path / "empty", bare=False)
        for step in IMPORT_STEPS:
            shutil.copytree(tmp_path / "empty", tmp_path / f"m{step}")
        kills = resumed = 0
        for step, code in run_killed("import", tmp_path, IMPORT_STEPS):
            kills += code == -9
            repo = open_repo(tmp_path / f"m{step}")
            assert muse_refs(repo) in ({}, git_refs(oracle)), step
            assert sound(repo)
            result = git_import(repo, source, env=clean_env())
            resumed += 0 < sum(result.objects.values()) < len(git_ids(source))
            assert muse_refs(repo) == git_refs(oracle), step
            assert muse_ids(repo) == git_ids(oracle), step
            assert sound(repo)
            assert read_status(open_repo(repo.root)).status.is_clean, step
            assert not list(repo.root.rglob("*-tmp-*"))
            again = git_import(open_repo(repo.root), source, env=clean_env())
            assert not any(again.objects.values())
        assert kills > 25
        # What was durable before a kill was not brought again.
        assert resumed > 5

    def test_an_export_killed_anywhere_is_completed_by_the_next(self, tmp_path: Path) -> None:
        """Git's refs move all at once or not at all, and a rerun leaves what a clean run leaves."""
        source = load(make_git(tmp_path / "g"), long_history(25))
        repo = make_muse(tmp_path / "whole")
        git_import(repo, source, env=clean_env())
        shutil.rmtree(repo.muse / "bridge")
        for step in EXPORT_STEPS:
            shutil.copytree(tmp_path / "whole", tmp_path / f"m{step}")
        kills = 0
        for step, code in run_killed("export", tmp_path, EXPORT_STEPS):
            kills += code == -9
            out = tmp_path / f"out{step}"
            if (out / ".git" / "HEAD").exists() and (out / ".git" / "refs").exists():
                assert git_refs(out) in ({}, git_refs(source)), step
            copy = open_repo(tmp_path / f"m{step}")
            assert git_export(copy, out, env=clean_env(), object_format="sha1").ok
            assert git_refs(out) == git_refs(source), step
            assert git_ids(out) == git_ids(source), step
            assert run_git("status", "--porcelain", cwd=out) == b""
            assert run_git("fsck", "--strict", "--no-dangling", cwd=out) == b""
        assert kills > 8
