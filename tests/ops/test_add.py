"""`add` and `reset`: contents stored before they are named, all of it or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muse.core.errors import (
    CorruptFileError,
    MuseError,
    NothingToCommitError,
    PathNotFoundError,
    UsageError,
)
from muse.core.file_content import BIG_FILE
from muse.core.paths import stage_path
from muse.core.repo import Repository
from muse.core.stage import read_stage
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, blob_id, to_raw
from muse.ops.add import AddResult, add, stage_changes
from muse.ops.commit import commit
from muse.ops.reset import reset
from muse.ops.status import open_engine, read_status
from tests.ops.states import WHO, make_repo


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository with `a`, `d/b` and `d/e/c` committed."""
    repo = make_repo(tmp_path)
    (tmp_path / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/b", "d/e/c"):
        (tmp_path / name).write_text(name)
    commit(repo, message="first", committer=WHO)
    return repo


class TestAdd:
    """What ends on the stage."""

    def test_kinds_of_change(self, repo: Repository) -> None:
        """New, changed, deleted, executable and links are each staged as what they are."""
        root = repo.root
        (root / "a").write_text("changed")
        (root / "d" / "b").unlink()
        (root / "x").write_text("x")
        (root / "x").chmod(0o755)
        (root / "l").symlink_to("nowhere")
        result = add(repo, [b""])
        assert result == AddResult(added=(b"l", b"x"), modified=(b"a",), removed=(b"d/b",))
        assert read_stage(root) == {
            b"a": (MODE_FILE, to_raw(blob_id(b"changed"))),
            b"d/b": None,
            b"x": (MODE_EXEC, to_raw(blob_id(b"x"))),
            b"l": (MODE_LINK, to_raw(blob_id(b"nowhere"))),
        }

    def test_staged_contents_are_stored(self, repo: Repository) -> None:
        """Every blob that the stage names is there and whole (G1, G12)."""
        (repo.root / "big").write_bytes(b"0123456789" * (BIG_FILE // 5))
        for number in range(100):
            (repo.root / f"f{number}").write_text(f"{number}")
        add(repo, [b""])
        for entry in read_stage(repo.root).values():
            assert entry is not None
            assert repo.objects.is_whole(entry[1])

    def test_only_the_named_folder_is_touched(self, repo: Repository) -> None:
        """`add d` leaves what lies beside `d`."""
        (repo.root / "new").write_text("x")
        (repo.root / "d" / "new").write_text("x")
        (repo.root / "a").write_text("changed")
        assert add(repo, [b"d"]) == AddResult(added=(b"d/new",))

    def test_a_deleted_folder_is_staged_by_its_name(self, repo: Repository) -> None:
        """Naming a folder that is gone stages the removal of all that was in it."""
        for name in ("d/b", "d/e/c"):
            (repo.root / name).unlink()
        os.rmdir(repo.root / "d" / "e")
        os.rmdir(repo.root / "d")
        assert add(repo, [b"d"]).removed == (b"d/b", b"d/e/c")

    def test_update_leaves_untracked_files(self, repo: Repository) -> None:
        """`-u` stages changes and removals of tracked files only."""
        (repo.root / "a").write_text("changed")
        (repo.root / "d" / "b").unlink()
        (repo.root / "new").write_text("x")
        assert add(repo, [b""], update=True) == AddResult(modified=(b"a",), removed=(b"d/b",))

    def test_dry_run_stores_and_stages_nothing(self, repo: Repository) -> None:
        """`-n` says the same as a real run, and leaves no trace."""
        (repo.root / "new").write_text("never stored")
        (repo.root / "a").unlink()
        before = sorted(repo.objects.iter_loose())
        told = add(repo, [b""], dry_run=True)
        assert sorted(repo.objects.iter_loose()) == before
        assert not stage_path(repo.root).exists()
        assert add(repo, [b""]) == told

    def test_changing_back_unstages(self, repo: Repository) -> None:
        """Adding what HEAD has already leaves nothing staged, and no stage file."""
        (repo.root / "a").write_text("changed")
        add(repo, [b"a"])
        (repo.root / "a").write_text("a")
        add(repo, [b"a"])
        assert not stage_path(repo.root).exists()

    def test_many_named_files(self, repo: Repository) -> None:
        """More files than are looked at one by one give the same result."""
        names = [b"n%03d" % n for n in range(150)]
        for name in names:
            (repo.root / name.decode()).write_bytes(name)
        assert add(repo, [*names, b"a"]).added == tuple(names)

    def test_file_and_folder_change_places(self, repo: Repository) -> None:
        """A file where a folder was, and a folder where a file was, are staged whole."""
        root = repo.root
        (root / "d" / "b").unlink()
        (root / "d" / "e" / "c").unlink()
        (root / "d" / "e").rmdir()
        (root / "d").rmdir()
        (root / "d").write_text("now a file")
        (root / "a").unlink()
        (root / "a").mkdir()
        (root / "a" / "inside").write_text("x")
        result = add(repo, [b"d", b"a"])
        assert (result.added, result.removed) == ((b"a/inside", b"d"), (b"a", b"d/b", b"d/e/c"))
        assert read_status(repo, save=False).status.unstaged("MDT?") == ()

    def test_what_lies_behind_a_link_is_removed_not_read(self, repo: Repository) -> None:
        """A tracked file whose folder became a link is staged as gone, whatever is behind it."""
        os.rename(repo.root / "d", repo.root / "moved")
        (repo.root / "d").symlink_to("moved")
        assert add(repo, [b"d/b"]) == AddResult(removed=(b"d/b",))

    def test_progress_is_told(self, repo: Repository) -> None:
        """The callback learns how many files there are."""
        for number in range(130):
            (repo.root / f"f{number}").write_text("x")
        seen: list[tuple[int, int | None]] = []
        add(repo, [b""], progress=lambda done, total: seen.append((done, total)))
        assert seen == [(64, 130), (128, 130)]


class TestRefusals:
    """Nothing is staged when one of the paths cannot be."""

    def test_nothing_named(self, repo: Repository) -> None:
        """Without a path the command says what to type."""
        with pytest.raises(UsageError, match="Nothing"):
            add(repo, [])

    @pytest.mark.parametrize("path", [b"nope", b"a/below", b"d/nope", b"nope/at/all"])
    def test_a_path_that_names_nothing(self, repo: Repository, path: bytes) -> None:
        """A path that is neither here nor tracked is exit code 4, and the others stay too."""
        (repo.root / "a").write_text("changed")
        with pytest.raises(PathNotFoundError) as caught:
            add(repo, [b"a", path])
        assert caught.value.exit_code == 4
        assert read_stage(repo.root) == {}

    def test_behind_a_link(self, repo: Repository) -> None:
        """A file reached through a link is not in the working tree."""
        (repo.root / "link").symlink_to("d")
        with pytest.raises(PathNotFoundError, match="link/b"):
            add(repo, [b"link/b"])

    def test_an_ignored_path(self, repo: Repository) -> None:
        """One named outright is refused with a hint, and taken with force."""
        (repo.root / ".museignore").write_text("*.log\nbuild/\n")
        (repo.root / "x.log").write_text("x")
        (repo.root / "build").mkdir()
        (repo.root / "build" / "out").write_text("x")
        for path in (b"x.log", b"build", b"build/out"):
            with pytest.raises(MuseError, match="ignored") as caught:
                add(repo, [path])
            assert "-f" in caught.value.hint
        assert add(repo, [b"x.log", b"build"], force=True).added == (b"build/out", b"x.log")
        assert add(repo, [b""]).added == (b".museignore",)

    def test_forced_folder_takes_what_is_ignored_in_it(self, repo: Repository) -> None:
        """`add -f d` also takes ignored files below, and changed ones only once."""
        (repo.root / ".gitignore").write_text("*.log\n")
        (repo.root / "d" / "x.log").write_text("x")
        (repo.root / "d" / "b").write_text("changed")
        result = add(repo, [b"d"], force=True)
        assert result == AddResult(added=(b"d/x.log",), modified=(b"d/b",))

    def test_another_repository(self, repo: Repository) -> None:
        """One named outright is refused; `add .` passes it by and says so."""
        inner = repo.root / "inner"
        (inner / ".git").mkdir(parents=True)
        (inner / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (inner / "f").write_text("x")
        for path in (b"inner", b"inner/f"):
            with pytest.raises(MuseError, match="repository of its own"):
                add(repo, [path])
        assert add(repo, [b""]) == AddResult(skipped=(b"inner/",))

    def test_a_fifo(self, repo: Repository) -> None:
        """What is no file, link or folder is refused."""
        os.mkfifo(repo.root / "fifo")
        with pytest.raises(MuseError, match="no file"):
            add(repo, [b"fifo"])

    def test_a_bare_repository(self, repo: Repository) -> None:
        """Without a working tree there is nothing to add."""
        (repo.muse / "repo.json").write_text('{"format": 1, "bare": true}')
        repo._facts = None
        with pytest.raises(UsageError, match="bare"):
            add(repo, [b""])


class TestStageChanges:
    """What `commit` takes when nothing is staged."""

    def test_everything_or_only_what_is_tracked(self, repo: Repository) -> None:
        """New files are taken with ``untracked``, and left without."""
        (repo.root / "a").write_text("changed")
        (repo.root / "new").write_text("x")
        with repo.transaction("test") as tx:
            tracked = stage_changes(repo, tx, untracked=False)
            everything = stage_changes(repo, tx, untracked=True)
        assert (set(tracked), set(everything)) == ({b"a"}, {b"a", b"new"})

    def test_on_top_of_the_stage(self, repo: Repository) -> None:
        """What was staged before stays, unless the file changed again."""
        (repo.root / "a").write_text("one")
        (repo.root / "x").write_text("x")
        add(repo, [b"a", b"x"])
        (repo.root / "a").write_text("two")
        with repo.transaction("test") as tx:
            stage = stage_changes(repo, tx, untracked=False)
        assert set(stage) == {b"a", b"x"}
        assert stage[b"a"] == (MODE_FILE, to_raw(blob_id(b"two")))


class TestOutlivedStage:
    """A stage that says what HEAD says already, as after a kill right behind a commit."""

    def test_it_is_empty_for_everyone(self, repo: Repository) -> None:
        """Status shows nothing staged, and a commit takes what really changed."""
        (repo.root / "a").write_text("changed")
        add(repo, [b"a"])
        data = stage_path(repo.root).read_bytes()
        commit(repo, message="second", committer=WHO)
        stage_path(repo.root).write_bytes(data)
        assert read_status(repo, save=False).status.is_clean
        with pytest.raises(NothingToCommitError):
            commit(repo, message="twice", committer=WHO)
        (repo.root / "d" / "b").write_text("changed")
        made = commit(repo, message="third", committer=WHO)
        assert made.took_all
        assert read_status(repo, save=False).status.is_clean


class TestReset:
    """Taking changes off the stage."""

    def test_all_and_some(self, repo: Repository) -> None:
        """Without paths everything goes, with paths what they name; files stay."""
        (repo.root / "a").write_text("changed")
        (repo.root / "d" / "b").write_text("changed")
        (repo.root / "d" / "new").write_text("x")
        add(repo, [b""])
        assert reset(repo, [b"d"]).paths == (b"d/b", b"d/new")
        assert reset(repo).paths == (b"a",)
        assert reset(repo).paths == ()
        assert (repo.root / "a").read_text() == "changed"
        assert not stage_path(repo.root).exists()

    def test_a_path_that_names_nothing(self, repo: Repository) -> None:
        """A word that means nothing here is exit code 4; a known one may have nothing staged."""
        with pytest.raises(PathNotFoundError):
            reset(repo, [b"nope"])
        assert reset(repo, [b"a"]).paths == ()

    def test_a_file_that_comes_back_takes_its_place(self, repo: Repository) -> None:
        """Unstaging a removal drops what was staged where the file was."""
        (repo.root / "a").unlink()
        (repo.root / "a").mkdir()
        (repo.root / "a" / "inside").write_text("x")
        add(repo, [b"a"])
        reset(repo, [b"a"])
        assert read_stage(repo.root) == {}

    def test_the_way_out_of_a_damaged_stage(self, repo: Repository) -> None:
        """Everything else stops with an error; `reset` empties it, as the hint says."""
        (repo.root / "a").write_text("changed")
        add(repo, [b"a"])
        stage_path(repo.root).write_bytes(b"damaged")
        for act in (lambda: add(repo, [b"a"]), lambda: reset(repo, [b"a"])):
            with pytest.raises(CorruptFileError, match="stage"):
                act()
        with pytest.raises(CorruptFileError, match="stage"):
            open_engine(repo).refresh_all()
        assert reset(repo).was_damaged
        assert open_engine(repo).refresh_all().unstaged("M") == (b"a",)
