"""Verifying one revision or one path: every copy, and all that lies on the way or below."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.errors import PathNotFoundError, RevisionNotFoundError
from muse.core.pack import PackWriter
from muse.core.repo import Repository
from muse.core.trees import find_in_tree
from muse.core.types import RawId, from_raw, raw_object_id, to_raw
from muse.ops.verify import verify, verify_object, verify_path, verify_revision
from tests.core.packs import patch
from tests.core.repos import MAIN, commit_files, make_repo, stage_files

A = b"print('a')\n"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with a commit and something staged."""
    repo = make_repo(tmp_path / "repo")
    commit_files(repo, {b"readme": b"read me\n", b"src/a.py": A, b"src/b.py": b"print('b')\n"})
    stage_files(repo, {b"src/new.py": b"new\n"})
    return repo


def damage(repo: Repository, raw: RawId) -> None:
    """Flip a bit of a loose object."""
    patch(Path(repo.objects.loose_path(raw)), lambda d: d.__setitem__(-1, d[-1] ^ 1))


class TestPath:
    """A path is whole when everything that leads to its content is."""

    @pytest.mark.parametrize("path", [b"", b"readme", b"src", b"src/a.py", b"src/new.py"])
    def test_what_is_whole(self, repo: Repository, path: bytes) -> None:
        """Nothing planted, nothing found; something was looked at."""
        report = verify_path(repo, path)
        assert report.is_whole
        assert report.objects

    def test_its_own_content(self, repo: Repository) -> None:
        """A damaged file is found by its path and by its folder's, not by its neighbour's."""
        damage(repo, raw_object_id("blob", A))
        for path in (b"src/a.py", b"src", b""):
            finding = verify_path(repo, path).findings[0]
            assert str(finding.touches[0]).endswith("→ src/a.py")
            assert finding.kind == "changed"
        assert verify_path(repo, b"src/b.py").is_whole

    def test_what_leads_to_it(self, repo: Repository) -> None:
        """A damaged folder on the way is found as well."""
        entry = find_in_tree(repo.objects, repo.head_tree(), b"src")
        assert entry is not None
        damage(repo, entry.raw)
        (finding,) = verify_path(repo, b"src/a.py").findings
        assert str(finding.touches[0]).endswith("→ src")
        assert verify_path(repo, b"readme").is_whole

    def test_a_damaged_commit(self, repo: Repository) -> None:
        """Without the commit there is no way to any path, and that is what is said."""
        head = repo.refs.read(MAIN)
        assert head is not None
        damage(repo, to_raw(head))
        (finding,) = verify_path(repo, b"readme").findings
        assert finding.oid == head

    def test_the_stage(self, repo: Repository) -> None:
        """What is staged for a path belongs to it."""
        Path(repo.objects.loose_path(raw_object_id("blob", b"new\n"))).unlink()
        (finding,) = verify_path(repo, b"src/new.py").findings
        assert (finding.kind, str(finding.touches[0])) == ("missing", "stage → src/new.py")

    def test_a_file_that_still_has_the_bytes(self, repo: Repository) -> None:
        """When the working tree has the content, the way out says so, and following it heals."""
        raw = raw_object_id("blob", A)
        damage(repo, raw)
        (repo.root / "src").mkdir()
        (repo.root / "src/a.py").write_bytes(b"something else\n")
        assert "Nothing is lost" not in verify_path(repo, b"src/a.py").findings[0].way_out
        (repo.root / "src/a.py").write_bytes(A)
        for findings in (verify_path(repo, b"src/a.py").findings, verify(repo).findings):
            assert "muse hash-object -w src/a.py" in findings[0].way_out
        repo.objects.write("blob", A)
        assert verify(repo).is_whole

    def test_an_unknown_path(self, repo: Repository) -> None:
        """A path that nobody tracks is an error of its own."""
        with pytest.raises(PathNotFoundError):
            verify_path(repo, b"nowhere")


class TestRevision:
    """A revision stands for its tree, not for its history."""

    def test_a_commit_with_its_files(self, repo: Repository) -> None:
        """Damage in the commit's tree is found, damage in an older one is not."""
        first = repo.refs.read(MAIN)
        commit_files(repo, {b"src/a.py": b"other\n"})
        damage(repo, raw_object_id("blob", A))
        assert verify_revision(repo, "main").is_whole
        assert first is not None
        (finding,) = verify_revision(repo, first).findings
        assert finding.touches[0].path == b"src/a.py"

    def test_every_copy_counts(self, repo: Repository) -> None:
        """A damaged copy is found beside a whole one, wherever each of them lies."""
        raw = raw_object_id("blob", A)
        writer = PackWriter(repo.root)
        writer.add("blob", A)
        path = writer.finish()
        assert verify_object(repo, raw).is_whole
        damage(repo, raw)
        (finding,) = verify_object(repo, raw).findings
        assert "another copy" in finding.message
        Path(repo.objects.loose_path(raw)).unlink()
        assert path is not None
        patch(path, lambda d: d.__setitem__(-40, d[-40] ^ 1))
        (finding,) = verify_object(repo, raw).findings
        assert finding.file == str(path)

    def test_a_missing_object(self, repo: Repository) -> None:
        """An id that is not stored is missing; a name that means nothing is an error."""
        (finding,) = verify_revision(repo, from_raw(bytes(32))).findings
        assert finding.kind == "missing"
        with pytest.raises(RevisionNotFoundError):
            verify_revision(repo, "nonsense")
