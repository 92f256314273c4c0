"""What must be true of a state that a crash left, judged as the next command sees it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from muse.core import temps
from muse.core.commits import Signature
from muse.core.errors import MuseError
from muse.core.object_store import ObjectStore
from muse.core.operations import iter_operation_ids, read_operations
from muse.core.paths import config_path, muse_dir
from muse.core.refs import RefStore
from muse.core.repo import Repository, open_repo
from muse.core.shallow import Boundary
from muse.core.stage import read_stage
from muse.core.trash import iter_trash_ids
from muse.core.trees import iter_tree
from muse.core.types import RawId, blob_id, from_raw, to_raw
from muse.ops.selftest.recording import Recording, Runner
from muse.ops.selftest.tree import FILE

_WHO: Final = Signature("Self-test", "selftest@localhost", 1700000000)
_NEXT_REF: Final = "refs/tags/after-the-cut"


class Violation(NamedTuple):
    """A promise that a state breaks.

    Attributes:
        guarantee: Its number in GUARANTEES.md.
        what: What was found.
    """

    guarantee: str
    what: str


class Case(NamedTuple):
    """Commands whose crashes are looked at.

    Attributes:
        name: What the table calls it.
        commands: The words of each, run in the scratch folder.
        repos: The repositories, relative to that folder.
        repeat: Whether a command that was cut short is given again, and must then succeed.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    repos: tuple[str, ...] = (".",)
    repeat: bool = False


def observe(folder: Path, repos: Sequence[str]) -> str:
    """Say what repositories say, without recovering or writing anything.

    That is HEAD, refs, the stage, where history ends, settings, and which operations can be
    undone.

    Returns:
        A JSON object; null for what is no repository yet.
    """
    seen: dict[str, object] = {}
    for name in repos:
        root = folder / name
        if not _is_finished(root):
            seen[name] = None
            continue
        refs = RefStore(root)
        stage = sorted((path.hex(), repr(entry)) for path, entry in read_stage(root).items())
        ends = sorted(map(from_raw, Boundary(root).read()))
        settings = config_path(root)
        config = settings.read_text("utf-8") if settings.is_file() else None
        done = [operation.name for operation in read_operations(root)]
        seen[name] = [refs.head_text(), list(refs.iter()), stage, ends, config, done]
    return json.dumps(seen, sort_keys=True)


def _is_finished(root: Path) -> bool:
    """Tell a repository from what a cut `init` or `clone` leaves, which is given again."""
    muse = muse_dir(root)
    return (muse / "repo.json").is_file() and not (muse / "clone.json").exists()


class Judge:
    """Looks at states of one recording.

    Args:
        case: What was recorded.
        recording: The recording.
        run: Gives a command again where the case says so.
    """

    def __init__(self, case: Case, recording: Recording, run: Runner) -> None:
        self._case = case
        self._run = run
        self._stages: list[dict[str, object]] = [
            json.loads(stage.seen) for stage in recording.stages
        ]
        self._before = _working_files(recording.before.listing())
        self._after = _working_files(recording.after.listing())
        if len(self._stages) > 2:
            # What a file held between two commands may be seen as well.
            named = {op.name for op in recording.ops}
            self._before = {
                path: data
                for path, data in self._before.items()
                if path.split("/")[-1] not in named
            }
            self._after = self._before

    def look(self, folder: Path, *, reported: int, killed: bool) -> list[Violation]:
        """Judge one state, written out in a folder, which is changed.

        Args:
            folder: Where; never used before, since some things are cached by path.
            reported: How many commands had reported.
            killed: Whether only the process died, so that files of the working tree are whole.
        """
        last = len(self._stages) - 1
        found = self._check_files(folder, killed=killed, done=reported == last == 1)
        if self._case.repeat and reported < last:
            found += self._again(folder, reported)
            reported += 1
        for name in self._case.repos:
            root = folder / name
            before = self._stages[reported][name]
            after = self._stages[min(reported + 1, last)][name]
            if before is None and not muse_dir(root).is_dir():
                continue
            try:
                repo = open_repo(root, command="self-test")
            except (MuseError, OSError) as error:
                found.append(Violation("G5", f"{name} cannot be opened: {error}"))
                continue
            found += self._check_state(folder, name, (before, after), reported)
            damage, kept = _check_graph(repo)
            found += damage or self._check_kept(folder, name, kept)
            found += _check_next(root)
        return found

    def _again(self, folder: Path, reported: int) -> list[Violation]:
        wanted = self._stages[reported + 1]
        try:
            for name in self._case.repos:
                if _is_finished(folder / name):
                    open_repo(folder / name, command="self-test")
            if json.loads(observe(folder, self._case.repos)) == wanted:
                return []
        except (MuseError, OSError, ValueError):
            pass
        words = self._case.commands[reported]
        code, text = self._run(folder, words)
        if code == 0:
            return []
        return [Violation("G5", f"'{' '.join(words)}' again exits {code}: {text.strip()}")]

    def _check_state(
        self, folder: Path, name: str, allowed: tuple[object, object], reported: int
    ) -> list[Violation]:
        try:
            seen = json.loads(observe(folder, [name]))[name]
        except (MuseError, OSError, ValueError) as error:
            return [Violation("G5", f"{name} cannot be read: {error}")]
        if seen in allowed:
            return []
        if seen in [stage[name] for stage in self._stages[:reported]]:
            return [Violation("G2", f"{name}: what was reported is lost: {seen}")]
        return [Violation("G3", f"{name}: neither before nor after: {seen}, not {allowed}")]

    def _check_files(self, folder: Path, *, killed: bool, done: bool) -> list[Violation]:
        """Compare files that are not touched, or when the command is done or was killed, all."""
        found = []
        for path in self._before.keys() | self._after.keys():
            allowed = {self._after.get(path)} | (set() if done else {self._before.get(path)})
            if len(allowed) > 1 and not killed:
                continue
            try:
                data: bytes | None = (folder / path).read_bytes()
            except OSError:
                data = None
            if data not in allowed and (data is not None or len(allowed) == 1):
                found.append(Violation("G3", f"{path} is neither as before nor as after"))
        return found

    def _check_kept(self, folder: Path, name: str, kept: set[str]) -> list[Violation]:
        """What a file held that is no longer there can be had from the repository."""
        found = []
        for path, data in self._before.items():
            if self._after.get(path) == data or not (folder / path).is_relative_to(folder / name):
                continue
            if blob_id(data) not in kept and not _holds(folder / path, data):
                found.append(Violation("G12", f"what {path} held is nowhere"))
        return found


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _working_files(listing: Sequence[tuple[str, str, int, bytes]]) -> dict[str, bytes]:
    return {
        path: data
        for path, kind, _, data in listing
        if kind == FILE and ".muse" not in path.split("/")
    }


def _check_graph(repo: Repository) -> tuple[list[Violation], set[str]]:
    """Every ref's commit is complete, and every stored object hashes to its name.

    Returns:
        What is wrong, and the ids of all that refs, the stage, the trash and operations keep.
    """
    store = ObjectStore(repo.root)
    seen: set[RawId] = set()
    try:
        for _, oid in repo.refs.iter():
            _read_reachable(repo, store, to_raw(oid), seen)
        staged = (entry[1] for entry in read_stage(repo.root).values() if entry is not None)
        for raw in (*staged, *iter_trash_ids(repo.root), *iter_operation_ids(repo.root)):
            store.read(raw)
            seen.add(raw)
    except (MuseError, OSError) as error:
        return [Violation("G1", str(error))], set()
    try:
        stored = set(store.iter_loose()).union(*(pack.ids() for pack in store.packs()))
        for raw in stored - seen:
            store.read(raw)
    except (MuseError, OSError) as error:
        return [Violation("G4", str(error))], set()
    return [], {from_raw(raw) for raw in seen}


def _read_reachable(repo: Repository, store: ObjectStore, start: RawId, seen: set[RawId]) -> None:
    pending = [start]
    while pending:
        raw = pending.pop()
        if raw in seen:
            continue
        seen.add(raw)
        if store.read(raw)[0] != "commit":
            continue
        commit = repo.commit(raw)
        pending += () if raw in store.boundary.read() else commit.parents
        for _, _, blob in iter_tree(store, commit.tree):
            if blob not in seen:
                seen.add(blob)
                store.read(blob, expected="blob")


def _check_next(root: Path) -> list[Violation]:
    """The next writer works, nothing is left, and nothing has to be recovered once more."""
    try:
        repo = open_repo(root, do_sweep=False)
        repo.config.get("user.name")
        if repo.recovered:
            return [Violation("G5", f"{repo.recovered} pieces are recovered again")]
        with repo.transaction("selftest", who=_WHO) as tx:
            raw = tx.write_object("blob", b"written after the cut\n")
            tx.set_ref(_NEXT_REF, from_raw(raw), old=repo.refs.read(_NEXT_REF), log="next")
        if RefStore(root).read(_NEXT_REF) != from_raw(raw):
            return [Violation("G5", "the next write is not there")]
        ObjectStore(root).read(raw)
    except (MuseError, OSError) as error:
        return [Violation("G5", f"the next write fails: {error}")]
    left = [
        name
        for _, _, names in os.walk(muse_dir(root))
        for name in names
        if temps.family_of(name) is not None
    ]
    return [Violation("G6", f"left behind: {', '.join(left)}")] if left else []
