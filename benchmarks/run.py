"""`make bench`: Muse and git on the same trees, in turn, as medians and ratios.

python -m benchmarks.run [--only WORD] [--files 1000,10000] [--runs 5] [--out FILE]
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Sample, Side, compare, run_once
from benchmarks.trees import edit, make_tree

ENV = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # No housekeeping in the background while the other side is being timed.
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "gc.auto",
    "GIT_CONFIG_VALUE_0": "0",
    "GIT_CONFIG_KEY_1": "maintenance.auto",
    "GIT_CONFIG_VALUE_1": "false",
    **{
        f"{tool}_{who}_{what}": value
        for tool in ("GIT", "MUSE")
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
    },
}
MUSE = str(Path(sys.executable).with_name("muse"))


@dataclass
class Pair:
    """The same tree under both programs.

    Attributes:
        ours: The folder that Muse tracks.
        theirs: The folder that git tracks.
        paths: Its files.
    """

    ours: Path
    theirs: Path
    paths: list[str]

    def edit(self, count: int, seed: int) -> None:
        """Change the same files on both sides."""
        edit(self.ours, self.paths, count=count, seed=seed)
        edit(self.theirs, self.paths, count=count, seed=seed)


def make_pair(base: Path, files: int, *, committed: bool) -> Pair:
    """Write one tree twice, and commit it on both sides when asked."""
    ours, theirs = base / "muse", base / "git"
    paths = make_tree(ours, files)
    shutil.copytree(ours, theirs)
    run_once([MUSE, "init"], cwd=ours)
    run_once(["git", "init", "-q", "--object-format=sha256"], cwd=theirs)
    if committed:
        for command in ([MUSE, "add", "."], [MUSE, "commit", "-m", "one"]):
            run_once(command, cwd=ours)
        for command in (["git", "add", "."], ["git", "commit", "-qm", "one"]):
            run_once(command, cwd=theirs)
    return Pair(ours, theirs, paths)


Row = tuple[str, Sample, Sample]


def bench_start(base: Path, files: int, runs: int) -> Iterator[Row]:
    """`--version`, against a bare Python and against git."""
    del files
    base.mkdir(parents=True, exist_ok=True)
    bare = Side([sys.executable, "-c", "pass"], base)
    yield (
        "muse --version / python -c pass",
        *compare(Side([MUSE, "--version"], base), bare, runs=runs * 2),
    )
    pair = make_pair(base / "pair", 10, committed=True)
    yield (
        "status, 10 files / python -c pass",
        *compare(Side([MUSE, "status"], pair.ours), bare, runs=runs * 2),
    )


def bench_add(base: Path, files: int, runs: int) -> Iterator[Row]:
    """The first add of everything, from an empty repository."""
    pair = make_pair(base, files, committed=False)

    def reset(folder: Path, name: str, init: list[str]) -> Callable[[], None]:
        def before() -> None:
            shutil.rmtree(folder / name)
            run_once(init, cwd=folder)

        return before

    yield (
        "first add",
        *compare(
            Side([MUSE, "add", "."], pair.ours, reset(pair.ours, ".muse", [MUSE, "init"])),
            Side(
                ["git", "add", "."],
                pair.theirs,
                reset(pair.theirs, ".git", ["git", "init", "-q", "--object-format=sha256"]),
            ),
            runs=min(runs, 3),
            warmup=0,
        ),
    )
    yield (
        "first commit",
        *compare(
            Side([MUSE, "commit", "-m", "one"], pair.ours),
            Side(["git", "commit", "-qm", "one"], pair.theirs),
            runs=1,
            warmup=0,
        ),
    )


def bench_commit(base: Path, files: int, runs: int) -> Iterator[Row]:
    """The everyday commit: one changed file, already added."""
    pair = make_pair(base, files, committed=True)
    seed = iter(range(1000))

    def before(folder: Path, tool: list[str]) -> Callable[[], None]:
        def change() -> None:
            (folder / pair.paths[0]).write_text(f"{next(seed)}\n")
            run_once([*tool, "add", pair.paths[0]], cwd=folder)

        return change

    yield (
        "everyday commit",
        *compare(
            Side([MUSE, "commit", "-m", "x"], pair.ours, before(pair.ours, [MUSE])),
            Side(["git", "commit", "-qm", "x"], pair.theirs, before(pair.theirs, ["git"])),
            runs=runs,
        ),
    )


def bench_status(base: Path, files: int, runs: int) -> Iterator[Row]:
    """Status of a clean tree, and after 10 and 1 000 changes."""
    pair = make_pair(base, files, committed=True)
    for changes in (0, 10, 1000):
        pair.edit(changes, seed=changes)
        yield (
            f"status, {changes} changes",
            *compare(
                Side([MUSE, "status"], pair.ours), Side(["git", "status"], pair.theirs), runs=runs
            ),
        )


def bench_history(base: Path, files: int, runs: int) -> Iterator[Row]:
    """Log, diff, verify and gc."""
    pair = make_pair(base, files, committed=True)
    for number in range(60):
        pair.edit(1, seed=number)
        run_once([MUSE, "commit", "-m", f"c{number}"], cwd=pair.ours)
        run_once(["git", "commit", "-qam", f"c{number}"], cwd=pair.theirs)
    for name, ours, theirs in (
        ("log of 50", ["log", "-n", "50"], ["log", "-n", "50"]),
        ("diff of two far commits", ["diff", "HEAD~50", "HEAD"], ["diff", "HEAD~50", "HEAD"]),
        ("verify / fsck", ["verify"], ["fsck", "--full"]),
        ("gc", ["gc"], ["gc", "-q"]),
    ):
        yield (
            name,
            *compare(
                Side([MUSE, *ours], pair.ours),
                Side(["git", *theirs], pair.theirs),
                runs=1 if name == "gc" else min(runs, 5),
                warmup=0 if name == "gc" else 1,
            ),
        )


def bench_push(base: Path, files: int, runs: int) -> Iterator[Row]:
    """Push everything to an empty repository, push one commit, and clone."""
    pair = make_pair(base, files, committed=True)
    for tool, folder, name in (
        ([MUSE], pair.ours, "muse-remote"),
        (["git"], pair.theirs, "git-remote"),
    ):
        options = ["--object-format=sha256"] if tool == ["git"] else []
        run_once([*tool, "init", "--bare", *options, str(base / name)], cwd=base)
        run_once([*tool, "remote", "add", "origin", str(base / name)], cwd=folder)
    branch = subprocess.run(
        ["git", "branch", "--show-current"], cwd=pair.theirs, capture_output=True, check=True
    ).stdout.decode().strip()  # fmt: skip
    yield (
        "push everything",
        *compare(
            Side([MUSE, "push", "-u", "origin", "main"], pair.ours),
            Side(["git", "push", "-q", "-u", "origin", branch], pair.theirs),
            runs=1,
            warmup=0,
        ),
    )
    seed = iter(range(1000))

    def before(folder: Path, tool: list[str]) -> Callable[[], None]:
        def change() -> None:
            (folder / pair.paths[0]).write_text(f"{next(seed)}\n")
            run_once([*tool, "add", pair.paths[0]], cwd=folder)
            run_once([*tool, "commit", "-m", "x"], cwd=folder)

        return change

    yield (
        "push one commit",
        *compare(
            Side([MUSE, "push"], pair.ours, before(pair.ours, [MUSE])),
            Side(["git", "push", "-q"], pair.theirs, before(pair.theirs, ["git"])),
            runs=runs,
        ),
    )
    yield (
        "clone",
        *compare(
            Side(
                [MUSE, "clone", str(base / "muse-remote"), "c-muse"], base, _remove(base / "c-muse")
            ),
            Side(
                ["git", "clone", "-q", "--no-local", str(base / "git-remote"), "c-git"],
                base,
                _remove(base / "c-git"),
            ),
            runs=min(runs, 3),
            warmup=0,
        ),
    )


def _remove(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def bench_switch(base: Path, files: int, runs: int) -> Iterator[Row]:
    """Switch between two branches that differ in a tenth of the files."""
    pair = make_pair(base, files, committed=True)
    for tool, folder in (([MUSE], pair.ours), (["git"], pair.theirs)):
        run_once([*tool, "switch", "-c", "other"], cwd=folder)
        edit(folder, pair.paths, count=files // 10, seed=7)
        run_once([*tool, "add", "-u"], cwd=folder)
        run_once([*tool, "commit", "-m", "other"], cwd=folder)
    run_once(["git", "branch", "-M", "other", "other"], cwd=pair.theirs)
    yield f"switch, {files // 10} files differ", *compare(
        Side([MUSE, "switch", "-"], pair.ours), Side(["git", "switch", "-q", "-"], pair.theirs),
        runs=runs,
    )  # fmt: skip


BENCHES = {
    "start": bench_start,
    "add": bench_add,
    "commit": bench_commit,
    "status": bench_status,
    "history": bench_history,
    "push": bench_push,
    "switch": bench_switch,
}


def main() -> int:
    """Run the chosen rows and print their table."""
    parser = argparse.ArgumentParser(description="Speed against git, as ratios.")
    parser.add_argument("--only", choices=sorted(BENCHES), help="one group of rows")
    parser.add_argument("--files", default="1000,10000", help="tree sizes, with commas")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the table here")
    arguments = parser.parse_args()
    os.environ.update(ENV)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    lines = [
        f"{machine}, Python {platform.python_version()}, {_git_version()}",
        "",
        _line("workload", "files", ("muse", "other", "ratio", "muse MiB", "other MiB")),
        _line("-" * 38, "-" * 6 + ":", ("-" * 8 + ":",) * 5),
    ]
    print("\n".join(lines), flush=True)
    for name, bench in BENCHES.items():
        if arguments.only not in (None, name):
            continue
        for files in [0] if name == "start" else map(int, arguments.files.split(",")):
            with tempfile.TemporaryDirectory(
                prefix="muse-bench-", ignore_cleanup_errors=True
            ) as folder:
                for label, ours, theirs in bench(Path(folder) / "b", files, arguments.runs):
                    ratio = ours.median_s / theirs.median_s
                    times = (f"{s.median_s * 1e3:.0f} ms" for s in (ours, theirs))
                    peaks = (f"{s.peak_mib:.0f}" for s in (ours, theirs))
                    line = _line(label, str(files or ""), (*times, f"{ratio:.2f}", *peaks))
                    lines.append(line)
                    print(line, flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _line(label: str, files: str, cells: tuple[str, ...]) -> str:
    return f"| {label:<38} | {files:>7} | " + " | ".join(f"{c:>9}" for c in cells) + " |"


def _git_version() -> str:
    return (
        subprocess.run(["git", "--version"], capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )


if __name__ == "__main__":
    raise SystemExit(main())
