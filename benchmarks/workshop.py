"""Where benchmarks work: scratch folders, and the same tree under both programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import Side, compare, count, run_once
from benchmarks.rows import MEMORY_MIB, NO_BARS, Bars, Versus
from benchmarks.trees import edit, iter_tree_paths

ENV: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # No housekeeping in the background while the other side is being timed.
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "gc.auto",
    "GIT_CONFIG_VALUE_0": "0",
    "GIT_CONFIG_KEY_1": "maintenance.auto",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "init.defaultBranch",
    "GIT_CONFIG_VALUE_2": "main",
    **{
        f"{tool}_{who}_{what}": value
        for tool in ("GIT", "MUSE")
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
    },
}
MUSE: Final = str(Path(sys.executable).with_name("muse"))
GIT: Final = "git"
GIT_INIT: Final = (GIT, "init", "-q", "--object-format=sha256")
# What is O(tree) on either side is counted up to this size: beyond, tracing takes minutes.
_COUNTED_FILES: Final = 10_000


@dataclass
class Pair:
    """The same tree under both programs.

    Attributes:
        ours: The folder that Muse tracks.
        theirs: The folder that git tracks.
        files: How many files there are.
        paths: Some of them, spread over the whole tree.
    """

    ours: Path
    theirs: Path
    files: int
    paths: list[str]

    @property
    def sides(self) -> tuple[tuple[str, Path], tuple[str, Path]]:
        """Each program with its folder."""
        return (MUSE, self.ours), (GIT, self.theirs)

    def edit(self, number: int, *, seed: int) -> None:
        """Change the same files on both sides."""
        for _, folder in self.sides:
            edit(folder, self.paths, count=number, seed=seed)

    def run(self, *arguments: str) -> None:
        """Run one command line under both programs."""
        for tool, folder in self.sides:
            run_once([tool, *arguments], cwd=folder)

    def commit(self, message: str) -> None:
        """Commit every change to tracked files on both sides."""
        self.run("add", "-u")
        self.run("commit", "-m", message)

    def init(self) -> None:
        """Begin anew on both sides."""
        for _, folder in self.sides:
            for name in (".muse", ".git"):
                shutil.rmtree(folder / name, ignore_errors=True)
        run_once([MUSE, "init"], cwd=self.ours)
        run_once(GIT_INIT, cwd=self.theirs)

    def next_change(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """Return what changes one file and adds it, for our side and for theirs."""

        def change(tool: str, folder: Path) -> Callable[[], None]:
            def before() -> None:
                with (folder / self.paths[0]).open("a") as file:
                    file.write("# one line more\n")
                run_once([tool, "add", self.paths[0]], cwd=folder)

            return before

        ours, theirs = (change(*side) for side in self.sides)
        return ours, theirs


class Workshop:
    """One run of the benchmarks.

    Args:
        base: A scratch folder.
        sizes: Sizes of trees, in files.
        runs: How often a command is timed, when it does not take long.
        counted: Whether system calls are counted as well.
    """

    def __init__(self, base: Path, *, sizes: Sequence[int], runs: int, counted: bool) -> None:
        self.base = base
        self.sizes = tuple(sizes)
        self.runs = runs
        self.counted = counted
        self._pairs: dict[int, Pair] = {}

    def folder(self, name: str) -> Path:
        """Return a new empty folder."""
        path = self.base / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def runs_for(self, files: int) -> int:
        """Return how often what works on every file is timed."""
        return self.runs if files < 10_000 else min(self.runs, 3) if files < 100_000 else 1

    def tree(self, files: int) -> Pair:
        """Return a pair of working trees, in no particular state; each size is made once."""
        if files not in self._pairs:
            base = self.folder(f"tree-{files}")
            ours, theirs = base / "muse", base / "git"
            # In a process of its own: a child's peak begins with the memory of who started it.
            script = [sys.executable, "-m", "benchmarks.trees", str(ours), str(files)]
            subprocess.run(script, check=True, cwd=Path(__file__).parent.parent)
            subprocess.run(["cp", "-a", "--reflink=auto", str(ours), str(theirs)], check=True)
            self._pairs[files] = Pair(ours, theirs, files, iter_tree_paths(ours, some=2000))
        return self._pairs[files]

    def pair(self, files: int) -> Pair:
        """Return a pair whose trees are committed, clean, and known to either program's cache."""
        pair = self.tree(files)
        if not (pair.ours / ".muse").exists():
            pair.init()
            pair.run("add", ".")
            pair.run("commit", "-m", "one")
        else:
            pair.run("add", "-A")
            pair.run("commit", "--allow-empty", "-m", "rest")
        pair.run("status")
        return pair

    def versus(
        self,
        workload: str,
        files: int,
        ours: Side,
        theirs: Side,
        *,
        bars: Bars = NO_BARS,
        runs: int | None = None,
        warmup: int = 1,
        counted: bool = True,
        other: str = "git",
    ) -> Versus:
        """Time one row, and count its calls.

        Args:
            workload: In words.
            files: The size of the tree.
            ours: Our command.
            theirs: Their command.
            bars: What is asked; memory is asked of every row.
            runs: How often; as the run was told when None.
            warmup: How many runs come first and are not counted.
            counted: False for what cannot be done once more, or takes long.
            other: Whom we are compared with.
        """
        if bars.peak_mib is None:
            bars = Bars(bars.ratio, bars.wall_ms, MEMORY_MIB)
        sample, other_sample = compare([ours, theirs], runs=runs or self.runs, warmup=warmup)
        counts = (
            (count(ours), count(theirs))
            if counted and self.counted and files <= _COUNTED_FILES
            else (None, None)
        )
        return Versus(workload, files, other, sample, other_sample, bars, *counts)
