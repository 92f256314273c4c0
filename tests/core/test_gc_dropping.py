"""Collecting garbage drops what nothing reaches and is old, and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core import gc as gc_module
from muse.core.codec import seal
from muse.core.commits import Commit, Tag, format_commit, format_tag
from muse.core.io import move_file
from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.pack_format import index_path
from muse.core.paths import head_path, muse_dir, pack_dir
from muse.core.repo import Repository
from muse.core.trash import TrashItem, encode_entry, entry_path, new_entry
from muse.core.trees import EMPTY_TREE, find_in_tree
from muse.core.types import MODE_FILE, RawId, from_raw, raw_object_id
from muse.core.verify import verify_store
from tests.core.gc_runs import (
    FILES,
    LONG_AGO,
    age,
    fill,
    loose,
    now,
    pack_of,
    run,
)
from tests.core.repos import MAIN, WHO, commit_files, stage_files


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits, all loose."""
    return fill(tmp_path / "repo")


class TestDropping:
    """Unreachable and old goes; reachable or young stays."""

    def test_old_goes_young_stays(self, repo: Repository) -> None:
        """The age is that of the last write, and the expiry decides."""
        old, young = loose(repo, b"old"), loose(repo, b"young", old=False)
        result = run(repo, expire=time.time() - 3600)
        assert not repo.objects.has(old)
        assert repo.objects.read(young) == ("blob", b"young")
        assert (result.dropped, result.kept) == (1, 1)
        assert Path(repo.objects.loose_path(young)).exists(), "packing would hide its age"

    def test_never_means_never(self, repo: Repository) -> None:
        """Without an expiry nothing is dropped, however old."""
        old = loose(repo, b"old")
        assert run(repo).dropped == 0
        assert repo.objects.has(old)

    def test_writing_it_again_makes_it_young(self, repo: Repository) -> None:
        """Whoever stores the same content anew can count on it."""
        raw = loose(repo, b"old")
        repo.objects.write("blob", b"old")
        run(repo, expire=time.time() - 3600)
        assert repo.objects.has(raw)

    def test_packed_garbage(self, repo: Repository) -> None:
        """Unreachable objects in an old pack go, its others stay; a young pack is left alone."""
        kept = raw_object_id("blob", FILES[b"src/a.py"])
        old = pack_of(repo, b"old garbage", FILES[b"src/a.py"])
        os.utime(old, (LONG_AGO, LONG_AGO))
        young = pack_of(repo, b"young garbage")
        os.unlink(repo.objects.loose_path(kept))
        result = run(repo, expire=time.time() - 3600)
        store = ObjectStore(repo.root)
        assert not store.has(raw_object_id("blob", b"old garbage"))
        assert store.read(raw_object_id("blob", b"young garbage"))
        assert store.read(kept) == ("blob", FILES[b"src/a.py"])
        assert young.exists()
        assert not old.exists()
        assert (result.dropped, result.kept) == (1, 1)

    def test_what_the_young_refer_to_stays(self, repo: Repository) -> None:
        """A young commit that nothing names yet keeps its old tree and files for its writer."""
        blob = loose(repo, b"content")
        tree = repo.objects.write("tree", b"100644 f\0" + blob)
        parent = repo.objects.write("commit", format_commit(Commit(tree, (), WHO, WHO, b"parent")))
        age(repo, tree, parent)
        commit = repo.objects.write(
            "commit", format_commit(Commit(EMPTY_TREE, (parent,), WHO, WHO, b"child"))
        )
        result = run(repo, expire=time.time() - 3600)
        assert all(ObjectStore(repo.root).is_whole(raw) for raw in (blob, tree, parent, commit))
        assert (result.dropped, result.kept) == (0, 4)

    def test_touched_at_the_last_moment(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A writer that refreshes an object between the look and the removal keeps it (G7)."""
        raw = loose(repo, b"old")

        def touched(source: Path, dest: Path) -> None:
            if source == Path(repo.objects.loose_path(raw)):
                os.utime(source)
            move_file(source, dest)

        monkeypatch.setattr(gc_module, "move_file", touched)
        result = run(repo, expire=time.time() - 3600)
        assert repo.objects.read(raw) == ("blob", b"old")
        assert result.dropped == 0

    def test_published_at_the_last_moment(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What gets a ref while the new pack is written is seen under the lock, and stays."""
        blob = loose(repo, b"rescued")
        packed = raw_object_id("blob", b"packed rescued")
        os.utime(pack_of(repo, b"packed rescued"), (LONG_AGO, LONG_AGO))
        real = gc_module._Collection._pack

        def published(self: object, *arguments: object) -> object:
            done = real(self, *arguments)  # type: ignore[arg-type]  # passed on
            repo.refs.path("refs/tags").mkdir(exist_ok=True)
            repo.refs.path("refs/tags/one").write_text(f"{from_raw(blob)}\n")
            repo.refs.path("refs/tags/two").write_text(f"{from_raw(packed)}\n")
            return done

        monkeypatch.setattr(gc_module._Collection, "_pack", published)
        assert run(repo, expire=now()).dropped == 0
        assert ObjectStore(repo.root).read(blob) == ("blob", b"rescued")
        assert ObjectStore(repo.root).read(packed) == ("blob", b"packed rescued")

    def test_a_lone_index_goes(self, repo: Repository) -> None:
        """What a killed collection left of a pack is removed."""
        run(repo)
        lone = pack_dir(repo.root) / ("0" * 64 + ".idx")
        lone.write_bytes(b"x")
        run(repo)
        assert not lone.exists()
        assert all(index_path(pack.path).exists() for pack in ObjectStore(repo.root).packs())

    def test_temps_are_left_alone(self, repo: Repository) -> None:
        """A temp is a living writer's or the sweep's, never garbage (G7)."""
        temp = Path(repo.objects.loose_path(loose(repo, b"x"))).parent / ".obj-tmp-abc"
        temp.write_bytes(b"half")
        os.utime(temp, (LONG_AGO, LONG_AGO))
        run(repo, expire=now())
        assert temp.exists()


def by_ref(name: str) -> Callable[[Repository, RawId], None]:
    """Return what names a commit by a ref."""

    def protect(repo: Repository, raw: RawId) -> None:
        path = repo.refs.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{from_raw(raw)}\n")

    return protect


def by_detached_head(repo: Repository, raw: RawId) -> None:
    """Detach HEAD at the commit."""
    head_path(repo.root).write_text(f"commit: {from_raw(raw)}\n")


def by_tag(repo: Repository, raw: RawId) -> None:
    """Name an annotated tag that names the commit."""
    payload = format_tag(Tag(raw, "commit", "v1", WHO, b"tagged\n"))
    by_ref("refs/tags/v1")(repo, repo.objects.write("tag", payload))


def by_reflog(repo: Repository, raw: RawId) -> None:
    """Move a branch to the commit and away again."""
    main = repo.refs.read(MAIN)
    for old, new in ((None, from_raw(raw)), (from_raw(raw), main)):
        with repo.transaction("branch", who=WHO) as tx:
            tx.set_ref("refs/heads/topic", new, old=old, log="move")
    (muse_dir(repo.root) / "logs/operations").unlink()


def by_operation(repo: Repository, raw: RawId) -> None:
    """Delete a branch that named the commit: `undo` can bring it back."""
    for old, new in ((None, from_raw(raw)), (from_raw(raw), None)):
        with repo.transaction("branch", who=WHO) as tx:
            tx.set_ref("refs/heads/topic", new, old=old, log="move")
    assert not (muse_dir(repo.root) / "logs/refs/heads/topic").exists()


def by_job(repo: Repository, raw: RawId) -> None:
    """Write the id into a job's specification."""
    folder = muse_dir(repo.root) / "jobs/7"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(f'{{"commit": "{from_raw(raw)}"}}')


def by_trash(repo: Repository, raw: RawId) -> None:
    """Discard the commit's file, so that it can be taken back."""
    blob = find_in_tree(repo.objects, repo.commit(raw).tree, b"f")
    assert blob is not None
    entry = new_entry("restore", [TrashItem(b"f", (MODE_FILE, raw), (MODE_FILE, blob.raw))])
    entry_path(repo.root, entry.id).parent.mkdir(exist_ok=True)
    entry_path(repo.root, entry.id).write_bytes(encode_entry(entry))


def by_shelf(repo: Repository, raw: RawId) -> None:
    """Put the raw id into a sealed record of a form that nobody here knows."""
    folder = muse_dir(repo.root) / "shelves"
    folder.mkdir(exist_ok=True)
    (folder / "1.msgpack").write_bytes(seal({"ids": bytes(32) + raw, "n": [1, "x"]}))


def by_work_under_way(repo: Repository, raw: RawId) -> None:
    """Put the raw id into the record of an interrupted checkout."""
    path = muse_dir(repo.root) / "code/checkout.msgpack"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(seal({"to_tree": raw}))


class TestRoots:
    """Whatever names an object protects it, with all that lies behind it."""

    @pytest.mark.parametrize(
        "protect",
        [
            by_ref("refs/heads/topic"),
            by_ref("refs/tags/light"),
            by_ref("refs/remotes/origin/main"),
            by_ref("refs/other/thing"),
            by_detached_head,
            by_tag,
            by_reflog,
            by_operation,
            by_job,
            by_trash,
            by_shelf,
            by_work_under_way,
        ],
    )
    @pytest.mark.parametrize("packed", [False, True])
    def test_it_protects(
        self, repo: Repository, protect: Callable[[Repository, RawId], None], packed: bool
    ) -> None:
        """Commit, tree and file stay, loose or packed, though all of it is old."""
        blob = repo.objects.write("blob", b"precious")
        tree = repo.objects.write("tree", b"100644 f\0" + blob)
        commit = repo.objects.write("commit", format_commit(Commit(tree, (), WHO, WHO, b"m")))
        if packed:
            writer = PackWriter(repo.root)
            for raw in (blob, tree, commit):
                writer.add(*repo.objects.read(raw))
                os.unlink(repo.objects.loose_path(raw))
            writer.finish()
            repo.objects.refresh()
        protect(repo, commit)
        garbage = loose(repo, b"garbage")
        age(repo)
        run(repo, expire=now(), everything=True)
        store = ObjectStore(repo.root)
        assert all(store.is_whole(raw) for raw in (blob, tree, commit))
        assert not store.has(garbage), "or this test could not fail"

    def test_the_stage_protects(self, repo: Repository) -> None:
        """A staged blob stays; so does one that `undo` of a reset would stage again."""
        stage_files(repo, {b"first": b"first staging\n"})
        stage_files(repo, {b"second": b"second staging\n"})
        age(repo)
        run(repo, expire=now())
        for data in (b"first staging\n", b"second staging\n"):
            assert ObjectStore(repo.root).is_whole(raw_object_id("blob", data))

    def test_logs_can_be_told_to_expire(self, repo: Repository) -> None:
        """What only old log entries name is dropped when that is asked for."""
        commit_files(repo, {b"x": b"only in topic"}, ref="refs/heads/topic")
        topic = repo.refs.read("refs/heads/topic")
        with repo.transaction("branch") as tx:
            tx.set_ref("refs/heads/topic", None, old=topic, log="delete")
        age(repo)
        assert run(repo, expire=now()).dropped == 0
        assert run(repo, expire=now(), logs_since_s=now()).dropped > 0
        assert not ObjectStore(repo.root).has(raw_object_id("blob", b"only in topic"))
        assert verify_store(repo.root).is_whole
