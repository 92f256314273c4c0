"""The commands whose power cuts are explored, and the repositories they start from."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from muse.ops.selftest.judge import Case, Judge, observe
from muse.ops.selftest.recording import Recording, record
from muse.ops.selftest.tree import REPORTED
from tests.crash.commands import COMMANDS, Command
from tests.crash.harness import CALLS, Fault
from tests.crash.setups import (
    Setup,
    ahead,
    behind,
    branches,
    cut_commit,
    cut_rename,
    empty,
    many,
    nearly_full_journal,
    no_journal,
    older,
    packs,
    plain,
    run,
    source,
)

BOTH = ("here", "there")
# At most so many states for each model; giving a command again takes longer than looking.
LIMIT = 1000
AGAIN_LIMIT = 450


class Scene(NamedTuple):
    """A case, where it starts, and how many states it is to show.

    Attributes:
        setup: Makes the folder that is recorded; its parent may hold what is only read.
        case: The commands.
        limit: At most so many states for each model.
        least: At least so many distinct ones in all.
    """

    setup: Setup
    case: Case
    limit: int
    least: int


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


def _one(name: str, command: Command) -> Scene:
    case = Case(name, (command.words,), (command.repo,), repeat=command.again)
    return Scene(command.setup, case, AGAIN_LIMIT if command.again else LIMIT, command.states)


def _some(setup: Setup, name: str, *lines: str, least: int, limit: int = LIMIT) -> Scene:
    return Scene(setup, Case(name, tuple(tuple(line.split()) for line in lines)), limit, least)


def _two_sides(setup: Setup, name: str, line: str, *repos: str, least: int) -> Scene:
    return Scene(setup, Case(name, (tuple(line.split()),), repos, repeat=True), AGAIN_LIMIT, least)


SCENES: tuple[Scene, ...] = (
    *(_one(name, command) for name, command in COMMANDS.items() if command.states),
    _some(older, "add, older init", "add .", least=60),
    _some(empty, "init, commit", "init", "commit -m x", least=450),
    _some(plain, "add, commit", "add .", "commit -m x", least=500),
    _some(
        plain, "a day",
        "add .", "commit -m x", "branch topic", "tag v1", "commit --amend -m y", "undo",
        "branch -m topic other", "tag -a v2 -m two", "gc", "branch -D other",
        least=3300, limit=1800,
    ),
    _some(nearly_full_journal, "amend, checkpoint", "commit --amend -m y", "tag a", least=150),
    _some(branches, "delete, create", "branch -D topic", "branch topic/a", least=130),
    _some(branches, "switch twice", "switch topic", "switch main", least=800),
    _some(branches, "undo, redo", "undo", "redo", least=80),
    _some(no_journal, "gc, no journal", "gc", least=200),
    _some(packs, "gc of packs", "gc --all", least=130),
    _some(many, "commit, gc", "commit -m x", "gc", least=280),
    _some(cut_commit, "recovery, commit", "status", "commit --amend -m y", least=400),
    _some(
        cut_rename, "recovery of a rename, more", "status", "branch later", "tag v1", least=520
    ),
    _two_sides(ahead, "push", "-C here push origin main", *BOTH, least=750),
    _two_sides(behind, "fetch", "-C here fetch origin", *BOTH, "other", least=420),
    _two_sides(source, "clone", "clone {parent}/source copy", "copy", least=900),
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
