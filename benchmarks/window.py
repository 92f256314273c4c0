"""muse-tui in a pseudo-terminal, for measuring: what is painted, and when."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path
from typing import Final

import pexpect
import pyte

SCRIPTS: Final = Path(sys.executable).parent
DEADLINE_S: Final = 120.0
SIZE: Final = (120, 40)


class Window:
    """The installed command in a terminal of 120×40.

    Args:
        root: The repository's folder.
    """

    def __init__(self, root: Path) -> None:
        env = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
        env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        env["PATH"] = f"{SCRIPTS}{os.pathsep}{env.get('PATH', '')}"
        self.screen = pyte.Screen(*SIZE)
        self.stream = pyte.ByteStream(self.screen)
        self.started = time.perf_counter()
        self.process = pexpect.spawn(
            str(SCRIPTS / "muse-tui"), cwd=str(root), env=env, dimensions=(SIZE[1], SIZE[0])
        )
        self.process.delaybeforesend = None

    # Reading ----------------------------------------------------------------------------------

    def read(self, timeout_s: float = 0.005) -> bytes:
        """Take what was written."""
        try:
            data = self.process.read_nonblocking(1 << 16, timeout=timeout_s)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return b""
        self.stream.feed(data)
        return bytes(data)

    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def until(self, text: str) -> float:
        """Wait until a text is on the screen; milliseconds since the start."""
        deadline = time.perf_counter() + DEADLINE_S
        while text not in self.text():
            self.read()
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{text!r} did not appear:\n{self.text()}")
        return (time.perf_counter() - self.started) * 1e3

    def settle(self) -> None:
        """Read until nothing comes any more."""
        while self.read(0.03):
            pass

    def painted(self, wanted: bytes, since: float) -> float:
        """Wait until these bytes are written; milliseconds since a moment.

        The emulator is slower than the program, so it is fed only afterwards.
        """
        seen = b""
        deadline = since + DEADLINE_S
        while wanted not in seen:
            with contextlib.suppress(pexpect.TIMEOUT):
                seen += self.process.read_nonblocking(1 << 16, timeout=1)
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{wanted!r} was not painted:\n{self.text()}")
        late_ms = (time.perf_counter() - since) * 1e3
        self.stream.feed(seen)
        return late_ms

    # Acting -----------------------------------------------------------------------------------

    def send(self, keys: str) -> None:
        """Type."""
        self.process.send(keys)

    def key(self, key: str, wanted: bytes) -> float:
        """Press a key; milliseconds until what it leads to is painted."""
        self.read(0)
        start = time.perf_counter()
        self.send(key)
        return self.painted(wanted, start)

    def quit(self) -> float:
        """Leave; milliseconds until the process has ended."""
        self.settle()
        start = time.perf_counter()
        self.send("q")
        while self.process.isalive():
            self.read(0.001)
        return (time.perf_counter() - start) * 1e3

    # Its processes ----------------------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        """The four processes by name."""
        guard = int(self.process.pid)
        interface = _children(guard)[0]
        engine = _children(interface)[0]
        return {
            "guard": guard,
            "interface": interface,
            "engine": engine,
            "watcher": _children(engine)[0],
        }


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def memory_mb(pid: int) -> float:
    """Resident memory of a process, pages that it shares with others in full."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, to the nanosecond: its threads' own accounts."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def written_bytes(pid: int) -> int:
    """Bytes that a process caused to be written to a disk so far."""
    found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
