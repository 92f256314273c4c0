"""Several processes push to one branch at once: nothing that was reported is lost (G8)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from muse.core.repo import open_repo
from muse.core.types import to_raw
from muse.remotes.walk import NewObjects
from tests.remotes.repositories import add_commit, make_repo, reachable

PUSHERS = 3
COMMITS = 4

CHILD = """
import sys
from pathlib import Path
from muse.core.errors import NonFastForwardError, RefChangedError
from muse.core.repo import open_repo
from muse.ops.fetch import fetch
from muse.ops.push import push
from tests.remotes.repositories import add_commit, set_ref

name = sys.argv[1]
repo = open_repo(Path(name))
refused = 0
for number in range(int(sys.argv[2])):
    while True:
        fetch(repo)
        base = repo.refs.read("refs/remotes/origin/main")
        set_ref(repo, "refs/heads/main", base)
        oid = add_commit(repo, {b"by": name.encode(), b"n": b"%d" % number}, message=f"{name}\\n")
        try:
            push(repo, remote="origin", branches=["main"])
        except (RefChangedError, NonFastForwardError) as error:
            assert error.exit_code == 1
            assert error.hint
            refused += 1
            continue
        print(oid)
        break
print("refused", refused, file=sys.stderr)
"""


@pytest.mark.slow
def test_no_reported_push_is_lost(tmp_path: Path) -> None:
    """Every commit whose push succeeded is in the branch's history, once."""
    hub = make_repo(tmp_path / "hub", bare=True)
    add_commit(hub, {b"a": b"1"})
    names = [f"pusher{number}" for number in range(PUSHERS)]
    for name in names:
        make_repo(tmp_path / name, origin=hub.root)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, name, str(COMMITS)],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    reported: set[str] = set()
    for child in children:
        out, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
        reported.update(out.split())
    hub = open_repo(hub.root)
    tip = hub.refs.read("refs/heads/main")
    assert tip is not None
    history = {
        found.raw for found in NewObjects(hub.objects, [to_raw(tip)]) if found.kind == "commit"
    }
    assert len(reported) == PUSHERS * COMMITS
    assert {to_raw(oid) for oid in reported} <= history
    assert len(history) == 1 + PUSHERS * COMMITS
    reachable(hub)
