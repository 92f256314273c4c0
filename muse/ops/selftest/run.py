"""The self-test: the everyday commands, killed and cut on this machine, in a table."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import StorageError
from muse.core.types import Progress
from muse.ops.selftest.explore import Bench, Outcome
from muse.ops.selftest.judge import Case, Judge, Violation, observe
from muse.ops.selftest.kills import count_calls, run_killed
from muse.ops.selftest.models import KILL, State
from muse.ops.selftest.recording import Runner, record
from muse.ops.selftest.tree import write_listing

# What each state is judged by, in short; GUARANTEES.md has the whole sentences.
JUDGED: Final = {
    "G1": "what refs name is complete",
    "G2": "what was reported is there",
    "G3": "the rest happened whole or not at all",
    "G4": "every object hashes to its name",
    "G5": "the next command works",
    "G6": "nothing is left behind",
    "G12": "what a file held is kept",
    "G13": "all that, when recovery dies too",
}
BUDGET_S: Final = 50.0
STATES_PER_MODEL: Final = 60
KILLS: Final = 12


class Finding(NamedTuple):
    """One violation.

    Attributes:
        guarantee: Which promise is broken.
        command: By a crash of which command.
        model: Under which model; ``kill`` is also a real kill.
        point: After how many operations, or before which call of a real kill.
        what: What was found.
    """

    guarantee: str
    command: str
    model: str
    point: int
    what: str


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What was tried on one command.

    Attributes:
        command: Its name.
        operations: How many operations it does, as recorded.
        kills: How many real kills.
        states: How many distinct states for each model.
        distinct: How many distinct states in all.
        left_out: How many more, of all models, there was no time for.
    """

    command: str
    operations: int
    kills: int
    states: dict[str, int]
    distinct: int
    left_out: int


@dataclass(frozen=True, slots=True)
class SelftestReport:
    """The whole self-test.

    Attributes:
        folder: Where the commands ran.
        commands: One for each command.
        findings: Every violation.
        time_s: How long it took.
    """

    folder: Path
    commands: tuple[CommandResult, ...]
    findings: tuple[Finding, ...]
    time_s: float

    @property
    def tried(self) -> int:
        """How many crashes were looked at, real ones and states."""
        return sum(result.kills + result.distinct for result in self.commands)

    @property
    def left_out(self) -> int:
        """How many states there was no time for."""
        return sum(result.left_out for result in self.commands)

    def violations(self, guarantee: str, command: str) -> int:
        """Return how many crashes of a command broke a promise."""
        return sum(f.guarantee == guarantee and f.command == command for f in self.findings)


class _Scene(NamedTuple):
    case: Case
    setup: Callable[[Path, Runner], None]


def _write(root: Path, number: int) -> None:
    for name in ("a.txt", "folder/b.txt", f"folder/only{number}.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}, version {number}\n" * 20)


def _empty(root: Path, _run: Runner) -> None:
    _write(root, 0)


def _changed(root: Path, run: Runner) -> None:
    _write(root, 0)
    _ok(run, root, "init")
    _ok(run, root, "commit", "-m", "first")
    _write(root, 1)


def _staged(root: Path, run: Runner) -> None:
    _changed(root, run)
    _ok(run, root, "add", ".")


def _two_branches(root: Path, run: Runner) -> None:
    _changed(root, run)
    _ok(run, root, "switch", "-c", "topic")
    _ok(run, root, "commit", "-m", "second")


def _two_sides(root: Path, run: Runner) -> None:
    (root / "here").mkdir()
    _changed(root / "here", run)
    _ok(run, root, "init", "--bare", "there")
    _ok(run, root / "here", "remote", "add", "origin", "../there")


def _ok(run: Runner, root: Path, *words: str) -> None:
    code, text = run(root, words)
    if code:
        raise StorageError(f"'muse {' '.join(words)}' failed in the self-test: {text.strip()}")


_SCENES: Final = (
    _Scene(Case("init", (("init",),), repeat=True), _empty),
    _Scene(Case("add", (("add", "."),)), _changed),
    _Scene(Case("commit", (("commit", "-m", "next"),)), _staged),
    _Scene(Case("switch", (("switch", "main"),)), _two_branches),
    _Scene(Case("recovery", (("status",),)), _staged),
    _Scene(
        Case("push", (("-C", "here", "push", "origin", "main"),), ("here", "there"), repeat=True),
        _two_sides,
    ),
)


def run_selftest(
    folder: Path,
    *,
    run: Runner,
    budget_s: float = BUDGET_S,
    progress: Progress | None = None,
) -> SelftestReport:
    """Kill and cut the everyday commands in a scratch folder, and judge what is left.

    Args:
        folder: On the file system to try; a folder of its own is made in it, and removed.
        run: Runs a command line in this process.
        budget_s: About how long it may take.
        progress: Told how many crashes were looked at.

    Raises:
        StorageError: A command fails without any crash.
        IoFailedError: The folder cannot be used.
    """
    started = time.monotonic()
    base = Path(tempfile.mkdtemp(prefix="muse-selftest-", dir=folder)).resolve()
    results: list[CommandResult] = []
    findings: list[Finding] = []
    done = 0
    try:
        with Bench(base) as bench:
            for number, scene in enumerate(_SCENES):
                left_s = started + budget_s - time.monotonic()
                until_s = time.monotonic() + left_s / (len(_SCENES) - number)

                def tell(count: int, before: int = done) -> None:
                    if progress is not None:
                        progress(before + count, None)

                result, found = _try(scene, base / scene.case.name, bench, run, until_s, tell)
                results.append(result)
                findings += found
                done += result.kills + result.distinct
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return SelftestReport(folder, tuple(results), tuple(findings), time.monotonic() - started)


def _try(
    scene: _Scene,
    base: Path,
    bench: Bench,
    run: Runner,
    until_s: float,
    tell: Callable[[int], None],
) -> tuple[CommandResult, list[Finding]]:
    root = base / "recorded"
    root.mkdir(parents=True)
    scene.setup(root, run)
    case = scene.case
    if case.name == "recovery":
        _kill_commit(root, run)
    recording = record(root, case.commands, run=run, observe=lambda at: observe(at, case.repos))
    if recording.code:
        raise StorageError(f"'{case.name}' failed in the self-test: {recording.output.strip()}")
    judge = Judge(case, recording, run)
    before = recording.before.listing()

    def kills() -> Iterator[tuple[int, list[Violation]]]:
        started = time.monotonic()
        write_listing(before, base / "counted")
        calls = count_calls(base / "counted", case.commands[0], run=run)
        # One more, which is never reached: what an undisturbed run leaves is judged as well.
        for at in (*range(1, calls + 1, max(1, calls // KILLS)), calls + 1):
            work = base / str(at)
            write_listing(before, work)
            died = run_killed(work, case.commands[0], at=at, run=run)
            found = judge.look(work, reported=0 if died else 1, killed=True)
            shutil.rmtree(work)
            yield at, found
            if time.monotonic() > (started + until_s) / 2:
                # The other half of the time is for power cuts.
                return

    def finding(model: str, point: int, violation: Violation) -> Finding:
        guarantee = "G13" if case.name == "recovery" else violation.guarantee
        return Finding(guarantee, case.name, model, point, violation.what)

    count = 0
    findings: list[Finding] = []
    for at, found in kills():
        count += 1
        tell(count)
        findings += [finding(KILL, at, violation) for violation in found]
    outcome: Outcome = bench.explore(
        recording,
        judge,
        limit=STATES_PER_MODEL,
        tell=lambda number: tell(count + number),
        until_s=until_s,
    )
    findings += [finding(*violation) for violation in outcome.violations]
    result = CommandResult(
        case.name,
        operations=len(recording.ops),
        kills=count,
        states=outcome.states,
        distinct=outcome.judged,
        left_out=outcome.left_out,
    )
    return result, findings


def _kill_commit(root: Path, run: Runner) -> None:
    """Leave what a commit leaves that died once its record was durable, before all else."""
    from muse.ops.selftest.models import POSIX, Explorer

    case = Case("commit", (("commit", "-m", "cut"),))
    recording = record(root, case.commands, run=run, observe=lambda at: observe(at, case.repos))
    state = cut_after_record(Explorer(recording, POSIX).states(1 << 30))
    shutil.rmtree(root)
    write_listing(state.listing, root)


def cut_after_record(states: list[State]) -> State:
    """Return the state in which a command was reported, and nothing but its record is there."""
    last = max(state.reported for state in states)
    return min(
        (state for state in states if state.reported == last),
        key=lambda state: (len(state.listing), sum(len(entry[3]) for entry in state.listing)),
    )
