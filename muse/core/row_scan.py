"""Compare all rows with the working tree, in this process or in several at once.

Looking at a hundred thousand files is a hundred thousand system calls, and threads of one Python
process take turns at them. So forked children take shares of the rows from a pipe, as the parent
does once it has time: whoever is faster does more. A child reads only. One that dies takes its
shares with it, and the parent looks at those as well.
"""

from __future__ import annotations

import os
import signal
import sys
from array import array
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from muse.core.row_compare import Found, RowComparer

_SHARE_ROWS: Final = 2048
# All numbers of shares must fit into the pipe at once.
_MAX_SHARES: Final = 8192
_NUMBER: Final = 4
# More of them hinder each other: they all look at the same file system.
_MAX_PROCESSES: Final = 4


class _Child(NamedTuple):
    pid: int
    pipe: int


class RowScan:
    """One comparison; a context manager that leaves no child behind.

    Args:
        rows: Which rows.
        make_comparer: Makes what a child compares with; it is called in the child.
        processes: How many take part, this one included; one for each core when None.

    Attributes:
        helpers: How many children take part.

    A process with other threads does all of it alone, since a fork in their midst is not safe.
    """

    def __init__(
        self, rows: range, make_comparer: Callable[[], RowComparer], *, processes: int | None = None
    ) -> None:
        self._rows = rows
        self._make_comparer = make_comparer
        self._size = max(_SHARE_ROWS, len(rows) // _MAX_SHARES + 1)
        self._shares = -1
        self._children: list[_Child] = []
        alone = _has_threads() or not hasattr(os, "fork")
        self.helpers = 0 if alone else (processes or _count_cores()) - 1

    def __enter__(self) -> Self:
        if self._shares < 0:
            self.start()
        return self

    def start(self) -> None:
        """Fork the children; whoever calls this before the block has to reach `stop`."""
        self._shares, out = os.pipe()
        with open(out, "wb") as pipe:
            pipe.write(b"".join(n.to_bytes(_NUMBER, "little") for n in range(self._count)))
        for _ in range(self.helpers):
            receive, send = os.pipe()
            pid = os.fork()
            if not pid:
                self._run_child(send)
            os.close(send)
            self._children.append(_Child(pid, receive))

    @property
    def _count(self) -> int:
        return -(-len(self._rows) // self._size)

    def _run_child(self, send: int) -> None:
        """Send what was found, and end without any of the parent's cleaning up."""
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            done, changed, missing = self._take_shares(self._make_comparer())
            with open(send, "wb") as pipe:
                for numbers in (done, changed, missing):
                    pipe.write(len(numbers).to_bytes(8, "little"))
                    pipe.write(array("Q", numbers).tobytes())
            status = 0
        finally:
            os._exit(status)

    def _take_shares(self, comparer: RowComparer) -> tuple[list[int], list[int], list[int]]:
        """Do shares until there are none left; return which, and what was found."""
        done: list[int] = []
        changed: list[int] = []
        missing: list[int] = []
        while number := os.read(self._shares, _NUMBER):
            done.append(int.from_bytes(number, "little"))
            found = comparer.compare(self._share(done[-1]))
            changed += found[0]
            missing += found[1]
        return done, changed, missing

    def _share(self, number: int) -> range:
        low = self._rows.start + number * self._size
        return range(low, min(low + self._size, self._rows.stop))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the children that are still there."""
        os.close(self._shares)
        for child in self._children:
            os.close(child.pipe)
            try:
                os.kill(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            finally:
                os.waitpid(child.pid, 0)
        self._children.clear()

    def finish(self, comparer: RowComparer) -> Found:
        """Take part in what is left to do, and gather what the others found.

        Args:
            comparer: What this process compares with.

        Returns:
            The rows whose file may have changed, and those without a file.

        Raises:
            IoFailedError: A path cannot be looked at.
        """
        done, changed, missing = self._take_shares(comparer)
        while self._children:
            child = self._children.pop()
            found = _receive(child)
            if found is not None:
                done += found[0]
                changed += found[1]
                missing += found[2]
        # What a child that failed had taken: if it met an error, the error is met here.
        for number in set(range(self._count)).difference(done):
            found_now = comparer.compare(self._share(number))
            changed += found_now[0]
            missing += found_now[1]
        return changed, missing


def _has_threads() -> bool:
    # Whoever has a thread has loaded the module.
    threading = sys.modules.get("threading")
    return threading is not None and threading.active_count() > 1


def _count_cores() -> int:
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return min(cores, _MAX_PROCESSES)


def _receive(child: _Child) -> tuple[list[int], ...] | None:
    """Read what a child sent, and reap it; None when it failed."""
    with open(child.pipe, "rb") as pipe:
        data = pipe.read()
    if os.waitpid(child.pid, 0)[1]:
        return None
    found: list[list[int]] = []
    at = 0
    for _ in range(3):
        end = at + 8 + 8 * int.from_bytes(data[at : at + 8], "little")
        numbers = array("Q")
        numbers.frombytes(data[at + 8 : end])
        found.append(numbers.tolist())
        at = end
    return tuple(found)
