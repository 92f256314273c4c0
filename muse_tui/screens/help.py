"""Every key, with a filter; Enter runs what the cursor stands on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.strip import Strip
from textual.widgets import Input, Static

from muse_tui.keymap import GROUPS, Key, for_context, show_keys
from muse_tui.screens.box import BoxScreen
from muse_tui.widgets.text import Piece, line
from muse_tui.widgets.virtual_list import VirtualList

# The rank of a key that does not match at all.
MISS = 5


def rank_key(key: Key, query: str) -> int:
    """Tell how well a key matches what was typed: 0 is best, `MISS` not at all.

    Its name counts more than its sentence; a few letters of the name in order are enough.
    """
    names = (key.text.casefold(), key.id.casefold())
    words = query.split()
    if show_keys(key.keys).casefold() == query or any(name.startswith(query) for name in names):
        return 0
    parts = [part for name in names for part in name.replace("-", " ").split()]
    if all(any(part.startswith(word) for part in parts) for word in words):
        return 1
    if all(any(word in name for name in names) for word in words):
        return 2
    whole = f"{key.help} {key.group} {show_keys(key.keys)}".casefold()
    if all(word in whole or word in names[0] for word in words):
        return 3
    letters = iter(names[0])
    return 4 if all(letter in letters for letter in query.replace(" ", "")) else MISS


class KeyList(VirtualList[Key, str]):
    """Keys and what they do, under their headings."""

    def __init__(self) -> None:
        super().__init__(lambda row: f"{row.group}/{row.id}/{row.context}", id="keys")

    def row_text(self, row: Key) -> str:
        """Return what a filter may look for."""
        return f"{row.text} {row.help} {row.id} {row.group} {show_keys(row.keys)}"

    def can_stop_at(self, row: Key) -> bool:
        """Headings are read, not chosen."""
        return bool(row.action)

    def row_line(self, row: Key, *, width: int, base: Style) -> Strip:
        """Draw ``space     stage the file under the cursor``."""
        if not row.action:
            return line([(row.group, self.paint("dim"))], [], width=width, base=base)
        keys = show_keys(row.keys)
        left: list[Piece] = [(f"{keys:>14}  ", self.paint("key"))]
        left.append((row.help or row.text, self.paint("text")))
        right: list[Piece] = [(f"{row.id}  ", self.paint("faint"))] if width > 70 else []
        return line(left, right, width=width, base=base)


class HelpScreen(BoxScreen[str | None]):
    """The keys of a pane and those that work everywhere."""

    HINTS = ("type to filter", "enter runs it", "esc close")

    TITLE_TEXT: ClassVar[str] = "Keys"
    HEADINGS: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
    ]

    def __init__(self, context: str, overrides: Mapping[str, str]) -> None:
        super().__init__()
        self._pane = context
        self._keys = for_context(context, overrides)

    def compose(self) -> ComposeResult:
        """Show the field and the keys."""
        with Vertical(classes="box") as box:
            box.border_title = self.TITLE_TEXT
            with Horizontal(classes="ask"):
                yield Static("/", classes="prompt")
                yield Input(placeholder="type to filter", classes="line", compact=True)
            yield KeyList()

    def on_mount(self) -> None:
        """Fill the list."""
        self._fill("")
        self.query_one(Input).focus()

    def _fill(self, words: str) -> None:
        keys = self.query_one(KeyList)
        query = words.casefold().strip()
        rows: list[Key] = []
        if query:
            ranked = [(rank_key(key, query), key) for key in self.arranged(self._keys)]
            rows = [key for rank, key in sorted(ranked, key=lambda pair: pair[0]) if rank < MISS]
        else:
            group = ""
            for key in self.arranged(self._keys):
                if self.HEADINGS and key.group != group:
                    group = key.group
                    rows.append(Key(f"head-{group}", "", "", "", group))
                rows.append(key)
        keys.cursor_key = None
        keys.cursor = 0
        keys.replace(rows)
        keys.set_face("No key does that.")
        if rows:
            keys.move_to(0)

    def arranged(self, keys: list[Key]) -> list[Key]:
        """Return the keys in the order of the list: by group, the pane's own first."""
        return sorted(keys, key=lambda key: GROUPS.index(key.group))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    @on(VirtualList.Opened)
    def _run(self) -> None:
        row = self.query_one(KeyList).current
        if row is not None and row.action:
            self.dismiss(row.action)

    def action_move(self, rows: int) -> None:
        """Move the cursor while the field keeps the focus."""
        self.query_one(KeyList).action_move(rows)

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        self.query_one(KeyList).action_page(pages)
