"""The doctor on what is neither object nor name: folders, the lock, logs, records."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from muse.core.checkout_record import checkout_record_path
from muse.core.errors import MuseError
from muse.core.journal import checkpoint
from muse.core.operations import operations_path
from muse.core.paths import lock_path, logs_dir, muse_dir, refs_dir, shallow_path
from muse.core.reflog import reflog_path
from muse.core.repo import Repository, open_repo
from muse.core.types import from_raw, raw_object_id
from muse.core.verify import MAX_FINDINGS, verify_store
from muse.ops.clone import CloneOptions, clone
from muse.ops.doctor import DoctorResult, doctor
from muse.ops.init import init
from tests.core.repos import MAIN, commit_files
from tests.core.verify_runs import fill, snapshot


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits, something staged, and no journal."""
    repo = fill(tmp_path / "repo")
    checkpoint(repo.root)
    return open_repo(repo.root)


def fix(repo: Repository) -> DoctorResult:
    """Look without a change, then let the doctor do what it says."""
    before = snapshot(repo.root)
    planned = doctor(open_repo(repo.root, do_sweep=False))
    assert snapshot(repo.root) == before
    result = doctor(open_repo(repo.root), fix=True)
    assert [r.problem for r in planned.curable] == [r.problem for r in result.fixed]
    return result


class TestWhatStandsInTheWay:
    """A file where a folder belongs stops writers: it goes to the quarantine, and they go on."""

    @pytest.mark.parametrize(
        "name", ["journal", "tmp", "cache", "health", "trash", "jobs", "drafts", "objects/pack"]
    )
    def test_a_file_for_a_folder(self, repo: Repository, name: str) -> None:
        """It is named, moved and kept, and a commit works again (G5)."""
        path = muse_dir(repo.root) / name
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"whatever this was")
        result = fix(repo)
        assert result.is_well
        assert name in result.fixed[0].problem
        assert result.quarantine is not None
        assert (result.quarantine / name).read_bytes() == b"whatever this was"
        commit_files(open_repo(repo.root), {b"x": b"x"})
        assert verify_store(repo.root).is_whole

    def test_a_folder_for_the_lock(self, repo: Repository) -> None:
        """No command could take the lock, the doctor's own included."""
        lock_path(repo.root).unlink(missing_ok=True)
        lock_path(repo.root).mkdir()
        with pytest.raises(MuseError):
            commit_files(repo, {b"x": b"x"})
        assert fix(repo).is_well
        commit_files(open_repo(repo.root), {b"x": b"x"})


class TestNamesThatAreGone:
    """Refs and logs, alone and together."""

    def test_a_branch_with_its_reflog(self, repo: Repository) -> None:
        """The operation log still knows where it was."""
        value = repo.refs.read(MAIN)
        repo.refs.path(MAIN).unlink()
        reflog_path(repo.root, MAIN).unlink()
        reflog_path(repo.root, "HEAD").unlink()
        result = fix(repo)
        assert result.is_well
        assert "by the operation log" in result.fixed[0].problem
        assert repo.refs.read(MAIN) == value

    def test_a_branch_that_was_deleted(self, repo: Repository) -> None:
        """What a command deleted is not missed."""
        with repo.transaction("branch") as tx:
            tx.set_ref("refs/heads/topic", repo.refs.read(MAIN), old=None, log="x")
        with repo.transaction("branch") as tx:
            tx.set_ref("refs/heads/topic", None, old=repo.refs.read(MAIN), log="x")
        assert doctor(open_repo(repo.root)).is_well

    def test_everything_that_names(self, repo: Repository) -> None:
        """No ref and no log is left: the end of history is named, and the hint brings it back."""
        value = repo.refs.read(MAIN)
        shutil.rmtree(refs_dir(repo.root))
        shutil.rmtree(logs_dir(repo.root))
        result = doctor(open_repo(repo.root))
        [note] = [note for note in result.notes if "No branch leads" in note.problem]
        assert str(value) in note.problem
        assert f"muse branch -f <name> {value}" in note.way_out

    @pytest.mark.parametrize("content", [b"", None])
    def test_logs(self, repo: Repository, content: bytes | None) -> None:
        """A reflog or an operation log that is gone is told of; nothing is damaged by it."""
        for path in (reflog_path(repo.root, MAIN), operations_path(repo.root)):
            path.unlink() if content is None else path.write_bytes(content)
        result = doctor(open_repo(repo.root))
        assert result.is_well
        said = " ".join(note.problem for note in result.notes)
        assert "main has no reflog" in said
        assert "operation log" in said
        assert "is empty" in said

    def test_a_new_repository_misses_nothing(self, tmp_path: Path) -> None:
        """Without a commit there is no note."""
        init(tmp_path / "new")
        assert doctor(open_repo(tmp_path / "new")).notes == ()


class TestRecords:
    """Small records that are neither refs nor logs."""

    @pytest.mark.parametrize("content", [b"", b"nonsense"])
    def test_of_a_switch(self, repo: Repository, content: bytes) -> None:
        """One that nobody can read is kept aside, and no file changes."""
        path = checkout_record_path(repo.root)
        path.write_bytes(content)
        result = fix(repo)
        assert result.is_well
        assert not path.exists()
        assert result.quarantine is not None
        assert (result.quarantine / "code/checkout.msgpack").read_bytes() == content

    def test_of_where_history_ends(self, repo: Repository) -> None:
        """With all history here it ends nowhere: what cannot be read is kept aside."""
        shallow_path(repo.root).write_bytes(b"nonsense\n")
        assert fix(repo).is_well
        assert not shallow_path(repo.root).exists()

    def test_of_where_history_does_end(self, repo: Repository, tmp_path: Path) -> None:
        """Where history is cut off, nobody can tell a cut from a loss: it is told, and left."""
        root = tmp_path / "cut"
        clone(str(repo.root), root, cwd=tmp_path, options=CloneOptions(depth=1))
        checkpoint(root)
        shallow_path(root).write_bytes(b"nonsense\n")
        result = doctor(open_repo(root), fix=True)
        assert any("--unshallow" in remedy.way_out for remedy in result.remaining)
        assert shallow_path(root).read_bytes() == b"nonsense\n"


def test_more_than_is_listed(repo: Repository) -> None:
    """What can be put right is found behind any number of losses."""
    contents = {b"many/%04d" % n: b"%d\n" % n for n in range(MAX_FINDINGS + 20)}
    commit_files(repo, contents)
    checkpoint(repo.root)
    for pack in repo.objects.packs():
        for raw in list(pack.ids()):
            kind, payload = repo.objects.read(raw)
            if kind != "blob":
                repo.objects.write(kind, payload)
        pack.path.unlink()
    report = verify_store(repo.root)
    assert report.left_out
    listed = {finding.oid for finding in report.findings}
    data = next(d for d in contents.values() if from_raw(raw_object_id("blob", d)) not in listed)
    (repo.root / "copy").write_bytes(data)
    result = doctor(open_repo(repo.root))
    assert [remedy.action for remedy in result.curable] == [
        "Bring it back from copy in the working tree."
    ]
    assert len(result.remaining) == len(contents) - 1
