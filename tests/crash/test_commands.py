"""Every command that writes, killed at each of its file-system calls in turn.

After each death the oracle opens the repository as the next command would, checks G1 to G8, and
runs the next commands. Which state was found is compared with the two that are allowed: what was
there before, or what an undisturbed run leaves.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.repo import open_repo
from muse.core.stage import read_stage
from muse.ops.init import init
from tests.crash import oracle
from tests.crash.harness import DONE, ERRORS, FAILED, KILLED, every_fault

pytestmark = pytest.mark.crash

Setup = Callable[[Path], None]
SMALL = {f"src/m{n}.py": f"print({n})\n" for n in range(3)}
MANY = {f"d{n % 7}/f{n}.txt": f"{n}\n" for n in range(60)}


def write(root: Path, files: dict[str, str]) -> None:
    """Write some files into a working tree."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def ok(root: Path, *arguments: str) -> str:
    """Run a command that must succeed."""
    code, text = oracle.run(root, *arguments)
    assert code == 0, text
    return text


def _plain(root: Path) -> None:
    write(root, SMALL)
    ok(root, "add", ".")
    ok(root, "commit", "-m", "one")
    write(root, {"src/m0.py": "changed\n", "new.py": "new\n"})


def _staged(root: Path) -> None:
    _plain(root)
    ok(root, "add", ".")


def _many(root: Path) -> None:
    _plain(root)
    write(root, MANY)


def _branches(root: Path) -> None:
    _plain(root)
    ok(root, "commit", "-m", "two")
    ok(root, "branch", "topic", "HEAD~1")
    write(root, {"src/m1.py": "third\n", "deep/er/file": "x\n"})
    ok(root, "commit", "-m", "three")


CASES: dict[str, tuple[Setup, tuple[str, ...]]] = {
    "add": (_plain, ("add", ".")),
    "add many": (_many, ("add", ".")),
    "commit staged": (_staged, ("commit", "-m", "x")),
    "commit all": (_plain, ("commit", "-m", "x")),
    "commit many": (_many, ("commit", "-m", "x")),
    "amend": (_staged, ("commit", "--amend", "-m", "x")),
    "reset": (_staged, ("reset",)),
    "rm": (_plain, ("rm", "src/m1.py")),
    "mv": (_plain, ("mv", "src/m1.py", "moved.py")),
    "config": (_plain, ("config", "user.name", "B")),
    "branch create": (_branches, ("branch", "other")),
    "branch rename": (_branches, ("branch", "-m", "topic", "topic/sub")),
    "branch delete": (_branches, ("branch", "-D", "topic")),
    "switch": (_branches, ("switch", "topic")),
    "restore": (_plain, ("restore", "src/m0.py")),
    "tag": (_branches, ("tag", "-a", "v1", "-m", "first")),
    "undo": (_branches, ("undo",)),
    "gc": (_branches, ("gc",)),
}


def state(root: Path) -> tuple[object, ...]:
    """Return what a repository says: HEAD, refs and stage."""
    repo = open_repo(root)
    stage = read_stage(root)
    return repo.refs.head_text(), tuple(repo.refs.iter()), tuple(sorted(stage.items()))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_at_every_call(tmp_path: Path, case: str) -> None:
    """G3, G5, G6: the state before or the state after, and never a stuck repository."""
    setup, command = CASES[case]
    base, work = tmp_path / "base", tmp_path / "work"
    init(base)
    setup(base)
    before = state(base)
    shutil.copytree(base, tmp_path / "after", symlinks=True)
    ok(tmp_path / "after", *command)
    after = state(tmp_path / "after")
    outcomes = set()
    for number, outcome in every_fault(base, work, lambda root: _run(root, command), stride=3):
        outcomes.add(outcome)
        found = state(work)
        assert found in (before, after), f"neither before nor after, killed at call {number}"
        assert outcome != DONE or found == after, "reported, but not there"
        oracle.check(work)
    assert {DONE, KILLED} == outcomes


@pytest.mark.slow
@pytest.mark.parametrize("case", ["add", "commit all", "switch", "undo"])
@pytest.mark.parametrize("error", ERRORS[:2])
def test_failing_at_every_call(tmp_path: Path, case: str, error: int) -> None:
    """G10: success is reported only when all of it is there; then everything still works."""
    setup, command = CASES[case]
    base, work = tmp_path / "base", tmp_path / "work"
    init(base)
    setup(base)
    shutil.copytree(base, tmp_path / "after", symlinks=True)
    ok(tmp_path / "after", *command)
    after = state(tmp_path / "after")
    outcomes = set()
    for number, outcome in every_fault(
        base, work, lambda root: _run(root, command), error=error, stride=5
    ):
        outcomes.add(outcome)
        if outcome == DONE:
            assert state(work) == after, f"silent loss at call {number}"
        oracle.check(work)
    assert outcomes == {DONE, FAILED}


def _run(root: Path, command: tuple[str, ...]) -> None:
    code, text = oracle.run(root, *command)
    if code:
        raise RuntimeError(text)
