"""Importing into a working tree, and the command as people type it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from muse.core.errors import ConflictError
from muse.core.repo import Repository, open_repo
from muse.ops.git_bridge.import_ import GitImportResult, git_import
from muse.ops.init import init
from tests.conftest import Run
from tests.ops.git_bridge_fixtures import (
    clean_env,
    git_refs,
    git_text,
    load,
    long_history,
    make_git,
    make_muse,
    muse_refs,
    run_git,
)


def snapshot(folder: Path) -> dict[str, tuple[str, bytes, bool]]:
    """Return every file below a folder: what it is, what it holds, whether it is executable."""
    found = {}
    for base, names, files in os.walk(folder):
        names[:] = [n for n in names if n not in {".git", ".muse"}]
        for name in [*files, *(n for n in names if os.path.islink(os.path.join(base, n)))]:
            full = os.path.join(base, name)
            info = os.lstat(full)
            is_link = stat.S_ISLNK(info.st_mode)
            data = os.fsencode(os.readlink(full)) if is_link else Path(full).read_bytes()
            executable = bool(info.st_mode & 0o100) and not is_link
            found[os.path.relpath(full, folder)] = ("link" if is_link else "file", data, executable)
    return found


def make_project(path: Path, object_format: str = "sha1") -> Path:
    """Create a git repository with a working tree: a script, a link, odd names, an ignored file."""
    make_git(path, object_format=object_format, bare=False)
    (path / "src" / "deep").mkdir(parents=True)
    (path / "src" / "deep" / "code.py").write_text("print('hello')\n")
    (path / "run.sh").write_text("#!/bin/sh\n")
    (path / "run.sh").chmod(0o755)
    (path / "link").symlink_to("src/deep")
    (path / "grüße und\tTab").write_text("hallo\n")
    (path / ".gitignore").write_text("*.log\n")
    (path / "noise.log").write_text("noise\n")
    run_git("add", "-A", cwd=path)
    run_git("commit", "-q", "-m", "first", cwd=path)
    return path


def bring(repo: Repository, path: Path) -> GitImportResult:
    """Import with the test's environment."""
    return git_import(repo, path, env=clean_env())


class TestFiles:
    def test_the_first_import_writes_what_git_would(self, tmp_path: Path, muse: Run) -> None:
        """The same files, links, modes and names as git's own checkout, and a clean status."""
        source = make_project(tmp_path / "g")
        repo = make_muse(tmp_path / "m", bare=False)
        result = bring(repo, source)
        assert (result.branch, result.files) == ("main", 5)
        expected = snapshot(source)
        del expected["noise.log"]
        assert snapshot(repo.root) == expected
        status = json.loads(muse("status", "--json", cwd=repo.root).stdout)
        assert (status["clean"], status["branch"]) == (True, "main")

    def test_in_git_s_own_folder_nothing_is_written(self, tmp_path: Path, muse: Run) -> None:
        """The files are there: none is touched, both systems see a clean tree."""
        source = make_project(tmp_path / "g")
        before = {name: os.lstat(source / name).st_ctime_ns for name in snapshot(source)}
        init(source)
        result = bring(open_repo(source), source)
        assert (result.branch, result.files) == ("main", 0)
        assert {name: os.lstat(source / name).st_ctime_ns for name in snapshot(source)} == before
        assert json.loads(muse("status", "--json", cwd=source).stdout)["clean"] is True
        assert git_text("status", "--porcelain", cwd=source) == ""

    def test_in_git_s_own_folder_a_change_is_a_change(self, tmp_path: Path, muse: Run) -> None:
        """What git sees as modified, deleted or new, so do we; a git commit is followed."""
        source = make_project(tmp_path / "g")
        init(source)
        (source / "run.sh").write_text("changed")
        (source / "link").unlink()
        (source / "new").write_text("new")
        bring(open_repo(source), source)
        status = json.loads(muse("status", "--json", cwd=source).stdout)
        assert (status["modified"], status["deleted"]) == (["run.sh"], ["link"])
        assert status["untracked"] == ["new"]
        run_git("add", "-A", cwd=source)
        run_git("commit", "-q", "-m", "second", cwd=source)
        result = bring(open_repo(source), source)
        assert [ref.state.value for ref in result.refs] == ["moved"]
        assert json.loads(muse("status", "--json", cwd=source).stdout)["clean"] is True

    def test_the_checked_out_branch_follows_with_its_files(self, tmp_path: Path) -> None:
        """Changes of ours elsewhere in the tree are carried over."""
        source = make_project(tmp_path / "g")
        repo = make_muse(tmp_path / "m", bare=False)
        bring(repo, source)
        (repo.root / ".gitignore").write_text("mine\n")
        (source / "run.sh").write_text("#!/bin/bash\n")
        run_git("commit", "-q", "-a", "-m", "second", cwd=source)
        result = bring(repo, source)
        assert (result.ok, result.files) == (True, 1)
        assert (repo.root / "run.sh").read_text() == "#!/bin/bash\n"
        assert (repo.root / ".gitignore").read_text() == "mine\n"

    def test_work_in_the_way_keeps_the_branch_where_it_is(self, tmp_path: Path) -> None:
        """Nothing that is stored nowhere is overwritten; other branches move."""
        source = make_project(tmp_path / "g")
        repo = make_muse(tmp_path / "m", bare=False)
        bring(repo, source)
        before = muse_refs(repo)["refs/heads/main"]
        (repo.root / "run.sh").write_text("mine")
        (source / "run.sh").write_text("#!/bin/bash\n")
        run_git("commit", "-q", "-a", "-m", "second", cwd=source)
        run_git("branch", "side", cwd=source)
        result = bring(repo, source)
        assert not result.ok
        assert {ref.name: ref.state.value for ref in result.refs} == {
            "refs/heads/main": "refused",
            "refs/heads/side": "created",
        }
        assert "run.sh" in result.refs[0].reason
        assert muse_refs(repo)["refs/heads/main"] == before
        assert (repo.root / "run.sh").read_text() == "mine"
        (repo.root / "run.sh").write_text("#!/bin/sh\n")
        assert bring(repo, source).ok
        assert (repo.root / "run.sh").read_text() == "#!/bin/bash\n"

    def test_files_in_the_way_of_the_first_checkout_stop_it(self, tmp_path: Path) -> None:
        """No branch appears, nothing is written; equal and unrelated files are no hindrance."""
        source = make_project(tmp_path / "g")
        repo = make_muse(tmp_path / "m", bare=False)
        (repo.root / "run.sh").write_text("mine")
        with pytest.raises(ConflictError, match=r"run\.sh"):
            bring(repo, source)
        assert muse_refs(repo) == {}
        assert snapshot(repo.root) == {"run.sh": ("file", b"mine", False)}
        (repo.root / "run.sh").write_text("#!/bin/sh\n")
        (repo.root / "run.sh").chmod(0o755)
        (repo.root / "other").write_text("other")
        assert bring(repo, source).ok
        assert (repo.root / "other").read_text() == "other"

    def test_names_that_shut_each_other_out_are_told(self, tmp_path: Path) -> None:
        """A branch `topic` here and a branch `topic/x` there: the rest is brought."""
        source = load(make_git(tmp_path / "g"), long_history(3))
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        head = repo.refs.read("refs/heads/main")
        with repo.transaction("test") as tx:
            tx.set_ref("refs/heads/topic", head, old=None, log="test")
            tx.set_ref("refs/heads/deep/er", head, old=None, log="test")
        for name in ("topic/x", "deep", "fine"):
            run_git("branch", name, "main", cwd=source)
        result = bring(repo, source)
        assert {ref.name: ref.state.value for ref in result.refs} == {
            "refs/heads/deep": "refused",
            "refs/heads/fine": "created",
            "refs/heads/main": "unchanged",
            "refs/heads/topic/x": "refused",
        }


class TestTheCommand:
    def test_it_tells_what_it_did(self, tmp_path: Path, muse: Run) -> None:
        """One line for the objects, one for each ref that moved, one for HEAD; then nothing new."""
        source = make_project(tmp_path / "g")
        muse("init", "m", cwd=tmp_path)
        said = muse("bridge", "git-import", "../g", cwd=tmp_path / "m").stdout.decode()
        assert said.startswith("Brought 5 blobs, 3 trees, 1 commit (")
        assert "  created   refs/heads/main " in said
        assert "On branch main, 5 files written." in said
        said = muse("bridge", "git-import", "../g", cwd=tmp_path / "m").stdout.decode()
        assert said == "Nothing new from '../g'.\n"
        out = muse("bridge", "git-export", "../out", cwd=tmp_path / "m").stdout.decode()
        assert out.startswith("Sent 5 blobs, 3 trees, 1 commit (")
        assert "Files there: checked out." in out
        expected = snapshot(source)
        del expected["noise.log"]
        assert snapshot(tmp_path / "out") == expected

    def test_json_has_all_of_it(self, tmp_path: Path, muse: Run) -> None:
        """One object, with refs, remarks and counts; both directions."""
        make_project(tmp_path / "g", "sha256")
        muse("init", "m", cwd=tmp_path)
        arguments = ("bridge", "git-import", "--json", "../g")
        data = json.loads(muse(*arguments, cwd=tmp_path / "m").stdout)
        assert data["same_ids"] is True
        assert data["objects"] == {"blob": 5, "tree": 3, "commit": 1, "tag": 0}
        assert data["branch"] == "main"
        digits = git_refs(tmp_path / "g")["refs/heads/main"]
        assert data["refs"] == [
            {
                "name": "refs/heads/main",
                "state": "created",
                "old": None,
                "new": f"sha256:{digits}",
                "reason": "",
            }
        ]
        data = json.loads(
            muse("bridge", "git-export", "../o.git", "--json", cwd=tmp_path / "m").stdout
        )
        assert (data["created"], data["object_format"]) == (True, "sha256")
        assert git_text("rev-parse", "--is-bare-repository", cwd=tmp_path / "o.git") == "true"

    def test_what_was_left_alone_is_exit_code_1_and_comes_with_a_hint(
        self, tmp_path: Path, muse: Run
    ) -> None:
        """A diverged branch is shown, and what moves it."""
        source = make_project(tmp_path / "g")
        muse("init", "m", cwd=tmp_path)
        muse("bridge", "git-import", "../g", cwd=tmp_path / "m")
        run_git("commit", "-q", "--amend", "-m", "other", cwd=source)
        done = muse("bridge", "git-import", "../g", cwd=tmp_path / "m", check=False)
        assert done.returncode == 1
        assert b"diverged" in done.stdout
        assert b"--force" in done.stderr

    def test_submodules_are_shown_with_their_paths(self, tmp_path: Path, muse: Run) -> None:
        """What is left out is never left out in silence."""
        source = make_project(tmp_path / "g")
        commit = git_text("rev-parse", "HEAD", cwd=source)
        run_git(
            "update-index", "--add", "--cacheinfo", f"160000,{commit},libs/evil\x1b[2J", cwd=source
        )
        run_git("commit", "-q", "-m", "sub", cwd=source)
        muse("init", "m", cwd=tmp_path)
        said = muse("bridge", "git-import", "../g", cwd=tmp_path / "m").stdout
        assert b"submodule" in said
        assert b"libs/evil\\x1b[2J" in said
        assert b"\x1b" not in said

    def test_errors_are_one_line_and_a_hint(self, tmp_path: Path, muse: Run) -> None:
        """No repository there: exit code 5. None here: 2. No direction: 2."""
        muse("init", "m", cwd=tmp_path)
        done = muse("bridge", "git-import", "../none", cwd=tmp_path / "m", check=False)
        assert done.returncode == 5
        assert done.stderr.count(b"\n") == 2
        assert muse("bridge", "git-import", "m", cwd=tmp_path, check=False).returncode == 2
        assert muse("bridge", cwd=tmp_path / "m", check=False).returncode == 2

    def test_undo_takes_an_import_back(self, tmp_path: Path, muse: Run) -> None:
        """It is one operation in the log, so one step back."""
        source = load(make_git(tmp_path / "g"), long_history(4))
        muse("init", "m", cwd=tmp_path)
        muse("bridge", "git-import", "../g", cwd=tmp_path / "m")
        load(source, long_history(2, first=4))
        before = muse_refs(open_repo(tmp_path / "m"))
        muse("bridge", "git-import", "../g", cwd=tmp_path / "m")
        assert muse_refs(open_repo(tmp_path / "m")) != before
        muse("undo", cwd=tmp_path / "m")
        assert muse_refs(open_repo(tmp_path / "m")) == before
