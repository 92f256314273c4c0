"""Log, diff, verify and gc."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.history import make_history
from benchmarks.measure import Side
from benchmarks.rows import NO_BARS, Bars, Row
from benchmarks.workshop import GIT, MUSE, Pair, Workshop

_COMMITS: Final = 20_000


def rows(workshop: Workshop) -> Iterator[Row]:
    """What reads history, in trees of each size and in one long line of commits."""
    for files in workshop.sizes:
        pair = workshop.pair(files)
        for number in range(60):
            pair.edit(1, seed=number)
            pair.commit(f"c{number}")
        large = files >= 100_000
        yield _same(workshop, pair, "log of 50", ["log", "-n", "50"], Bars(wall_ms=90))
        yield _same(workshop, pair, "diff of two commits, 50 apart", ["diff", "HEAD~50", "HEAD"])
        bars = Bars(ratio=0.2 if large else None)
        yield workshop.versus(
            "verify (git fsck --full)", files,
            Side([MUSE, "verify"], pair.ours), Side([GIT, "fsck", "--full"], pair.theirs),
            bars=bars, runs=workshop.runs_for(files), warmup=0, counted=False,
        )  # fmt: skip
        bars = Bars(ratio=0.3 if large else None)
        yield workshop.versus(
            "gc", files, Side([MUSE, "gc"], pair.ours), Side([GIT, "gc", "-q"], pair.theirs),
            bars=bars, runs=1, warmup=0, counted=False,
        )  # fmt: skip
    pair = make_history(workshop, _COMMITS)
    for words in (["-n", "50"], ["--oneline"], ["--grep", "bridge 1[0-9]*7"], ["--author", "Bea"]):
        yield _same(workshop, pair, f"log {' '.join(words)}, {_COMMITS} commits", ["log", *words])


def _same(
    workshop: Workshop, pair: Pair, label: str, arguments: list[str], bars: Bars = NO_BARS
) -> Row:
    return workshop.versus(
        label, pair.files,
        Side([MUSE, *arguments], pair.ours), Side([GIT, *arguments], pair.theirs), bars=bars,
    )  # fmt: skip
