"""A repository in a folder as a remote: the conformance suite, and what only a folder can do."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.core.errors import BadTransferError, LockedError, RemoteError
from muse.core.lock import WriteLock
from muse.core.repo import Repository
from muse.core.types import from_raw, to_raw
from muse.remotes.media import open_remote
from muse.remotes.protocol import ObjectRecord, RefUpdate, Remote
from muse.remotes.records import iter_records
from tests.conftest import Run
from tests.remotes.conformance import (
    MAIN,
    OpenPlace,
    RemoteConformance,
    here,
    ids_of,
    send_all,
    tip,
)
from tests.remotes.repositories import add_commit, files_of, make_repo, set_ref, settle

__all__ = ["here"]


@pytest.fixture
def place(tmp_path: Path) -> Repository:
    """A bare repository in a folder."""
    return make_repo(tmp_path / "place", bare=True)


@pytest.fixture
def open_place(place: Repository) -> OpenPlace:
    """Open it by its path."""
    return lambda: open_remote(str(place.root), base=Path("/"))


class TestPathRemote(RemoteConformance):
    """A folder does what every medium does."""


class TestWorkingTrees:
    """A branch that somebody works on is not moved under their feet."""

    @pytest.mark.parametrize("born", [False, True])
    def test_a_checked_out_branch_is_refused(
        self, tmp_path: Path, here: Repository, *, born: bool
    ) -> None:
        """As git does, also while the branch there has no commit yet."""
        other = make_repo(tmp_path / "other")
        old = add_commit(other, {b"a": b"1"}) if born else None
        remote = open_remote(str(other.root), base=tmp_path)
        assert remote.list_refs().checked_out == MAIN
        send_all(here, remote, tip(here))
        with pytest.raises(RemoteError, match="checked out") as caught:
            remote.update_refs([RefUpdate(MAIN, old, tip(here))], version="")
        assert "--bare" in caught.value.hint
        assert other.refs.read(MAIN) == old

    def test_other_branches_are_free(self, tmp_path: Path, here: Repository) -> None:
        """A branch that is not checked out there moves."""
        other = make_repo(tmp_path / "other")
        remote = open_remote(str(other.root), base=tmp_path)
        send_all(here, remote, tip(here))
        remote.update_refs([RefUpdate("refs/heads/in", None, tip(here))], version="")
        assert other.refs.read("refs/heads/in") == tip(here)

    def test_the_branch_of_head_is_not_deleted(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """A bare repository keeps the branch that its HEAD names."""
        oid = add_commit(place, {b"a": b"1"})
        with pytest.raises(RemoteError, match="HEAD"):
            open_place().update_refs([RefUpdate(MAIN, oid, None)], version="")


class TestAddresses:
    """What cannot be opened says why, and what to type."""

    def test_forms_of_an_address(self, place: Repository) -> None:
        """Absolute, relative to the repository, as a file URL, with its .muse."""
        spaced = make_repo(place.root.parent / "with space", bare=True)
        forms: list[tuple[str, Path]] = [
            (str(place.root), Path("/")),
            ("place", place.root.parent),
            ("../place", place.root),
            (place.root.as_uri(), Path("/")),
            (spaced.root.as_uri(), Path("/")),
            (str(place.root / ".muse"), Path("/")),
        ]
        for url, base in forms:
            assert open_remote(url, base=base).list_refs().refs == ()

    @pytest.mark.parametrize("url", ["gone", "file:///gone/for/good"])
    def test_a_missing_place(self, tmp_path: Path, url: str) -> None:
        """The hint shows how to make one."""
        with pytest.raises(RemoteError, match="does not exist") as caught:
            open_remote(url, base=tmp_path)
        assert "init --bare" in caught.value.hint
        assert caught.value.exit_code == 5

    def test_a_folder_below_a_repository_is_none(self, place: Repository) -> None:
        """A remote is that very folder: nothing is searched for above it."""
        (place.root / "below").mkdir()
        with pytest.raises(RemoteError, match="no Muse repository"):
            open_remote(str(place.root / "below"), base=Path("/"))

    @pytest.mark.parametrize("bare", [False, True])
    def test_a_git_repository(self, tmp_path: Path, git: Run, *, bare: bool) -> None:
        """The hint shows how to bring it over."""
        git("init", "-q", *(["--bare"] if bare else []), "theirs", cwd=tmp_path)
        with pytest.raises(RemoteError, match="git repository") as caught:
            open_remote("theirs", base=tmp_path)
        assert "git-import" in caught.value.hint

    @pytest.mark.parametrize("url", ["ftp://host/x"])
    def test_media_that_do_not_exist_yet(self, tmp_path: Path, url: str) -> None:
        """They are told apart from folders, and refused by name."""
        with pytest.raises(RemoteError, match="does not speak"):
            open_remote(url, base=tmp_path)

    def test_secrets_are_never_shown(self, tmp_path: Path) -> None:
        """User, password and query of a URL stay out of messages."""
        with pytest.raises(RemoteError) as caught:
            open_remote("https://me:s3cret@host/x?token=abc", base=tmp_path)
        shown = caught.value.message + caught.value.hint
        assert "host/x" in shown
        assert "s3cret" not in shown
        assert "abc" not in shown


class TestTrouble:
    """Whatever is wrong over there is told in its name, and changes nothing."""

    def test_a_damaged_object_is_named_by_whom_it_was_sent(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """The error holds object, remote and file."""
        oid = add_commit(place, {b"a": b"some content"})
        settle(place)
        blob = next(raw for raw in place.objects.iter_loose() if place.objects.stat(raw)[1] == 12)
        path = Path(place.objects.loose_path(blob))
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        remote = open_place()
        with pytest.raises(BadTransferError) as caught:
            list(remote.send(remote.offer([oid], [])))
        assert caught.value.oid == from_raw(blob)
        assert remote.url in caught.value.message
        assert str(path) in caught.value.message

    def test_a_damaged_copy_is_replaced(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """What is there but damaged does not count as present, and arrives again."""
        send_all(here, open_place(), tip(here))
        broken = next(place.objects.packs()[0].ids())
        pack = place.objects.packs()[0].path
        data = bytearray(pack.read_bytes())
        at = data.index(here.objects.read(broken)[1])
        data[at] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(bytes(data))
        assert broken not in open_place().find_present([broken])
        send_all(here, open_place(), tip(here))
        assert place.objects.is_whole(broken)

    def test_a_repository_that_is_being_written_says_by_whom(
        self, here: Repository, place: Repository, open_place: OpenPlace,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """The lock of the other side is waited for, then named."""
        monkeypatch.setattr("muse.core.repo.Repository.transaction.__kwdefaults__", {
            "summary": "", "who": None, "wait_s": 0.05, "level": None,
        })  # fmt: skip
        remote = open_place()
        with WriteLock(place.root, command="gc"), pytest.raises(LockedError, match="gc") as caught:
            remote.update_refs([RefUpdate(MAIN, None, tip(here))], version="")
        assert remote.url in caught.value.message

    def test_a_read_only_place_refuses_a_push(self, here: Repository, open_dir: Path) -> None:
        """It can be read; writing says what is wrong with it, and changes nothing."""
        place = make_repo(open_dir / "place", bare=True)
        oid = add_commit(place, {b"a": b"1"})
        settle(place)
        with _as_nobody(owner_of=place.muse), _read_only(place.muse):
            remote = open_remote(str(place.root), base=Path("/"))
            assert remote.list_refs().values() == {MAIN: oid}
            with pytest.raises(RemoteError, match="place") as caught:
                remote.update_refs([RefUpdate(MAIN, oid, oid)], version="")
        assert "permission" in caught.value.hint.lower()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can make foreign files")
    def test_a_foreign_place_is_read_and_not_written(self, open_dir: Path) -> None:
        """What another user owns opens for reading; a push is refused with the way to trust it."""
        place = make_repo(open_dir / "place", bare=True)
        oid = add_commit(place, {b"a": b"1"})
        settle(place)
        with _as_nobody():
            remote = open_remote(str(place.root), base=Path("/"))
            assert len(list(remote.send(remote.offer([oid], [])))) == 3
            with pytest.raises(RemoteError, match="belongs to") as caught:
                remote.update_refs([RefUpdate(MAIN, oid, oid)], version="")
        assert "safe.directories" in caught.value.hint

    def test_a_newer_format_is_left_alone(self, place: Repository, open_place: OpenPlace) -> None:
        """A repository of a later version is refused before anything is read from it."""
        (place.muse / "repo.json").write_text('{"format": 99}')
        with pytest.raises(RemoteError, match="format 99"):
            open_place()

    def test_a_damaged_ref_is_named(self, place: Repository, open_place: OpenPlace) -> None:
        """A listing does not guess."""
        add_commit(place, {b"a": b"1"})
        settle(place)
        (place.muse / MAIN).write_text("nonsense\n")
        with pytest.raises(RemoteError, match="refs/heads/main"):
            open_place().list_refs()

    def test_a_damaged_head_hides_no_branch(self, place: Repository, open_place: OpenPlace) -> None:
        """HEAD is one thing, branches are another."""
        add_commit(place, {b"a": b"1"})
        settle(place)
        (place.muse / "HEAD").write_text("nonsense\n")
        listing = open_place().list_refs()
        assert (len(listing.refs), listing.head) == (1, None)

    def test_a_tag_that_leads_nowhere_is_listed(
        self, place: Repository, open_place: OpenPlace
    ) -> None:
        """It has no peeled value; whoever wants it learns what is missing."""
        oid = add_commit(place, {b"a": b"1"})
        set_ref(place, "refs/tags/gone", oid)
        settle(place)
        path = Path(place.objects.loose_path(to_raw(oid)))
        path.unlink()
        (_, tag) = open_place().list_refs().refs
        assert tag.peeled is None


class TestParts:
    """A large transfer is published in parts, so that a kill loses little."""

    def test_what_came_before_a_failure_is_kept(
        self, tmp_path: Path, place: Repository, open_place: OpenPlace,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """At least nine tenths of what arrived are there afterwards."""
        monkeypatch.setattr("muse.remotes.intake._MIN_PART_BYTES", 1000)
        here = make_repo(tmp_path / "big")
        oid = add_commit(here, files_of(800))
        remote: Remote = open_place()
        ids = ids_of(here, oid)
        half = len(ids) // 2

        def fail_halfway() -> Iterator[ObjectRecord]:
            yield from iter_records(here.objects, ids[:half])
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            remote.receive(fail_halfway(), count=len(ids))
        assert len(open_place().find_present(ids)) >= 0.9 * half
        assert 5 <= len(list((place.muse / "objects/pack").glob("*.mpack"))) <= 20


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@contextlib.contextmanager
def _as_nobody(*, owner_of: Path | None = None) -> Iterator[None]:
    """Drop the superuser's powers, if we have them, and let nobody own a folder."""
    if os.geteuid() != 0:
        yield
        return
    if owner_of is not None:
        os.chown(owner_of, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def _read_only(muse: Path) -> Iterator[None]:
    folders = [Path(folder) for folder, _, _ in os.walk(muse)]
    for folder in folders:
        if os.stat(folder).st_uid == os.geteuid():
            folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            if os.stat(folder).st_uid == os.geteuid():
                folder.chmod(0o755)
