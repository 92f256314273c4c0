"""The installed command in a real pseudo-terminal, read the way a terminal reads it."""

from __future__ import annotations

import os
import signal
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

DEADLINE_S = 30.0


def is_running(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Terminal:
    """A shell-less terminal with one program in it.

    Args:
        command: Program and arguments.
        cwd: Where it runs.
        size: Columns and rows.
    """

    def __init__(self, *command: str, cwd: Path, size: tuple[int, int] = (120, 40)) -> None:
        columns, rows = size
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("COLUMNS", "LINES"):
            env.pop(name, None)
        self.process = pexpect.spawn(
            command[0], list(command[1:]), cwd=str(cwd), env=env, dimensions=(rows, columns)
        )
        self.before = termios.tcgetattr(self.process.child_fd)

    def read(self) -> None:
        """Take what the program has written."""
        try:
            while True:
                data = self.process.read_nonblocking(65536, timeout=0.02)
                self.raw += data
                self.stream.feed(data)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return

    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def until(self, condition: Callable[[], object] | str) -> None:
        """Wait for a text on the screen, or a condition."""
        wanted = condition
        check = (lambda: wanted in self.text()) if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + DEADLINE_S
        while True:
            self.read()
            if check():
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{wanted!r} did not appear:\n{self.text()}")

    def send(self, keys: str) -> None:
        """Type."""
        self.process.send(keys)

    def kill_interface(self, number: int) -> None:
        """Send a signal to the interface itself, which is the guard's child."""
        os.kill(self.interface(), number)

    def interface(self) -> int:
        """The interface's process id."""
        return self.children(self.process.pid)[0]

    @staticmethod
    def children(pid: int) -> list[int]:
        """The process ids of a process's children."""
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split()]

    def wait(self) -> int:
        """Wait until the program has ended; its exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.isalive():
            self.read()
            if time.monotonic() > deadline:
                raise AssertionError(f"it does not end:\n{self.text()}")
        self.read()
        status = self.process.exitstatus
        return status if status is not None else -int(self.process.signalstatus or 0)

    def is_restored(self) -> bool:
        """Whether the line settings are what they were, and the alternate screen is left."""
        now = termios.tcgetattr(self.process.child_fd)
        flags = termios.ICANON | termios.ECHO | termios.ISIG
        same = now[3] & flags == self.before[3] & flags
        left = self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h")
        mouse = self.raw.rfind(b"\x1b[?1000l") > self.raw.rfind(b"\x1b[?1000h")
        return same and left and mouse

    def hang_up(self) -> None:
        """Take the terminal away from the program."""
        self.process.ptyproc.fileobj.close()
        self.process.closed = self.process.ptyproc.closed = True

    def close(self) -> None:
        """End everything that is left."""
        if self.process.closed:
            return
        if self.process.isalive():
            self.process.kill(signal.SIGKILL)
        self.process.close(force=True)
