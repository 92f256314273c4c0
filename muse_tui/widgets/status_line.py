"""The line above the footer: the running job, or what the last action did.

It is always there, so nothing jumps when a job begins or ends.
"""

from __future__ import annotations

import time
from typing import ClassVar

from rich.cells import cell_len
from textual.strip import Strip

from muse_tui.model import JobView
from muse_tui.widgets.paint import Painted
from muse_tui.widgets.text import Piece, line
from muse_tui.words import brief, clean, count, size

SIGNS = {"ok": ("✔", "good"), "warn": ("▲", "warn"), "bad": ("✖", "bad"), "info": ("·", "dim")}


def rate_text(job: JobView, now_s: float) -> tuple[str, str]:
    """Return rate and time left of a job as text; empty where they are not known."""
    elapsed = now_s - job.started_s
    if elapsed < 0.5 or not job.done:
        return "", ""
    rate = ""
    if job.bytes_done:
        rate = f"{size(job.bytes_done / elapsed)}/s"
    elif job.unit == "bytes":
        rate = f"{size(job.done / elapsed)}/s"
    left = ""
    if job.total and job.done < job.total:
        seconds = int((job.total - job.done) * elapsed / job.done) + 1
        left = f"{seconds // 60}:{seconds % 60:02d} left"
    return rate, left


class StatusLine(Painted):
    """Progress of the running job, else the last thing that was said."""

    DEFAULT_CSS = "StatusLine { height: 1; width: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="status-line")
        self.job: JobView | None = None
        self.level, self.text, self.hint = "info", "", ""

    def say(self, text: str, *, hint: str = "", level: str = "ok") -> None:
        """Show what was done, and what can be done about it."""
        self.level, self.text, self.hint = level, brief(clean(text)), brief(clean(hint))
        self.refresh()

    def tell_job(self, job: JobView | None) -> None:
        """Show the progress of a job, or none."""
        if job != self.job:
            self.job = job
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        width, base = self.size.width, self.rich_style
        if self.job is not None and self.job.state == "running":
            left, right = self._job_pieces(self.job, width)
            return line(left, right, width=width, base=base)
        if not self.text:
            return Strip.blank(max(width, 0), base)
        sign, paint = SIGNS.get(self.level, SIGNS["info"])
        pieces: list[Piece] = [(f" {sign} ", self.paint(paint)), (self.text, self.paint("text"))]
        if self.hint:
            pieces += [("   ", self.paint("faint")), (self.hint, self.paint("dim"))]
        return line(pieces, [], width=width, base=base)

    def _job_pieces(self, job: JobView, width: int) -> tuple[list[Piece], list[Piece]]:
        name = clean(f"{job.kind} {job.label}".strip())
        rate, left = rate_text(job, time.time())
        parts: list[str] = []
        fraction = min(job.done / job.total, 1.0) if job.total else 0.0
        if job.total:
            done = (
                size(job.done)
                if job.unit == "bytes"
                else f"{count(job.done)} of {count(job.total)} {job.unit}"
            )
            parts.append(done)
        elif job.done:
            parts.append(f"{count(job.done)} {job.unit}")
        parts += [part for part in (rate, left) if part]
        percent = f" {fraction * 100:3.0f} %" if job.total else " …"
        right: list[Piece] = [("X", self.paint("key")), (" cancel ", self.paint("dim"))]
        used = cell_len(name) + cell_len(percent) + 12
        kept: list[str] = []
        for part in parts:
            if used + cell_len(part) + 2 + 8 <= width:
                kept.append(part)
                used += cell_len(part) + 2
        bar = max(min(24, width - used), 4)
        full = round(bar * fraction)
        pieces: list[Piece] = [
            (f" {name} ", self.paint("strong")),
            ("▓" * full, self.paint("good")),
            ("░" * (bar - full), self.paint("line")),
            (percent, self.paint("text")),
            *((f"  {part}", self.paint("dim")) for part in kept),
        ]
        return pieces, right
