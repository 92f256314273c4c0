"""Progress bars: on stderr, only for a terminal, and only for what takes over a second."""

from __future__ import annotations

import time
from typing import TextIO

SHOW_AFTER_S = 1.0
REDRAW_EVERY_S = 0.1
BAR_CELLS = 20
KNOWN_SHARE = 0.03


def ignore_progress(done: int, total: int | None) -> None:
    """Show nothing: nobody is looking, or the output is for a program."""


class ProgressBar:
    """One line on a terminal that is redrawn in place; call it with ``(done, total)``.

    Args:
        label: What is going on, as in "Hashing".
        unit: What is counted; "bytes" is shown in KB, MB and per second.
        stream: The terminal.
        started_s: When the work began, by `time.monotonic`; now by default.
    """

    def __init__(
        self, label: str, unit: str, *, stream: TextIO, started_s: float | None = None
    ) -> None:
        self.label = label
        self.unit = unit
        self._stream = stream
        self._started_s = time.monotonic() if started_s is None else started_s
        self._drawn_s = 0.0
        self._visible = False
        # Bytes that passed so far, where things are counted and bytes matter as well.
        self.size_bytes: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Take note of progress; draw when it is time."""
        now_s = time.monotonic()
        if now_s - self._started_s < SHOW_AFTER_S or now_s - self._drawn_s < REDRAW_EVERY_S:
            return
        self._drawn_s = now_s
        self._visible = True
        line = progress_line(
            self.label, done, total, unit=self.unit, elapsed_s=now_s - self._started_s,
            size_bytes=self.size_bytes,
        )  # fmt: skip
        self._write(f"\r{line}\x1b[K")

    def close(self) -> None:
        """Wipe the line, so that what follows starts in the first column."""
        if self._visible:
            self._visible = False
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # A terminal that went away must not stop the work.
            self._visible = False


def progress_line(
    label: str,
    done: int,
    total: int | None,
    *,
    unit: str,
    elapsed_s: float,
    size_bytes: int | None = None,
) -> str:
    """Return the text of a progress bar, without control characters."""
    from muse.cli.render import duration, size

    shown = size if unit == "bytes" else str
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    if not total:
        tail = f" {unit}" if unit != "bytes" else f"  {size(int(rate))}/s"
        return f"{label}  {shown(done)}{tail}{_weight(size_bytes, elapsed_s)}"
    share = min(1.0, done / total)
    cells = int(share * BAR_CELLS)
    bar = "▓" * cells + "░" * (BAR_CELLS - cells)
    count = f"{shown(done)}/{shown(total)}" + (f" {unit}" if unit != "bytes" else "")
    pace = f"  {size(int(rate))}/s" if unit == "bytes" else _weight(size_bytes, elapsed_s)
    # A guess from the first few is no better than none, and "0:00 left" is no help.
    left_s = (total - done) / rate if rate > 0 and share >= KNOWN_SHARE else 0.0
    left = f"  {duration(left_s)} left" if left_s >= 1 else ""
    return f"{label}  {bar} {int(share * 100):3d} %  {count}{pace}{left}"


def _weight(size_bytes: int | None, elapsed_s: float) -> str:
    from muse.cli.render import size

    if not size_bytes:
        return ""
    rate = f"  {size(int(size_bytes / elapsed_s))}/s" if elapsed_s > 0 else ""
    return f"  {size(size_bytes)}{rate}"
