"""`clone`: whole, resumable, and never at the cost of what was there."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from muse.core.errors import (
    AlreadyExistsError,
    BadTransferError,
    LockedError,
    MuseError,
    RefNotFoundError,
    RemoteError,
    UnfinishedCloneError,
    UsageError,
)
from muse.core.file_lock import lock_file
from muse.core.refs import HEADS, TAGS
from muse.core.repo import Repository, open_repo
from muse.core.types import from_raw, to_raw
from muse.core.upstream import find_upstream
from muse.ops.clone import CloneOptions, clone, default_folder
from muse.ops.pull import pull
from muse.ops.push import push
from muse.ops.remote_config import list_remotes
from muse.ops.status import read_status
from muse.remotes.protocol import TransferCallback, TransferProgress
from tests.remotes.histories import write_tag
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable, set_ref, settle

MAIN = HEADS + "main"
MARKER = ".muse/clone.json"


@pytest.fixture
def hub(tmp_path: Path) -> Repository:
    """Two commits of 120 files on ``main``, a branch and two tags."""
    repo = make_repo(tmp_path / "hub", bare=True)
    add_commit(repo, files_of(100))
    oid = add_commit(repo, files_of(120))
    set_ref(repo, HEADS + "topic", oid)
    set_ref(repo, TAGS + "light", oid)
    set_ref(repo, TAGS + "v1", from_raw(write_tag(repo.objects, to_raw(oid), "commit")))
    return repo


def clean(root: Path) -> bool:
    """Tell whether a working tree is what HEAD holds."""
    return read_status(open_repo(root)).status.is_clean


class TestClones:
    """A clone has it all, and goes on from there."""

    @pytest.mark.parametrize("bare", [False, True])
    def test_a_tag_that_no_branch_holds(self, tmp_path: Path, hub: Repository, bare: bool) -> None:
        """It comes too, as with git: a clone may be the copy that one goes back to."""
        main = hub.refs.read(MAIN)
        assert main is not None
        gone = add_commit(hub, files_of(3))
        set_ref(hub, TAGS + "gone", gone)
        set_ref(hub, MAIN, main)
        result = clone("hub", tmp_path / "c", options=CloneOptions(bare=bare), cwd=tmp_path)
        assert result.tags == 3
        assert open_repo(tmp_path / "c").refs.read(TAGS + "gone") == gone
        assert reachable(open_repo(tmp_path / "c")) == reachable(hub)

    def test_everything_comes(self, tmp_path: Path, hub: Repository) -> None:
        """History, branches, tags, files, remote and upstream; no marker is left."""
        result = clone("hub", tmp_path / "c", cwd=tmp_path)
        repo = open_repo(tmp_path / "c")
        assert (result.branch, result.branches, result.tags) == ("main", 2, 2)
        assert (result.bare, result.resumed) == (False, False)
        assert result.commit == repo.head().commit == hub.refs.read(MAIN)
        assert reachable(repo) == reachable(hub)
        assert [(each.name, each.url) for each in list_remotes(repo)] == [
            ("origin", str(tmp_path / "hub"))
        ]
        upstream = find_upstream(repo.config, "main")
        assert upstream is not None
        assert upstream.name == "origin/main"
        assert (tmp_path / "c/d0/f1").read_bytes() == files_of(2)[b"d0/f1"]
        assert clean(tmp_path / "c")
        assert not (tmp_path / "c" / MARKER).exists()

    def test_bare(self, tmp_path: Path, hub: Repository) -> None:
        """Branches are branches, HEAD is as there, and one can push to it and clone it."""
        set_ref(hub, HEADS + "trunk", hub.refs.read(MAIN))
        with hub.transaction("test") as tx:
            tx.set_head(ref=HEADS + "trunk", log="test")
        clone("hub", tmp_path / "b", cwd=tmp_path, options=CloneOptions(bare=True))
        repo = open_repo(tmp_path / "b")
        assert repo.bare
        assert repo.head().branch == "trunk"
        assert dict(repo.refs.iter()) == dict(hub.refs.iter())
        assert [path.name for path in (tmp_path / "b").iterdir()] == [".muse"]
        assert clone("b", tmp_path / "c", cwd=tmp_path).branch == "trunk"

    def test_another_branch_or_a_tag(self, tmp_path: Path, hub: Repository) -> None:
        """``-b`` takes a branch, or a tag, at whose commit HEAD is detached."""
        clone("hub", tmp_path / "t", cwd=tmp_path, options=CloneOptions(branch="topic"))
        assert open_repo(tmp_path / "t").head().branch == "topic"
        result = clone("hub", tmp_path / "v", cwd=tmp_path, options=CloneOptions(branch="v1"))
        head = open_repo(tmp_path / "v").head()
        assert (head.detached, head.commit) == (True, hub.refs.read(MAIN))
        assert result.branch is None
        with pytest.raises(RefNotFoundError) as caught:
            clone("hub", tmp_path / "x", cwd=tmp_path, options=CloneOptions(branch="nope"))
        assert "topic" in caught.value.hint
        assert not (tmp_path / "x").exists()

    def test_an_empty_source(self, tmp_path: Path) -> None:
        """An unborn branch of the same name; the first push goes back."""
        make_repo(tmp_path / "empty", bare=True)
        result = clone("empty", tmp_path / "c", cwd=tmp_path)
        assert (result.commit, result.branch) == (None, "main")
        repo = open_repo(tmp_path / "c")
        add_commit(repo, {b"a": b"1"})
        push(repo, remote="origin")

    def test_a_head_that_names_nothing(self, tmp_path: Path, hub: Repository) -> None:
        """HEAD there is unborn: the usual branch is taken."""
        with hub.transaction("test") as tx:
            tx.set_head(ref=HEADS + "gone", log="test")
        assert clone("hub", tmp_path / "c", cwd=tmp_path).branch == "main"

    def test_from_a_working_tree(self, tmp_path: Path, hub: Repository) -> None:
        """A clone of a clone, by a file URL, and a round trip of commits between them."""
        clone("hub", tmp_path / "a", cwd=tmp_path)
        clone((tmp_path / "a").as_uri(), tmp_path / "b", cwd=tmp_path)
        a, b = open_repo(tmp_path / "a"), open_repo(tmp_path / "b")
        add_commit(a, {**files_of(120), b"new": b"1"})
        assert pull(b).commits == 1
        assert reachable(b).keys() <= reachable(a).keys()

    def test_symlinks_and_modes(self, tmp_path: Path) -> None:
        """What a tree can hold is what the clone's files are."""
        from muse.ops.add import add
        from muse.ops.commit import commit
        from tests.remotes.repositories import ADA

        source = make_repo(tmp_path / "s")
        (source.root / "run").write_bytes(b"#!/bin/sh\n")
        (source.root / "run").chmod(0o755)
        (source.root / "link").symlink_to("run")
        (source.root / "odd \n\xff".encode("utf-8", "surrogateescape").decode()).write_bytes(b"x")
        add(source, [b""])
        commit(source, message="all", committer=ADA)
        clone("s", tmp_path / "c", cwd=tmp_path)
        assert os.access(tmp_path / "c/run", os.X_OK)
        assert os.readlink(tmp_path / "c/link") == "run"
        assert clean(tmp_path / "c")

    def test_names_for_folders(self) -> None:
        """The last part of the source, without what is not a name."""
        assert default_folder("/srv/song") == "song"
        assert default_folder("../song/") == "song"
        assert default_folder("song/.muse") == "song"
        assert default_folder("file:///srv/my%20song") == "my song"
        for source in ("/", "..", "."):
            with pytest.raises(UsageError):
                default_folder(source)


class TestWhatIsThere:
    """A clone takes no folder that holds anything, and deletes none that it did not make."""

    def test_an_empty_folder_is_taken(self, tmp_path: Path, hub: Repository) -> None:
        """As git does."""
        (tmp_path / "c").mkdir()
        clone("hub", tmp_path / "c", cwd=tmp_path)
        assert clean(tmp_path / "c")

    @pytest.mark.parametrize("what", ["file in it", "repository", "file", "foreign .muse"])
    def test_anything_else_is_left(self, tmp_path: Path, hub: Repository, what: str) -> None:
        """Refused, and untouched."""
        place = tmp_path / "c"
        if what == "file in it":
            place.mkdir()
            (place / "precious").write_bytes(b"mine")
        elif what == "repository":
            add_commit(make_repo(place), {b"a": b"1"})
        elif what == "file":
            place.write_bytes(b"mine")
        else:
            (place / ".muse").mkdir(parents=True)
            (place / ".muse/notes").write_bytes(b"mine")
        before = sorted(str(path) for path in tmp_path.rglob("*"))
        with pytest.raises(AlreadyExistsError, match="not empty"):
            clone("hub", place, cwd=tmp_path)
        assert sorted(str(path) for path in tmp_path.rglob("*")) == before

    def test_a_missing_source_makes_nothing(self, tmp_path: Path) -> None:
        """The source is looked at first."""
        with pytest.raises(RemoteError):
            clone("gone", tmp_path / "c", cwd=tmp_path)
        assert not (tmp_path / "c").exists()

    def test_a_hostile_source_leaves_nothing(self, tmp_path: Path, hub: Repository) -> None:
        """A damaged object is named; the folder that we made goes, one that was there stays."""
        settle(hub)
        pack = hub.objects.packs()[0].path
        data = bytearray(pack.read_bytes())
        data[data.index(b" content of 7\n")] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(bytes(data))
        (tmp_path / "there").mkdir()
        for name in ("new/deep/folder", "there"):
            with pytest.raises(BadTransferError):
                clone("hub", tmp_path / name, cwd=tmp_path)
        assert not (tmp_path / "new").exists()
        assert list((tmp_path / "there").iterdir()) == []


class Stop(Exception):  # noqa: N818  # what a caller raises to cancel
    """Cancels."""


class TestHalfMade:
    """What a killed clone leaves is recognised and finished by the same command."""

    @staticmethod
    def stop_at(phase: str, objects: int) -> TransferCallback:
        """Return a callback that cancels."""

        def stop(progress: TransferProgress) -> None:
            if progress.phase == phase and progress.objects == objects:
                raise Stop

        return stop

    @pytest.mark.parametrize(("phase", "objects"), [("receive", 100), ("checkout", 50)])
    def test_the_same_command_finishes(
        self,
        tmp_path: Path,
        hub: Repository,
        monkeypatch: pytest.MonkeyPatch,
        phase: str,
        objects: int,
    ) -> None:
        """Objects that came are not sent again, and HEAD is not born before the files are there."""
        monkeypatch.setattr("muse.remotes.intake._MIN_PART_BYTES", 500)
        with pytest.raises(Stop):
            clone("hub", tmp_path / "c", cwd=tmp_path, progress=self.stop_at(phase, objects))
        assert (tmp_path / "c" / MARKER).exists()
        with pytest.raises(UnfinishedCloneError, match="not finished") as caught:
            open_repo(tmp_path / "c")
        assert (caught.value.exit_code, "same" in caught.value.hint) == (2, True)
        assert open_repo(tmp_path / "c", unfinished=True).head().commit is None
        result = clone("hub", tmp_path / "c", cwd=tmp_path)
        assert result.resumed
        assert result.present >= 90 or result.objects == 0
        repo = open_repo(tmp_path / "c")
        assert reachable(repo) == reachable(hub)
        assert clean(repo.root)
        assert not (tmp_path / "c" / MARKER).exists()

    def test_half_of_it_is_not_sent_again(self, tmp_path: Path) -> None:
        """G9: of a clone of 12 MB that is cut in the middle, nine tenths are kept."""
        hub = make_repo(tmp_path / "big", bare=True)
        noise = random.Random(7)
        add_commit(hub, {b"d/%d" % n: noise.randbytes(30_000) for n in range(400)})
        with pytest.raises(Stop):
            clone("big", tmp_path / "c", cwd=tmp_path, progress=self.stop_at("receive", 200))
        result = clone("big", tmp_path / "c", cwd=tmp_path)
        assert result.present >= 180
        assert reachable(open_repo(tmp_path / "c")) == reachable(hub)

    def test_another_depth_goes_on_as_well(self, tmp_path: Path, hub: Repository) -> None:
        """Who finds a clone too slow may cut it short with `--depth`, without starting anew."""
        with pytest.raises(Stop):
            clone("hub", tmp_path / "c", cwd=tmp_path, progress=self.stop_at("checkout", 9))
        options = CloneOptions(depth=1)
        assert clone("hub", tmp_path / "c", cwd=tmp_path, options=options).resumed

    def test_an_empty_place_is_followed(self, tmp_path: Path) -> None:
        """What is committed first in a clone of nothing is pushed and pulled as in any clone."""
        make_repo(tmp_path / "empty", bare=True)
        clone("empty", tmp_path / "c", cwd=tmp_path)
        repo = open_repo(tmp_path / "c")
        oid = add_commit(repo, {b"a": b"1"})
        assert push(repo).refs[0].new == oid
        assert pull(repo).up_to_date

    @pytest.mark.parametrize("trace", ["", ".muse", ".muse/tmp"])
    def test_its_first_traces(self, tmp_path: Path, hub: Repository, trace: str) -> None:
        """Killed right after making a folder: that is no obstacle."""
        (tmp_path / "c" / trace).mkdir(parents=True)
        clone("hub", tmp_path / "c", cwd=tmp_path)
        assert clean(tmp_path / "c")

    def test_another_command_does_not_finish_it(self, tmp_path: Path, hub: Repository) -> None:
        """A half-made clone of one source is not filled from another."""
        with pytest.raises(Stop):
            clone("hub", tmp_path / "c", cwd=tmp_path, progress=self.stop_at("checkout", 9))
        make_repo(tmp_path / "other", bare=True)
        with pytest.raises(AlreadyExistsError, match=r"unfinished clone of .*hub"):
            clone("other", tmp_path / "c", cwd=tmp_path)
        with pytest.raises(AlreadyExistsError):
            clone("hub", tmp_path / "c", cwd=tmp_path, options=CloneOptions(bare=True))

    def test_two_at_once(self, tmp_path: Path, hub: Repository) -> None:
        """The second one is told that the first is at it."""
        with pytest.raises(Stop):
            clone("hub", tmp_path / "c", cwd=tmp_path, progress=self.stop_at("checkout", 9))
        fd = os.open(tmp_path / "c" / MARKER, os.O_RDWR)
        try:
            assert lock_file(fd)
            with pytest.raises(LockedError, match="Another process"):
                clone("hub", tmp_path / "c", cwd=tmp_path)
        finally:
            os.close(fd)
        assert clone("hub", tmp_path / "c", cwd=tmp_path).resumed

    def test_a_failure_says_how_to_go_on(
        self, tmp_path: Path, hub: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When something arrived, it is kept, and the hint says so."""

        def fail(progress: TransferProgress) -> None:
            if progress.phase == "checkout":
                raise RemoteError("The line went dead.", hint="Try again.")

        with pytest.raises(MuseError) as caught:
            clone("hub", tmp_path / "c", cwd=tmp_path, progress=fail)
        assert "same command again" in caught.value.hint
        assert clone("hub", tmp_path / "c", cwd=tmp_path).resumed

    def test_cancelled_before_anything_came(self, tmp_path: Path, hub: Repository) -> None:
        """Nothing is left then."""
        with pytest.raises(Stop):
            clone("hub", tmp_path / "c", cwd=tmp_path, progress=self.stop_at("receive", 0))
        assert not (tmp_path / "c").exists()
