"""The everyday commit: one changed file, already added."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Side
from benchmarks.rows import Bars, Figure, Row
from benchmarks.workshop import GIT, MUSE, Workshop


def rows(workshop: Workshop) -> Iterator[Row]:
    """Commit one file in trees of each size; what it costs must not depend on the size."""
    walls: dict[int, float] = {}
    for files in workshop.sizes:
        pair = workshop.pair(files)
        ours, theirs = pair.next_change()
        row = workshop.versus(
            "everyday commit", files,
            Side([MUSE, "commit", "-m", "x"], pair.ours, ours),
            Side([GIT, "commit", "-qm", "x"], pair.theirs, theirs),
            bars=Bars(ratio=0.5 if files >= 100_000 else None, wall_ms=80),
        )  # fmt: skip
        walls[files] = row.ours.median_s
        yield row
    if len(walls) > 1:
        smallest, largest = min(walls), max(walls)
        yield Figure(
            f"everyday commit, by that at {smallest} files",
            walls[largest] / walls[smallest], "×", bar=1.3, files=largest,
        )  # fmt: skip
