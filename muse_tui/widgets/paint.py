"""What every widget of ours that draws lines by itself has in common."""

from __future__ import annotations

from rich.style import Style
from textual.widget import Widget

from muse_tui.themes import paint_style, paint_variables


class Painted(Widget):
    """A widget that draws with the named paints of `themes.PAINTS`.

    Component classes would do the same, at ten times the price of a style update.
    """

    _paints: dict[str, Style]
    _paints_theme: object = None

    @property
    def is_ansi(self) -> bool:
        """Tell whether the theme has the terminal's sixteen colours and no others."""
        return self.app.current_theme.ansi is True

    def paint(self, name: str) -> Style:
        """Return the style of a paint: only what it sets, so that it can be added to a base."""
        theme = self.app.current_theme
        if self._paints_theme is not theme:
            self._paints, self._paints_theme = {}, theme
        style = self._paints.get(name)
        if style is None:
            style = self._paints[name] = paint_style(paint_variables(theme), name)
        return style
