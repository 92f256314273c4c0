"""Every fault planted in an object or a pack is found, with what it touches and a way out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from muse.core.pack import PackWriter
from muse.core.pack_format import index_path
from muse.core.paths import muse_dir, pack_dir
from muse.core.repo import Repository
from muse.core.types import RawId, frame_header, from_raw, raw_object_id
from tests.core.packs import damage, patch
from tests.core.repos import MAIN, commit_files, make_repo
from tests.core.verify_runs import (
    FAULTS,
    FILES,
    FORMS,
    VICTIMS,
    fill,
    find_victim,
    flip,
    locate,
    only,
    pack_all,
    verify,
)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits and something staged."""
    return fill(tmp_path / "repo")


class TestObjects:
    """A damaged or missing object is named, with the refs, commits and paths that need it."""

    @pytest.mark.parametrize("victim", VICTIMS)
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_every_fault_is_found(
        self, repo: Repository, form: str, victim: str, fault: str
    ) -> None:
        """The report names the object, what needs it, and something to type (G15)."""
        raw, touch = find_victim(repo, victim)
        if form == "packed":
            pack_all(repo, apart=raw)
        FAULTS[fault](*locate(repo, raw))
        report = verify(repo)
        assert not report.is_whole
        found = [f for f in report.findings if f.oid == from_raw(raw)]
        assert found, [f.message for f in report.findings]
        assert any(str(t).startswith(touch) for f in found for t in f.touches)
        assert all(f.way_out and f.severity == "damage" for f in found)

    @settings(
        deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(data=st.data())
    def test_no_byte_is_beyond_notice(
        self, repo: Repository, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """Change or cut any file of the store anywhere: the report says so, and nothing breaks."""
        if not repo.objects.packs():
            pack_all(repo)
            commit_files(repo, {b"loose": b"loose\n"})
        copy = tmp_path_factory.mktemp("r") / "repo"
        shutil.copytree(repo.root, copy)
        repo = Repository(copy)
        files = [p for p in (muse_dir(repo.root) / "objects").rglob("*") if p.is_file()]
        path = data.draw(st.sampled_from(sorted(files)))
        before = path.read_bytes()
        patch(path, damage(data))
        assume(path.read_bytes() != before)
        assert verify(repo).findings

    @pytest.mark.parametrize("form", FORMS)
    def test_a_whole_repository_is_whole(self, repo: Repository, form: str) -> None:
        """Nothing planted, nothing found; the counts are those of what is there."""
        count = len(list(repo.objects.iter_loose()))
        if form == "packed":
            pack_all(repo)
        report = verify(repo)
        assert report.is_whole
        assert report.findings == ()
        assert (report.loose, report.packed) == ((count, 0) if form == "loose" else (0, count))
        assert report.objects == report.loose + report.packed
        assert report.commits == 2

    def test_a_file_under_another_name_is_misnamed(self, repo: Repository) -> None:
        """An object whose file holds another known object is said to be that one."""
        raw, _ = find_victim(repo, "blob")
        other, _ = find_victim(repo, "tree")
        path = Path(repo.objects.loose_path(raw))
        path.unlink()
        os.link(repo.objects.loose_path(other), path)
        finding = only(verify(repo))
        assert finding.kind == "misnamed"
        assert finding.oid == from_raw(raw)
        assert from_raw(other) in finding.message

    def test_an_unreadable_file_is_found(self, repo: Repository) -> None:
        """A file that the system refuses to read is damage too."""
        raw, touch = find_victim(repo, "blob")
        path = Path(repo.objects.loose_path(raw))
        path.unlink()
        path.mkdir()
        finding = only(verify(repo))
        assert finding.kind == "unreadable"
        assert str(finding.touches[0]).startswith(touch)

    def test_a_good_copy_elsewhere_is_said(self, repo: Repository) -> None:
        """A damaged copy beside a whole one is damage, but nothing is lost."""
        raw, _ = find_victim(repo, "blob")
        writer = PackWriter(repo.root)
        writer.add(*repo.objects.read(raw))
        writer.finish()
        flip(Path(repo.objects.loose_path(raw)), 20)
        finding = only(verify(repo))
        assert "another copy of it is whole" in finding.message
        assert finding.way_out.startswith("Nothing is lost")

    def test_what_nothing_needs_is_said_to_be_so(self, repo: Repository) -> None:
        """A damaged object that nothing refers to is found, and touches nothing."""
        raw = repo.objects.write("blob", b"nobody needs me")
        flip(Path(repo.objects.loose_path(raw)), 10)
        finding = only(verify(repo))
        assert finding.touches == ()
        assert finding.way_out.startswith("Nothing needs it")

    def test_unreachable_whole_objects_are_only_counted(self, repo: Repository) -> None:
        """What nothing refers to is no finding as long as it is whole."""
        repo.objects.write("blob", b"nobody needs me")
        report = verify(repo)
        assert report.findings == ()
        assert report.unreachable == 1

    @pytest.mark.parametrize(
        ("kind", "payload"),
        [
            ("tree", b"100644 ../escape\0" + bytes(32)),
            ("tree", b"40000 .muse\0" + bytes(32)),
            ("tree", b"100644 b\0" + bytes(32) + b"100644 a\0" + bytes(32)),
            ("tree", b"100644 a\0" + bytes(20)),
            ("tree", b"123 a\0" + bytes(32)),
            ("commit", b"tree nonsense\n\n"),
            ("tag", b"object nonsense\n\n"),
        ],
    )
    @pytest.mark.parametrize("form", FORMS)
    def test_well_hashed_nonsense_is_found(
        self, repo: Repository, form: str, kind: str, payload: bytes
    ) -> None:
        """Bytes that hash to their name but are no valid object of their type are malformed."""
        raw = RawId(raw_object_id(kind, payload))  # type: ignore[arg-type]  # a parameter
        repo.objects.write_loose(raw, frame_header(kind, len(payload)) + payload)
        if form == "packed":
            pack_all(repo)
        finding = only(verify(repo))
        assert (finding.kind, finding.oid) == ("malformed", from_raw(raw))

    def test_a_stray_file_is_noticed(self, repo: Repository) -> None:
        """A file that Muse did not write among the objects is no damage."""
        shard = next((muse_dir(repo.root) / "objects/sha256").iterdir())
        (shard / "notes.txt").write_text("mine")
        (pack_dir(repo.root)).mkdir(exist_ok=True)
        (pack_dir(repo.root) / "x.txt").write_text("mine")
        report = verify(repo)
        assert report.is_whole
        assert {f.severity for f in report.findings} == {"notice"}
        assert len(report.findings) == 2

    def test_temps_are_the_sweeps_business(self, repo: Repository) -> None:
        """A temp among the objects is no finding."""
        shard = next((muse_dir(repo.root) / "objects/sha256").iterdir())
        (shard / ".obj-tmp-abc").write_text("half")
        assert verify(repo).findings == ()

    def test_history_is_searched_when_no_tip_needs_it(self, repo: Repository) -> None:
        """A blob that only an older commit has is traced to that commit."""
        old = repo.refs.read(MAIN)
        assert old is not None
        commit_files(repo, {b"src/a.py": None}, message="three")
        raw = raw_object_id("blob", FILES[b"src/a.py"])
        Path(repo.objects.loose_path(raw)).unlink()
        finding = only(verify(repo))
        assert finding.kind == "missing"
        assert finding.touches[0].commit == old
        assert finding.touches[0].path == b"src/a.py"

    def test_each_branch_that_needs_it_is_named(self, repo: Repository) -> None:
        """What several tips have is reported for each of them."""
        head = repo.refs.read(MAIN)
        with repo.transaction("branch") as tx:
            tx.set_ref("refs/heads/topic", head, old=None, log="branch")
            tx.set_ref("refs/tags/v1", head, old=None, log="tag")
        raw, _ = find_victim(repo, "blob")
        Path(repo.objects.loose_path(raw)).unlink()
        assert [t.label for t in only(verify(repo)).touches][:3] == ["main", "topic", "v1"]

    def test_much_damage_is_bounded(self, tmp_path: Path) -> None:
        """A thousand missing objects are one catastrophe: the findings are cut, and counted."""
        repo = make_repo(tmp_path / "repo")
        commit_files(repo, {b"f%d" % n: b"%d" % n for n in range(700)})
        keep = repo.objects.packs()[0]
        writer = PackWriter(repo.root)
        for raw in keep.ids():
            kind, payload = repo.objects.read(raw)
            if kind != "blob":
                writer.add(kind, payload)
        writer.finish()
        keep.path.unlink()
        index_path(keep.path).unlink()
        report = verify(repo)
        assert len(report.findings) == 500
        assert report.left_out == 200


class TestPacks:
    """A pack's own parts: trailer, name and index."""

    def test_a_missing_index_is_noticed_and_not_rebuilt(self, repo: Repository) -> None:
        """A kill between a pack's two names leaves this: nothing is damaged by it."""
        pack_all(repo)
        index_path(repo.objects.packs()[0].path).unlink()
        report = verify(repo)
        assert report.is_whole
        assert only(report).kind == "missing"

    @pytest.mark.parametrize("at", [3, 900, 1100, -40, -1])
    def test_a_damaged_index_is_found_and_hides_nothing(self, repo: Repository, at: int) -> None:
        """Wherever the index is damaged, that is reported, and no object is called missing."""
        pack_all(repo)
        path = index_path(repo.objects.packs()[0].path)
        flip(path, at)
        finding = only(verify(repo))
        assert finding.file == str(path)
        assert finding.severity == "damage"
        assert "delete this file" in finding.way_out

    @pytest.mark.parametrize("at", [0, 12, -1])
    def test_a_damaged_frame_of_a_pack_is_found(self, repo: Repository, at: int) -> None:
        """Header and trailer count, though every object is whole."""
        pack_all(repo)
        path = repo.objects.packs()[0].path
        flip(path, at)
        finding = only(verify(repo))
        assert finding.file == str(path)

    def test_a_misnamed_pack_is_found(self, repo: Repository) -> None:
        """A pack under another name is read, and reported."""
        pack_all(repo)
        path = repo.objects.packs()[0].path
        index_path(path).unlink()
        path.rename(path.with_name("0" * 64 + ".mpack"))
        report = verify(repo)
        assert {f.kind for f in report.findings} == {"misnamed", "missing"}
        assert not any(f.oid for f in report.findings)

    def test_an_index_without_its_pack_is_noticed(self, repo: Repository) -> None:
        """A gc that was killed between two unlinks leaves this."""
        pack_all(repo)
        path = pack_dir(repo.root) / ("0" * 64 + ".idx")
        path.write_bytes(b"x")
        report = verify(repo)
        assert report.is_whole
        assert only(report).kind == "dangling"

    def test_big_records_are_checked_in_pieces(self, repo: Repository) -> None:
        """An object beyond the window is hashed as a stream, whole or damaged."""
        data = os.urandom(5 << 20)
        writer = PackWriter(repo.root)
        raw = writer.add("blob", data)
        path = writer.finish()
        assert path is not None
        assert verify(repo).findings == ()
        flip(path, 3 << 20)
        assert only(verify(repo)).oid == from_raw(raw)
