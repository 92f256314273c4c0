"""The stage: a delta that is read whole or not at all, and that git's index agrees with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core import codec
from muse.core.codec import CodecError, seal
from muse.core.errors import CorruptFileError
from muse.core.object_store import ObjectStore
from muse.core.paths import stage_path
from muse.core.stage import (
    Stage,
    TreeFiles,
    change_stage,
    decode_stage,
    encode_stage,
    iter_index,
    read_stage,
    stage_tree,
    without_noops,
)
from muse.core.trees import EMPTY_TREE, update_tree
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, RawId
from tests.core.git_mirror import GitMirror

names = st.sampled_from([b"a", b"b", b"\xff\n"])
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
ids = st.binary(min_size=32, max_size=32).map(RawId)
entries = st.none() | st.tuples(st.sampled_from([MODE_FILE, MODE_EXEC, MODE_LINK]), ids)
stages = st.dictionaries(paths, entries, max_size=8).map(Stage)


class TestFile:
    """What stands on disk."""

    @settings(deadline=None, max_examples=60)
    @given(stage=stages)
    def test_round_trip(self, stage: Stage) -> None:
        """Decoding gives back what was encoded, whatever the names."""
        assert decode_stage(encode_stage(stage)) == stage

    def test_missing_file_is_an_empty_stage(self, tmp_path: Path) -> None:
        """A repository without a stage file has nothing staged."""
        assert read_stage(tmp_path) == {}

    @settings(deadline=None, max_examples=60)
    @given(stage=stages, at=st.integers(0, 10_000), bit=st.integers(0, 7))
    def test_a_flipped_bit_is_found(self, stage: Stage, at: int, bit: int) -> None:
        """No single flipped bit is taken for a stage."""
        data = bytearray(encode_stage(stage))
        data[at % len(data)] ^= 1 << bit
        with pytest.raises(CodecError):
            decode_stage(bytes(data))

    @settings(deadline=None, max_examples=60)
    @given(stage=stages, cut=st.integers(0, 10_000))
    def test_a_torn_file_is_found(self, stage: Stage, cut: int) -> None:
        """No beginning of a stage is taken for a stage."""
        data = encode_stage(stage)
        with pytest.raises(CodecError):
            decode_stage(data[: cut % len(data)])

    @pytest.mark.parametrize(
        "value",
        [
            [],
            {"format": 9},
            {"format": 1},
            {"format": 1, "paths": b"a", "modes": b"", "ids": b""},
            {"format": 1, "paths": b"a", "modes": b"\1\0\0\0", "ids": bytes(32)},
            {"format": 1, "paths": b"a\0a", "modes": bytes(8), "ids": bytes(64)},
            {"format": 1, "paths": b"a\0", "modes": bytes(8), "ids": bytes(64)},
            {"format": 1, "paths": b"a", "modes": bytes(3), "ids": bytes(32)},
        ],
    )
    def test_sealed_nonsense_is_refused(self, value: object) -> None:
        """A right checksum over the wrong columns is still no stage."""
        with pytest.raises(CodecError):
            decode_stage(seal(value))

    def test_damage_names_the_file_and_the_way_out(self, tmp_path: Path) -> None:
        """A damaged stage is an error with exit code 3, and is never guessed at."""
        path = stage_path(tmp_path)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"garbage that is long enough to be checked, and then some")
        with pytest.raises(CorruptFileError, match="stage") as caught:
            read_stage(tmp_path)
        assert caught.value.exit_code == 3
        assert "muse code reset" in caught.value.hint


def store_tree(root: Path, files: dict[bytes, tuple[int, RawId]]) -> tuple[ObjectStore, RawId]:
    """Store a tree of files whose blobs are nobody's concern."""
    store = ObjectStore(root)
    update = update_tree(store, None, files)
    for _, payload in update.new:
        store.write("tree", payload)
    return store, update.root


ONE = (MODE_FILE, RawId(b"1" * 32))
TWO = (MODE_FILE, RawId(b"2" * 32))


class TestAgainstHead:
    """The stage means something only together with HEAD's tree."""

    def test_an_entry_like_heads_is_no_entry(self, tmp_path: Path) -> None:
        """A stage that survived the commit that took it is seen as empty."""
        store, tree = store_tree(tmp_path, {b"a/b": ONE})
        stage = Stage({b"a/b": ONE, b"gone": None, b"new": TWO})
        assert without_noops(stage, TreeFiles(store, tree)) == {b"new": TWO}

    def test_a_file_over_a_folder_removes_what_was_below(self, tmp_path: Path) -> None:
        """Staging `a` where HEAD and the stage have `a/…` removes those."""
        store, tree = store_tree(tmp_path, {b"a/b": ONE, b"a/c/d": ONE, b"ab": ONE})
        head = TreeFiles(store, tree)
        stage = change_stage(Stage({b"a/new": TWO}), {b"a": TWO}, head=head)
        assert stage == {b"a": TWO, b"a/b": None, b"a/c/d": None}

    def test_a_file_below_a_file_removes_that(self, tmp_path: Path) -> None:
        """Staging `a/b/c` where HEAD has a file `a` removes it."""
        store, tree = store_tree(tmp_path, {b"a": ONE})
        stage = change_stage(Stage(), {b"a/b/c": TWO}, head=TreeFiles(store, tree))
        assert stage == {b"a": None, b"a/b/c": TWO}

    def test_index_below_a_folder(self, tmp_path: Path) -> None:
        """`iter_index` gives HEAD's files, with what is staged over, beside and away."""
        store, tree = store_tree(tmp_path, {b"a/b": ONE, b"a/c": ONE, b"a/d": ONE, b"e": ONE})
        head = TreeFiles(store, tree)
        stage = Stage({b"a/b": TWO, b"a/c": None, b"a/x": TWO, b"y": TWO})
        assert dict(iter_index(stage, head, b"a")) == {b"a/b": TWO, b"a/d": ONE, b"a/x": TWO}
        assert dict(iter_index(stage, head, b"a/b")) == {b"a/b": TWO}
        assert dict(iter_index(stage, head, b"nope")) == {}

    def test_empty_stage_is_heads_tree(self, tmp_path: Path) -> None:
        """Nothing staged gives the very tree that HEAD has, and nothing to store."""
        store, tree = store_tree(tmp_path, {b"a": ONE})
        assert stage_tree(store, tree, Stage()).root == tree
        assert stage_tree(store, EMPTY_TREE, Stage()).root == EMPTY_TREE


class TestSameAsGit:
    """git's index, given the same entries, writes the same tree."""

    @settings(deadline=None, max_examples=12)
    @given(
        head=st.dictionaries(paths, st.sampled_from([b"1", b"2"]), max_size=6),
        steps=st.lists(st.tuples(paths, st.sampled_from([b"1", b"2", None])), max_size=8),
    )
    def test_random_changes(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        head: dict[bytes, bytes],
        steps: list[tuple[bytes, bytes | None]],
    ) -> None:
        """Adding and removing paths, folders in the way or not, ends in git's tree."""
        mirror = GitMirror(tmp_path_factory.mktemp("stage"))
        flat = {p: c for p, c in head.items() if not any(q.startswith(p + b"/") for q in head)}
        tree = mirror.write_tree({p: (MODE_FILE, c) for p, c in flat.items()})
        mirror.git("read-tree", tree.hex())
        files, stage = TreeFiles(mirror.store, tree), Stage()
        for path, content in steps:
            entry = None if content is None else (MODE_FILE, mirror.write("blob", content))
            line = b"%o %s\t%s\0" % (
                entry[0] if entry else 0,
                (entry[1] if entry else bytes(32)).hex().encode(),
                path,
            )
            subprocess.run(
                ["git", "update-index", "-z", "--index-info"],
                input=line,
                cwd=mirror.root,
                check=True,
            )
            stage = change_stage(stage, {path: entry}, head=files)
        ours = stage_tree(mirror.store, tree, stage).root
        assert ours.hex().encode() == mirror.git("write-tree").strip()


class TestLargeStage:
    """A stage of many files is written as a small one is, with less memory."""

    @pytest.mark.parametrize("size", [0xFF, 0xFFFF, 0x10000, 0x20001])
    def test_large_bytes_are_what_msgpack_writes(self, size: int) -> None:
        """On either side of each length's limit the bytes are those of msgpack itself."""
        value = {"format": 1, "paths": bytes(size), "more": [b"x" * size, None], "name": "ü"}
        assert codec.seal(value)[: -codec.SEAL_SIZE] == codec.pack(value)
        assert codec.unseal(codec.seal(value)) == value
