"""The repository's write lock: a flock on a file that stays.

The kernel releases a flock when its process dies, whatever the cause, so kill -9 leaves nothing
to delete (G5). The file is never unlinked: deleting it would let two writers hold two locks.
Readers take no lock.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from muse.core.errors import LockedError
from muse.core.file_lock import lock_file
from muse.core.io import io_errors
from muse.core.paths import lock_path
from muse.core.plain_files import open_plain

WAIT_S: Final = 10.0
_POLL_S: Final = 0.01


class LockOwner(NamedTuple):
    """Who holds the write lock.

    Attributes:
        pid: Process id, in the owner's own container.
        command: What it is doing.
        since_s: Unix time when it took the lock.
    """

    pid: int
    command: str
    since_s: float


class WriteLock:
    """Serialises writers of one repository; a context manager.

    Args:
        root: The repository's root.
        command: What health shows while the lock is held.
        wait_s: How long to wait for another writer.
        path: The lock's file where that is not the repository's own.
    """

    def __init__(
        self, root: Path, *, command: str, wait_s: float = WAIT_S, path: Path | None = None
    ) -> None:
        self._path = path or lock_path(root)
        self._command = command
        self._wait_s = wait_s
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LockedError: Another process still held it after ``wait_s``.
            IoFailedError: The lock file cannot be opened for writing.
        """
        with io_errors("lock the repository", self._path):
            # A link here would let a repository that was unpacked overwrite another file.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(self._path, flags, 0o644)
        deadline = time.monotonic() + self._wait_s
        while not lock_file(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                raise _locked(self._path)
            time.sleep(_POLL_S)
        self._fd = fd
        import json  # start-up time: readers take no lock

        owner = json.dumps([os.getpid(), self._command, round(time.time(), 3)])
        # Only for people who wonder who holds it: a full disk must not matter here.
        with contextlib.suppress(OSError):
            os.pwrite(fd, owner.encode().ljust(200), 0)

    def release(self) -> None:
        """Give the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def find_owner(root: Path) -> LockOwner | None:
    """Tell who holds the write lock right now; None when it is free."""
    return _owner(lock_path(root))


def _owner(path: Path) -> LockOwner | None:
    import json  # start-up time

    try:
        fd = open_plain(path)
    except OSError:
        return None
    try:
        if lock_file(fd, shared=True):
            return None
        pid, command, since_s = json.loads(os.pread(fd, 400, 0).decode(errors="replace"))
        return LockOwner(int(pid), str(command), float(since_s))
    except (ValueError, TypeError):
        return LockOwner(0, "unknown", 0.0)
    finally:
        os.close(fd)


def _locked(path: Path) -> LockedError:
    owner = _owner(path)
    if owner is None or not owner.pid:
        who = "another process"
    else:
        age_s = max(0, int(time.time() - owner.since_s))
        who = f"process {owner.pid} ({owner.command}, for {age_s} s)"
    return LockedError(
        f"The repository is being written by {who}.",
        hint="Wait for it, or stop it: its lock goes with the process; there is no file to delete.",
    )
