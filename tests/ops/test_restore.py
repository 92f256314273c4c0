"""Giving up changes: what git restores is restored, and every lost byte is in the trash first."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.errors import ConflictError, MuseError, PathNotFoundError, UsageError
from muse.core.object_store import ObjectStore
from muse.core.repo import Repository, open_repo
from muse.core.stage import read_stage
from muse.core.trash import read_entry, read_trash
from muse.ops.add import add
from muse.ops.commit import commit
from muse.ops.restore import discard, restore
from muse.ops.status import read_status
from muse.ops.undo import undo
from tests.conftest import Run
from tests.crash.harness import DONE, KILLED, every_fault
from tests.ops.states import WHO, make_repo, read_files, read_state, write


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Two commits, then a staged, an unstaged, a mixed, a removed and an untracked file."""
    made = make_repo(tmp_path / "repo")
    write(made.root, {"staged": "0", "plain": "0", "mixed": "0", "gone": "0", "d/x": "0"})
    commit(made, message="first", committer=WHO)
    write(made.root, {"staged": "1", "plain": "1", "mixed": "1", "d/x": "1", "d/y": "1"})
    commit(made, message="second", committer=WHO)
    write(made.root, {"staged": "2", "mixed": "2", "fresh": "2"})
    add(made, [b"staged", b"mixed", b"fresh"])
    write(made.root, {"plain": "3", "mixed": "3", "d/new": "3", "notes": "3"})
    (made.root / "gone").unlink()
    return made


def text(repo: Repository, name: str) -> str | None:
    """Return a file's text; None when it is not there."""
    path = repo.root / name
    return path.read_text() if path.exists() else None


class TestFiles:
    def test_back_to_what_is_staged(self, repo: Repository) -> None:
        """Without a source, files go back to the stage, and what they held is in the trash."""
        result = restore(repo, [b"mixed", b"plain", b"gone"])
        assert [text(repo, n) for n in ("mixed", "plain", "gone")] == ["2", "1", "0"]
        assert result.restored == (b"gone", b"mixed", b"plain")
        assert result.trash is not None
        entry = read_entry(repo.root, result.trash)
        held = {item.path: repo.objects.read(item.was[1])[1] for item in entry.items if item.was}
        assert held == {b"mixed": b"3", b"plain": b"3"}
        undo(repo)
        assert [text(repo, n) for n in ("mixed", "plain", "gone")] == ["3", "3", None]

    def test_untracked_files_stay_unless_told(self, repo: Repository) -> None:
        """A folder is restored without its untracked files; discard takes those too."""
        restore(repo, [b""])
        assert text(repo, "notes") == "3"
        assert text(repo, "d/new") == "3"
        result = discard(repo, [b"d", b"notes"])
        assert result.removed == (b"d/new", b"notes")
        assert text(repo, "notes") is None
        undo(repo)
        assert text(repo, "notes") == "3"
        with pytest.raises(PathNotFoundError, match="not tracked") as caught:
            restore(repo, [b"notes"])
        assert "--untracked" in caught.value.hint

    def test_from_another_commit(self, repo: Repository) -> None:
        """With a source, files become what they were there; what it lacks is removed."""
        restore(repo, [b"d", b"plain"], source="HEAD~1")
        assert text(repo, "d/x") == "0"
        assert text(repo, "d/y") is None
        assert text(repo, "d/new") == "3"
        assert text(repo, "plain") == "0"

    def test_staged_alone_touches_no_file(self, repo: Repository) -> None:
        """--staged takes changes off the stage; with a source it stages what was there."""
        files = read_files(repo.root)
        result = restore(repo, [b"staged", b"fresh"], staged=True, worktree=False)
        assert result.unstaged == (b"fresh", b"staged")
        assert set(read_stage(repo.root)) == {b"mixed"}
        restore(repo, [b"plain"], staged=True, worktree=False, source="HEAD~1")
        assert b"plain" in read_stage(repo.root)
        assert read_files(repo.root) == files

    def test_everything_as_committed(self, repo: Repository) -> None:
        """Discard with the stage leaves a clean tree, and undo brings all of it back."""
        before = read_state(repo)
        discard(repo, [b""], staged=True)
        assert read_status(repo).status.is_clean
        undo(repo)
        assert read_state(repo) == before

    def test_a_folder_in_a_files_place(self, repo: Repository) -> None:
        """Untracked files in the way of a tracked one are named, or given up with it."""
        (repo.root / "plain").unlink()
        write(repo.root, {"plain/inner": "mine"})
        before = read_state(repo)
        with pytest.raises(ConflictError) as caught:
            restore(repo, [b"plain"])
        assert caught.value.paths == (b"plain/inner",)
        assert read_state(repo) == before
        discard(repo, [b"plain"])
        assert text(repo, "plain") == "1"
        undo(repo)
        assert read_state(repo) == before

    def test_a_link_is_not_followed(self, repo: Repository, tmp_path: Path) -> None:
        """Files behind a link are neither read into the trash nor overwritten (G11)."""
        outside = tmp_path / "outside"
        (repo.root / "d").rename(outside)
        (repo.root / "d").symlink_to(outside)
        with pytest.raises(ConflictError):
            restore(repo, [b"d/x"])
        assert sorted(os.listdir(outside)) == ["new", "x", "y"]
        discard(repo, [b"d"])
        assert sorted(os.listdir(outside)) == ["new", "x", "y"]
        assert text(repo, "d/x") == "1"
        assert not (repo.root / "d").is_symlink()

    def test_patterns_and_unknown_paths(self, repo: Repository) -> None:
        """A pattern chooses among files; a path that names nothing is an error."""
        restore(repo, [b"*a*n"])
        assert text(repo, "plain") == "1"
        for paths, error in (([b"nosuch"], PathNotFoundError), ([], UsageError)):
            with pytest.raises(error):
                restore(repo, paths)
        with pytest.raises(PathNotFoundError):
            restore(repo, [b"plain", b"nosuch"])

    def test_nothing_to_do(self, repo: Repository) -> None:
        """Restoring what is as it should be writes no trash and no operation."""
        result = restore(repo, [b"d/x"])
        assert (result.restored, result.trash) == ((), None)
        assert read_trash(repo.root) == []

    def test_a_nested_repository_is_left_alone(self, repo: Repository) -> None:
        """Discarding everything does not reach into another repository."""
        make_repo(repo.root / "nested")
        write(repo.root / "nested", {"f": "precious"})
        discard(repo, [b""], staged=True)
        assert text(repo, "nested/f") == "precious"


@pytest.mark.crash
def test_killed_at_every_call_no_byte_is_lost(repo: Repository, tmp_path: Path) -> None:
    """G12: each file still has what it held, or a trash entry names it, durable and whole."""
    base, work = repo.root, tmp_path / "work"
    before = read_files(base)
    outcomes = set()

    def give_up(root: Path) -> None:
        made = open_repo(root)
        made.identity = lambda: WHO
        discard(made, [b""], staged=True)

    for number, outcome in every_fault(base, work, give_up, stride=2):
        outcomes.add(outcome)
        again = open_repo(work)
        store = ObjectStore(work)
        kept = {
            (os.fsdecode(item.path), store.read(item.was[1])[1])
            for entry in read_trash(work)
            for item in entry.items
            if item.was is not None
        }
        found = read_files(work)
        for path, (kind, data) in before.items():
            is_there = found.get(path) == (kind, data)
            assert is_there or (path, data) in kept, f"{path} lost at call {number}"
        give_up(work)
        assert read_status(again).status.is_clean, f"killed at call {number}"
    assert outcomes == {DONE, KILLED}


PATHS = ("a", "d/x", "d/y", "e")
edits = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["1", "2", None]), max_size=4)


@given(
    second=edits,
    staged=edits,
    work=edits,
    arguments=st.sampled_from(
        [
            ["."],
            ["d"],
            ["a", "e"],
            ["--staged", "."],
            ["--staged", "--worktree", "."],
            ["--source=HEAD~1", "."],
            ["--source=HEAD~1", "--staged", "d"],
            ["--source=HEAD~1", "--staged", "--worktree", "."],
        ]
    ),
)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_it_restores_what_git_restores(
    git: Run,
    second: dict[str, str | None],
    staged: dict[str, str | None],
    work: dict[str, str | None],
    arguments: list[str],
) -> None:
    """Files and stage are the same as after ``git restore`` with the same arguments."""
    with tempfile.TemporaryDirectory() as folder:
        repo = make_repo(Path(folder, "muse"))
        gits = Path(folder, "gits")
        gits.mkdir()
        git("init", "-q", "--object-format=sha256", cwd=gits)
        first: dict[str, str | None] = dict.fromkeys(PATHS, "0")
        for changes, recorded in ((first, "commit"), (second, "commit"), (staged, "add")):
            for place in (repo.root, gits):
                _edit(place, changes)
            git("add", "-A", cwd=gits)
            add(repo, [b""])
            if recorded == "commit":
                git("commit", "-q", "--allow-empty", "-m", "x", cwd=gits)
                commit(repo, message="x", committer=WHO, allow_empty=True)
        for place in (repo.root, gits):
            _edit(place, work)
        is_accepted = git("restore", *arguments, cwd=gits, check=False).returncode == 0
        paths = [a.encode().removeprefix(b".") for a in arguments if not a.startswith("-")]
        source = "HEAD~1" if "--source=HEAD~1" in arguments else None
        is_staged = "--staged" in arguments
        try:
            restore(
                repo,
                paths,
                source=source,
                staged=is_staged,
                worktree=not is_staged or "--worktree" in arguments,
            )
        except MuseError:
            assert not is_accepted
            return
        if is_accepted:
            assert read_files(repo.root) == _without_git(gits)
            listed = git("diff", "--cached", "--name-only", "-z", "--no-renames", cwd=gits).stdout
            assert sorted(read_stage(repo.root)) == sorted(listed.split(b"\0")[:-1])


def _edit(root: Path, changes: dict[str, str | None]) -> None:
    for name, content in changes.items():
        path = root / name
        if content is None:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)


def _without_git(root: Path) -> dict[str, tuple[str, bytes]]:
    found = read_files(root)
    return {path: entry for path, entry in found.items() if not path.startswith(".git/")}
