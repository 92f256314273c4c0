"""How the interface ends when the system asks, or when its terminal is gone.

Textual says good-bye to the terminal through a thread with a bounded queue. When the terminal has
hung up that thread is dead, and whoever still writes waits for ever. So on a hang-up nothing is
written any more: the engine is told, and the process ends. SIGTERM gets the usual way out, with a
limit. The guard, our parent, resets the terminal in either case.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable

_PATIENCE_S = 2.0


def watch_hangup(then: Callable[[], object]) -> None:
    """Call ``then`` from a thread when the terminal hangs up.

    The signal for it may be ignored (``nohup``), or sent to the session's leader only.
    """
    fd = next((fd for fd in (0, 1, 2) if os.isatty(fd)), -1)
    if fd < 0:
        return

    def wait() -> None:
        poll = select.poll()
        poll.register(fd, 0)  # no events but the ones that nobody can refuse: hang-up and error
        while True:
            try:
                events = poll.poll()
            except OSError:
                return
            if any(
                event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in events
            ):
                then()
                return

    threading.Thread(target=wait, name="hang-up", daemon=True).start()


def end_at_once(number: int) -> None:
    """End the process as the signal would have, without a word to the terminal."""
    os._exit(128 + number)


def end_within(number: int, *, patience_s: float = _PATIENCE_S) -> None:
    """End the process when the usual way out has not done so in time."""

    def wait() -> None:
        time.sleep(patience_s)
        end_at_once(number)

    threading.Thread(target=wait, name="way-out", daemon=True).start()
