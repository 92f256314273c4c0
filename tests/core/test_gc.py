"""Collecting garbage packs what is loose; it reads as before, and few packs remain."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.errors import LockedError
from muse.core.lock import WriteLock
from muse.core.object_store import ObjectStore
from muse.core.paths import muse_dir, pack_dir
from muse.core.repack import choose_packs
from muse.core.repo import Repository, open_repo
from muse.core.roots import read_roots
from muse.core.types import raw_object_id
from muse.core.verify import verify_store
from muse.ops.add import add
from tests.core.gc_runs import (
    FILES,
    NEVER,
    fill,
    loose,
    now,
    pack_of,
    read_all,
    run,
    unreachable,
)
from tests.core.repos import commit_files, make_repo, stage_files


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits, all loose."""
    return fill(tmp_path / "repo")


class TestPacking:
    """What is loose goes into one pack, and reads as before."""

    def test_everything_reads_the_same(self, repo: Repository) -> None:
        """Each object has the same type and bytes; none is loose; the whole is whole."""
        stage_files(repo, {b"new": b"staged\n"})
        before = read_all(repo)
        result = run(repo)
        assert read_all(repo) == before
        assert list(repo.objects.iter_loose()) == []
        assert (result.packed, result.loose_after, result.packs_after) == (len(before), 0, 1)
        assert verify_store(repo.root).findings == ()

    @settings(
        deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(data=st.data())
    def test_any_mixture(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """Whatever is loose, packed, doubled or unreachable: a gc changes no reachable byte."""
        repo = make_repo(tmp_path_factory.mktemp("r") / "repo")
        contents = st.dictionaries(
            st.sampled_from([b"a", b"b/c", b"b/d", b"e/f/g"]), st.binary(max_size=200), min_size=1
        )
        for _ in range(data.draw(st.integers(1, 4))):
            commit_files(repo, {k: v + b"." for k, v in data.draw(contents).items()})
            if data.draw(st.booleans()):
                run(repo, everything=data.draw(st.booleans()))
            if data.draw(st.booleans()):
                pack_of(repo, *data.draw(st.lists(st.binary(max_size=50), min_size=1)))
        before = read_all(repo)
        reachable = before.keys() - set(unreachable(repo))
        expire = data.draw(st.sampled_from([NEVER, now()]))
        run(repo, expire=expire, everything=data.draw(st.booleans()))
        after = read_all(repo)
        assert {raw: before[raw] for raw in reachable}.items() <= after.items()
        assert after.items() <= before.items()
        assert verify_store(repo.root).is_whole

    def test_a_second_run_finds_nothing_to_do(self, repo: Repository) -> None:
        """It settles: the files of the store are not rewritten again."""
        run(repo)
        before = {p: p.stat().st_ino for p in pack_dir(repo.root).iterdir()}
        result = run(repo)
        assert (result.packed, result.melted, result.dropped) == (0, 0, 0)
        assert {p: p.stat().st_ino for p in pack_dir(repo.root).iterdir()} == before

    def test_what_is_packed_already_is_not_packed_twice(self, repo: Repository) -> None:
        """A loose double of a packed object just goes."""
        run(repo)
        size = pack_dir(repo.root)
        before = sorted(size.iterdir())
        raw = raw_object_id("blob", FILES[b"src/a.py"])
        repo.objects.write("blob", FILES[b"src/a.py"])
        assert Path(repo.objects.loose_path(raw)).exists()
        result = run(repo)
        assert result.packed == 1
        assert not Path(repo.objects.loose_path(raw)).exists()
        assert sorted(size.iterdir()) == before

    def test_a_bulk_pack_gets_compressed_once(self, repo: Repository) -> None:
        """What `add` wrote in a hurry shrinks; what was tried is left alone."""
        commit_files(repo, {b"t%d" % n: b"text %d\n" % n * 500 for n in range(50)})
        result = run(repo)
        assert result.melted == 1
        assert result.bytes_after < result.bytes_before // 5
        assert run(repo).melted == 0

    def test_big_objects_pass_in_pieces(self, repo: Repository) -> None:
        """An object beyond the limit is streamed, from a loose file and from a pack."""
        noise, text = os.urandom(3 << 20), b"compressible " * 400_000
        commit_files(repo, {b"noise": noise, b"text": text})
        before = read_all(repo)
        run(repo)
        run(repo, everything=True)
        assert read_all(repo) == before

    def test_few_packs_remain(self, repo: Repository) -> None:
        """After each of many small packs a gc: their number stays that of a logarithm."""
        most = 0
        for turn in range(12):
            names = [b"%d-%d" % (turn, n) for n in range(40)]
            commit_files(repo, {name: name * 20 for name in names})
            most = max(most, run(repo).packs_after)
        assert most <= 4
        assert verify_store(repo.root).is_whole

    def test_an_open_reader_goes_on(self, repo: Repository) -> None:
        """A store that was opened before, with packs mapped and files open, reads everything."""
        commit_files(repo, {b"t%d" % n: b"text %d\n" % n for n in range(50)})
        reader = ObjectStore(repo.root)
        before = {raw: reader.read(raw) for raw in read_all(repo)}
        run(repo)
        assert {raw: reader.read(raw) for raw in before} == before
        run(repo, everything=True)
        assert {raw: reader.read(raw) for raw in before} == before
        assert all(reader.has(raw) for raw in before)

    def test_the_journal_is_retired_first(self, repo: Repository) -> None:
        """Nothing is removed while a journal could still bring it back."""
        stage_files(repo, {b"new": b"staged\n"})
        assert list((muse_dir(repo.root) / "journal").iterdir())
        run(repo)
        assert list((muse_dir(repo.root) / "journal").iterdir()) == []


class TestReport:
    """What is said is what happens."""

    def test_a_dry_run_changes_nothing_and_foretells(self, repo: Repository) -> None:
        """Its counts are those of the run that follows; no file is touched."""
        commit_files(repo, {b"t%d" % n: b"text %d\n" % n for n in range(50)})
        loose(repo, b"old")
        loose(repo, b"young", old=False)
        expire = time.time() - 3600
        files = sorted((muse_dir(repo.root) / "objects").rglob("*"))
        foretold = run(repo, expire=expire, dry_run=True)
        assert sorted((muse_dir(repo.root) / "objects").rglob("*")) == files
        done = run(repo, expire=expire)
        for name in ("packed", "melted", "dropped", "kept", "loose_after", "packs_after"):
            assert getattr(foretold, name) == getattr(done, name), name

    def test_a_held_lock_removes_nothing(self, repo: Repository) -> None:
        """Beside a writer that does not end, it gives up with everything still there."""
        before = read_all(repo)
        garbage = loose(repo, b"garbage")
        with WriteLock(repo.root, command="test"), pytest.raises(LockedError):
            run(repo, expire=now(), wait_s=0.0)
        assert read_all(repo).keys() == before.keys() | {garbage}
        assert Path(repo.objects.loose_path(garbage)).exists()
        assert run(repo, expire=now()).dropped == 1

    def test_an_empty_repository(self, tmp_path: Path) -> None:
        """There is nothing to do, and that is what is said."""
        result = run(make_repo(tmp_path / "empty"), expire=now(), everything=True)
        assert (result.packed, result.melted, result.dropped, result.packs_after) == (0, 0, 0, 0)


class TestChoice:
    """Which packs are melted."""

    @pytest.mark.parametrize(
        ("sizes", "loose_kib", "chosen"),
        [
            ([], 0, []),
            ([100], 0, []),
            ([100, 20], 0, []),
            ([100, 60], 0, [60, 100]),
            ([1000, 100, 60], 0, [60, 100]),
            ([1000, 100], 60, [100]),
            ([1100, 400, 100], 10, []),
            ([50, 50, 50], 0, [50, 50, 50]),
        ],
    )
    def test_each_stays_while_twice_as_big_as_all_smaller_ones(
        self, repo: Repository, sizes: list[int], loose_kib: int, chosen: list[int]
    ) -> None:
        """So each byte is rewritten a logarithmic number of times."""
        from muse.core.pack import Pack

        packs = [Pack.open(pack_of(repo, os.urandom(size << 10))) for size in sizes]
        found = choose_packs(packs, loose_bytes=loose_kib << 10, must=set())
        assert sorted(pack.size_bytes >> 10 for pack in found) == chosen

    def test_an_opened_repository_collects_through_ops(self, repo: Repository) -> None:
        """The verb does what the library does."""
        from muse.ops.gc import gc

        assert gc(open_repo(repo.root), expire_before_s=NEVER).packed > 0


def test_stages_that_were_name_each_blob_once(tmp_path: Path) -> None:
    """Adding file after file leaves as many roots as there are contents, not their sums."""
    repo = make_repo(tmp_path)
    for number in range(6):
        (tmp_path / f"f{number}").write_text(f"{number}")
        add(repo, [b"f%d" % number])
    found = [root for root in read_roots(repo.objects).roots if root.path and root.lesser]
    assert sorted(root.path for root in found) == [b"f%d" % number for number in range(6)]
