"""Branches and tags: git's rules, all or nothing, and nothing lost by a wrong name."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.ancestry import AheadBehind
from muse.core.errors import (
    AlreadyExistsError,
    MuseError,
    RefNotFoundError,
    RevisionNotFoundError,
    UnsafeNameError,
    UsageError,
)
from muse.core.reflog import read_reflog
from muse.core.refs import HEADS, REMOTES
from muse.core.repo import Repository, open_repo
from muse.core.types import ObjectId
from muse.core.upstream import find_upstream
from muse.ops.branch import (
    create_branch,
    delete_branches,
    list_branches,
    rename_branch,
    set_upstream,
)
from muse.ops.commit import commit
from muse.ops.reflog import reflog
from muse.ops.switch import switch
from muse.ops.tag import create_tag, delete_tags, list_tags
from muse.ops.undo import undo
from tests.conftest import Run
from tests.ops.states import WHO, make_repo, write


def head(repo: Repository) -> ObjectId:
    """Return HEAD's commit."""
    oid = repo.head().commit
    assert oid is not None
    return oid


def track(repo: Repository, name: str, oid: ObjectId) -> None:
    """Set a remote branch, as a fetch does."""
    with repo.transaction("fetch") as tx:
        tx.set_ref(REMOTES + name, oid, old=repo.refs.read(REMOTES + name), log="fetch")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Three commits on main, with a remote branch at the first."""
    made = make_repo(tmp_path / "repo")
    for number in range(3):
        write(made.root, {"f": str(number)})
        commit(made, message=f"commit {number}", committer=WHO)
        if not number:
            track(made, "origin/main", head(made))
    return made


class TestList:
    def test_verbose_says_how_far_from_the_upstream(self, repo: Repository) -> None:
        """Each branch has subject, upstream and counts; remote ones stand last."""
        set_upstream(repo, None, "origin/main")
        create_branch(repo, "old", start="HEAD~1")
        listed = list_branches(repo, remote=True, verbose=True)
        assert [(b.name, b.subject, b.counts) for b in listed] == [
            ("main", "commit 2", AheadBehind(2, 0)),
            ("old", "commit 1", None),
            ("origin/main", "commit 0", None),
        ]
        assert listed[0].upstream == "origin/main"
        assert [b.is_head for b in listed] == [True, False, False]

    def test_an_unborn_branch_is_listed(self, tmp_path: Path) -> None:
        """Before the first commit there is a branch all the same."""
        listed = list_branches(make_repo(tmp_path / "new"), verbose=True)
        assert [(b.name, b.commit, b.is_head) for b in listed] == [("main", None, True)]

    def test_a_branch_without_its_commit_hides_no_other(self, repo: Repository) -> None:
        """A branch that names a missing commit is listed and says so."""
        path = repo.root / ".muse/refs/heads/lost"
        path.write_text(f"sha256:{'1' * 64}\n")
        listed = list_branches(repo, verbose=True)
        assert [(b.name, b.subject) for b in listed] == [
            ("lost", "(its commit is missing)"),
            ("main", "commit 2"),
        ]


class TestCreate:
    def test_at_head_or_elsewhere(self, repo: Repository) -> None:
        """A branch begins where told; one that exists moves only when told."""
        create_branch(repo, "here")
        create_branch(repo, "there", start="HEAD~2")
        assert repo.refs.read(HEADS + "here") == head(repo)
        with pytest.raises(AlreadyExistsError, match="exists"):
            create_branch(repo, "there")
        create_branch(repo, "there", start="main", force=True)
        assert repo.refs.read(HEADS + "there") == head(repo)
        assert read_reflog(repo.root, HEADS + "there")[0].message == "branch: Reset from main"

    def test_from_a_remote_branch_it_follows(self, repo: Repository) -> None:
        """A branch that begins at a remote branch follows it."""
        create_branch(repo, "v1.0", start="origin/main")
        upstream = find_upstream(open_repo(repo.root).config, "v1.0")
        assert upstream == ("origin", "refs/heads/main", "refs/remotes/origin/main")

    @pytest.mark.parametrize("name", ["", "a b", "-x", "a..b", "a.lock", "@", "a/", "x\x1b"])
    def test_names_that_git_refuses(self, repo: Repository, name: str) -> None:
        """A name that could escape or read as an option is refused."""
        with pytest.raises(UnsafeNameError):
            create_branch(repo, name)

    def test_a_name_below_another(self, repo: Repository) -> None:
        """A branch cannot be a folder of another one; the error names both."""
        create_branch(repo, "a")
        with pytest.raises(AlreadyExistsError, match="'a'"):
            create_branch(repo, "a/b")

    def test_where_nothing_is(self, repo: Repository, tmp_path: Path) -> None:
        """An unknown start, or no commit at all, is an error that says so."""
        with pytest.raises(RevisionNotFoundError):
            create_branch(repo, "x", start="nosuch")
        with pytest.raises(RevisionNotFoundError, match="no commit yet"):
            create_branch(make_repo(tmp_path / "new"), "x")

    def test_the_branch_that_is_checked_out(self, repo: Repository) -> None:
        """It is not moved from under the working tree."""
        with pytest.raises(MuseError, match="checked out"):
            create_branch(repo, "main", start="HEAD~1", force=True)


class TestDelete:
    def test_merged_or_forced(self, repo: Repository) -> None:
        """A branch with commits of its own goes only when forced; undo brings it back."""
        create_branch(repo, "merged", start="HEAD~1")
        switch(repo, "own", create=True)
        write(repo.root, {"f": "own"})
        own = commit(repo, message="own", committer=WHO).oid
        switch(repo, "main")
        with pytest.raises(MuseError, match="no other branch") as caught:
            delete_branches(repo, ["merged", "own"])
        assert "-D own" in caught.value.hint
        assert repo.refs.read(HEADS + "merged") is not None
        delete_branches(repo, ["merged", "own"], force=True)
        assert [b.name for b in list_branches(repo)] == ["main"]
        undo(repo)
        assert repo.refs.read(HEADS + "own") == own

    def test_pushed_is_merged(self, repo: Repository) -> None:
        """What the upstream has may be deleted here; its settings go with it."""
        switch(repo, "own", create=True)
        write(repo.root, {"f": "own"})
        track(repo, "origin/own", commit(repo, message="own", committer=WHO).oid)
        set_upstream(repo, "own", "origin/own")
        switch(repo, "main")
        delete_branches(repo, ["own"])
        assert find_upstream(open_repo(repo.root).config, "own") is None

    def test_unknown_and_current(self, repo: Repository) -> None:
        """An unknown branch gets a suggestion; the current one stays."""
        create_branch(repo, "topic")
        with pytest.raises(RefNotFoundError) as caught:
            delete_branches(repo, ["topik"])
        assert "'topic'" in caught.value.hint
        with pytest.raises(MuseError, match="checked out"):
            delete_branches(repo, ["main"], force=True)

    def test_a_remote_branch_is_forgotten(self, repo: Repository) -> None:
        """What was seen of a remote can be forgotten."""
        delete_branches(repo, ["origin/main"])
        assert repo.refs.read(REMOTES + "origin/main") is None


class TestRename:
    def test_head_settings_and_files_follow(self, repo: Repository) -> None:
        """The branch that is checked out stays so under its new name, with its upstream."""
        set_upstream(repo, None, "origin/main")
        oid = head(repo)
        rename_branch(repo, "main", "trunk/main")
        assert repo.head() == ("trunk/main", HEADS + "trunk/main", oid)
        config = open_repo(repo.root).config
        assert find_upstream(config, "trunk/main") is not None
        assert find_upstream(config, "main") is None
        rename_branch(repo, "trunk/main", "trunk")
        assert repo.head().branch == "trunk"

    def test_refusals(self, repo: Repository) -> None:
        """An existing name is taken only when forced, and never from under the working tree."""
        create_branch(repo, "one", start="HEAD~1")
        create_branch(repo, "two")
        with pytest.raises(AlreadyExistsError):
            rename_branch(repo, "one", "two")
        with pytest.raises(MuseError, match="checked out"):
            rename_branch(repo, "one", "main", force=True)
        with pytest.raises(RefNotFoundError):
            rename_branch(repo, "nosuch", "x")
        one = repo.refs.read(HEADS + "one")
        rename_branch(repo, "one", "two", force=True)
        assert repo.refs.read(HEADS + "two") == one

    def test_an_unborn_branch(self, tmp_path: Path) -> None:
        """Before the first commit only HEAD changes."""
        made = make_repo(tmp_path / "new")
        rename_branch(made, "main", "trunk")
        assert made.head().branch == "trunk"


def test_upstreams_must_exist(repo: Repository) -> None:
    """A branch follows one that is there: a remote's, or one of this repository; or none."""
    create_branch(repo, "local")
    set_upstream(repo, "main", "local")
    assert find_upstream(repo.config, "main") == (".", HEADS + "local", HEADS + "local")
    set_upstream(repo, "main", None)
    assert find_upstream(repo.config, "main") is None
    with pytest.raises(RefNotFoundError, match="to follow"):
        set_upstream(repo, "main", "origin/nosuch")
    with pytest.raises(RefNotFoundError):
        set_upstream(repo, "nosuch", "origin/main")


class TestTags:
    def test_light_and_annotated(self, repo: Repository) -> None:
        """A light tag is the commit's id; an annotated one has a tagger and a message."""
        create_tag(repo, "light", rev="HEAD~1")
        made = create_tag(repo, "v1", message="First\n\nwith notes", tagger=WHO)
        assert made.target == head(repo)
        assert made.after != made.target
        listed = list_tags(repo)
        assert [(t.name, t.annotated, t.subject) for t in listed] == [
            ("light", False, "commit 1"),
            ("v1", True, "First"),
        ]
        assert listed[1].tagger == WHO
        assert listed[1].target == head(repo)
        assert [t.name for t in list_tags(repo, ["v*"])] == ["v1"]

    def test_an_annotated_tag_is_gits(self, repo: Repository, git: Run, tmp_path: Path) -> None:
        """The object is byte for byte what git writes."""
        oid = create_tag(repo, "v1", rev="HEAD^{tree}", message="m", tagger=WHO).after
        assert oid is not None
        payload = repo.objects.read_object(oid)[1]
        git("init", "-q", "--object-format=sha256", "x", cwd=tmp_path)
        told = git("hash-object", "-t", "tag", "--stdin", cwd=tmp_path / "x", input=payload)
        assert f"sha256:{told.stdout.decode().strip()}" == oid

    def test_moving_and_deleting(self, repo: Repository) -> None:
        """A tag stays where it is unless forced; deleting is all or nothing."""
        create_tag(repo, "a", rev="HEAD~1")
        create_tag(repo, "b")
        with pytest.raises(AlreadyExistsError, match="exists already") as exists:
            create_tag(repo, "a")
        assert "-f a" in exists.value.hint
        create_tag(repo, "a", force=True)
        assert repo.refs.read("refs/tags/a") == head(repo)
        with pytest.raises(RefNotFoundError) as caught:
            delete_tags(repo, ["b", "aa"])
        assert "'a'" in caught.value.hint
        assert [t.name for t in list_tags(repo)] == ["a", "b"]
        delete_tags(repo, ["a", "b"])
        assert list_tags(repo) == []

    def test_bad_input(self, repo: Repository) -> None:
        """An empty message, an unknown revision and a bad name are errors of their own."""
        with pytest.raises(UsageError, match="empty"):
            create_tag(repo, "v1", message=" \n")
        with pytest.raises(RevisionNotFoundError):
            create_tag(repo, "v1", rev="nosuch")
        with pytest.raises(UnsafeNameError):
            create_tag(repo, "a..b")

    def test_a_damaged_tag_hides_no_other(self, repo: Repository) -> None:
        """A tag whose object is missing is listed and says so."""
        create_tag(repo, "good")
        (repo.root / ".muse/refs/tags/bad").write_text(f"sha256:{'1' * 64}\n")
        assert [t.name for t in list_tags(repo)] == ["bad", "good"]
        assert "missing" in list_tags(repo)[0].subject


class TestReflog:
    def test_newest_first_and_of_a_damaged_ref(self, repo: Repository) -> None:
        """The log of a ref that is damaged, or gone, is what helps to repair it."""
        found = reflog(repo, "main")
        assert [entry.message for entry in found.entries] == [
            "commit: commit 2",
            "commit: commit 1",
            "commit (initial): commit 0",
        ]
        (repo.root / ".muse/refs/heads/main").write_text("nonsense\n")
        assert reflog(repo, "main").entries == found.entries
        with open(repo.root / ".muse/logs/refs/heads/main", "ab") as file:
            file.write(b"torn line")
        assert reflog(repo, "refs/heads/main").damaged == 1

    def test_unknown(self, repo: Repository) -> None:
        """A name without ref and log is an error, also one that tries to escape."""
        for name in ("nosuch", "../../../etc/passwd", "refs/../../x"):
            with pytest.raises(MuseError):
                reflog(repo, name)
