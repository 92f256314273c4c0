"""The last line: what the keys do here; every hint can be clicked."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.strip import Strip

from muse_tui.keymap import Key, for_context, show_keys
from muse_tui.messages import ActionChosen
from muse_tui.widgets.paint import Painted
from muse_tui.widgets.text import Piece, line


class Footer(Painted):
    """Hints for the pane that has the focus, most useful first, whole hints only."""

    DEFAULT_CSS = "Footer { height: 1; width: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="footer")
        self.context = "tree"
        self.overrides: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self._spots: list[tuple[int, int, str]] = []

    def tell(self, context: str, words: dict[str, str] | None = None) -> None:
        """Show the hints of a pane.

        Args:
            context: The pane's name.
            words: Other words for some ids, where the same key does something else now.
        """
        if (context, words or {}) != (self.context, self.words):
            self.context, self.words = context, words or {}
            self.refresh()

    def hints(self) -> list[Key]:
        """Return the keys of this context in the order of their rank."""
        keys = [key for key in for_context(self.context, self.overrides) if key.rank]
        return sorted(keys, key=lambda key: key.rank)

    def render_line(self, y: int) -> Strip:
        """Draw the hints that fit; ``?`` always does."""
        width, base = self.size.width, self.rich_style + self.paint("bar")
        hints = self.hints()
        last = hints[-1:] if hints and hints[-1].id == "help" else []
        tail = sum(self._width(key) for key in last)
        pieces: list[Piece] = [(" ", self.paint("dim"))]
        self._spots = []
        at = 1
        for key in hints:
            reserved = 0 if key in last else tail
            if at + self._width(key) + reserved > width:
                continue
            name, text = show_keys(key.keys, only_first=True), self.words.get(key.id, key.text)
            pieces += [(name, self.paint("key")), (f" {text}  ", self.paint("dim"))]
            self._spots.append((at, at + self._width(key), key.action))
            at += self._width(key)
        return line(pieces, [], width=width, base=base)

    def _width(self, key: Key) -> int:
        name, text = show_keys(key.keys, only_first=True), self.words.get(key.id, key.text)
        return cell_len(name) + cell_len(text) + 3

    def on_click(self, event: events.Click) -> None:
        """Run the action of the hint under the mouse."""
        for start, end, action in self._spots:
            if start <= event.x < end - 2:
                self.post_message(ActionChosen(action))
