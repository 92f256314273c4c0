"""`rm` and `mv`: tracked files go or change their names, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from muse.cli.main import main
from muse.core.errors import (
    AlreadyExistsError,
    ConflictError,
    IoFailedError,
    PathNotFoundError,
    UsageError,
)
from muse.core.repo import Repository, open_repo
from muse.core.stage import read_stage
from muse.core.types import blob_id, to_raw
from muse.ops.add import add
from muse.ops.commit import commit
from muse.ops.mv import move
from muse.ops.rm import remove
from muse.ops.status import read_status
from muse.ops.undo import undo
from tests.core.edits import porcelain
from tests.ops.states import WHO, make_repo, read_state


def make_committed(root: Path) -> Repository:
    """Create a repository with `a`, `d/b`, `d/e/c` and a link `l` committed."""
    repo = make_repo(root)
    (root / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/b", "d/e/c"):
        (root / name).write_text(name)
    (root / "l").symlink_to("d")
    commit(repo, message="first", committer=WHO)
    return repo


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository with `a`, `d/b`, `d/e/c` and a link `l` committed."""
    return make_committed(tmp_path)


def codes(repo: Repository) -> set[tuple[str, bytes]]:
    """Return the status in git's short form."""
    return porcelain(read_status(repo, save=False).status)


class TestRemove:
    """`rm` stages the removal and removes the file."""

    def test_files_folders_and_what_is_empty_then(self, repo: Repository) -> None:
        """Folders that end up empty go too; untracked files keep theirs."""
        (repo.root / "d" / "mine").write_text("untracked")
        assert remove(repo, [b"d", b"l"], recursive=True).paths == (b"d/b", b"d/e/c", b"l")
        assert sorted(os.listdir(repo.root / "d")) == ["mine"]
        assert codes(repo) == {
            ("D ", b"d/b"), ("D ", b"d/e/c"), ("D ", b"l"), ("??", b"d/mine"),
        }  # fmt: skip

    def test_undo_brings_all_back(self, repo: Repository) -> None:
        """Files, modes and the stage are what they were."""
        (repo.root / "d" / "b").chmod(0o755)
        commit(repo, message="x", committer=WHO)
        before = read_state(repo)
        remove(repo, [b"d", b"a", b"l"], recursive=True)
        assert not (repo.root / "d").exists()
        undo(repo)
        assert read_state(repo) == before

    def test_cached_leaves_the_file(self, repo: Repository) -> None:
        """With ``cached`` only the stage changes."""
        remove(repo, [b"a"], cached=True)
        assert (repo.root / "a").read_text() == "a"
        assert codes(repo) == {("D ", b"a"), ("??", b"a")}

    def test_changes_that_are_not_committed_are_kept(self, repo: Repository) -> None:
        """A changed file is refused, and with force it goes to the trash first."""
        (repo.root / "a").write_text("precious")
        with pytest.raises(ConflictError, match="'a'") as caught:
            remove(repo, [b"a", b"d/b"])
        assert caught.value.paths == (b"a",)
        assert (repo.root / "d" / "b").exists()
        remove(repo, [b"a"], force=True)
        assert not (repo.root / "a").exists()
        undo(repo)
        assert (repo.root / "a").read_text() == "precious"

    def test_staged_changes_are_refused_too(self, repo: Repository) -> None:
        """What is staged and not committed is dropped only with force, or kept with cached."""
        (repo.root / "new").write_text("x")
        add(repo, [b"new"])
        with pytest.raises(ConflictError):
            remove(repo, [b"new"])
        remove(repo, [b"new"], cached=True)
        assert read_stage(repo.root) == {}
        assert (repo.root / "new").exists()

    def test_cached_refuses_what_would_be_nowhere(self, repo: Repository) -> None:
        """A staged content that is neither in HEAD nor in the file is not dropped."""
        (repo.root / "a").write_text("staged")
        add(repo, [b"a"])
        (repo.root / "a").write_text("changed again")
        with pytest.raises(ConflictError):
            remove(repo, [b"a"], cached=True)

    def test_a_file_that_is_gone_already(self, repo: Repository) -> None:
        """Only the removal is staged."""
        (repo.root / "a").unlink()
        result = remove(repo, [b"a"])
        assert (result.paths, result.trash) == ((b"a",), None)
        assert codes(repo) == {("D ", b"a")}

    def test_the_only_good_copy_of_a_damaged_object(self, repo: Repository) -> None:
        """A file whose stored content is damaged is stored anew before it goes."""
        raw = to_raw(blob_id(b"a"))
        path = Path(repo.objects.loose_path(raw))
        path.chmod(0o644)
        path.write_bytes(b"damaged")
        remove(repo, [b"a"])
        assert repo.objects.is_whole(raw)
        undo(repo)
        assert (repo.root / "a").read_text() == "a"

    def test_refusals(self, repo: Repository) -> None:
        """A folder needs -r, an untracked path is exit code 4, nothing is usage."""
        (repo.root / "mine").write_text("untracked")
        with pytest.raises(UsageError, match="folder"):
            remove(repo, [b"d"])
        for path in (b"mine", b"nope"):
            with pytest.raises(PathNotFoundError):
                remove(repo, [path])
        with pytest.raises(UsageError):
            remove(repo, [])

    def test_dry_run(self, repo: Repository) -> None:
        """``dry_run`` names what would go, and nothing goes."""
        before = read_state(repo)
        assert remove(repo, [b"d"], recursive=True, dry_run=True).paths == (b"d/b", b"d/e/c")
        assert read_state(repo) == before

    def test_what_lies_behind_a_link_is_not_touched(self, repo: Repository) -> None:
        """A tracked file whose folder became a link is only taken off the stage."""
        os.rename(repo.root / "d", repo.root / "moved")
        (repo.root / "d").symlink_to("moved")
        remove(repo, [b"d"], recursive=True)
        assert (repo.root / "moved" / "b").read_text() == "d/b"


class TestMove:
    """`mv` renames on disk and on the stage."""

    def test_file_to_a_new_name(self, repo: Repository) -> None:
        """The rename is staged; a change that was not staged stays unstaged."""
        (repo.root / "a").write_text("changed")
        result = move(repo, [b"a"], b"z")
        assert result.moves == result.files == ((b"a", b"z"),)
        assert (repo.root / "z").read_text() == "changed"
        assert codes(repo) == {("D ", b"a"), ("AM", b"z")}
        assert read_status(repo, save=False).status.renamed == ((b"a", b"z"),)

    def test_folder_with_all_that_is_in_it(self, repo: Repository) -> None:
        """Untracked files move with their folder."""
        (repo.root / "d" / "mine").write_text("untracked")
        move(repo, [b"d"], b"z")
        assert (repo.root / "z" / "e" / "c").read_text() == "d/e/c"
        assert codes(repo) == {
            ("D ", b"d/b"), ("D ", b"d/e/c"), ("A ", b"z/b"), ("A ", b"z/e/c"), ("??", b"z/mine"),
        }  # fmt: skip

    def test_several_into_a_folder(self, repo: Repository) -> None:
        """Each keeps its own name; a link is moved as a link."""
        result = move(repo, [b"a", b"l", b"d/b"], b"d/e")
        assert result.moves == ((b"a", b"d/e/a"), (b"l", b"d/e/l"), (b"d/b", b"d/e/b"))
        assert os.readlink(repo.root / "d" / "e" / "l") == "d"

    def test_undo_puts_all_back(self, repo: Repository) -> None:
        """Names, contents and stage are what they were, a replaced file included."""
        (repo.root / "a").write_text("changed")
        (repo.root / "mine").write_text("precious")
        before = read_state(repo)
        move(repo, [b"a"], b"mine", force=True)
        move(repo, [b"d"], b"z")
        undo(repo)
        undo(repo)
        assert read_state(repo) == before

    def test_refusals(self, repo: Repository) -> None:
        """Each impossible move is an error of its own, and nothing is touched."""
        (repo.root / "mine").write_text("untracked")
        before = read_state(repo)
        cases: list[tuple[list[bytes], bytes, type[Exception]]] = [
            ([b"nope"], b"z", PathNotFoundError),
            ([b"mine"], b"z", PathNotFoundError),
            ([b"a"], b"no/folder", PathNotFoundError),
            ([b"a", b"l"], b"z", PathNotFoundError),
            ([b"a"], b"mine", AlreadyExistsError),
            ([b"a"], b"a", UsageError),
            ([b"d"], b"d/e/x", UsageError),
            ([b""], b"z", UsageError),
        ]
        for sources, dest, error in cases:
            with pytest.raises(error):
                move(repo, sources, dest)
        (repo.root / "a").unlink()
        with pytest.raises(PathNotFoundError, match="working tree"):
            move(repo, [b"a"], b"z")
        (repo.root / "a").write_text("a")
        assert read_state(repo) == before

    def test_dry_run(self, repo: Repository) -> None:
        """``dry_run`` says what would move."""
        before = read_state(repo)
        assert move(repo, [b"d"], b"z", dry_run=True).files == (
            (b"d/b", b"z/b"),
            (b"d/e/c", b"z/e/c"),
        )
        assert read_state(repo) == before

    def test_a_rename_that_the_system_refuses(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The stage goes back, and so do the renames that were done."""
        before = read_state(repo)
        real = os.replace

        def replace(source: Path, dest: Path, **options: int) -> None:
            if str(dest).endswith("z/l"):
                raise OSError(5, "Input/output error")
            real(source, dest, **options)

        (repo.root / "z").mkdir()
        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(IoFailedError):
            move(repo, [b"a", b"l"], b"z")
        monkeypatch.undo()
        assert read_state(repo) == before


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is a Muse and a git repository with the same commit."""
    root = tmp_path_factory.mktemp("template")
    make_committed(root)
    for command in (
        ["init", "-q", "--object-format=sha256"],
        ["add", "--", ":!.muse"],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-m", "m"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


class TestSameAsGit:
    """git, told the same, ends in the same index and the same files."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["rm", "a"],
            ["rm", "-r", "d"],
            ["rm", "--cached", "a", "l"],
            ["rm", "-rf", "."],
            ["mv", "a", "z"],
            ["mv", "a", "d"],
            ["mv", "d/e", "z"],
            ["mv", "d/b", "a", "l", "d/e"],
            ["mv", "-f", "a", "d/b"],
            ["rm", "d"],
            ["rm", "nope"],
            ["mv", "a", "d/b"],
            ["mv", "nope", "z"],
            ["mv", "d", "d/e"],
        ],
    )
    def test_one_command(self, template: Path, tmp_path: Path, arguments: list[str]) -> None:
        """Accepted or refused, index and files are git's."""
        ours, theirs = tmp_path / "ours", tmp_path / "theirs"
        for copy in (ours, theirs):
            shutil.copytree(template, copy, symlinks=True)
        done = subprocess.run(["git", *arguments], cwd=theirs, capture_output=True, check=False)
        code = main(["-C", str(ours), *arguments])
        assert bool(done.returncode) == bool(code), done.stderr
        listed = subprocess.run(
            ["git", "status", "--porcelain=v1", "-z", "-uall", "--no-renames", "--", ":!.muse"],
            cwd=theirs,
            capture_output=True,
            check=True,
        ).stdout.split(b"\0")
        expected = {(line[:2].decode(), line[3:]) for line in listed if line}
        assert codes(open_repo(ours)) == expected
