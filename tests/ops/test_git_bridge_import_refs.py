"""Importing from git again and again: which refs move, and what stops an import."""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import pytest

from muse.core.commits import format_commit
from muse.core.errors import MuseError, RemoteError
from muse.core.repo import Repository, open_repo
from muse.core.types import from_raw, to_raw
from muse.ops.git_bridge.import_ import GitImportResult, git_import
from muse.ops.git_bridge.report import RefState
from muse.ops.git_bridge.sink import Sink
from tests.ops.git_bridge_fixtures import (
    FORMATS,
    clean_env,
    git_refs,
    git_text,
    load,
    long_history,
    make_git,
    make_muse,
    muse_ids,
    muse_refs,
    run_git,
    sound,
    write_object,
)


def bring(
    repo: Repository, path: Path, *, force: bool = False, shallow: bool = False
) -> GitImportResult:
    """Import with the test's environment."""
    return git_import(repo, path, env=clean_env(), force=force, allow_shallow=shallow)


def states(result: GitImportResult) -> dict[str, str]:
    """Return what became of each ref."""
    return {ref.name: ref.state.value for ref in result.refs}


class TestRefs:
    def test_branches_that_grew_move_and_others_are_told_apart(self, tmp_path: Path) -> None:
        """Forward, ahead, diverged, new: each branch is what it is."""
        source = load(make_git(tmp_path / "g"), long_history(6))
        for name in ("grows", "ours", "splits"):
            run_git("branch", name, "main~3", cwd=source)
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        main = repo.refs.read("refs/heads/main")
        old = repo.refs.read("refs/heads/ours")
        with repo.transaction("test") as tx:
            tx.set_ref("refs/heads/ours", main, old=old, log="test")
            tx.set_ref("refs/heads/splits", main, old=old, log="test")
        run_git("branch", "-f", "grows", "main", cwd=source)
        tree = git_text("rev-parse", "main^{tree}", cwd=source)
        other = git_text("commit-tree", "-p", "main~3", "-m", "other", tree, cwd=source)
        run_git("update-ref", "refs/heads/splits", other, cwd=source)
        run_git("branch", "new", other, cwd=source)
        result = bring(repo, source)
        assert states(result) == {
            "refs/heads/grows": "moved",
            "refs/heads/main": "unchanged",
            "refs/heads/new": "created",
            "refs/heads/ours": "ahead",
            "refs/heads/splits": "diverged",
        }
        assert not result.ok
        assert repo.refs.read("refs/heads/splits") == main
        forced = bring(repo, source, force=True)
        assert states(forced)["refs/heads/splits"] == "forced"
        assert repo.refs.read("refs/heads/splits") == repo.refs.read("refs/heads/new")

    def test_commits_made_here_are_not_walked_in_git(self, tmp_path: Path) -> None:
        """With our own work on top, the next run still finds where both sides meet."""
        source = load(make_git(tmp_path / "g"), long_history(6))
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        head = repo.head()
        commit = repo.head_commit()
        assert head.commit is not None
        assert commit is not None
        with repo.transaction("test") as tx:
            ours = commit._replace(parents=(to_raw(head.commit),), message=b"ours\n")
            raw = tx.write_object("commit", format_commit(ours))
            tx.set_ref("refs/heads/main", from_raw(raw), old=head.commit, log="test")
        run_git("branch", "more", "main", cwd=source)
        result = bring(repo, source)
        assert states(result) == {"refs/heads/main": "ahead", "refs/heads/more": "created"}
        assert not any(result.objects.values())

    def test_an_empty_repository_brings_nothing(self, tmp_path: Path) -> None:
        """No error, no ref, no object."""
        repo = make_muse(tmp_path / "m")
        result = bring(repo, make_git(tmp_path / "g"))
        assert result.ok
        assert (result.refs, result.branch, muse_ids(repo)) == ((), None, set())

    def test_head_is_what_git_has_checked_out(self, tmp_path: Path) -> None:
        """A branch of another name, or a commit that no branch names."""
        source = load(make_git(tmp_path / "g"), long_history(4))
        run_git("branch", "-m", "main", "trunk", cwd=source)
        run_git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=source)
        repo = make_muse(tmp_path / "m")
        assert bring(repo, source).branch == "trunk"
        assert repo.head().branch == "trunk"
        run_git("update-ref", "--no-deref", "HEAD", "trunk~1", cwd=source)
        other = make_muse(tmp_path / "m2")
        bring(other, source)
        assert other.head().detached
        tip = repo.head_commit()
        assert tip is not None
        assert other.head().commit == from_raw(tip.parents[0])

    def test_a_lost_map_is_made_again(self, tmp_path: Path) -> None:
        """Without the map, or with a part of it damaged, the same ids come out."""
        source = load(make_git(tmp_path / "g"), long_history(30))
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        before = muse_ids(repo)
        folder = repo.muse / "bridge"
        for file in folder.iterdir():
            file.chmod(0o644)
            file.write_bytes(file.read_bytes()[:-1])
        load(source, long_history(5, first=30))
        assert bring(open_repo(repo.root), source).ok
        shutil.rmtree(folder)
        load(source, long_history(5, first=35))
        result = bring(open_repo(repo.root), source)
        assert states(result)["refs/heads/main"] == "moved"
        oracle = make_git(tmp_path / "n", object_format="sha256")
        for first, count in ((0, 30), (30, 5), (35, 5)):
            load(oracle, long_history(count, first=first))
        assert muse_refs(repo)["refs/heads/main"] == git_refs(oracle)["refs/heads/main"]
        assert muse_ids(repo) >= before
        # Half of the map gone, while refs still say where both sides meet.
        for file in folder.glob("sha1-to-muse*"):
            file.unlink()
        load(source, long_history(2, first=40))
        assert bring(open_repo(repo.root), source).ok
        assert sound(repo)

    def test_objects_that_gc_took_are_brought_again(self, tmp_path: Path) -> None:
        """The map may name what is gone: it is looked up, never believed."""
        source = load(make_git(tmp_path / "g"), long_history(8))
        repo = make_muse(tmp_path / "m")
        before = bring(repo, source)
        ids = muse_ids(repo)
        with repo.transaction("test") as tx:
            tx.set_ref("refs/heads/main", None, old=repo.refs.read("refs/heads/main"), log="x")
        for file in (repo.muse / "objects" / "pack").iterdir():
            file.unlink()
        again = open_repo(repo.root)
        assert bring(again, source).objects == before.objects
        assert muse_ids(again) >= ids

    def test_what_a_gc_takes_while_it_runs_stops_the_refs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No branch ever names what is gone; the next run brings it."""
        source = load(make_git(tmp_path / "g"), long_history(5))
        repo = make_muse(tmp_path / "m")
        whole = Sink.is_complete

        def drop_first(objects: Sink) -> bool:
            for file in (repo.muse / "objects" / "pack").iterdir():
                file.unlink()
            return whole(objects)

        with monkeypatch.context() as patch:
            patch.setattr(Sink, "is_complete", drop_first)
            with pytest.raises(MuseError, match="dropped"):
                bring(repo, source)
        assert muse_refs(repo) == {}
        assert bring(open_repo(repo.root), source).ok
        assert sound(repo)


class TestErrors:
    def test_what_is_no_repository_is_named(self, tmp_path: Path) -> None:
        """A missing folder, a plain one, a file, and a plain one inside a repository."""
        repo = make_muse(tmp_path / "m")
        work = make_git(tmp_path / "work", bare=False)
        (work / "sub").mkdir()
        (tmp_path / "file").write_text("x")
        for path in (tmp_path / "none", tmp_path / "file", work / "sub"):
            with pytest.raises(RemoteError) as error:
                bring(repo, path)
            assert "git clone" in error.value.hint or "git repository" in error.value.hint

    def test_without_git_it_says_so(self, tmp_path: Path) -> None:
        """The error names git and is no traceback."""
        source = make_git(tmp_path / "g")
        with pytest.raises(MuseError, match="no 'git'"):
            git_import(make_muse(tmp_path / "m"), source, env={"PATH": str(tmp_path)})

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs chown")
    def test_a_repository_of_another_user_needs_the_users_word(self, tmp_path: Path) -> None:
        """Git's own refusal is passed on, with what to type."""
        source = load(make_git(tmp_path / "g"), long_history(2))
        os.chown(source, 12345, 12345)
        with pytest.raises(RemoteError, match="dubious ownership") as error:
            bring(make_muse(tmp_path / "m"), source)
        assert "safe.directory" in error.value.hint

    def test_the_environment_does_not_redirect_git(self, tmp_path: Path) -> None:
        """GIT_DIR and its like, set by a hook that calls us, are not followed."""
        source = load(make_git(tmp_path / "g"), long_history(2))
        other = make_git(tmp_path / "other")
        env = clean_env({"GIT_DIR": str(other), "GIT_WORK_TREE": "/", "GIT_INDEX_FILE": "/x"})
        repo = make_muse(tmp_path / "m")
        assert git_import(repo, source, env=env).objects["commit"] == 2

    @pytest.mark.parametrize("object_format", FORMATS)
    @pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
    def test_a_damaged_object_there_moves_nothing_here(
        self, tmp_path: Path, object_format: str, kind: str
    ) -> None:
        """Bytes that are not what their name says are refused, and named."""
        source = load(make_git(tmp_path / "g", object_format=object_format), long_history(1))
        names = {"commit": "main", "tree": "main^{tree}", "blob": "main:src/part0/file0.txt"}
        digits = git_text("rev-parse", names[kind], cwd=source)
        payload = run_git("cat-file", kind, digits, cwd=source)
        forged = payload.replace(b"Ada", b"Eve").replace(b"src", b"crs") + (
            b"x" if kind == "blob" else b""
        )
        file = source / "objects" / digits[:2] / digits[2:]
        file.chmod(0o644)
        file.write_bytes(zlib.compress(b"%b %d\0" % (kind.encode(), len(forged)) + forged))
        repo = make_muse(tmp_path / "m")
        with pytest.raises(RemoteError, match=digits[:20]):
            bring(repo, source)
        assert muse_refs(repo) == {}

    def test_a_missing_object_there_moves_nothing_here(self, tmp_path: Path) -> None:
        """A hole in git's history is an error with git's own words."""
        source = load(make_git(tmp_path / "g"), long_history(3))
        digits = git_text("rev-parse", "main:src/part1/file1.txt", cwd=source)
        (source / "objects" / digits[:2] / digits[2:]).unlink()
        repo = make_muse(tmp_path / "m")
        with pytest.raises(RemoteError, match="missing"):
            bring(repo, source)
        assert muse_refs(repo) == {}
        write_object(source, "blob", b"line 0 of 1\n")
        assert bring(repo, source).ok

    def test_what_git_says_cannot_reach_the_terminal_raw(self, tmp_path: Path) -> None:
        """Control characters in its errors are made visible (G17)."""
        folder = tmp_path / "evil\x1b[2J"
        folder.mkdir()
        with pytest.raises(RemoteError) as error:
            bring(make_muse(tmp_path / "m"), folder)
        assert "\x1b" not in str(error.value) + error.value.hint


def test_every_state_has_a_word() -> None:
    """The states are told apart by their words, which scripts read."""
    assert len({state.value for state in RefState}) == len(RefState)
