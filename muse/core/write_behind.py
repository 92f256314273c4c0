"""Blocks of a large file, written by a thread while the next ones are made."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

Block = bytes | memoryview

# So many blocks wait at most, and are memory.
_AHEAD: Final = 1


class WriteBehind:
    """Takes blocks in order; whoever gives them goes on at once.

    Args:
        write: Called with each block, in a thread; the first error ends it all.
    """

    def __init__(self, write: Callable[[Block], None]) -> None:
        self._write = write
        self._blocks: queue.Queue[Block | None] = queue.Queue(_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)
        self._thread.start()

    def put(self, block: Block) -> None:
        """Hand over a block, which the caller does not touch again.

        Raises:
            BaseException: What the writing of an earlier one raised.
        """
        self._check()
        self._blocks.put(block)

    def wait(self) -> None:
        """Return when all of them are written; raises as `put` does."""
        self._blocks.join()
        self._check()

    def stop(self) -> None:
        """End the thread; what waits is still written, unless there was an error."""
        self._blocks.put(None)
        self._thread.join()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            try:
                if self._error is None:
                    self._write(block)
            except BaseException as error:  # noqa: BLE001 - raised where the blocks come from
                self._error = error
            finally:
                self._blocks.task_done()
