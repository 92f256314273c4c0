"""Run commands as whole processes, in turn, and keep what the system accounted for each.

`compare` times; `count` runs a command once more under strace, which slows it, and so never
counts as time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.rows import Counts, Sample

_SYNCS: Final = frozenset({"fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync"})
_WRITES: Final = re.compile(
    r"^(?:write|pwrite64|writev|pwritev2?|sendfile|copy_file_range|splice)$"
)
_CALL: Final = re.compile(rb"^(?:\d+\s+)?(?:<\.\.\. )?([a-z_0-9]+)(\(| resumed>)")
_RESULT: Final = re.compile(rb"= (\d+)$")


def run_once(command: Sequence[str], *, cwd: Path, sample: Sample | None = None) -> None:
    """Run one command to its end; its output is dropped.

    Raises:
        RuntimeError: It failed.
    """
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{list(command)} exited {process.returncode}: {errors.decode()}")
    if sample is not None:
        sample.wall_s.append(elapsed)
        sample.cpu_s.append(usage.ru_utime + usage.ru_stime)
        sample.peak_kib.append(usage.ru_maxrss)


@dataclass
class Side:
    """One of the two programs compared.

    Attributes:
        command: What is timed.
        cwd: Where.
        before: Called before each run, not timed.
    """

    command: Sequence[str]
    cwd: Path
    before: Callable[[], None] | None = None


def compare(sides: Sequence[Side], *, runs: int, warmup: int = 1) -> list[Sample]:
    """Time commands in turn, so that all of them see the same weather."""
    samples = [Sample() for _ in sides]
    for number in range(warmup + runs):
        for side, sample in zip(sides, samples, strict=True):
            if side.before is not None:
                side.before()
            run_once(side.command, cwd=side.cwd, sample=sample if number >= warmup else None)
    return samples


def count(side: Side) -> Counts | None:
    """Run a command once under strace; None where there is none, or it may not trace."""
    if shutil.which("strace") is None:
        return None
    if side.before is not None:
        side.before()
    with tempfile.TemporaryDirectory(prefix="muse-bench-") as folder:
        trace = Path(folder, "trace")
        command = ["strace", "-f", "-qq", "-s", "0", "-o", str(trace), *side.command]
        try:
            run_once(command, cwd=side.cwd)
        except RuntimeError:
            return None
        return read_trace(trace)


def read_trace(trace: Path) -> Counts:
    """Add up what ``strace -f -o`` wrote: a line a call, or two if interrupted."""
    calls = written = syncs = 0
    with trace.open("rb") as lines:
        for line in lines:
            found = _CALL.match(line)
            if found is None:
                continue
            name = found[1].decode()
            if found[2] == b"(":
                calls += 1
                syncs += name in _SYNCS
            if _WRITES.match(name) and (result := _RESULT.search(line.rstrip())):
                written += int(result[1])
    return Counts(calls, written, syncs)
