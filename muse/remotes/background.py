"""A few calls beside the caller's own, in threads that never keep the process from ending."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


class Lane:
    """Runs calls in the background, so many at a time.

    The threads are daemons: whoever interrupts a command does not wait for a request that hangs
    (`concurrent.futures` would).

    Args:
        width: How many at a time.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._free = threading.Semaphore(width)

    def run(self, call: Callable[[], _R]) -> Future[_R]:
        """Start a call; waits for a free place first."""
        future: Future[_R] = Future()
        self._free.acquire()

        def work() -> None:
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  # whoever asks for the result gets it
                future.set_exception(error)
            finally:
                self._free.release()

        threading.Thread(target=work, daemon=True).start()
        return future

    def map(self, call: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Yield the results in order; never more than the lane's width are begun ahead."""
        ahead: deque[Future[_R]] = deque()
        for item in items:
            if len(ahead) >= self._width:
                yield ahead.popleft().result()
            ahead.append(self.run(lambda item=item: call(item)))  # type: ignore[misc]  # a default, not an argument
        while ahead:
            yield ahead.popleft().result()
