"""Stands in for ssh where a test needs a network that fails: ``MUSE_SSH="python -m … [options]"``.

It runs the command that ssh would have run over there, through a shell as sshd does, and passes
the bytes on, until so many have passed in one direction: then the network is gone, for both.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

UP, DOWN = 0, 1
DEADLINE_S = 30


def fake_ssh(**options: object) -> str:
    """Return the value of MUSE_SSH for some options."""
    words = [sys.executable, "-m", "tests.remotes.fake_ssh"]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    # From wherever the command runs.
    return shlex.join(["env", f"PYTHONPATH={Path(__file__).parents[2]}", *words])


def wait_for_servers(pids: Path) -> None:
    """Wait until no server is left of those whose process ids were noted."""
    deadline = time.monotonic() + DEADLINE_S
    for pid in pids.read_text().split() if pids.exists() else ():
        while not _is_gone(int(pid)):
            assert time.monotonic() < deadline, f"server {pid} outlives its connection"
            time.sleep(0.01)
    pids.unlink(missing_ok=True)


def _is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def main() -> int:
    """Run the command of the last argument."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--up", type=int, default=-1, help="bytes to the server before the cut")
    parser.add_argument("--down", type=int, default=-1, help="bytes to the client before the cut")
    parser.add_argument("--pieces", type=int, default=1 << 16, help="how many bytes at once")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between them")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each way takes")
    parser.add_argument("--count", default="", help="where the bytes of each way are written")
    parser.add_argument("--pids", default="", help="where the server's process id is noted")
    parser.add_argument("-p", dest="port", default="")
    parser.add_argument("place")
    parser.add_argument("command")
    options = parser.parse_args()
    child = subprocess.Popen(
        ["sh", "-c", f"exec {options.command}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    if options.pids:
        with open(options.pids, "a", encoding="ascii") as file:
            file.write(f"{child.pid}\n")
    assert child.stdin is not None
    assert child.stdout is not None
    counts = [0, 0]
    up = threading.Thread(
        target=_pass, args=(options, counts, UP, 0, child.stdin.fileno()), daemon=True
    )
    up.start()
    _pass(options, counts, DOWN, child.stdout.fileno(), 1)
    code = child.wait()
    _note(options, counts)
    return code


def _pass(options: argparse.Namespace, counts: list[int], way: int, source: int, to: int) -> None:
    limit = options.up if way == UP else options.down
    while data := os.read(source, options.pieces):
        if 0 <= limit <= counts[way] + len(data):
            data = data[: limit - counts[way]]
            _write(to, data)
            counts[way] += len(data)
            _note(options, counts)
            # The network is gone: this process with all its ends of pipes.
            os._exit(255)
        time.sleep(options.pause + options.delay)
        counts[way] += len(data)
        if not _write(to, data):
            return
    if way == UP:
        os.close(to)


def _write(fd: int, data: bytes) -> bool:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        return False
    return True


def _note(options: argparse.Namespace, counts: list[int]) -> None:
    if options.count:
        Path(options.count).write_text(f"{counts[UP]} {counts[DOWN]}")


if __name__ == "__main__":
    sys.exit(main())
