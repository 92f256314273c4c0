"""A forked child that computes something for its parent, and reads only.

Threads of one Python process take turns at everything but system calls and long hashes; a child
has a core of its own, and all that its parent had in memory.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable


def can_fork() -> bool:
    """Tell whether this process may fork: it has no other threads, in whose midst it would."""
    # Whoever has a thread has loaded the module.
    threading = sys.modules.get("threading")
    return hasattr(os, "fork") and (threading is None or threading.active_count() == 1)


def count_cores() -> int:
    """Return how many processes can run at once."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class Child:
    """A child at its work; whoever starts it reaches `receive` or `end`.

    Args:
        work: Yields the answer, in the child. An error there ends the child, and is not told.
    """

    def __init__(self, work: Callable[[], Iterable[bytes]]) -> None:
        self._pipe, send = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _run(work, send)
        os.close(send)

    def receive(self) -> bytes | None:
        """Return the answer, and reap the child; None when it failed."""
        with open(self._pipe, "rb") as pipe:
            data = pipe.read()
        return None if os.waitpid(self.pid, 0)[1] else data

    def end(self) -> None:
        """Kill the child."""
        os.close(self._pipe)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            os.waitpid(self.pid, 0)


def _run(work: Callable[[], Iterable[bytes]], send: int) -> None:
    """Send the answer, and end without any of the parent's cleaning up."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        data = b"".join(work())
        with open(send, "wb") as pipe:
            pipe.write(data)
        status = 0
    finally:
        os._exit(status)
