"""What every widget of ours that draws lines by itself has in common."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.widget import Widget

from muse_tui.themes import PAINTS


class Painted(Widget):
    """A widget that draws with the named paints of `themes.PAINTS`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"p--{name}" for name in PAINTS}

    def paint(self, name: str) -> Style:
        """Return the style of a paint: only what it sets, so that it can be added to a base."""
        return self.get_component_rich_style(f"p--{name}", partial=True)
