"""Processes that do one thing over and over, and a killer that strikes at random.

Each member is a forked child that repeats a step until it is killed. What a step returns was
*reported*: it is written to a file by one append, after the step returned, so that whatever
stands there must never be lost. An error that a step does not expect ends the test.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

# A step gets the number of its round and returns what it reports, if anything.
Step = Callable[[int], str | None]
Make = Callable[[], Step]

# CI looks at a share of what a full run does.
FULL = os.environ.get("MUSE_CRASH_FULL") == "1"
# Nothing here is measured: this is when a test that hangs gives up.
GIVE_UP_S = 600.0


class Member(NamedTuple):
    """One living process, and how to make its successor."""

    name: str
    make: Make
    pid: int


class Crowd:
    """A crowd of processes; a context manager that leaves none of them behind.

    Args:
        folder: Where reports and errors are written.
        seed: Of the killer's choices; printed by a failing test.
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        self._reports = folder / "reports"
        self._errors = folder / "errors"
        self._reports.touch()
        self._errors.touch()
        self._random = random.Random(seed)
        self._members: list[Member] = []
        self.kills = 0

    def start(self, name: str, make: Make) -> None:
        """Add a member; ``make`` runs in its process and returns its step."""
        self._members.append(Member(name, make, self._fork(name, make)))

    def _fork(self, name: str, make: Make) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        flags = os.O_WRONLY | os.O_APPEND
        try:
            fd = os.open(self._reports, flags)
            step = make()
            for number in itertools.count():
                if os.getppid() != parent:
                    break  # the test itself was killed
                reported = step(number)
                if reported:
                    os.write(fd, f"{name} {reported}\n".encode())
        except BaseException:  # noqa: BLE001  # a child must never return into the test
            text = f"--- {name}\n{traceback.format_exc()}"
            os.write(os.open(self._errors, flags), text.encode())
        finally:
            os._exit(1)

    def kill_one(self, *, within_s: float) -> None:
        """Wait for a random part of a time, kill a random member, and start its successor."""
        # The moment of death is what is drawn here, not something that is waited for.
        time.sleep(self._random.uniform(0, within_s))
        member = self._members.pop(self._random.randrange(len(self._members)))
        _kill(member.pid)
        self.kills += 1
        self.check_errors()
        self.start(member.name, member.make)

    def strike(self, *, kills: int, within_s: float) -> None:
        """Kill so many members, one after the other."""
        deadline = time.monotonic() + GIVE_UP_S
        for _ in range(kills):
            assert time.monotonic() < deadline, "gave up"
            self.kill_one(within_s=within_s)

    def wait_for(self, count: int, names: Iterable[str]) -> None:
        """Wait until each of these has reported so often: nobody is stuck."""
        deadline = time.monotonic() + GIVE_UP_S
        wanted = dict.fromkeys(names, count)
        while True:
            counts = {name: len(self.reports(name)) for name in wanted}
            if all(counts[name] >= wanted[name] for name in wanted):
                return
            self.check_errors()
            assert time.monotonic() < deadline, f"stuck: {counts}"
            time.sleep(0.02)

    def reports(self, name: str = "") -> list[str]:
        """Return what was reported, by one member's name or by all."""
        found = []
        for line in self._reports.read_text().splitlines():
            who, _, what = line.partition(" ")
            if name in {"", who}:
                found.append(what)
        return found

    def check_errors(self) -> None:
        """Nobody met an error that it did not expect."""
        errors = self._errors.read_text()
        assert not errors, errors

    def disperse(self) -> None:
        """Kill everybody."""
        while self._members:
            _kill(self._members.pop().pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disperse()


def _kill(pid: int) -> None:
    # A child that ended by an error is not reaped yet, so its id is nobody else's.
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
