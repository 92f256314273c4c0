"""Compare all rows with the working tree, in this process or in two at once.

Looking at a hundred thousand files is a hundred thousand system calls, and threads of one Python
process take turns at them. A forked child looks at the upper half and sends back the numbers of
the rows that differ. It reads only, and if it dies the parent looks at its share as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from array import array
from types import TracebackType
from typing import Self

from muse.core.scan import find_changed_rows
from muse.core.stat_columns import StatColumns

# The parent looks at the folders meanwhile.
_CHILD_SHARE = 0.54

Found = tuple[list[int], list[int]]


class RowScan:
    """One comparison; a context manager that leaves no child behind.

    Args:
        root: The working tree's folder.
        files: The rows.
        rows: Which of them.

    A process with other threads does all of it alone, since a fork in their midst is not safe; so
    does one with a single core.
    """

    def __init__(self, root: bytes, files: StatColumns, rows: range) -> None:
        self._root, self._files = root, files
        self._own = rows
        self._others = range(rows.stop, rows.stop)
        self._pid = 0
        self._pipe = -1
        if (os.cpu_count() or 1) > 1 and threading.active_count() == 1:
            middle = rows.stop - int(len(rows) * _CHILD_SHARE)
            self._own, self._others = range(rows.start, middle), range(middle, rows.stop)

    def __enter__(self) -> Self:
        if self._others and hasattr(os, "fork"):
            self._pipe, out = os.pipe()
            self._pid = os.fork()
            if not self._pid:
                self._run_child(out)
            os.close(out)
        return self

    def _run_child(self, out: int) -> None:
        """Send what was found, and end without any of the parent's cleaning up."""
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            changed, missing = find_changed_rows(self._root, self._files, self._others)
            with open(out, "wb") as pipe:
                for rows in (changed, missing):
                    pipe.write(len(rows).to_bytes(8, "little"))
                    pipe.write(array("Q", rows).tobytes())
            status = 0
        finally:
            os._exit(status)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def finish(self) -> Found:
        """Return the rows whose file may have changed, and those without a file.

        Raises:
            IoFailedError: A path cannot be looked at.
        """
        changed, missing = find_changed_rows(self._root, self._files, self._own)
        if self._others:
            found = self._receive() if self._pid else None
            if found is None:
                found = find_changed_rows(self._root, self._files, self._others)
            changed += found[0]
            missing += found[1]
        return changed, missing

    def _receive(self) -> Found | None:
        """Read what the child sent; None when it failed, so that its error is met here."""
        with open(self._pipe, "rb") as pipe:
            self._pipe = -1
            data = pipe.read()
        pid, self._pid = self._pid, 0
        if os.waitpid(pid, 0)[1]:
            return None
        found: list[list[int]] = []
        at = 0
        for _ in range(2):
            end = at + 8 + 8 * int.from_bytes(data[at : at + 8], "little")
            rows = array("Q")
            rows.frombytes(data[at + 8 : end])
            found.append(rows.tolist())
            at = end
        return found[0], found[1]
