"""What the screens need of the application: it imports them, so they know it by this only."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from muse_tui.link import EngineLink


class Services(Protocol):
    """The application as a screen sees it.

    Attributes:
        engine: The line to the engine.
        root: The repository's folder.
        key_overrides: The user's own keys, by the id of what they do.
    """

    engine: EngineLink
    root: Path
    key_overrides: dict[str, str]

    def now_s(self) -> float:
        """Return the time."""

    def next_theme(self) -> str:
        """Change to the next theme and return its name."""

    def editor_command(self, path: Path, *, line: int) -> list[str]:
        """Return the command of the user's editor; empty when none is set."""

    def copy_text(self, text: str) -> str:
        """Copy, and return the file that has it too; empty when there is none."""

    def save_picture(self) -> str:
        """Save the screen as a picture; return its name, or nothing."""
