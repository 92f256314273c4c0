"""Switching: HEAD, stage and files move together; a kill leaves a way on and a way back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from muse.core.checkout_record import checkout_record_path, read_interrupted_checkout
from muse.core.errors import (
    AlreadyExistsError,
    ConflictError,
    RevisionNotFoundError,
    UnsafeNameError,
    UsageError,
)
from muse.core.file_content import stat_key
from muse.core.reflog import read_reflog
from muse.core.refs import REMOTES
from muse.core.repo import Repository, open_repo
from muse.core.stage import read_stage
from muse.core.stat_cache_file import load_stat_cache
from muse.core.types import from_raw
from muse.core.upstream import find_upstream
from muse.ops.add import add
from muse.ops.branch import create_branch
from muse.ops.commit import commit
from muse.ops.status import read_status
from muse.ops.switch import switch
from muse.ops.tag import create_tag
from tests.crash.harness import DONE, ERRORS, FAILED, KILLED, every_fault
from tests.ops.states import WHO, Files, make_repo, read_files, read_state, write


def commit_all(repo: Repository, files: dict[str, str], *gone: str) -> None:
    """Write, delete, and commit everything."""
    write(repo.root, files)
    for name in gone:
        (repo.root / name).unlink()
    commit(repo, message="x", committer=WHO)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Two branches that differ in every way; on main."""
    made = make_repo(tmp_path / "repo")
    commit_all(made, {"same": "s", "changed": "1", "gone": "g", "swap": "file", "d/e/deep": "1"})
    switch(made, "topic", create=True)
    (made.root / "swap").unlink()
    commit_all(made, {"changed": "2", "swap/inner": "i", "new/file": "n"}, "gone", "d/e/deep")
    (made.root / "same").chmod(0o755)
    commit(made, message="mode", committer=WHO)
    switch(made, "main")
    return made


class TestMoving:
    def test_there_and_back(self, repo: Repository) -> None:
        """Each branch has exactly its files, and both are clean."""
        main = read_files(repo.root)
        result = switch(repo, "topic")
        topic = read_files(repo.root)
        assert topic == {
            "same": ("exec", b"s"),
            "changed": ("file", b"2"),
            "swap/inner": ("file", b"i"),
            "new/file": ("file", b"n"),
        }
        assert not (repo.root / "d").exists()
        assert result.move is not None
        assert (result.move.written, result.move.removed) == (4, 3)
        assert read_status(repo).status.is_clean
        switch(repo, "-")
        assert read_files(repo.root) == main
        assert repo.head().branch == "main"
        assert read_status(repo).status.is_clean
        assert read_interrupted_checkout(repo.root) is None
        assert not checkout_record_path(repo.root).exists()

    def test_the_next_status_need_not_read_what_was_written(self, repo: Repository) -> None:
        """The stat cache knows the files, once they are old enough for a change to show."""
        commit_all(repo, {f"many/f{n}": f"{n}\n" for n in range(400)})
        switch(repo, "topic")
        switch(repo, "main")
        cache = load_stat_cache(repo.root)
        assert cache is not None
        known = [row for row in cache.files.below(b"many") if cache.files.modes[row]]
        assert known
        for row in known:
            path = os.path.join(os.fsencode(repo.root), cache.files.paths[row])
            assert cache.files.key_at(row) == stat_key(os.lstat(path))
            assert cache.files.content_at(row) == cache.files.base(row)
        assert read_status(repo).status.is_clean

    def test_local_changes_come_along(self, repo: Repository) -> None:
        """What is the same on both branches may be changed, staged, removed or untracked."""
        commit_all(repo, {"both1": "b", "both2": "b", "both3": "b"})
        create_branch(repo, "side")
        commit_all(repo, {"changed": "3"})
        write(repo.root, {"both1": "edited", "both2": "staged", "untracked": "u", "added": "a"})
        (repo.root / "both3").unlink()
        add(repo, [b"both2", b"both3", b"added"])
        stage = dict(read_stage(repo.root))
        switch(repo, "side")
        assert dict(read_stage(repo.root)) == stage
        status = read_status(repo).status
        assert status.staged("AMD") == (b"added", b"both2", b"both3")
        assert status.unstaged("M?") == (b"both1", b"untracked")

    def test_a_collision_names_what_is_in_the_way(self, repo: Repository) -> None:
        """Changed, staged and untracked files in the way are named, and nothing is touched."""
        write(repo.root, {"changed": "mine", "gone": "mine", "new/file": "mine"})
        add(repo, [b"gone"])
        before = read_state(repo)
        with pytest.raises(ConflictError) as caught:
            switch(repo, "topic")
        assert set(caught.value.paths) == {b"changed", b"gone", b"new/file"}
        for word in ("1 staged change: gone", "1 change: changed", "1 untracked file: new/file"):
            assert word in caught.value.message
        assert read_state(repo) == before

    def test_staging_what_the_other_branch_has(self, repo: Repository) -> None:
        """A staged change that equals the other branch is no change there."""
        write(repo.root, {"changed": "2"})
        add(repo, [b"changed"])
        switch(repo, "topic")
        assert not read_stage(repo.root)
        assert read_status(repo).status.is_clean


class TestNames:
    def test_a_new_branch_starts_where_told(self, repo: Repository) -> None:
        """-c begins a branch at HEAD or elsewhere; the reflog tells."""
        topic = repo.refs.read("refs/heads/topic")
        assert topic is not None
        result = switch(repo, "new", create=True, start="topic~1")
        assert result.created
        assert repo.refs.read("refs/heads/new") == from_raw(repo.commit(topic).parents[0])
        assert repo.head().branch == "new"
        assert read_reflog(repo.root, "HEAD")[0].message == "checkout: moving from main to new"
        assert read_reflog(repo.root, "refs/heads/new")[0].message == "branch: Created from topic~1"
        with pytest.raises(AlreadyExistsError):
            switch(repo, "topic", create=True)
        with pytest.raises(UnsafeNameError):
            switch(repo, "a..b", create=True)

    def test_a_remote_branch_is_followed(self, repo: Repository) -> None:
        """A name that one remote has becomes a branch that follows it."""
        oid = repo.refs.read("refs/heads/topic")
        with repo.transaction("fetch") as tx:
            tx.set_ref(REMOTES + "origin/theirs", oid, old=None, log="fetch")
            tx.set_ref(REMOTES + "origin/both", oid, old=None, log="fetch")
            tx.set_ref(REMOTES + "other/both", oid, old=None, log="fetch")
        result = switch(repo, "theirs")
        assert (result.created, result.upstream) == (True, "origin/theirs")
        upstream = find_upstream(open_repo(repo.root).config, "theirs")
        assert upstream is not None
        assert upstream.tracking == "refs/remotes/origin/theirs"
        with pytest.raises(RevisionNotFoundError, match="more than one"):
            switch(repo, "both")

    def test_a_tag_is_not_a_branch(self, repo: Repository) -> None:
        """A tag or an id needs --detach; the error says so."""
        create_tag(repo, "v1")
        with pytest.raises(UsageError, match="not a branch") as caught:
            switch(repo, "v1")
        assert "--detach v1" in caught.value.hint
        switch(repo, "v1", detach=True)
        assert repo.head().detached
        switch(repo, "-")
        assert repo.head().branch == "main"
        switch(repo, "-")
        assert repo.head().detached

    def test_unknown_names(self, repo: Repository) -> None:
        """An unknown name gets a suggestion."""
        with pytest.raises(RevisionNotFoundError) as caught:
            switch(repo, "topik")
        assert "topic" in caught.value.hint

    def test_before_the_first_commit(self, tmp_path: Path) -> None:
        """An unborn branch can be left for another name, and files stay."""
        made = make_repo(tmp_path / "empty")
        write(made.root, {"f": "x"})
        switch(made, "other", create=True)
        assert made.head() == ("other", "refs/heads/other", None)
        assert read_files(made.root) == {"f": ("file", b"x")}
        assert switch(made, "other").move is None

    def test_a_bare_repository_has_no_files(self, tmp_path: Path, repo: Repository) -> None:
        """Switching there is refused."""
        shutil.copytree(repo.root / ".muse", tmp_path / "bare/.muse")
        facts = tmp_path / "bare/.muse/repo.json"
        facts.write_text(facts.read_text().replace('"bare": false', '"bare": true'))
        with pytest.raises(UsageError, match="bare"):
            switch(open_repo(tmp_path / "bare"), "topic")


def go(root: Path, name: str) -> None:
    """Switch in a repository opened anew, as a command does."""
    made = open_repo(root)
    made.identity = lambda: WHO
    switch(made, name)


@pytest.mark.crash
class TestKilled:
    """Killed or failed at any call, each file is old or new, and there is a way on and back."""

    @pytest.mark.parametrize("goal", ["topic", "main"])
    def test_on_and_back(self, repo: Repository, tmp_path: Path, goal: str) -> None:
        """G3, G5: the same switch finishes, a switch back undoes, whatever call was the last."""
        base, work = repo.root, tmp_path / "work"
        ends = _ends(base, tmp_path)
        outcomes = set()
        for number, outcome in every_fault(base, work, lambda root: go(root, "topic"), stride=2):
            outcomes.add(outcome)
            _check_halfway(work, ends)
            go(work, goal)
            assert read_files(work) == ends[goal], f"killed at call {number}"
            assert read_status(open_repo(work)).status.is_clean
            assert open_repo(work).head().branch == goal
            assert not checkout_record_path(work).exists()
        assert outcomes == {DONE, KILLED}

    @pytest.mark.parametrize("error", ERRORS[:1])
    def test_failed(self, repo: Repository, tmp_path: Path, error: int) -> None:
        """G10: a full disk stops it with an error; afterwards it can be finished."""
        base, work = repo.root, tmp_path / "work"
        ends = _ends(base, tmp_path)
        outcomes = set()
        for number, outcome in every_fault(
            base, work, lambda root: go(root, "topic"), error=error, stride=3
        ):
            outcomes.add(outcome)
            _check_halfway(work, ends)
            go(work, "topic")
            assert read_files(work) == ends["topic"], f"failed at call {number}"
        assert outcomes == {DONE, FAILED}


def _ends(base: Path, tmp_path: Path) -> dict[str, Files]:
    other = tmp_path / "ends"
    shutil.copytree(base, other)
    go(other, "topic")
    return {"main": read_files(base), "topic": read_files(other)}


def _check_halfway(work: Path, ends: dict[str, Files]) -> None:
    """Every file is whole, as on one of the branches, and what is half done is said."""
    found = read_files(work)
    for path, entry in found.items():
        if not Path(path).name.startswith(".restore-tmp-"):
            assert entry in (ends["main"].get(path), ends["topic"].get(path)), path
    branch = open_repo(work).head().branch
    assert branch in ends
    if found != ends[branch]:
        record = read_interrupted_checkout(work)
        assert record is not None
        assert (record.command, record.back) == ("switch topic", "switch main")
