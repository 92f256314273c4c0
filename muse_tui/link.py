"""The line to the engine: a process of its own that does everything slow.

Pure Python in a thread makes keys wait (5 → 28 ms); in another process it does not. The engine is
started before Textual is imported, so that the first scan runs while the screen is being built.
Requests are answered by number; news comes by itself. If the engine dies, requests in flight fail
with an error, and a new engine is started: the screen stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from muse_tui.engine_process import EngineProcess
from muse_tui.model import Failure

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Wire = tuple[str, object, object]  # (kind, number or name, payload)
Hear = Callable[[str, object], None]


class EngineError(Exception):
    """A request failed; what went wrong is in ``failure``."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class SupersededError(EngineError):
    """A newer request of the same group took this one's place; nothing is wrong."""


def _deaf(name: str, payload: object) -> None:
    """Hear nothing: nobody listens yet."""


LOST = Failure(
    "engine", "The engine stopped in the middle of this.", "It was started again; try once more."
)


class EngineLink:
    """Requests to the engine and news from it, on the event loop of the interface.

    Args:
        start: The folder to open.
        process: An engine that was started earlier; None starts one now.
    """

    def __init__(self, start: Path, process: EngineProcess | None = None) -> None:
        self.start_dir = start
        self._process = process or EngineProcess(start)
        self._connection: Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.Context()
        self._hear: Hear = _deaf
        self._next = 0
        self._waiting: dict[int, asyncio.Future[object]] = {}
        self._closing = False
        self._noted: asyncio.Event | None = None
        self._deaths = 0

    @property
    def pid(self) -> int:
        """Return the engine's process id."""
        return self._process.pid

    def open(self, hear: Hear) -> None:
        """Begin to listen; must be called on the event loop.

        Args:
            hear: Called on the event loop with the name and payload of each piece of news. The
                name ``lost`` tells that the engine died; its payload is True when a new one runs.
        """
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        # Textual finds the running application through the context.
        self._context = contextvars.copy_context()
        self._listen()

    def _listen(self) -> None:
        from multiprocessing.connection import Connection  # start-up time

        self._connection = Connection(self._process.fd)
        reader = threading.Thread(
            target=self._read, args=(self._connection,), name="engine-reader", daemon=True
        )
        reader.start()

    def _read(self, connection: Connection) -> None:
        loop = self._loop
        assert loop is not None
        try:
            while True:
                message = connection.recv()
                loop.call_soon_threadsafe(self._on_message, message, context=self._context)
        except (EOFError, OSError, RuntimeError):
            pass
        try:
            loop.call_soon_threadsafe(self._on_end, connection, context=self._context)
        except RuntimeError:
            return  # the loop has closed: the interface is gone

    def _on_message(self, message: Wire) -> None:
        kind, name, payload = message
        if kind == "closed":
            if self._noted is not None:
                self._noted.set()
            return
        if kind == "news":
            self._hear(str(name), payload)
            return
        assert isinstance(name, int)
        future = self._waiting.pop(name, None)
        if future is None or future.done():
            return
        if kind == "answer":
            future.set_result(payload)
        elif kind == "superseded":
            future.set_exception(SupersededError(Failure("superseded", "")))
        else:
            assert isinstance(payload, Failure)
            future.set_exception(EngineError(payload))

    def _on_end(self, connection: Connection) -> None:
        if self._noted is not None:
            self._noted.set()
        if connection is not self._connection:
            return
        self._process.reap()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EngineError(LOST))
        self._waiting.clear()
        if self._closing:
            return
        self._deaths += 1
        restarted = self._deaths <= 5
        if restarted:
            connection.close()
            self._process = EngineProcess(self.start_dir)
            self._listen()
        self._hear("lost", restarted)

    def ask(self, method: str, /, **args: object) -> asyncio.Future[object]:
        """Ask the engine at once; what `call` would return or raise is in the future."""
        assert self._loop is not None
        self._next += 1
        number = self._next
        future: asyncio.Future[object] = self._loop.create_future()
        self._waiting[number] = future
        future.add_done_callback(lambda _: self._waiting.pop(number, None))
        self._send((method, number, args))
        return future

    async def call(self, method: str, /, **args: object) -> object:
        """Ask the engine and wait for the answer.

        Raises:
            EngineError: It refused, failed, or died.
            SupersededError: A newer request of the same group replaced this one.
        """
        return await self.ask(method, **args)

    def tell(self, method: str, /, **args: object) -> None:
        """Tell the engine something without waiting for an answer."""
        self._send((method, 0, args))

    def _send(self, message: Wire) -> None:
        if self._connection is None or self._connection.closed:
            return
        try:
            self._connection.send(message)
        except (OSError, ValueError):
            return  # the reader sees the end of the pipe and reports it

    def close(self) -> None:
        """Say good-bye: the engine records a clean shutdown and leaves by itself."""
        self._closing = True
        self._noted = asyncio.Event()
        self._send(("bye", 0, {}))

    async def wait_closed(self, timeout_s: float = 1.0) -> None:
        """Wait until the engine has noted the clean end after `close`, and close the pipe.

        It may go on for a moment by itself, to keep what it knows about the files.
        """
        if self._noted is not None and not self._process.has_left():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._noted.wait(), timeout_s)
        if self._connection is not None:
            self._connection.close()
