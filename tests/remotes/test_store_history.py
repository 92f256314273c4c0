"""A long history through a store and back, judged by git (G1, G4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.commits import Commit, format_commit
from muse.core.refs import HEADS
from muse.core.repo import open_repo
from muse.core.trees import TreeEntry, format_tree
from muse.core.types import MODE_FILE, MODE_TREE, RawId, from_raw
from muse.ops.clone import clone
from muse.ops.push import push
from muse.ops.remote import add_remote
from tests.conftest import Run
from tests.remotes.repositories import ADA, make_repo
from tests.remotes.s3_server import BUCKET, Proxy
from tests.remotes.store_oracle import read_s3

pytestmark = pytest.mark.slow
COMMITS = 10_000


def test_ten_thousand_commits(tmp_path: Path, proxy: Proxy, muse: Run, git: Run) -> None:
    """Pushed, cloned, verified; `git fsck` finds nothing wrong with what `git-export` makes of it.

    One push and one clone, each of a few dozen requests.
    """
    repo = make_repo(tmp_path / "repo")
    url = f"s3://{BUCKET}/h{tmp_path}"
    add_remote(repo, "origin", url)
    parents: tuple[RawId, ...] = ()
    folders = [repo.objects.write("tree", b"")] * 20
    with repo.transaction("commit", who=ADA) as tx:
        for number in range(COMMITS):
            blob = tx.write_object("blob", b"line %d\n" % number * 8)
            entry = TreeEntry(MODE_FILE, b"f%d" % (number % 7), blob)
            folders[number % 20] = tx.write_object("tree", format_tree([entry]))
            root = [TreeEntry(MODE_TREE, b"d%02d" % n, raw) for n, raw in enumerate(folders)]
            who = ADA._replace(time_s=ADA.time_s + number)
            commit = Commit(tx.write_object("tree", format_tree(root)), parents, who, who, b"c\n")
            parents = (tx.write_object("commit", format_commit(commit)),)
        tx.set_ref(HEADS + "main", from_raw(parents[0]), old=None, log="commit")
    proxy.reset()
    push(repo, remote="origin", branches=("main",))
    assert len(proxy.requests) < 40
    state = read_s3(proxy.upstream, BUCKET, f"h{tmp_path}")
    needed = state.check()
    assert sum(kind == "commit" for kind, _ in needed.values()) == COMMITS
    proxy.reset()
    clone(url, tmp_path / "copy", cwd=tmp_path)
    assert len(proxy.requests) < 40
    assert open_repo(tmp_path / "copy").refs.read(HEADS + "main") == from_raw(parents[0])
    muse("verify", cwd=tmp_path / "copy")
    muse("bridge", "git-export", str(tmp_path / "exported"), cwd=tmp_path / "copy")
    git("fsck", "--full", "--strict", cwd=tmp_path / "exported")
    count = git("rev-list", "--count", "--all", cwd=tmp_path / "exported").stdout
    assert int(count) == COMMITS
