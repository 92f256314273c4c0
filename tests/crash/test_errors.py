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
import os
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.commands import (
    COMMANDS,
    attempt,
    branches,
    check_files,
    observe,
    ok,
    plain,
    working_files,
)
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


def check_message(said: str, where: str) -> None:
    """A refusal has an exit code of its kind and one error, without a traceback."""
    code, _, text = said.partition(" ")
    assert code.isdigit(), f"{where}: {said}"
    assert int(code) in CLEAR | {2}, f"{where}: exit {code}: {text}"
    assert "Traceback" not in text, f"{where}: {text}"
    assert "error" in text or "damaged" in text or code == "1", f"{where}: says only: {text!r}"


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
    command = COMMANDS[name]
    base, work, done = tmp_path / "base", tmp_path / "work", tmp_path / "done"
    command.setup(base)
    fresh_copy(base, done)
    ok(done, *command.words)
    fresh_copy(base, tmp_path / "before")
    states = [observe(tmp_path / "before" / command.repo), observe(done / command.repo)]
    files = working_files(base), working_files(done)
    total = count_calls(base, work, lambda root: attempt(root, command.words), looks=True)
    failed = 0
    for fault in faults(total, SLOW_POINTS if command.slow else POINTS):
        fresh_copy(base, work)
        outcome, said = run_told(lambda: attempt(work, command.words), fault)
        where = f"{errno.errorcode[fault.error or 0]} at {fault.at}, forever={fault.forever}"
        assert outcome in {DONE, FAILED}, where
        check_files(working_files(work), files)
        found = observe(work / command.repo)
        if outcome == DONE:
            # The sweep and the recovery of a command that looks may be left to the next one.
            assert found == states[1], f"{where}: reported, but not there"
            assert working_files(work) == files[1], where
        else:
            failed += 1
            check_message(said, where)
            assert command.parts or found in states, f"{where}: neither before nor after"
            if found is None or command.parts:
                ok(work, *command.words)
        bare = command.repo != "."
        oracle.check(Path(os.path.normpath(work / command.repo)), bare=bare)
    assert failed or command.words[0] in {"status", "verify"}


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
        where = f"{errno.errorcode[fault.error or 0]} at {fault.at}, forever={fault.forever}"
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
