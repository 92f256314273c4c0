"""Outside of a repository: what this folder is, and an offer to create one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from muse_tui.link import EngineError
from muse_tui.services import Services
from muse_tui.words import clean


class WelcomeScreen(ModalScreen[None]):
    """Offer to create a repository here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "create", show=False),
        Binding("q,escape,n,ctrl+q", "leave", show=False),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Say where we are and what can be done."""
        with Vertical(classes="box") as box:
            box.border_title = "No repository here"
            key = "bold $p-accent"
            yield Static(
                Content.assemble(
                    (clean(str(self._folder)), "bold"),
                    "\nis not inside a Muse repository.\n\n",
                    ("y", key),
                    "  create one here; your files stay as they are\n",
                    ("q", key),
                    "  leave",
                ),
                id="offer",
            )
            yield Static("", id="problem")

    @work(exit_on_error=False)
    async def action_create(self) -> None:
        """Create the repository; the engine then opens it."""
        try:
            await cast("Services", self.app).engine.call("init")
        except EngineError as error:
            failure = error.failure
            self.query_one("#problem", Static).update(Text(f"{failure.message} {failure.hint}"))

    def action_leave(self) -> None:
        """Leave the interface."""
        self.app.exit(2)
