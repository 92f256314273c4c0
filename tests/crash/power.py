"""The commands whose power cuts are explored, and the repositories they start from."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from muse.core.journal import MAX_RECORDS, checkpoint, read_journal
from muse.ops.selftest.judge import Case, Judge, observe
from muse.ops.selftest.models import POSIX, Explorer
from muse.ops.selftest.recording import Recording, record
from muse.ops.selftest.run import cut_after_record
from muse.ops.selftest.tree import REPORTED, write_listing
from tests.crash import oracle
from tests.crash.harness import CALLS, Fault

BOTH = ("here", "there")


class Scene(NamedTuple):
    """A case, where it starts, and how many states it is to show.

    Attributes:
        setup: Makes the folder that is recorded; its parent may hold what is only read.
        case: The commands.
        limit: At most so many states for each model.
        least: At least so many distinct ones in all.
    """

    setup: Callable[[Path], None]
    case: Case
    limit: int
    least: int


def run(folder: Path, words: Sequence[str]) -> tuple[int, str]:
    """Run a command in this process, and come back."""
    here = os.getcwd()
    try:
        return oracle.run(folder, *words)
    finally:
        os.chdir(here)


def run_dying(folder: Path, words: Sequence[str]) -> tuple[int, str]:
    """Run a command that dies: ``@7 add .`` does nothing to files from its seventh call on.

    An error at that call and at every later one leaves of files what a death leaves.
    """
    if not words[0].startswith("@"):
        return run(folder, words)
    real = {name: getattr(os, name) for name in CALLS}
    Fault(int(words[0][1:]), error=errno.EIO, forever=True).install()
    try:
        return 0, run(folder, words[1:])[1]
    finally:
        for name, call in real.items():
            setattr(os, name, call)


def ok(folder: Path, *words: str) -> str:
    """Run a command that must succeed."""
    code, text = run(folder, words)
    assert code == 0, (words, text)
    return text


def write(root: Path, files: dict[str, str]) -> None:
    """Write some files into a working tree."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def empty(root: Path) -> None:
    """Make a folder with one file in it, and no repository."""
    write(root, {"a.txt": "a\n"})


def plain(root: Path) -> None:
    """Make a repository with one commit, and changes that are not staged."""
    root.mkdir(parents=True)
    ok(root, "init")
    write(root, {f"src/m{n}.py": f"print({n})\n" for n in range(3)})
    ok(root, "commit", "-m", "one")
    write(root, {"src/m0.py": "changed\n", "new.py": "new\n"})


def staged(root: Path) -> None:
    """Make one whose changes are staged."""
    plain(root)
    ok(root, "add", ".")


def older(root: Path) -> None:
    """Make one as an older `init` made it: nothing is committed, and the journal has no folder."""
    root.mkdir(parents=True)
    ok(root, "init")
    (root / ".muse/journal").rmdir()
    write(root, {"a.txt": "a\n"})


def many(root: Path) -> None:
    """Make one with fifty new files: too many for the journal, so they go into a pack."""
    plain(root)
    write(root, {f"d{n % 5}/f{n}.txt": f"{n}\n" * 40 for n in range(50)})


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


def full_journal(root: Path) -> None:
    """Make one whose next transaction retires the journal first."""
    branches(root)
    _fill_journal(root, MAX_RECORDS)


def nearly_full_journal(root: Path) -> None:
    """Make one whose next transaction but one retires the journal first."""
    branches(root)
    _fill_journal(root, MAX_RECORDS - 1)


def no_journal(root: Path) -> None:
    """Make one whose journal was retired: nothing that a command does is made durable by that."""
    branches(root)
    checkpoint(root)


def packs(root: Path) -> None:
    """Make one with two packs to melt into one, and no journal."""
    many(root)
    ok(root, "commit", "-m", "many")
    write(root, {f"e/f{n}.txt": f"e{n}\n" for n in range(40)})
    ok(root, "commit", "-m", "more")
    checkpoint(root)


def _fill_journal(root: Path, count: int) -> None:
    for number in range(count - len(read_journal(root).records)):
        ok(root, "tag", f"t{number}")
    assert len(read_journal(root).records) == count


def temps_left(root: Path) -> None:
    """Make one with what killed writers of another version left."""
    branches(root)
    for name in ("tmp/.muse-tmp-+1-aa", "refs/.muse-tmp-dead", "objects/pack/.obj-tmp-+1-bb"):
        (root / ".muse" / name).write_bytes(b"half")


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


def cut_commit(root: Path) -> None:
    """Make one as a power cut leaves it after a commit: the record is there, and nothing else."""
    _cut(root, staged, ("commit", "-m", "x"))


def cut_rename(root: Path) -> None:
    """Make one as a power cut leaves it after a branch was renamed."""
    _cut(root, branches, ("branch", "-m", "topic", "topic/sub"))


def _cut(root: Path, setup: Callable[[Path], None], words: tuple[str, ...]) -> None:
    setup(root)
    recording = record(root, [words], run=run, observe=lambda at: observe(at, ["."]))
    state = cut_after_record(Explorer(recording, POSIX).states(1 << 30))
    shutil.rmtree(root)
    write_listing(state.listing, root)


def _scene(
    setup: Callable[[Path], None], name: str, *commands: str, least: int, limit: int = 1000
) -> Scene:
    words = tuple(tuple(command.split()) for command in commands)
    return Scene(setup, Case(name, words), limit, least)


def _given_again(
    setup: Callable[[Path], None], name: str, command: str, *repos: str, least: int
) -> Scene:
    case = Case(name, (tuple(command.split()),), repos, repeat=True)
    # Giving a command again takes longer than looking.
    return Scene(setup, case, 450, least)


SCENES: tuple[Scene, ...] = (
    _given_again(empty, "init", "init", ".", least=170),
    _scene(empty, "init, commit", "init", "commit -m x", least=450),
    _scene(plain, "add", "add .", least=130),
    _scene(many, "add 50", "add .", least=65),
    _scene(big, "add big", "add .", least=170),
    _scene(staged, "commit", "commit -m x", least=170),
    _scene(many, "commit 50", "commit -m x", least=130),
    _scene(older, "add, older init", "add .", least=60),
    _scene(staged, "amend", "commit --amend -m x", least=170),
    _scene(plain, "add, commit", "add .", "commit -m x", least=500),
    _scene(
        plain, "a day",
        "add .", "commit -m x", "branch topic", "tag v1", "commit --amend -m y", "undo",
        "branch -m topic other", "tag -a v2 -m two", "gc", "branch -D other",
        least=3300, limit=1800,
    ),
    _scene(full_journal, "checkpoint", "tag one-more", least=40),
    _scene(nearly_full_journal, "amend, checkpoint", "commit --amend -m y", "tag a", least=150),
    _scene(branches, "branch create", "branch other", least=50),
    _scene(branches, "branch rename", "branch -m topic topic/sub", least=80),
    _scene(branches, "branch delete", "branch -D topic", least=30),
    _scene(branches, "delete, create", "branch -D topic", "branch topic/a", least=130),
    _scene(branches, "switch", "switch topic", least=190),
    _scene(branches, "switch twice", "switch topic", "switch main", least=800),
    _scene(branches, "switch create", "switch -c other", least=40),
    _scene(plain, "restore", "restore src/m0.py", least=120),
    _scene(staged, "reset", "reset", least=25),
    _scene(plain, "rm", "rm src/m1.py", least=40),
    _scene(plain, "mv", "mv src/m1.py moved.py", least=40),
    _scene(plain, "config", "config user.name B", least=10),
    _scene(branches, "remote add", "remote add origin ../hub", least=10),
    _scene(branches, "undo, redo", "undo", "redo", least=80),
    _scene(branches, "tag", "tag -a v1 -m first", least=90),
    _scene(branches, "undo", "undo", least=50),
    _scene(branches, "gc", "gc", least=65),
    _scene(no_journal, "gc, no journal", "gc", least=200),
    _scene(packs, "gc of packs", "gc --all", least=130),
    _scene(many, "commit, gc", "commit -m x", "gc", least=280),
    _scene(temps_left, "sweep", "status", least=20),
    _scene(cut_commit, "recovery", "status", least=150),
    _scene(cut_commit, "recovery, commit", "status", "commit --amend -m y", least=400),
    _scene(cut_rename, "recovery of a rename", "status", "branch later", "tag v1", least=520),
    _given_again(ahead, "push", "-C here push origin main", *BOTH, least=750),
    _given_again(behind, "fetch", "-C here fetch origin", *BOTH, "other", least=420),
    _given_again(source, "clone", "clone {parent}/source copy", "copy", least=900),
)  # fmt: skip


def record_scene(scene: Scene, root: Path) -> tuple[Recording, Judge]:
    """Make the folder, run the commands under the recorder, and return what can be explored."""
    scene.setup(root)
    commands = tuple(
        tuple(word.format(parent=root.parent) for word in words) for words in scene.case.commands
    )
    case = scene.case._replace(commands=commands)
    recording = record(
        root, commands, run=run_dying, observe=lambda folder: observe(folder, case.repos)
    )
    assert recording.code == 0, recording.output
    if commands[0][0].startswith("@"):
        # What died reported nothing: until the next one reports, the state before is allowed too.
        first, *_, last = recording.stages
        ops = list(recording.ops)
        ops.remove(next(op for op in ops if op.kind == REPORTED))
        stages = (first, last._replace(at=last.at - 1))
        recording = recording._replace(stages=stages, ops=tuple(ops))
    return recording, Judge(case, recording, run)


def dying_first(scene: Scene, at: int) -> Scene:
    """Return the scene in which its command first dies at a call, and is then given again."""
    (words,) = scene.case.commands
    case = Case(f"{scene.case.name} @{at}", ((f"@{at}", *words), words), scene.case.repos)
    return scene._replace(case=case)
