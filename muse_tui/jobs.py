"""Jobs: commits, pushes and the like, each a process of its own that outlives the window.

A job lives in ``.muse/jobs/<id>/``: ``spec.json`` (what it is), ``lock`` (held by flock while its
process lives), ``progress.json``, ``log`` and ``result.json``. Only the job's process writes there;
this module starts it, in a session of its own, and reads. A job without a result whose lock is
free has died. One job runs at a time: the next is refused until it has ended.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from muse_tui.model import JobView

_POLL_S = 0.05
_BORN_WITHIN_S = 20.0


class JobRefusedError(Exception):
    """A job could not be started; the text says why."""


def jobs_dir(root: Path) -> Path:
    """Return the folder of all jobs."""
    return root / ".muse" / "jobs"


def _read_json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def is_alive(folder: Path) -> bool:
    """Tell whether a job's process lives: it holds the lock."""
    try:
        fd = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None


def read_job(folder: Path) -> JobView | None:
    """Return the state of a job from its folder; None while it has no spec yet."""
    alive = is_alive(folder)
    spec = _read_json(folder / "spec.json")
    if not spec:
        return None
    progress = _read_json(folder / "progress.json")
    result = _read_json(folder / "result.json")
    state = str(result.get("state", "running" if alive else "died"))
    data = result.get("data")
    started = spec.get("started_s")
    ended = result.get("ended_s")
    message = str(result.get("message", ""))
    if state == "died":
        message = f"The {spec.get('kind', 'job')} died before it ended."
    return JobView(
        id=folder.name,
        kind=str(spec.get("kind", "job")),
        label=str(spec.get("label", "")),
        state=state,
        done=_int(progress.get("done")) or 0,
        total=_int(progress.get("total")),
        unit=str(progress.get("unit", "objects")),
        bytes_done=_int(progress.get("bytes")),
        started_s=float(started) if isinstance(started, int | float) else 0.0,
        ended_s=float(ended) if isinstance(ended, int | float) else 0.0,
        message=message,
        hint=str(result.get("hint", "")),
        data=tuple((str(k), str(v)) for k, v in data.items()) if isinstance(data, dict) else (),
    )


def read_jobs(root: Path) -> list[JobView]:
    """Return all jobs, newest first."""
    try:
        names = sorted(n for n in os.listdir(jobs_dir(root)) if not n.startswith("."))
    except OSError:
        return []
    jobs = (read_job(jobs_dir(root) / name) for name in reversed(names))
    return [job for job in jobs if job is not None]


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
        pid = _int(_read_json(folder / "spec.json").get("pid"))
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
