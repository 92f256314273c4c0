"""Every planted fault is found, with what it touches and a way out; nothing is ever changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.findings import Finding
from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.pack_format import RECORD_SIZE, index_path
from muse.core.paths import config_path, head_path, muse_dir, pack_dir, repo_json_path, stage_path
from muse.core.reflog import reflog_path
from muse.core.repo import Repository, open_repo
from muse.core.roots import read_roots
from muse.core.trees import find_in_tree
from muse.core.types import RawId, frame_header, from_raw, raw_object_id, to_raw
from muse.core.verify import VerifyReport, verify_store
from tests.core.packs import patch
from tests.core.repos import MAIN, commit_files, make_repo, stage_files

FILES = {
    b"readme": b"read me first\n" * 40,
    b"src/a.py": b"print('a')\n" * 40,
    b"src/deep/er/b.py": b"print('b')\n" * 40,
}
FORMS = ("loose", "packed")
VICTIMS = ("blob", "tree", "commit")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Make a repository with two commits and something staged."""
    repo = make_repo(tmp_path / "repo")
    commit_files(repo, FILES, message="one")
    commit_files(repo, {b"readme": b"changed\n"}, message="two")
    stage_files(repo, {b"staged.txt": b"staged\n"})
    return repo


def verify(repo: Repository) -> VerifyReport:
    """Verify, and hold that nothing below ``.muse`` has changed."""
    before = snapshot(repo.root)
    report = verify_store(repo.root)
    assert snapshot(repo.root) == before
    return report


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Return every file's bytes."""
    return {
        str(path): path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else None
        for path in muse_dir(root).rglob("*")
    }


def pack_all(repo: Repository, *, apart: RawId | None = None) -> None:
    """Move every loose object into one pack, and one of them into a pack of its own."""
    loose = list(repo.objects.iter_loose())
    for group in ([raw for raw in loose if raw != apart], [apart] if apart else []):
        writer = PackWriter(repo.root, level=1)
        for raw in group:
            writer.add(*repo.objects.read(raw))
        writer.finish()
    for raw in loose:
        os.unlink(repo.objects.loose_path(raw))
    repo.objects.refresh()


def find_victim(repo: Repository, kind: str) -> tuple[RawId, str]:
    """Return an object of that type that HEAD needs, and the end of the touch that names it."""
    head = repo.refs.read(MAIN)
    assert head is not None
    short = head.removeprefix("sha256:")[:8]
    if kind == "commit":
        return to_raw(head), "main"
    path = b"src/a.py" if kind == "blob" else b"src/deep"
    entry = find_in_tree(repo.objects, repo.commit(head).tree, path)
    assert entry is not None
    return entry.raw, f"main → {short} → {path.decode()}"


def locate(repo: Repository, raw: RawId) -> tuple[Path, int, int]:
    """Return the file that holds an object, and where its bytes begin and end in it."""
    loose = Path(repo.objects.loose_path(raw))
    if loose.exists():
        return loose, 0, loose.stat().st_size
    pack = next(pack for pack in repo.objects.packs() if raw in pack)
    offset = pack.find(raw)
    found = pack.read_stored(raw)
    assert offset is not None
    assert found is not None
    return pack.path, offset, offset + RECORD_SIZE + found[0].stored


def set_bytes(path: Path, start: int, data: bytes) -> None:
    """Overwrite a few bytes in place."""
    patch(path, lambda content: content.__setitem__(slice(start, start + len(data)), data))


def flip(path: Path, at: int) -> None:
    """Flip one bit."""
    patch(path, lambda content: content.__setitem__(at, content[at] ^ 4))


Plant = Callable[[Path, int, int], None]
FAULTS: dict[str, Plant] = {
    "missing": lambda path, _start, _end: path.unlink(),
    "empty": lambda path, _start, _end: patch(path, bytearray.clear),
    "truncated": lambda path, _start, end: patch(
        path, lambda data: data.__delitem__(slice(end - 3, None))
    ),
    "bit flip in the bytes": lambda path, _start, end: flip(path, end - 1),
    "bit flip in the header": lambda path, start, _end: flip(path, start + 1),
    "zeros": lambda path, start, end: set_bytes(path, start, bytes(end - start)),
    "zeros in the bytes": lambda path, start, end: set_bytes(path, end - 20, bytes(20)),
}


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


def only(report: VerifyReport) -> Finding:
    """Return the one finding."""
    assert len(report.findings) == 1, [f.message for f in report.findings]
    return report.findings[0]


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


class TestNames:
    """Everything that names objects is read, and followed."""

    def test_a_dangling_ref_is_found(self, repo: Repository) -> None:
        """A branch that names what was never stored is damage, and so called."""
        path = repo.refs.path("refs/heads/topic")
        path.write_text(f"sha256:{'12' * 32}\n")
        finding = only(verify(repo))
        assert finding.kind == "dangling"
        assert str(finding.touches[0]) == "topic"

    @pytest.mark.parametrize("text", ["nonsense", "sha256:12", "\0" * 72, "ref: refs/heads/x"])
    def test_a_damaged_ref_is_found(self, repo: Repository, text: str) -> None:
        """A ref that holds no id is named, with where its history is."""
        repo.refs.path(MAIN).write_text(text)
        findings = verify(repo).findings
        assert findings[0].severity == "damage"
        assert "reflog main" in findings[0].way_out

    @pytest.mark.parametrize("how", ["empty", "missing"])
    def test_a_ref_that_lost_its_value_is_found(self, repo: Repository, how: str) -> None:
        """An empty or missing ref whose reflog knows better is no unborn branch."""
        path = repo.refs.path(MAIN)
        last = path.read_text().strip()
        path.write_text("") if how == "empty" else path.unlink()
        finding = only(verify(repo))
        assert finding.severity == "damage"
        assert last in finding.way_out

    def test_a_branch_that_names_a_file_is_found(self, repo: Repository) -> None:
        """A branch must name a commit."""
        raw = repo.objects.write("blob", b"no commit")
        repo.refs.path("refs/heads/topic").write_text(f"{from_raw(raw)}\n")
        finding = only(verify(repo))
        assert "not a commit" in finding.message

    @pytest.mark.parametrize("text", ["nonsense", "ref: refs/heads/../x\n", "\0\0\0", "", None])
    def test_a_damaged_head_is_found(self, repo: Repository, text: str | None) -> None:
        """HEAD that is damaged, empty or gone is damage, with the way to set it anew."""
        if text is None:
            head_path(repo.root).unlink()
        else:
            head_path(repo.root).write_text(text)
        finding = only(verify(repo))
        assert finding.touches[0].label == "HEAD"
        assert "muse switch" in finding.way_out

    def test_a_detached_head_is_followed(self, repo: Repository) -> None:
        """A detached HEAD is a root of its own."""
        head_path(repo.root).write_text(f"commit: sha256:{'12' * 32}\n")
        finding = only(verify(repo))
        assert (finding.kind, str(finding.touches[0])) == ("dangling", "HEAD")

    def test_a_repository_without_commits_is_whole(self, tmp_path: Path) -> None:
        """Nothing is missing where nothing was made."""
        assert verify(make_repo(tmp_path / "empty")).findings == ()

    def test_a_staged_file_that_is_gone_is_found(self, repo: Repository) -> None:
        """A staged blob is needed, by the path that it is staged for."""
        Path(repo.objects.loose_path(raw_object_id("blob", b"staged\n"))).unlink()
        finding = only(verify(repo))
        assert str(finding.touches[0]) == "stage → staged.txt"

    @pytest.mark.parametrize("fault", ["empty", "truncated", "flip"])
    def test_a_damaged_stage_is_found(self, repo: Repository, fault: str) -> None:
        """A stage that does not parse is damage, and its way out touches no file."""
        path = stage_path(repo.root)
        data = path.read_bytes()
        changed = {"empty": b"", "truncated": data[:-4], "flip": b"\xff" + data[1:]}[fault]
        path.write_bytes(changed)
        finding = only(verify(repo))
        assert finding.touches[0].label == "stage"
        assert "reset" in finding.way_out

    @pytest.mark.parametrize("file", [config_path, repo_json_path])
    def test_damaged_settings_are_found(
        self, repo: Repository, file: Callable[[Path], Path]
    ) -> None:
        """Configuration and format file are read as well."""
        file(repo.root).write_bytes(b"\x00{[")
        assert only(verify(repo)).file == str(file(repo.root))

    def test_a_damaged_reflog_is_a_lesser_finding(self, repo: Repository) -> None:
        """A line that cannot be read costs a way back, not data."""
        path = reflog_path(repo.root, MAIN)
        path.write_bytes(path.read_bytes() + b"torn li")
        report = verify(repo)
        assert report.is_whole
        assert only(report).severity == "notice"

    def test_what_only_a_reflog_names_is_a_lesser_finding(self, repo: Repository) -> None:
        """A commit that was amended away and is gone is a notice, not damage."""
        commit_files(repo, {b"x": b"x"}, ref="refs/heads/topic", message="gone")
        gone = repo.refs.read("refs/heads/topic")
        assert gone is not None
        with repo.transaction("branch") as tx:
            tx.set_ref("refs/heads/topic", repo.refs.read(MAIN), old=gone, log="reset")
        Path(repo.objects.loose_path(to_raw(gone))).unlink()
        report = verify(repo)
        assert report.is_whole
        assert "reflog of topic" in only(report).message

    def test_ids_in_jobs_are_followed(self, repo: Repository) -> None:
        """What a job's specification names is looked for."""
        folder = muse_dir(repo.root) / "jobs" / "1"
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(f'{{"commit": "sha256:{"12" * 32}"}}')
        report = verify(repo)
        assert report.is_whole
        assert "job 1/spec.json" in only(report).message


class TestBeside:
    """Verification works where nothing may be written, and beside those who write."""

    def test_what_a_writer_adds_meanwhile_is_no_gap(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Commits that appear after the bytes were read are looked at a second time."""

        def later(store: ObjectStore) -> object:
            commit_files(repo, {b"new/file": b"new"}, message="meanwhile")
            return read_roots(store)

        monkeypatch.setattr("muse.core.verify.read_roots", later)
        report = verify_store(repo.root)
        assert report.findings == ()
        assert report.commits == 3

    def test_progress_counts_up(self, repo: Repository) -> None:
        """The callback sees a growing count that never passes its total."""
        seen: list[tuple[int, int | None]] = []
        verify_store(repo.root, progress=lambda done, total: seen.append((done, total)))
        assert seen == sorted(seen)
        assert all(total is not None and done <= total for done, total in seen)

    def test_an_opened_repository_verifies_through_ops(self, repo: Repository) -> None:
        """The verb says what the library says."""
        from muse.ops.verify import verify as verb

        assert verb(open_repo(repo.root)).is_whole
