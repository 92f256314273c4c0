"""The one oracle: what must be true of a repository after any death, whatever died."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from muse.cli.main import main
from muse.core.object_store import ObjectStore
from muse.core.paths import muse_dir
from muse.core.repo import Repository, open_repo
from muse.core.trees import iter_tree
from muse.core.types import RawId, to_raw

_TEMP = re.compile(r"\.(obj-tmp-|restore-tmp-|muse-tmp-|stat_cache_.*\.tmp$)")


def run(root: Path, *arguments: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    # `-C` moves this process, and a later test cannot start in a folder that is gone.
    with (
        contextlib.chdir(root),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main(["-C", str(root), *arguments])
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
    return code or 0, out.getvalue() + err.getvalue()


def check_graph(root: Path) -> None:
    """Every ref names a commit that is complete, and every object is whole (G1, G4)."""
    repo = open_repo(root)
    store = ObjectStore(root)
    seen: set[RawId] = set()
    for _, oid in repo.refs.iter():
        pending = [to_raw(oid)]
        while pending:
            raw = pending.pop()
            if raw in seen:
                continue
            seen.add(raw)
            kind, _ = store.read(raw)
            if kind != "commit":
                continue
            commit = Repository(root).commit(raw)
            pending += () if raw in store.boundary.read() else commit.parents
            for _, _, blob in iter_tree(store, commit.tree):
                if blob not in seen:
                    seen.add(blob)
                    store.read(blob, expected="blob")
    for raw in store.iter_loose():
        store.read(raw)
    for pack in store.packs():
        for raw in pack.ids():
            store.read(raw)


def check_works(root: Path, *, bare: bool = False) -> None:
    """Nothing is stuck and nothing is left: the next commands work (G5, G6)."""
    code, text = run(root, "verify")
    assert code == 0, text
    if bare:
        return
    code, text = run(root, "status", "--json")
    assert code == 0, text
    assert "branch" in json.loads(text)
    (root / "next.txt").write_text("after the crash\n")
    code, text = run(root, "add", "next.txt")
    assert code == 0, text
    code, text = run(root, "commit", "-m", "next")
    assert code == 0, text
    left = [name for name in _walk(muse_dir(root)) if _TEMP.match(name)]
    assert left == [], left


def check(root: Path, *, bare: bool = False, git: bool = False) -> None:
    """Check everything; the repository is changed by the commands that must work.

    Args:
        root: The repository's root.
        bare: Whether it has no working tree.
        git: Also export it, and let git judge what nobody here wrote.
    """
    check_graph(root)
    check_works(root, bare=bare)
    check_graph(root)
    if git:
        check_in_git(root)


def check_in_git(root: Path) -> None:
    """What is exported is whole in git's eyes, which keeps the same objects by the same names."""
    with tempfile.TemporaryDirectory() as folder:
        there = os.path.join(folder, "git")
        code, text = run(root, "bridge", "git-export", there)
        assert code == 0, text
        judged = subprocess.run(
            ["git", "-C", there, "fsck", "--strict", "--full"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert judged.returncode == 0, judged.stdout + judged.stderr
        assert "missing" not in judged.stdout, judged.stdout


def _walk(folder: Path) -> list[str]:
    return [name for _, _, names in os.walk(folder) for name in names]
