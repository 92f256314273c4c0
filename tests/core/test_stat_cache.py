"""The stat cache: columns that stay true, and a file that may be lost or damaged at any time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.file_content import StatKey
from muse.core.object_store import ObjectStore
from muse.core.paths import cache_dir, stat_cache_path
from muse.core.stat_cache import UNKNOWN, StatCache, diff_trees
from muse.core.stat_cache_file import load_stat_cache, save_stat_cache
from muse.core.stat_columns import FileEntry, StatColumns
from muse.core.trees import EMPTY_TREE, iter_tree, update_tree
from muse.core.types import MODE_EXEC, MODE_FILE, RawId

ID = [RawId(bytes([n]) * 32) for n in range(4)]
FILE, EXEC = 0o100644, 0o100755
paths = st.lists(st.sampled_from([b"a", b"b", b"c", b"a.b", b"\xff"]), min_size=1, max_size=3).map(
    b"/".join
)
trees = st.dictionaries(
    paths, st.tuples(st.sampled_from([MODE_FILE, MODE_EXEC]), st.sampled_from(ID)), max_size=8
)


def key(mode: int = FILE, *, number: int = 1) -> StatKey:
    """Return a stat key that stands for one state of a file."""
    return (mode, 2**63 + number, number, -number, 10**18 + number)


def store_tree(store: ObjectStore, files: dict[bytes, FileEntry]) -> RawId:
    """Store a tree; a file in the place of a folder gives way."""
    flat = {p: e for p, e in files.items() if not any(q.startswith(p + b"/") for q in files)}
    update = update_tree(store, None, flat)
    for _, payload in update.new:
        store.write("tree", payload)
    return update.root


def flatten(store: ObjectStore, tree: RawId) -> dict[bytes, FileEntry]:
    """Return all files of a tree."""
    return {path: (mode, raw) for path, mode, raw in iter_tree(store, tree)}


def bases(columns: StatColumns) -> dict[bytes, FileEntry | None]:
    """Return what the base columns hold."""
    return {p: columns.base(row) for row, p in enumerate(columns.paths) if columns.base(row)}


class TestColumns:
    """Rows that are inserted, found, remembered and forgotten."""

    @settings(deadline=None, max_examples=60)
    @given(batches=st.lists(st.sets(paths, max_size=6), max_size=5))
    def test_inserting_keeps_what_each_row_knows(self, batches: list[set[bytes]]) -> None:
        """However rows come, they are sorted, and each keeps its own values."""
        columns = StatColumns()
        model: dict[bytes, int] = {}
        for number, batch in enumerate(batches, 1):
            new = batch - model.keys()
            for path in list(new)[::2]:
                columns.remember(path, key(number=number), ID[number % 4])
            columns.insert(new)
            model |= {path: number if path in list(new)[::2] else 0 for path in new}
        assert list(columns.paths) == sorted(model)
        for path, number in model.items():
            row = columns.find(path)
            assert columns.paths[row] == path
            if number:
                assert columns.key_at(row) == key(number=number)
                assert columns.content_of(path, key(number=number)) == (MODE_FILE, ID[number % 4])
            else:
                assert columns.content_at(row) is None
        assert columns.find(b"zzz") == columns.find(b"") == -1

    def test_rows_below_a_folder(self) -> None:
        """`below` takes `a/…`, and neither `a`, `a.b` nor `a0`."""
        columns = StatColumns()
        columns.insert([b"a", b"a.b/c", b"a/b", b"a/c/d", b"a0", b"b"])
        assert [columns.paths[row] for row in columns.below(b"a")] == [b"a/b", b"a/c/d"]
        assert len(columns.below(b"")) == 6
        assert not columns.below(b"a/b")

    def test_content_is_known_only_by_the_same_stat_key(self) -> None:
        """Any other key, in any field, means that nothing is known."""
        columns = StatColumns()
        columns.insert([b"a"])
        columns.remember(b"a", key(), ID[1])
        assert columns.content_of(b"a", key()) == (MODE_FILE, ID[1])
        for field in range(5):
            other = tuple(v + (i == field) for i, v in enumerate(key()))
            assert columns.content_of(b"a", other) is None  # type: ignore[arg-type]  # five fields
        columns.forget(b"a")
        assert columns.content_of(b"a", key()) is None

    @settings(deadline=None, max_examples=60)
    @given(steps=st.lists(st.tuples(st.sampled_from("brf"), st.integers(0, 3)), max_size=8))
    def test_base_and_known_content_are_independent(self, steps: list[tuple[str, int]]) -> None:
        """Moving the base never changes what is known of the file, nor the other way round."""
        columns = StatColumns()
        columns.insert([b"a"])
        base: FileEntry | None = None
        known: FileEntry | None = None
        for verb, number in steps:
            if verb == "b":
                base = (MODE_FILE, ID[number]) if number else None
                columns.set_base(0, base)
            elif verb == "r":
                known = (MODE_EXEC if number == 3 else MODE_FILE, ID[number])
                columns.remember(b"a", key(EXEC if number == 3 else FILE), known[1])
            else:
                known = None
                columns.forget(b"a")
            assert columns.base(0) == base
            assert columns.content_at(0) == known
            assert bool(columns.differs) == (known is not None and known != base)


class TestMovingBase:
    """HEAD's tree moves, and the columns follow."""

    @settings(deadline=None, max_examples=60)
    @given(steps=st.lists(trees, max_size=4))
    def test_any_sequence_of_trees(
        self, tmp_path_factory: pytest.TempPathFactory, steps: list[dict[bytes, FileEntry]]
    ) -> None:
        """After each move the base columns are that tree, and the changes say what moved."""
        store = ObjectStore(tmp_path_factory.mktemp("moves"))
        cache = StatCache()
        before: dict[bytes, FileEntry] = {}
        for files in steps:
            tree = store_tree(store, files)
            after = flatten(store, tree)
            changes = {path: (old, new) for path, old, new in cache.iter_move_to(store, tree)}
            assert bases(cache.files) == after
            assert cache.files.base_paths() == set(after)
            assert changes == {
                p: (before.get(p), after.get(p))
                for p in before | after
                if before.get(p) != after.get(p)
            }
            before = after

    def test_a_tree_that_gc_took_is_compared_by_columns(self, tmp_path: Path) -> None:
        """When the old tree cannot be read any more, the move still ends right."""
        store = ObjectStore(tmp_path)
        cache = StatCache()
        old = store_tree(store, {b"a/b": (MODE_FILE, ID[1]), b"c": (MODE_FILE, ID[2])})
        assert list(cache.iter_move_to(store, old))
        os.unlink(store.loose_path(old))
        new = store_tree(store, {b"a/b": (MODE_FILE, ID[1]), b"d": (MODE_FILE, ID[2])})
        changes = list(cache.iter_move_to(store, new))
        assert sorted(path for path, *_ in changes) == [b"c", b"d"]
        assert bases(cache.files) == flatten(store, new)

    @settings(deadline=None, max_examples=40)
    @given(one=trees, two=trees)
    def test_diff_is_what_flat_trees_say(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        one: dict[bytes, FileEntry],
        two: dict[bytes, FileEntry],
    ) -> None:
        """Walking two trees finds what comparing all their files finds."""
        store = ObjectStore(tmp_path_factory.mktemp("diff"))
        old, new = store_tree(store, one), store_tree(store, two)
        flat_old, flat_new = flatten(store, old), flatten(store, new)
        expected = {
            (p, flat_old.get(p), flat_new.get(p))
            for p in flat_old | flat_new
            if flat_old.get(p) != flat_new.get(p)
        }
        assert set(diff_trees(store, old, new)) == expected


def make_cache(store: ObjectStore) -> StatCache:
    """Return a cache with something in every part."""
    cache = StatCache(gitignore=False)
    tree = store_tree(store, {b"a/b": (MODE_FILE, ID[1]), b"\xff\n": (MODE_EXEC, ID[2])})
    assert list(cache.iter_move_to(store, tree))
    cache.files.remember(b"a/b", key(), ID[1])
    cache.files.remember(b"\xff\n", key(number=2), ID[3])
    cache.files.remember(b"new", key(number=3), ID[0])
    cache.folders.update({b"": key(0o40755), b"a": UNKNOWN, b"build": None})
    cache.untracked = {b"a": {b"x", b"\xfe"}, b"sub": {b""}}
    cache.ignore_files = {b".gitignore": (key(number=5), b"digest")}
    return cache


class TestFile:
    """What is written is a hint, whole or ignored."""

    def test_round_trip(self, tmp_path: Path) -> None:
        """Everything that was known is known again."""
        store = ObjectStore(tmp_path)
        cache = make_cache(store)
        assert save_stat_cache(tmp_path, cache)
        loaded = load_stat_cache(tmp_path)
        assert loaded is not None
        assert (loaded.tree, loaded.gitignore) == (cache.tree, False)
        assert loaded.folders == cache.folders
        assert loaded.untracked == cache.untracked
        assert loaded.ignore_files == cache.ignore_files
        assert bases(loaded.files) == bases(cache.files)
        assert loaded.files.content_of(b"a/b", key()) == (MODE_FILE, ID[1])
        assert loaded.files.content_of(b"\xff\n", key(number=2)) == (MODE_FILE, ID[3])
        assert loaded.files.content_of(b"new", key(number=3)) == (MODE_FILE, ID[0])

    def test_empty_round_trip(self, tmp_path: Path) -> None:
        """A cache of an empty tree is one too."""
        assert save_stat_cache(tmp_path, StatCache())
        loaded = load_stat_cache(tmp_path)
        assert loaded is not None
        assert (loaded.tree, list(loaded.files.paths), loaded.folders) == (EMPTY_TREE, [], {})

    def test_rows_that_nobody_needs_are_not_kept(self, tmp_path: Path) -> None:
        """A path that left the tree and has no known file does not stay for ever."""
        cache = make_cache(ObjectStore(tmp_path))
        cache.files.forget(b"new")
        cache.files.insert([b"old"])
        save_stat_cache(tmp_path, cache)
        loaded = load_stat_cache(tmp_path)
        assert loaded is not None
        assert list(loaded.files.paths) == [b"a/b", b"\xff\n"]

    def test_missing(self, tmp_path: Path) -> None:
        """No file, no cache, no error."""
        assert load_stat_cache(tmp_path) is None

    @settings(deadline=None, max_examples=80)
    @given(at=st.integers(0, 100_000), bit=st.integers(0, 7), cut=st.booleans())
    def test_damage_is_ignored(
        self, tmp_path_factory: pytest.TempPathFactory, at: int, bit: int, cut: bool
    ) -> None:
        """Torn or flipped, it is no cache, and no error."""
        root = tmp_path_factory.mktemp("damaged")
        save_stat_cache(root, make_cache(ObjectStore(root)))
        data = bytearray(stat_cache_path(root).read_bytes())
        at %= len(data)
        if cut:
            del data[at:]
        else:
            data[at] ^= 1 << bit
        stat_cache_path(root).write_bytes(data)
        assert load_stat_cache(root) is None

    def test_a_save_that_fails_says_so_quietly(self, tmp_path: Path) -> None:
        """Where nothing can be written the answer is False, and nothing is left behind."""
        (tmp_path / ".muse").write_text("in the way")
        assert not save_stat_cache(tmp_path, StatCache())

    def test_no_temp_is_left(self, tmp_path: Path) -> None:
        """After a save only the cache itself is in its folder."""
        save_stat_cache(tmp_path, StatCache())
        save_stat_cache(tmp_path, StatCache())
        assert os.listdir(cache_dir(tmp_path)) == ["stat_cache.msgpack"]
