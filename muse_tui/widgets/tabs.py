"""The tabs of the narrow layout, where one pane is shown at a time."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.strip import Strip

from muse_tui.messages import PaneChosen
from muse_tui.widgets.paint import Painted
from muse_tui.widgets.text import Piece, line

_TABS = (
    ("tree", "1", "Tree"),
    ("staged", "2", "Staged"),
    ("history", "3", "History"),
    ("health", "4", "Health"),
    ("diff", "0", "Diff"),
)


class PaneTabs(Painted):
    """One line: number and name of each pane, with its count."""

    DEFAULT_CSS = "PaneTabs { height: 1; width: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self.active = "tree"
        self.counts: dict[str, str] = {}
        self._spots: list[tuple[int, int, str]] = []

    def tell(self, *, active: str | None = None, counts: dict[str, str] | None = None) -> None:
        """Show which pane is active, and how much is in each."""
        told = (active or self.active, self.counts if counts is None else counts)
        if told != (self.active, self.counts):
            self.active, self.counts = told
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the tabs; names give way to numbers where there is no room."""
        width, base = self.size.width, self.rich_style
        pieces, spots = self._draw(with_names=True, with_counts=True)
        for with_names in (True, False):
            if sum(cell_len(text) for text, _ in pieces) > width:
                pieces, spots = self._draw(with_names=with_names, with_counts=False)
        self._spots = spots
        return line(pieces, [], width=width, base=base)

    def _draw(
        self, *, with_names: bool, with_counts: bool
    ) -> tuple[list[Piece], list[tuple[int, int, str]]]:
        pieces: list[Piece] = [(" ", self.paint("dim"))]
        spots: list[tuple[int, int, str]] = []
        at = 1
        for pane, number, name in _TABS:
            active = pane == self.active
            text = f"{number} {name}" if with_names or active else number
            count = self.counts.get(pane, "") if with_counts else ""
            text = f"▸{text}" if active else f" {text}"
            pieces.append((text, self.paint("accent-strong" if active else "dim")))
            if count:
                pieces.append((f" {count}", self.paint("faint")))
            pieces.append((" ", self.paint("dim")))
            size = cell_len(text) + (cell_len(count) + 1 if count else 0)
            spots.append((at, at + size, pane))
            at += size + 1
        return pieces, spots

    def on_click(self, event: events.Click) -> None:
        """Show the pane whose tab was clicked."""
        for start, end, pane in self._spots:
            if start <= event.x < end:
                self.post_message(PaneChosen(pane))
