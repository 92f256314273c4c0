"""The doctor asks other repositories: remotes of every kind, and what the user names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muse.core.errors import RefNotFoundError
from muse.core.journal import checkpoint
from muse.core.paths import muse_dir
from muse.core.repo import Repository, open_repo
from muse.core.types import ObjectId, Progress, RawId, from_raw
from muse.core.verify import VerifyReport, verify_store
from muse.ops.doctor import DoctorResult, doctor
from muse.ops.init import init
from muse.ops.push import push
from muse.ops.remote import add_remote
from tests.core.repos import commit_files
from tests.core.verify_runs import FAULTS, VICTIMS, fill, find_victim, locate, pack_all
from tests.remotes.fake_ssh import fake_ssh

MEDIA = ("path", "ssh", "store")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits and no journal."""
    return settled(fill(tmp_path / "repo"))


def settled(repo: Repository) -> Repository:
    """Retire the journal, which would repair what is planted."""
    checkpoint(repo.root)
    return open_repo(repo.root)


def with_remote(
    repo: Repository, medium: str, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> Repository:
    """Push everything to a remote of that kind."""
    address = {"path": str(hub), "ssh": f"there:{hub}", "store": f"store://{hub}"}[medium]
    if medium == "store":
        hub.mkdir()
    else:
        init(hub, bare=True)
    if medium == "ssh":
        monkeypatch.setenv("MUSE_SSH", fake_ssh())
    add_remote(repo, "origin", address)
    push(repo, remote="origin", branches=["main"])
    return settled(repo)


def plant(repo: Repository, victim: str, form: str, fault: str) -> None:
    """Damage one object that HEAD needs."""
    raw, _ = find_victim(repo, victim)
    if form == "packed":
        pack_all(repo, apart=raw)
    FAULTS[fault](*locate(repo, raw))


def fix(root: Path, *sources: str) -> DoctorResult:
    """Let the doctor do what it can."""
    return doctor(open_repo(root), fix=True, sources=sources)


class TestRemotes:
    """A remote has it: it comes back, whatever lies between (G15)."""

    @pytest.mark.parametrize("medium", MEDIA)
    @pytest.mark.parametrize("victim", VICTIMS)
    @pytest.mark.parametrize(("form", "fault"), [("loose", "missing"), ("packed", "zeros")])
    def test_brings_it_back(
        self,
        repo: Repository,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        medium: str,
        victim: str,
        form: str,
        fault: str,
    ) -> None:
        """It is proposed with the remote's name, nothing is done unasked, then all is whole."""
        repo = with_remote(repo, medium, tmp_path / "hub", monkeypatch)
        plant(repo, victim, form, fault)
        planned = doctor(open_repo(repo.root))
        assert any("from the remote 'origin'" in remedy.action for remedy in planned.curable)
        assert not verify_store(repo.root).is_whole, "a dry run repaired something"
        result = fix(repo.root)
        assert result.is_well, result
        assert verify_store(repo.root).is_whole

    @pytest.mark.parametrize("medium", MEDIA)
    def test_everything_at_once(
        self, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, medium: str
    ) -> None:
        """All objects and notes are lost: a history of any length comes back in one round."""
        for number in range(20):
            commit_files(repo, {b"readme": b"%d\n" % number})
        repo = with_remote(repo, medium, tmp_path / "hub", monkeypatch)
        for folder in ("objects", "cache"):
            for path in (muse_dir(repo.root) / folder).rglob("*"):
                if path.is_file():
                    path.unlink()
        (repo.root / "staged.txt").write_bytes(b"staged\n")
        looks: list[Path] = []

        def verify_and_count(
            root: Path, *, overlay: dict[RawId, bytes], limit: int, progress: Progress | None
        ) -> VerifyReport:
            looks.append(root)
            return verify_store(root, overlay=overlay, limit=limit, progress=progress)

        monkeypatch.setattr("muse.ops.doctor.verify_store", verify_and_count)
        fix(repo.root)
        assert verify_store(repo.root).is_whole
        assert len(looks) <= 3

    def test_a_remote_that_is_damaged_alike(
        self, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its bytes are not taken: the loss is told, with who was asked."""
        repo = with_remote(repo, "path", tmp_path / "hub", monkeypatch)
        raw, _ = find_victim(repo, "blob")
        for root in (repo.root, tmp_path / "hub"):
            FAULTS["bit flip in the bytes"](*locate(settled(open_repo(root)), raw))
        result = fix(repo.root)
        [remedy] = result.remaining
        assert "nor in the remote 'origin'" in remedy.way_out
        assert "muse doctor --fix --from" in remedy.way_out

    def test_a_gap_there_keeps_nothing_else_away(
        self, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The remote lacks one object below what it has: the others come all the same."""
        repo = with_remote(repo, "path", tmp_path / "hub", monkeypatch)
        blob, tree = find_victim(repo, "blob")[0], find_victim(repo, "tree")[0]
        root = repo.commit(find_commit(repo)).tree
        for raw in (blob, tree, root):
            FAULTS["missing"](*locate(repo, raw))
        FAULTS["missing"](*locate(settled(open_repo(tmp_path / "hub")), blob))
        result = fix(repo.root)
        assert [from_raw(blob)] == [r.finding and r.finding.oid for r in result.remaining]

    def test_one_that_cannot_be_reached_is_told(self, repo: Repository, tmp_path: Path) -> None:
        """The loss remains, and a note says which remote did not answer, and why."""
        add_remote(repo, "gone", str(tmp_path / "nowhere"))
        settled(repo)
        plant(repo, "blob", "loose", "missing")
        result = fix(repo.root)
        assert len(result.remaining) == 1
        assert "gone" not in result.remaining[0].way_out
        assert any("remote 'gone' could not be asked" in note.problem for note in result.notes)

    def test_nobody_is_asked_for_nothing(self, repo: Repository, tmp_path: Path) -> None:
        """A whole repository is examined without a word to its remotes."""
        add_remote(repo, "gone", str(tmp_path / "nowhere"))
        result = doctor(settled(repo))
        assert result.is_well
        assert result.notes == ()


class TestFrom:
    """``--from`` names a place that no setting knows."""

    def test_a_clone_by_its_path(self, repo: Repository, tmp_path: Path) -> None:
        """Its copy is used, and the damaged file is kept."""
        backup = settled(fill(tmp_path / "backup"))
        assert backup.refs.read("refs/heads/main")
        plant(repo, "blob", "loose", "zeros")
        damaged = locate(repo, find_victim(repo, "blob")[0])[0].read_bytes()
        assert not fix(repo.root).is_well
        result = fix(repo.root, str(backup.root))
        assert result.is_well
        assert str(backup.root) in result.fixed[0].action
        assert result.quarantine is not None
        kept = [path.read_bytes() for path in result.quarantine.rglob("*") if path.is_file()]
        assert kept == [damaged]

    def test_a_name_that_nobody_knows(self, repo: Repository) -> None:
        """A word that is neither a remote nor an address is an error, and nothing is done."""
        with pytest.raises(RefNotFoundError):
            fix(repo.root, "backup")

    def test_the_named_come_first(
        self, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the user names is asked before the remotes."""
        repo = with_remote(repo, "path", tmp_path / "hub", monkeypatch)
        other = settled(fill(tmp_path / "other"))
        plant(repo, "tree", "loose", "missing")
        result = fix(repo.root, os.fspath(other.root))
        assert os.fspath(other.root) in result.fixed[0].action


def find_commit(repo: Repository) -> ObjectId:
    """Return the id of HEAD's commit."""
    commit = repo.head().commit
    assert commit is not None
    return commit
