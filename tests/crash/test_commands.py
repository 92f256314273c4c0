"""Every command that writes, killed at its file-system calls in turn.

After each death the oracle opens the repository as the next command would, checks G1 to G8, and
runs the next commands; now and then git judges an export. What was found is compared with the two
states that are allowed: what was there before, or what an undisturbed run leaves.

Of a long command a share of the calls is tried, evenly spread; ``MUSE_CRASH_STRIDE=1`` tries all.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.commands import COMMANDS, Command, attempt, check_files, observe, ok, working_files
from tests.crash.harness import (
    DONE,
    KILLED,
    Fault,
    chosen_stride,
    count_calls,
    fresh_copy,
    run_told,
)

pytestmark = [pytest.mark.crash, pytest.mark.slow]

POINTS = 24
SLOW_POINTS = 8
# One state in so many is given to git.
GIT_EVERY = 12


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_every_call(tmp_path: Path, name: str) -> None:
    """G1, G3, G5, G6, G13: the state before or the state after, and never a stuck repository."""
    command = COMMANDS[name]
    base, work, done = tmp_path / "base", tmp_path / "work", tmp_path / "done"
    command.setup(base)
    fresh_copy(base, done)
    ok(done, *command.words)
    states = [observe(copy / command.repo) for copy in (_opened(base, tmp_path), done)]
    files = working_files(base), working_files(done)
    total = count_calls(base, work, lambda root: attempt(root, command.words))
    stride = chosen_stride(max(1, total // (SLOW_POINTS if command.slow else POINTS)))
    points = sorted({*range(1, total + 1, stride), total, total + 50})
    for turn, number in enumerate(points):
        fresh_copy(base, work)
        outcome, said = run_told(lambda: attempt(work, command.words), Fault(number))
        assert outcome == (KILLED if number <= total else DONE), said
        check_files(working_files(work), files)
        found = observe(work / command.repo)
        assert command.parts or found in states, f"neither before nor after, at call {number}"
        assert outcome != DONE or found == states[1], "reported, but not there"
        if outcome == KILLED and (found is None or command.parts):
            # What was not finished is simply given again.
            ok(work, *command.words)
            assert observe(work / command.repo) == states[1]
        _check(work, command, git=turn % GIT_EVERY == GIT_EVERY - 1)


def _opened(base: Path, tmp_path: Path) -> Path:
    """Return a copy, since looking at a repository recovers and sweeps it."""
    copy = tmp_path / "before"
    fresh_copy(base, copy)
    return copy


def _check(work: Path, command: Command, *, git: bool) -> None:
    bare = command.repo != "."
    oracle.check(Path(os.path.normpath(work / command.repo)), bare=bare, git=git and not bare)
