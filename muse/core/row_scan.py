"""Compare all rows with the working tree, in this process or in several at once.

Looking at a hundred thousand files is a hundred thousand system calls, and threads of one Python
process take turns at them. So forked children take shares of the rows from a pipe, as the parent
does once it has time: whoever is faster does more. A child reads only. One that dies takes its
shares with it, and the parent looks at those as well.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from muse.core.forked import Child, can_fork, count_cores

if TYPE_CHECKING:
    from muse.core.row_compare import Found, RowComparer

_SHARE_ROWS: Final = 2048
# All numbers of shares must fit into the pipe at once.
_MAX_SHARES: Final = 8192
_NUMBER: Final = 4
# More of them hinder each other: they all look at the same file system.
_MAX_PROCESSES: Final = 4


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
        self._children: list[Child] = []
        cores = min(count_cores(), _MAX_PROCESSES)
        self.helpers = (processes or cores) - 1 if can_fork() else 0

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
            self._children.append(Child(self._work))

    @property
    def _count(self) -> int:
        return -(-len(self._rows) // self._size)

    def _work(self) -> Iterator[bytes]:
        """Yield what a child found."""
        for numbers in self._take_shares(self._make_comparer()):
            yield len(numbers).to_bytes(8, "little")
            yield array("Q", numbers).tobytes()

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
            child.end()
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
            data = self._children.pop().receive()
            if data is not None:
                found = _decode(data)
                done += found[0]
                changed += found[1]
                missing += found[2]
        # What a child that failed had taken: if it met an error, the error is met here.
        for number in set(range(self._count)).difference(done):
            found_now = comparer.compare(self._share(number))
            changed += found_now[0]
            missing += found_now[1]
        return changed, missing


def _decode(data: bytes) -> tuple[list[int], ...]:
    """Return the lists that a child sent."""
    found: list[list[int]] = []
    at = 0
    for _ in range(3):
        end = at + 8 + 8 * int.from_bytes(data[at : at + 8], "little")
        numbers = array("Q")
        numbers.frombytes(data[at + 8 : end])
        found.append(numbers.tolist())
        at = end
    return tuple(found)
