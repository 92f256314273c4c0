"""The first add of everything, and the first commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

from benchmarks.measure import Side, run_once
from benchmarks.rows import Bars, Row
from benchmarks.workshop import GIT, GIT_INIT, MUSE, Workshop

# git with its defaults does not wait for the disk after each loose object; this one does.
_SYNCING = ("-c", "core.fsync=all")
# git needs up to a minute for 100 000 files, and three when it syncs each.
_SYNCED_FILES = 10_000


def rows(workshop: Workshop) -> Iterator[Row]:
    """Stage a whole new tree, then commit it."""
    for files in workshop.sizes:
        pair = workshop.tree(files)
        runs = workshop.runs_for(files)
        ours = Side([MUSE, "add", "."], pair.ours, _anew(pair.ours, ".muse", (MUSE, "init")))
        anew = _anew(pair.theirs, ".git", GIT_INIT)
        bars = Bars(ratio=0.3 if files >= 10_000 else None)
        if files <= _SYNCED_FILES:
            syncing = Side([GIT, *_SYNCING, "add", "."], pair.theirs, anew)
            yield workshop.versus(
                "first add", files, ours, syncing,
                bars=bars, runs=min(runs, 2), warmup=0, counted=False, other="git, syncing",
            )  # fmt: skip
        yield workshop.versus(
            "first add", files, ours, Side([GIT, "add", "."], pair.theirs, anew),
            bars=bars, runs=runs, warmup=0,
        )  # fmt: skip
        yield workshop.versus(
            "first commit", files,
            Side([MUSE, "commit", "-m", "one"], pair.ours),
            Side([GIT, "commit", "-qm", "one"], pair.theirs),
            bars=Bars(ratio=0.7 if files >= 100_000 else None), runs=1, warmup=0, counted=False,
        )  # fmt: skip


def _anew(folder: Path, name: str, init: tuple[str, ...]) -> Callable[[], None]:
    def before() -> None:
        rmtree(folder / name, ignore_errors=True)
        run_once(init, cwd=folder)

    return before
