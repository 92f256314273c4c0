"""A disk that is really full and a mount that is really read-only (G10, G14).

A small tmpfs is mounted for each test; where that is not permitted, the tests are skipped with the
system's reason. What a command must have done is what the same command does to a copy of the
repository on a disk with room.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.core import journal
from muse.core.repo import open_repo
from muse.core.stage import read_stage
from tests.crash import oracle

pytestmark = pytest.mark.crash

READERS = (
    ("status",), ("status", "--json"), ("log", "--graph"), ("diff",), ("diff", "--staged"),
    ("show", "--stat"), ("branch",), ("tag",), ("remote",), ("reflog",), ("config",), ("verify",),
    ("health",), ("rev-parse", "HEAD"), ("cat-object", "HEAD"), ("ls-tree",),
    ("hash-object", "kept.txt"), ("add", "-n", "."),
)  # fmt: skip
WRITERS = (
    ("add", "new.txt"), ("add", "."), ("reset",), ("commit", "-m", "second"),
    ("commit", "-a", "-m", "second"), ("commit", "--amend", "-m", "again"),
    ("branch", "topic"), ("branch", "-D", "other"), ("switch", "-c", "topic"),
    ("switch", "other"), ("restore", "changed.txt"), ("tag", "v1"), ("tag", "-a", "v1", "-m", "1"),
    ("undo",), ("gc",), ("config", "user.name", "Grace"), ("remote", "add", "origin", "../there"),
    ("hash-object", "-w", "new.txt"),
)  # fmt: skip


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tmpfs of 2 MiB, for the tests of this file."""
    folder = tmp_path_factory.mktemp("disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    yield folder
    # Lazily, since a child of a failed test may still be in there.
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def disk(mounted: Path) -> Iterator[Path]:
    """That disk, empty and writable."""
    yield mounted
    remount(mounted, "rw")
    for entry in mounted.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@pytest.fixture
def song(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two branches, and with staged, unstaged and untracked changes."""
    template = tmp_path_factory.getbasetemp() / "hostile-disk-template"
    if not template.exists():
        build(template)
    return Path(shutil.copytree(template, disk / "song"))


def build(root: Path) -> None:
    """Make that repository."""
    root.mkdir()
    ok(root, "init")
    for name in ("kept.txt", "changed.txt", "staged.txt"):
        (root / name).write_text(f"{name}\n")
    ok(root, "commit", "-m", "first")
    ok(root, "switch", "-c", "other")
    (root / "elsewhere.txt").write_text("only on other\n")
    ok(root, "commit", "-m", "on other")
    ok(root, "switch", "main")
    (root / "staged.txt").write_text("staged\n")
    ok(root, "add", "staged.txt")
    (root / "changed.txt").write_text("changed\n")
    (root / "new.txt").write_text("new\n")


def ok(root: Path, *arguments: str) -> str:
    """Run a command that must succeed."""
    code, text = oracle.run(root, *arguments)
    assert code == 0, (arguments, text)
    return text


def fill(disk: Path) -> Path:
    """Take every byte that the disk still has."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 4096, 1):
            try:
                while file.write(b"\xff" * size):
                    pass
            except OSError:
                continue
    assert shutil.disk_usage(disk).free == 0
    return path


def state(root: Path) -> object:
    """What a command may change: refs, HEAD, stage, settings and the files."""
    repo = open_repo(root)
    files = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
    config = root / ".muse" / "config.toml"
    return (
        dict(repo.refs.iter()),
        repo.refs.head(),
        dict(read_stage(root)),
        config.read_bytes() if config.exists() else b"",
        files,
    )


def check_refused(code: int, text: str) -> None:
    """One error, one hint, exit 3."""
    assert code == 3, text
    lines = text.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"], text


class TestFullDisk:
    """Not one byte is free."""

    def test_readers(self, disk: Path, song: Path) -> None:
        """Every reading command answers as it did while there was room (G14)."""
        before = [ok(song, *words) for words in READERS if words != ("health",)]
        fill(disk)
        assert [ok(song, *words) for words in READERS if words != ("health",)] == before
        assert "0 B" in ok(song, "health")

    @pytest.mark.parametrize("slack", [False, True], ids=["no-journal", "journal"])
    @pytest.mark.parametrize("words", WRITERS, ids=" ".join)
    def test_writers(self, words: tuple[str, ...], slack: bool, disk: Path, song: Path) -> None:
        """A writing command fails whole, with one hint, and works once there is room (G10).

        The last page of a journal may have room for a record. Such a command is recorded, which
        its hint says, and the next one completes it.
        """
        if not slack:
            journal.checkpoint(song)
        twin = disk / "twin"
        shutil.copytree(song, twin, symlinks=True)
        before = state(song)
        ok(twin, *words)

        filler = fill(disk)
        code, text = oracle.run(song, *words)
        # What needs no new page may succeed: that is then as good as with room.
        if code != 0:
            check_refused(code, text)
        if code == 0 or "What it recorded" in text:
            done = True
        else:
            done = False
            assert state(song) == before
        for reader in (("status",), ("log",), ("verify",)):
            ok(song, *reader)

        filler.unlink()
        # A command of two steps may have recorded the first: then it is repeated, as its hint says.
        if not done or state(song) != state(twin):
            ok(song, *words)
        assert state(song) == state(twin)
        assert oracle.run(song, "verify")[0] == 0
        oracle.check(song)

    def test_recorded_is_kept(
        self, disk: Path, song: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was recorded on a full disk outlives every later command there (G2).

        The record is the journal's last before a checkpoint, which must not retire it unapplied.
        """
        monkeypatch.setattr(journal, "MAX_RECORDS", 2)
        journal.checkpoint(song)
        ok(song, "commit", "--allow-empty", "-m", "takes a page for the journal")
        filler = fill(disk)
        code, text = oracle.run(song, "add", "new.txt")
        check_refused(code, text)
        assert "What it recorded" in text
        for number in range(3):
            check_refused(*oracle.run(song, "branch", f"b{number}"))
        assert "new.txt" in json.loads(ok(song, "status", "--json"))["staged"]["added"]

        filler.unlink()
        assert "new.txt" in json.loads(ok(song, "status", "--json"))["staged"]["added"]
        oracle.check(song)

    def test_a_stale_view(self, disk: Path, song: Path) -> None:
        """A process that read through a journal sees what others do once there is room (G8)."""
        filler = fill(disk)
        code, text = oracle.run(song, "commit", "-m", "second")
        check_refused(code, text)
        assert "What it recorded" in text
        repo = open_repo(song)
        assert repo.objects.overlay
        filler.unlink()
        subprocess.run(["muse", "commit", "-a", "-m", "third"], cwd=song, check=True)
        done = subprocess.run(
            ["muse", "rev-parse", "HEAD"], cwd=song, check=True, capture_output=True
        )
        assert repo.refs.head().commit == done.stdout.decode().strip()

    def test_json(self, disk: Path, song: Path) -> None:
        """With --json the error is one object with its hint."""
        journal.checkpoint(song)
        fill(disk)
        code, text = oracle.run(song, "commit", "-m", "second", "--json")
        error = json.loads(text)
        assert code == error["exit_code"] == 3
        assert "full" in error["hint"]

    @pytest.mark.parametrize("verb", ["init", "clone"])
    def test_new_repository(self, verb: str, disk: Path, song: Path, tmp_path: Path) -> None:
        """A repository that could not be made is made by the same command later."""
        there = disk / "made"
        source = tmp_path / "source"
        shutil.copytree(song, source)
        words = ("init", str(there)) if verb == "init" else ("clone", str(source), str(there))
        filler = fill(disk)
        check_refused(*oracle.run(tmp_path, *words))
        filler.unlink()
        ok(tmp_path, *words)
        oracle.check(there)

    def test_push(self, disk: Path, song: Path, tmp_path: Path) -> None:
        """A push onto a full disk leaves that side as it was; the same push works later (G9)."""
        there = disk / "there"
        ok(tmp_path, "init", "--bare", str(there))
        here = tmp_path / "here"
        shutil.copytree(song, here)
        ok(here, "remote", "add", "origin", str(there))
        journal.checkpoint(there)
        filler = fill(disk)
        code, text = oracle.run(here, "push", "origin", "main")
        assert code in {3, 5}, text
        assert text.count("error:") == text.count("hint:") == 1, text
        assert list(open_repo(there).refs.iter()) == []
        filler.unlink()
        ok(here, "push", "origin", "main")
        oracle.check(there, bare=True)

    def test_fetch(self, disk: Path, song: Path, tmp_path: Path) -> None:
        """A fetch onto a full disk leaves this side as it was; the same fetch works later (G9)."""
        source = tmp_path / "source"
        shutil.copytree(song, source)
        ok(source, "commit", "-m", "theirs")
        ok(song, "remote", "add", "origin", str(source))
        journal.checkpoint(song)
        before = state(song)
        filler = fill(disk)
        check_refused(*oracle.run(song, "fetch", "origin"))
        assert state(song) == before
        filler.unlink()
        ok(song, "fetch", "origin")
        oracle.check(song)


def remount(disk: Path, mode: str) -> None:
    """Make the mount read-only (``ro``) or writable (``rw``)."""
    subprocess.run(["mount", "-o", f"remount,bind,{mode}", disk], check=True)


@pytest.fixture
def frozen(disk: Path, song: Path) -> Path:
    """That repository, on a mount that was made read-only."""
    remount(disk, "ro")
    return song


class TestReadOnlyMount:
    """Nothing can be written, not even by root."""

    def test_readers(self, disk: Path, song: Path) -> None:
        """Every reading command answers as it did before, also through a journal (G14)."""
        assert journal.read_journal(song).records
        before = [ok(song, *words) for words in READERS if words != ("health",)]
        remount(disk, "ro")
        assert [ok(song, *words) for words in READERS if words != ("health",)] == before
        ok(song, "health")

    def test_writers(self, disk: Path, frozen: Path, tmp_path: Path) -> None:
        """Every writing command is refused with one hint, and works when it may write (G10)."""
        before = state(frozen)
        for words in WRITERS:
            check_refused(*oracle.run(frozen, *words))
        assert state(frozen) == before
        remount(disk, "rw")
        for words in (("add", "."), ("commit", "-m", "second"), ("undo",), ("switch", "-c", "t")):
            ok(frozen, *words)
        oracle.check(frozen)

    def test_clone_of_it(self, frozen: Path, tmp_path: Path) -> None:
        """It can still be cloned from, which is how to get away from a dying disk."""
        ok(tmp_path, "clone", str(frozen), str(tmp_path / "copy"))
        oracle.check(tmp_path / "copy")

    def test_push_to_it(self, frozen: Path, tmp_path: Path) -> None:
        """A push to it fails with one error, and nothing is changed here."""
        ok(tmp_path, "clone", str(frozen), str(tmp_path / "copy"))
        copy = tmp_path / "copy"
        ok(copy, "switch", "-c", "mine")
        before = state(copy)
        code, text = oracle.run(copy, "push", "origin", "mine")
        assert code in {3, 5}, text
        assert text.count("error:") == text.count("hint:") == 1, text
        assert state(copy) == before
