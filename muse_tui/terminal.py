"""The terminal: Textual's own driver, which lets go at once.

Textual's thread for keys looks ten times a second whether it should end, and then waits for
another tenth: that is most of the time that leaving took, and a reason for the processor to wake
while nobody types. Here a pipe wakes it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from codecs import getincrementaldecoder
from typing import Any

from textual import constants
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

_READ = 4096
_ESCAPE = b"\x1b"
# How often it is looked whether an escape sequence ends here, as long as one may be under way.
_TICK_S = 0.025


class Knock(threading.Event):
    """An event that also wakes whoever waits for a file descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.fd, self._other = os.pipe()
        for fd in (self.fd, self._other):
            os.set_blocking(fd, False)

    def set(self) -> None:
        """Set it, and make the descriptor readable."""
        super().set()
        with contextlib.suppress(BlockingIOError):  # full: it is readable already
            os.write(self._other, b"\0")

    def drain(self) -> None:
        """Make the descriptor silent again; whether it is set stays."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, _READ)


class Terminal(LinuxDriver):
    """Reads keys until it is told to end."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.exit_event: Knock = Knock()

    def run_input_thread(self) -> None:
        """Read keys, and pass on what they mean."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        patience_s = constants.ESCAPE_DELAY + 0.1
        with selectors.SelectSelector() as selector:
            for fd in (self.fileno, self.exit_event.fd):
                selector.register(fd, selectors.EVENT_READ)
            escaped_s = -patience_s
            while not self.exit_event.is_set():
                pending = time.monotonic() - escaped_s < patience_s
                ready = [key.fd for key, _ in selector.select(_TICK_S if pending else None)]
                self.exit_event.drain()
                if self.fileno in ready:
                    data = self._read()
                    if not data:
                        break  # the terminal is gone
                    if pending or _ESCAPE in data:
                        escaped_s = time.monotonic()
                    text = decode(data)
                    # No text means the end to the parser; here half of a character has come.
                    for message in parser.feed(text) if text else ():
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
        with contextlib.suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _READ)
        except OSError:
            return b""
