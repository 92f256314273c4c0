"""Real power cuts: real commands on a real ext4 and a real XFS that are shut down under them.

The models of `test_power.py` say what a file system may do; here two say what they do. Each command
is killed before one of its calls, or reports, and then the file system loses its power, at once or
after it has written its log. Skipped, with the reason, where a machine cannot do it.
``MUSE_CRASH_FULL=1`` cuts at every call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.commands import COMMANDS, Command
from tests.crash.crowd import FULL
from tests.crash.harness import DONE, KILLED, Fault, count_calls, fresh_copy, run_told
from tests.crash.loops import LoopDisk, UnavailableError
from tests.crash.setups import ahead, attempt, ok
from tests.crash.trial import observe, working_files

pytestmark = [pytest.mark.crash, pytest.mark.slow]

POINTS = 3


CUT: dict[str, Command] = {
    name: COMMANDS[name]
    for name in (
        "init", "add", "add 50", "add big", "commit 1", "commit 50", "amend", "branch create",
        "branch rename", "branch delete", "switch", "restore", "tag annotated", "undo commit",
        "config", "gc all", "checkpoint", "recovery",
    )
}  # fmt: skip
CUT["push"] = Command(ahead, "-C here push origin main", states=0, repo="here")
if FULL:
    CUT |= COMMANDS


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoopDisk]:
    """Mount a disk that can lose its power."""
    try:
        with LoopDisk(tmp_path, request.param) as found:
            yield found
    except UnavailableError as reason:
        pytest.skip(f"no real power cuts here: {reason}")


@pytest.mark.parametrize("name", CUT)
def test_what_a_real_cut_leaves(disk: LoopDisk, tmp_path: Path, name: str) -> None:
    """G1-G6, G9, G13: the old state or the new; and what was reported is there (G2)."""
    command = CUT[name]
    base, done, work = tmp_path / "base", tmp_path / "done", disk.root / "work"
    command.setup(base)
    fresh_copy(base, done)
    ok(done, *command.words)
    fresh_copy(base, tmp_path / "before")
    states = [_describe(copy, command) for copy in (tmp_path / "before", done)]
    untouched = working_files(base).items() & working_files(done).items()
    total = count_calls(base, tmp_path / "n", lambda root: attempt(root, command.words))
    stride = 1 if FULL else max(1, total // POINTS)
    # 0: it reports, and the power goes at once.
    points = [0, *range(1, total + 1, stride)]
    for number, log_first in [(n, n % 2 == 0) for n in points] + [(0, False)]:
        fresh_copy(base, work)
        disk.settle()
        outcome, said = run_told(lambda: attempt(work, command.words), Fault(number))
        assert outcome == (KILLED if number else DONE), said
        disk.cut(log_first=log_first)
        where = f"call {number} of {total}, log first: {log_first}"
        found = working_files(work)
        assert untouched <= found.items(), where
        # In a child: whatever it opens must not hold the disk when the next cut comes.
        outcome, said = run_told(lambda: _look(work, command), Fault(0))
        assert outcome == DONE, f"{where}: {said}"
        assert said in (states if number else states[1:]), where


def test_the_cut_is_real(disk: LoopDisk, tmp_path: Path) -> None:
    """What nobody synced is gone: at the level ``none`` a reported commit is lost, and no more."""
    base, work = tmp_path / "base", disk.root / "work"
    COMMANDS["commit 1"].setup(base)
    ok(base, "config", "core.durability", "none")
    fresh_copy(base, tmp_path / "before")
    before = repr(observe(tmp_path / "before"))
    fresh_copy(base, work)
    disk.settle()
    outcome, said = run_told(lambda: attempt(work, ("commit", "-m", "x")), Fault(0))
    assert outcome == DONE, said
    assert run_told(lambda: repr(observe(work)), Fault(0)) != (DONE, before)
    disk.cut()
    assert run_told(lambda: repr(observe(work)), Fault(0)) == (DONE, before)


def _describe(folder: Path, command: Command) -> str:
    return json.dumps(repr(observe(folder / command.repo)))


def _look(folder: Path, command: Command) -> str:
    """Let the oracle judge; return what was found before that."""
    found = _describe(folder, command)
    if observe(folder / command.repo) is None:
        attempt(folder, command.words)
    if command.repo == "here":
        # What was cut short is given again, and then both sides have it.
        attempt(folder, command.words)
        oracle.check(folder / "there", bare=True)
    oracle.check(Path(os.path.normpath(folder / command.repo)), bare=command.repo == "hub")
    return found
