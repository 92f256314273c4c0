"""Every command, with an error at its file-system calls in turn (G10).

Each of four errors is raised once, and from then on, at calls that write and at calls that look.
A command may succeed only with the whole of its result; if it fails it says so in one clear error,
and afterwards everything is as after a kill. Commands that only look may answer, and then the
answer is the one that they give without an error.

Of each command a share of the calls is tried; ``MUSE_CRASH_STRIDE=1`` tries all of them.
"""

from __future__ import annotations

import errno
import functools
import itertools
from pathlib import Path

import pytest

from muse.core.journal import checkpoint
from tests.crash import oracle
from tests.crash.commands import COMMANDS
from tests.crash.harness import (
    DONE,
    ERRORS,
    FAILED,
    Fault,
    chosen_stride,
    count_calls,
    fresh_copy,
    run_told,
)
from tests.crash.setups import attempt, branches, ok, plain
from tests.crash.trial import Trial

pytestmark = [pytest.mark.crash, pytest.mark.slow]

# Calls of one command to try with each error.
POINTS = 5
SLOW_POINTS = 2
LOOKING = (
    ("status", "--json"), ("status",), ("diff",), ("diff", "--staged"), ("log", "--graph"),
    ("show", "--stat"), ("branch", "-v"), ("tag",), ("ls-tree",), ("verify",), ("reflog",),
    ("hash-object", "new.py"), ("undo", "--list", "--json"), ("remote", "-v"), ("config", "list"),
)  # fmt: skip
# Exit codes that say whose fault it is: not a traceback, and not a usage error.
CLEAR = {1, 3, 4, 5}
# An answer that names what it could not see.
ADMITTED = ("notice: ", "warning: ")
LEFT_OUT = "is left out."


def check_message(said: str, where: str) -> None:
    """A refusal has an exit code of its kind and one error, without a traceback."""
    code, _, text = said.partition(" ")
    assert code.isdigit(), f"{where}: {said}"
    assert int(code) in CLEAR | {2}, f"{where}: exit {code}: {text}"
    assert "Traceback" not in text, f"{where}: {text}"
    assert "error" in text or "damaged" in text or code == "1", f"{where}: says only: {text!r}"


def name_of(fault: Fault) -> str:
    """Say what was done, for a message."""
    return f"{errno.errorcode[fault.error or 0]} at {fault.at}, forever={fault.forever}"


def faults(total: int, points: int) -> list[Fault]:
    """Return the faults to try: each error, once and from then on, at calls spread evenly."""
    kinds = list(itertools.product(ERRORS, (False, True)))
    stride = chosen_stride(max(1, total // points))
    return [
        Fault(at, error=error, forever=forever, looks=True)
        for turn, (error, forever) in enumerate(kinds)
        # Each kind begins elsewhere, so that together they meet most calls.
        for at in range(1 + turn * stride // len(kinds), total + 1, stride)
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_failing_at_every_call(tmp_path: Path, name: str) -> None:
    """G10: success is reported only when all of it is there; then everything still works."""
    trial = Trial(COMMANDS[name], tmp_path)
    failed = 0
    for fault in faults(trial.count(looks=True), SLOW_POINTS if trial.command.slow else POINTS):
        outcome, said = trial.disturb(fault)
        where = name_of(fault)
        assert outcome in {DONE, FAILED}, where
        if outcome == FAILED:
            failed += 1
            check_message(said, where)
        # The sweep and the recovery of a command that looks may be left to the next one.
        reported = outcome == DONE
        # A folder that may not be listed is left out, and that is said.
        trial.judge(where, reported=reported, admitted=reported and LEFT_OUT in said)
    assert failed or trial.command.words[0] in {"status", "verify"}


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_what_looks_tells_the_truth(tmp_path: Path, words: tuple[str, ...]) -> None:
    """G4, G10: with an error at any call, what is printed with exit code 0 is all there is."""
    base, work = tmp_path / "base", tmp_path / "work"
    branches(base)
    ok(base, "tag", "v1")
    (base / "src/m1.py").write_text("changed again\n")
    (base / "untracked/deep").mkdir(parents=True)
    (base / "untracked/deep/file").write_text("x\n")
    (base / ".museignore").write_text("*.log\n")
    (base / "a.log").write_text("ignored\n")
    fresh_copy(base, work)
    wanted = ok(work, *words)
    total = count_calls(base, work, lambda root: attempt(root, words), looks=True)
    for fault in faults(total, 3 * POINTS):
        fresh_copy(base, work)
        outcome, said = run_told(functools.partial(attempt, work, words), fault)
        where = name_of(fault)
        if outcome == DONE:
            assert said == wanted or any(word in said for word in ADMITTED), where
        else:
            check_message(said, where)
    oracle.check(work)


def test_a_folder_that_cannot_be_listed_is_not_empty(tmp_path: Path) -> None:
    """G10: what could not be seen is never committed as deleted."""
    root = tmp_path / "repo"
    plain(root)
    os_error = Fault(1, error=errno.EIO, forever=True, looks=True)
    outcome, said = run_told(lambda: attempt(root, ("commit", "-m", "x")), os_error)
    assert outcome == FAILED
    assert said
    assert "src/m1.py" in ok(root, "ls-tree", "-r", "HEAD")


def test_doctor_moves_nothing_that_is_whole(tmp_path: Path) -> None:
    """G15: what could not be read for a moment is not taken for damaged, and stays."""
    base, work = tmp_path / "base", tmp_path / "work"
    branches(base)
    checkpoint(base)
    words = ("doctor", "--fix")
    total = count_calls(base, work, lambda root: attempt(root, words), looks=True)
    stopped = 0
    for at in range(1, total + 1, chosen_stride(9)):
        fresh_copy(base, work)
        error = Fault(at, error=errno.EMFILE, looks=True)
        stopped += run_told(functools.partial(attempt, work, words), error)[0] == FAILED
        assert "18 loose" in ok(work, "verify"), at
    assert stopped
