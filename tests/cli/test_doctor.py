"""``muse doctor`` as people and programs read it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def lose(cli: Cli, repo: Path, name: str) -> str:
    """Delete the object of a file's content, which is loose; return its id."""
    oid = cli("hash-object", name, cwd=repo).out.strip()
    digits = oid.removeprefix("sha256:")
    (repo / ".muse/objects/sha256" / digits[:2] / digits[2:]).unlink()
    return oid


@pytest.fixture
def damaged(cli: Cli, repo: Path) -> tuple[Path, str]:
    """Commit ``a`` and ``src/b``, then lose what is stored of ``src/b``, here and on disk."""
    (repo / "a").write_text("one\n")
    (repo / "src").mkdir()
    (repo / "src/b").write_text("b\n")
    cli("add", ".", cwd=repo)
    cli("commit", "-m", "one", cwd=repo)
    (repo / ".muse/journal/wal").unlink()
    oid = lose(cli, repo, "src/b")
    (repo / "src/b").write_text("changed\n")
    return repo, oid


def test_says_what_a_loss_touches(cli: Cli, damaged: tuple[Path, str]) -> None:
    """The branch, the commit and the path stand below what is missing, as in verify."""
    repo, oid = damaged
    commit = cli("rev-parse", "HEAD", cwd=repo).out.strip().removeprefix("sha256:")[:8]
    shown = cli("doctor", cwd=repo)
    assert shown.code == 3
    assert oid in shown.out
    line = f"  needed by main → {commit} → src/b"
    assert line in shown.out.splitlines()
    assert line in cli("verify", cwd=repo).out.splitlines()


def test_says_the_same_to_programs(cli: Cli, damaged: tuple[Path, str]) -> None:
    """``--json`` has kind, id and touches, equal to those of verify."""
    repo, oid = damaged
    [remedy] = cli("doctor", "--json", cwd=repo).json["remaining"]
    [finding] = cli("verify", "--json", cwd=repo).json["findings"]
    for key in ("kind", "id", "file", "touches"):
        assert remedy[key] == finding[key]
    assert remedy["id"] == oid
    assert [touch["path"] for touch in remedy["touches"]] == ["src/b"]
    assert remedy["action"] is None
    assert "--from" in remedy["way_out"]


def test_brings_back_from_a_path(cli: Cli, damaged: tuple[Path, str], tmp_path: Path) -> None:
    """``--from`` takes a path relative to where it is typed; words and JSON say what was done."""
    repo, oid = damaged
    cli("init", "backup")
    backup = tmp_path / "backup"
    (backup / "b").write_text("b\n")
    cli("hash-object", "-w", "b", cwd=backup)
    (repo / "src").mkdir(exist_ok=True)
    planned = cli("doctor", "--from", "../../backup", cwd=repo / "src")
    assert planned.code == 3
    assert "with --fix: Bring it back from" in planned.out
    done = cli("doctor", "--fix", "--from", "../../backup", "--json", cwd=repo / "src")
    assert done.code == 0, done
    assert [remedy["id"] for remedy in done.json["fixed"]] == [oid]
    assert cli("cat-object", oid, cwd=repo).out == "b\n"


def test_a_lost_folder_may_hide_more(cli: Cli, repo: Path) -> None:
    """Below a tree that is gone nothing can be looked for: that is said."""
    (repo / "src").mkdir()
    (repo / "src/b").write_text("b\n")
    cli("add", ".", cwd=repo)
    cli("commit", "-m", "one", cwd=repo)
    (repo / ".muse/journal/wal").unlink()
    listing = cli("ls-tree", "HEAD", cwd=repo).out
    digits = listing.split("sha256:")[1][:64]
    (repo / ".muse/objects/sha256" / digits[:2] / digits[2:]).unlink()
    assert "shows only once that is back" in cli("doctor", cwd=repo).out


@pytest.mark.parametrize(
    ("kind", "plant"),
    [
        ("a link", lambda path: path.symlink_to("nowhere")),
        ("a pipe or a device", os.mkfifo),
        ("a folder", Path.mkdir),
    ],
    ids=["link", "pipe", "folder"],
)
def test_what_stands_in_the_journals_place(
    cli: Cli, repo: Path, kind: str, plant: Callable[[Path], None]
) -> None:
    """Nothing can be opened; each is named, moved and kept beside the others, and work goes on."""
    journal = repo / ".muse/journal/wal"
    (repo / "a").write_text("one\n")
    cli("commit", "-m", "one", cwd=repo)
    for _ in range(2):
        journal.unlink(missing_ok=True)
        plant(journal)
        refused = cli("status", cwd=repo)
        assert refused.code == 3
        assert "muse doctor" in refused.err
        planned = cli("doctor", "--json", cwd=repo)
        assert planned.code == 3
        assert os.path.lexists(journal)
        fixed = cli("doctor", "--fix", "--json", cwd=repo)
        assert fixed.code == 0, fixed
        assert fixed.json["fixed"] == planned.json["curable"]
        assert f"is {kind}" in fixed.json["fixed"][0]["problem"]
        assert cli("log", "--oneline", cwd=repo).out.endswith("one\n")
    kept = [path.name for path in (repo / ".muse/quarantine").glob("*/journal/*")]
    assert len(kept) == 2
    (repo / "a").write_text("two\n")
    assert cli("commit", "-m", "two", cwd=repo).code == 0


def test_another_error_of_opening_stays_what_it_is(
    cli: Cli, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that a bad disk does not give is no thing to move away."""
    journal = repo / ".muse/journal/wal"
    (repo / "a").write_text("one\n")
    cli("commit", "-m", "one", cwd=repo)
    real = os.open

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if os.fspath(path) == os.fspath(journal):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    told = cli("doctor", "--fix", cwd=repo)
    assert told.code == 3
    assert "Could not read the journal" in told.err
    assert journal.is_file()
