"""`make compare-crash`: one commit of three files under git, hg and Muse, killed and cut.

    python -m benchmarks.crash_compare [--every 1] [--only git]

*Kills*: the program is killed by strace before each call that changes something. Afterwards the
next commit is tried: where it refuses until a person deletes a lock or runs a repair, that is a
kill point that leaves it *stuck*. *Cuts*: on an ext4 in a file of its own the program is killed
likewise, or reports, the file system writes its log or not, and its power goes; what the checker of
each program then finds *corrupt*, the next commit that is *stuck*, and a reported commit that is
*lost* are counted. Kills need strace; cuts need root and loop devices. What a machine lacks is left
out, and said.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import FIXED_ENV
from tests.crash.harness import fresh_copy
from tests.crash.loops import LoopDisk, UnavailableError
from tests.crash.tracing import Call, list_calls, run_killed

MUSE = (sys.executable, "-m", "muse")


@dataclass(frozen=True)
class Program:
    """One program, and how it does what is compared.

    Attributes:
        name: What the table calls it.
        setup: The commands that make a repository and its first commit, and stage three files.
        commit: The commit that is killed.
        again: A commit that must work afterwards, whatever happened.
        check: What finds damage, by an exit code that is not 0.
        log: Prints the subjects of all commits.
        version: Prints the version.
    """

    name: str
    setup: tuple[tuple[str, ...], ...]
    commit: tuple[str, ...]
    again: tuple[tuple[str, ...], ...]
    check: tuple[str, ...]
    log: tuple[str, ...]
    version: tuple[str, ...]


def _git(name: str, *options: str) -> Program:
    git = ("git", *(word for option in options for word in ("-c", option)))
    return Program(
        name,
        ((*git, "init", "-q"), (*git, "add", "first"), (*git, "commit", "-qm", "first"),
         (*git, "add", ".")),
        (*git, "commit", "-qm", "second"),
        ((*git, "add", "."), (*git, "commit", "-q", "--allow-empty", "-m", "third")),
        (*git, "fsck", "--strict", "--no-dangling"),
        (*git, "log", "--format=%s"),
        ("git", "--version"),
    )  # fmt: skip


_HG = ("hg", "--config", "ui.username=Ada")
PROGRAMS = (
    _git("git, as it comes"),
    _git("git, core.fsync=all", "core.fsync=all"),
    Program(
        "hg",
        ((*_HG, "init"), (*_HG, "add", "first"), (*_HG, "commit", "-m", "first"),
         (*_HG, "add", "-q")),
        (*_HG, "commit", "-m", "second"),
        ((*_HG, "addremove", "-q"), (*_HG, "commit", "-m", "third")),
        (*_HG, "verify", "-q"),
        (*_HG, "log", "--template", "{desc}\n"),
        ("hg", "--version", "-q"),
    ),
    Program(
        "Muse",
        ((*MUSE, "init"), (*MUSE, "add", "first"), (*MUSE, "commit", "-m", "first"),
         (*MUSE, "add", ".")),
        (*MUSE, "commit", "-m", "second"),
        ((*MUSE, "add", "."), (*MUSE, "commit", "-m", "third")),
        (*MUSE, "verify"),
        (*MUSE, "log", "--oneline"),
        (*MUSE, "--version"),
    ),
)  # fmt: skip


@dataclass
class Counts:
    """What was found in one series."""

    tried: int = 0
    stuck: int = 0
    corrupt: int = 0
    lost: int = 0

    def __str__(self) -> str:
        if not self.tried:
            return "– | – | – | –"
        return f"{self.tried} | {self.stuck} | {self.corrupt} | {self.lost}"


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def make(program: Program, folder: Path) -> None:
    """Make a repository whose next commit has three files."""
    folder.mkdir()
    (folder / "first").write_text("first\n")
    *early, last = program.setup
    for command in early:
        run(command, folder).check_returncode()
    for name in ("a", "b", "c"):
        (folder / name).write_text(f"{name}\n" * 50)
    run(last, folder).check_returncode()


def judge(program: Program, folder: Path, counts: Counts, *, reported: bool) -> None:
    """Look at what is left; the worst that is found counts, once."""
    counts.tried += 1
    checked = run(program.check, folder)
    log = run(program.log, folder)
    if reported and checked.returncode == 0 and "second" not in log.stdout:
        counts.lost += 1
        return
    # In a recovery that a program does by itself, the next command has its chance first.
    (folder / "d").write_text("d\n")
    failed = [done for done in (run(c, folder) for c in program.again) if done.returncode]
    checked = run(program.check, folder)
    if checked.returncode and not failed:
        counts.corrupt += 1
    elif failed:
        locked = "lock" in failed[0].stderr or "recover" in failed[0].stderr
        counts.stuck += locked
        counts.corrupt += not locked


def kills(program: Program, base: Path, work: Path, calls: Sequence[Call]) -> Counts:
    """Kill a commit before each of these calls."""
    counts = Counts()
    for call in calls:
        fresh_copy(base, work)
        died = run_killed(program.commit, work, call).returncode
        judge(program, work, counts, reported=not died)
    return counts


def cuts(program: Program, base: Path, disk: LoopDisk, calls: Sequence[Call]) -> Counts:
    """Kill a commit before each of these calls, or let it report, and then cut the power."""
    counts = Counts()
    work = disk.root / "work"
    ends: list[Call | None] = [None, *calls]
    for call, log_first in ((end, first) for end in ends for first in (True, False)):
        fresh_copy(base, work)
        disk.settle()
        if call is None:
            run(program.commit, work).check_returncode()
        died = call is not None and run_killed(program.commit, work, call).returncode != 0
        disk.cut(log_first=log_first)
        judge(program, work, counts, reported=not died)
    return counts


def rows(folder: Path, *, every: int, only: str | None) -> Iterator[str]:
    """Yield the lines of the table."""
    series = " | ".join(("stuck", "corrupt", "lost"))
    yield f"| one commit of three files | killed | {series} | cut | {series} |"
    yield "| --- |" + " --: |" * 8
    notes = []
    for number, program in enumerate(PROGRAMS):
        if only is not None and only not in program.name:
            continue
        if shutil.which(program.version[0]) is None:
            notes.append(f"{program.name} is not installed, and was left out.")
            continue
        base, work = folder / f"base{number}", folder / "work"
        make(program, base)
        fresh_copy(base, work)
        calls = list_calls(program.commit, work, folder / "log")
        killed = kills(program, base, work, calls[::every])
        cut = Counts()
        place = folder / f"disk{number}"
        place.mkdir()
        try:
            with LoopDisk(place, "ext4") as disk:
                cut = cuts(program, base, disk, calls[:: every * 3])
        except UnavailableError as reason:
            notes.append(f"{program.name}: no power cuts: {reason}")
        version = run(program.version, folder).stdout.split("\n")[0]
        yield f"| {program.name} ({version}) | {killed} | {cut} |"
    yield ""
    yield from notes


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--every", type=int, default=1, help="try each so-many-th kill point")
    parser.add_argument("--only", help="programs whose name holds this")
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        print("This needs strace.", file=sys.stderr)
        return 2
    os.environ.update(FIXED_ENV)
    with tempfile.TemporaryDirectory(prefix="muse-compare-") as name:
        os.environ["HOME"] = name
        for line in rows(Path(name), every=arguments.every, only=arguments.only):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
