"""Looks at what watchfiles has collected, of which none is lost when a look ends.

As a look of watchfiles ends by its own time-out, it throws away what has come in that very moment.
Asked whether to stop, we raise instead, and what was collected stays for the next look.
"""

from __future__ import annotations

import threading
import time

_DEBOUNCE_MS = 100
_POLL_DELAY_MS = 300


def prepare() -> None:
    """Load watchfiles now, which takes a moment, and not when a folder is to be watched."""
    import watchfiles.main  # noqa: F401 - start-up time


class _OverError(Exception):
    """The time of a look is over."""


class _Patience:
    """What watchfiles asks at each step: true stops it for good, an error ends the look."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.until_s = 0.0

    def is_set(self) -> bool:
        """Tell whether to stop; end the look when its time is over."""
        if time.monotonic() >= self.until_s:
            raise _OverError
        return self._stop.is_set()


class Looks:
    """What changes below a folder, as far as watchfiles tells.

    Args:
        root: The folder.
        stop: Set to end all looks.

    Raises:
        OSError: It cannot be watched.
    """

    def __init__(self, root: str, stop: threading.Event) -> None:
        from watchfiles._rust_notify import RustNotify  # start-up time
        from watchfiles.main import _default_force_polling

        polling = _default_force_polling(None)
        self._notify = RustNotify([root], False, polling, _POLL_DELAY_MS, True, True)
        self._stop = stop
        self._patience = _Patience(stop)

    def take(self, *, step_ms: int, within_s: float) -> set[tuple[int, str]]:
        """Return what changed, as soon as a step brings nothing new; nothing when time is over."""
        self._patience.until_s = time.monotonic() + within_s
        try:
            found = self._notify.watch(_DEBOUNCE_MS, step_ms, 0, self._patience)
        except _OverError:
            return set()
        if isinstance(found, str):  # stop, or a signal
            self._stop.set()
            return set()
        return found

    def close(self) -> None:
        """Let the watches go."""
        self._notify.close()
