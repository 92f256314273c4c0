"""The first line: where you are, how true the screen is, and whether all is well."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.strip import Strip

from muse_tui.model import HeadView, HealthView, Live, WatchView
from muse_tui.widgets.paint import Painted
from muse_tui.widgets.text import Piece, fit_path, line, pieces_width
from muse_tui.words import clean

_LIVE = {
    Live.STARTING: ("○", "warn", "starting"),
    Live.SETTING_UP: ("○", "warn", "setting up"),
    Live.LIVE: ("●", "good", "live"),
    Live.RECONCILING: ("◐", "warn", "reconciling"),
    Live.POLLING: ("◌", "warn", "polling"),
    Live.STOPPED: ("■", "bad", "stopped"),
}
_HEART = {
    "ok": ("♥", "good", "healthy"),
    "info": ("♥", "good", "healthy"),
    "warn": ("▲", "warn", "look at health"),
    "bad": ("✖", "bad", "damaged"),
}
_SHUTDOWN = {
    "clean": ("✔", "good", "clean shutdown"),
    "crashed": ("↺", "warn", "recovered after a crash"),
}


class Header(Painted):
    """One line that gives up its less important parts as it gets narrow."""

    DEFAULT_CSS = "Header { height: 1; width: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="header")
        self.head = HeadView()
        self.watch_view = WatchView()
        self.health = HealthView()
        self.offset_s: float | None = None

    def tell(
        self,
        *,
        head: HeadView | None = None,
        watch: WatchView | None = None,
        health: HealthView | None = None,
    ) -> None:
        """Show what is new."""
        self.head = head or self.head
        self.watch_view = watch or self.watch_view
        self.health = health or self.health
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw as much as fits, most important parts first."""
        width = self.size.width
        base = self.rich_style + self.paint("bar")
        for level in range(6):
            left, right = self._parts(level, width)
            if pieces_width(left) + pieces_width(right) + 1 <= width or level == 5:
                return line(left, right, width=width, base=base)
        raise AssertionError

    def _parts(self, level: int, width: int) -> tuple[list[Piece], list[Piece]]:
        """Return the parts at a level of brevity: 0 has all, 5 the least."""
        left: list[Piece] = [(" ", self.paint("dim"))]
        if level <= 3:
            left += [("muse", self.paint("accent-strong")), ("  ", self.paint("dim"))]
        if level <= 2:
            folder, name = fit_path(clean(self.head.place), max(width // 3, 12))
            left += [(folder, self.paint("dim")), (name, self.paint("strong"))]
            left.append(("  ", self.paint("dim")))
        left += self._branch(level)
        left.append(("  " if level >= 3 else "   ", self.paint("dim")))
        left += self._badge(level)
        if level <= 1 and self.health.shutdown in _SHUTDOWN:
            sign, paint, text = _SHUTDOWN[self.health.shutdown]
            left += [("   ", self.paint("dim")), (sign, self.paint(paint))]
            left.append((f" {text}", self.paint("dim")))
        sign, paint, text = _HEART[self.health.level]
        left += [("   " if level < 3 else "  ", self.paint("dim")), (sign, self.paint(paint))]
        if level <= 2:
            left.append((f" {text}", self.paint("dim")))
        right: list[Piece] = []
        if level == 0 and self.watch_view.as_of_s:
            at = time.strftime("%H:%M:%S", time.localtime(self.watch_view.as_of_s))
            right = [("as of ", self.paint("faint")), (at, self.paint("dim"))]
            right.append((" ", self.paint("dim")))
        return left, right

    def _branch(self, level: int) -> list[Piece]:
        head = self.head
        if head.branch:
            pieces: list[Piece] = [
                ("⎇ ", self.paint("name")),
                (clean(head.branch), self.paint("name")),
            ]
        elif head.short:
            pieces = [("◇ ", self.paint("warn")), (f"detached at {head.short}", self.paint("warn"))]
        else:
            pieces = []
        if level <= 4 and head.ahead is not None and head.behind is not None:
            pieces.append((f" ↑{head.ahead}", self.paint("warn" if head.ahead else "faint")))
            pieces.append((f" ↓{head.behind}", self.paint("warn" if head.behind else "faint")))
        if head.damage or head.readonly:
            pieces.append((" read-only", self.paint("bad")))
        return pieces

    def _badge(self, level: int) -> list[Piece]:
        sign, paint, word = _LIVE[self.watch_view.live]
        pieces: list[Piece] = [(sign, self.paint(paint))]
        if level <= 3 or self.watch_view.live is not Live.LIVE:
            pieces.append((f" {word}", self.paint("text" if level <= 3 else "dim")))
        latency = self.watch_view.latency_ms
        if level <= 1 and self.watch_view.live is Live.LIVE and latency is not None:
            pieces.append((f" {latency:.0f} ms", self.paint("dim")))
        return pieces
