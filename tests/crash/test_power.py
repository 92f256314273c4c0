"""Power cuts: every state that one may leave, under five models, is judged (G1 to G6, G13).

Each command is recorded once, in a child; what it does to files is the whole of what a crash can
see. The states are those of `muse.ops.selftest.models`; the judge is `muse.ops.selftest.judge`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.core.journal import checkpoint
from muse.ops.selftest.explore import Bench
from muse.ops.selftest.judge import Case, Judge, observe
from muse.ops.selftest.models import EXT4, KILL, MODELS, POSIX, WEAK, XFS, Explorer, syncs
from muse.ops.selftest.recorder import RecordingError
from muse.ops.selftest.recording import Recording, record
from muse.ops.selftest.tree import NAME, RENAME, SYNC_ALL, write_listing
from tests.crash import oracle
from tests.crash.crowd import FULL
from tests.crash.harness import chosen_stride, list_calls
from tests.crash.power import SCENES, Scene, dying_first, record_scene
from tests.crash.setups import ok, plain, run

pytestmark = [pytest.mark.crash, pytest.mark.slow]

# Of a command's calls, so many are tried beside its syncs; MUSE_CRASH_STRIDE=1 tries all.
DEATHS = 3
LAST_STATES = 30
BY_NAME = {scene.case.name: scene for scene in SCENES}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A place for states, in memory where there is any."""
    with Bench(tmp_path) as found:
        yield found


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.case.name)
def test_no_cut_breaks_a_promise(scene: Scene, tmp_path: Path, bench: Bench) -> None:
    """G1-G6, G13: after any cut the old state or the new; what was reported is there (G2)."""
    recording, judge = record_scene(scene, tmp_path / "root")
    outcome = bench.explore(recording, judge, limit=scene.limit)
    found = [f"{model} at {point}: {what}" for model, point, what in outcome.violations]
    assert found == []
    assert set(outcome.states) == set(MODELS)
    assert outcome.judged >= scene.least


def test_there_are_many_states() -> None:
    """The scenes show ten thousand distinct states or more, as each one's own test holds."""
    assert sum(scene.least for scene in SCENES) >= 10_000


@pytest.mark.parametrize("name", ["add 50", "add big", "push", "add, older init"])
def test_killed_given_again_and_cut(name: str, tmp_path: Path, bench: Bench) -> None:
    """G1, G2, G13: what a dead command left in memory is durable once the next one reports.

    The command dies at a call, is given again, and only then the power goes: nothing of what the
    dead one wrote needs to have reached the disk. Before a sync there is most that has not, so a
    death right before each is always among those tried.
    """
    scene = BY_NAME[name]
    scene.setup(tmp_path / "base")
    words = scene.case.commands[0]

    def give(root: Path) -> None:
        assert run(root, words)[0] == 0

    calls = list_calls(tmp_path / "base", tmp_path / "counted", give)
    deaths = {at for at, call in enumerate(calls, 1) if call == "fsync"}
    assert deaths
    deaths |= {*range(1, len(calls) + 1, chosen_stride(max(1, len(calls) // DEATHS)))}
    for at in sorted(deaths):
        recording, judge = record_scene(dying_first(scene, at), tmp_path / f"root{at}")
        # All that may go wrong is lost at the end, so that is where it is looked for.
        outcome = bench.explore(recording, judge, limit=LAST_STATES, models=(EXT4, WEAK, POSIX))
        assert [f"{m} at {p}: {what}" for m, p, what in outcome.violations] == [], f"died at {at}"


class TestTheExplorer:
    """It can fail: what is known to be wrong is found guilty."""

    @pytest.mark.parametrize("model", [EXT4, XFS, WEAK, POSIX])
    def test_naive_write(self, model: str, tmp_path: Path, bench: Bench) -> None:
        """A ref written to a temp and renamed, all unsynced, is lost or torn in each model."""
        plain(tmp_path / "repo")
        ok(tmp_path / "repo", "branch", "topic")
        assert _naive(tmp_path / "repo", bench, model, synced=False)

    @pytest.mark.parametrize("model", MODELS)
    def test_careful_write(self, model: str, tmp_path: Path, bench: Bench) -> None:
        """The same with a sync of the file and one of its folder is found guilty by none."""
        plain(tmp_path / "repo")
        ok(tmp_path / "repo", "branch", "topic")
        assert _naive(tmp_path / "repo", bench, model, synced=True) == []

    def test_naive_write_and_a_kill(self, tmp_path: Path, bench: Bench) -> None:
        """A kill alone does it no harm: the page cache survives."""
        plain(tmp_path / "repo")
        ok(tmp_path / "repo", "branch", "topic")
        assert _naive(tmp_path / "repo", bench, KILL, synced=False) == []

    def test_what_is_missed_is_noticed(self, tmp_path: Path) -> None:
        """A write behind the recorder's back makes the recording fail."""
        plain(tmp_path / "repo")

        def sneak(folder: Path, _words: object) -> tuple[int, str]:
            os.system(f"echo x > '{folder}/sneaked'")  # on purpose
            return 0, ""

        with pytest.raises(RecordingError, match="sneaked"):
            record(tmp_path / "repo", [("x",)], run=sneak, observe=lambda _: "{}")

    def test_the_full_oracle_agrees(self, tmp_path: Path) -> None:
        """What the quick judge lets pass also passes the oracle of the kills."""
        recording, _ = record_scene(BY_NAME["commit 1"], tmp_path / "root")
        for model in (EXT4, POSIX):
            for number, state in enumerate(Explorer(recording, model).states(12)):
                folder = tmp_path / f"{model}{number}"
                write_listing(state.listing, folder)
                oracle.check(folder)


def _naive(root: Path, bench: Bench, model: str, *, synced: bool) -> list[object]:
    """Move a ref without a journal, and return what a cut of that breaks."""
    ref = root / ".muse" / "refs" / "heads" / "topic"
    ok(root, "commit", "-m", "two")
    # It would put the ref right.
    checkpoint(root)
    new = (ref.parent / "main").read_bytes()

    def move(_folder: Path, _words: object) -> tuple[int, str]:
        temp = f"{ref}.new"
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT)
        os.write(fd, new)
        if synced:
            os.fsync(fd)
        os.close(fd)
        os.replace(temp, ref)
        if synced:
            fd = os.open(ref.parent, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
        return 0, ""

    case = Case("naive", (("move",),))
    recording = record(root, case.commands, run=move, observe=lambda folder: observe(folder, ["."]))
    # A name beside refs is no ref of ours, so only what becomes of `topic` is looked at.
    outcome = bench.explore(recording, Judge(case, recording, run), limit=999, models=(model,))
    return [found for _, _, found in outcome.violations if "topic.new" not in found.what]


# Syncs that nobody misses, in the order of the trace, and why each is made all the same:
#
# .idx      A torn index is rebuilt; a reader that may not write would rebuild it every time.
# pack (in "a day", the last)
#           A commit makes sure of packs that came since: this one's writer did so itself, and one
#           that died did not: `test_killed_given_again_and_cut`.
# all       What it would make durable is so already where the recording begins; "commit, gc" and
#           "amend, checkpoint" miss it.
# HEAD      For an `init` that is cut and given again, which is a scene of its own: after a whole
#           one it is followed by a sync of everything.
# wal       What a push or a fetch brings is a record of its own, which the sync of the next
#           record, the one that moves the refs, makes durable as well.
# wal (of a recovery)
#           Its writer may have died before its sync, `test_killed_given_again_and_cut`; here the
#           record is durable where the recording begins.
# .msgpack, code, tmp (of a switch)
#           The plan of a switch, by which `status` tells that one was cut: as each file is there
#           whole, giving it again works without.
# .muse, tmp (of settings that change with refs, and of a clone)
#           Their record does it again.
# sweeps, health
#           The record of what a sweep removed, which is not judged.
# root      The parents of a folder that stays.
SETTINGS = [".muse", "tmp"]
PLAN = [".msgpack", "code", "tmp", "code"]
# (of a clone)
#           Its last record holds settings and is retired at once, by a sync of everything; one
#           that is cut before that is given again, and begins where it finds anything torn.
CLONE = [
    "root", "copy", ".json", ".muse", "tmp", ".muse", "tmp", "wal", *PLAN[:1], "code",
    "tmp", "src", "er", "deep", "copy", *SETTINGS, "code",
]  # fmt: skip
SPARE: dict[str, list[str]] = {
    "init, commit": ["HEAD"],
    "add 50": [".idx"],
    "commit 50": [".idx"],
    "a day": [".idx", "pack"],
    "checkpoint": ["all"],
    "gc": ["all", ".idx"],
    "gc all": ["all", ".idx"],
    "gc, no journal": [".idx"],
    "gc of packs": [".idx"],
    "commit, gc": [".idx", ".idx"],
    "clone": CLONE,
    "push": ["wal"],
    "fetch": ["wal"],
    "sweep": ["sweeps", "health"],
    "recovery": ["wal"],
    "recovery of a rename": ["wal"],
    "recovery, commit": ["wal"],
    "recovery of a rename, more": ["wal"],
    "switch": PLAN,
    "switch detach": PLAN,
    "restore": ["root"],
    "restore source": ["root"],
    "undo restore": ["root"],
    "rm": ["root"],
    **dict.fromkeys(
        (name for name in BY_NAME if name.endswith((", fetched", ", following"))), SETTINGS
    ),
}
# All that write are mutated by the long form, and those of each kind always; but of the files of
# "switch twice" a state between the two is not judged, and each is "switch".
LONG = tuple(name for name in BY_NAME if name != "switch twice")
MUTATED = (
    "init", "commit 1", "commit 50", "add big", "checkpoint", "amend, checkpoint", "gc, no journal",
    "gc of packs", "switch", "mv", "push",
)  # fmt: skip


@pytest.mark.parametrize("name", LONG if FULL else MUTATED)
def test_each_sync_is_needed(name: str, tmp_path: Path, bench: Bench) -> None:
    """G2, G4: taking any one sync out of a command's trace is noticed in some model."""
    recording, judge = record_scene(BY_NAME[name], tmp_path / "root")
    assert spare_syncs(recording, judge, bench) == SPARE.get(name, [])


def spare_syncs(recording: Recording, judge: Judge, bench: Bench) -> list[str]:
    """Return what the syncs that nobody misses are of, in the order of the trace."""
    places = {
        number: place
        for names in recording.before.names.values()
        for place, number in names.items()
    }
    places |= {op.node: op.name for op in recording.ops if op.kind in {NAME, RENAME}}
    spare = []
    for index in syncs(recording):
        op = recording.ops[index]
        if bench.notices(recording, judge, index, limit=60, models=(XFS, WEAK, POSIX)) is None:
            place = "all" if op.kind == SYNC_ALL else places.get(op.node, "root")
            spare.append(Path(place).suffix or place)
    return spare
