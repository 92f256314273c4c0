"""What a command costs before it does anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.measure import Side
from benchmarks.rows import Bars, Row
from benchmarks.workshop import MUSE, Workshop


def rows(workshop: Workshop) -> Iterator[Row]:
    """``--version`` and ``status`` of next to nothing, against a bare Python and against git."""
    pair = workshop.pair(10)
    bare = Side([sys.executable, "-c", "pass"], pair.theirs)
    for label, arguments, bars in (
        ("muse --version", ["--version"], Bars(wall_ms=60)),
        ("status", ["status"], Bars(wall_ms=90)),
    ):
        for other, theirs in (
            ("python -c pass", bare),
            ("git", Side(["git", *arguments], pair.theirs)),
        ):
            yield workshop.versus(
                label, 10, Side([MUSE, *arguments], pair.ours), theirs,
                bars=bars, runs=workshop.runs * 2, other=other,
            )  # fmt: skip
