"""Pane frames: one line with number, title and count, joined to the pane above.

Panes that stand on each other share a border, which saves a row for each of them.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.strip import Strip
from textual.widget import Widget

from muse_tui.messages import PaneChosen
from muse_tui.widgets.paint import Painted
from muse_tui.widgets.text import Piece, fit, line, pieces_width
from muse_tui.words import clean


class TitleBar(Painted):
    """The upper border of a pane: ``╭1 Working tree ──── 7 changed ╮``."""

    DEFAULT_CSS = "TitleBar { height: 1; width: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, pane: str, number: str, title: str) -> None:
        super().__init__()
        self.pane, self.number, self.title = pane, number, title
        self.detail = ""
        self.aside = ""

    def tell(self, *, title: str | None = None, detail: str = "", aside: str = "") -> None:
        """Show another title, detail (after the title) or count (at the right end)."""
        told = (self.title if title is None else title, clean(detail), clean(aside))
        if told != (self.title, self.detail, self.aside):
            self.title, self.detail, self.aside = told
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the title."""
        width, base = self.size.width, self.rich_style
        focused = self.parent is not None and self.parent.has_pseudo_class("focus-within")
        border = self.paint("accent" if focused else "line")
        first = self._is_first()
        if width < 6:
            return line([("─" * width, border)], [], width=width, base=base)
        right: list[Piece] = [(" ╮" if first else " ┤", border)]
        room = width - 6
        aside = fit(self.aside, max(room - 12, 0))
        if aside:
            right = [(" ", border), (aside, self.paint("dim")), *right]
        strong = self.paint("accent-strong" if focused else "strong")
        left: list[Piece] = [
            ("╭" if first else "├", border),
            (self.number, self.paint("accent-strong" if focused else "faint")),
            (" " if self.number else "", border),
        ]
        room = width - pieces_width(left) - pieces_width(right) - 1
        title = fit(self.title, room)
        left.append((title, strong))
        room -= pieces_width([(title, strong)])
        if self.detail and room > 6:
            left += [(" · ", self.paint("faint")), (fit(self.detail, room - 4), self.paint("text"))]
        left.append((" ", border))
        gap = width - pieces_width(left) - pieces_width(right)
        left.append(("─" * max(gap, 0), border))
        pieces = [*left, *right] if aside else [*left, ("─" + right[-1][0].strip(), border)]
        return line(pieces, [], width=width, base=base)

    def _is_first(self) -> bool:
        column = self.parent.parent if self.parent is not None else None
        if not isinstance(column, Widget):
            return True
        shown = [child for child in column.children if child.display and isinstance(child, Pane)]
        return not shown or shown[0] is self.parent

    def on_click(self) -> None:
        """Give the focus to the pane whose title was clicked."""
        self.post_message(PaneChosen(self.pane))


class FootBar(Painted):
    """The lower border of a column of panes."""

    DEFAULT_CSS = "FootBar { height: 1; width: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def render_line(self, y: int) -> Strip:
        """Draw the border, in the accent colour below the pane that has the focus."""
        width, base = self.size.width, self.rich_style
        text = "╰" + "─" * (width - 2) + "╯" if width >= 2 else "─" * width
        column = self.parent
        panes = [] if column is None else [c for c in column.children if isinstance(c, Pane)]
        shown = [pane for pane in panes if pane.display]
        focused = bool(shown) and shown[-1].has_pseudo_class("focus-within")
        return line(
            [(text, self.paint("accent" if focused else "line"))], [], width=width, base=base
        )


class Pane(Vertical):
    """A titled frame around one list.

    Args:
        name: The pane's name: ``tree``, ``staged``, ``history``, ``health`` or ``diff``.
        number: The key that gives it the focus.
        title: Its title.
        body: The list inside.
    """

    DEFAULT_CSS = "Pane { height: 1fr; min-height: 2; }"

    def __init__(self, name: str, number: str, title: str, *bodies: Widget) -> None:
        super().__init__(id=f"pane-{name}")
        self.title_bar = TitleBar(name, number, title)
        self.bodies = bodies

    def compose(self) -> ComposeResult:
        """Put the title above the list."""
        yield self.title_bar
        yield from self.bodies

    def on_descendant_focus(self) -> None:
        """Show the border in the accent colour."""
        self._repaint()

    def on_descendant_blur(self) -> None:
        """Show the border quietly."""
        self._repaint()

    def _repaint(self) -> None:
        column = self.parent
        if isinstance(column, Widget):
            for bar in column.query("TitleBar, FootBar"):
                bar.refresh()
