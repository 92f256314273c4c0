"""The engine's process: ``python -m muse_tui.engine FD FOLDER``.

Two threads work here. The *state* lane owns the working tree's status and does everything that
writes, one after the other; the *read* lane makes diffs, histories and reports, where only the
newest request of a kind counts. A process of its own watches for changes; its hints go to the state
lane. When the pipe to the interface ends without a good-bye, the interface was killed: the engine
notes the time, and leaves.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from muse_tui.backend.watch_process import WatchProcess
from muse_tui.model import Failure

# Of these only the newest waiting request is answered.
_NEWEST_ONLY = frozenset({"diff", "history", "health"})


class Request(NamedTuple):
    """A request from the interface; ``number`` 0 wants no answer."""

    method: str
    number: int
    args: dict[str, object]


Handler = Callable[..., object]


class Lane:
    """A thread that answers requests one after the other.

    Args:
        name: The thread's name.
        engine: Who sends the answers.
    """

    def __init__(self, name: str, engine: Engine) -> None:
        self.queue: queue.SimpleQueue[Request | Callable[[], None] | None] = queue.SimpleQueue()
        self.handlers: dict[str, Handler] = {}
        self._engine = engine
        self._waiting: dict[str, int] = {}
        self._unanswered = 0
        self._ending = False
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def put(self, item: Request | Callable[[], None]) -> None:
        """Give the lane something to do."""
        if isinstance(item, Request) and item.method in _NEWEST_ONLY:
            with self._lock:
                older = self._waiting.get(item.method)
                self._waiting[item.method] = item.number
            if older is not None:
                self._engine.send("superseded", older, None)
        with self._lock:
            self._unanswered += isinstance(item, Request)
        self.queue.put(item)

    def finish(self) -> None:
        """Do what was asked for and is not done; nothing else, as nobody would see it."""
        with self._lock:
            self._ending = True
            if not self._unanswered:
                return
        self.queue.put(None)
        self.thread.join()

    def _run(self) -> None:
        while (item := self.queue.get()) is not None:
            if isinstance(item, Request):
                self._answer(item)
                with self._lock:
                    self._unanswered -= 1
            elif not self._ending:
                try:
                    item()
                except BaseException as error:  # noqa: BLE001 - a bug is shown, the lane goes on
                    self._engine.report(error)

    def _answer(self, request: Request) -> None:
        if request.method in _NEWEST_ONLY:
            with self._lock:
                if self._waiting.get(request.method) != request.number:
                    return  # superseded, and told so
                del self._waiting[request.method]
        try:
            value = self.handlers[request.method](**request.args)
        except BaseException as error:  # noqa: BLE001 - every error is an answer
            self._engine.answer_error(request.number, error)
        else:
            if request.number:
                self._engine.send("answer", request.number, value)


class Engine:
    """Reads requests from the pipe and hands them to the lanes.

    Args:
        connection: The pipe.
        start: The folder to open.
        watching: The process that watches it.
    """

    def __init__(self, connection: Connection, start: Path, watching: WatchProcess) -> None:
        self._connection = connection
        self.watching = watching
        self._send_lock = threading.Lock()
        self.start_dir = start
        self.pid = int(os.environ.get("MUSE_TUI_PID", "0"))
        self.state = Lane("state", self)
        self.read = Lane("read", self)

    def send(self, kind: str, name: object, payload: object) -> None:
        """Send an answer or news; an interface that is gone is noticed by the reader."""
        try:
            with self._send_lock:
                self._connection.send((kind, name, payload))
        except (OSError, ValueError):
            return

    def news(self, payload: object) -> None:
        """Send news."""
        self.send("news", type(payload).__name__, payload)

    def answer_error(self, number: int, error: BaseException) -> None:
        """Answer a request with what went wrong."""
        from muse_tui.backend.place import as_failure

        failure = as_failure(error)
        if number:
            self.send("error", number, failure)
        elif failure.trace:
            self.news(failure)

    def report(self, error: BaseException) -> None:
        """Tell of an error that no request asked for."""
        from muse_tui.backend.place import as_failure

        self.news(as_failure(error))

    def ask_read(self, method: str) -> None:
        """Have the read lane do something that ends in news."""
        self.read.put(Request(method, 0, {}))

    def run(self) -> None:
        """Serve until the interface says good-bye or is gone."""
        from muse_tui.backend.desk import Desk

        desk = Desk(self)
        self.state.handlers = desk.state_handlers()
        self.read.handlers = desk.read_handlers()
        self.state.thread.start()
        self.read.thread.start()
        self.state.put(desk.open)
        clean = False
        try:
            while True:
                method, number, args = self._connection.recv()
                if method == "bye":
                    clean = True
                    break
                request = Request(method, number, args)
                lane = self.state if method in self.state.handlers else self.read
                if method in lane.handlers:
                    lane.put(request)
                else:
                    self.send("error", number, Failure("bug", f"no such request: {method}"))
        except (EOFError, OSError):
            pass
        desk.note_end(clean=clean)
        self.send("closed", 0, None)
        # The last keys may have staged or discarded something: who leaves does not wait for it.
        self.state.finish()
        desk.close()


def main() -> int:
    """Run the engine."""
    for number in (signal.SIGINT, signal.SIGHUP):
        # The terminal's signals are for the interface; the engine leaves when the pipe ends.
        signal.signal(number, signal.SIG_IGN)
    # Before anything else is here that a second process would hold as well.
    watching = WatchProcess(closed=int(sys.argv[1]))
    engine = Engine(Connection(int(sys.argv[1])), Path(sys.argv[2]), watching)
    engine.run()
    # Lanes may be in the middle of a long read: nothing is lost by leaving it.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
