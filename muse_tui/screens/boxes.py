"""The boxes above the panes, imported when the first one opens: start-up time.

Their field and text area cost a tenth of a second that nobody should wait for before the first
frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muse_tui.screens.branches import BranchAnswer, BranchScreen
    from muse_tui.screens.commit_box import CommitAnswer, CommitScreen
    from muse_tui.screens.help import HelpScreen
    from muse_tui.screens.menu import AskScreen, Choice, MenuScreen
    from muse_tui.screens.palette import PaletteScreen
    from muse_tui.screens.reader import ReaderScreen
    from muse_tui.screens.welcome import WelcomeScreen

_WHERE = {
    "AskScreen": "menu",
    "BranchAnswer": "branches",
    "BranchScreen": "branches",
    "Choice": "menu",
    "CommitAnswer": "commit_box",
    "CommitScreen": "commit_box",
    "HelpScreen": "help",
    "MenuScreen": "menu",
    "PaletteScreen": "palette",
    "ReaderScreen": "reader",
    "WelcomeScreen": "welcome",
}

__all__ = [
    "AskScreen",
    "BranchAnswer",
    "BranchScreen",
    "Choice",
    "CommitAnswer",
    "CommitScreen",
    "HelpScreen",
    "MenuScreen",
    "PaletteScreen",
    "ReaderScreen",
    "WelcomeScreen",
]


def __getattr__(name: str) -> object:
    """Import a box when it is first named (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"muse_tui.screens.{_WHERE[name]}"), name)
