"""A switch that was killed half-way: what says so, and what it keeps from being committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muse.core.checkout_record import read_interrupted_checkout
from tests.crash.harness import KILLED, Fault, run_faulted
from tests.crash.oracle import run

pytestmark = pytest.mark.crash

FILES = 30


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A repository in which ``switch main`` was killed between its files."""
    root = tmp_path / "song"
    root.mkdir()
    ok(root, "init")
    write(root, "main")
    ok(root, "commit", "-m", "main")
    ok(root, "switch", "-c", "topic")
    write(root, "topic")
    ok(root, "commit", "-m", "topic")
    for at in range(1, 400):
        assert run_faulted(lambda: _switch(root), Fault(at)) == KILLED
        if 0 < sum(path.read_text() == "main" for path in root.glob("*.txt")) < FILES:
            break
    assert read_interrupted_checkout(root) is not None
    return root


def _switch(root: Path) -> None:
    ok(root, "switch", "main")


def ok(root: Path, *arguments: str) -> str:
    """Run a command that must succeed."""
    code, text = run(root, *arguments)
    assert code == 0, (arguments, text)
    return text


def write(root: Path, text: str) -> None:
    """Give every file a text."""
    for number in range(FILES):
        (root / f"{number}.txt").write_text(text)


def test_status_says_so(half: Path) -> None:
    """Status names the switch and both ways out, and does not propose to commit the mixture."""
    text = ok(half, "status")
    assert "'muse switch main' was interrupted" in text
    assert "muse switch topic goes back" in text
    assert "records all of these changes" not in text
    found = json.loads(ok(half, "status", "--json"))
    assert found["interrupted"] == {"finish": "muse switch main", "back": "muse switch topic"}


@pytest.mark.parametrize("words", [("-m", "x"), ("-a", "-m", "x")])
def test_the_mixture_is_not_committed(words: tuple[str, ...], half: Path) -> None:
    """A commit of all changes is refused with the ways out; what is staged can be committed."""
    before = ok(half, "rev-parse", "HEAD")
    code, text = run(half, "commit", *words)
    assert code == 1
    assert "muse switch main" in text
    assert ok(half, "rev-parse", "HEAD") == before
    (half / "new.txt").write_text("mine\n")
    ok(half, "add", "new.txt")
    ok(half, "commit", "-m", "mine alone")


@pytest.mark.parametrize("branch", ["main", "topic"])
def test_both_ways_out_work(branch: str, half: Path) -> None:
    """The same switch finishes and the switch back undoes; then nothing is said any more."""
    ok(half, "switch", branch)
    found = json.loads(ok(half, "status", "--json"))
    assert (found["clean"], found["interrupted"], found["branch"]) == (True, None, branch)
    assert {path.read_text() for path in half.glob("*.txt")} == {branch}
