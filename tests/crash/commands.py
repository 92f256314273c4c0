"""Every command that writes, and the repository that it starts from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from muse.core.journal import checkpoint
from muse.core.object_store import object_path
from muse.core.paths import config_path, muse_dir
from muse.core.repo import open_repo
from muse.core.stage import read_stage
from muse.core.types import blob_id
from muse.ops.init import init
from muse.ops.selftest.models import POSIX, Explorer
from muse.ops.selftest.recording import record
from muse.ops.selftest.run import cut_after_record
from muse.ops.selftest.tree import write_listing
from tests.crash import oracle

SMALL = {f"src/m{n}.py": f"print({n})\n" for n in range(3)}


class Command(NamedTuple):
    """One command and what is special about it.

    Attributes:
        setup: Makes the repository in a folder that does not exist yet.
        words: The command.
        repo: Where the repository is, below that folder.
        parts: It reports one thing for each of several steps, and a death between two of these
            leaves what is neither before nor after; each is whole all the same.
        slow: It handles many files, so few of its calls are tried.
    """

    setup: Callable[[Path], None]
    words: tuple[str, ...]
    repo: str = "."
    parts: bool = False
    slow: bool = False


def write(root: Path, files: dict[str, str]) -> None:
    """Write some files into a working tree."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def ok(root: Path, *arguments: str) -> str:
    """Run a command that must succeed."""
    code, text = oracle.run(root, *arguments)
    assert code == 0, (arguments, text)
    return text


class RefusedError(Exception):
    """A command did not succeed; the message is its exit code and all that it printed."""


def attempt(root: Path, words: tuple[str, ...]) -> str:
    """Run a command; an exit code that is not 0 is an exception."""
    code, text = oracle.run(root, *words)
    if code:
        raise RefusedError(f"{code} {text}")
    return text


def empty(root: Path) -> None:
    """Make a folder with a file, and no repository."""
    write(root, {"a.txt": "a\n"})


def unborn(root: Path) -> None:
    """Make a repository without a commit."""
    init(root)
    write(root, SMALL)


def plain(root: Path) -> None:
    """Make one with one commit, and changes that are not staged."""
    unborn(root)
    ok(root, "add", ".")
    ok(root, "commit", "-m", "one")
    write(root, {"src/m0.py": "changed\n", "new.py": "new\n"})


def staged(root: Path) -> None:
    """Make one whose changes are staged."""
    plain(root)
    ok(root, "add", ".")


def with_files(count: int) -> Callable[[Path], None]:
    """Make a setup with so many new files."""

    def setup(root: Path) -> None:
        plain(root)
        write(root, {f"d{n % 7}/f{n}.txt": f"{n}\n" for n in range(count)})

    return setup


def big(root: Path) -> None:
    """Make one with a file that gets an object of its own."""
    plain(root)
    (root / "big.bin").write_bytes(bytes(range(256)) * 4400)


def branches(root: Path) -> None:
    """Make one with two branches and nothing to commit."""
    plain(root)
    ok(root, "commit", "-m", "two")
    ok(root, "branch", "topic", "HEAD~1")
    write(root, {"src/m1.py": "third\n", "deep/er/file": "x\n"})
    ok(root, "commit", "-m", "three")


def tagged(root: Path) -> None:
    """Make one with a tag."""
    branches(root)
    ok(root, "tag", "-a", "v1", "-m", "first")


def undone(root: Path) -> None:
    """Make one whose last commit was taken back."""
    branches(root)
    ok(root, "undo")


def discarded(root: Path) -> None:
    """Make one whose changed file was restored, so that undo brings it back from the trash."""
    plain(root)
    ok(root, "restore", "src/m0.py")


def with_remote(root: Path) -> None:
    """Make one with a remote that has nothing to do with anything."""
    branches(root)
    ok(root, "remote", "add", "origin", "/nonexistent/hub")


def packed(root: Path) -> None:
    """Make one with two packs, and garbage."""
    with_files(60)(root)
    ok(root, "commit", "-m", "many")
    ok(root, "gc")
    write(root, {f"e/f{n}.txt": f"e{n}\n" for n in range(60)})
    ok(root, "commit", "-m", "more")
    write(root, {"src/m2.py": "later\n"})
    ok(root, "add", ".")
    ok(root, "reset")


def full_journal(root: Path) -> None:
    """Make one whose next transaction retires the journal first."""
    branches(root)
    for number in range(16):
        ok(root, "tag", f"t{number}")


def damaged(root: Path) -> None:
    """Make one with a flipped object that the working tree has, a lost index and a torn ref."""
    with_files(60)(root)
    ok(root, "commit", "-m", "many")
    ok(root, "branch", "topic")
    checkpoint(root)
    flipped = object_path(root, blob_id(SMALL["src/m1.py"].encode()))
    flipped.chmod(0o644)
    flipped.write_bytes(b"blob 9\0wrong....")
    for index in muse_dir(root).glob("objects/pack/*.idx"):
        index.chmod(0o644)
        index.write_bytes(b"torn")
    (muse_dir(root) / "refs/heads/topic").write_bytes(b"")


def temps_left(root: Path) -> None:
    """Make one with what killed writers of another version left."""
    branches(root)
    for name in ("tmp/.muse-tmp-+1-aa", "refs/.muse-tmp-dead", "objects/pack/.obj-tmp-+1-bb"):
        (muse_dir(root) / name).write_bytes(b"half")


def cut(setup: Callable[[Path], None], words: tuple[str, ...]) -> Callable[[Path], None]:
    """Make a setup as a power cut leaves it: a command's record is there, and nothing else."""

    def make(root: Path) -> None:
        setup(root)
        recording = record(
            root, [words], run=lambda at, w: oracle.run(at, *w), observe=lambda _: "{}"
        )
        found = cut_after_record(Explorer(recording, POSIX).states(1 << 30))
        shutil.rmtree(root)
        write_listing(found.listing, root)

    return make


COMMANDS: dict[str, Command] = {
    "init": Command(empty, ("init",)),
    "init bare": Command(empty, ("init", "--bare", "hub"), repo="hub"),
    "add": Command(plain, ("add", ".")),
    "add 60": Command(with_files(60), ("add", "."), slow=True),
    "add big": Command(big, ("add", ".")),
    "first commit": Command(unborn, ("commit", "-m", "x")),
    "commit 1": Command(staged, ("commit", "-m", "x")),
    "commit all": Command(plain, ("commit", "-m", "x")),
    "commit 50": Command(with_files(50), ("commit", "-m", "x"), slow=True),
    "commit 1000": Command(with_files(1000), ("commit", "-m", "x"), slow=True),
    "amend": Command(staged, ("commit", "--amend", "-m", "x")),
    "reset": Command(staged, ("reset",)),
    "rm": Command(plain, ("rm", "src/m1.py")),
    "mv": Command(plain, ("mv", "src/m1.py", "moved.py")),
    "config": Command(plain, ("config", "user.name", "B")),
    "config unset": Command(with_remote, ("config", "unset", "remote.origin.url")),
    "remote add": Command(branches, ("remote", "add", "origin", "/nonexistent/hub")),
    "remote rename": Command(with_remote, ("remote", "rename", "origin", "far")),
    "remote remove": Command(with_remote, ("remote", "remove", "origin")),
    "branch create": Command(branches, ("branch", "other")),
    "branch move": Command(branches, ("branch", "-f", "topic", "main")),
    "branch rename": Command(branches, ("branch", "-m", "topic", "topic/sub")),
    "branch rename here": Command(branches, ("branch", "-m", "main", "trunk")),
    "branch delete": Command(branches, ("branch", "-D", "topic")),
    "switch": Command(branches, ("switch", "topic")),
    "switch create": Command(branches, ("switch", "-c", "new")),
    "switch detach": Command(branches, ("switch", "--detach", "HEAD~1")),
    "restore": Command(plain, ("restore", "src/m0.py")),
    "restore staged": Command(staged, ("restore", "--staged", "src/m0.py")),
    "restore source": Command(branches, ("restore", "--source", "HEAD~2", "src")),
    "tag": Command(branches, ("tag", "v1")),
    "tag annotated": Command(branches, ("tag", "-a", "v1", "-m", "first")),
    "tag delete": Command(tagged, ("tag", "-d", "v1")),
    "undo commit": Command(branches, ("undo",)),
    "undo restore": Command(discarded, ("undo",)),
    "redo": Command(undone, ("redo",)),
    "gc": Command(branches, ("gc",)),
    "gc all": Command(packed, ("gc", "--all", "--expire", "now"), slow=True),
    "verify": Command(branches, ("verify",)),
    "doctor": Command(damaged, ("doctor", "--fix"), parts=True, slow=True),
    "checkpoint": Command(full_journal, ("tag", "one-more")),
    "sweep": Command(temps_left, ("status",)),
    "recovery": Command(cut(staged, ("commit", "-m", "x")), ("status",)),
    "recovery of a rename": Command(
        cut(branches, ("branch", "-m", "topic", "topic/sub")), ("status",)
    ),
}


def observe(root: Path) -> tuple[object, ...] | None:
    """Return what a repository says: HEAD, refs and stage; None where there is none yet."""
    if not (muse_dir(root) / "repo.json").is_file():
        return None
    repo = open_repo(root)
    stage = read_stage(root)
    settings = config_path(root).read_bytes() if config_path(root).is_file() else b""
    refs = tuple(repo.refs.iter())
    return repo.refs.head_text(), refs, tuple(sorted(stage.items())), settings


def working_files(root: Path) -> dict[str, bytes]:
    """Return the files of the working tree."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".muse" not in path.relative_to(root).parts
    }


def check_files(found: dict[str, bytes], allowed: tuple[dict[str, bytes], ...]) -> None:
    """Each file of the working tree is as it was before or as it is after, whole (G3)."""
    for path in found.keys() | set().union(*allowed):
        assert found.get(path) in [files.get(path) for files in allowed], f"{path} is torn"
