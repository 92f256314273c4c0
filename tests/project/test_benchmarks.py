"""The benchmarks measure what they say: counts are right, every group runs, the page is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.measure import Side, compare, count, read_trace
from benchmarks.registry import GROUPS
from benchmarks.rows import Bars, Counts, Figure, Row, Sample, Versus
from benchmarks.rows_growth import fit_exponent
from benchmarks.trees import iter_tree_paths, make_tree

REPOSITORY = Path(__file__).parents[2]


def _versus(ours_s: float, theirs_s: float, bars: Bars) -> Versus:
    ours, theirs = (Sample([s], [s], [50 * 1024]) for s in (ours_s, theirs_s))
    return Versus("status", 1000, "git", ours, theirs, bars)


class TestMeasuring:
    """Times and counts come from the system, not from us."""

    def test_both_sides_run_equally_often(self, tmp_path: Path) -> None:
        """Warm-up runs are left out; each side keeps one time and one peak a run."""
        side = Side([sys.executable, "-c", "pass"], tmp_path)
        for sample in compare([side, side], runs=2, warmup=1):
            assert len(sample.wall_s) == len(sample.cpu_s) == len(sample.peak_kib) == 2
            assert min(sample.wall_s) > 0

    def test_a_failure_is_no_measurement(self, tmp_path: Path) -> None:
        """A command that fails ends the run, whatever its time was."""
        side = Side([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
        with pytest.raises(RuntimeError, match="exited 3"):
            compare([side, side], runs=1)

    @pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the calls")
    def test_counts_are_those_of_the_command(self, tmp_path: Path) -> None:
        """Bytes and syncs of a known program are counted to the last one, in its child too."""
        code = (
            "import os\n"
            "fd = os.open('f', os.O_CREAT | os.O_WRONLY)\n"
            "os.write(fd, bytes(1000)); os.fsync(fd); os.fdatasync(fd)\n"
            "if not os.fork(): os.write(fd, bytes(234)); os._exit(0)\n"
            "os.wait()\n"
        )
        found = count(Side([sys.executable, "-c", code], tmp_path))
        if found is None:
            pytest.skip("tracing is not allowed here")
        assert (found.written_bytes, found.syncs) == (1234, 2)
        assert found.calls > 5

    def test_an_interrupted_call_counts_once(self, tmp_path: Path) -> None:
        """A call that strace writes in two parts is one call, with the result of the second."""
        trace = tmp_path / "trace"
        trace.write_text(
            '7 write(3, ""..., 10 <unfinished ...>\n'
            "8 fsync(4) = 0\n"
            "7 <... write resumed>) = 10\n"
            "8 +++ exited with 0 +++\n"
        )
        assert read_trace(trace) == Counts(calls=2, written_bytes=10, syncs=1)


class TestGrowth:
    """Exponents are those of the curve."""

    @pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
    def test_fit(self, exponent: float) -> None:
        """A power law gives its own exponent back."""
        sizes = (1000, 10_000, 50_000, 100_000)
        found = fit_exponent(sizes, [3.0 * size**exponent for size in sizes])
        assert found == pytest.approx(exponent)


class TestReport:
    """What is asked is shown beside what was found."""

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            (_versus(0.1, 0.2, Bars(ratio=0.8)), " yes "),
            (_versus(0.3, 0.2, Bars(ratio=0.8)), " no: 1.50 × "),
            (_versus(0.3, 0.2, Bars(peak_mib=40)), " no: 50 MiB "),
            (Figure("callback", 21.0, "ms", bar=20), " no "),
            (Figure("states explored", 21.0, "states", bar=20, at_least=True), " yes "),
        ],
    )
    def test_a_missed_bar_is_said(self, row: Row, said: str) -> None:
        """A row never says yes to a bar that it misses."""
        assert said in report.row_line(row)

    def test_every_line_has_the_same_columns(self) -> None:
        """Figures and comparisons stand in one table."""
        rows: list[Row] = [_versus(1, 2, Bars()), Figure("callback", 21.0, "ms")]
        lines = [*report.head_lines(), *map(report.row_line, rows)]
        assert len({line.count("|") for line in lines}) == 1

    def test_json_keeps_every_run(self, tmp_path: Path) -> None:
        """The file for programs has the single runs behind each median."""
        out = tmp_path / "rows.json"
        report.write_json(out, [("status", _versus(0.1, 0.2, Bars(ratio=0.4)))], command="x")
        (row,) = json.loads(out.read_text())["rows"]
        assert row["ours"]["wall_s"] == [0.1]
        assert (row["group"], row["ratio"], row["reached"]) == ("status", 0.5, False)

    def test_the_page_keeps_its_words(self, tmp_path: Path) -> None:
        """Only what stands between the marks is replaced."""
        page = tmp_path / "page.md"
        page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
        report.publish(page, "| new |\n")
        text = page.read_text()
        assert "old" not in text
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert "\n| new |\n" in text


class TestGroups:
    """Whatever is registered can be run."""

    @pytest.mark.parametrize("name", GROUPS)
    def test_group_loads(self, name: str) -> None:
        """Each group's module is there, and has rows."""
        assert callable(GROUPS[name].load())

    def test_trees_are_the_same_each_time(self, tmp_path: Path) -> None:
        """A seed gives the same paths and bytes, so that runs compare."""
        for name in ("a", "b"):
            make_tree(tmp_path / name, 50)
        paths = iter_tree_paths(tmp_path / "a", some=50)
        assert len(paths) == 50
        for path in paths:
            assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()

    @pytest.mark.slow
    def test_one_group_from_end_to_end(self, tmp_path: Path) -> None:
        """``make bench ONLY=…`` prints a table and writes both files."""
        command = [sys.executable, "-m", "benchmarks.run", "--only", "status", "--runs", "1"]
        command += ["--files", "100", "--no-counts", "--out", str(tmp_path)]
        done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
        assert (tmp_path / "table.md").read_text() == done.stdout
        rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
        assert [row["workload"] for row in rows] == [
            "status, clean", "status, 10 changes", "status, 1000 changes",
        ]  # fmt: skip
