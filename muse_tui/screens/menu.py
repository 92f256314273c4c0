"""Boxes that ask: a menu answered with one key, and a question answered with a typed word."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.strip import Strip
from textual.widgets import Input, Static

from muse_tui.screens.box import BoxScreen
from muse_tui.widgets.paint import Painted
from muse_tui.widgets.text import Piece, line
from muse_tui.words import clean


class Choice(NamedTuple):
    """One line of a menu.

    Attributes:
        key: The key that chooses it.
        text: What it does.
        value: What the menu answers.
        danger: Only its own key chooses it, never Enter.
        note: Said at the end of the line.
    """

    key: str
    text: str
    value: str
    danger: bool = False
    note: str = ""


class ChoiceList(Painted):
    """The lines of a menu; few, so all are drawn."""

    DEFAULT_CSS = "ChoiceList { height: auto; width: 1fr; margin: 1 0; }"

    def __init__(self, choices: list[Choice]) -> None:
        super().__init__()
        self.choices = choices
        self.cursor = 0

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return one line a choice."""
        return len(self.choices)

    def render_line(self, y: int) -> Strip:
        """Draw ``▌x  the changes of src/auth.py``."""
        width, base = self.size.width, self.rich_style
        if y >= len(self.choices):
            return Strip.blank(width, base)
        choice = self.choices[y]
        gutter: Piece = (" ", self.paint("dim"))
        if y == self.cursor:
            base = base + self.paint("cursor")
            gutter = ("▌", self.paint("accent"))
        key = self.paint("bad" if choice.danger else "key")
        left = [gutter, (f"{choice.key}  ", key), (clean(choice.text), self.paint("text"))]
        right: list[Piece] = [(f"{clean(choice.note)} ", self.paint("dim"))] if choice.note else []
        return line(left, right, width=width, base=base)


class MenuScreen(BoxScreen[str | None]):
    """A menu: one key chooses; Enter takes the line under the cursor unless it is dangerous."""

    HINTS = ("esc leaves everything as it is",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "leave", show=False),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("enter", "take", show=False),
    ]

    def __init__(
        self, title: str, choices: list[Choice], *, note: str = "", danger: bool = False
    ) -> None:
        super().__init__(classes="-danger" if danger else "")
        self._title, self._note, self._choices = title, note, choices

    def compose(self) -> ComposeResult:
        """Show the choices and the note."""
        with Vertical(classes="box") as box:
            box.border_title = self._title
            yield ChoiceList(self._choices)
            if self._note:
                yield Static(Text(clean(self._note)), classes="note")

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        choices = self.query_one(ChoiceList)
        choices.cursor = max(0, min(choices.cursor + rows, len(self._choices) - 1))
        choices.refresh()

    def action_take(self) -> None:
        """Take the line under the cursor; a dangerous one wants its own key."""
        choice = self._choices[self.query_one(ChoiceList).cursor]
        if choice.danger:
            self.app.bell()
            self.show_hints(f"press {choice.key}: Enter never chooses this", "esc leave")
        else:
            self.dismiss(choice.value)

    def on_key(self, event: events.Key) -> None:
        """Choose by key."""
        for choice in self._choices:
            if event.character == choice.key:
                event.stop()
                self.dismiss(choice.value)
                return

    def on_click(self, event: events.Click) -> None:
        """Choose with the mouse; outside of the box leaves."""
        if isinstance(event.widget, ChoiceList):
            row = event.y
            if 0 <= row < len(self._choices) and not self._choices[row].danger:
                self.dismiss(self._choices[row].value)
        elif event.widget is self:
            self.dismiss(None)


class AskScreen(BoxScreen[str | None]):
    """A question that is answered with a line of text.

    Args:
        title: The question.
        value: What stands in the field at first.
        note: One line below the field.
        word: When given, only this word typed in full is taken.
    """

    HINTS = ("enter answers", "esc leaves everything as it is")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", show=False)]

    def __init__(self, title: str, *, value: str = "", note: str = "", word: str = "") -> None:
        super().__init__(classes="-danger" if word else "")
        self._title, self._value, self._note, self._word = title, value, note, word

    def compose(self) -> ComposeResult:
        """Show the field and the note."""
        with Vertical(classes="box") as box:
            box.border_title = self._title
            if self._note:
                yield Static(Text(clean(self._note)), classes="note")
            if self._word:
                yield Static(Text(f"Type {self._word} to go on:"), classes="word")
            with Horizontal(classes="ask"):
                yield Static("❯", classes="prompt")
                yield Input(self._value, classes="line", compact=True, select_on_focus=False)

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if self._word and text != self._word:
            self.app.bell()
            self.show_hints(f"that is not '{self._word}'", "esc leave")
            return
        self.dismiss(text or None)
