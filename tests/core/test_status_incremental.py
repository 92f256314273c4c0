"""Keeping a status up to date ends where looking at everything ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings

from muse.core import file_content
from muse.core.paths import stat_cache_path
from muse.core.repo import Repository
from muse.core.scan import iter_parents
from muse.core.status import StatusEngine
from muse.ops.status import open_engine
from tests.core.edits import Edit, edit_files, edit_stage, fresh_status, histories, make_repo

STAGE_VERBS = {"add", "update", "reset", "commit"}
OWN = {b".muse/HEAD", b".muse/code/stage.msgpack", b".muse/refs/heads/main", b".muse/objects/x"}


def apply(repo: Repository, root: Path, edit: Edit) -> set[bytes]:
    """Do what an edit says; return the paths that a watcher would name."""
    if edit.verb in STAGE_VERBS:
        edit_stage(repo, edit)
        return OWN
    return edit_files(root, edit)


@contextlib.contextmanager
def settling() -> Iterator[None]:
    """Have every file remembered at once, as those are that are older than a clock tick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_content, "_TICK_NS", 0)
        yield


def wait_for_tick(root: Path) -> None:
    """Wait until the file system's clock has moved on, so that no two edits share a time."""
    probe = root / ".muse" / "probe"
    probe.write_bytes(b"")
    before = probe.stat().st_ctime_ns
    deadline = time.monotonic() + 10
    while probe.stat().st_ctime_ns == before:
        probe.write_bytes(b"x")
        assert time.monotonic() < deadline


def check_table(engine: StatusEngine) -> None:
    """Check the invariant of `muse.core.folders`: known files have all their folders in it."""
    cache = engine.worktree.cache
    for row, path in enumerate(cache.files.paths):
        if cache.files.modes[row]:
            assert set(iter_parents(path)) <= cache.folders.keys(), path


class TestIncremental:
    """An engine that is told of changes, against a new one that looks at everything."""

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=histories)
    @example(history=[Edit("write", b"a", b"one\n"), Edit("add", b""), Edit("commit", b"")])
    @example(
        history=[
            Edit("write", b"a/b/b", b"one\n"),
            Edit("commit", b""),
            Edit("rename", b"a/b", b"b"),
            Edit("link", b"a/b", b"b"),
            Edit("gitignore", b"", b"*\n!b\n"),
        ]
    )
    def test_each_step_equals_a_full_look(self, history: list[Edit]) -> None:
        """After every edit, told of it, the engine says what a new engine says."""
        with TemporaryDirectory() as name:
            root = Path(name)
            repo = make_repo(root)
            engine = open_engine(repo)
            engine.refresh_all()
            for edit in history:
                version = engine.version
                before = {e.path: e for e in engine.status().entries}
                named = engine.refresh_paths(apply(repo, root, edit))
                after = {e.path: e for e in engine.status().entries}
                assert engine.status() == fresh_status(repo), edit
                assert named == {p for p in before | after if before.get(p) != after.get(p)}
                assert engine.changes_since(version) == named

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=histories)
    @example(
        history=[
            Edit("write", b"a/b", b"one\n"),
            Edit("commit", b""),
            Edit("rename", b"a", b"b"),
            Edit("link", b"a", b"b"),
        ]
    )
    def test_with_files_that_are_remembered(self, history: list[Edit]) -> None:
        """Old files, which are not read again, are told apart as well as new ones."""
        with TemporaryDirectory() as name, settling():
            root = Path(name)
            repo = make_repo(root)
            told, looking = open_engine(repo), open_engine(repo)
            told.refresh_all()
            for edit in history:
                told.refresh_paths(apply(repo, root, edit))
                wait_for_tick(root)
                stat_cache_path(root).unlink(missing_ok=True)
                expected = fresh_status(repo)
                assert told.status() == looking.refresh_all() == expected, edit
                looking.save(only_if_useful=False)
                assert fresh_status(repo) == expected
                check_table(told)
                check_table(looking)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=histories)
    def test_many_changes_at_once(self, history: list[Edit]) -> None:
        """Told of everything in one go, in no order, the engine ends in the same state."""
        with TemporaryDirectory() as name:
            root = Path(name)
            repo = make_repo(root)
            engine = open_engine(repo)
            engine.refresh_all()
            touched: set[bytes] = set()
            for edit in history:
                touched |= apply(repo, root, edit)
            engine.refresh_paths(touched)
            assert engine.status() == fresh_status(repo)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=histories)
    def test_with_a_cache_from_any_moment(self, history: list[Edit]) -> None:
        """A cache that was saved after any edit makes no later answer differ."""
        with TemporaryDirectory() as name:
            root = Path(name)
            repo = make_repo(root)
            cache = root / ".muse" / "cache" / "stat_cache.msgpack"
            kept = open_engine(repo)
            for edit in history:
                apply(repo, root, edit)
                engine = open_engine(repo)
                status = engine.refresh_all()
                assert kept.refresh_all() == status
                data = cache.read_bytes() if cache.exists() else None
                if data is not None:
                    cache.unlink()
                assert fresh_status(repo) == status
                if data is not None:
                    cache.write_bytes(data)
                if len(edit.path) % 2:
                    assert engine.save(only_if_useful=False)


class TestWatcherPaths:
    """What a watcher may name besides files of the tree."""

    def test_own_git_folder_is_of_no_concern(self, tmp_path: Path) -> None:
        """Paths in `.git/` beside `.muse/`, and objects, cost nothing and change nothing."""
        repo = make_repo(tmp_path)
        (tmp_path / ".git").mkdir()
        (tmp_path / "a").write_text("a")
        engine = open_engine(repo)
        engine.refresh_all()
        assert engine.refresh_paths([b".git/index", b".muse/objects/sha256/ab/cd"]) == frozenset()

    def test_a_nested_repository_that_comes_and_goes(self, tmp_path: Path) -> None:
        """A folder that becomes a repository turns into one entry, and back into its files."""
        repo = make_repo(tmp_path)
        sub = tmp_path / "sub"
        sub.mkdir()
        (sub / "file").write_text("x")
        engine = open_engine(repo)
        assert engine.refresh_all().untracked == (b"sub/file",)
        (sub / ".git").write_text("gitdir: elsewhere")
        engine.refresh_paths([b"sub/.git"])
        assert engine.status().untracked == (b"sub/",)
        (sub / "new").write_text("x")
        engine.refresh_paths([b"sub/new"])
        assert engine.status() == fresh_status(repo)
        (sub / ".git").unlink()
        engine.refresh_paths([b"sub/.git"])
        assert engine.status().untracked == (b"sub/file", b"sub/new")

    def test_only_the_file_is_named_in_a_new_folder(self, tmp_path: Path) -> None:
        """A file in folders that nobody told of is found, with its neighbours."""
        repo = make_repo(tmp_path)
        engine = open_engine(repo)
        engine.refresh_all()
        os.makedirs(tmp_path / "x" / "y")
        (tmp_path / "x" / "y" / "z").write_text("z")
        (tmp_path / "x" / "w").write_text("w")
        engine.refresh_paths([b"x/y/z"])
        assert engine.status().untracked == (b"x/w", b"x/y/z")

    def test_gitignore_switched_off_in_the_settings(self, tmp_path: Path) -> None:
        """`core.gitignore = false` shows at once what `.gitignore` kept out."""
        repo = make_repo(tmp_path)
        (tmp_path / ".gitignore").write_text("a\n")
        (tmp_path / "a").write_text("a")
        engine = open_engine(repo)
        engine.refresh_all()
        assert engine.save(only_if_useful=False)
        (tmp_path / ".muse" / "config.toml").write_text("[core]\ngitignore = false\n")
        engine.refresh_paths([b".muse/config.toml"])
        assert engine.status().untracked == (b".gitignore", b"a")
        assert fresh_status(repo) == engine.status()

    def test_exclude_file(self, tmp_path: Path) -> None:
        """`.muse/info/exclude` counts as soon as it is there."""
        repo = make_repo(tmp_path)
        (tmp_path / "a").write_text("a")
        engine = open_engine(repo)
        engine.refresh_all()
        (tmp_path / ".muse" / "info").mkdir()
        (tmp_path / ".muse" / "info" / "exclude").write_text("a\n")
        engine.refresh_paths([b".muse/info/exclude"])
        assert engine.status().untracked == ()
        assert fresh_status(repo) == engine.status()


def test_versions_grow_and_are_forgotten_in_the_end(tmp_path: Path) -> None:
    """`changes_since` tells of recent versions and says None of those it has forgotten."""
    repo = make_repo(tmp_path)
    engine: StatusEngine = open_engine(repo)
    engine.refresh_all()
    first = engine.version
    for number in range(300):
        (tmp_path / f"f{number}").write_text("x")
        engine.refresh_paths([b"f%d" % number])
    assert engine.version == first + 300
    assert engine.changes_since(engine.version - 2) == frozenset({b"f298", b"f299"})
    assert engine.changes_since(first) is None
    assert engine.changes_since(engine.version) == frozenset()
