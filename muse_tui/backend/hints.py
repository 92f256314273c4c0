"""Hints that wait for the state lane, and how late what they led to was told."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Final

from muse_tui.watcher import Hint

# Reasons to look at everything that nobody needs to be told of.
QUIET: Final = frozenset({"sweep", "poll", "set up"})
_TIMED: Final = 16
_BELIEVED_MS: Final = 5_000.0


class HintBox:
    """Hints from the watcher's thread; those that wait are answered together."""

    def __init__(self) -> None:
        self._hints: list[Hint] = []
        self._lock = threading.Lock()

    def put(self, hint: Hint) -> bool:
        """Add a hint; tell whether it is the first that waits."""
        with self._lock:
            self._hints.append(hint)
            return len(self._hints) == 1

    def take(self) -> Hint:
        """Return all that wait as one."""
        with self._lock:
            hints, self._hints = self._hints, []
        reasons = [hint.reconcile for hint in hints if hint.reconcile]
        loud = [reason for reason in reasons if reason not in QUIET]
        return Hint(
            frozenset().union(*(hint.paths for hint in hints)),
            frozenset().union(*(hint.folders for hint in hints)),
            frozenset().union(*(hint.meta for hint in hints)),
            (loud or reasons or [""])[0],
            min(hint.seen_s for hint in hints),
        )


def lateness_ms(root: Path, hint: Hint) -> float | None:
    """Return how long after the last write what changed was told; None when that is unknown.

    The clock starts when the file was written, not when the kernel's event was read: that is what
    a person waits for.
    """
    if hint.reconcile or not 0 < len(hint.paths) <= _TIMED:
        return None
    now_ns, written_ns = time.time_ns(), 0
    for path in hint.paths:
        with contextlib.suppress(OSError):
            written_ns = max(written_ns, os.lstat(root / os.fsdecode(path)).st_mtime_ns)
    late_ms = (now_ns - written_ns) / 1e6
    # A file that was moved here, or whose time was set, tells nothing.
    return late_ms if 0 <= late_ms < _BELIEVED_MS else None
