"""Looking at files and folders: nothing is missed, nothing is guessed, errors name the path."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from muse.core.errors import FileChangingError, IoFailedError
from muse.core.file_content import (
    BIG_FILE,
    FileContent,
    hash_chunks,
    is_settled,
    read_content,
    stat_key,
)
from muse.core.file_states import UNREAD
from muse.core.read_ahead import read_many
from muse.core.repo import Repository, open_repo
from muse.core.row_compare import RowComparer, find_changed_rows
from muse.core.row_scan import RowScan
from muse.core.scan import compare_keys, list_folder
from muse.core.stat_columns import StatColumns
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, RawId, blob_id, to_raw
from muse.ops.add import add
from muse.ops.commit import commit
from muse.ops.status import open_engine, read_status
from tests.core.edits import ADA, fresh_status, make_repo

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def as_nobody() -> Iterator[Path]:
    """Give a folder to work in, as a user whom permissions concern."""
    with TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        if os.geteuid():
            yield Path(name)
            return
        os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


def settle(repo: Repository, path: bytes) -> None:
    """Wait until a file is old enough to be remembered, and save what is known."""
    engine = open_engine(repo)
    deadline = time.monotonic() + 10
    while True:
        engine.refresh_all()
        row = engine.worktree.cache.files.find(path)
        if row >= 0 and engine.worktree.cache.files.content_at(row):
            assert engine.save(only_if_useful=False)
            return
        assert time.monotonic() < deadline


class TestReading:
    """`read_content` reads what was there at one moment."""

    def test_file_link_and_executable(self, tmp_path: Path) -> None:
        """Mode and id are those that git would store."""
        (tmp_path / "f").write_bytes(b"hello")
        (tmp_path / "x").write_bytes(b"")
        (tmp_path / "x").chmod(0o755)
        (tmp_path / "l").symlink_to(b"\xff/gone".decode("utf-8", "surrogateescape"))
        found = [read_content(os.fsencode(tmp_path / name)) for name in "fxl"]
        expected = [(MODE_FILE, b"hello"), (MODE_EXEC, b""), (MODE_LINK, b"\xff/gone")]
        for content, (mode, data) in zip(found, expected, strict=True):
            assert content is not None
            assert (content.mode, content.data) == (mode, data)
            assert content.raw == to_raw(blob_id(data))

    def test_what_cannot_be_tracked_is_nothing(self, tmp_path: Path) -> None:
        """Folders, fifos, sockets and missing files give None, and a fifo does not block."""
        os.mkfifo(tmp_path / "fifo")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "socket"))
            for name in ("fifo", "socket", "gone", "fifo/below"):
                assert read_content(os.fsencode(tmp_path / name)) is None
        assert read_content(os.fsencode(tmp_path)) is None

    @pytest.mark.parametrize("mode", [0o644, 0o755])
    def test_what_may_not_be_opened_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
    ) -> None:
        """A file is named as unreadable, whatever its mode; a fifo is nothing all the same."""
        path = tmp_path / "f"
        path.write_bytes(b"x")
        path.chmod(mode)
        os.mkfifo(tmp_path / "fifo")

        def refuse(*_: object, **_options: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(IoFailedError, match="Permission denied"):
            read_content(os.fsencode(path))
        assert read_content(os.fsencode(tmp_path / "fifo")) is None

    def test_a_big_file_passes_in_pieces(self, tmp_path: Path) -> None:
        """A file over the limit goes to the sink in chunks and is not held."""
        data = os.urandom(1000) * (3 * BIG_FILE // 1000)
        (tmp_path / "big").write_bytes(data)
        sizes: list[int] = []

        def sink(size: int, chunks: Iterator[bytes]) -> RawId:
            digest = hashlib.sha256(b"blob %d\0" % size)
            for chunk in chunks:
                sizes.append(len(chunk))
                digest.update(chunk)
            return RawId(digest.digest())

        content = read_content(os.fsencode(tmp_path / "big"), sink=sink)
        assert content is not None
        assert content.data is None
        assert content.raw == to_raw(blob_id(data))
        assert len(sizes) > 1

    def test_a_file_that_changes_meanwhile_is_read_again(self, tmp_path: Path) -> None:
        """One that grows while it is read is read once more, and then whole."""
        path = tmp_path / "grows"
        path.write_bytes(b"x" * (BIG_FILE + 1))
        tries: list[int] = []

        def sink(size: int, chunks: Iterator[bytes]) -> RawId:
            tries.append(size)
            if len(tries) == 1:
                with path.open("ab") as file:
                    file.write(b"more")
            digest = hashlib.sha256(b"blob %d\0" % size)
            for chunk in chunks:
                digest.update(chunk)
            return RawId(digest.digest())

        content = read_content(os.fsencode(path), sink=sink)
        assert content is not None
        assert content.raw == to_raw(blob_id(path.read_bytes()))
        assert len(tries) == 2

    def test_a_file_that_never_rests_is_an_error(self, tmp_path: Path) -> None:
        """One that changes under every try is refused, never stored half."""
        path = tmp_path / "log"
        path.write_bytes(b"x" * (BIG_FILE + 1))

        def sink(size: int, chunks: Iterator[bytes]) -> RawId:
            with path.open("ab") as file:
                file.write(b"more")
            for _ in chunks:
                pass
            return RawId(bytes(32))

        with pytest.raises(FileChangingError, match="log"):
            read_content(os.fsencode(path), sink=sink)

    def test_an_unreadable_file_is_an_error_that_names_it(self) -> None:
        """What may not be read is no missing file."""
        with as_nobody() as folder:
            (folder / "secret").write_text("x")
            (folder / "secret").chmod(0)
            with pytest.raises(IoFailedError, match="secret"):
                read_content(os.fsencode(folder / "secret"))


class TestReadingMany:
    """`read_many` gives what reading one after the other gives, in the same order."""

    @pytest.mark.parametrize("size", [10, 100 << 10])
    def test_order_and_content(self, tmp_path: Path, size: int) -> None:
        """Small files and large ones, read in threads, with a big, a missing and an odd one."""
        paths: list[bytes] = []
        for number in range(40):
            path = tmp_path / f"{number}"
            path.write_bytes(b"%d" % number * size)
            paths.append(os.fsencode(path))
        (tmp_path / "20").write_bytes(b"big" * BIG_FILE)
        (tmp_path / "21").unlink()
        (tmp_path / "22").unlink()
        (tmp_path / "22").symlink_to("20")
        sizes: list[int] = []

        def sink(size: int, chunks: Iterator[bytes]) -> RawId:
            sizes.append(size)
            return hash_chunks(size, chunks)

        expected = [content and content[:4] for content in map(read_content, paths)]
        for chosen in (hash_chunks, sink):
            found = list(read_many(paths, sink=chosen))
            assert [(isinstance(c, FileContent) and c[:4]) or None for c in found] == expected
        assert sizes == [3 * BIG_FILE]

    def test_what_may_not_be_read_is_yielded(self) -> None:
        """The error stands in the file's place, and the files around it are read."""
        with as_nobody() as folder:
            for number in range(30):
                (folder / f"{number:02d}").write_bytes(bytes(100 << 10))
            (folder / "20").chmod(0)
            paths = [os.fsencode(folder / f"{number:02d}") for number in range(30)]
            found = list(read_many(paths))
            assert [isinstance(each, FileContent) for each in found].count(False) == 1
            assert isinstance(found[20], IoFailedError)
            assert found[20].errno == errno.EACCES

    def test_an_error_ends_the_threads(self, tmp_path: Path) -> None:
        """Any other error comes up, and nothing is left running."""
        for number in range(30):
            (tmp_path / f"{number:02d}").write_bytes(bytes(100 << 10))
        (tmp_path / "20").write_bytes(bytes(BIG_FILE + 1))

        def sink(_size: int, _chunks: Iterator[bytes]) -> RawId:
            raise IoFailedError("store", path="20", error=OSError(errno.ENOSPC, "full"))

        before = threading.active_count()
        with pytest.raises(IoFailedError, match="20"):
            list(read_many((os.fsencode(path) for path in sorted(tmp_path.iterdir())), sink=sink))
        assert threading.active_count() == before


class TestSettled:
    """A stat key is trusted only when every later change must show in it."""

    @pytest.mark.parametrize(
        ("age_ns", "settled"),
        [(0, False), (5_000_000, False), (50_000_000, True), (-(9**18), False)],
    )
    def test_by_age(self, age_ns: int, settled: bool) -> None:
        """Younger than a clock tick, or from the future: not trusted."""
        now = 1_700_000_000_123_456_789
        for mtime, ctime in ((now - age_ns, now - 10**12 - 7), (now - 10**12 - 7, now - age_ns)):
            assert is_settled((0o100644, 1, 1, mtime, ctime), now) == settled

    def test_whole_seconds_may_hide_two(self) -> None:
        """A time without a fraction may come from a file system that keeps no fractions."""
        now = 1_700_000_001_500_000_000
        assert not is_settled((0o100644, 1, 1, 1_700_000_000_000_000_000, 5), now)
        assert is_settled((0o100644, 1, 1, 1_699_999_998_000_000_000, 5), now)

    def test_a_change_right_after_a_look_is_always_seen(self, tmp_path: Path) -> None:
        """Same size, same mtime, same inode, the same clock tick perhaps: still a change."""
        repo = make_repo(tmp_path)
        path = tmp_path / "f"
        path.write_bytes(b"0000")
        commit(repo, message="m", committer=ADA)
        for number in range(60):
            before = path.stat()
            with path.open("r+b") as file:
                file.write(b"%04d" % (number % 2))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            engine = open_engine(repo)
            assert engine.refresh_all().unstaged("M") == ((b"f",) if number % 2 else ())
            engine.save(only_if_useful=False)


class TestListing:
    """`list_folder` sees all that can be tracked, or says why not."""

    def test_kinds(self, tmp_path: Path) -> None:
        """Links to folders are links; fifos and our own folders are left out."""
        (tmp_path / "file").write_text("x")
        (tmp_path / "dir").mkdir()
        (tmp_path / ".muse").mkdir()
        (tmp_path / ".git").mkdir()
        (tmp_path / "link").symlink_to("dir")
        os.mkfifo(tmp_path / "fifo")
        listing = list_folder(os.fsencode(tmp_path), b"")
        assert listing is not None
        assert sorted(listing.files) == [b"file", b"link"]
        assert listing.folders == [b"dir"]
        assert list_folder(os.fsencode(tmp_path), b"link") is None
        assert list_folder(os.fsencode(tmp_path), b"gone") is None

    def test_an_unreadable_folder_is_an_error_that_names_it(self) -> None:
        """A folder that cannot be listed is never taken for an empty one (G10)."""
        with as_nobody() as folder:
            repo = make_repo(folder)
            (folder / "locked").mkdir()
            (folder / "locked" / "f").write_text("x")
            add(repo, [b""])
            (folder / "locked").chmod(0)
            with pytest.raises(IoFailedError, match="locked"):
                open_engine(repo).refresh_all()
            with pytest.raises(IoFailedError, match="locked"):
                commit(repo, message="m", committer=ADA, tracked=True)
            (folder / "locked").chmod(0o700)
            assert open_engine(repo).refresh_all().staged("A") == (b"locked/f",)

    def test_what_is_tracked_in_a_folder_that_cannot_be_listed(self) -> None:
        """It is looked at by name; what is new there stays unknown, and the folder is named."""
        with as_nobody() as folder:
            repo = make_repo(folder)
            (folder / "locked").mkdir()
            for name in ("f", "new"):
                (folder / "locked" / name).write_text("x")
            add(repo, [b"locked/f"])
            (folder / "locked").chmod(0o300)
            engine = open_engine(repo)
            assert engine.refresh_all().entries == ((b"locked/f", "A", " "),)
            assert engine.worktree.unreadable == {b"locked"}
            (folder / "locked").chmod(0o700)
            engine.refresh_paths([b"locked"])
            assert engine.status() == fresh_status(repo)
            assert not engine.worktree.unreadable

    def test_an_engine_recovers_after_an_error(self) -> None:
        """After a refresh that failed, the next one starts from the ground and is right."""
        with as_nobody() as folder:
            repo = make_repo(folder)
            for name in ("a", "b", "c"):
                (folder / name).mkdir()
                (folder / name / "f").write_text("x")
            add(repo, [b"b"])
            engine = open_engine(repo)
            engine.refresh_all()
            (folder / "b").chmod(0)
            (folder / "c" / "g").write_text("x")
            with pytest.raises(IoFailedError):
                engine.refresh_paths([b"b", b"c/g"])
            (folder / "b").chmod(0o700)
            engine.refresh_paths([b"b"])
            assert engine.status() == fresh_status(repo)


def make_rows(tmp_path: Path) -> tuple[StatColumns, bytes]:
    """Return many rows of few files: most are missing, some are changed, some as known."""
    files = StatColumns()
    files.insert(b"%06d" % n for n in range(20_000))
    for n in range(0, 20_000, 400):
        path = tmp_path / f"{n:06d}"
        path.write_bytes(b"x")
        if n % 800:
            files.remember(b"%06d" % n, stat_key(os.lstat(path)), RawId(bytes(32)))
    return files, os.fsencode(tmp_path)


class TestBulkComparison:
    """The loop inside C tells the same as one look after the other."""

    def test_missing_paths_do_not_shift_the_others(self, tmp_path: Path) -> None:
        """Between missing files, at both ends, each position is its own."""
        names = [b"%03d" % n for n in range(50)]
        for name in names:
            (tmp_path / name.decode()).write_bytes(name)
        full = [os.fsencode(tmp_path) + b"/" + name for name in names]
        keys = [stat_key(os.lstat(path)) for path in full]
        gone, other = [0, 1, 7, 8, 30, 49], [2, 9, 31, 48]
        for n in gone:
            os.unlink(full[n])
        for n in other:
            Path(os.fsdecode(full[n])).write_bytes(b"something else")
        assert compare_keys(full, keys, len(full)) == (other, gone)

    def test_bulk_and_one_by_one_agree(self, tmp_path: Path) -> None:
        """The columns that C fills say what `os.lstat` says, in each field of each file."""
        files, root = make_rows(tmp_path)
        folder = tmp_path / "000400"
        folder.unlink()
        folder.mkdir()  # a folder in a file's place is there, and differs
        rows = range(3, len(files) - 5)
        found = RowComparer(root, files).compare(rows)
        assert found == RowComparer(root, files, bulk=False).compare(rows)
        assert 400 in found[0]
        assert len(found[1]) == len(rows) - len(range(400, len(files) - 5, 400))

    @pytest.mark.parametrize("field", range(5))
    def test_each_field_counts(self, tmp_path: Path, field: int) -> None:
        """A row whose known key differs in one field alone is looked at."""
        path = tmp_path / "a"
        path.write_bytes(b"x")
        key = stat_key(os.lstat(path))
        root = os.fsencode(tmp_path)
        for delta in (0, 1):
            files = StatColumns()
            files.insert([b"a"])
            other = tuple(v + delta * (i == field) for i, v in enumerate(key))
            files.remember(b"a", other, RawId(bytes(32)))  # type: ignore[arg-type]  # five fields
            for bulk in (True, False):
                found = RowComparer(root, files, bulk=bulk).compare(range(1))
                assert found == ([0] * delta, [])

    def test_a_path_that_cannot_be_looked_at(self, tmp_path: Path) -> None:
        """It is an error that names it, and no missing file."""
        files = StatColumns()
        files.insert([b"a" * 300])
        for bulk in (True, False):
            with pytest.raises(IoFailedError, match="aaa"):
                RowComparer(os.fsencode(tmp_path), files, bulk=bulk).compare(range(1))

    def test_alone_or_in_two_the_answer_is_one(self, tmp_path: Path) -> None:
        """Whatever a process may do, it finds what looking one after the other finds."""
        files, root = make_rows(tmp_path)
        rows = range(len(files))
        comparer = RowComparer(root, files)
        with comparer, RowScan(rows, lambda: RowComparer(root, files)) as scan:
            found = scan.finish(comparer)
        assert [sorted(part) for part in found] == list(find_changed_rows(root, files, rows))

    @pytest.mark.parametrize("killed", [False, True])
    def test_forked_children(self, tmp_path: Path, killed: bool) -> None:
        """Their shares come back complete; if one is killed the parent looks at those as well."""
        script = f"""if True:
            import os, signal, sys
            from pathlib import Path
            from muse.core.row_compare import RowComparer, find_changed_rows
            from muse.core.row_scan import RowScan
            from tests.core.test_worktree import make_rows
            files, root = make_rows(Path(sys.argv[1]))
            rows = range(len(files))
            make = lambda: RowComparer(root, files)
            with make() as comparer, RowScan(rows, make, processes=3) as scan:
                children = list(scan._children)
                assert len(children) == 2
                if {killed}:
                    os.kill(children[0].pid, signal.SIGKILL)
                found = scan.finish(comparer)
            assert [sorted(part) for part in found] == list(find_changed_rows(root, files, rows))
            for child in children:
                try:
                    os.waitpid(child.pid, 0)
                except ChildProcessError:
                    continue
                raise AssertionError("a child is left")
            """
        # A process of its own: the test's may have threads.
        subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=True)

    def test_no_child_is_left_after_an_error(self, tmp_path: Path) -> None:
        """Leaving the block early reaps the child."""
        files, root = make_rows(tmp_path)
        scan = RowScan(range(len(files)), lambda: RowComparer(root, files))
        with pytest.raises(KeyError), scan:
            raise KeyError
        assert not scan._children


class TestReadOnly:
    """Looking needs no writing (G14)."""

    def test_status_of_a_repository_that_may_not_be_written(self) -> None:
        """Where nothing may be written the status is the same, and nothing is."""
        with TemporaryDirectory() as name:
            root = Path(name)
            repo = make_repo(root)
            (root / "a").write_text("one")
            commit(repo, message="m", committer=ADA)
            (root / "a").write_text("two, changed")
            folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
            for folder in folders:
                folder.chmod(0o555)
            before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
            if not os.geteuid():
                os.seteuid(65534)
            try:
                assert read_status(open_repo(root)).status.unstaged("M") == (b"a",)
            finally:
                if not os.getuid():
                    os.seteuid(0)
                for folder in folders:
                    folder.chmod(0o755)
            assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


class TestShapes:
    """Files, folders and links in each other's place."""

    @pytest.fixture
    def repo(self, tmp_path: Path) -> Repository:
        """A repository with `d/f` and `g` committed, and everything remembered."""
        repo = make_repo(tmp_path)
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "f").write_text("f")
        (tmp_path / "g").write_text("g")
        commit(repo, message="m", committer=ADA)
        settle(repo, b"d/f")
        return repo

    def test_a_folder_moved_away_behind_a_link(self, repo: Repository) -> None:
        """The same inodes, seen through a link, are not the tracked files."""
        engine = open_engine(repo)
        engine.refresh_all()
        engine.save(only_if_useful=False)
        os.rename(repo.root / "d", repo.root / "e")
        (repo.root / "d").symlink_to("e")
        status = fresh_status(repo)
        assert status.unstaged("D") == (b"d/f",)
        assert status.untracked == (b"d", b"e/f")
        engine.refresh_all()
        assert engine.status() == status

    def test_a_file_becomes_a_folder_and_back(self, repo: Repository) -> None:
        """The file counts as deleted while a folder has its name."""
        os.unlink(repo.root / "g")
        (repo.root / "g").mkdir()
        (repo.root / "g" / "h").write_text("h")
        status = fresh_status(repo)
        assert (status.unstaged("D"), status.untracked) == ((b"g",), (b"g/h",))
        os.unlink(repo.root / "g" / "h")
        os.rmdir(repo.root / "g")
        (repo.root / "g").write_text("g")
        assert fresh_status(repo).is_clean

    def test_a_fifo_in_a_files_place_is_a_deletion(self, repo: Repository) -> None:
        """What cannot be tracked counts as nothing."""
        os.unlink(repo.root / "g")
        os.mkfifo(repo.root / "g")
        assert fresh_status(repo).unstaged("D") == (b"g",)

    def test_a_link_in_a_files_place_is_a_change_of_type(self, repo: Repository) -> None:
        """File and link are told apart even with equal content."""
        os.unlink(repo.root / "g")
        (repo.root / "g").symlink_to("g")
        assert fresh_status(repo).unstaged("T") == (b"g",)

    def test_deep_folders_need_no_recursion(self, tmp_path: Path) -> None:
        """A path of four hundred folders is listed, staged and seen."""
        repo = make_repo(tmp_path)
        path = b"/".join([b"d"] * 400) + b"/f"
        os.makedirs(os.fsencode(tmp_path) + b"/" + path[:-2])
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + path)).write_text("x")
        assert fresh_status(repo).untracked == (path,)
        add(repo, [b""])
        assert fresh_status(repo).staged("A") == (path,)

    def test_names_of_every_kind(self, tmp_path: Path) -> None:
        """Odd bytes, newlines, 255 bytes, leading dashes and spaces are names like others."""
        repo = make_repo(tmp_path)
        names = [
            b"\xff\xfe",
            b"a\nb",
            b"n" * 255,
            b"--force",
            b" ",
            b"tab\t",
            b"\x01\x1b[2J",
            b"\\",
        ]
        for name in names:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
        assert fresh_status(repo).untracked == tuple(sorted(names))
        add(repo, [b""])
        assert fresh_status(repo).staged("A") == tuple(sorted(names))

    def test_a_big_changed_file_is_not_read_to_say_so(self, repo: Repository) -> None:
        """Its size tells; it is read when the stage has to be compared with it."""
        path = repo.root / "big"
        path.write_bytes(b"x" * (BIG_FILE + 1))
        add(repo, [b"big"])
        commit(repo, message="big", committer=ADA)
        settle(repo, b"big")
        engine = open_engine(repo)
        engine.refresh_all()
        path.write_bytes(b"y" * (BIG_FILE + 2))
        engine.refresh_paths([b"big"])
        assert engine.status().unstaged("M") == (b"big",)
        found = engine.worktree.find_file(b"big")
        assert found is not None
        assert found[1] == UNREAD
        add(repo, [b"big"])
        engine.refresh_paths([b".muse/code/stage.msgpack"])
        assert engine.status() == fresh_status(repo)
        assert engine.status().unstaged("M") == ()
