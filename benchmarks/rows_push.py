"""Push of everything and of one commit, and clone, between folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

from benchmarks.measure import Side, run_once
from benchmarks.rows import Bars, Row
from benchmarks.workshop import GIT, GIT_INIT, MUSE, Workshop


def rows(workshop: Workshop) -> Iterator[Row]:
    """To and from a bare repository beside this one."""
    for files in workshop.sizes:
        pair = workshop.pair(files)
        base = workshop.folder(f"remote-{files}")
        run_once([MUSE, "init", "--bare", str(base / "muse")], cwd=base)
        run_once([*GIT_INIT, "--bare", str(base / "git")], cwd=base)
        for tool, folder in pair.sides:
            name = "muse" if tool == MUSE else "git"
            run_once([tool, "remote", "add", f"bench-{files}", str(base / name)], cwd=folder)
        to = ["-u", f"bench-{files}", "main"]
        yield workshop.versus(
            "push of everything", files,
            Side([MUSE, "push", *to], pair.ours), Side([GIT, "push", "-q", *to], pair.theirs),
            bars=Bars(ratio=0.1 if files >= 10_000 else None), runs=1, warmup=0, counted=False,
        )  # fmt: skip
        ours, theirs = (
            commit_before(tool, folder, change)
            for (tool, folder), change in zip(pair.sides, pair.next_change(), strict=True)
        )
        yield workshop.versus(
            "push of one commit", files,
            Side([MUSE, "push"], pair.ours, ours), Side([GIT, "push", "-q"], pair.theirs, theirs),
            bars=Bars(ratio=1.0),
        )  # fmt: skip
        # A clone by git of a folder on the same disk makes links, unless it is told to copy.
        yield workshop.versus(
            "clone", files,
            Side(
                [MUSE, "clone", str(base / "muse"), "c-muse"],
                base, removed_before(base / "c-muse"),
            ),
            Side(
                [GIT, "clone", "-q", "--no-local", str(base / "git"), "c-git"],
                base, removed_before(base / "c-git"),
            ),
            runs=workshop.runs_for(files), warmup=0, counted=False,
        )  # fmt: skip
        for tool, folder in pair.sides:
            # Or later pushes from this tree would go where nothing is any more.
            run_once([tool, "remote", "remove", f"bench-{files}"], cwd=folder)
        rmtree(base)


def commit_before(tool: str, folder: Path, change: Callable[[], None]) -> Callable[[], None]:
    def before() -> None:
        change()
        run_once([tool, "commit", "-m", "x"], cwd=folder)

    return before


def removed_before(folder: Path) -> Callable[[], None]:
    return lambda: rmtree(folder, ignore_errors=True)
