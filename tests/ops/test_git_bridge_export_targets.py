"""Exporting into repositories that are there: their files, branches, locks and programs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from muse.core.commits import Commit, Signature, format_commit
from muse.core.errors import (
    AlreadyExistsError,
    MuseError,
    RemoteError,
)
from muse.core.repo import Repository
from muse.core.trees import TreeEntry, format_tree
from muse.core.types import MODE_FILE, ObjectId, from_raw, to_raw
from muse.ops.git_bridge.export import GitExportResult, git_export
from muse.ops.git_bridge.import_ import git_import
from tests.ops.git_bridge_fixtures import (
    clean_env,
    git_refs,
    git_text,
    load,
    long_history,
    make_git,
    make_muse,
    run_git,
    write_object,
)

WHO = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")


def send(
    repo: Repository,
    path: Path,
    *,
    object_format: str | None = None,
    bare: bool = True,
    force: bool = False,
    strict: bool = True,
) -> GitExportResult:
    """Export with the test's environment."""
    return git_export(
        repo,
        path,
        env=clean_env(),
        object_format=object_format,
        bare=bare,
        force=force,
        strict=strict,
    )


def commit_on(
    repo: Repository, branch: str, files: dict[bytes, bytes], message: str = "ours"
) -> ObjectId:
    """Put a commit with these files, and no others, on top of a branch."""
    name = f"refs/heads/{branch}"
    old = repo.refs.read(name)
    with repo.transaction("test", who=WHO) as tx:
        entries = [
            TreeEntry(MODE_FILE, path, tx.write_object("blob", data))
            for path, data in files.items()
        ]
        tree = tx.write_object("tree", format_tree(entries))
        parents = (to_raw(old),) if old else ()
        made = Commit(tree, parents, WHO, WHO, message.encode() + b"\n")
        new = from_raw(tx.write_object("commit", format_commit(made)))
        tx.set_ref(name, new, old=old, log="test")
    return new


def states(result: GitExportResult) -> dict[str, str]:
    """Return what became of each ref."""
    return {ref.name: ref.state.value for ref in result.refs}


def fsck(path: Path) -> None:
    """Let git judge a repository; any complaint fails."""
    said = run_git("fsck", "--strict", "--no-dangling", cwd=path)
    assert said == b""


class TestTheRepositoryThere:
    def test_a_new_one_gets_head_and_files(self, tmp_path: Path) -> None:
        """Its branch is ours, its files are checked out, its status is clean."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n", b"b": b"2\n"})
        result = send(repo, tmp_path / "deep" / "out", bare=False)
        out = tmp_path / "deep" / "out"
        assert result.files == "checked out"
        assert git_text("symbolic-ref", "HEAD", cwd=out) == "refs/heads/main"
        assert git_text("status", "--porcelain", cwd=out) == ""
        assert (out / "a").read_bytes() == b"1\n"

    def test_a_detached_head_is_detached_there(self, tmp_path: Path) -> None:
        """HEAD names the same commit, even one that no branch names."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n"})
        lost = commit_on(repo, "gone", {b"a": b"2\n"})
        with repo.transaction("test") as tx:
            tx.set_ref("refs/heads/gone", None, old=lost, log="test")
            tx.set_head(commit=lost, log="test")
        send(repo, tmp_path / "out", bare=False)
        assert git_text("rev-parse", "HEAD", cwd=tmp_path / "out") == lost.removeprefix("sha256:")
        assert (tmp_path / "out" / "a").read_bytes() == b"2\n"

    def test_an_empty_repository_that_is_there_is_used(self, tmp_path: Path) -> None:
        """Made by the user, with a format of its own and files that stay."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "trunk", {b"a": b"1\n"})
        with repo.transaction("test") as tx:
            tx.set_head(ref="refs/heads/trunk", log="test")
        out = make_git(tmp_path / "out", object_format="sha1", bare=False)
        (out / "mine").write_text("untracked")
        result = send(repo, out)
        assert result.object_format == "sha1"
        assert "git status" in result.files
        assert os.listdir(out) == [".git", "mine"] or set(os.listdir(out)) == {".git", "mine"}
        assert git_text("symbolic-ref", "HEAD", cwd=out) == "refs/heads/trunk"

    def test_what_a_killed_git_init_left_is_completed(self, tmp_path: Path) -> None:
        """A half-made repository, bare or not, does not stop the next run."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n"})
        (tmp_path / "half" / ".git" / "objects").mkdir(parents=True)
        (tmp_path / "bare" / "refs").mkdir(parents=True)
        assert send(repo, tmp_path / "half", bare=False).ok
        assert (tmp_path / "half" / "a").exists()
        assert send(repo, tmp_path / "bare").ok
        fsck(tmp_path / "bare")

    def test_a_killed_run_is_completed(self, tmp_path: Path) -> None:
        """Refs moved but files not written: the next run writes them."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n"})
        send(repo, tmp_path / "out", bare=False)
        (tmp_path / "out" / "a").unlink()
        (tmp_path / "out" / ".git" / "index").unlink()
        assert send(repo, tmp_path / "out").files == "checked out"
        assert git_text("status", "--porcelain", cwd=tmp_path / "out") == ""

    def test_something_else_is_never_written_into(self, tmp_path: Path) -> None:
        """A folder with files, a file, a repository of another format, a shallow one."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n"})
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "x").write_text("x")
        (tmp_path / "file").write_text("x")
        for name in ("full", "file"):
            with pytest.raises(AlreadyExistsError):
                send(repo, tmp_path / name)
        make_git(tmp_path / "old")
        with pytest.raises(MuseError, match="sha1"):
            send(repo, tmp_path / "old", object_format="sha256")
        full = load(make_git(tmp_path / "src"), long_history(4))
        run_git("clone", "-q", "--bare", "--depth=1", full.as_uri(), "shallow", cwd=tmp_path)
        with pytest.raises(RemoteError, match="shallow"):
            send(repo, tmp_path / "shallow")

    def test_nothing_to_export_is_said(self, tmp_path: Path) -> None:
        """No empty repository is made."""
        with pytest.raises(MuseError, match="nothing to export"):
            send(make_muse(tmp_path / "m"), tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestWorkingTreesThere:
    def make(self, tmp_path: Path) -> tuple[Repository, Path]:
        """Return a repository and its export with a working tree."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n", b"b": b"1\n"})
        send(repo, tmp_path / "out", bare=False)
        return repo, tmp_path / "out"

    def test_a_clean_one_follows(self, tmp_path: Path) -> None:
        """Files change, come and go with the branch; untracked ones stay."""
        repo, out = self.make(tmp_path)
        (out / "mine").write_text("untracked")
        commit_on(repo, "main", {b"a": b"2\n", b"c": b"3\n"})
        result = send(repo, out)
        assert (result.ok, result.files) == (True, "updated")
        assert git_text("status", "--porcelain", cwd=out) == "?? mine"
        assert (out / "a").read_bytes() == b"2\n"
        assert not (out / "b").exists()

    @pytest.mark.parametrize("change", ["edit", "stage", "untracked"])
    def test_a_changed_one_is_left_alone(self, tmp_path: Path, change: str) -> None:
        """Its branch stays, its files stay, the others move, and the reason is told."""
        repo, out = self.make(tmp_path)
        commit_on(repo, "main", {b"a": b"2\n", b"c": b"3\n"})
        commit_on(repo, "side", {b"a": b"2\n"})
        (out / ("c" if change == "untracked" else "a")).write_text("work")
        if change == "stage":
            run_git("add", "a", cwd=out)
        before = git_refs(out)["refs/heads/main"]
        result = send(repo, out)
        assert not result.ok
        assert states(result) == {"refs/heads/main": "refused", "refs/heads/side": "created"}
        assert git_refs(out)["refs/heads/main"] == before
        assert (out / ("c" if change == "untracked" else "a")).read_text() == "work"

    def test_files_that_a_killed_run_moved_are_no_change(self, tmp_path: Path) -> None:
        """The tree is already where the branch is to go: the branch follows."""
        repo, out = self.make(tmp_path)
        commit_on(repo, "main", {b"a": b"2\n"})
        copy = tmp_path / "copy"
        shutil.copytree(out, copy)
        send(repo, copy)
        old = git_refs(out)["refs/heads/main"]
        run_git("update-ref", "refs/heads/main", old, cwd=copy)
        assert git_text("status", "--porcelain", cwd=copy) != ""
        assert send(repo, copy).ok
        assert git_text("status", "--porcelain", cwd=copy) == ""

    def test_in_our_own_folder_git_starts_with_our_files(self, tmp_path: Path) -> None:
        """A git repository made beside .muse sees the files as they are, changes included."""
        repo = make_muse(tmp_path / "m", bare=False)
        commit_on(repo, "main", {b"a": b"1\n", b"b": b"1\n"})
        (repo.root / "a").write_text("1\n")
        (repo.root / "b").write_text("changed\n")
        result = send(repo, repo.root)
        assert "share" in result.files
        assert git_text("status", "--porcelain", cwd=repo.root) == " M b"
        commit_on(repo, "main", {b"a": b"1\n", b"b": b"changed\n"})
        assert send(repo, repo.root).ok
        assert git_text("status", "--porcelain", cwd=repo.root) == ""
        (repo.root / "a").write_text("2\n")
        run_git("add", "a", cwd=repo.root)
        commit_on(repo, "main", {b"a": b"3\n"})
        assert states(send(repo, repo.root)) == {"refs/heads/main": "refused"}
        assert git_text("status", "--porcelain", cwd=repo.root) == "M  a"

    def test_an_unborn_branch_there_is_born_and_its_files_stay(self, tmp_path: Path) -> None:
        """Files that git does not know yet are not touched, and it is told."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n"})
        out = load(make_git(tmp_path / "out", object_format="sha256", bare=False), b"")
        run_git("update-ref", "refs/tags/x", write_object(out, "blob", b"x"), cwd=out)
        (out / "a").write_text("mine")
        assert "git status" in send(repo, out).files
        assert (out / "a").read_text() == "mine"

    def test_programs_of_that_repository_are_never_run(self, tmp_path: Path) -> None:
        """A filter, a hook or a monitor in its configuration stays unused (G16)."""
        repo, out = self.make(tmp_path)
        trap = tmp_path / "trap"
        command = f"touch {trap}; cat"
        run_git("config", "filter.x.smudge", command, cwd=out)
        run_git("config", "filter.x.clean", command, cwd=out)
        run_git("config", "core.fsmonitor", f"touch {trap}", cwd=out)
        (out / ".git" / "info").mkdir(exist_ok=True)
        (out / ".git" / "info" / "attributes").write_text("* filter=x\n")
        for hook in ("reference-transaction", "post-checkout", "post-index-change"):
            (out / ".git" / "hooks").mkdir(exist_ok=True)
            (out / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {trap}\n")
            (out / ".git" / "hooks" / hook).chmod(0o755)
        commit_on(repo, "main", {b"a": b"2\n"})
        commit_on(repo, "side", {b"a": b"2\n"})
        result = send(repo, out)
        assert states(result) == {"refs/heads/main": "refused", "refs/heads/side": "created"}
        assert git_import(make_muse(tmp_path / "m2"), out, env=clean_env()).ok
        assert not trap.exists()

    def test_a_branch_in_another_working_tree_is_left_alone(self, tmp_path: Path) -> None:
        """Git has it checked out elsewhere, where its files would not follow."""
        repo, out = self.make(tmp_path)
        commit_on(repo, "side", {b"a": b"1\n"})
        send(repo, out)
        run_git("worktree", "add", "-q", str(tmp_path / "tree"), "side", cwd=out)
        commit_on(repo, "side", {b"a": b"2\n"})
        result = send(repo, out)
        assert states(result)["refs/heads/side"] == "refused"
        assert git_text("status", "--porcelain", cwd=tmp_path / "tree") == ""
