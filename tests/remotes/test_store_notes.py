"""What this side remembers of a store: hints, of which none may become a lie."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from pathlib import Path

import pytest

from muse.core.repo import Repository
from muse.core.types import ObjectId
from muse.ops.push import push
from muse.ops.remote import add_remote
from muse.remotes.store_document import Document, PackEntry
from muse.remotes.store_notes import PENDING_S, Notes
from tests.remotes.repositories import add_commit, files_of, make_repo
from tests.remotes.store_oracle import read_folder

TIP = ObjectId("sha256:" + "1" * 64)
ENTRY = PackEntry("a" * 64 + "-" + "b" * 16, 2000, 1152, 100, 1)


class TestTips:
    """What was complete there is believed to be so only while nothing can have been dropped."""

    def test_while_nothing_was_dropped(self, tmp_path: Path) -> None:
        """The same store, the same count of drops, and no older document."""
        document = dataclasses.replace(Document.new(), serial=5, refs={"refs/heads/a": TIP})
        notes = Notes(tmp_path, "here")
        notes.saw(document)
        notes.save()
        again = Notes(tmp_path, "here")
        assert list(again.tips) == [TIP]
        assert again.knows(dataclasses.replace(document, serial=9, refs={}))
        assert not again.knows(dataclasses.replace(document, drops=1))
        assert not again.knows(dataclasses.replace(document, serial=4))
        assert not again.knows(dataclasses.replace(Document.new(), serial=9))
        again.saw(dataclasses.replace(document, drops=1, refs={}))
        assert list(again.tips) == []

    def test_of_another_place(self, tmp_path: Path) -> None:
        """Another address, or another server behind it, is another store."""
        notes = Notes(tmp_path, "s3 https://one b p")
        notes.probed = True
        notes.save()
        assert Notes(tmp_path, "s3 https://one b p").probed
        assert not Notes(tmp_path, "s3 https://two b p").probed


class TestPending:
    """Packs of killed pushes are counted on for half a day, which is less than any grace."""

    def test_they_get_too_old(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also by a clock that went backwards."""
        now_s = [1_000_000.0]
        monkeypatch.setattr(time, "time", lambda: now_s[0])
        Notes(tmp_path, "here").intend(ENTRY, b"index")
        now_s[0] += PENDING_S - 1
        assert Notes(tmp_path, "here").pending == [ENTRY]
        now_s[0] += 2
        assert Notes(tmp_path, "here").pending == []
        now_s[0] = 1_000.0
        assert Notes(tmp_path, "here").pending == []


class TestDamage:
    """Hints may be damaged, or gone, or not writable: nothing depends on them."""

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"probed": 1}', b"\xff\xfe", b"null"])
    def test_damaged_notes_are_none(self, tmp_path: Path, data: bytes) -> None:
        """They are read as if there were none."""
        notes = Notes(tmp_path, "here")
        notes.probed = True
        notes.save()
        (path,) = tmp_path.rglob("notes.json")
        path.write_bytes(data)
        assert not Notes(tmp_path, "here").probed

    @pytest.mark.parametrize("harm", ["gone", "garbage", "a file"])
    def test_pushes_go_on(self, tmp_path: Path, harm: str) -> None:
        """A cache that was deleted, or filled with garbage, costs requests and nothing else."""
        repo = make_repo(tmp_path / "repo")
        add_remote(repo, "origin", f"store://{tmp_path}/store")
        for number in range(3):
            add_commit(repo, files_of(10 + number))
            push(repo, remote="origin", branches=("main",))
            self._harm(repo, harm)
        state = read_folder(tmp_path / "store")
        assert state.refs["refs/heads/main"] == repo.refs.read("refs/heads/main")
        state.check()

    @staticmethod
    def _harm(repo: Repository, harm: str) -> None:
        stores = repo.muse / "cache" / "stores"
        if harm == "garbage":
            for path in stores.rglob("*"):
                if path.is_file():
                    path.write_bytes(os.urandom(500))
            return
        if stores.is_dir():
            shutil.rmtree(stores)
        if harm == "a file":
            stores.write_bytes(b"")
