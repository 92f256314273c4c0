"""A running process that keeps the status warm: refreshes, commits, and file events."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.rows import Figure, Row, median_figure
from benchmarks.workshop import Pair, Workshop

_BARS: Final = {
    "refresh after 1 change": 3.0,
    "commit of 1 file in a running process": 3.0,
    "file event → callback": 20.0,
}


def measure(pair: Pair, *, repeats: int = 30) -> dict[str, list[float]]:
    """Measure in a process of its own; return milliseconds of each repetition, and file counts."""
    command = [sys.executable, "-m", "benchmarks.live", str(pair.ours), pair.paths[0], str(repeats)]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, check=True, stdout=subprocess.PIPE
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def rows(workshop: Workshop) -> Iterator[Row]:
    """What the interface pays for one change, at each size."""
    for files in workshop.sizes:
        found = measure(workshop.pair(files))
        for name, bar in _BARS.items():
            yield median_figure(name, found[name], "ms", bar=bar, files=files)
        calls = found["files looked at by that refresh"][0]
        yield Figure("files looked at by that refresh", calls, "files", bar=1, files=files)
