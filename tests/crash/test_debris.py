"""What many deaths leave behind, and what is left of it after the next command (G6)."""

from __future__ import annotations

import functools
import os
import random
from pathlib import Path
from typing import Final

import pytest

from muse.core import io
from muse.core.paths import muse_dir, objects_dir
from muse.core.repo import open_repo
from muse.core.temps import family_of
from muse.ops.init import init
from tests.core.repos import MAIN, commit_files
from tests.crash import oracle
from tests.crash.crowd import FULL
from tests.crash.harness import DONE, KILLED, Fault, run_faulted

pytestmark = [pytest.mark.crash, pytest.mark.slow]

KILLS: Final = 1000 if FULL else 200
SEED = int(os.environ.get("MUSE_CRASH_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
# A transaction's calls, on systems with nameless files and without.
CALLS: Final = 70
# Headers, trees, the commit, the pack's own bytes.
OVERHEAD: Final = 32 << 10


def work() -> dict[bytes, bytes | None]:
    """Return what one transaction stores: a pack, a big object, and what no compression shrinks."""
    files: dict[bytes, bytes | None] = {b"d/%d" % n: os.urandom(1000) for n in range(40)}
    return {**files, b"big": os.urandom((1 << 20) + 1)}


def temps(root: Path) -> list[str]:
    """Return every temp below ``.muse/``."""
    return [
        os.path.join(base, name)
        for base, _, names in os.walk(muse_dir(root))
        for name in names
        if family_of(name)
    ]


def stored(root: Path) -> int:
    """Return the bytes of everything in the object folder, whatever it is."""
    return sum(path.stat().st_size for path in objects_dir(root).rglob("*") if path.is_file())


def test_debris_of_many_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who repeats what was killed finds no temp, and at most one transaction too much (G6)."""
    root = tmp_path / "repo"
    init(root)
    choose = random.Random(SEED)
    files = work()
    one_transaction = sum(len(data or b"") for data in files.values()) + OVERHEAD
    nameless = io._O_TMPFILE
    published, kills, met, tip = stored(root), 0, 0, None
    while kills < KILLS:
        # Every other one dies on a system that has no nameless files, and leaves a name.
        monkeypatch.setattr(io, "_O_TMPFILE", nameless if kills % 2 else 0)
        fault = Fault(choose.randrange(1, CALLS))
        outcome = run_faulted(functools.partial(attempt, root, files), fault)
        assert outcome in {DONE, KILLED}, f"seed {SEED}"
        kills += outcome == KILLED
        met += len(temps(root))
        open_repo(root)  # as the next command does, whichever it is
        assert temps(root) == [], f"seed {SEED}: after {kills} kills"
        leaked = stored(root) - published
        assert leaked <= one_transaction, f"seed {SEED}: {leaked} bytes after {kills} kills"
        if leaked:
            # Repeated from here on, only its last calls would ever be met.
            attempt(root, files)
        # Who dies between the commit point and the report has published it all the same.
        if open_repo(root).refs.read(MAIN) != tip:
            published, files, tip = stored(root), work(), open_repo(root).refs.read(MAIN)
    assert met, "no kill left a name, so nothing was tested"
    oracle.check(root)


def attempt(root: Path, files: dict[bytes, bytes | None]) -> None:
    """Publish it all."""
    commit_files(open_repo(root), files, ref=MAIN)
