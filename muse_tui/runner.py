"""The process of a job: ``python -m muse_tui.runner ROOT ID FD``.

It stands alone in a session of its own, so that it goes on when the window dies. The spec arrives
through a pipe and is on disk before the work begins; progress and result follow. SIGINT and SIGTERM
cancel: nothing is published then.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

from muse_tui.model import Failure

_PROGRESS_EVERY_S = 0.1
_KEEP = 20
# Where there are more programs than processors, keys come first.
_NICE = 5


class CancelledError(BaseException):
    """Somebody asked the job to stop."""


class JobFolder:
    """A job's folder, as its own process writes it.

    Args:
        folder: ``.muse/jobs/<id>``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._told_s = 0.0
        self._cancelled = False

    def cancel(self) -> None:
        """Note that the job is to stop; `tell` raises at the next step."""
        self._cancelled = True

    def write(self, name: str, value: dict[str, object], *, durable: bool = False) -> None:
        """Replace one of the job's files."""
        from muse_tui.backend.files import write_text

        write_text(self.folder / name, json.dumps(value) + "\n", durable=durable)

    def tell(
        self, done: int, total: int | None, *, unit: str = "objects", size_bytes: int | None = None
    ) -> None:
        """Record progress, at most ten times a second; full disks are no reason to stop.

        Raises:
            CancelledError: The job is to stop.
        """
        if self._cancelled:
            raise CancelledError
        now = time.monotonic()
        if now - self._told_s < _PROGRESS_EVERY_S and done != total:
            return
        self._told_s = now
        with contextlib.suppress(OSError):
            self.write(
                "progress.json", {"done": done, "total": total, "unit": unit, "bytes": size_bytes}
            )

    def end(self, state: str, **facts: object) -> None:
        """Write the result, durably."""
        self.write("result.json", {"state": state, "ended_s": time.time(), **facts}, durable=True)


def main() -> int:
    """Run one job."""
    root, job_id, fd = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    os.nice(_NICE)
    with os.fdopen(fd, "rb") as pipe:
        spec = json.loads(pipe.read())
    folder = JobFolder(root / ".muse" / "jobs" / job_id)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: folder.cancel())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    folder.write("spec.json", {**spec, "pid": os.getpid()}, durable=True)
    try:
        from muse_tui.backend.work import run_work

        message, hint, data = run_work(root, spec["kind"], spec.get("args", {}), tell=folder.tell)
        folder.end("done", message=message, hint=hint, data=data)
    except CancelledError:
        folder.end("cancelled", message="cancelled")
    except BaseException as error:  # noqa: BLE001 - the result must be written whatever happens
        from muse_tui.backend.place import as_failure

        failure: Failure = as_failure(error)
        (folder.folder / "log").write_text(failure.trace or failure.message, encoding="utf-8")
        folder.end(
            "failed",
            message=failure.message,
            hint=failure.hint,
            trace=failure.trace,
            kind=failure.kind,
        )
    _forget_old(folder.folder.parent)
    return 0


def _forget_old(jobs: Path) -> None:
    """Keep the newest jobs; older ones that have ended are removed."""
    import shutil

    with contextlib.suppress(OSError):
        names = sorted(name for name in os.listdir(jobs) if not name.startswith("."))
        for name in names[:-_KEEP]:
            if (jobs / name / "result.json").exists():
                shutil.rmtree(jobs / name, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
