"""rev-parse, cat-object, hash-object and ls-tree, with git as the judge."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from muse.core.repo import open_repo
from muse.core.trees import TreeEntry, format_tree
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, MODE_TREE, RawId, from_raw
from tests.cli.conftest import Cli
from tests.conftest import Run


@pytest.fixture
def tree(repo: Path) -> str:
    """Store a tree with every kind of entry; return its id."""
    store = open_repo(repo).objects
    blob = store.write("blob", b"hello\n")
    entries = [
        TreeEntry(MODE_FILE, b"a", blob),
        TreeEntry(MODE_EXEC, b"run\n\xff", blob),
        TreeEntry(MODE_LINK, b"to", store.write("blob", b"a")),
    ]
    inner = store.write("tree", format_tree(entries))
    top = store.write("tree", format_tree([*entries, TreeEntry(MODE_TREE, b"src", inner)]))
    return from_raw(top)


class TestHashObject:
    """Ids of content, as git computes them."""

    @pytest.mark.parametrize("data", [b"", b"hello\n", bytes(range(256)) * 5000])
    def test_git_agrees(self, data: bytes, tmp_path: Path, cli: Cli, git: Run) -> None:
        """The id of a file is git's."""
        git("init", "--object-format=sha256", "g", cwd=tmp_path)
        (tmp_path / "file").write_bytes(data)
        theirs = git("hash-object", "../file", cwd=tmp_path / "g").stdout.decode().strip()
        assert cli("hash-object", "file").out == f"sha256:{theirs}\n"

    def test_stdin(self, tmp_path: Path, muse: Run) -> None:
        """Standard input is hashed like a file."""
        (tmp_path / "file").write_bytes(b"hello\n")
        piped = muse("hash-object", "--stdin", cwd=tmp_path, input=b"hello\n").stdout
        assert piped == muse("hash-object", "file", cwd=tmp_path).stdout

    def test_write_stores(self, cli: Cli, repo: Path) -> None:
        """With -w the object is there afterwards, byte for byte."""
        (repo / "file").write_bytes(b"\0\xff\n")
        oid = cli("hash-object", "-w", "file", cwd=repo).out.strip()
        assert open_repo(repo).objects.read_object(oid) == ("blob", b"\0\xff\n")  # type: ignore[arg-type]  # text from outside
        assert cli("hash-object", "file", cwd=repo).out.strip() == oid

    def test_without_write_nothing_is_stored(self, cli: Cli, repo: Path) -> None:
        """Without -w the repository is left as it is."""
        (repo / "file").write_bytes(b"x")
        cli("hash-object", "file", cwd=repo)
        assert list(open_repo(repo).objects.iter_loose()) == []

    @pytest.mark.parametrize("kind", ["tree", "commit", "tag"])
    def test_malformed(self, kind: str, cli: Cli, repo: Path) -> None:
        """What is no tree, commit or tag is refused before it is stored."""
        (repo / "file").write_bytes(b"nonsense")
        outcome = cli("hash-object", "-w", "-t", kind, "file", cwd=repo)
        assert outcome.code == 2
        assert list(open_repo(repo).objects.iter_loose()) == []

    def test_errors(self, cli: Cli, tmp_path: Path) -> None:
        """A missing file is named; nothing to hash is a usage error."""
        outcome = cli("hash-object", "missing", "--json")
        assert outcome.code == 4
        assert "missing" in outcome.json["error"]
        assert cli("hash-object").code == 2
        assert cli("hash-object", str(tmp_path)).code == 2

    @pytest.mark.slow
    def test_memory_is_bounded(self, tmp_path: Path, muse: Run) -> None:
        """A big file is streamed: storing 300 MB takes less than 64 MB above storing nothing."""
        muse("init", cwd=tmp_path)
        (tmp_path / "small").write_bytes(b"")
        with open(tmp_path / "big", "wb") as big:
            big.truncate(300 << 20)
        peaks = [
            _peak_kb(["muse", "hash-object", "-w", name], tmp_path) for name in ("small", "big")
        ]
        assert peaks[1] - peaks[0] < 64 << 10


def _peak_kb(command: list[str], cwd: Path) -> int:
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


class TestCatObject:
    """What is stored comes back."""

    def test_bytes(self, tmp_path: Path, muse: Run) -> None:
        """Without an option stdout has the payload, byte for byte."""
        muse("init", cwd=tmp_path)
        data = bytes(range(256)) + b"no newline at the end"
        (tmp_path / "file").write_bytes(data)
        oid = muse("hash-object", "-w", "file", cwd=tmp_path).stdout.decode().strip()
        assert muse("cat-object", oid, cwd=tmp_path).stdout == data
        assert muse("cat-object", oid[:20], cwd=tmp_path).stdout == data

    def test_type_and_size(self, cli: Cli, repo: Path, tree: str) -> None:
        """-t and -s answer from the header."""
        assert cli("cat-object", "-t", tree, cwd=repo).out == "tree\n"
        assert int(cli("cat-object", "-s", tree, cwd=repo).out) > 100

    def test_pretty_tree(self, cli: Cli, repo: Path, tree: str) -> None:
        """-p shows a tree as ls-tree does, odd names escaped."""
        shown = cli("cat-object", "-p", tree, cwd=repo).out
        assert shown == cli("ls-tree", tree, cwd=repo).out
        assert "\trun\\n\\xff\n" in shown

    def test_json(self, cli: Cli, repo: Path, tree: str) -> None:
        """In JSON a blob is text or base64, and a tree is a list."""
        found = cli("cat-object", tree, "--json", cwd=repo).json
        assert [entry["type"] for entry in found["entries"]] == ["blob", "blob", "tree", "blob"]
        store = open_repo(repo).objects
        text, other = store.write("blob", "é".encode()), store.write("blob", b"\xff")
        assert cli("cat-object", from_raw(text), "--json", cwd=repo).json["content"] == "é"
        found = cli("cat-object", from_raw(other), "--json", cwd=repo).json
        assert base64.b64decode(found["content"]) == b"\xff"

    def test_damage_is_never_printed(self, repo: Path, muse: Run) -> None:
        """A flipped bit gives an error that names the object, and not one byte of it (G4)."""
        store = open_repo(repo).objects
        raw = store.write("blob", b"precious" * 1000)
        path = Path(store.loose_path(raw))
        path.chmod(0o644)
        damaged = bytearray(path.read_bytes())
        damaged[500] ^= 1
        path.write_bytes(damaged)
        done = muse("cat-object", from_raw(raw), cwd=repo, check=False)
        assert (done.returncode, done.stdout) == (3, b"")
        assert from_raw(raw).encode() in done.stderr

    def test_unknown(self, cli: Cli, repo: Path) -> None:
        """What names nothing is exit 4."""
        assert cli("cat-object", "feedbeef", cwd=repo).code == 4
        assert cli("cat-object", "HEAD", cwd=repo).code == 4


class TestLsTree:
    """The files of a tree, as git lists them."""

    def test_git_agrees(self, tmp_path: Path, git: Run, muse: Run) -> None:
        """-r -z prints git's modes, types, ids and names."""
        (tmp_path / "src" / "deep").mkdir(parents=True)
        (tmp_path / "src" / "deep" / "b").write_bytes(b"1")
        (tmp_path / "src" / "a b\nc").write_bytes(b"2")
        (tmp_path / "src.txt").write_bytes(b"3")
        (tmp_path / "src.txt").chmod(0o755)
        (tmp_path / "link").symlink_to("src")
        git("init", "--object-format=sha256", cwd=tmp_path)
        git("add", "link", "src", "src.txt", cwd=tmp_path)
        git("commit", "-m", "x", cwd=tmp_path)
        muse("init", cwd=tmp_path)
        muse("add", "link", "src", "src.txt", cwd=tmp_path)
        muse("commit", "-m", "x", cwd=tmp_path)
        for options in (["-z"], ["-r", "-z"], ["-z", "--name-only", "-r"]):
            theirs = git("ls-tree", *options, "HEAD", cwd=tmp_path).stdout
            ours = muse("ls-tree", *options, "HEAD", cwd=tmp_path).stdout
            assert ours.replace(b"sha256:", b"") == theirs

    def test_below_a_folder(self, cli: Cli, repo: Path, tree: str) -> None:
        """rev:folder lists that folder, and paths limit the list."""
        assert cli("ls-tree", f"{tree}:src", "--name-only", cwd=repo).out.startswith("a\n")
        assert cli("ls-tree", tree, "src", cwd=repo).out.count("\n") == 1
        below = cli("ls-tree", "-r", "--name-only", tree, "--", "src", cwd=repo).out
        assert below.splitlines() == ["src/a", "src/run\\n\\xff", "src/to"]

    def test_json(self, cli: Cli, repo: Path, tree: str) -> None:
        """The JSON has tree and entries."""
        found = cli("ls-tree", "--json", tree, cwd=repo).json
        assert found["tree_id"] == tree
        assert found["entries"][0] == {
            "mode": "100644",
            "type": "blob",
            "id": cli("rev-parse", f"{tree}:a", cwd=repo).out.strip(),
            "path": "a",
        }


class TestRevParse:
    """Names become ids."""

    def test_errors(self, cli: Cli, repo: Path) -> None:
        """Unknown, ambiguous and missing: exit 4, each with its own sentence."""
        assert "no commit yet" in cli("rev-parse", "HEAD", cwd=repo).err
        outcome = cli("rev-parse", "nope", "--json", cwd=repo)
        assert (outcome.code, outcome.json["kind"]) == (4, "RevisionNotFoundError")

    def test_ambiguous_id(self, cli: Cli, repo: Path) -> None:
        """Too few digits list what they fit."""
        store = open_repo(repo).objects
        by_prefix: dict[str, RawId] = {}
        for number in range(2000):
            raw = store.write("blob", b"%d" % number)
            if by_prefix.setdefault(raw.hex()[:4], raw) != raw:
                prefix = raw.hex()[:4]
                break
        else:
            pytest.fail("2000 ids without a common prefix")
        outcome = cli("rev-parse", prefix, cwd=repo)
        assert outcome.code == 4
        assert "more digits" in outcome.err
        assert len(cli("rev-parse", "--short", from_raw(raw), cwd=repo).out.strip()) == 10

    def test_root_and_branch(self, cli: Cli, repo: Path) -> None:
        """--root prints the folder, --abbrev-ref the branch."""
        assert cli("rev-parse", "--root", cwd=repo).out == f"{repo}\n"
        assert cli("rev-parse", "--abbrev-ref", "HEAD", cwd=repo).out == "main\n"

    def test_git_agrees(self, tmp_path: Path, git: Run, muse: Run) -> None:
        """The same history has the same ids, and the same names for them."""
        git("init", "--object-format=sha256", "-b", "main", cwd=tmp_path)
        muse("init", cwd=tmp_path)
        for number in range(3):
            (tmp_path / "a").write_bytes(b"%d" % number)
            git("add", "a", cwd=tmp_path)
            git("commit", "-m", f"{number}", cwd=tmp_path)
            muse("add", "a", cwd=tmp_path)
            muse("commit", "-m", f"{number}", cwd=tmp_path)
        for rev in ("HEAD", "main~2", "HEAD^", "HEAD:a", "main^{tree}", "HEAD~2..HEAD", "^HEAD"):
            theirs = git("rev-parse", rev, cwd=tmp_path).stdout.decode()
            ours = muse("rev-parse", rev, cwd=tmp_path).stdout.decode()
            assert ours.replace("sha256:", "") == theirs
