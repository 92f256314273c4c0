"""The palette: find a command by a few letters of its name."""

from __future__ import annotations

from typing import ClassVar

from muse_tui.keymap import MOVE, Key
from muse_tui.screens.help import HelpScreen


class PaletteScreen(HelpScreen):
    """The same list as the help, commands only, best match first."""

    TITLE_TEXT: ClassVar[str] = "Commands"
    HEADINGS: ClassVar[bool] = False

    def arranged(self, keys: list[Key]) -> list[Key]:
        """Return commands in the order of their use; moving about is not one."""
        commands = [key for key in keys if key.group != MOVE]
        return sorted(commands, key=lambda key: (key.rank == 0, key.rank))
