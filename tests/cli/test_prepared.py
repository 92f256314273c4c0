"""Repositories that somebody prepared, and working trees that we may not look into."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.conftest import NOBODY, Run, as_nobody


class TestPipes:
    """A pipe or a device where a file should be: its reader neither waits nor reads for ever."""

    @pytest.mark.parametrize(
        "name",
        [
            "HEAD",
            "config.toml",
            "refs/heads/main",
            "refs/tags/v1",
            "journal/wal",
            "code/stage.msgpack",
            "cache/stat_cache.msgpack",
            "cache/sweep_state.msgpack",
            "logs/operations",
            "shallow",
        ],
    )
    def test_every_command_ends(self, muse: Run, tmp_path: Path, name: str) -> None:
        """Each command ends with an answer or one error (G5, G11)."""
        muse("init", cwd=tmp_path)
        (tmp_path / "a").write_text("a\n")
        muse("commit", "-m", "First", cwd=tmp_path)
        place = tmp_path / ".muse" / name
        place.unlink(missing_ok=True)
        place.parent.mkdir(exist_ok=True)
        if name == "HEAD":
            place.symlink_to("/dev/zero")
        else:
            os.mkfifo(place)
        for command in (["status"], ["verify"], ["doctor"], ["add", "a"]):
            done = muse(*command, cwd=tmp_path, check=False, timeout=60)
            assert done.returncode in {0, 1, 2, 3, 4}, (command, done.stderr)
            assert b"Traceback" not in done.stderr

    @pytest.mark.parametrize("device", [False, True])
    def test_objects(self, muse: Run, tmp_path: Path, device: bool) -> None:
        """An object that is no file is reported as damage, by name (G4)."""
        muse("init", cwd=tmp_path)
        (tmp_path / "a").write_text("a\n")
        muse("commit", "-m", "First", cwd=tmp_path)
        (tmp_path / ".muse" / "journal" / "wal").unlink()
        for place in (tmp_path / ".muse" / "objects" / "sha256").glob("*/*"):
            place.unlink()
            if device:
                place.symlink_to("/dev/zero")
            else:
                os.mkfifo(place)
        for command in (["log"], ["status"], ["verify"], ["cat-object", "HEAD"]):
            done = muse(*command, cwd=tmp_path, check=False, timeout=60)
            assert done.returncode == 3, (command, done.stderr)


class TestHoles:
    """A file that claims to be larger than any memory: nobody begins to read it."""

    @pytest.mark.parametrize(
        "name",
        [
            "HEAD",
            "config.toml",
            "repo.json",
            "refs/heads/main",
            "journal/wal",
            "code/stage.msgpack",
            "shallow",
        ],
    )
    def test_it_is_damage(self, cli: Cli, muse: Run, repo: Path, name: str) -> None:
        """One error names the file, with exit code 3, and memory for it is not even asked (G4)."""
        _commit_and_stretch(cli, repo, name)
        verb = "log" if name == "shallow" else "status"
        done = muse(verb, cwd=repo, check=False, timeout=60, preexec_fn=_limit_memory)
        assert done.returncode == 3, done.stderr
        assert name.encode() in done.stderr
        assert b"is damaged: it holds 21474836480 bytes" in done.stderr
        assert b"muse doctor" in done.stderr

    @pytest.mark.parametrize("name", ["cache/stat_cache.msgpack", "cache/sweep_state.msgpack"])
    def test_a_cache_is_made_anew(self, cli: Cli, muse: Run, repo: Path, name: str) -> None:
        """Of a cache nobody hears: it is as good as none."""
        _commit_and_stretch(cli, repo, name)
        for verb in ("status", "gc", "status"):
            done = muse(verb, cwd=repo, check=False, timeout=60, preexec_fn=_limit_memory)
            assert (done.returncode, done.stderr) == (0, b""), verb
        # What is noted of clean folders is written only when there is something new to note.
        assert "sweep" in name or (repo / ".muse" / name).stat().st_size < 1 << 20

    @pytest.mark.parametrize(
        ("name", "verb"), [("logs/operations", "undo"), ("logs/refs/heads/main", "reflog")]
    )
    def test_a_log_stops_only_who_reads_it(
        self, cli: Cli, muse: Run, repo: Path, name: str, verb: str
    ) -> None:
        """Commits go on; what needs the log names it; `gc` does not take it for an empty one."""
        _commit_and_stretch(cli, repo, name)
        done = muse("status", cwd=repo, timeout=60, preexec_fn=_limit_memory)
        words = [verb, "main"] if verb == "reflog" else [verb]
        done = muse(*words, cwd=repo, check=False, timeout=60, preexec_fn=_limit_memory)
        assert done.returncode == 3, done.stderr
        assert name.encode() in done.stderr
        for line in ("verify", "doctor", "gc --prune=now"):
            done = muse(*line.split(), cwd=repo, check=False, timeout=60, preexec_fn=_limit_memory)
            assert done.returncode in {0, 1, 3}, (line, done.stderr)
            assert b"it holds 21474836480 bytes" in done.stdout + done.stderr, line
        assert b"Nothing was dropped" in done.stderr

    def test_the_doctor_puts_back_what_can_be(self, cli: Cli, muse: Run, repo: Path) -> None:
        """A branch is set again from its reflog, and the large file is kept aside (G15)."""
        _commit_and_stretch(cli, repo, "refs/heads/main")
        done = muse("doctor", "--fix", cwd=repo, check=False, timeout=60, preexec_fn=_limit_memory)
        assert done.returncode in {0, 1}, done.stderr
        assert cli("log", cwd=repo).code == 0
        kept = list((repo / ".muse" / "quarantine").rglob("main"))
        assert [path.stat().st_size for path in kept] == [_HOLE]

    @pytest.mark.parametrize(
        ("head", "victim", "line"),
        [
            (b"", "HEAD", "log"),
            (b"blob 3221225472\0", "HEAD:a", "cat-object HEAD:a"),
            (b"tree 3221225472\0", "HEAD^{tree}", "ls-tree HEAD"),
        ],
    )
    def test_an_object(
        self, cli: Cli, muse: Run, repo: Path, *, head: bytes, victim: str, line: str
    ) -> None:
        """A loose object of 3 GiB is damage, whatever its header says, with 2 GiB of memory."""
        (repo / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=repo).code == 0
        (repo / ".muse/journal/wal").unlink()
        digits = cli("rev-parse", victim, cwd=repo).out.strip().removeprefix("sha256:")
        place = repo / ".muse/objects/sha256" / digits[:2] / digits[2:]
        place.chmod(0o644)
        place.write_bytes(head)
        os.truncate(place, len(head) + (3 << 30))
        for words in (line.split(), ["verify"]):
            done = muse(*words, cwd=repo, check=False, timeout=200, preexec_fn=_limit_memory)
            assert done.returncode == 3, (words, done.stderr)
            assert b"is damaged" in done.stdout + done.stderr
            assert digits.encode() in done.stdout + done.stderr

    @pytest.mark.parametrize("honest", [False, True])
    def test_an_index(self, cli: Cli, muse: Run, repo: Path, honest: bool) -> None:
        """An index that lists more than its pack can hold is made anew (G4)."""
        (repo / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=repo).code == 0
        assert cli("gc", cwd=repo).code == 0
        [index] = (repo / ".muse/objects/pack").glob("*.idx")
        whole = index.read_bytes()
        index.chmod(0o644)
        if honest:
            # The count in its header is that of a file so large.
            count = _HOLE // 40
            index.write_bytes(whole[:12] + count.to_bytes(4, "big") + whole[16:])
            os.truncate(index, len(whole) + (count - int.from_bytes(whole[12:16], "big")) * 40)
        else:
            os.truncate(index, _HOLE)
        done = muse("log", cwd=repo, check=False, timeout=60, preexec_fn=_limit_memory)
        assert done.returncode == 0, done.stderr
        assert index.read_bytes() == whole


_HOLE = 20 << 30


def _commit_and_stretch(cli: Cli, repo: Path, name: str) -> None:
    """Commit, retire the journal, and let a file of the repository claim 20 GiB."""
    (repo / "a").write_text("a\n")
    assert cli("commit", "-m", "First", cwd=repo).code == 0
    assert cli("gc", cwd=repo).code == 0
    place = repo / ".muse" / name
    place.parent.mkdir(exist_ok=True)
    place.touch()
    os.truncate(place, _HOLE)


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


class TestStrayFiles:
    """What other programs leave in `.muse` stops nothing."""

    @pytest.mark.parametrize("place", ["objects", "objects/sha256", "objects/pack", "refs/heads"])
    def test_a_file_among_the_folders(self, cli: Cli, repo: Path, place: str) -> None:
        """A file manager's `.DS_Store` is named by `verify` at most, and is no bug of ours."""
        (repo / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=repo).code == 0
        (repo / ".muse" / place / ".DS_Store").write_bytes(b"\0")
        for verb in ("status", "log", "branch", "gc"):
            assert cli(verb, cwd=repo).code == 0, verb
        for verb in ("verify", "doctor"):
            done = cli(verb, cwd=repo)
            assert done.code in {0, 1, 3}, done.err
            assert done.code == 0 or ".DS_Store" in done.out


class TestLinks:
    """A folder of `.muse` that is a link: nothing is written, moved or removed where it leads."""

    @pytest.mark.parametrize(
        "name",
        ["refs", "refs/heads", "logs", "journal", "code", "cache", "objects", "objects/sha256"],
    )
    def test_nothing_behind_it_changes(self, cli: Cli, tmp_path: Path, name: str) -> None:
        """Commands that write are refused, and what is outside stays as it was (G11)."""
        tree, outside = tmp_path / "tree", tmp_path / "outside"
        assert cli("init", "tree").code == 0
        (tree / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=tree).code == 0
        assert cli("branch", "topic", cwd=tree).code == 0
        (tree / ".muse" / name).rename(outside)
        (outside / "empty").mkdir()
        (tree / ".muse" / name).symlink_to(outside)
        (outside / "main").write_text("precious\n")
        before = _everything(outside)
        (tree / "a").write_text("b\n")
        lines = ("status", "add a", "commit -m x", "switch topic", "branch -d topic", "tag v1")
        for line in (*lines, "undo", "doctor --fix"):
            command = line.split()
            done = cli(*command, cwd=tree)
            assert done.code in {0, 1, 2, 3, 4}, (command, done.err)
            assert _everything(outside) == before, command

    def test_a_link_in_the_place_of_a_file(self, cli: Cli, tmp_path: Path) -> None:
        """It is replaced; empty folders where it leads are not taken for those of old refs."""
        tree, outside = tmp_path / "tree", tmp_path / "outside"
        assert cli("init", "tree").code == 0
        (outside / "empty").mkdir(parents=True)
        (tree / ".muse" / "code" / "stage.msgpack").symlink_to(outside)
        (tree / ".muse" / "refs" / "heads" / "main").symlink_to(outside)
        (tree / "a").write_text("a\n")
        for command in (["add", "a"], ["commit", "-m", "x"], ["doctor", "--fix"]):
            cli(*command, cwd=tree)
        assert (outside / "empty").is_dir()


class TestLinkedFiles:
    """A file of `.muse` that is a link: nothing is read through it (G11)."""

    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("HEAD", "log"),
            ("refs/heads/main", "log"),
            ("config.toml", "status"),
            ("repo.json", "status"),
            ("code/stage.msgpack", "status"),
            ("logs/operations", "undo"),
            ("logs/refs/heads/main", "reflog main"),
            ("journal/wal", "status"),
        ],
    )
    def test_is_named(self, cli: Cli, repo: Path, tmp_path: Path, name: str, line: str) -> None:
        """The error says that it is a link, and the hint how to go on; what it leads to stays."""
        (repo / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=repo).code == 0
        (repo / "b").write_text("b\n")
        assert cli("add", "b", cwd=repo).code == 0
        if name != "journal/wal":
            assert cli("gc", cwd=repo).code == 0
        place, outside = repo / ".muse" / name, tmp_path / "outside"
        before = place.read_bytes()
        outside.write_bytes(before)
        place.unlink()
        place.symlink_to(outside)
        done = cli(*line.split(), cwd=repo)
        assert done.code == 3, (done.out, done.err)
        assert Path(name).name in done.err
        assert "It is a link" in done.err
        assert "put the file itself in its place" in done.err
        place.unlink()
        place.write_bytes(before)
        assert cli("verify", cwd=repo).code == 0

    def test_objects(self, cli: Cli, repo: Path, tmp_path: Path) -> None:
        """A link to a whole copy is no copy: it is told, and the doctor puts a file there."""
        (repo / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=repo).code == 0
        (repo / ".muse/journal/wal").unlink()
        digits = cli("rev-parse", "HEAD:a", cwd=repo).out.strip().removeprefix("sha256:")
        place = repo / ".muse/objects/sha256" / digits[:2] / digits[2:]
        place.rename(tmp_path / "outside")
        place.symlink_to(tmp_path / "outside")
        done = cli("cat-object", "HEAD:a", cwd=repo)
        assert (done.code, done.out) == (3, "")
        assert "It is a link" in done.err
        assert cli("verify", cwd=repo).code == 3
        assert cli("doctor", "--fix", cwd=repo).code == 0
        assert not place.is_symlink()
        assert cli("cat-object", "HEAD:a", cwd=repo).out == "a\n"
        assert (tmp_path / "outside").read_bytes() == b"blob 2\0a\n"

    def test_packs(self, cli: Cli, repo: Path, tmp_path: Path) -> None:
        """A pack that is a link is not read; put back as a file, it is."""
        (repo / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=repo).code == 0
        assert cli("gc", cwd=repo).code == 0
        [pack] = (repo / ".muse/objects/pack").glob("*.mpack")
        pack.rename(tmp_path / "outside")
        pack.symlink_to(tmp_path / "outside")
        assert cli("log", cwd=repo).code == 3
        done = cli("verify", cwd=repo)
        assert done.code == 3
        assert "It is a link" in done.out
        pack.unlink()
        (tmp_path / "outside").rename(pack)
        assert cli("verify", cwd=repo).code == 0

    def test_a_cache_is_made_anew(self, cli: Cli, repo: Path, tmp_path: Path) -> None:
        """A link in the place of a cache is replaced, and not written through."""
        (repo / "a").write_text("a\n")
        assert cli("commit", "-m", "First", cwd=repo).code == 0
        place = repo / ".muse/cache/stat_cache.msgpack"
        (tmp_path / "outside").write_bytes(b"precious")
        place.unlink(missing_ok=True)
        place.symlink_to(tmp_path / "outside")
        assert cli("status", cwd=repo).code == 0
        assert (tmp_path / "outside").read_bytes() == b"precious"

    def test_settings_of_ones_own_may_be_a_link(
        self, cli: Cli, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The user's own file is often kept elsewhere: that is the user's business."""
        home = tmp_path / "settings"
        (home / "muse").mkdir(parents=True)
        (tmp_path / "dotfile.toml").write_text('[user]\nname = "Linked"\n')
        (home / "muse/config.toml").symlink_to(tmp_path / "dotfile.toml")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
        monkeypatch.delenv("MUSE_CONFIG", raising=False)
        assert "Linked" in cli("config", "user.name", cwd=repo).out


def _everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


class TestLockedFolders:
    """A folder that may not be listed hides what is new in it, and nothing else."""

    @pytest.fixture
    def tree(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A repository of nobody's, with `sub/y` committed, and `locked/` closed."""
        monkeypatch.setenv("HOME", "/nonexistent")
        with tempfile.TemporaryDirectory() as name:
            tree = Path(name)
            assert cli("init", cwd=tree).code == 0
            (tree / "sub").mkdir()
            (tree / "sub" / "y").write_text("y\n")
            assert cli("commit", "-m", "First", cwd=tree).code == 0
            (tree / "locked" / "inner").mkdir(parents=True)
            (tree / "locked" / "inner" / "x").write_text("x\n")
            assert "locked/" in cli("status", cwd=tree).out
            if os.geteuid() == 0:
                for folder, folders, files in os.walk(tree):
                    for entry in (Path(folder), *(Path(folder, n) for n in (*folders, *files))):
                        os.chown(entry, NOBODY, NOBODY)
            (tree / "locked").chmod(0)
            try:
                yield tree
            finally:
                (tree / "locked").chmod(0o755)
                (tree / "sub").chmod(0o755)

    def test_is_named_and_passed_by(self, cli: Cli, tree: Path) -> None:
        """`status`, `add` and `commit` say which folder it is, and do the rest, as git does."""
        (tree / "new").write_text("new\n")
        with as_nobody():
            shown = cli("status", "--json", cwd=tree)
            assert (shown.code, shown.json["unreadable"]) == (0, ["locked"])
            assert shown.json["untracked"] == ["new"]
            assert "locked/ cannot be listed" in shown.err
            added = cli("add", ".", "--json", cwd=tree)
            assert (added.code, added.json["added"]) == (0, ["new"])
            assert added.json["unreadable"] == ["locked"]
            (tree / "sub" / "y").write_text("changed\n")
            assert cli("reset", cwd=tree).code == 0
            made = cli("commit", "-m", "Second", "--json", cwd=tree)
            assert (made.code, made.json["unreadable"]) == (0, ["locked"])
            assert made.json["files_changed"] == 2

    def test_is_an_error_when_named(self, cli: Cli, tree: Path) -> None:
        """Whoever asks for that very folder is refused."""
        with as_nobody():
            done = cli("add", "locked", cwd=tree)
        assert done.code == 3
        assert "locked" in done.err

    def test_is_seen_again(self, cli: Cli, tree: Path) -> None:
        """Once it is open, all in it shows, whatever the cache holds."""
        with as_nobody():
            assert cli("status", "--json", cwd=tree).json["untracked"] == []
        (tree / "locked").chmod(0o755)
        with as_nobody():
            shown = cli("status", "--json", cwd=tree)
        assert (shown.json["untracked"], shown.json["unreadable"]) == (["locked/inner/x"], [])

    def test_tracked_files_are_never_taken_for_gone(self, cli: Cli, tree: Path) -> None:
        """With tracked files in it the command stops: no commit may drop them (G10)."""
        (tree / "sub").chmod(0)
        with as_nobody():
            for command in (["status"], ["commit", "-am", "No"], ["add", "."]):
                done = cli(*command, cwd=tree)
                assert done.code == 3, command
                assert "sub" in done.err


class TestLockedFiles:
    """A tracked file that may not be read is taken for modified, as git takes it."""

    def test_status_goes_on_and_add_refuses(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is named and listed among the rest; nothing takes it for what it may not be (G2)."""
        monkeypatch.setenv("HOME", "/nonexistent")
        with tempfile.TemporaryDirectory() as name:
            tree = Path(name)
            assert cli("init", cwd=tree).code == 0
            (tree / "a").write_text("a\n")
            (tree / "b").write_text("b\n")
            assert cli("commit", "-m", "First", cwd=tree).code == 0
            (tree / "a").chmod(0)
            (tree / "b").write_text("changed\n")
            if os.geteuid() == 0:
                for path in (tree, *tree.rglob("*")):
                    os.chown(path, NOBODY, NOBODY)
            with as_nobody():
                shown = cli("status", "--json", cwd=tree)
                assert (shown.code, shown.json["unstaged"]["modified"]) == (0, ["a", "b"])
                assert shown.json["unreadable_files"] == ["a"]
                assert "a cannot be read (permission denied)" in shown.err
                for line in ("add a", "add -A", "commit -m x", "commit -a -m x"):
                    done = cli(*line.split(), cwd=tree)
                    assert done.code == 3, line
                    assert "/a): Permission denied" in done.err
                assert cli("log", "--oneline", cwd=tree).out.count("\n") == 1
                assert cli("add", "b", cwd=tree).code == 0
                assert cli("commit", "-m", "Second", cwd=tree).code == 0
                (tree / "a").chmod(0o644)
                shown = cli("status", "--json", cwd=tree)
                assert (shown.json["clean"], shown.json["unreadable_files"]) == (True, [])
