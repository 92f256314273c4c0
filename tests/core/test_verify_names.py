"""Everything that names objects is read and followed, also beside those who write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.object_store import ObjectStore
from muse.core.paths import config_path, head_path, muse_dir, repo_json_path, stage_path
from muse.core.reflog import reflog_path
from muse.core.repo import Repository, open_repo
from muse.core.roots import read_roots
from muse.core.trash import TrashItem, encode_entry, entry_path, new_entry
from muse.core.types import MODE_FILE, from_raw, raw_object_id, to_raw
from muse.core.verify import verify_store
from tests.core.packs import patch
from tests.core.repos import MAIN, commit_files, make_repo
from tests.core.verify_runs import (
    fill,
    only,
    verify,
)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits and something staged."""
    return fill(tmp_path / "repo")


class TestNames:
    """Everything that names objects is read, and followed."""

    def test_a_dangling_ref_is_found(self, repo: Repository) -> None:
        """A branch that names what was never stored is damage, and so called."""
        path = repo.refs.path("refs/heads/topic")
        path.write_text(f"sha256:{'12' * 32}\n")
        finding = only(verify(repo))
        assert finding.kind == "dangling"
        assert str(finding.touches[0]) == "topic"

    @pytest.mark.parametrize("text", ["nonsense", "sha256:12", "\0" * 72, "ref: refs/heads/x"])
    def test_a_damaged_ref_is_found(self, repo: Repository, text: str) -> None:
        """A ref that holds no id is named, with where its history is."""
        repo.refs.path(MAIN).write_text(text)
        findings = verify(repo).findings
        assert findings[0].severity == "damage"
        assert "reflog main" in findings[0].way_out

    @pytest.mark.parametrize("how", ["empty", "missing"])
    def test_a_ref_that_lost_its_value_is_found(self, repo: Repository, how: str) -> None:
        """An empty or missing ref whose reflog knows better is no unborn branch."""
        path = repo.refs.path(MAIN)
        last = path.read_text().strip()
        path.write_text("") if how == "empty" else path.unlink()
        finding = only(verify(repo))
        assert finding.severity == "damage"
        assert last in finding.way_out

    def test_a_branch_that_names_a_file_is_found(self, repo: Repository) -> None:
        """A branch must name a commit."""
        raw = repo.objects.write("blob", b"no commit")
        repo.refs.path("refs/heads/topic").write_text(f"{from_raw(raw)}\n")
        finding = only(verify(repo))
        assert "not a commit" in finding.message

    @pytest.mark.parametrize("text", ["nonsense", "ref: refs/heads/../x\n", "\0\0\0", "", None])
    def test_a_damaged_head_is_found(self, repo: Repository, text: str | None) -> None:
        """HEAD that is damaged, empty or gone is damage, with the way to set it anew."""
        if text is None:
            head_path(repo.root).unlink()
        else:
            head_path(repo.root).write_text(text)
        finding = only(verify(repo))
        assert finding.touches[0].label == "HEAD"
        assert "muse switch" in finding.way_out

    def test_a_detached_head_is_followed(self, repo: Repository) -> None:
        """A detached HEAD is a root of its own."""
        head_path(repo.root).write_text(f"commit: sha256:{'12' * 32}\n")
        finding = only(verify(repo))
        assert (finding.kind, str(finding.touches[0])) == ("dangling", "HEAD")

    def test_a_repository_without_commits_is_whole(self, tmp_path: Path) -> None:
        """Nothing is missing where nothing was made."""
        assert verify(make_repo(tmp_path / "empty")).findings == ()

    def test_a_staged_file_that_is_gone_is_found(self, repo: Repository) -> None:
        """A staged blob is needed, by the path that it is staged for."""
        Path(repo.objects.loose_path(raw_object_id("blob", b"staged\n"))).unlink()
        finding = only(verify(repo))
        assert str(finding.touches[0]) == "stage → staged.txt"

    @pytest.mark.parametrize("fault", ["empty", "truncated", "flip"])
    def test_a_damaged_stage_is_found(self, repo: Repository, fault: str) -> None:
        """A stage that does not parse is damage, and its way out touches no file."""
        path = stage_path(repo.root)
        data = path.read_bytes()
        changed = {"empty": b"", "truncated": data[:-4], "flip": b"\xff" + data[1:]}[fault]
        path.write_bytes(changed)
        finding = only(verify(repo))
        assert finding.touches[0].label == "stage"
        assert "reset" in finding.way_out

    @pytest.mark.parametrize("file", [config_path, repo_json_path])
    def test_damaged_settings_are_found(
        self, repo: Repository, file: Callable[[Path], Path]
    ) -> None:
        """Configuration and format file are read as well."""
        file(repo.root).write_bytes(b"\x00{[")
        assert only(verify(repo)).file == str(file(repo.root))

    def test_a_damaged_reflog_is_a_lesser_finding(self, repo: Repository) -> None:
        """A line that cannot be read costs a way back, not data."""
        path = reflog_path(repo.root, MAIN)
        path.write_bytes(path.read_bytes() + b"torn li")
        report = verify(repo)
        assert report.is_whole
        assert only(report).severity == "notice"

    def test_what_only_a_reflog_names_is_a_lesser_finding(self, repo: Repository) -> None:
        """A commit that was amended away and is gone is a notice, not damage."""
        commit_files(repo, {b"x": b"x"}, ref="refs/heads/topic", message="gone")
        gone = repo.refs.read("refs/heads/topic")
        assert gone is not None
        with repo.transaction("branch") as tx:
            tx.set_ref("refs/heads/topic", repo.refs.read(MAIN), old=gone, log="reset")
        Path(repo.objects.loose_path(to_raw(gone))).unlink()
        report = verify(repo)
        assert report.is_whole
        assert "reflog of topic" in only(report).message

    def test_the_trash_is_followed(self, repo: Repository) -> None:
        """What was discarded and is gone is a notice; so is an entry that cannot be read."""
        raw = raw_object_id("blob", b"discarded")
        item = TrashItem(b"notes", (MODE_FILE, raw), None)
        entry = new_entry("restore", [item])
        entry_path(repo.root, entry.id).parent.mkdir(exist_ok=True)
        entry_path(repo.root, entry.id).write_bytes(encode_entry(entry))
        report = verify(repo)
        assert report.is_whole
        assert "trash" in only(report).message
        repo.objects.write("blob", b"discarded")
        assert verify(repo).findings == ()
        patch(entry_path(repo.root, entry.id), lambda data: data.__setitem__(-1, data[-1] ^ 1))
        assert only(verify(repo)).file == str(entry_path(repo.root, entry.id))

    def test_ids_in_jobs_are_followed(self, repo: Repository) -> None:
        """What a job's specification names is looked for."""
        folder = muse_dir(repo.root) / "jobs" / "1"
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(f'{{"commit": "sha256:{"12" * 32}"}}')
        report = verify(repo)
        assert report.is_whole
        assert "job 1/spec.json" in only(report).message


class TestBeside:
    """Verification works where nothing may be written, and beside those who write."""

    def test_what_a_writer_adds_meanwhile_is_no_gap(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Commits that appear after the bytes were read are looked at a second time."""

        def later(store: ObjectStore) -> object:
            commit_files(repo, {b"new/file": b"new"}, message="meanwhile")
            return read_roots(store)

        monkeypatch.setattr("muse.core.verify.read_roots", later)
        report = verify_store(repo.root)
        assert report.findings == ()
        assert report.commits == 3

    def test_progress_counts_up(self, repo: Repository) -> None:
        """The callback sees a growing count that never passes its total."""
        seen: list[tuple[int, int | None]] = []
        verify_store(repo.root, progress=lambda done, total: seen.append((done, total)))
        assert seen == sorted(seen)
        assert all(total is not None and done <= total for done, total in seen)

    def test_an_opened_repository_verifies_through_ops(self, repo: Repository) -> None:
        """The verb says what the library says."""
        from muse.ops.verify import verify as verb

        assert verb(open_repo(repo.root)).is_whole
