"""Jobs as they stand on disk, in ``.muse/jobs/<id>/``.

``spec.json`` (what it is), ``lock`` (held by flock while its process lives), ``progress.json``,
``log`` and ``result.json``. Only the job's own process writes there. A job without a result whose
lock is free has died.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from muse_tui.model import JobView


def jobs_dir(root: Path) -> Path:
    """Return the folder of all jobs."""
    return root / ".muse" / "jobs"


def read_json(path: Path) -> dict[str, object]:
    """Return a small file; empty when it is missing or torn."""
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


def as_int(value: object) -> int | None:
    """Return a whole number, or None for anything else."""
    return value if isinstance(value, int) else None


def read_job(folder: Path) -> JobView | None:
    """Return the state of a job from its folder; None while it has no spec yet."""
    alive = is_alive(folder)
    spec = read_json(folder / "spec.json")
    if not spec:
        return None
    progress = read_json(folder / "progress.json")
    result = read_json(folder / "result.json")
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
        done=as_int(progress.get("done")) or 0,
        total=as_int(progress.get("total")),
        unit=str(progress.get("unit", "objects")),
        bytes_done=as_int(progress.get("bytes")),
        started_s=float(started) if isinstance(started, int | float) else 0.0,
        ended_s=float(ended) if isinstance(ended, int | float) else 0.0,
        message=message,
        hint=str(result.get("hint", "")),
        problem=str(result.get("kind", "")),
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
