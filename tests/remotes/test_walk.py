"""The walk that finds what one side lacks, against `git rev-list --objects` and by counts."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.commits import parse_commit
from muse.core.errors import CorruptObjectError, ObjectNotFoundError
from muse.core.object_store import ObjectStore
from muse.core.reach import Reach
from muse.core.trees import EMPTY_TREE
from muse.core.types import RawId, from_raw
from muse.remotes.protocol import UNLIMITED
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


class _Client:
    """What a client would hold after some fetches, by the plainest of rules."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.ids: set[RawId] = set()
        self.tips: set[RawId] = set()
        self.shallow: set[RawId] = set()

    def fetch(self, tip: RawId, depth: int | None) -> set[RawId]:
        """Take what the walk offers; return it."""
        walk = NewObjects(
            self.store, [tip], sorted(self.tips), known_ends=self.shallow, depth=depth
        )
        offered = ids(walk)
        self.ids |= offered
        self.tips.add(tip)
        self.shallow |= set(walk.shallow)
        if depth is not None:
            # What has its parents now ends nothing any more.
            for raw in self.shallow - set(walk.shallow):
                if all(parent in self.ids for parent in self.parents(raw)):
                    self.shallow.discard(raw)
        return offered

    def parents(self, raw: RawId) -> tuple[RawId, ...]:
        """Return a commit's parents as stored."""
        return parse_commit(self.store.read(raw)[1]).parents

    def commits(self) -> set[RawId]:
        """Return the commits that its history consists of, each with its trees (asserted)."""
        found: set[RawId] = set()
        todo = sorted(self.tips)
        while todo:
            raw = todo.pop()
            if raw in found:
                continue
            found.add(raw)
            reach = Reach(self.store)
            reach.walk([(parse_commit(self.store.read(raw)[1]).tree, "tree")])
            assert {raw, *reach.trees, *reach.blobs} <= self.ids | {EMPTY_TREE}
            todo += () if raw in self.shallow else self.parents(raw)
        return found


class TestDepth:
    """History that is cut off, at either side."""

    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(seed=st.integers(0, 2**32), commits=st.integers(2, 25), depth=st.integers(1, 6))
    def test_cuts_where_git_cuts(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        git: Run,
        *,
        seed: int,
        commits: int,
        depth: int,
    ) -> None:
        """A clone by git of the same depth has the same commits, trees and blobs."""
        root = tmp_path_factory.mktemp("walk")
        store = ObjectStore(root)
        (root / ".muse/objects/pack").mkdir(parents=True)
        made = random_history(store, seed, commits=commits)
        git("init", "-q", "--bare", "--object-format=sha256", "g", cwd=root)
        give_to_git(store, root / "g")
        tips = random.Random(seed).sample(made, k=min(len(made), 2))
        for number, raw in enumerate(tips):
            git("update-ref", f"refs/heads/b{number}", raw.hex(), cwd=root / "g")
        url = (root / "g").as_uri()
        git("clone", "-q", "--bare", "--no-single-branch", f"--depth={depth}", url, "c", cwd=root)
        theirs = git_ids(root / "c", tips, [])
        assert ids(NewObjects(store, tips, depth=depth)) == theirs

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        seed=st.integers(0, 2**32),
        commits=st.integers(2, 25),
        depths=st.lists(st.none() | st.integers(1, 6), min_size=1, max_size=5),
    )
    def test_any_run_of_fetches_leaves_a_whole_history(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        *,
        seed: int,
        commits: int,
        depths: list[int | None],
    ) -> None:
        """Whatever was asked in turn, every commit down to a cut is whole, and at last all is."""
        root = tmp_path_factory.mktemp("walk")
        store = ObjectStore(root)
        (root / ".muse/objects/pack").mkdir(parents=True)
        made = random_history(store, seed, commits=commits)
        client, rng = _Client(store), random.Random(seed)
        for depth in depths:
            client.fetch(rng.choice(made), depth)
            client.commits()
        for tip in sorted(client.tips):
            client.fetch(tip, UNLIMITED)
        assert not client.shallow
        whole = Reach(store)
        whole.walk((tip, "commit") for tip in client.tips)
        assert client.commits() == set(whole.commits)
        assert client.ids == {*whole.commits, *whole.trees, *whole.blobs} | (
            client.ids & {EMPTY_TREE}
        )

    def test_a_cut_on_our_side_is_no_gap(self, store: CountingStore) -> None:
        """Below a commit that is said to end history nothing is looked for; it is told of."""
        gone = RawId(b"\x05" * 32)
        end = write_commit(store, write_files(store, {b"a": b"1"}), gone)
        tip = write_commit(store, write_files(store, {b"a": b"2"}), end, time_s=START_S + 1)
        walk = NewObjects(store, [tip], ends={end})
        assert len(ids(walk)) == 6
        assert walk.shallow == (end,)
        walk = NewObjects(store, [tip], [end], ends={end})
        assert len(ids(walk)) == 3
        assert walk.shallow == ()

    def test_a_known_cut_is_passed_by_another_way(self, store: CountingStore) -> None:
        """A merged branch that left below the cut brings what it stands on, as in git."""
        tree = write_files(store, {b"a": b"1"})
        root = write_commit(store, tree)
        end = write_commit(store, tree, root, time_s=START_S + 1)
        side = write_commit(store, tree, root, time_s=START_S + 2)
        merge = write_commit(store, tree, end, side, time_s=START_S + 3)
        assert ids(NewObjects(store, [merge], [end], known_ends={end})) == {merge, side, root}


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
