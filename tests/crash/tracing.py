"""Run a program under strace, list its calls that change something, and kill it before one."""

from __future__ import annotations

import collections
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

# All that can change a file or a name; strace leaves out what a system does not have.
SYSCALLS: Final = (
    "?open", "openat", "?openat2", "?creat", "write", "?writev", "pwrite64", "?pwritev",
    "?copy_file_range", "?sendfile", "?rename", "renameat", "?renameat2", "?link", "linkat",
    "?symlink", "symlinkat", "?unlink", "unlinkat", "?mkdir", "mkdirat", "?rmdir", "fsync",
    "fdatasync", "syncfs", "ftruncate", "?fallocate", "?utime", "utimensat",
)  # fmt: skip
_LINE: Final = re.compile(r"^(\d+) +(\w+)\((.*)$")


class Call(NamedTuple):
    """One system call of a run: its name, and the how many-th of that name in its process."""

    name: str
    number: int


def run_traced(
    command: Sequence[str], folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run a command under strace in a folder."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={','.join(SYSCALLS)}", *options, *command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def list_calls(command: Sequence[str], folder: Path, log: Path) -> list[Call]:
    """Run a command to its end, and return its calls that change something."""
    done = run_traced(command, folder, "-o", os.fspath(log))
    assert done.returncode == 0, done.stderr
    return changing_calls(log.read_text(errors="replace"))


def run_killed(
    command: Sequence[str], folder: Path, call: Call
) -> subprocess.CompletedProcess[str]:
    """Run a command and kill the process that makes a call, before the call acts."""
    inject = f"inject={call.name}:signal=KILL:when={call.number}"
    return run_traced(command, folder, "-o", os.devnull, "-e", inject)


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
