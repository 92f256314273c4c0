"""Run an action in a forked child, and kill it, or fail it, at its n-th file-system call.

The calls are those of Python's `os` that change something on disk, and for errors also those that
look. The child is the real code on a real repository; only the n-th call is replaced, by the death
of the process or by an error. `tests/crash/test_strace.py` does the same from outside, which also
reaches what C code calls.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

CALLS: Final = (
    "open", "write", "link", "symlink", "replace", "rename", "unlink", "remove", "rmdir", "mkdir",
    "fsync", "ftruncate", "pwrite", "utime",
)  # fmt: skip
# A death before one of these leaves what a death before the next call above leaves.
LOOKS: Final = ("stat", "lstat", "fstat", "listdir", "scandir", "read", "pread", "readlink")
ERRORS: Final = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)
KILLED: Final = 77
FAILED: Final = 78
DONE: Final = 0
MAX_CALLS: Final = 20_000


class Fault:
    """What happens at the n-th call: death, or an error once, or from then on.

    Args:
        at: Which call, counted from 1; 0 for none.
        error: The errno to raise; None to die.
        forever: Raise it from then on.
        looks: Whether calls that only look are counted as well.
    """

    def __init__(
        self, at: int, *, error: int | None = None, forever: bool = False, looks: bool = False
    ) -> None:
        self.at, self.error, self.forever, self.looks = at, error, forever, looks
        self.count = 0
        self.names: list[str] = []

    def install(self) -> None:
        """Replace the calls in this process."""
        for name in (*CALLS, *(LOOKS if self.looks else ())):
            setattr(os, name, self._wrap(getattr(os, name), name))
        if self.looks:
            # What `pathlib` and `with open` call.
            builtins.open = io.open = self._wrap(io.open, "open")  # type: ignore[assignment]

    def _wrap(self, real: Callable[..., object], name: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            self.count += 1
            self.names.append(name)
            if self.count == self.at or (self.forever and self.count > self.at > 0):
                if self.error is None:
                    os._exit(KILLED)
                raise OSError(self.error, os.strerror(self.error))
            return real(*arguments, **options)

        return call


def run_faulted(action: Callable[[], object], fault: Fault) -> int:
    """Run an action in a child under a fault.

    Returns:
        DONE when it reported success, FAILED when it raised, KILLED when it died.
    """
    return run_told(action, fault)[0]


def run_told(action: Callable[[], object], fault: Fault) -> tuple[int, str]:
    """Run an action in a child under a fault; return the outcome, and what it said."""
    reader, writer = os.pipe()
    real_write = os.write
    pid = os.fork()
    if pid == 0:
        try:
            fault.install()
            said = action()
            _tell(real_write, writer, "" if said is None else str(said))
            os._exit(DONE)
        except BaseException as error:  # noqa: BLE001  # whatever it raised, it did not report success
            if os.environ.get("CRASH_TRACE"):
                traceback.print_exc()
            _tell(real_write, writer, str(error))
            os._exit(FAILED)
    os.close(writer)
    with open(reader, "rb") as pipe:
        told = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), told


def _tell(real_write: Callable[[int, bytes], int], writer: int, text: str) -> None:
    # Less than a pipe holds, so that nobody waits.
    real_write(writer, text.encode(errors="replace")[:60_000])


def chosen_stride(stride: int) -> int:
    """Return how many calls to go on by: ``MUSE_CRASH_STRIDE=1`` tries every one."""
    return int(os.environ.get("MUSE_CRASH_STRIDE", stride))


def fresh_copy(base: Path, work: Path) -> None:
    """Put a copy of a folder in the place of what is there."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work, symlinks=True)


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
    total = count_calls(base, work, action)
    for number in range(1, MAX_CALLS, chosen_stride(stride)):
        fresh_copy(base, work)
        outcome = run_faulted(lambda: action(work), Fault(number, error=error, forever=forever))
        yield number, outcome
        if outcome == DONE and number > total:
            return
    raise AssertionError("the action makes too many calls")


def count_calls(
    base: Path, work: Path, action: Callable[[Path], object], *, looks: bool = False
) -> int:
    """Count the calls of an undisturbed run."""
    return len(list_calls(base, work, action, looks=looks))


def list_calls(
    base: Path, work: Path, action: Callable[[Path], object], *, looks: bool = False
) -> list[str]:
    """Return the names of the calls of an undisturbed run, in order."""
    copy = work.with_name(work.name + "-count")
    fresh_copy(base, copy)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        fault = Fault(0, looks=looks)
        real_write = os.write
        fault.install()
        action(copy)
        real_write(writer, " ".join(fault.names).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    shutil.rmtree(copy, ignore_errors=True)
    return text.split()
