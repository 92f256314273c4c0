"""Push, fetch, pull and clone, shallow ones too, killed and failed at their file-system calls.

The calls of both sides are counted: a remote that is a path runs in the same process. After each,
both repositories are judged by the one oracle, and the same command, given again, completes it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from muse.core.journal import checkpoint
from muse.core.paths import shallow_path
from muse.core.refs import HEADS
from muse.core.repo import Repository, open_repo
from muse.core.types import ObjectId
from tests.crash import oracle
from tests.crash.harness import (
    DONE,
    ERRORS,
    FAILED,
    KILLED,
    Fault,
    chosen_stride,
    count_calls,
    fresh_copy,
    run_told,
)
from tests.remotes.repositories import add_commit, files_of, make_repo

pytestmark = [pytest.mark.crash, pytest.mark.slow]

MAIN = HEADS + "main"
TRACKING = "refs/remotes/origin/main"
# Of a command's calls, so many are tried; ``MUSE_CRASH_STRIDE=1`` tries all.
POINTS = 14
ERROR_POINTS = 5


class Case(NamedTuple):
    """A transfer, and what tells that it is done.

    Attributes:
        words: The command.
        where: The folder it runs in, below the base.
        done: Raises AssertionError unless all of it happened.
    """

    words: tuple[str, ...]
    where: str
    done: Callable[[Path], None]


def _setup(base: Path) -> None:
    """A hub with four commits; ``mine`` is one ahead, ``behind`` two behind, ``cut`` is shallow."""
    hub = make_repo(base / "hub", bare=True)
    for number in range(2):
        add_commit(hub, files_of(30, seed=b"%d" % number), message=f"{number}\n")
    _clone(base, "behind")
    _clone(base, "cut", "--depth", "1")
    for number in range(2, 4):
        add_commit(hub, files_of(30, seed=b"%d" % number), message=f"{number}\n")
    mine = _clone(base, "mine")
    add_commit(mine, files_of(45, seed=b"mine"), message="mine\n")
    oracle.run(mine.root, "restore", ".")
    for name in ("hub", "behind", "cut", "mine"):
        checkpoint(base / name)
        # Copies of the base find each other by it.
        config = base / name / ".muse/config.toml"
        config.write_text(config.read_text().replace(str(base / "hub"), "../hub"))


def _clone(base: Path, name: str, *more: str) -> Repository:
    code, text = oracle.run(base, "clone", *more, "hub", name)
    assert code == 0, text
    return open_repo(base / name)


def _read(path: Path, name: str = MAIN) -> ObjectId | None:
    return open_repo(path).refs.read(name)


def _pushed(base: Path) -> None:
    assert _read(base / "hub") == _read(base / "mine") == _read(base / "mine", TRACKING)


def _fetched(base: Path) -> None:
    assert _read(base / "behind", TRACKING) == _read(base / "hub")


def _pulled(base: Path) -> None:
    assert _read(base / "behind") == _read(base / "hub")
    assert open_repo(base / "behind").head().commit == _read(base / "hub")


def _cloned(base: Path) -> None:
    assert _read(base / "new") == _read(base / "hub")
    assert not (base / "new/.muse/clone.json").exists()


def _cloned_cut(base: Path) -> None:
    _cloned(base)
    assert shallow_path(base / "new").exists()


def _deepened(base: Path) -> None:
    _, text = oracle.run(base / "cut", "log", "--oneline", "origin/main")
    assert len(text.splitlines()) == 3, text


def _whole(base: Path) -> None:
    assert not shallow_path(base / "cut").exists()
    assert _read(base / "cut", TRACKING) == _read(base / "hub")


CASES = {
    "push": Case(("push",), "mine", _pushed),
    "fetch": Case(("fetch",), "behind", _fetched),
    "pull": Case(("pull",), "behind", _pulled),
    "clone": Case(("clone", "hub", "new"), ".", _cloned),
    "clone --depth": Case(("clone", "--depth", "2", "hub", "new"), ".", _cloned_cut),
    "fetch --depth": Case(("fetch", "--depth", "3"), "cut", _deepened),
    "fetch --unshallow": Case(("fetch", "--unshallow"), "cut", _whole),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state before each command."""
    base = tmp_path_factory.mktemp("faults") / "base"
    _setup(base)
    return base


def _attempt(work: Path, case: Case) -> str:
    code, text = oracle.run(work / case.where, *case.words)
    if code:
        raise RuntimeError(f"{code} {text}")
    return text


def _judge(work: Path, case: Case, *, reported: bool) -> None:
    """Both sides are whole now; then the same command completes it, and both sides work."""
    for name in ("hub", "behind", "cut", "mine"):
        oracle.check_graph(work / name)
    if (work / "new/.muse/HEAD").exists() and not (work / "new/.muse/clone.json").exists():
        oracle.check_graph(work / "new")
    if not reported:
        code, text = oracle.run(work / case.where, *case.words)
        is_done = "whole already" in text or ("exists already" in text and (work / "new").exists())
        assert code == 0 or is_done, text
    case.done(work)
    oracle.check(work / "hub", bare=True)
    place = work / ("new" if case.words[0] == "clone" else case.where)
    oracle.check(place)


@pytest.mark.parametrize("name", CASES)
def test_killed_at_every_call(tmp_path: Path, base: Path, name: str) -> None:
    """G1, G5, G9: the other side is as valid as before, and repeating completes it."""
    case, work = CASES[name], tmp_path / "work"
    total = count_calls(base, work, lambda root: _attempt(root, case))
    stride = chosen_stride(max(1, total // POINTS))
    for number in sorted({*range(1, total + 1, stride), total}):
        fresh_copy(base, work)
        outcome, said = run_told(lambda: _attempt(work, case), Fault(number))
        assert outcome == KILLED, (number, said)
        _judge(work, case, reported=False)


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("name", CASES)
def test_failed_at_every_call(tmp_path: Path, base: Path, name: str, error: int) -> None:
    """G10: one clear error, or success when the call was of no account; all stays valid."""
    case, work = CASES[name], tmp_path / "work"
    total = count_calls(base, work, lambda root: _attempt(root, case))
    stride = chosen_stride(max(1, total // ERROR_POINTS))
    for number in range(1 + error % stride, total + 1, stride):
        fresh_copy(base, work)
        forever = bool(number % 2)
        outcome, said = run_told(
            lambda: _attempt(work, case), Fault(number, error=error, forever=forever)
        )
        assert outcome in {DONE, FAILED}, (number, said)
        if outcome == FAILED:
            assert said.split(" ", 1)[0] in {"1", "2", "3", "5"}, (number, said)
            assert "Traceback" not in said, (number, said)
        # A push is done when it is done there, and says so when it is not noted here.
        noted = "not remembered here" not in said
        _judge(work, case, reported=outcome == DONE and noted)
