"""Run a `muse` command in a child that kills itself at its n-th file-system call below a folder.

An audit hook counts opens, links, renames, unlinks and folders made; with ``SIGKILL`` nothing of
the child's own clean-up runs, as in a real kill.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

CHILD = """
import os, signal, sys
root, limit, sign = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
EVENTS = {"open", "os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
count = 0
def hook(event, args):
    global count
    if event not in EVENTS or not isinstance(args[0], (str, bytes)):
        return
    path = os.fsdecode(args[0])
    if path.startswith("/") and root not in path and "/proc/self/fd" not in path:
        return
    count += 1
    if count == limit:
        os.kill(os.getpid(), sign)
import muse.remotes.intake
# Small parts, so that a small repository arrives in several.
muse.remotes.intake._MIN_PART_BYTES = 500
from muse.cli.main import main
sys.addaudithook(hook)
code = main(sys.argv[4:])
sys.stderr.write(f"\\n{count}")
sys.exit(code)
"""


def start(
    limit: int, *command: str, root: Path, cwd: Path, sign: signal.Signals = signal.SIGKILL
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that gets a signal at its ``limit``-th call; 0 lets it live."""
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(root), str(limit), str(int(sign)), *command],
        cwd=cwd,
        capture_output=True,
        check=False,
    )


def run_until(limit: int, *command: str, root: Path, cwd: Path) -> int:
    """Run a command and kill it at its ``limit``-th call; 0 lets it live.

    Returns:
        How many calls it made when it lived to its end; 0 when it was killed.
    """
    done = start(limit, *command, root=root, cwd=cwd)
    if done.returncode == -signal.SIGKILL:
        return 0
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return int(done.stderr.rsplit(b"\n", 1)[1])


def spread(total: int, points: int) -> list[int]:
    """Return so many call numbers, evenly spread over the whole run."""
    return [1 + number * (total - 1) // points for number in range(points)]
