"""How the interface ended last time: a note under ``.muse/health/interface/``.

While the interface runs, its engine holds a flock on a file there. Leaving cleanly removes the file
and writes ``last.json``. A file whose lock is free belongs to an interface that died; the engine,
which outlives a killed interface by a moment, writes the time of death into it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from muse.core.file_lock import lock_file
from muse.core.io import make_dirs, remove_file, write_text_atomic
from muse.core.paths import health_dir


@dataclass(frozen=True, slots=True)
class LastEnd:
    """How the interface ended last.

    Attributes:
        state: ``first``, ``clean`` or ``crashed``.
        pid: The process that died; 0 when it was a clean end.
        started_s: When it had begun.
        ended_s: When it ended; 0 when nobody saw it.
    """

    state: str = "first"
    pid: int = 0
    started_s: float = 0.0
    ended_s: float = 0.0


def _folder(root: Path) -> Path:
    return health_dir(root) / "interface"


def _read(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


class Session:
    """This interface's own note; `begin` writes it, `end` or `died` closes it.

    Args:
        root: The repository's folder.
        pid: The process of the interface (not of its engine).
    """

    def __init__(self, root: Path, pid: int) -> None:
        self._root, self._pid = root, pid
        self._started_s = time.time()
        self._path = _folder(root) / f"{pid}-{int(self._started_s * 1000)}.json"
        self._fd = -1

    def begin(self) -> LastEnd:
        """Find how the last one ended, and note that this one runs.

        Raises:
            OSError: Nothing can be written here.
            MuseError: As above, with a hint.
        """
        last = self._collect()
        make_dirs(_folder(self._root))
        # Not by temp and rename: the lock must be on the file that keeps its name.
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        lock_file(self._fd)
        self._note({"state": "running"})
        return last

    def _note(self, extra: dict[str, object]) -> None:
        note = {"pid": self._pid, "started_s": self._started_s, **extra}
        data = json.dumps(note).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, data, 0)

    def _collect(self) -> LastEnd:
        folder = _folder(self._root)
        last = _read(folder / "last.json")
        found = LastEnd(
            str(last.get("state", "first")),
            int(_number(last.get("pid"))),
            _number(last.get("started_s")),
            _number(last.get("ended_s")),
        )
        try:
            names = [n for n in os.listdir(folder) if n.endswith(".json") and n != "last.json"]
        except OSError:
            return found
        crashed: list[LastEnd] = []
        for name in names:
            path = folder / name
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                if not lock_file(fd):
                    continue  # another interface runs
                note = _read(path)
                ended = _number(note.get("died_s"))
                pid, started = int(_number(note.get("pid"))), _number(note.get("started_s"))
                crashed.append(LastEnd("crashed", pid, started, ended))
                remove_file(path)
            finally:
                os.close(fd)
        if crashed:
            found = max(crashed, key=lambda end: end.started_s)
            self._write_last(found)
        return found

    def _write_last(self, end: LastEnd) -> None:
        note = {
            "state": end.state,
            "pid": end.pid,
            "started_s": end.started_s,
            "ended_s": end.ended_s,
        }
        write_text_atomic(_folder(self._root) / "last.json", json.dumps(note) + "\n")

    def end(self) -> None:
        """Note a clean end."""
        if self._fd < 0:
            return
        self._write_last(LastEnd("clean", 0, self._started_s, time.time()))
        remove_file(self._path)
        os.close(self._fd)
        self._fd = -1

    def died(self) -> None:
        """Note that the interface is gone without a word; the engine calls this."""
        if self._fd >= 0:
            self._note({"state": "died", "died_s": time.time()})
            os.close(self._fd)
            self._fd = -1
