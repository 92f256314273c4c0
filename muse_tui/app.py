"""The application: wiring only. What it shows is in the screens, what it knows in the engine."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from muse_tui import keymap, leaving, messages
from muse_tui.backend import drafts
from muse_tui.link import EngineLink
from muse_tui.model import (
    Failure,
    HeadView,
    HealthView,
    HistoryView,
    Opened,
    StatusDelta,
    WatchView,
)
from muse_tui.screens import boxes
from muse_tui.screens.main import MainScreen
from muse_tui.terminal import Terminal
from muse_tui.themes import THEMES, Colourless, defaults

_NEWS = {
    StatusDelta: messages.StatusChanged,
    HeadView: messages.HeadChanged,
    WatchView: messages.WatchChanged,
    HistoryView: messages.HistoryChanged,
    HealthView: messages.HealthChanged,
}

# Editors that take +LINE before the file.
_AT_LINE = frozenset({"vi", "vim", "nvim", "nano", "emacs", "emacsclient", "hx", "kak", "micro"})


class MuseApp(App[int]):
    """muse-tui.

    Args:
        start: The folder to open.
        engine: The line to an engine that was started already; None starts one.
    """

    CSS_PATH = "app.tcss"
    TITLE = "muse"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, start: Path, engine: EngineLink | None = None) -> None:
        super().__init__()
        self.start_dir = start
        self.engine = engine or EngineLink(start)
        self.root = start
        self.key_overrides: dict[str, str] = {}
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        if self.no_color:
            # Textual's own turns colours into greys.
            self._filters = [f for f in self._filters if not isinstance(f, Monochrome | NoColor)]
            self._filters.append(Colourless())
        self.main = MainScreen()
        self._opened = False

    def get_driver_class(self) -> type[Driver]:
        """Return our own driver where Textual would take its usual one."""
        found = super().get_driver_class()
        return Terminal if found is LinuxDriver else found

    # Life -------------------------------------------------------------------------------------

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our colours, for themes that are not ours."""
        return defaults(dark=self.current_theme.dark)

    def get_default_screen(self) -> Screen[None]:
        """Return the screen with the panes."""
        return self.main

    async def on_mount(self) -> None:
        """Listen to the engine, and to the system's requests to leave."""
        self.engine.open(self._hear)
        loop = asyncio.get_running_loop()
        if self.is_headless:
            return  # under a test: its signals are not ours
        loop.add_signal_handler(signal.SIGTERM, self._leave, signal.SIGTERM)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        leaving.watch_hangup(lambda: loop.call_soon_threadsafe(self._hang_up))

    def _leave(self, number: int) -> None:
        """Leave because the system asked: the draft is on disk already, jobs go on."""
        leaving.end_within(number)
        self.exit(128 + number)

    def _hang_up(self) -> None:
        """Leave because the terminal is gone; what was typed is on disk already."""
        self.engine.close()
        leaving.end_at_once(signal.SIGHUP)

    async def on_unmount(self) -> None:
        """Let the engine record a clean shutdown."""
        self.engine.close()
        await self.engine.wait_closed()

    # News from the engine ---------------------------------------------------------------------

    def _hear(self, name: str, payload: object) -> None:
        if name == "lost":
            self.main.post_message(messages.EngineLost("", restarted=bool(payload)))
        elif isinstance(payload, Opened):
            self._on_opened(payload)
        elif isinstance(payload, Failure):
            self._on_failure(payload)
        else:
            kind = _NEWS.get(type(payload))
            if kind is not None:
                self.main.post_message(kind(payload))

    def _on_opened(self, opened: Opened) -> None:
        self.root = Path(os.fsdecode(opened.root))
        usable, problems = keymap.check(dict(opened.keys))
        self.key_overrides = usable
        if usable:
            self.set_keymap(usable)
            self.main.take_keys(usable)
        if opened.theme in self.available_themes and "TEXTUAL_THEME" not in os.environ:
            self.theme = opened.theme
        self.main.open_desk()
        for problem in problems:
            self.main.say(problem.text, level="warn")
        if isinstance(self.screen, boxes.WelcomeScreen):
            self.pop_screen()
        if not self._opened and drafts.read_draft(self.root).text:
            self.main.say("A commit message waits for you.", hint="c continues it", level="info")
        self._opened = True

    def _on_failure(self, failure: Failure) -> None:
        if failure.kind == "NotARepositoryError":
            if not isinstance(self.screen, boxes.WelcomeScreen):
                self.push_screen(boxes.WelcomeScreen(self.start_dir))
        else:
            self.main.show_failure(failure)

    # Services for the screens -----------------------------------------------------------------

    def now_s(self) -> float:
        """Return the time; a test may freeze it."""
        return time.time()

    def next_theme(self) -> str:
        """Change to the next of our themes and return its name."""
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]
        self.engine.tell("set_theme", name=self.theme)
        return self.theme

    def editor_command(self, path: Path, *, line: int) -> list[str]:
        """Return the command of the user's editor; empty when none is set."""
        import shlex  # start-up time

        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
        command = shlex.split(editor)
        if not command:
            return []
        name = os.path.basename(command[0])
        at_line = name in _AT_LINE
        return [*command, *([f"+{line}"] if at_line and line > 1 else []), os.fspath(path)]

    def copy_text(self, text: str) -> str:
        """Copy by OSC 52, and into a file that any terminal can reach; return its path.

        Returns:
            The file's path, or nothing when it could not be written.
        """
        self.copy_to_clipboard(text)
        folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        path = folder / f"muse-copy-{os.getuid()}.txt"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
        except OSError:
            return ""
        return os.fspath(path)

    def save_picture(self) -> str:
        """Save the screen as an SVG in the working directory; return its name."""
        name = time.strftime("muse-%Y%m%d-%H%M%S.svg")
        try:
            return self.save_screenshot(name, path=os.fspath(self.start_dir))
        except OSError as error:
            self.main.say(f"The picture could not be saved: {error.strerror}.", level="bad")
            return ""
