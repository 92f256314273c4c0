"""The kernel rings when something changes below a watched folder, so that nobody has to ask.

watchfiles asks every few milliseconds whether an event has come: often costs the processor while
nothing happens, seldom makes every saved file late. inotify can send a signal (inotify(7): signal
driven I/O). It goes to one thread only, which has it blocked and waits for it: no handler runs,
no other thread and no child process is concerned.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import sys
import threading

_F_SETOWN_EX = 15
_F_OWNER_TID = 0


class Bell:
    """Waits on the thread that hung it up; elsewhere than on Linux it cannot be hung up."""

    def hang(self) -> bool:
        """Have this thread told of every event of the watches that this process has.

        Returns:
            False where that cannot be done.
        """
        if not sys.platform.startswith("linux"):
            return False
        try:
            found = [fd for fd in map(int, os.listdir("/proc/self/fd")) if _is_watch(fd)]
            # First: the signal would end a thread that lets it through.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
            for fd in found:
                owner = struct.pack("ii", _F_OWNER_TID, threading.get_native_id())
                fcntl.fcntl(fd, _F_SETOWN_EX, owner)
                fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        except OSError:
            return False
        return bool(found)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it rings; tell whether it has. What rang since the last time counts."""
        return signal.sigtimedwait({signal.SIGIO}, timeout_s) is not None


def _is_watch(fd: int) -> bool:
    try:
        return "inotify" in os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return False  # closed by another thread meanwhile
