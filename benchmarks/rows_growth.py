"""How each operation grows: the same work in trees of several sizes, and the exponent fitted.

An exponent of 1 is work for each file; what is O(change) must stay near 0. Where start-up would
hide the growth, it is taken off: the same command in a tree of ten files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.measure import Side, compare, run_once
from benchmarks.rows import Figure, Row
from benchmarks.rows_live import measure
from benchmarks.workshop import MUSE, Pair, Workshop

_FLAT: Final = 0.1
_LINEAR: Final = 1.1
_MORE_SIZES: Final = (50_000,)


def fit_exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of the least-squares line through the logarithms of both."""
    xs, ys = [math.log(size) for size in sizes], [math.log(max(v, 1e-9)) for v in values]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return over / sum((x - mean_x) ** 2 for x in xs)


def rows(workshop: Workshop) -> Iterator[Row]:
    """Build each tree once, and do everything in it."""
    sizes = sorted({*workshop.sizes, *(_MORE_SIZES if len(workshop.sizes) > 2 else ())})
    start_ms = _measure(workshop, workshop.tree(10))["status, clean"]
    # What start-up takes differs by about this from one time to the next.
    unsure_ms = start_ms * 0.2
    found = {files: _measure(workshop, workshop.tree(files)) for files in sizes}
    for name in found[sizes[0]]:
        values = [found[files][name] for files in sizes]
        per_file = name in _PER_FILE
        if per_file:
            values = [max(value - start_ms, 0.1) for value in values]
        shown = ", ".join(f"{value:.3g}" for value in values)
        fitted = [(size, v) for size, v in zip(sizes, values, strict=True) if v > unsure_ms]
        if not per_file or len(fitted) < 2:
            fitted = list(zip(sizes, values, strict=True))
        yield Figure(
            f"{name}: growth", fit_exponent(*zip(*fitted, strict=True)), "exponent",
            bar=_LINEAR if per_file else _FLAT, files=sizes[-1],
            note=f"{shown} ms{' above start-up' if per_file else ''} at {_short(sizes)} files",
            values=values,
        )  # fmt: skip


_PER_FILE: Final = ("first add", "first commit", "status, clean", "verify", "push of everything")


def _short(sizes: Sequence[int]) -> str:
    return ", ".join(f"{size // 1000}k" if size >= 1000 else str(size) for size in sizes)


def _measure(workshop: Workshop, pair: Pair) -> dict[str, float]:
    """Return milliseconds of each operation in one tree; only our side is used."""
    root = pair.ours
    run_once(["rm", "-rf", ".muse"], cwd=root)
    run_once([MUSE, "init"], cwd=root)
    remote = workshop.folder(f"growth-{pair.files}") / "remote"
    run_once([MUSE, "init", "--bare", str(remote)], cwd=root)
    run_once([MUSE, "remote", "add", "origin", str(remote)], cwd=root)
    once = {
        "first add": ["add", "."],
        "first commit": ["commit", "-m", "one"],
        "push of everything": ["push", "-u", "origin", "main"],
    }
    found = {name: _time(root, arguments, runs=1) for name, arguments in once.items()}
    run_once([MUSE, "status"], cwd=root)
    found["status, clean"] = _time(root, ["status"], runs=workshop.runs)
    found["verify"] = _time(root, ["verify"], runs=1)
    for name, arguments in _CHANGE.items():
        found[name] = median(_after_change(pair, arguments) for _ in range(workshop.runs))
    live = measure(pair, repeats=15)
    for name in ("refresh after 1 change", "commit of 1 file in a running process"):
        found[name] = median(live[name])
    return found


# What each of them does follows on the one before.
_CHANGE: Final = {
    "add of 1 file": [["add", "PATH"]],
    "everyday commit": [["add", "PATH"], ["commit", "-m", "x"]],
    "push of one commit": [["add", "PATH"], ["commit", "-m", "x"], ["push"]],
    "log of 50": [["log", "-n", "50"]],
}


def _after_change(pair: Pair, commands: Sequence[Sequence[str]]) -> float:
    """Change one file, and time the last of some commands."""
    with (pair.ours / pair.paths[0]).open("a") as file:
        file.write("# one line more\n")
    lines = [[pair.paths[0] if word == "PATH" else word for word in line] for line in commands]
    for line in lines[:-1]:
        run_once([MUSE, *line], cwd=pair.ours)
    return _time(pair.ours, lines[-1], runs=1)


def _time(root: Path, arguments: Sequence[str], *, runs: int) -> float:
    side = Side([MUSE, *arguments], root)
    return compare([side], runs=runs, warmup=0)[0].median_s * 1e3
