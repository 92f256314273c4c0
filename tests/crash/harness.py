"""Run an action in a forked child, and kill it, or fail it, at its n-th file-system call.

The calls are those of Python's `os` that change something on disk. The child is the real code on
a real repository; only the n-th call is replaced, by the death of the process or by an error.
"""

from __future__ import annotations

import errno
import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

CALLS: Final = (
    "open", "write", "link", "replace", "rename", "unlink", "rmdir", "mkdir", "fsync",
    "ftruncate", "pwrite", "utime",
)  # fmt: skip
KILLED: Final = 77
FAILED: Final = 78
DONE: Final = 0
MAX_CALLS: Final = 5000


class Fault:
    """What happens at the n-th call: death, or an error once, or from then on.

    Args:
        at: Which call, counted from 1; 0 for none.
        error: The errno to raise; None to die.
        forever: Raise it from then on.
    """

    def __init__(self, at: int, *, error: int | None = None, forever: bool = False) -> None:
        self.at, self.error, self.forever = at, error, forever
        self.count = 0

    def install(self) -> None:
        """Replace the calls in this process."""
        for name in CALLS:
            setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            self.count += 1
            if self.count == self.at or (self.forever and self.count > self.at > 0):
                if self.error is None:
                    os._exit(KILLED)
                raise OSError(self.error, os.strerror(self.error))
            return real(*arguments, **options)

        return call


def run_faulted(action: Callable[[], None], fault: Fault) -> int:
    """Run an action in a child under a fault.

    Returns:
        DONE when it reported success, FAILED when it raised, KILLED when it died.
    """
    pid = os.fork()
    if pid == 0:
        try:
            fault.install()
            action()
            os._exit(DONE)
        except Exception:  # noqa: BLE001  # whatever it raised, it did not report success
            if os.environ.get("CRASH_TRACE"):
                traceback.print_exc()
            os._exit(FAILED)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def every_fault(
    base: Path,
    work: Path,
    action: Callable[[Path], None],
    *,
    error: int | None = None,
    forever: bool = False,
    stride: int = 1,
) -> Iterator[tuple[int, int]]:
    """Repeat an action on fresh copies of a repository, with a fault at each call in turn.

    Args:
        base: The repository to start from.
        work: Where each copy lies while the caller looks at it.
        action: Called with the copy's root.
        error: As in `Fault`.
        forever: As in `Fault`.
        stride: Try every stride-th call only; ``MUSE_CRASH_STRIDE=1`` tries them all.

    Yields:
        (n, outcome) after each run; ends after the first run that n did not reach.
    """
    stride = int(os.environ.get("MUSE_CRASH_STRIDE", stride))
    total = _reaches(base, work, action)
    for number in range(1, MAX_CALLS, stride):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work, symlinks=True)
        outcome = run_faulted(lambda: action(work), Fault(number, error=error, forever=forever))
        yield number, outcome
        if outcome == DONE and number > total:
            return
    raise AssertionError("the action makes too many calls")


def _reaches(base: Path, work: Path, action: Callable[[Path], None]) -> int:
    """Count the calls of an undisturbed run."""
    copy = work.with_name(work.name + "-count")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(base, copy, symlinks=True)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        fault = Fault(0)
        real_write = os.write
        fault.install()
        action(copy)
        real_write(writer, str(fault.count).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    shutil.rmtree(copy, ignore_errors=True)
    return int(text)


ERRORS: Final = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)
