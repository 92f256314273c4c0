"""The doctor: what a copy exists of comes back, what none exists of is told, nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from muse.cli.main import main
from muse.core.journal import checkpoint, wal_path
from muse.core.pack_format import index_path
from muse.core.paths import (
    config_path,
    head_path,
    muse_dir,
    pack_dir,
    repo_json_path,
    stage_path,
    stat_cache_path,
)
from muse.core.repo import Repository, open_repo
from muse.core.stage import read_stage
from muse.core.types import from_raw, raw_object_id
from muse.core.verify import verify_store
from muse.ops.doctor import DoctorResult, doctor
from muse.ops.init import init
from muse.ops.push import push
from muse.ops.remote import add_remote
from muse.ops.status import read_status
from tests.core.packs import patch
from tests.core.repos import MAIN, commit_files
from tests.core.verify_runs import (
    FAULTS,
    FILES,
    FORMS,
    VICTIMS,
    fill,
    find_victim,
    locate,
    pack_all,
    snapshot,
)
from tests.crash.harness import DONE, every_fault


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits, something staged, and no journal."""
    return _settled(fill(tmp_path / "repo"))


def _settled(repo: Repository) -> Repository:
    # Else the next opening repairs what was planted, from the journal.
    checkpoint(repo.root)
    return open_repo(repo.root)


def with_remote(repo: Repository, hub: Path) -> None:
    """Push everything to a bare repository that is a remote."""
    init(hub, bare=True)
    add_remote(repo, "origin", str(hub))
    push(repo, remote="origin", branches=["main"])
    _settled(repo)


def damage(root: Path) -> list[str]:
    """Return what verify calls damage, in words."""
    return [f.message for f in verify_store(root).findings if f.severity == "damage"]


def fix(root: Path) -> DoctorResult:
    """Say what is wrong without a change, then fix it; a second visit finds nothing to do."""
    before = snapshot(root)
    planned = doctor(open_repo(root, do_sweep=False))
    assert snapshot(root) == before, "a dry run wrote something"
    assert not planned.fixed
    result = doctor(open_repo(root), fix=True)
    assert not result.curable
    again = doctor(open_repo(root), fix=True)
    assert (again.fixed, again.curable, again.quarantine) == ((), (), None)
    assert len(again.remaining) == len(result.remaining)
    return result


def kept(root: Path) -> list[bytes]:
    """Return the bytes of everything in quarantine."""
    folder = muse_dir(root) / "quarantine"
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


class TestFaultMatrix:
    """Every fault that verify is tested with: repaired, or reported, and never made worse (G15)."""

    @pytest.mark.parametrize("victim", VICTIMS)
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_copy_elsewhere_comes_back(
        self, repo: Repository, tmp_path: Path, form: str, victim: str, fault: str
    ) -> None:
        """A remote has it: afterwards everything is whole, and the damaged bytes are kept."""
        with_remote(repo, tmp_path / "hub")
        raw, _ = find_victim(repo, victim)
        if form == "packed":
            pack_all(repo, apart=raw)
        path, start, end = locate(repo, raw)
        FAULTS[fault](path, start, end)
        damaged = path.read_bytes() if path.exists() else None
        assert damage(repo.root)
        result = fix(repo.root)
        assert result.is_well, result.remaining
        assert damage(repo.root) == []
        assert damaged is None or damaged in kept(repo.root)

    @pytest.mark.parametrize("victim", VICTIMS)
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_without_a_copy_it_is_told(
        self, repo: Repository, form: str, victim: str, fault: str
    ) -> None:
        """Nobody has it: the way out is said, and not a byte of the store is touched."""
        raw, _ = find_victim(repo, victim)
        if form == "packed":
            pack_all(repo, apart=raw)
        FAULTS[fault](*locate(repo, raw))
        before = snapshot(repo.root)
        found = damage(repo.root)
        result = fix(repo.root)
        assert not result.is_well
        assert all(remedy.way_out for remedy in result.remaining)
        assert damage(repo.root) == found
        after = snapshot(repo.root)
        assert {p: b for p, b in after.items() if p in before and "/logs" not in p} == {
            p: b for p, b in before.items() if "/logs" not in p
        }


class TestSources:
    """Where a copy may be."""

    @pytest.mark.parametrize("fault", ["missing", "empty", "zeros"])
    def test_the_working_tree(self, repo: Repository, fault: str) -> None:
        """A file with the bytes, wherever it stands."""
        raw = raw_object_id("blob", FILES[b"src/a.py"])
        FAULTS[fault](*locate(repo, raw))
        assert not fix(repo.root).is_well
        (repo.root / "elsewhere").mkdir()
        (repo.root / "elsewhere/copy").write_bytes(FILES[b"src/a.py"])
        result = fix(repo.root)
        assert result.is_well
        assert "elsewhere/copy" in result.fixed[0].action
        assert damage(repo.root) == []

    def test_a_file_under_a_wrong_name(self, repo: Repository) -> None:
        """Two objects that changed places go back."""
        one, two = (
            Path(repo.objects.loose_path(find_victim(repo, k)[0])) for k in ("blob", "tree")
        )
        swap = one.with_name("swap")
        one.rename(swap)
        two.rename(one)
        swap.rename(two)
        assert fix(repo.root).is_well
        assert damage(repo.root) == []

    def test_a_folder_in_its_place(self, repo: Repository, tmp_path: Path) -> None:
        """What is no file is moved to the quarantine."""
        with_remote(repo, tmp_path / "hub")
        path = Path(repo.objects.loose_path(find_victim(repo, "blob")[0]))
        path.unlink()
        path.mkdir()
        assert fix(repo.root).is_well
        assert damage(repo.root) == []

    def test_what_nothing_needs_goes_to_quarantine(self, repo: Repository) -> None:
        """A damaged object without users is out of the way, and kept."""
        raw = repo.objects.write("blob", b"nobody needs me")
        FAULTS["bit flip in the bytes"](*locate(repo, raw))
        assert fix(repo.root).is_well
        assert any(b"nobody needs" in data for data in kept(repo.root))

    def test_a_lost_shard_comes_back_in_rounds(self, repo: Repository, tmp_path: Path) -> None:
        """Commits, then their trees, then their files: everything that a remote has."""
        with_remote(repo, tmp_path / "hub")
        shutil.rmtree(muse_dir(repo.root) / "objects/sha256")
        (repo.root / "staged.txt").write_bytes(b"staged\n")
        fix(repo.root)
        assert damage(repo.root) == []


class TestNames:
    """Refs, HEAD, stage, settings."""

    @pytest.mark.parametrize("content", [b"nonsense", b"", None, b"\0" * 72])
    def test_a_branch_comes_back_from_its_log(
        self, repo: Repository, content: bytes | None
    ) -> None:
        """The branch is where it was."""
        path = repo.refs.path(MAIN)
        value = repo.refs.read(MAIN)
        path.unlink() if content is None else path.write_bytes(content)
        assert fix(repo.root).is_well
        assert repo.refs.read(MAIN) == value
        assert damage(repo.root) == []

    def test_a_branch_that_names_nothing(self, repo: Repository) -> None:
        """A value that its log has never seen, and that is nowhere, is put back."""
        value = repo.refs.read(MAIN)
        repo.refs.path(MAIN).write_text(f"sha256:{'12' * 32}\n")
        assert fix(repo.root).is_well
        assert repo.refs.read(MAIN) == value

    @pytest.mark.parametrize("content", [b"nonsense", b"", None])
    def test_head_comes_back(self, repo: Repository, content: bytes | None) -> None:
        """The branch that was checked out last, by the operation log."""
        with repo.transaction("switch") as tx:
            tx.set_ref("refs/heads/topic", repo.refs.read(MAIN), old=None, log="x")
            tx.set_head(ref="refs/heads/topic", log="switch")
        _settled(repo)
        path = head_path(repo.root)
        path.unlink() if content is None else path.write_bytes(content)
        assert fix(repo.root).is_well
        assert repo.head().branch == "topic"

    @pytest.mark.parametrize("content", [b"", b"\xff" * 80])
    def test_the_stage_comes_back(self, repo: Repository, content: bytes) -> None:
        """What was staged is staged again, and said."""
        staged = read_stage(repo.root)
        stage_path(repo.root).write_bytes(content)
        result = fix(repo.root)
        assert result.is_well
        assert "staged.txt" in result.fixed[0].action
        assert read_stage(repo.root) == staged

    def test_the_format_file_is_written_anew(self, tmp_path: Path) -> None:
        """A bare repository stays bare."""
        init(tmp_path / "bare", bare=True)
        path = repo_json_path(tmp_path / "bare")
        path.write_bytes(path.read_bytes()[:-3])
        assert fix(tmp_path / "bare").is_well
        assert open_repo(tmp_path / "bare").bare

    def test_settings_are_for_a_person(self, repo: Repository) -> None:
        """A configuration has no copy: it is told, and left."""
        config_path(repo.root).write_bytes(b"[[[")
        result = fix(repo.root)
        assert [remedy.way_out != "" for remedy in result.remaining] == [True]
        assert config_path(repo.root).read_bytes() == b"[[["


class TestDerived:
    """What is made from something else is made anew."""

    @pytest.mark.parametrize("fault", ["missing", "flipped", "empty"])
    def test_an_index(self, repo: Repository, fault: str) -> None:
        """A pack's index is rebuilt."""
        pack_all(repo)
        [pack] = pack_dir(repo.root).glob("*.mpack")
        path = index_path(pack)
        whole = path.read_bytes()
        if fault == "missing":
            path.unlink()
        else:
            patch(
                path,
                bytearray.clear if fault == "empty" else lambda d: d.__setitem__(1200, d[1200] ^ 1),
            )
        assert fix(repo.root).is_well
        assert path.read_bytes() == whole

    def test_a_cache(self, repo: Repository) -> None:
        """A damaged cache is dropped."""
        stat_cache_path(repo.root).parent.mkdir(exist_ok=True)
        stat_cache_path(repo.root).write_bytes(b"nonsense")
        assert fix(repo.root).is_well
        assert not stat_cache_path(repo.root).exists()

    def test_a_whole_cache_is_left_alone(self, repo: Repository) -> None:
        """What `status` has written is not called damaged."""
        read_status(repo)
        assert stat_cache_path(repo.root).exists()
        assert doctor(repo).curable == ()

    def test_a_damaged_journal_is_kept(self, repo: Repository) -> None:
        """What cannot be read of it stays in the quarantine."""
        commit_files(repo, {b"x": b"x"})
        commit_files(repo, {b"x": b"y"})
        value = repo.refs.read(MAIN)
        path = wal_path(repo.root)
        data = bytearray(path.read_bytes())
        data[60] ^= 1
        path.write_bytes(data)
        assert fix(repo.root).is_well
        assert bytes(data) in kept(repo.root)
        assert repo.refs.read(MAIN) == value


def test_killed_anywhere(repo: Repository, tmp_path: Path) -> None:
    """The next doctor goes on: nothing is lost on the way (G13)."""
    with_remote(repo, tmp_path / "hub")
    raw, _ = find_victim(repo, "tree")
    FAULTS["zeros"](*locate(repo, raw))
    repo.refs.path(MAIN).write_bytes(b"nonsense")
    stage_path(repo.root).write_bytes(b"\xff" * 80)
    for number, outcome in every_fault(repo.root, tmp_path / "work", _fix, stride=9):
        result = doctor(open_repo(tmp_path / "work"), fix=True)
        assert result.is_well, f"killed at call {number}"
        assert damage(tmp_path / "work") == []
        assert outcome != DONE or not result.fixed


def _fix(root: Path) -> None:
    assert doctor(open_repo(root), fix=True).is_well


def test_the_command(repo: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3 while something is wrong, 0 when it is not; words and JSON say the same."""
    assert main(["-C", str(repo.root), "doctor"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    repo.refs.path(MAIN).write_bytes(b"nonsense")
    assert main(["-C", str(repo.root), "doctor"]) == 3
    assert "muse doctor --fix" in capsys.readouterr().out
    assert main(["-C", str(repo.root), "doctor", "--json"]) == 3
    assert len(json.loads(capsys.readouterr().out)["curable"]) == 1
    assert main(["-C", str(repo.root), "doctor", "--fix", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["well"]
    assert Path(data["quarantine"]).is_dir()
    os.unlink(repo.objects.loose_path(find_victim(repo, "blob")[0]))
    assert main(["-C", str(repo.root), "doctor", "--fix"]) == 3
    assert from_raw(find_victim(repo, "blob")[0]) in capsys.readouterr().out
