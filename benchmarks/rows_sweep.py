"""The sweep at the start of a command: of nothing, and of a thousand orphans."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.rows import Figure, Row, median_figure
from benchmarks.workshop import Workshop
from muse.core.sweep import RACY_NS, sweep_repository

_ORPHANS = 1000
# Older than any gate.
_AGE_S = 3600


def rows(workshop: Workshop) -> Iterator[Row]:
    """In this process, as at the start of a command."""
    for files in workshop.sizes:
        pair = workshop.pair(files)
        time.sleep(RACY_NS / 1e9)  # a folder this young is never recorded as clean
        sweep_repository(pair.ours)
        yield median_figure(
            "clean sweep", [_time_sweep(pair.ours, 0) for _ in range(30)], "ms", bar=1, files=files
        )
    root = workshop.pair(min(workshop.sizes)).ours
    shards = root / ".muse" / "objects" / "sha256"
    walls = []
    for _ in range(5):
        for number in range(_ORPHANS):
            shard = shards / f"{number % 256:02x}"
            shard.mkdir(parents=True, exist_ok=True)
            _plant(shard / f".obj-tmp-orphan{number}")
        walls.append(_time_sweep(root, _ORPHANS))
    yield Figure("1000 orphans removed", median(walls), "ms", bar=50, values=tuple(walls))


def _time_sweep(root: Path, removed: int) -> float:
    start = time.perf_counter()
    report = sweep_repository(root)
    wall_ms = (time.perf_counter() - start) * 1e3
    assert report.removed == removed
    return wall_ms


def _plant(path: Path) -> None:
    path.write_bytes(b"x" * 100)
    old = time.time() - _AGE_S
    os.utime(path, (old, old))
