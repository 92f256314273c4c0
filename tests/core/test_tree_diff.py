"""Trees compared: the changes and renames that git finds, at the cost of what changed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.object_store import ObjectStore
from muse.core.tree_diff import (
    Change,
    PathLimit,
    RenameOptions,
    StoreContents,
    detect_renames,
    diff_maps,
    diff_trees,
)
from muse.core.trees import iter_tree
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, ObjectType, RawId
from tests.core.file_sets import Files, file_sets
from tests.core.git_mirror import GitMirror

# Derandomized: where git's 17-bit hashes of chunks collide, its scores are off by a little.
AGAINST_GIT = settings(max_examples=120, deadline=None, derandomize=True)
# Whole lines: git before 2.44 left a last line without newline out of its scores.
WHOLE = file_sets(whole_lines=True)
Pair = tuple[Files, Files]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> GitMirror:
    """Return one store that all examples of a property share."""
    return GitMirror(tmp_path_factory.mktemp("trees"))


def from_git(output: bytes) -> list[Change]:
    """Parse what ``git diff-tree --raw -z`` prints."""
    changes = []
    fields = iter(output.split(b"\0")[:-1])
    for head in fields:
        old_mode, new_mode, old, new, status = head[1:].split(b" ")
        path = next(fields)
        target = next(fields) if status[:1] == b"R" else path
        changes.append(
            Change(
                status[:1].decode(),  # type: ignore[arg-type]  # git prints no other letters here
                target,
                path,
                int(old_mode, 8),
                int(new_mode, 8),
                raw_or_none(old),
                raw_or_none(new),
                int(status[1:] or b"100"),
            )
        )
    return changes


def raw_or_none(digits: bytes) -> RawId | None:
    """Parse an id; zeros are none."""
    raw = bytes.fromhex(digits.decode())
    return RawId(raw) if any(raw) else None


def same(mine: list[Change], gits: list[Change]) -> bool:
    """Compare everything but allow a similarity to differ by two percent."""
    plain = [c._replace(similarity=0) for c in mine] == [c._replace(similarity=0) for c in gits]
    return plain and all(
        abs(a.similarity - b.similarity) <= 2 for a, b in zip(mine, gits, strict=True)
    )


class TestGitFindsTheSame:
    @AGAINST_GIT
    @given(pair=file_sets())
    def test_changes_without_renames(self, mirror: GitMirror, pair: Pair) -> None:
        """Any edit of any tree gives the changes that git lists, in its order."""
        old, new = (mirror.write_tree(files) for files in pair)
        mine = diff_trees(mirror.store, old, new, renames=None)
        gits = mirror.git("diff-tree", "-r", "-z", "--no-renames", old.hex(), new.hex())
        assert mine == from_git(gits)

    @AGAINST_GIT
    @given(pair=WHOLE)
    def test_renames(self, mirror: GitMirror, pair: Pair) -> None:
        """The renames are those of git, and similar by the same share."""
        old, new = (mirror.write_tree(files) for files in pair)
        mine = diff_trees(mirror.store, old, new)
        gits = from_git(mirror.git("diff-tree", "-r", "-z", "-M", old.hex(), new.hex()))
        assert same(mine, gits)

    @settings(AGAINST_GIT, max_examples=40)
    @given(pair=WHOLE, percent=st.integers(1, 100))
    def test_any_threshold(self, mirror: GitMirror, pair: Pair, percent: int) -> None:
        """At any threshold the renames are those of git."""
        old, new = (mirror.write_tree(files) for files in pair)
        mine = diff_trees(mirror.store, old, new, renames=RenameOptions(percent=percent))
        option = f"-M{percent}%"
        gits = from_git(mirror.git("diff-tree", "-r", "-z", option, old.hex(), new.hex()))
        assert same(mine, gits)

    @settings(AGAINST_GIT, max_examples=40)
    @given(pair=WHOLE, data=st.data())
    def test_limited_to_paths(self, mirror: GitMirror, pair: Pair, data: st.DataObject) -> None:
        """Paths, folders and patterns limit the changes, and the renames, as in git."""
        old, new = (mirror.write_tree(files) for files in pair)
        choices = [b"src", b"src/core", b"*.py", b"docs/README", b"a", b"s*", b"a/b/c/b.txt"]
        paths = data.draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3))
        mine = diff_trees(mirror.store, old, new, paths=paths)
        # `git diff` and not `diff-tree`, which knows no patterns.
        names = [path.decode() for path in paths]
        gits = mirror.git(
            "diff", "--raw", "-z", "--no-abbrev", "-M", old.hex(), new.hex(), "--", *names
        )
        assert same(mine, from_git(gits))

    @pytest.mark.parametrize("seed", range(6))
    def test_a_reorganised_project(self, mirror: GitMirror, seed: int) -> None:
        """A move of many edited files, with shared boilerplate, is found as git finds it."""
        rng = random.Random(seed)
        licence = b"".join(b"# licence line %d\n" % i for i in range(8))
        old: Files = {}
        new: Files = {}
        for number in range(60):
            lines = [b"body %d\n" % rng.randrange(500) for _ in range(rng.randrange(5, 60))]
            name = b"module%d.py" % number if rng.random() < 0.5 else b"__init__.py"
            old[b"lib/p%d/%s" % (number, name)] = (MODE_FILE, licence + b"".join(lines))
            for _ in range(rng.randrange(12)):
                lines[rng.randrange(len(lines))] = b"edited %d\n" % rng.randrange(10**6)
            if rng.random() < 0.9:
                name = name if rng.random() < 0.6 else b"other%d.py" % number
                new[b"src/q%d/%s" % (number, name)] = (MODE_FILE, licence + b"".join(lines))
        one, two = mirror.write_tree(old), mirror.write_tree(new)
        gits = from_git(mirror.git("diff-tree", "-r", "-z", "-M", one.hex(), two.hex()))
        assert same(diff_trees(mirror.store, one, two), gits)
        assert sum(c.kind == "R" for c in gits) > 30


class CountingStore(ObjectStore):
    """A store that counts what is read from it."""

    reads = 0

    def read(self, raw: RawId, *, expected: ObjectType | None = None) -> tuple[ObjectType, bytes]:
        """Count, and read."""
        self.reads += 1
        return super().read(raw, expected=expected)


class TestCost:
    def test_equal_folders_are_not_entered(self, mirror: GitMirror) -> None:
        """One change among a thousand files reads the trees on its way, and nothing else."""
        files = {b"d%d/e%d/f%d" % (i % 10, i % 100, i): (MODE_FILE, b"%d" % i) for i in range(1000)}
        old = mirror.write_tree(files)
        new = mirror.write_tree({**files, b"d3/e13/f13": (MODE_FILE, b"changed")})
        store = CountingStore(mirror.root)
        changes = diff_trees(store, old, new)
        assert [c.path for c in changes] == [b"d3/e13/f13"]
        assert store.reads == 6

    def test_a_path_limit_enters_only_its_folders(self, mirror: GitMirror) -> None:
        """Limited to one folder, the others are not read though they differ."""
        new = mirror.write_tree({b"d%d/f" % i: (MODE_FILE, b"%d" % i) for i in range(50)})
        store = CountingStore(mirror.root)
        changes = diff_trees(store, None, new, paths=[b"d7"])
        assert [c.path for c in changes] == [b"d7/f"]
        assert store.reads == 2

    def test_ids_alone_need_no_content(self, mirror: GitMirror) -> None:
        """With a threshold of 100 % moved files are found without reading any."""
        old = mirror.write_tree({b"a": (MODE_FILE, b"x\n" * 50), b"b": (MODE_FILE, b"y\n" * 50)})
        new = mirror.write_tree({b"c": (MODE_FILE, b"x\n" * 50), b"d": (MODE_FILE, b"y\n" * 49)})
        store = CountingStore(mirror.root)
        changes = diff_trees(store, old, new, renames=RenameOptions(percent=100))
        assert [(c.kind, c.path) for c in changes] == [("D", b"b"), ("R", b"c"), ("A", b"d")]
        assert store.reads == 2

    def test_too_many_pairs_are_not_compared(self, mirror: GitMirror) -> None:
        """Beyond the limit only ids and unique names are matched, as in git."""
        bodies = [b"".join(b"line %d of %d\n" % (i, n) for i in range(20)) for n in range(6)]
        old = {b"old/%d" % n: (MODE_FILE, body) for n, body in enumerate(bodies)}
        new = {b"new/x%d" % n: (MODE_FILE, body + b"more\n") for n, body in enumerate(bodies)}
        trees = mirror.write_tree(old), mirror.write_tree(new)
        few = diff_trees(mirror.store, *trees, renames=RenameOptions(limit=5))
        all_of_them = diff_trees(mirror.store, *trees, renames=RenameOptions(limit=6))
        assert {c.kind for c in few} == {"A", "D"}
        assert {c.kind for c in all_of_them} == {"R"}


class TestFlatSides:
    @settings(max_examples=60, deadline=None)
    @given(pair=file_sets())
    def test_equal_the_trees(self, mirror: GitMirror, pair: Pair) -> None:
        """Flat maps of two trees give the same changes and renames as the trees."""
        trees = [mirror.write_tree(files) for files in pair]
        flat = [
            {path: (mode, raw) for path, mode, raw in iter_tree(mirror.store, tree)}
            for tree in trees
        ]
        contents = StoreContents(mirror.store)
        mine = detect_renames(diff_maps(flat[0], flat[1]), old=contents, new=contents)
        assert mine == diff_trees(mirror.store, trees[0], trees[1])

    def test_none_is_a_removed_path(self) -> None:
        """A path that is None on the new side was removed."""
        raw = RawId(b"\1" * 32)
        assert diff_maps({b"a": (MODE_FILE, raw)}, {b"a": None, b"b": None}) == [
            Change("D", b"a", b"a", MODE_FILE, 0, raw, None)
        ]


class TestWhatCannotBeRead:
    def test_a_damaged_file_is_like_no_other(self, tmp_path: Path) -> None:
        """A damaged blob costs its rename, and not the whole comparison."""
        mirror = GitMirror(tmp_path)
        body = b"".join(b"line %d\n" % i for i in range(30))
        old = mirror.write_tree({b"a": (MODE_FILE, body), b"b": (MODE_FILE, body[9:])})
        new = mirror.write_tree({b"c": (MODE_FILE, body + b"x\n")})
        assert [c.kind for c in diff_trees(mirror.store, old, new)] == ["D", "R"]
        for content in (body, body[9:]):
            path = Path(mirror.store.loose_path(mirror.write("blob", content)))
            path.chmod(0o644)
            path.write_bytes(b"damaged")
        assert [c.kind for c in diff_trees(mirror.store, old, new)] == ["D", "D", "A"]

    def test_symlinks_are_renamed_by_id_only(self, mirror: GitMirror) -> None:
        """A symlink is never similar to a file or to another symlink, only equal."""
        old = mirror.write_tree({b"a": (MODE_LINK, b"to/x"), b"b": (MODE_FILE, b"same\n")})
        new = mirror.write_tree({b"c": (MODE_LINK, b"to/x"), b"d": (MODE_LINK, b"same\n")})
        kinds = [(c.kind, c.path) for c in diff_trees(mirror.store, old, new)]
        assert kinds == [("D", b"b"), ("R", b"c"), ("A", b"d")]

    def test_modes_and_types(self, mirror: GitMirror) -> None:
        """An executable bit is a modification, a symlink in a file's place a change of type."""
        old = mirror.write_tree({b"a": (MODE_FILE, b"x"), b"b": (MODE_FILE, b"x")})
        new = mirror.write_tree({b"a": (MODE_EXEC, b"x"), b"b": (MODE_LINK, b"x")})
        kinds = [(c.kind, c.path) for c in diff_trees(mirror.store, old, new)]
        assert kinds == [("M", b"a"), ("T", b"b")]


class TestPathLimit:
    def test_everything(self) -> None:
        """No paths, or the root, are everything."""
        for paths in (None, [], [b""], [b"x", b""]):
            limit = PathLimit(paths)
            assert limit.has(b"any/file")
            assert limit.enters(b"any")

    def test_a_name_is_not_a_prefix(self) -> None:
        """A folder's name does not stand for a longer name."""
        limit = PathLimit([b"src"])
        assert limit.has(b"src/a")
        assert not limit.has(b"src.old/a")
        assert not limit.enters(b"src.old")
