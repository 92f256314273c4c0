"""Every operation can be taken back, and done again, to the last byte (G12)."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.errors import ConflictError, MuseError, RefChangedError
from muse.core.operations import read_operations
from muse.core.refs import HEADS, REMOTES
from muse.core.repo import Repository
from muse.core.types import ObjectId, from_raw
from muse.ops.add import add
from muse.ops.branch import create_branch, delete_branches, rename_branch, set_upstream
from muse.ops.branch_config import branch_settings
from muse.ops.commit import commit
from muse.ops.mv import move
from muse.ops.reset import reset
from muse.ops.restore import discard, restore
from muse.ops.rm import remove
from muse.ops.switch import switch
from muse.ops.tag import create_tag, delete_tags
from muse.ops.undo import StepState, read_steps, redo, undo
from tests.ops.states import WHO, make_repo, read_state, write

PATHS = ("a", "b", "d/x", "d/y", "d/e/z", "d/e")
Action = Callable[[Repository], object]


def commit_all(repo: Repository, message: str = "x") -> None:
    """Commit what is staged, or everything."""
    commit(repo, message=message, committer=WHO)


actions: st.SearchStrategy[Action] = st.one_of(
    st.sampled_from(PATHS).map(lambda path: lambda repo: add(repo, [path.encode()])),
    st.just(lambda repo: add(repo, [b""])),
    st.just(commit_all),
    st.just(lambda repo: commit(repo, message="am", committer=WHO, amend=True)),
    st.just(reset),
    st.sampled_from(["one", "two", "main"]).map(lambda name: lambda repo: switch(repo, name)),
    st.sampled_from(["one", "two"]).map(lambda name: lambda repo: switch(repo, name, create=True)),
    st.just(lambda repo: switch(repo, "HEAD~1", detach=True)),
    st.just(lambda repo: switch(repo, "-")),
    st.just(lambda repo: create_branch(repo, "one", force=True)),
    st.just(lambda repo: delete_branches(repo, ["two"], force=True)),
    st.just(lambda repo: rename_branch(repo, "one", "two/three")),
    st.just(lambda repo: create_tag(repo, "t", message="m", tagger=WHO)),
    st.just(lambda repo: delete_tags(repo, ["t"])),
    st.sampled_from([b"a", b"d", b""]).map(lambda path: lambda repo: restore(repo, [path])),
    st.sampled_from([b"a", b"d", b""]).map(lambda path: lambda repo: discard(repo, [path])),
    st.just(lambda repo: discard(repo, [b""], staged=True)),
    st.just(lambda repo: restore(repo, [b""], staged=True, worktree=False)),
    st.just(lambda repo: restore(repo, [b"d"], source="HEAD~1", staged=True)),
    st.sampled_from([b"a", b"d"]).map(
        lambda path: lambda repo: remove(repo, [path], recursive=True, force=True)
    ),
    st.just(lambda repo: remove(repo, [b"a"], cached=True)),
    st.sampled_from([b"b", b"d/moved"]).map(
        lambda path: lambda repo: move(repo, [b"a"], path, force=True)
    ),
)


def edit(root: Path, path: str, text: str | None) -> None:
    """Change a file behind Muse's back, as people do; None deletes."""
    full = root / path
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        shutil.rmtree(full) if full.is_dir() else full.unlink()
    if text is not None:
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text)
            full.chmod(0o755 if text == "2" else 0o644)


edits = st.lists(
    st.tuples(st.sampled_from(PATHS), st.sampled_from(["1", "2", "3", None])), max_size=3
)


@given(steps=st.lists(st.tuples(edits, actions), min_size=1, max_size=8))
@settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_undo_brings_back_everything_and_redo_repeats_it(
    steps: list[tuple[list[tuple[str, str | None]], Action]],
) -> None:
    """After any operation, undo gives the refs, HEAD, stage and files of before; redo of after."""
    with tempfile.TemporaryDirectory() as folder:
        repo = make_repo(Path(folder))
        write(repo.root, {"a": "0", "d/x": "0", "d/e/z": "0"})
        commit_all(repo)
        write(repo.root, {"a": "1", "d/y": "0"})
        commit_all(repo)
        for changes, action in steps:
            for path, text in changes:
                edit(repo.root, path, text)
            before = read_state(repo)
            known = len(read_operations(repo.root))
            try:
                action(repo)
            except MuseError:
                assert read_state(repo) == before
                continue
            after = read_state(repo)
            if len(read_operations(repo.root)) == known:
                assert after == before
                continue
            undo(repo)
            assert read_state(repo) == before
            redo(repo)
            assert read_state(repo) == after


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Two commits on main."""
    made = make_repo(tmp_path)
    write(made.root, {"a": "one\n", "d/x": "x\n"})
    commit_all(made, "first")
    write(made.root, {"a": "two\n"})
    commit_all(made, "second")
    return made


class TestWhatBranchesFollow:
    def test_a_rename_and_a_deletion_give_the_upstream_back(self, repo: Repository) -> None:
        """What a branch follows goes with its name, and comes back with it; so forward again."""
        create_branch(repo, "side")
        create_branch(repo, "other")
        set_upstream(repo, "other", "main")
        follows = branch_settings(repo, "other")
        assert follows == {"remote": ".", "merge": "refs/heads/main"}
        rename_branch(repo, "other", "new")
        assert branch_settings(repo, "new") == follows
        undo(repo)
        assert (branch_settings(repo, "other"), branch_settings(repo, "new")) == (follows, {})
        redo(repo)
        assert (branch_settings(repo, "other"), branch_settings(repo, "new")) == ({}, follows)
        delete_branches(repo, ["new"])
        assert branch_settings(repo, "new") == {}
        undo(repo)
        assert branch_settings(repo, "new") == follows

    def test_what_was_set_since_stays(self, repo: Repository) -> None:
        """Settings that somebody changed after the operation are not overwritten by its undo."""
        create_branch(repo, "other")
        set_upstream(repo, "other", "main")
        delete_branches(repo, ["other"])
        path = repo.config.path
        assert path is not None
        text = path.read_text() + '\n[branch.other]\nremote = "elsewhere"\n'
        path.write_text(text.replace("[branch.other]\n\n", "", 1))
        undo(repo)
        assert branch_settings(repo, "other") == {"remote": "elsewhere"}


class TestOrder:
    def test_back_to_the_beginning_and_forward_again(self, repo: Repository) -> None:
        """Undo goes further back each time, redo further forward, until there is no more."""
        states = [read_state(repo)]
        add(repo, [b""])
        write(repo.root, {"n": "new\n"})
        add(repo, [b"n"])
        states.append(read_state(repo))
        commit_all(repo, "third")
        states.append(read_state(repo))
        switch(repo, "side", create=True)
        states.append(read_state(repo))
        for wanted in reversed(states[:-1]):
            undo(repo)
            assert read_state(repo)[:2] == wanted[:2]
        undo(repo)
        undo(repo)
        with pytest.raises(MuseError, match="nothing to undo"):
            undo(repo)
        assert repo.refs.read("refs/heads/main") is None
        for _ in range(5):
            redo(repo)
        assert read_state(repo) == states[-1]
        with pytest.raises(MuseError, match="nothing to do again"):
            redo(repo)

    def test_something_new_ends_what_can_be_done_again(self, repo: Repository) -> None:
        """After undo and a new operation, redo has nothing left."""
        create_branch(repo, "one")
        undo(repo)
        create_branch(repo, "two")
        with pytest.raises(MuseError, match="nothing to do again"):
            redo(repo)
        assert repo.refs.read("refs/heads/one") is None

    def test_the_list_says_what_is_next(self, repo: Repository) -> None:
        """Undone operations stand on top, those to be undone below, newest first."""
        create_branch(repo, "one")
        create_branch(repo, "two")
        undo(repo)
        steps = read_steps(repo)
        assert [step.state for step in steps][:2] == [StepState.UNDONE, StepState.DONE]
        assert [step.operation.summary.split(" at")[0] for step in steps][:2] == [
            "branch: two",
            "branch: one",
        ]
        undo(repo, operation=steps[1].operation.id[:6])
        with pytest.raises(MuseError, match="is not the operation"):
            undo(repo, operation="ffffff")


class TestCommit:
    def test_what_was_staged_is_staged_again(self, repo: Repository) -> None:
        """Undo of a commit leaves the files alone and puts the stage back."""
        write(repo.root, {"a": "three\n"})
        add(repo, [b"a"])
        before = read_state(repo)
        commit_all(repo, "third")
        write(repo.root, {"a": "four\n"})
        undo(repo)
        after = read_state(repo)
        assert after.stage == before.stage
        assert after.refs == before.refs
        assert after.files["a"] == ("file", b"four\n")


class TestRefusals:
    def test_a_ref_that_moved_since_stays(self, repo: Repository) -> None:
        """A branch that something else moved is not put back over it."""
        create_branch(repo, "one")
        first = repo.commit(repo.refs.read("refs/heads/one") or ObjectId("")).parents[0]
        (repo.root / ".muse/refs/heads/one").write_text(f"{from_raw(first)}\n")
        with pytest.raises(RefChangedError, match="refs/heads/one"):
            undo(repo)
        assert repo.refs.read("refs/heads/one") == from_raw(first)

    def test_a_file_changed_since_is_not_overwritten(self, repo: Repository) -> None:
        """Taking back a discard would overwrite what was typed since: it is refused whole."""
        write(repo.root, {"a": "lost\n", "d/x": "lost too\n"})
        discard(repo, [b""])
        write(repo.root, {"a": "typed since\n"})
        before = read_state(repo)
        with pytest.raises(ConflictError) as caught:
            undo(repo)
        assert caught.value.paths == (b"a",)
        assert read_state(repo) == before
        (repo.root / "a").unlink()
        with pytest.raises(ConflictError):
            undo(repo)

    def test_a_push_is_final_until_told_otherwise(self, repo: Repository) -> None:
        """What others may have is not taken back by a keystroke, but by its name, here alone."""
        head = repo.head().commit
        assert head is not None
        with repo.transaction("push", summary="push to origin") as tx:
            tx.set_ref(REMOTES + "origin/main", head, old=None, log="push")
        with pytest.raises(MuseError, match="push") as caught:
            undo(repo)
        assert "here alone" in caught.value.hint
        last = next(step for step in read_steps(repo) if step.state is StepState.DONE)
        result = undo(repo, operation=last.operation.id[:8])
        assert result.pushed == ("origin/main",)
        assert repo.refs.read(REMOTES + "origin/main") == head
        assert repo.refs.read(HEADS + "main") != head

    def test_a_stage_changed_behind_our_back(self, repo: Repository) -> None:
        """A stage that is not what the operation left is not thrown away."""
        write(repo.root, {"a": "three\n"})
        add(repo, [b"a"])
        stage = repo.root / ".muse/code/stage.msgpack"
        data = stage.read_bytes()
        add(repo, [b"a"])
        write(repo.root, {"d/x": "y\n"})
        add(repo, [b"d/x"])
        stage.write_bytes(data)
        with pytest.raises(MuseError, match="stage was changed"):
            undo(repo)


def test_a_fetch_is_no_step(repo: Repository) -> None:
    """Undo looks past what changes nothing here."""
    head = repo.head().commit
    with repo.transaction("fetch") as tx:
        tx.set_ref(REMOTES + "origin/main", head, old=None, log="fetch")
    assert undo(repo).operation.name == "commit"


def test_a_log_that_is_gone_leaves_nothing_to_undo(repo: Repository) -> None:
    """The operation log is a convenience: without it everything else works."""
    os.unlink(repo.root / ".muse/logs/operations")
    with pytest.raises(MuseError, match="nothing to undo"):
        undo(repo)
    assert read_steps(repo) == []
