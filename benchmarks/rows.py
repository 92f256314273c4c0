"""What a benchmark reports: a row, its figures, the bar that is asked of it, and its counts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

# 120 MB, asked of every command at every size.
MEMORY_MIB: Final = 120e6 / 2**20


@dataclass
class Sample:
    """What the runs of one command took.

    Attributes:
        wall_s: Wall seconds of each run.
        cpu_s: Seconds of processor time of each run, children included.
        peak_kib: Peak resident memory of each run.
    """

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak_kib: list[int] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """The median wall time."""
        return statistics.median(self.wall_s)

    @property
    def cpu_median_s(self) -> float:
        """The median processor time."""
        return statistics.median(self.cpu_s)

    @property
    def peak_mib(self) -> float:
        """The highest peak memory."""
        return max(self.peak_kib) / 1024


@dataclass(frozen=True, slots=True)
class Counts:
    """What one run asked of the system, as strace saw it.

    Attributes:
        calls: System calls.
        written_bytes: Bytes given to write calls.
        syncs: Calls that wait for the disk.
    """

    calls: int
    written_bytes: int
    syncs: int


@dataclass(frozen=True, slots=True)
class Bars:
    """What a row must not exceed; None asks nothing.

    Attributes:
        ratio: Our wall time by theirs.
        wall_ms: Our wall time.
        peak_mib: Our peak memory.
    """

    ratio: float | None = None
    wall_ms: float | None = None
    peak_mib: float | None = None


NO_BARS: Final = Bars()


@dataclass(frozen=True, slots=True)
class Versus:
    """One command of ours beside one of theirs, run in turn.

    Attributes:
        workload: What was done, in words.
        files: The size of the tree; 0 when it has none.
        other: Whom we are compared with.
        ours: Our runs.
        theirs: Theirs.
        bars: What is asked.
        our_counts: Calls, bytes and syncs of one more run of ours; None when not counted.
        their_counts: Likewise theirs.
    """

    workload: str
    files: int
    other: str
    ours: Sample
    theirs: Sample
    bars: Bars
    our_counts: Counts | None = None
    their_counts: Counts | None = None

    @property
    def ratio(self) -> float:
        """Our median wall time by theirs."""
        return self.ours.median_s / self.theirs.median_s

    @property
    def cpu_ratio(self) -> float:
        """As `ratio`, of processor time, which other programs on the machine disturb less."""
        return self.ours.cpu_median_s / max(self.theirs.cpu_median_s, 1e-3)

    def checks(self) -> list[tuple[str, float, float]]:
        """Return (unit, figure, bar) of each thing that is asked."""
        pairs = (
            ("×", self.ratio, self.bars.ratio),
            ("ms", self.ours.median_s * 1e3, self.bars.wall_ms),
            ("MiB", self.ours.peak_mib, self.bars.peak_mib),
        )
        return [(unit, figure, bar) for unit, figure, bar in pairs if bar is not None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that has no other side to stand against.

    Attributes:
        workload: What was measured, in words.
        value: The number, in `unit`.
        unit: As in ``ms``, ``calls`` or ``%``.
        bar: What it must not exceed, or must reach when `at_least`; None asks nothing.
        at_least: Whether more is better.
        files: The size of the tree; 0 when it has none.
        note: What else a reader needs, in a few words.
        values: The single measurements behind the number, for the file.
    """

    workload: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = False
    files: int = 0
    note: str = ""
    values: Sequence[float] = ()

    @property
    def reached(self) -> bool | None:
        """Whether the bar is reached; None when there is none."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar


Row = Versus | Figure


def median_figure(
    workload: str, values: Sequence[float], unit: str, *, bar: float | None, files: int = 0
) -> Figure:
    """Make a figure of the median of some measurements."""
    return Figure(
        workload, statistics.median(values), unit, bar=bar, files=files, values=tuple(values)
    )
