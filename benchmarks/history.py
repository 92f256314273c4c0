"""Histories from a seed: many commits, written by git's own importer and taken over by Muse."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from typing import Final

from benchmarks.measure import run_once
from benchmarks.trees import WORDS
from benchmarks.workshop import GIT, GIT_INIT, MUSE, Pair, Workshop

_PEOPLE: Final = ("Ada", "Bea", "Cid", "Dee")
_FIRST_TIME_S: Final = 1_600_000_000


def make_history(workshop: Workshop, commits: int) -> Pair:
    """Return a pair with one line of so many commits, each of them changing one file of a few."""
    base = workshop.folder(f"history-{commits}")
    ours, theirs = base / "muse", base / "git"
    theirs.mkdir()
    run_once(GIT_INIT, cwd=theirs)
    stream = b"".join(_stream(commits))
    subprocess.run([GIT, "fast-import", "--quiet"], cwd=theirs, input=stream, check=True)
    run_once([GIT, "reset", "-q", "--hard"], cwd=theirs)
    run_once([MUSE, "init", str(ours)], cwd=base)
    run_once([MUSE, "bridge", "git-import", str(theirs)], cwd=ours)
    run_once([MUSE, "switch", "main"], cwd=ours)
    return Pair(ours, theirs, 0, [])


def _stream(commits: int) -> Iterator[bytes]:
    rng = random.Random(commits)
    for number in range(commits):
        who = rng.choice(_PEOPLE)
        person = f"{who} <{who.lower()}@example.com> {_FIRST_TIME_S + number * 600} +0100"
        message = f"Mend {rng.choice(WORDS)} {rng.choice(WORDS)} of bridge {number}\n"
        text = f"{number} {' '.join(rng.choices(WORDS, k=20))}\n"
        yield (
            f"commit refs/heads/main\nauthor {person}\ncommitter {person}\n"
            f"data {len(message)}\n{message}"
            f"M 100644 inline src_{number % 7}/file_{number % 31}.py\ndata {len(text)}\n{text}\n"
        ).encode()
