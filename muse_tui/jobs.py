"""Jobs: commits, pushes and the like, each a process of its own that outlives the window.

A job's process stands in a session of its own and writes its folder (see `job_files`); here it is
started, followed and cancelled. One job runs at a time: the next is refused until it has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from muse_tui.job_files import as_int, is_alive, jobs_dir, read_job, read_jobs, read_json
from muse_tui.model import JobView

_POLL_S = 0.05
_BORN_WITHIN_S = 20.0


class JobRefusedError(Exception):
    """A job could not be started; the text says why."""


class JobDesk:
    """Starts jobs one at a time and follows them.

    Args:
        root: The repository's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running: JobView | None = None
        self._child = 0
        self._started_s = 0.0

    def adopt(self) -> JobView | None:
        """Return the job of an earlier interface that still runs, and make it ours."""
        for job in read_jobs(self.root):
            if job.state == "running":
                self.running = job
                return job
        return None

    def start(self, kind: str, label: str, args: Mapping[str, object]) -> JobView:
        """Start a job in a session of its own.

        Raises:
            JobRefusedError: Another one runs, or the system said no.
        """
        other = self.running or self.adopt()
        if other is not None:
            raise JobRefusedError(f"The {other.kind} is not finished yet.")
        now = time.time()
        job_id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{os.getpid()}-{kind}"
        if (jobs_dir(self.root) / job_id).exists():
            job_id += f"-{time.monotonic_ns() % 1_000_000:06}"
        spec = {"kind": kind, "label": label, "started_s": now, "args": dict(args)}
        try:
            self._child = _spawn(self.root, job_id, json.dumps(spec).encode())
        except OSError as error:
            raise JobRefusedError(f"The {kind} did not start: {error.strerror}.") from error
        self._started_s = time.monotonic()
        self.running = JobView(job_id, kind, label, started_s=now)
        return self.running

    async def follow(self, job_id: str) -> AsyncIterator[JobView]:
        """Yield the job's state whenever it changes; the last one is its end."""
        folder = jobs_dir(self.root) / job_id
        last = self.running
        if last is not None:
            yield last
        while True:
            await asyncio.sleep(_POLL_S)
            gone = self._reap()
            job = read_job(folder)
            if job is None:
                young = time.monotonic() - self._started_s < _BORN_WITHIN_S
                if self._child and not gone and young:
                    continue
                job = (last or JobView(job_id, "job", ""))._replace(
                    state="failed", message="The job's process could not start."
                )
            if job != last:
                last = job
                if job.state == "running":
                    self.running = job
                    yield job
                    continue
            if job.state != "running":
                self.running = None
                yield job
                return

    def _reap(self) -> bool:
        if not self._child:
            return True
        try:
            pid, _ = os.waitpid(self._child, os.WNOHANG)
        except ChildProcessError:
            pid = self._child
        if pid:
            self._child = 0
        return bool(pid)

    def cancel(self) -> bool:
        """Ask the running job to stop; tell whether there was one."""
        job = self.running
        if job is None:
            return False
        folder = jobs_dir(self.root) / job.id
        pid = as_int(read_json(folder / "spec.json").get("pid"))
        # The lock proves that this process is the job's and not a later one of the same number.
        if pid is None or not is_alive(folder):
            return False
        try:
            os.kill(pid, signal.SIGINT)
        except OSError:
            return False
        return True


def _spawn(root: Path, job_id: str, spec: bytes) -> int:
    """Start the job's process; it reads its spec from a pipe and then stands alone."""
    out, into = os.pipe()
    os.set_inheritable(out, True)
    command = [sys.executable, "-P", "-m", "muse_tui.runner", str(root), job_id, str(out)]
    null = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
        pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setsid=True)
        os.close(out)
        out = -1
        # A commit message is far smaller than a pipe holds, unless somebody pastes a book.
        os.set_blocking(into, True)
        view = memoryview(spec)
        while view:
            view = view[os.write(into, view[:60_000]) :]
        return pid
    finally:
        for fd in (out, into, null):
            if fd >= 0:
                os.close(fd)
