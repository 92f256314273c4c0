"""`make bench`: Muse and git on the same trees, in turn, as medians and ratios.

python -m benchmarks.run [--only status,add] [--files 1000,100000] [--runs 5] [--out FOLDER]

The groups of rows are in `benchmarks.registry`. The table is printed as it grows, and written with
everything behind it to ``table.md`` and ``rows.json`` in the folder.
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.registry import GROUPS
from benchmarks.rows import Row
from benchmarks.workshop import ENV, Workshop

OUT = Path(__file__).parent / "results"


def main() -> int:
    """Run the chosen groups; the exit code says nothing of bars, which only a reader can judge."""
    arguments = _parse()
    _settle_environment()
    command = " ".join(["python -m benchmarks.run", *sys.argv[1:]])
    lines = [f"{report.machine()}.", "", *report.head_lines()]
    print("\n".join(lines), flush=True)
    rows: list[tuple[str, Row]] = []
    with tempfile.TemporaryDirectory(prefix="muse-bench-", ignore_cleanup_errors=True) as folder:
        workshop = Workshop(
            Path(folder), sizes=arguments.files, runs=arguments.runs, counted=arguments.counts
        )
        for name in arguments.only or [n for n, group in GROUPS.items() if not group.on_request]:
            for row in GROUPS[name].load()(workshop):
                rows.append((name, row))
                lines.append(report.row_line(row))
                print(lines[-1], flush=True)
    report.write_json(arguments.out / "rows.json", rows, command=command)
    table = "\n".join(lines) + "\n"
    (arguments.out / "table.md").write_text(table, encoding="utf-8")
    if arguments.publish:
        report.publish(arguments.publish, table)
    return 0


def _settle_environment() -> None:
    """Take away what would make Python start slower than it does for users."""
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH"):
        os.environ.pop(name, None)
    os.environ.update(ENV)
    for package in ("muse", "muse_tui"):
        compileall.compile_dir(OUT.parents[1] / package, quiet=2)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed against git, as ratios.")
    parser.add_argument("--only", type=_groups, help=f"with commas: {', '.join(GROUPS)}")
    parser.add_argument(
        "--files", type=_numbers, default=[1000, 10_000, 100_000], help="tree sizes, with commas"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-counts", dest="counts", action="store_false", help="do not trace")
    parser.add_argument("--out", type=Path, default=OUT, help="where table.md and rows.json go")
    parser.add_argument("--publish", type=Path, help="a page that shows the table")
    return parser.parse_args()


def _groups(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - GROUPS.keys():
        raise argparse.ArgumentTypeError(f"no such group: {', '.join(sorted(unknown))}")
    return names


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    raise SystemExit(main())
