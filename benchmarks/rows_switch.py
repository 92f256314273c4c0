"""Switch between two branches that differ in a tenth of the files."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Side
from benchmarks.rows import Row
from benchmarks.workshop import GIT, MUSE, Workshop


def rows(workshop: Workshop) -> Iterator[Row]:
    """There and back."""
    for files in workshop.sizes:
        pair = workshop.pair(files)
        number = files // 10
        pair.run("switch", "-c", f"other-{files}")
        pair.edit(number, seed=7)
        pair.commit("other")
        yield workshop.versus(
            f"switch, {number} files differ", files,
            Side([MUSE, "switch", "-"], pair.ours), Side([GIT, "switch", "-q", "-"], pair.theirs),
            runs=workshop.runs_for(files) + workshop.runs_for(files) % 2, warmup=1,
        )  # fmt: skip
        pair.run("switch", "main")
