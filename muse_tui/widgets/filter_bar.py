"""The line in which the words of a filter are typed; Enter keeps it, Escape clears it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.widgets import Input


class FilterBar(Horizontal):
    """A prompt above the status line, closed until it is asked for."""

    DEFAULT_CSS = """
    FilterBar { height: 1; }
    FilterBar Static { width: auto; color: $p-accent; padding: 0 1; }
    FilterBar Input { border: none; height: 1; padding: 0; width: 1fr; }
    FilterBar Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave(False)", "clear", show=False),
        Binding("enter,down", "leave(True)", "keep", show=False, priority=True),
    ]

    @dataclass
    class Typed(Message):
        """The words changed."""

        words: str

    @dataclass
    class Left(Message):
        """The prompt closed; ``kept`` tells whether the filter stays."""

        kept: bool

    def __init__(self) -> None:
        super().__init__(id="filter")

    def compose(self) -> ComposeResult:
        """Show the sign; the field comes when it is first needed: start-up time."""
        yield Static("/")

    async def open(self, words: str) -> None:
        """Open the prompt with some words in it."""
        from textual.widgets import Input

        self.add_class("-open")
        if not self.query(Input):
            await self.mount(Input(placeholder="words to look for", compact=True))
        field = self.query_one(Input)
        field.value = words
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass on what was typed."""
        event.stop()
        if self.has_class("-open"):
            self.post_message(self.Typed(event.value))

    def action_leave(self, kept: bool) -> None:
        """Close the prompt."""
        if not kept:
            self.post_message(self.Typed(""))
        self.remove_class("-open")
        self.post_message(self.Left(kept=kept))

    def on_descendant_blur(self) -> None:
        """Close the prompt, and keep its words, when the focus goes elsewhere."""
        if self.has_class("-open"):
            self.action_leave(kept=True)
