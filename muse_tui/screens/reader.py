"""A box with text to read, to scroll and to copy."""

from __future__ import annotations

from typing import ClassVar, cast

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.strip import Strip

from muse_tui.keymap import bindings
from muse_tui.screens.box import BoxScreen
from muse_tui.services import Services
from muse_tui.widgets.text import line, wrap
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import clean

Line = tuple[int, str]


class TextList(VirtualList[Line, int]):
    """Lines of text with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]

    def __init__(self) -> None:
        super().__init__(lambda row: row[0], is_sorted=True, id="reader")

    def row_text(self, row: Line) -> str:
        """Return the line."""
        return row[1]

    def row_line(self, row: Line, *, width: int, base: Style) -> Strip:
        """Draw the line."""
        return line([(row[1], self.paint("text"))], [], width=width, base=base)


class ReaderScreen(BoxScreen[None]):
    """Text in a box that is as high as the text; ``y`` copies all of it.

    Args:
        title: The box's title.
        text: What is read and copied.
        at_end: Begin at the last line.
    """

    HINTS = ("y copy all", "j k scroll", "esc close")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,at", "dismiss", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(self, title: str, text: str, *, at_end: bool = False) -> None:
        super().__init__()
        self._title, self._text, self._at_end = title, text, at_end

    def compose(self) -> ComposeResult:
        """Show the lines."""
        with Vertical(classes="box") as box:
            box.border_title = self._title
            yield TextList()

    def on_mount(self) -> None:
        """Break the text to the width of the box."""
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        """Break it again for another width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        lines = self.query_one(TextList)
        width = max(lines.size.width - 2, 10)
        wrapped = [part for text in self._text.split("\n") for part in wrap(clean(text), width)]
        lines.styles.height = max(min(len(wrapped), self.size.height * 4 // 5 - 2), 1)
        lines.replace(list(enumerate(wrapped)))
        if self._at_end:
            self._at_end = False
            self.call_after_refresh(lines.action_last)

    def action_copy(self) -> None:
        """Copy the whole text."""
        path = cast("Services", self.app).copy_text(self._text)
        self.show_hints("copied", *([f"also in {path}"] if path else []), "esc close")
