"""The watcher in a process of its own, forked from the engine before anything else happens there.

Setting up the watches of a hundred thousand files takes watchfiles a third of a second, in which it
lets no other thread of its process run: in the engine's, that would hold up every answer. What it
tells comes through a pipe. It ends with the engine, whatever ends that: the pipe does.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NoReturn

from muse_tui.looks import prepare
from muse_tui.watcher import Hint, Watcher

# A state (``live``, ``polling`` or ``stopped``), a reason, and since when (monotonic seconds).
Tell = Callable[[str, str, float], None]


class WatchProcess:
    """Watches a working tree, when told which; a process that is lost becomes a thread here.

    Args:
        closed: A descriptor that the child must not keep.
    """

    def __init__(self, *, closed: int) -> None:
        self._connection, theirs = Pipe()
        self._is_over = False
        self._instead: Watcher | None = None
        self.pid = os.fork()
        if not self.pid:
            os.close(closed)
            self._connection.close()
            _live(theirs)
        theirs.close()

    def start(self, root: str, hear: Callable[[Hint], None], tell: Tell) -> None:
        """Begin to watch.

        Args:
            root: The repository's folder.
            hear: Called from a thread with each hint.
            tell: Called from that thread with each new state.
        """
        with contextlib.suppress(OSError):
            self._connection.send(root)

        def listen() -> None:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    name, *said = self._connection.recv()
                    if self._is_over:
                        break
                    (hear if name == "hint" else tell)(*said)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            if not self._is_over:
                self._instead = _make_watcher(root, hear, tell)
                self._instead.start()

        threading.Thread(target=listen, name="watcher-reader", daemon=True).start()

    def stop(self) -> None:
        """Stop watching; returns at once."""
        self._is_over = True
        if self._instead is not None:
            self._instead.stop()


def _make_watcher(root: str, hear: Callable[[Hint], None], tell: Tell) -> Watcher:
    from muse.core.temps import family_of  # not before the fork: start-up time of the engine

    return Watcher(
        root,
        hear,
        lambda state, reason: tell(state, reason, time.monotonic()),
        is_temp=lambda name: family_of(name) is not None,
    )


def _live(connection: Connection) -> NoReturn:
    """Be the child: watch until the engine has gone."""
    try:
        prepare()
        root = connection.recv()
        threading.Thread(target=_end_with_the_engine, args=(connection,), daemon=True).start()

        def hear(hint: Hint) -> None:
            if hint.reconcile:
                # Who looks at everything needs no names, and they may be many.
                hint = hint._replace(paths=frozenset(), folders=frozenset())
            connection.send(("hint", hint))

        _make_watcher(root, hear, lambda *state: connection.send(("state", *state))).run()
    finally:
        # Never back into what the engine goes on to do.
        os._exit(0)


def _end_with_the_engine(connection: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        connection.recv()
    os._exit(0)
