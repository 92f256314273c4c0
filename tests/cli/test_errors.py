"""Bad input, each with its error: what a person or a program meets when something is wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from muse.core.lock import WriteLock
from tests.cli.conftest import Cli

REV_COMMANDS = (
    ["log"],
    ["show"],
    ["diff"],
    ["rev-parse"],
    ["cat-object"],
    ["ls-tree"],
    ["switch"],
    ["restore", "--source"],
    ["tag", "name"],
    ["branch", "name"],
)


@pytest.fixture
def song(cli: Cli, repo: Path) -> Path:
    """A repository with one commit and one change."""
    (repo / "a").write_bytes(b"1\n")
    assert cli("commit", "-m", "First", cwd=repo).code == 0
    (repo / "a").write_bytes(b"2\n")
    return repo


class TestNames:
    """What names nothing, or reaches outside."""

    @pytest.mark.parametrize("words", REV_COMMANDS, ids=" ".join)
    def test_unknown_revision(self, words: list[str], cli: Cli, song: Path) -> None:
        """An unknown revision is exit 4 in every command, and the error names it."""
        line = [*words, "nosuch~2", *(["a"] if words[0] == "restore" else [])]
        outcome = cli(*line, "--json", cwd=song)
        assert outcome.code == outcome.json["exit_code"] == 4, outcome
        assert "nosuch" in outcome.json["error"]
        assert outcome.err == ""

    @pytest.mark.parametrize("words", REV_COMMANDS[:6], ids=" ".join)
    def test_near_miss(self, words: list[str], cli: Cli, song: Path) -> None:
        """A branch that was nearly typed is offered."""
        outcome = cli(*words, "mian", cwd=song)
        assert outcome.code == 4
        assert "main" in outcome.err

    @pytest.mark.parametrize(
        "words", [["add"], ["rm"], ["reset"], ["restore"], ["mv", "a"], ["mv"]], ids=" ".join
    )
    @pytest.mark.parametrize("path", ["/etc/passwd", "../x", ".muse/HEAD", "a/../../x"])
    def test_path_outside(self, words: list[str], path: str, cli: Cli, song: Path) -> None:
        """A path outside the working tree, or inside .muse, is exit 2 and touches nothing (G11)."""
        line = [*words, path, *(["b"] if words == ["mv"] else [])]
        before = (song / ".muse" / "HEAD").read_bytes()
        outcome = cli(*line, "--json", cwd=song)
        assert outcome.code == outcome.json["exit_code"] == 2, outcome
        assert outcome.json["kind"] == "UnsafePathError"
        assert (song / ".muse" / "HEAD").read_bytes() == before
        assert (song / "a").read_bytes() == b"2\n"

    @pytest.mark.parametrize(
        "words", [["add"], ["rm", "-rf"], ["reset"], ["restore"], ["diff", "--"]], ids=" ".join
    )
    def test_empty_path(self, words: list[str], cli: Cli, song: Path) -> None:
        """An empty path, as of a variable that is not set, is exit 2 and never the whole tree."""
        outcome = cli(*words, "", cwd=song)
        assert outcome.code == 2, outcome
        assert (song / "a").read_bytes() == b"2\n"
        assert cli("status", "--json", cwd=song).json["unstaged"]["modified"] == ["a"]

    @pytest.mark.parametrize(
        "words", [["add"], ["rm"], ["restore"], ["mv", "--", "nosuch"]], ids=" ".join
    )
    def test_unknown_path(self, words: list[str], cli: Cli, song: Path) -> None:
        """A path that is nowhere is exit 4."""
        outcome = cli(*words, "nosuch", cwd=song)
        assert outcome.code == 4, outcome
        assert "nosuch" in outcome.err

    @pytest.mark.parametrize("name", ["a..b", "-x", "a b", "x.lock", "HEAD^", "a\x1b[2J", "@{u}"])
    @pytest.mark.parametrize("words", [["branch"], ["tag"], ["switch", "-c"]], ids=" ".join)
    def test_bad_ref_name(self, words: list[str], name: str, cli: Cli, song: Path) -> None:
        """A name that could escape or confuse is exit 2, for branches and tags alike."""
        outcome = cli(*words, name, cwd=song)
        assert outcome.code == 2, outcome
        assert "\x1b" not in outcome.err
        assert list((song / ".muse" / "refs").rglob("*a*b*")) == []


class TestDamage:
    """Damaged files below .muse: exit 3, the file, and the way out."""

    @pytest.mark.parametrize(
        ("name", "data", "line"),
        [
            ("HEAD", b"nonsense\n", ["status"]),
            ("HEAD", b"ref: refs/heads/../../x\n", ["log"]),
            ("refs/heads/main", b"\0\0\0\0", ["log"]),
            ("refs/heads/main", b"sha256:12\n", ["commit", "-m", "x"]),
            ("config.toml", b"[core", ["status"]),
            ("config.toml", b"\xff\xfe", ["remote"]),
            ("repo.json", b"{", ["branch", "x"]),
            ("repo.json", b'{"format": 99}', ["branch", "x"]),
            ("repo.json", b'{"format": 99}', ["status"]),
            ("code/stage.msgpack", b"\x81\xa1", ["status"]),
            ("code/stage.msgpack", b"", ["commit", "-m", "x"]),
        ],
    )
    def test_damaged_file(
        self, name: str, data: bytes, line: list[str], cli: Cli, song: Path
    ) -> None:
        """The error is exit 3, names the file and has a hint; never a traceback."""
        cli("gc", cwd=song)  # nothing of the last commit waits in a journal any more
        path = song / ".muse" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        outcome = cli(*line, "--json", cwd=song)
        assert outcome.code == outcome.json["exit_code"] == 3, outcome
        assert Path(name).name in outcome.json["error"]
        assert outcome.json["hint"]
        assert path.read_bytes() == data

    @pytest.mark.parametrize(
        ("name", "data", "way_out"),
        [
            ("HEAD", b"nonsense\n", ["switch", "main"]),
            ("refs/heads/main", b"nonsense\n", ["branch", "-f", "main", "ID"]),
            ("repo.json", b"{", ["init"]),
            ("repo.json", b"", ["init"]),
            ("code/stage.msgpack", b"nonsense", ["code", "reset"]),
            ("code/stage.msgpack", b"", ["code", "reset"]),
        ],
    )
    def test_the_hint_works(
        self, name: str, data: bytes, way_out: list[str], cli: Cli, song: Path
    ) -> None:
        """What the hint says brings a damaged repository back, and touches no file (G5, G15)."""
        oid = cli("rev-parse", "HEAD", cwd=song).out.strip()
        cli("gc", cwd=song)  # no journal knows better
        path = song / ".muse" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        if data:
            refused = cli("status", cwd=song)
            assert refused.code == 3
            assert f"muse {way_out[0]}" in refused.err
        outcome = cli(*[word.replace("ID", oid) for word in way_out], cwd=song)
        assert outcome.code == 0, outcome
        assert cli("verify", cwd=song).code == 0
        assert cli("status", "--json", cwd=song).json["modified"] == ["a"]
        assert cli("rev-parse", "HEAD", cwd=song).out.strip() == oid
        assert cli("commit", "-m", "Second", cwd=song).code == 0

    def test_damaged_object(self, cli: Cli, song: Path) -> None:
        """A damaged commit is exit 3 wherever it is read, and named (G4)."""
        oid = cli("rev-parse", "HEAD", cwd=song).out.strip()
        cli("gc", cwd=song)
        packs = list((song / ".muse" / "objects" / "pack").glob("*.mpack"))
        for pack in packs:
            pack.chmod(0o644)
            pack.write_bytes(b"\0" * pack.stat().st_size)
            (pack.with_suffix(".idx")).unlink()
        for line in (["log"], ["show"], ["status"], ["diff", "HEAD"]):
            outcome = cli(*line, "--json", cwd=song)
            assert outcome.code in {3, 4}, (line, outcome)
            assert outcome.json["hint"]
        assert oid.startswith("sha256:")

    def test_missing_cache_is_nothing(self, cli: Cli, song: Path) -> None:
        """A damaged or missing cache is rebuilt without a word."""
        cache = song / ".muse" / "cache"
        for file in cache.iterdir():
            file.write_bytes(b"nonsense")
        outcome = cli("status", "--json", cwd=song)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.json["modified"] == ["a"]


class TestWriters:
    """Two writers at once."""

    def test_lock_is_held(self, cli: Cli, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """While somebody writes, a writer gives up with who it is; readers do not care."""
        monkeypatch.setattr("muse.core.repo.WAIT_S", 0.0)
        monkeypatch.setattr("muse.core.repo.Repository.transaction.__kwdefaults__", {
            "summary": "", "who": None, "wait_s": 0.0, "level": None,
        })  # fmt: skip
        with WriteLock(song, command="push"):
            outcome = cli("commit", "-m", "x", cwd=song)
            assert outcome.code == 1
            assert str(os.getpid()) in outcome.err
            assert cli("status", cwd=song).code == 0
            assert cli("log", cwd=song).code == 0
        assert cli("commit", "-m", "x", cwd=song).code == 0


class TestReaders:
    """Whoever reads our output may stop, and may have no room."""

    def test_head_of_a_log(self, song: Path, cli: Cli) -> None:
        """``muse log | head -1`` shows one line, nothing on stderr, and 141 behind the pipe."""
        # Far more than a pipe holds, so that the writer must meet the closed end.
        (song.parent / "message").write_text("A long story\n\n" + "word " * 200_000, "utf-8")
        cli("commit", "-F", "../message", cwd=song)
        done = subprocess.run(
            ["bash", "-c", "muse log | head -1; echo ${PIPESTATUS[0]}"],
            cwd=song,
            capture_output=True,
            text=True,
            check=True,
        )
        first, code = done.stdout.splitlines()
        assert first.startswith("commit sha256:")
        assert code == "141"
        assert done.stderr == ""

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
    @pytest.mark.parametrize(
        "line", [["log"], ["diff"], ["show"], ["status"], ["status", "--json"], ["ls-tree"]]
    )
    def test_no_room(self, line: list[str], song: Path) -> None:
        """A stdout without room is exit 3 and one sentence."""
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                ["muse", *line], cwd=song, stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == 3
        assert done.stderr.startswith(b"error: Could not write the output")
        assert done.stderr.count(b"error:") == 1
