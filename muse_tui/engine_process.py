"""The engine as an operating-system process, started before anything slow is imported."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path


class EngineProcess:
    """The engine as an operating-system process, and our end of the pipe to it.

    Args:
        start: The folder to open.
    """

    def __init__(self, start: Path) -> None:
        ours, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        # -P: a file of the repository named like a module must never be imported (G16)
        command = [sys.executable, "-P", "-m", "muse_tui.engine", str(theirs.fileno()), str(start)]
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
        environ = dict(os.environ)
        environ["MUSE_TUI_PID"] = str(os.getpid())
        self.pid = os.posix_spawn(sys.executable, command, environ, file_actions=actions)
        os.close(null)
        theirs.close()
        self.fd = ours.detach()

    def has_left(self) -> bool:
        """Collect the process if it has ended; tell whether it has."""
        try:
            return bool(os.waitpid(self.pid, os.WNOHANG)[0])
        except ChildProcessError:
            return True

    def reap(self, *, kill: bool = False) -> None:
        """Collect the process, so that no zombie stays."""
        try:
            if kill:
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0 if kill else os.WNOHANG)
        except (ChildProcessError, ProcessLookupError):
            pass
