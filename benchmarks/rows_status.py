"""Status of the whole tree: clean, and after changes."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Side
from benchmarks.rows import Bars, Row
from benchmarks.workshop import GIT, MUSE, Workshop

# What git has for large trees; it is switched on for one row, on the same repository.
_BEST = ("-c", "feature.manyFiles=true", "-c", "core.untrackedCache=true")


def rows(workshop: Workshop) -> Iterator[Row]:
    """Whole commands, as a user or a prompt runs them."""
    for files in workshop.sizes:
        pair = workshop.pair(files)
        large = files >= 100_000
        for changes in (0, 10, 1000):
            if changes:
                pair.edit(changes, seed=changes)
            yield workshop.versus(
                f"status, {changes} changes" if changes else "status, clean", files,
                Side([MUSE, "status"], pair.ours), Side([GIT, "status"], pair.theirs),
                bars=Bars(ratio=0.8 if large else None),
            )  # fmt: skip
        if large:
            yield workshop.versus(
                "status, 1000 changes", files,
                Side([MUSE, "status"], pair.ours), Side([GIT, *_BEST, "status"], pair.theirs),
                bars=Bars(ratio=1.3), other="git, manyFiles",
            )  # fmt: skip
