"""Power cuts of what moves the end of history: refs and boundary come together, or not at all.

They are killed and failed at their calls in `tests/remotes/test_faults.py`; here the states that a
cut may leave are judged, and the same with the command dead, given again, and only then the cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muse.ops.selftest.explore import Bench
from muse.ops.selftest.judge import Case
from muse.ops.selftest.models import EXT4, MODELS, POSIX, WEAK
from tests.crash.harness import chosen_stride, list_calls
from tests.crash.power import Scene, dying_first, record_scene
from tests.crash.setups import ok, run

pytestmark = [pytest.mark.crash, pytest.mark.slow]

DEATHS = 3
LAST_STATES = 30


def commit(root: Path, text: str) -> None:
    """Commit one file with a text."""
    (root / "song.txt").write_text(text)
    ok(root, "commit", "-m", text)


def hub(root: Path) -> None:
    """Make an empty folder beside a repository with three commits on a branch and a tag."""
    there = root.parent / "hub"
    there.mkdir(parents=True)
    ok(there, "init")
    for text in ("one", "two", "three"):
        commit(there, text)
    ok(there, "tag", "v1", "HEAD~1")
    root.mkdir(exist_ok=True)


def shallow(root: Path) -> None:
    """Make a clone of depth one beside its origin, which has a new commit since."""
    hub(root)
    ok(root.parent, "clone", "--depth", "1", "hub", root.name)
    commit(root.parent / "hub", "four")


def _scene(setup: Callable[[Path], None], line: str, repo: str, *, least: int) -> Scene:
    case = Case(line, (tuple(line.split()),), (repo,), repeat=True)
    return Scene(setup, case, 300, least)


SCENES = (
    _scene(shallow, "fetch --depth 2", ".", least=200),
    _scene(shallow, "fetch --unshallow", ".", least=280),
    _scene(hub, "clone --depth 1 {parent}/hub copy", "copy", least=700),
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A place for states, in memory where there is any."""
    with Bench(tmp_path) as found:
        yield found


def test_the_state_has_the_boundary(tmp_path: Path) -> None:
    """What is compared tells a history that was deepened from one that was not."""
    recording, _ = record_scene(SCENES[1], tmp_path / "root")
    first, last = recording.stages[0], recording.stages[-1]
    assert "sha256:" in first.seen
    assert first.seen != last.seen
    shallow_file = tmp_path / "root/.muse/shallow"
    assert not shallow_file.exists()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.case.name)
def test_no_cut_breaks_a_promise(scene: Scene, tmp_path: Path, bench: Bench) -> None:
    """G1-G6, G9: history is complete down to where it is said to end, before and after any cut."""
    recording, judge = record_scene(scene, tmp_path / "root")
    outcome = bench.explore(recording, judge, limit=scene.limit)
    assert [f"{model} at {at}: {what}" for model, at, what in outcome.violations] == []
    assert set(outcome.states) == set(MODELS)
    assert outcome.judged >= scene.least


def test_killed_given_again_and_cut(tmp_path: Path, bench: Bench) -> None:
    """G1, G2: what the second one reports does not rest on what the dead one left unsynced."""
    scene = SCENES[0]  # one that is not refused when it has happened already
    scene.setup(tmp_path / "base")
    words = scene.case.commands[0]

    def give(root: Path) -> None:
        assert run(root, words)[0] == 0

    calls = list_calls(tmp_path / "base", tmp_path / "counted", give)
    syncs = [at for at, call in enumerate(calls, 1) if call == "fsync"]
    assert syncs
    deaths = {*syncs, *range(1, len(calls) + 1, chosen_stride(max(1, len(calls) // DEATHS)))}
    for at in sorted(deaths):
        recording, judge = record_scene(dying_first(scene, at), tmp_path / f"at{at}" / "root")
        outcome = bench.explore(recording, judge, limit=LAST_STATES, models=(EXT4, WEAK, POSIX))
        assert [f"{m} at {p}: {what}" for m, p, what in outcome.violations] == [], f"died at {at}"
