"""The repositories that crashes start from, and how a command is given to one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from muse.core.journal import MAX_RECORDS, checkpoint, read_journal
from muse.core.object_store import object_path
from muse.core.paths import muse_dir
from muse.core.types import blob_id
from muse.ops.init import init
from muse.ops.selftest.judge import observe
from muse.ops.selftest.models import POSIX, Explorer
from muse.ops.selftest.recording import record
from muse.ops.selftest.run import cut_after_record
from muse.ops.selftest.tree import write_listing
from tests.crash import oracle

# Makes the repository in a folder that does not exist yet.
Setup = Callable[[Path], None]

SMALL: Final = {f"src/m{n}.py": f"print({n})\n" for n in range(3)}


class RefusedError(Exception):
    """A command did not succeed; the message is its exit code and all that it printed."""


def run(folder: Path, words: Sequence[str]) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it printed."""
    return oracle.run(folder, *words)


def ok(root: Path, *words: str) -> str:
    """Run a command that must succeed."""
    code, text = run(root, words)
    assert code == 0, (words, text)
    return text


def attempt(root: Path, words: Sequence[str]) -> str:
    """Run a command; an exit code that is not 0 is an exception."""
    code, text = run(root, words)
    if code:
        raise RefusedError(f"{code} {text}")
    return text


def write(root: Path, files: dict[str, str]) -> None:
    """Write some files into a working tree."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


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
    ok(root, "commit", "-m", "one")
    write(root, {"src/m0.py": "changed\n", "new.py": "new\n"})


def staged(root: Path) -> None:
    """Make one whose changes are staged."""
    plain(root)
    ok(root, "add", ".")


def older(root: Path) -> None:
    """Make one as an older `init` made it: nothing is committed, and the journal has no folder."""
    init(root)
    (muse_dir(root) / "journal").rmdir()
    write(root, {"a.txt": "a\n"})


def with_files(count: int) -> Setup:
    """Make a setup with so many new files; fifty are too many for the journal, and get a pack."""

    def setup(root: Path) -> None:
        plain(root)
        write(root, {f"d{n % 5}/f{n}.txt": f"{n}\n" * 40 for n in range(count)})

    return setup


many: Final = with_files(50)


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


def followed(root: Path) -> None:
    """Make one whose branches follow those of a remote: refs and settings change together."""
    branches(root)
    hub = root.with_name(f"{root.name}-hub")
    ok(root.parent, "init", "--bare", hub.name)
    ok(root, "remote", "add", "origin", str(hub))
    ok(root, "push", "-u", "origin", "main")
    ok(root, "push", "-u", "origin", "topic")


def deleted(root: Path) -> None:
    """Make one whose branch, which followed another, was deleted."""
    followed(root)
    ok(root, "branch", "-D", "topic")


def packs(root: Path) -> None:
    """Make one with two packs to melt into one, and no journal."""
    many(root)
    ok(root, "commit", "-m", "many")
    write(root, {f"e/f{n}.txt": f"e{n}\n" for n in range(40)})
    ok(root, "commit", "-m", "more")
    checkpoint(root)


def garbage(root: Path) -> None:
    """Make one with two packs, and an object that nothing needs."""
    packs(root)
    write(root, {"src/m2.py": "later\n"})
    ok(root, "add", ".")
    ok(root, "reset")


def full_journal(root: Path) -> None:
    """Make one whose next transaction retires the journal first."""
    branches(root)
    _fill_journal(root, MAX_RECORDS)


def nearly_full_journal(root: Path) -> None:
    """Make one whose next transaction but one retires the journal first."""
    branches(root)
    _fill_journal(root, MAX_RECORDS - 1)


def _fill_journal(root: Path, count: int) -> None:
    for number in range(count - len(read_journal(root).records)):
        ok(root, "tag", f"t{number}")
    assert len(read_journal(root).records) == count


def no_journal(root: Path) -> None:
    """Make one whose journal was retired: nothing that a command does is made durable by that."""
    branches(root)
    checkpoint(root)


def damaged(root: Path) -> None:
    """Make one with a flipped object that the working tree has, a lost index and a torn ref."""
    many(root)
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


def cut(setup: Setup, *words: str) -> Setup:
    """Make a setup as a power cut leaves it: a command's record is there, and nothing else."""

    def make(root: Path) -> None:
        setup(root)
        recording = record(root, [words], run=run, observe=lambda at: observe(at, ["."]))
        state = cut_after_record(Explorer(recording, POSIX).states(1 << 30))
        shutil.rmtree(root)
        write_listing(state.listing, root)

    return make


cut_commit: Final = cut(staged, "commit", "-m", "x")
cut_rename: Final = cut(branches, "branch", "-m", "topic", "topic/sub")


def ahead(root: Path) -> None:
    """Make a repository and a bare one to push to, which has nothing yet."""
    root.mkdir()
    branches(root / "here")
    ok(root, "init", "--bare", "there")
    ok(root / "here", "remote", "add", "origin", "../there")


def behind(root: Path) -> None:
    """Make a repository, and one that it fetches new commits from."""
    ahead(root)
    ok(root / "here", "push", "origin", "main")
    ok(root, "clone", "there", "other")
    write(root / "other", {f"more/{n}": f"{n}\n" for n in range(5)})
    ok(root / "other", "commit", "-m", "from elsewhere")
    ok(root / "other", "push", "origin", "main")


def source(root: Path) -> None:
    """Make an empty folder beside a repository to clone."""
    root.mkdir()
    branches(root.parent / "source")
