"""Run commands as whole processes, in turn, and keep what the system accounted for each."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Sample:
    """What some runs of one command took.

    Attributes:
        wall_s: Wall seconds of each run.
        peak_kib: Peak resident memory of each run.
    """

    wall_s: list[float] = field(default_factory=list)
    peak_kib: list[int] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """The median wall time."""
        return statistics.median(self.wall_s)

    @property
    def peak_mib(self) -> float:
        """The median peak memory."""
        return statistics.median(self.peak_kib) / 1024


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


def compare(ours: Side, theirs: Side, *, runs: int, warmup: int = 1) -> tuple[Sample, Sample]:
    """Time two commands in turn, so that both see the same weather."""
    samples = (Sample(), Sample())
    for number in range(warmup + runs):
        for side, sample in zip((ours, theirs), samples, strict=True):
            if side.before is not None:
                side.before()
            run_once(side.command, cwd=side.cwd, sample=sample if number >= warmup else None)
    return samples
