"""muse-tui in a real terminal: start, keys, saved files, storms, memory, idling, quitting.

Everything is waited for as a person waits: until it is painted. What a refresh costs the event loop
is measured in `benchmarks.loop`, without a terminal.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.measure import run_once
from benchmarks.rows import Figure, Row
from benchmarks.window import Window, cpu_s, memory_mb, written_bytes
from benchmarks.workshop import MUSE, Workshop

KEY_MS: Final = 20.0
SAVED_MS: Final = 100.0
START_MS: Final = 600.0
QUIT_MS: Final = 300.0
STORM_S: Final = 2.0
MEMORY_MB: Final = 120.0
IDLE_PERCENT: Final = 0.5
# Ten milliseconds, and five microseconds a row.
REFRESH_MS: Final = (10.0, 0.005)
STORM_FILES: Final = 40_000
_KEYS: Final = 60
_IDLE_S: Final = 10.0
_JOB_S = 120


def p95(values: Sequence[float]) -> float:
    """The 95th percentile: the value below which 19 of 20 lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]


def rows(workshop: Workshop) -> Iterator[Row]:
    """Each size: start, keys and saved files; the largest: everything else, too."""
    for files in workshop.sizes:
        root = workshop.pair(files).ours
        yield from _starts(root, files, workshop.runs)
        yield from _loop(workshop, files)
        with _Session(root, files) as session:
            yield from session.keys_when_idle()
            yield session.saved_files()
            if files == max(workshop.sizes):
                yield session.keys_while_pushing(workshop.folder("origin"))
                yield from session.memory()
                yield from session.storm_and_commit()
                yield from session.idle()


def _starts(root: Path, files: int, runs: int) -> Iterator[Row]:
    """Start and quit, several times."""
    frames, ready, live, quits, spent = [], [], [], [], []
    for _ in range(runs):
        window = Window(root)
        frames.append(window.until("Working tree"))
        # The lists are whole; saved files are told of a moment later, when the badge says so.
        ready.append(window.until("as of"))
        live.append(window.until("● live"))
        spent.append(cpu_s(window.pids()["interface"]) * 1e3)
        quits.append(window.quit())
    yield _figure("muse-tui: first frame", frames, None, files)
    yield _figure("muse-tui: interactive, warm cache", ready, START_MS, files)
    yield _figure("muse-tui: live, warm cache", live, None, files)
    # On a machine that does other things, too, this says what the wall clock cannot.
    yield _figure("muse-tui: processor time until interactive", spent, START_MS, files)
    yield _figure("muse-tui: quit", quits, QUIT_MS, files)


def _figure(workload: str, values: Sequence[float], bar: float | None, files: int) -> Figure:
    return Figure(workload, p95(values), "ms", bar, files=files, note="p95", values=tuple(values))


def _loop(workshop: Workshop, files: int) -> Iterator[Row]:
    """What a refresh of K rows costs the event loop, with so many rows in the list."""
    folder = workshop.folder("loop")
    command = [sys.executable, "-m", "benchmarks.loop", str(folder), str(files)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    for changed, values in found.items():
        bar = REFRESH_MS[0] + REFRESH_MS[1] * int(changed)
        what = f"muse-tui: event loop, {changed} changed rows"
        yield _figure(what, values, bar, files)


class _Session:
    """One window on a tree, with some rows to move over."""

    def __init__(self, root: Path, files: int) -> None:
        self._root, self._files = root, files
        for number in range(_KEYS):
            (root / f"0-key-{number:02}.txt").write_text("x\n")
        self._window = Window(root)

    def __enter__(self) -> _Session:
        self._window.until("● live")
        self._window.until("0-key-00")
        return self

    def __exit__(self, *_: object) -> None:
        if self._window.process.isalive():
            self._window.quit()
        self._window.process.close(force=True)
        for path in (*self._root.glob("0-*.txt"), self._root / "0-storm"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _press(self, number: int) -> float:
        """Move down by one row, or from the last one to the first."""
        at = number % _KEYS
        if at == 0:
            self._window.send("<")
            self._window.settle()
        wanted = f"0-key-{min(at + 1, _KEYS - 1):02}".encode()
        return self._window.key("j", wanted) if at < _KEYS - 1 else 0.0

    def keys_when_idle(self) -> Iterator[Row]:
        """Key to paint with nothing else going on, and what a key costs whatever else runs."""
        self._window.settle()
        pid = self._window.pids()["interface"]
        before = cpu_s(pid)
        late = [self._press(number) for number in range(_KEYS - 1)]
        self._window.settle()
        spent_ms = (cpu_s(pid) - before) / len(late) * 1e3
        yield _figure("muse-tui: key → paint, idle", late, KEY_MS, self._files)
        what = "muse-tui: processor time of a key and its diff"
        yield Figure(what, spent_ms, "ms", KEY_MS, files=self._files)

    def _keys_until(self, end: str) -> list[float]:
        """Press keys until a job has ended.

        Raises:
            TimeoutError: It has not, or not as it should.
        """
        self._window.send("<")
        self._window.settle()
        late: list[float] = []
        deadline = time.monotonic() + _JOB_S
        while end not in (line := self._window.screen.display[38]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"'{end}' was to be read after {_JOB_S} s, not: {line}")
            value = self._press(len(late))
            late.append(value)
            self._window.read(0.02)
        return [value for value in late if value]

    def keys_while_pushing(self, origin: Path) -> Figure:
        """Key to paint while everything is pushed."""
        run_once([MUSE, "init", "--bare", str(origin)], cwd=origin.parent)
        run_once([MUSE, "remote", "add", "origin", str(origin)], cwd=self._root)
        self._window.send("P")
        self._window.until("cancel")
        late = self._keys_until("Pushed")
        run_once([MUSE, "remote", "remove", "origin"], cwd=self._root)
        what = f"muse-tui: key → paint, {len(late)} keys while pushing"
        return _figure(what, late or [0.0], KEY_MS, self._files)

    def saved_files(self) -> Figure:
        """A file saved by another program, to its row on the screen."""
        late = []
        for number in range(20):
            path = self._root / f"0-a-saved-{99 - number}.txt"  # above the one before: in sight
            self._window.send("<")
            self._window.settle()
            start = time.perf_counter()
            path.write_text("x\n")
            late.append(self._window.painted(path.name.encode(), start))
        for path in self._root.glob("0-a-saved-*"):
            path.unlink()
        self._window.until(f"{_KEYS} changed")
        return _figure("muse-tui: file saved → row painted", late, SAVED_MS, self._files)

    def memory(self) -> Iterator[Row]:
        """What the processes hold."""
        for name, pid in self._window.pids().items():
            bar = MEMORY_MB if name != "guard" else None
            what = f"muse-tui: memory of the {name}"
            yield Figure(what, memory_mb(pid), "MB", bar, files=self._files)

    def storm_and_commit(self) -> Iterator[Row]:
        """Many new files at once; then their commit, with keys meanwhile."""
        before = int(self._changed())
        script = (
            f"import os; os.mkdir('0-storm')\n"
            f"for n in range({STORM_FILES}): open(f'0-storm/{{n}}', 'w').close()"
        )
        subprocess.run([sys.executable, "-c", script], cwd=self._root, check=True)
        ended = time.perf_counter()
        total = f"{before + STORM_FILES:,}".replace(",", " ")
        self._window.until(f"{total} changed")
        took = time.perf_counter() - ended
        what = f"muse-tui: {STORM_FILES} new files → pane complete"
        yield Figure(what, took, "s", STORM_S, files=self._files, note="after the last")
        run_once([MUSE, "add", "0-storm"], cwd=self._root)
        self._window.until(f"{before} changed")
        self._window.send("c")
        self._window.until("ctrl+s commit")
        self._window.send("A storm")
        self._window.until("A storm")
        self._window.send("\x13")
        self._window.until("cancel")
        late = self._keys_until("Committed")
        what = f"muse-tui: key → paint, {len(late)} keys while committing"
        yield _figure(what, late or [0.0], KEY_MS, self._files)

    def _changed(self) -> str:
        """The count in the title of the working tree."""
        title = self._window.screen.display[1]
        return title.partition(" changed")[0].rpartition("─ ")[2].replace(" ", "")

    def _until_quiet(self) -> None:
        """Wait until what the last action led to is over: nothing painted, next to no work."""
        pids = self._window.pids().values()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self._window.settle()
            before = sum(cpu_s(pid) for pid in pids)
            time.sleep(2)
            if sum(cpu_s(pid) for pid in pids) - before < 0.05:
                return

    def idle(self) -> Iterator[Row]:
        """What it costs when nobody does anything."""
        pids = self._window.pids().values()
        self._until_quiet()
        before = [(cpu_s(pid), written_bytes(pid)) for pid in pids]
        time.sleep(_IDLE_S)
        after = [(cpu_s(pid), written_bytes(pid)) for pid in pids]
        cpu = sum(new[0] - old[0] for old, new in zip(before, after, strict=True))
        written = sum(new[1] - old[1] for old, new in zip(before, after, strict=True))
        share = cpu / _IDLE_S * 100
        yield Figure("muse-tui: idle", share, "%", IDLE_PERCENT, files=self._files, note="CPU")
        self._window.read()
        yield Figure("muse-tui: idle, written", written, "bytes", 0, files=self._files)
