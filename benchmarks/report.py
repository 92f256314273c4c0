"""Rows as a table for people, and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.rows import MEMORY_MIB, Counts, Row, Versus

_HEADS: Final = (
    "workload", "files", "muse", "other", "", "ratio", "CPU", "bar", "reached",
    "MiB", "other", "calls", "other", "KB written", "other", "syncs", "other",
)  # fmt: skip
_WIDTHS: Final = (44, 6, 9, 9, 14, 5, 5, 16, 7, 4, 5, 6, 6, 10, 6, 5, 5)
BEGIN: Final = "<!-- table: begin; written by the benchmarks, not by hand -->"
END: Final = "<!-- table: end -->"


def machine() -> str:
    """Say on what this was measured."""
    git = subprocess.run(["git", "--version"], capture_output=True, check=True, text=True)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"{platform.system()} {kernel}, {platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, {_file_system()}; "
        f"Python {platform.python_version()}; {git.stdout.strip()}"
    )


def _file_system() -> str:
    """Return the type of the file system that the trees lie on, where the system tells."""
    where = os.path.realpath(tempfile.gettempdir())
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "file system not known"
    above = [m for m in mounts if os.path.commonpath([where, m[1]]) == m[1]]
    return max(above, key=lambda mount: len(mount[1]))[2]


def head_lines() -> list[str]:
    """Return the table's head."""
    rule = ["-" * _WIDTHS[0], *("-" * (width - 1) + ":" for width in _WIDTHS[1:])]
    return [_line(_HEADS), _line(rule)]


def row_line(row: Row) -> str:
    """Return a row as a line of the table."""
    files = f"{row.files}" if row.files else ""
    if isinstance(row, Versus):
        checks = row.checks()
        missed = [f"{figure:.2f} ×" if unit == "×" else f"{figure:.0f} {unit}"
                  for unit, figure, bar in checks if figure > bar]  # fmt: skip
        bar = ", ".join(
            f"{bar:g} {unit}" for unit, _, bar in checks if (unit, bar) != ("MiB", MEMORY_MIB)
        )
        return _line((
            row.workload, files, _time(row.ours.median_s), _time(row.theirs.median_s), row.other,
            f"{row.ratio:.2f}", f"{row.cpu_ratio:.2f}", f"≤ {bar}" if bar else "",
            "no: " + ", ".join(missed) if missed else "yes" if bar else "",
            f"{row.ours.peak_mib:.0f}", f"{row.theirs.peak_mib:.0f}",
            *_counts(row.our_counts, row.their_counts),
        ))  # fmt: skip
    value = f"{row.value:.3g} {row.unit}" if row.value < 1000 else f"{row.value:.0f} {row.unit}"
    sign = "≥" if row.at_least else "≤"
    bar = "" if row.bar is None else f"{sign} {row.bar:g} {row.unit}"
    reached = {None: "", True: "yes", False: "no"}[row.reached]
    name = f"{row.workload} ({row.note})" if row.note else row.workload
    return _line((name, files, value, "", "", "", "", bar, reached, *[""] * 8))


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _counts(ours: Counts | None, theirs: Counts | None) -> Iterator[str]:
    for name, unit in (("calls", 1), ("written_bytes", 1000), ("syncs", 1)):
        for counts in (ours, theirs):
            yield "" if counts is None else f"{round(getattr(counts, name) / unit)}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(f"{c:<{w}}" for c, w in zip(cells, _WIDTHS, strict=True)) + " |"


def write_json(path: Path, rows: Iterable[tuple[str, Row]], *, command: str) -> None:
    """Write everything that was measured, every single run included."""
    data = {
        "machine": machine(),
        "command": command,
        "rows": [
            {"group": group, "kind": type(row).__name__.lower(), **asdict(row), **_verdict(row)}
            for group, row in rows
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _verdict(row: Row) -> dict[str, object]:
    if isinstance(row, Versus):
        return {
            "ratio": row.ratio,
            "cpu_ratio": row.cpu_ratio,
            "reached": all(f <= bar for _, f, bar in row.checks()),
        }
    return {"reached": row.reached}


def publish(page: Path, table: str) -> None:
    """Put a table between the two marks of a page.

    Raises:
        ValueError: The page has no marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the table")
    page.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")
