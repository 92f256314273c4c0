"""The walk that finds what one side lacks, against `git rev-list --objects` and by counts."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.errors import CorruptObjectError, ObjectNotFoundError
from muse.core.object_store import ObjectStore
from muse.core.types import RawId, from_raw
from muse.remotes.walk import NewObjects
from tests.conftest import Run
from tests.remotes.histories import (
    START_S,
    CountingStore,
    give_to_git,
    random_history,
    write_commit,
    write_files,
    write_tag,
)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    """An empty store."""
    (tmp_path / ".muse/objects/pack").mkdir(parents=True)
    return CountingStore(tmp_path)


def ids(walk: NewObjects) -> set[RawId]:
    """Return the ids that a walk finds, each of which it may yield once only."""
    found = [each.raw for each in walk]
    assert len(found) == len(set(found))
    return set(found)


def git_ids(git_dir: Path, tips: list[RawId], known: list[RawId]) -> set[RawId]:
    """Ask git the same question."""
    arguments = [raw.hex() for raw in tips] + ["^" + raw.hex() for raw in known]
    out = subprocess.run(
        ["git", "rev-list", "--objects", "--no-object-names", *arguments],
        cwd=git_dir,
        check=True,
        capture_output=True,
    ).stdout
    return {RawId(bytes.fromhex(line.decode())) for line in out.split()}


class TestAgainstGit:
    """git answers the same question."""

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(seed=st.integers(0, 2**32), commits=st.integers(1, 25))
    def test_finds_what_git_finds(
        self, tmp_path_factory: pytest.TempPathFactory, git: Run, seed: int, commits: int
    ) -> None:
        """Nothing that git would send is left out, and nothing unreachable comes along."""
        root = tmp_path_factory.mktemp("walk")
        store = ObjectStore(root)
        (root / ".muse/objects/pack").mkdir(parents=True)
        made = random_history(store, seed, commits=commits)
        git("init", "-q", "--bare", "--object-format=sha256", "g", cwd=root)
        give_to_git(store, root / "g")
        rng = random.Random(seed)
        tips = rng.sample(made, k=min(len(made), rng.randint(1, 3)))
        known = rng.sample(made, k=min(len(made), rng.randint(0, 3)))
        ours = ids(NewObjects(store, tips, known))
        assert git_ids(root / "g", tips, known) <= ours
        assert ours <= git_ids(root / "g", tips, [])
        assert ids(NewObjects(store, tips)) == git_ids(root / "g", tips, [])


class TestCost:
    """What is read follows the change, not the repository."""

    def test_one_change_reads_only_the_trees_on_its_way(self, store: CountingStore) -> None:
        """One changed file among 2 000 in 100 folders: three trees each side, two commits."""
        files = {b"d%d/e%d/f%d" % (n % 10, n // 10 % 10, n): b"%d" % n for n in range(2000)}
        first = write_commit(store, write_files(store, files))
        files[b"d3/e4/f43"] = b"changed"
        second = write_commit(store, write_files(store, files), first, time_s=START_S + 1)
        store.reads.clear()
        found = list(NewObjects(store, [second], [first]))
        assert [each.kind for each in found] == ["commit", "tree", "tree", "tree", "blob"]
        assert store.reads == {"commit": 2, "tree": 6}

    def test_old_history_is_not_read(self, store: CountingStore) -> None:
        """One commit on top of 300 reads two commits, whatever lies below."""
        tree = write_files(store, {b"a": b"1"})
        tip = write_commit(store, tree)
        for number in range(300):
            tip = write_commit(store, tree, tip, time_s=START_S + number)
        new = write_commit(store, write_files(store, {b"a": b"2"}), tip, time_s=START_S + 500)
        store.reads.clear()
        assert len(ids(NewObjects(store, [new], [tip]))) == 3
        assert store.reads["commit"] == 2

    def test_nothing_new_reads_nothing(self, store: CountingStore) -> None:
        """A tip that is known is not even looked at from the tip's side."""
        tip = write_commit(store, write_files(store, {b"a": b"1"}))
        assert ids(NewObjects(store, [tip], [tip])) == set()


class TestTags:
    """Refs may name tags, and tags anything."""

    def test_a_tag_brings_itself_and_its_commit(self, store: CountingStore) -> None:
        """A tag of a tag of a commit brings all three and the tree."""
        commit = write_commit(store, write_files(store, {b"a": b"1"}))
        tag = write_tag(store, commit, "commit")
        outer = write_tag(store, tag, "tag", "outer")
        kinds = [each.kind for each in NewObjects(store, [outer])]
        assert kinds == ["tag", "tag", "commit", "tree", "blob"]

    def test_a_known_tag_makes_its_commit_known(self, store: CountingStore) -> None:
        """What a known tag points at is not sent again."""
        commit = write_commit(store, write_files(store, {b"a": b"1"}))
        tag = write_tag(store, commit, "commit")
        assert ids(NewObjects(store, [commit], [tag])) == set()

    def test_a_tag_of_a_known_commit_is_alone(self, store: CountingStore) -> None:
        """Tagging what is there sends the tag."""
        commit = write_commit(store, write_files(store, {b"a": b"1"}))
        tag = write_tag(store, commit, "commit")
        assert ids(NewObjects(store, [tag], [commit])) == {tag}

    def test_tags_of_trees_and_blobs(self, store: CountingStore) -> None:
        """A tag may name a tree or a blob."""
        tree = write_files(store, {b"a/b": b"1"})
        blob = store.write("blob", b"alone")
        tags = [write_tag(store, tree, "tree"), write_tag(store, blob, "blob")]
        kinds = sorted(each.kind for each in NewObjects(store, tags))
        assert kinds == ["blob", "blob", "tag", "tag", "tree", "tree"]


class TestGaps:
    """A gap on the way from a tip is an error with a name; one on the known side is nothing."""

    def test_a_missing_tree_is_named(self, store: CountingStore) -> None:
        """The object that is not there is in the error."""
        tree = write_files(store, {b"a": b"1"})
        commit = write_commit(store, tree)
        Path(store.loose_path(tree)).unlink()
        with pytest.raises(ObjectNotFoundError, match=from_raw(tree)):
            list(NewObjects(store, [commit]))

    def test_a_damaged_commit_is_named(self, store: CountingStore) -> None:
        """So is one that does not hash to its name."""
        commit = write_commit(store, write_files(store, {b"a": b"1"}))
        path = Path(store.loose_path(commit))
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(CorruptObjectError, match=from_raw(commit)):
            list(NewObjects(store, [commit]))

    def test_a_blob_where_a_tree_should_be_is_refused(self, store: CountingStore) -> None:
        """A commit whose tree is a blob names the blob."""
        blob = store.write("blob", b"no tree")
        commit = write_commit(store, blob)
        with pytest.raises(CorruptObjectError, match=from_raw(blob)):
            list(NewObjects(store, [commit]))

    def test_unknown_known_ids_are_ignored(self, store: CountingStore) -> None:
        """The other side may have commits that were never seen here."""
        commit = write_commit(store, write_files(store, {b"a": b"1"}))
        assert len(ids(NewObjects(store, [commit], [RawId(b"\x01" * 32)]))) == 3

    def test_a_known_commit_without_its_trees_still_stops_the_history(
        self, store: CountingStore
    ) -> None:
        """Its trees cannot be compared with, so the new tree is sent whole."""
        old_tree = write_files(store, {b"a": b"1", b"b": b"1"})
        old = write_commit(store, old_tree)
        new = write_commit(store, write_files(store, {b"a": b"2", b"b": b"1"}), old)
        Path(store.loose_path(old_tree)).unlink()
        assert len(ids(NewObjects(store, [new], [old]))) == 4

    def test_depth_is_no_danger(self, store: CountingStore) -> None:
        """A tree 3 000 folders deep is walked."""
        from muse.core.trees import TreeEntry, format_tree
        from muse.core.types import MODE_TREE

        raw = write_files(store, {b"a": b"1"})
        for _ in range(3000):
            raw = store.write("tree", format_tree([TreeEntry(MODE_TREE, b"d", raw)]))
        assert len(ids(NewObjects(store, [write_commit(store, raw)]))) == 3003
