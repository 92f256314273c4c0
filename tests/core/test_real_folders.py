"""A repository that somebody packed with links in it writes nothing where they lead (G11)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from muse.core.errors import MuseError, UnsafePathError
from muse.core.paths import repo_json_path
from muse.core.repo import open_repo
from muse.ops.init import init
from tests.crash import oracle
from tests.remotes.repositories import add_commit, make_repo, settle

FOLDERS = [
    ".", "objects", "objects/sha256", "objects/pack", "refs", "refs/heads", "logs", "logs/refs",
    "code", "cache", "health", "tmp", "journal",
]  # fmt: skip


def _everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_folder_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """Every command stops before it writes, sweeps or recovers where the link leads."""
    repo = make_repo(tmp_path / "r")
    add_commit(repo, {b"a": b"1"})
    settle(repo)
    inside, outside = Path(os.path.normpath(repo.muse / name)), tmp_path / "outside"
    if inside.exists():
        shutil.move(inside, outside)
    else:
        outside.mkdir()
    (outside / ".muse-tmp-x").write_text("not ours to sweep")
    inside.symlink_to(outside)
    before = _everything(outside)
    for command in (["status"], ["commit", "-m", "x"], ["gc"], ["branch", "new"]):
        code, text = oracle.run(repo.root, *command)
        assert code == 2, text
        assert str(inside) in text
    assert _everything(outside) == before


def test_a_linked_shard_is_refused(tmp_path: Path) -> None:
    """Not swept, not collected, not written through."""
    repo = make_repo(tmp_path / "r")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ".obj-tmp-x").write_text("not ours to sweep")
    for number in range(256):
        shutil.rmtree(repo.muse / f"objects/sha256/{number:02x}", ignore_errors=True)
        (repo.muse / f"objects/sha256/{number:02x}").symlink_to(tmp_path / "outside")
    (repo.root / "a").write_text("a")
    code, text = oracle.run(repo.root, "add", "a")
    assert (code, "is a link" in text) == (2, True)
    assert list(_everything(tmp_path / "outside")) == [".obj-tmp-x"]


def test_a_linked_folder_of_refs_is_not_written_through(tmp_path: Path) -> None:
    """A branch whose folder leads out is refused when it is made; nothing is there then."""
    repo = make_repo(tmp_path / "r")
    add_commit(repo, {b"a": b"1"})
    (tmp_path / "outside").mkdir()
    (repo.muse / "refs/heads/out").symlink_to(tmp_path / "outside")
    code, text = oracle.run(repo.root, "branch", "out/side")
    assert (code, "is a link" in text) == (2, True)
    assert list((tmp_path / "outside").iterdir()) == []
    # No record was written that nobody could apply (G5).
    assert oracle.run(repo.root, "branch", "other")[0] == 0


def test_a_linked_repository_is_no_remote(tmp_path: Path) -> None:
    """The other side of a path is looked at in the same way."""
    place = make_repo(tmp_path / "place", bare=True)
    shutil.move(place.muse / "refs", tmp_path / "outside")
    (place.muse / "refs").symlink_to(tmp_path / "outside")
    repo = make_repo(tmp_path / "r", origin=place.root)
    add_commit(repo, {b"a": b"1"})
    code, text = oracle.run(repo.root, "push", "-u", "origin", "main")
    assert (code, "is a link" in text) == (5, True)


def test_real_folders_are_fine(tmp_path: Path) -> None:
    """A repository that is reached by a link is one like any other."""
    repo = make_repo(tmp_path / "r")
    (tmp_path / "way").symlink_to(repo.root)
    assert open_repo(tmp_path / "way").head().branch == "main"
    with pytest.raises(MuseError):
        open_repo(tmp_path)
    assert issubclass(UnsafePathError, MuseError)


class TestInitAgain:
    """`init` completes what is damaged, and remembers what it was."""

    @pytest.mark.parametrize("damage", [b"", b"{", None])
    @pytest.mark.parametrize("bare", [False, True])
    def test_a_bare_repository_stays_bare(
        self, tmp_path: Path, *, damage: bytes | None, bare: bool
    ) -> None:
        """Whatever has become of ``repo.json``."""
        init(tmp_path / "r", bare=bare)
        path = repo_json_path(tmp_path / "r")
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage)
        assert init(tmp_path / "r").bare == bare
        assert json.loads(path.read_bytes())["bare"] is bare
