"""The main commands as processes of their own, killed by strace before a system call.

This needs no cooperation of the code that dies: what an extension written in C does is met as well
as what Python does. Every call that changes something is found by a first run; a share of them is
tried, ``MUSE_CRASH_STRIDE=1`` tries all. Skipped, with the reason, where strace cannot trace.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.commands import COMMANDS, check_files, observe, ok, working_files
from tests.crash.harness import chosen_stride, fresh_copy
from tests.crash.tracing import Call, changing_calls, list_calls, run_killed, run_traced

pytestmark = [pytest.mark.crash, pytest.mark.slow]

MUSE = (sys.executable, "-m", "muse")
POINTS = 10
CHOSEN = ("add 60", "commit 1", "commit 50", "switch", "undo commit", "gc all", "recovery")


@pytest.fixture(scope="module")
def strace(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where there is no strace, or where it may not trace."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    folder = tmp_path_factory.mktemp("strace")
    done = run_traced((*MUSE, "--version"), folder, "-o", os.fspath(folder / "log"))
    if done.returncode:
        pytest.skip(f"strace cannot trace here: {done.stderr.strip()[-200:]}")


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("name", CHOSEN)
def test_killed_before_a_system_call(tmp_path: Path, name: str) -> None:
    """G1-G6, G13: the state before or the state after, whoever made the call."""
    command = COMMANDS[name]
    base, work, done = tmp_path / "base", tmp_path / "work", tmp_path / "done"
    command.setup(base)
    for copy in (done, tmp_path / "before", work):
        fresh_copy(base, copy)
    ok(done, *command.words)
    states = observe(tmp_path / "before"), observe(done)
    files = working_files(base), working_files(done)
    words = (*MUSE, *command.words)
    calls = list_calls(words, work, tmp_path / "log")
    assert len(calls) > POINTS
    kills = 0
    tried = calls[:: chosen_stride(max(1, len(calls) // POINTS))]
    for call in tried:
        fresh_copy(base, work)
        result = run_killed(words, work, call)
        assert result.returncode in {0, -signal.SIGKILL}, (call, result.stderr)
        kills += result.returncode != 0
        check_files(working_files(work), files)
        found = observe(work)
        assert found in (states if result.returncode else states[1:]), call
        oracle.check(work)
    # A call may come a place later in another run; that most are met is what matters.
    assert kills > len(tried) // 2


def test_calls_are_numbered_for_each_process() -> None:
    """Opening to look is counted, and not tried."""
    log = (
        '1 openat(AT_FDCWD, "a", O_RDONLY) = 3\n'
        '1 openat(AT_FDCWD, "b", O_RDWR|O_CREAT, 0644) = 4\n'
        '2 openat(AT_FDCWD, "b", O_RDWR|O_CREAT, 0644) = 4\n'
        "1 fsync(4) = 0\n"
        "1 +++ exited with 0 +++\n"
    )
    assert changing_calls(log) == [Call("openat", 2), Call("openat", 1), Call("fsync", 1)]
