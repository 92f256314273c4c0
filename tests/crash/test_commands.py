"""Every command that writes, killed at its file-system calls in turn.

After each death the oracle opens the repository as the next command would, checks G1 to G8, and
runs the next commands; now and then git judges an export. What was found is compared with the two
states that are allowed: what was there before, or what an undisturbed run leaves.

Of a long command a share of the calls is tried, evenly spread; ``MUSE_CRASH_STRIDE=1`` tries all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.commands import COMMANDS
from tests.crash.harness import DONE, KILLED, Fault, chosen_stride
from tests.crash.setups import ok
from tests.crash.trial import Trial

pytestmark = [pytest.mark.crash, pytest.mark.slow]

POINTS = 24
SLOW_POINTS = 8
# One state in so many is given to git.
GIT_EVERY = 12
# So many calls more or less another run makes: what was written within a tick is read once more.
SWAY = 12


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_every_call(tmp_path: Path, name: str) -> None:
    """G1, G3, G5, G6, G13: the state before or the state after, and never a stuck repository."""
    trial = Trial(COMMANDS[name], tmp_path)
    total = trial.count()
    stride = chosen_stride(max(1, total // (SLOW_POINTS if trial.command.slow else POINTS)))
    points = sorted({*range(1, total + 1, stride), total, total + 50})
    for turn, number in enumerate(points):
        outcome, said = trial.disturb(Fault(number))
        if abs(number - total) > SWAY:
            assert outcome == (KILLED if number < total else DONE), said
        git = turn % GIT_EVERY == GIT_EVERY - 1
        trial.judge(f"killed at {number}", reported=outcome == DONE, git=git)


@pytest.mark.parametrize("name", ["restore", "rm", "mv"])
def test_undo_after_a_kill(tmp_path: Path, name: str) -> None:
    """G3, G5: an operation is there with what it gave up, so that undo is never in its own way."""
    trial = Trial(COMMANDS[name], tmp_path)
    total = trial.count()
    for number in range(total * 2 // 3, total + 1, chosen_stride(2)):
        trial.disturb(Fault(number))
        ok(trial.work, "undo")
        ok(trial.work, "verify")
