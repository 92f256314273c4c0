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

from tests.crash.commands import COMMANDS
from tests.crash.harness import chosen_stride
from tests.crash.tracing import Call, changing_calls, list_calls, run_killed, run_traced
from tests.crash.trial import Trial

pytestmark = [pytest.mark.crash, pytest.mark.slow]

MUSE = (sys.executable, "-m", "muse")
POINTS = 10
CHOSEN = ("add 50", "commit 1", "commit 50", "switch", "undo commit", "gc all", "recovery")


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
    trial = Trial(COMMANDS[name], tmp_path)
    words = (*MUSE, *trial.command.words)
    calls = list_calls(words, trial.fresh(), tmp_path / "log")
    assert len(calls) > POINTS
    kills = 0
    tried = calls[:: chosen_stride(max(1, len(calls) // POINTS))]
    for call in tried:
        result = run_killed(words, trial.fresh(), call)
        assert result.returncode in {0, -signal.SIGKILL}, (call, result.stderr)
        kills += result.returncode != 0
        trial.judge(str(call), reported=not result.returncode)
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
