"""The commands whose power cuts are explored, and the repositories they start from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from muse.ops.selftest.judge import Case, Judge, observe
from muse.ops.selftest.recording import Recording, record
from tests.crash import oracle

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
    # The branch stands at sixteen records when this many tags were made.
    from muse.core.journal import MAX_RECORDS, read_journal

    for number in range(MAX_RECORDS):
        if len(read_journal(root).records) >= MAX_RECORDS:
            break
        ok(root, "tag", f"t{number}")
    assert len(read_journal(root).records) == MAX_RECORDS


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


def _one(setup: Callable[[Path], None], name: str, *words: str, least: int) -> Scene:
    return Scene(setup, Case(name, (words,)), 700, least)


def _two(setup: Callable[[Path], None], name: str, *commands: tuple[str, ...], least: int) -> Scene:
    return Scene(setup, Case(name, commands), 900, least)


HERE = ("-C", "here")
SCENES: tuple[Scene, ...] = (
    Scene(empty, Case("init", (("init",),), repeat=True), 700, 1),
    _two(empty, "init, commit", ("init",), ("commit", "-m", "x"), least=1),
    _one(plain, "add", "add", ".", least=1),
    _one(many, "add 50", "add", ".", least=1),
    _one(big, "add big", "add", ".", least=1),
    _one(staged, "commit", "commit", "-m", "x", least=1),
    _one(many, "commit 50", "commit", "-m", "x", least=1),
    _one(staged, "amend", "commit", "--amend", "-m", "x", least=1),
    _two(plain, "add, commit", ("add", "."), ("commit", "-m", "x"), least=1),
    _one(full_journal, "checkpoint", "tag", "one-more", least=1),
    _two(full_journal, "checkpoint, commit", ("tag", "a"), ("commit", "--amend", "-m", "y"), least=1),
    _one(branches, "branch create", "branch", "other", least=1),
    _one(branches, "branch rename", "branch", "-m", "topic", "topic/sub", least=1),
    _one(branches, "branch delete", "branch", "-D", "topic", least=1),
    _two(branches, "delete, create", ("branch", "-D", "topic"), ("branch", "topic/a"), least=1),
    _one(branches, "switch", "switch", "topic", least=1),
    _two(branches, "switch twice", ("switch", "topic"), ("switch", "main"), least=1),
    _one(plain, "restore", "restore", "src/m0.py", least=1),
    _one(branches, "tag", "tag", "-a", "v1", "-m", "first", least=1),
    _one(branches, "undo", "undo", least=1),
    _one(branches, "gc", "gc", least=1),
    _two(many, "commit, gc", ("commit", "-m", "x"), ("gc",), least=1),
    _one(temps_left, "sweep", "status", least=1),
    Scene(ahead, Case("push", ((*HERE, "push", "origin", "main"),), BOTH, repeat=True), 900, 1),
    Scene(
        behind,
        Case("fetch", ((*HERE, "fetch", "origin"),), ("here", "there", "other"), repeat=True),
        900,
        1,
    ),
    Scene(source, Case("clone", (("clone", "{parent}/source", "copy"),), ("copy",), repeat=True), 900, 1),
)  # fmt: skip


def record_scene(scene: Scene, root: Path) -> tuple[Recording, Judge]:
    """Make the folder, run the commands under the recorder, and return what can be explored."""
    scene.setup(root)
    commands = tuple(
        tuple(word.format(parent=root.parent) for word in words) for words in scene.case.commands
    )
    case = scene.case._replace(commands=commands)
    recording = record(root, commands, run=run, observe=lambda folder: observe(folder, case.repos))
    assert recording.code == 0, recording.output
    return recording, Judge(case, recording, run)
