"""`pull`: forward or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.errors import ConflictError, NonFastForwardError, RefNotFoundError, UsageError
from muse.core.refs import HEADS
from muse.core.repo import Repository, open_repo
from muse.core.types import ObjectId
from muse.ops.clone import clone
from muse.ops.pull import pull
from muse.ops.remote import add_remote
from muse.ops.status import read_status
from muse.remotes.protocol import TransferProgress
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable, set_ref, snapshot

MAIN = HEADS + "main"


@pytest.fixture
def hub(tmp_path: Path) -> Repository:
    """Where it comes from: one commit of three files."""
    repo = make_repo(tmp_path / "hub", bare=True)
    add_commit(repo, {b"a": b"1", b"b": b"1", b"d/c": b"1"})
    return repo


@pytest.fixture
def here(tmp_path: Path, hub: Repository) -> Repository:
    """A clone of it."""
    return open_repo(clone(str(hub.root), tmp_path / "here", cwd=tmp_path).root)


def clean(repo: Repository) -> bool:
    """Tell whether the working tree is what HEAD holds."""
    return read_status(Repository(repo.root)).status.is_clean


class TestForward:
    """The branch and its files move to what the other side has."""

    def test_files_follow_the_branch(self, here: Repository, hub: Repository) -> None:
        """Changed, new and removed files; the result counts commits and files."""
        add_commit(hub, {b"a": b"2", b"b": b"1", b"new/file": b"1"})
        last = add_commit(hub, {b"a": b"3", b"b": b"1", b"new/file": b"1"})
        result = pull(here)
        assert (result.commits, result.files, result.new) == (2, 3, last)
        assert here.refs.read(MAIN) == last
        assert (here.root / "a").read_bytes() == b"3"
        assert (here.root / "new/file").exists()
        assert not (here.root / "d").exists()
        assert clean(here)

    def test_nothing_new(self, here: Repository) -> None:
        """Says so, and changes nothing."""
        before = snapshot(here)
        assert pull(here).up_to_date
        assert snapshot(here) == before

    def test_being_ahead_is_up_to_date(self, here: Repository) -> None:
        """Commits to be pushed are counted."""
        add_commit(here, {b"a": b"1", b"b": b"1", b"d/c": b"1", b"mine": b"1"})
        result = pull(here)
        assert (result.up_to_date, result.ahead) == (True, 1)

    def test_local_changes_elsewhere_are_carried(self, here: Repository, hub: Repository) -> None:
        """A changed file that the pull does not touch stays as it is."""
        (here.root / "b").write_bytes(b"my work")
        add_commit(hub, {b"a": b"2", b"b": b"1", b"d/c": b"1"})
        pull(here)
        assert (here.root / "a").read_bytes() == b"2"
        assert (here.root / "b").read_bytes() == b"my work"

    def test_an_unborn_branch(self, tmp_path: Path, hub: Repository) -> None:
        """A fresh repository takes the other side's branch and files."""
        repo = make_repo(tmp_path / "fresh", origin=hub.root)
        result = pull(repo, remote="origin", branch="main")
        assert (result.old, result.new) == (None, hub.refs.read(MAIN))
        assert clean(repo)
        assert reachable(repo) == reachable(hub)

    def test_another_branch(self, here: Repository, hub: Repository) -> None:
        """``muse pull origin topic`` moves the current branch to that one."""
        base = hub.refs.read(MAIN)
        assert base is not None
        oid = add_commit(hub, {b"a": b"t"}, branch="topic", parents=(base,))
        assert pull(here, remote="origin", branch="topic").upstream == "origin/topic"
        assert here.refs.read(MAIN) == oid

    def test_a_branch_of_this_repository(self, here: Repository) -> None:
        """A branch may follow another one here; then nothing is fetched."""
        path = here.muse / "config.toml"
        path.write_text('[branch.main]\nremote = "."\nmerge = "refs/heads/topic"\n')
        base = here.refs.read(MAIN)
        assert base is not None
        oid = add_commit(here, {b"a": b"t"}, branch="topic", parents=(base,))
        result = pull(open_repo(here.root))
        assert (result.fetched, result.new) == (None, oid)
        assert clean(here)


class TestRefusals:
    """What would lose something, or make a merge behind one's back, is refused whole."""

    def test_diverged(self, here: Repository, hub: Repository) -> None:
        """Both ids, and commands for what to do; what was fetched stays."""
        theirs = add_commit(hub, {b"a": b"theirs"})
        ours = add_commit(here, {b"a": b"ours", b"b": b"1", b"d/c": b"1"})
        with pytest.raises(NonFastForwardError) as caught:
            pull(here)
        assert (caught.value.ours, caught.value.theirs) == (ours, theirs)
        assert "muse switch -C main origin/main" in caught.value.hint
        assert here.refs.read(MAIN) == ours
        assert here.refs.read("refs/remotes/origin/main") == theirs

    def test_files_in_the_way(self, here: Repository, hub: Repository) -> None:
        """A changed file and an untracked one are named; nothing moves, and a later pull does."""
        (here.root / "a").write_bytes(b"my work")
        (here.root / "new").write_bytes(b"mine too")
        old = here.refs.read(MAIN)
        add_commit(hub, {b"a": b"2", b"b": b"2", b"d/c": b"1", b"new": b"theirs"})
        with pytest.raises(ConflictError) as caught:
            pull(here)
        assert set(caught.value.paths) == {b"a", b"new"}
        assert here.refs.read(MAIN) == old
        assert (here.root / "a").read_bytes() == b"my work"
        assert (here.root / "b").read_bytes() == b"1"
        (here.root / "a").write_bytes(b"1")
        (here.root / "new").unlink()
        assert pull(here).files == 3
        assert clean(here)

    def test_nothing_to_follow(self, tmp_path: Path, here: Repository, hub: Repository) -> None:
        """No upstream, no branch of that name there, a detached HEAD, no working tree."""
        repo = make_repo(tmp_path / "fresh", origin=hub.root)
        with pytest.raises(UsageError) as caught:
            pull(repo)
        assert "muse pull origin main" in caught.value.hint
        with pytest.raises(RefNotFoundError, match="nowhere"):
            pull(here, remote="origin", branch="nowhere")
        with here.transaction("test") as tx:
            tx.set_head(commit=here.refs.read(MAIN), log="test")
        with pytest.raises(UsageError, match="not on a branch"):
            pull(here)
        bare = make_repo(tmp_path / "bare", bare=True)
        add_remote(bare, "origin", str(hub.root))
        with pytest.raises(UsageError, match="bare"):
            pull(bare, remote="origin", branch="main")

    def test_cancelling_and_going_on(self, here: Repository, hub: Repository) -> None:
        """Stopped among the files, the same pull finishes."""
        add_commit(hub, files_of(40))

        def stop(progress: TransferProgress) -> None:
            if progress.phase == "checkout" and progress.objects == 20:
                raise KeyboardInterrupt

        old = here.refs.read(MAIN)
        with pytest.raises(KeyboardInterrupt):
            pull(here, progress=stop)
        assert here.refs.read(MAIN) == old
        pull(open_repo(here.root))
        assert clean(here)

    def test_a_branch_that_moves_meanwhile(self, here: Repository, hub: Repository) -> None:
        """A commit that is made here during the fetch is not lost."""
        add_commit(hub, {b"a": b"theirs"})
        made: list[ObjectId] = []

        def meanwhile(progress: TransferProgress) -> None:
            if not made:
                made.append(add_commit(here, {b"a": b"1", b"b": b"1", b"d/c": b"1", b"m": b"1"}))

        with pytest.raises(NonFastForwardError):
            pull(here, progress=meanwhile)
        assert here.refs.read(MAIN) == made[0]

    def test_their_branch_is_gone(self, here: Repository, hub: Repository) -> None:
        """With ``--prune`` the branch that we follow may vanish: said, and ours stays."""
        from muse.ops.fetch import FetchOptions

        set_ref(hub, "refs/heads/other", hub.refs.read(MAIN))
        set_ref(hub, MAIN, None)
        with pytest.raises(RefNotFoundError):
            pull(here, options=FetchOptions(prune=True))
        assert here.refs.read(MAIN) is not None
