"""Commits, stage and working tree compared: git, in the same folder, says the same."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.cli.diff_text import patch_bytes
from muse.core.commits import Signature
from muse.core.errors import CorruptObjectError, PathNotFoundError, UsageError
from muse.core.repo import Repository, open_repo
from muse.core.types import MODE_FILE, MODE_LINK, RawId
from muse.ops.add import add
from muse.ops.commit import commit
from muse.ops.diff import DiffResult, diff, diff_blobs, sum_up
from muse.ops.file_diff import DiffOptions, WorktreeContents
from muse.ops.init import init
from tests.core.file_sets import Files, edit_files, end_lines, make_files
from tests.core.git_mirror import write_files

WHO = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")
FEW = settings(max_examples=20, deadline=None, derandomize=True)


class Both:
    """One folder under Muse and under git at once.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        init(root)
        self.git("init", "-q", "--object-format=sha256", ".")
        (root / ".git" / "info" / "exclude").write_text("/.muse\n")

    @property
    def repo(self) -> Repository:
        """The repository, opened anew."""
        return open_repo(self.root, do_sweep=False)

    def git(self, *arguments: str) -> bytes:
        """Run git here."""
        return subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True
        ).stdout

    def put(self, files: Files) -> None:
        """Make the working tree hold exactly these files."""
        for name in os.listdir(self.root):
            place = self.root / name
            if name not in {".git", ".muse"}:
                shutil.rmtree(
                    place
                ) if place.is_dir() and not place.is_symlink() else place.unlink()
        write_files(self.root, files)

    def commit(self) -> tuple[str, RawId]:
        """Commit everything on both sides; return git's commit and our tree."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        made = commit(self.repo, message="x", committer=WHO, allow_empty=True)
        digits = self.git("rev-parse", "HEAD").decode().strip()
        assert self.git("rev-parse", "HEAD^{tree}").decode().strip() == made.commit.tree.hex()
        return digits, made.commit.tree

    def stage(self, *paths: str) -> None:
        """Stage on both sides."""
        self.git("add", "-A", "--", *paths)
        add(self.repo, [os.fsencode(path).removeprefix(b".") for path in paths])


def patch(result: DiffResult) -> bytes:
    """Return a comparison as a patch."""
    return b"".join(patch_bytes(file) for file in result)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    """Return an empty folder under both programs."""
    return Both(tmp_path)


class TestGitSaysTheSame:
    @FEW
    @given(seed=st.integers(0, 2**32))
    def test_all_comparisons(self, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
        """Stage, working tree, HEAD and an older commit differ as git says they do."""
        rng = random.Random(seed)
        both = Both(tmp_path_factory.mktemp("both", numbered=True))
        files = end_lines(make_files(rng))
        both.put(files)
        old, old_tree = both.commit()
        files = end_lines(edit_files(rng, files))
        both.put(files)
        both.commit()
        files = end_lines(edit_files(rng, files))
        both.put(files)
        both.stage(".")
        files = end_lines(edit_files(rng, files))
        both.put(files)
        repo = both.repo
        options = ("diff", "-M", "--abbrev=10")
        assert patch(diff(repo)) == both.git(*options)
        assert patch(diff(repo, staged=True)) == both.git(*options, "--staged")
        assert patch(diff(repo, old=repo.head_tree())) == both.git(*options, "HEAD")
        assert patch(diff(repo, old=old_tree)) == both.git(*options, old)
        assert patch(diff(repo, old=old_tree, staged=True)) == both.git(*options, "--staged", old)
        for path in ("src", "a", "README", "*.py"):
            limited = diff(repo, paths=[path.encode()])
            assert patch(limited) == both.git(*options, "--", path)
            limited = diff(repo, old=old_tree, paths=[path.encode()])
            assert patch(limited) == both.git(*options, old, "--", path)
        shutil.rmtree(both.root)

    def test_a_file_that_left_the_stage_and_stayed(self, both: Both) -> None:
        """A file whose removal is staged is deleted, also where the working tree still has it."""
        both.put({b"a": (MODE_FILE, b"1\n"), b"b": (MODE_FILE, b"2\n")})
        both.commit()
        both.git("rm", "-q", "--cached", "a")
        repo = both.repo
        (both.root / "a").rename(both.root / "kept")
        add(repo, [b"a"])
        (both.root / "kept").rename(both.root / "a")
        assert [c.kind for c in diff(repo, staged=True).changes] == ["D"]
        assert patch(diff(repo, old=repo.head_tree())) == both.git("diff", "--abbrev=10", "HEAD")
        assert diff(repo).changes == ()

    def test_before_the_first_commit(self, both: Both) -> None:
        """On an unborn branch the stage is compared with nothing."""
        both.put({b"a": (MODE_FILE, b"1\n")})
        assert diff(both.repo).changes == ()
        both.stage("a")
        assert patch(diff(both.repo, staged=True)) == both.git("diff", "--staged", "--abbrev=10")

    def test_a_link_is_its_target(self, both: Both) -> None:
        """A symlink is compared by its target, and a folder behind it is not entered."""
        both.put({b"l": (MODE_LINK, b"one"), b"d/f": (MODE_FILE, b"x\n")})
        both.commit()
        both.put({b"l": (MODE_LINK, b"two"), b"d": (MODE_LINK, b"/etc")})
        assert patch(diff(both.repo)) == both.git("diff", "--abbrev=10")


class TestWhatIsRead:
    def test_names_need_no_content(self, both: Both) -> None:
        """Which files changed between commits is known without reading one of them."""
        both.put({b"a": (MODE_FILE, b"1\n"), b"b": (MODE_FILE, b"2\n")})
        _, old = both.commit()
        both.put({b"a": (MODE_FILE, b"one\n"), b"b": (MODE_FILE, b"2\n")})
        _, new = both.commit()
        repo = both.repo
        raw = next(c.new for c in diff(repo, old=old, new=new).changes)
        assert raw is not None
        blob = Path(repo.objects.loose_path(raw))
        if not blob.exists():
            pytest.skip("the blob is in a pack")
        blob.chmod(0o644)
        blob.write_bytes(b"damaged")
        result = diff(repo, old=old, new=new)
        assert [c.path for c in result.changes] == [b"a"]
        with pytest.raises(CorruptObjectError):
            list(result.counts())

    def test_nothing_is_written_where_nothing_can_be(self, both: Both) -> None:
        """A comparison leaves every file under .muse as it is, except the cache."""
        both.put({b"a": (MODE_FILE, b"1\n")})
        both.commit()
        both.put({b"a": (MODE_FILE, b"2\n")})

        def held() -> dict[str, int]:
            return {
                str(place): place.stat().st_mtime_ns
                for place in (both.root / ".muse").rglob("*")
                if place.is_file() and "cache" not in place.parts
            }

        before = held()
        assert len(diff(both.repo)) == 1
        assert held() == before

    def test_a_big_file_of_another_size_is_named_and_counted(self, both: Both) -> None:
        """A file of megabytes is found, and its id is filled in when it is compared."""
        both.put({b"big": (MODE_FILE, b"line\n" * 400_000)})
        both.commit()
        both.put({b"big": (MODE_FILE, b"line\n" * 400_000 + b"more\n")})
        (file,) = diff(both.repo)
        assert file.count_lines().added == 1
        assert file.compare().change.new is not None
        assert patch(diff(both.repo)) == both.git("diff", "--abbrev=10")

    def test_a_large_binary_is_not_compared(
        self, both: Both, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Content over the limit is said to differ, without being read."""
        monkeypatch.setattr("muse.ops.file_diff.LARGE_SIZE", 100)
        both.put({b"f": (MODE_FILE, b"a\n" * 60)})
        both.commit()
        both.put({b"f": (MODE_FILE, b"b\n" * 60)})
        (file,) = diff(both.repo)
        found = file.compare()
        assert (found.large, found.text.hunks, found.old_size) == (True, (), 120)
        (whole,) = diff(both.repo, options=DiffOptions(as_text=True))
        assert whole.compare().text.added == 60


class TestSums:
    def test_totals_are_those_of_the_files(self, both: Both) -> None:
        """Totals add up what each file says."""
        both.put({b"a": (MODE_FILE, b"1\n2\n"), b"b": (MODE_FILE, b"x\0")})
        both.commit()
        both.put({b"a": (MODE_FILE, b"1\n3\n4\n"), b"b": (MODE_FILE, b"y\0")})
        totals = sum_up(diff(both.repo).counts())
        assert (totals.files, totals.added, totals.removed) == (2, 2, 1)


class TestTwoFiles:
    def test_any_two_contents(self, both: Both) -> None:
        """Two stored files are compared whatever they are called."""
        store = both.repo.objects
        one, two = store.write("blob", b"1\n"), store.write("blob", b"2\n")
        result = diff_blobs(both.repo, ("old name", one), ("new", two))
        assert b"--- a/old name\t\n+++ b/new\n" in patch(result)
        assert len(diff_blobs(both.repo, ("x", one), ("y", one))) == 0


class TestWhatIsRefused:
    def test_a_bare_repository(self, tmp_path: Path) -> None:
        """Without a working tree two trees must be named."""
        init(tmp_path, bare=True)
        with pytest.raises(UsageError, match="bare"):
            diff(open_repo(tmp_path))

    def test_a_file_that_went_away(self, both: Both) -> None:
        """A file that goes away while it is compared is an error that says so."""
        both.put({b"a": (MODE_FILE, b"1\n")})
        both.commit()
        both.put({b"a": (MODE_FILE, b"2\n")})
        (file,) = diff(both.repo)
        (both.root / "a").unlink()
        with pytest.raises(PathNotFoundError, match="went away"):
            file.compare()

    def test_a_fifo_is_not_waited_for(self, both: Both) -> None:
        """A fifo in a file's place does not hang the reader."""
        os.mkfifo(both.root / "pipe")
        assert WorktreeContents(both.root).read(b"pipe", None) == b""
