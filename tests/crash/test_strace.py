"""The main commands as processes of their own, killed by strace before a system call.

This needs no cooperation of the code that dies: what an extension written in C does is met as well
as what Python does. Every call that changes something is found by a first run; a share of them is
tried, ``MUSE_CRASH_STRIDE=1`` tries all. Skipped, with the reason, where strace cannot trace.
"""

from __future__ import annotations

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.crash import oracle
from tests.crash.commands import COMMANDS, check_files, observe, ok, working_files
from tests.crash.harness import chosen_stride, fresh_copy

pytestmark = [pytest.mark.crash, pytest.mark.slow]

# All that can change a file or a name; strace leaves out what a system does not have.
SYSCALLS = (
    "?open", "openat", "?openat2", "?creat", "write", "?writev", "pwrite64", "?pwritev",
    "?copy_file_range", "?sendfile", "?rename", "renameat", "?renameat2", "?link", "linkat",
    "?symlink", "symlinkat", "?unlink", "unlinkat", "?mkdir", "mkdirat", "?rmdir", "fsync",
    "fdatasync", "syncfs", "ftruncate", "?fallocate", "?utime", "utimensat",
)  # fmt: skip
POINTS = 10
CHOSEN = ("add 60", "commit 1", "commit 50", "switch", "undo commit", "gc all", "recovery")
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")


class Call(NamedTuple):
    """One system call of a run: its name, and the how many-th of that name in its process."""

    name: str
    number: int


def traced(root: Path, words: tuple[str, ...], *options: str) -> subprocess.CompletedProcess[str]:
    """Run a command under strace."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={','.join(SYSCALLS)}", *options,
         sys.executable, "-m", "muse", *words],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def strace(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where there is no strace, or where it may not trace."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    folder = tmp_path_factory.mktemp("strace")
    done = traced(folder, ("--version",), "-o", os.fspath(folder / "log"))
    if done.returncode:
        pytest.skip(f"strace cannot trace here: {done.stderr.strip()[-200:]}")


def changing_calls(log: str) -> list[Call]:
    """Return the calls of a trace that change something, each with its number."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    found = []
    for line in log.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        pid, name, rest = match.groups()
        counts[pid, name] += 1
        only_looks = name.startswith("open") and not re.search(r"O_(CREAT|TMPFILE|TRUNC)", rest)
        if not only_looks:
            found.append(Call(name, counts[pid, name]))
    # Numbers are for each process; two that fork meet under the same one.
    return list(dict.fromkeys(found))


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
    log = tmp_path / "log"
    assert traced(work, command.words, "-o", os.fspath(log)).returncode == 0
    calls = changing_calls(log.read_text())
    assert len(calls) > POINTS
    kills = 0
    tried = calls[:: chosen_stride(max(1, len(calls) // POINTS))]
    for call in tried:
        fresh_copy(base, work)
        inject = f"inject={call.name}:signal=KILL:when={call.number}"
        result = traced(work, command.words, "-o", os.devnull, "-e", inject)
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
