"""By refs and history, never by listing everything: what a push costs follows what is pushed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.commits import Commit, Signature, format_commit
from muse.core.pack import PackWriter
from muse.core.repo import Repository, open_repo
from muse.core.trees import TreeEntry, format_tree
from muse.core.types import MODE_FILE, MODE_TREE, ObjectId, RawId, from_raw, to_raw
from tests.crash import oracle
from tests.crash.harness import count_calls
from tests.remotes.repositories import START_S, make_repo, set_ref, settle

MAIN = "refs/heads/main"
TRACKING = "refs/remotes/origin/main"
WIDTH = 20


class Project:
    """A tree of three levels that is committed again and again, straight into a pack.

    Args:
        root: The repository's folder.
        files: How many files.
    """

    def __init__(self, root: Path, *, files: int) -> None:
        self._writer = PackWriter(root)
        self._files = files
        self._leaves: dict[tuple[int, int], dict[bytes, TreeEntry]] = {}
        self._folders: dict[int, dict[bytes, TreeEntry]] = {}
        self._top: dict[bytes, TreeEntry] = {}
        self._tip: RawId | None = None
        self._count = 0
        for number in range(files):
            self._write(number, b"%d\n" % number)
        for leaf in self._leaves:
            self._hang(*leaf)

    def _write(self, number: int, data: bytes) -> tuple[int, int]:
        place = (number % WIDTH, number // WIDTH % WIDTH)
        name = b"f%d" % number
        blob = self._writer.add("blob", data)
        self._leaves.setdefault(place, {})[name] = TreeEntry(MODE_FILE, name, blob)
        return place

    def _hang(self, folder: int, leaf: int) -> None:
        below = self._writer.add("tree", format_tree(self._leaves[folder, leaf].values()))
        name = b"e%d" % leaf
        self._folders.setdefault(folder, {})[name] = TreeEntry(MODE_TREE, name, below)
        above = self._writer.add("tree", format_tree(self._folders[folder].values()))
        name = b"d%d" % folder
        self._top[name] = TreeEntry(MODE_TREE, name, above)

    def commit(self) -> RawId:
        """Change one file, and commit that."""
        self._count += 1
        self._hang(*self._write(self._count % self._files, b"change %d\n" % self._count))
        who = Signature("Ada", "ada@example.com", START_S + self._count, "+0000")
        parents = () if self._tip is None else (self._tip,)
        tree = self._writer.add("tree", format_tree(self._top.values()))
        commit = Commit(tree, parents, who, who, b"change %d\n" % self._count)
        self._tip = self._writer.add("commit", format_commit(commit))
        return self._tip

    def finish(self) -> None:
        """Make the pack."""
        self._writer.finish()


def build(base: Path, *, files: int, commits: int) -> Repository:
    """Make ``hub``, and ``mine``, which is one commit ahead of it; both are packed."""
    hub = make_repo(base / "hub", bare=True)
    mine = make_repo(base / "mine")
    (mine.muse / "config.toml").write_text('[remote.origin]\nurl = "../hub"\n')
    project = Project(mine.root, files=files)
    old = [project.commit() for _ in range(commits)][-1]
    project.finish()
    for path in (mine.muse / "objects/pack").iterdir():
        shutil.copy(path, hub.muse / "objects/pack")
    repo = open_repo(mine.root)
    set_ref(open_repo(hub.root), MAIN, from_raw(old))
    set_ref(repo, TRACKING, from_raw(old))
    set_ref(repo, MAIN, _one_more(repo, from_raw(old)))
    settle(repo)
    settle(hub)
    return repo


def _one_more(repo: Repository, tip: ObjectId) -> ObjectId:
    """Commit another file on top, as small objects."""
    commit = repo.commit(tip)
    blob = repo.objects.write("blob", b"new\n")
    top = repo.objects.read(commit.tree)[1]
    new = repo.objects.write("tree", top + b"100644 new\0" + blob)
    who = commit.author._replace(time_s=commit.author.time_s + 1)
    made = Commit(new, (to_raw(tip),), who, who, b"new\n")
    return from_raw(repo.objects.write("commit", format_commit(made)))


def _push(base: Path) -> None:
    code, text = oracle.run(base / "mine", "push", "origin", "main")
    assert code == 0, text
    assert "3 objects" in text, text


def _fetch(base: Path) -> None:
    code, text = oracle.run(base / "hub", "fetch", "../mine")
    assert code == 0, text
    assert "3 objects" in text, text


@pytest.mark.slow
@pytest.mark.parametrize("action", [_push, _fetch])
def test_calls_follow_the_change_and_not_what_is_there(
    tmp_path: Path, action: Callable[[Path], None]
) -> None:
    """One commit on 20 times the files and 20 times the history makes as many calls."""
    counts = []
    for name, files, commits in (("small", 500, 100), ("large", 10_000, 2000)):
        build(tmp_path / name, files=files, commits=commits)
        counts.append(count_calls(tmp_path / name, tmp_path / "work", action, looks=True))
    small, large = counts
    assert small > 50
    assert abs(large - small) <= 5, counts
