"""What a repository must never lose: everything that names an object, wherever it is written.

Refs, HEAD and the stage are roots in the strict sense: without what they name, the repository is
damaged. Reflogs, the operation log, the trash and the files of jobs and drafts are *lesser* roots:
`gc` keeps what they name just the same, but if it is gone, only the way back is.

A file that cannot be read as what it is yields a fault instead of roots: then nobody knows what it
named, and nothing may be dropped on its account.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from muse.core.codec import CodecError
from muse.core.errors import CorruptFileError, MuseError
from muse.core.id_scan import iter_packed_ids, iter_text_ids
from muse.core.io import read_bytes
from muse.core.operations import Operation, operations_path, read_operations
from muse.core.paths import (
    drafts_dir,
    head_path,
    jobs_dir,
    logs_dir,
    muse_dir,
    shallow_path,
    stage_path,
    trash_dir,
)
from muse.core.plain_files import LOG_BYTES, REF_BYTES, STAGE_BYTES
from muse.core.reflog import count_damaged_lines, read_reflog, reflog_path
from muse.core.refs import HEADS, REMOTES, TAGS, RefStore, short_name
from muse.core.stage import decode_stage, read_stage
from muse.core.trash import iter_trash_ids
from muse.core.types import ObjectId, ObjectType, RawId, is_object_id, to_raw

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore


class Root(NamedTuple):
    """One place that names an object.

    Attributes:
        raw: The object.
        label: The place, as people call it: ``main``, ``stage``, ``reflog of main``.
        kind: The type that it must have; None when any will do.
        path: For the stage, the path that it stands for.
        lesser: Whether only a way back depends on it.
        guess: Whether it is only taken for an id by its form, and may well be none.
    """

    raw: RawId
    label: str
    kind: ObjectType | None = None
    path: bytes = b""
    lesser: bool = False
    guess: bool = False


class RootFault(NamedTuple):
    """A file that names objects and cannot be read.

    Attributes:
        file: Its path.
        label: What it is, as people call it.
        reason: What is wrong, as the end of a sentence.
        way_out: What to type.
        lesser: Whether only a way back depends on it.
        hides: Whether it may have named objects that nobody knows of now.
    """

    file: str
    label: str
    reason: str
    way_out: str
    lesser: bool = False
    hides: bool = True


class Roots(NamedTuple):
    """All roots, those that matter most first, and what could not be read."""

    roots: list[Root]
    faults: list[RootFault]

    @property
    def hidden(self) -> RootFault | None:
        """A file that may have named objects and cannot be read; None when there is none."""
        return next((fault for fault in self.faults if fault.hides), None)


def read_roots(store: ObjectStore, *, logs_since_s: float | None = None) -> Roots:
    """Collect the roots of a repository.

    Args:
        store: Its objects.
        logs_since_s: Leave out entries of reflogs and the operation log before this Unix time;
            None keeps all.
    """
    collector = _Collector(store, logs_since_s)
    collector.add_head()
    collector.add_refs()
    collector.add_stage()
    collector.add_boundary()
    collector.add_reflogs()
    collector.add_operations()
    collector.add_trash()
    muse = muse_dir(store.root)
    for folder, label in (
        (jobs_dir(store.root), "job"),
        (trash_dir(store.root), "trash"),
        (drafts_dir(store.root), "draft"),
        (muse / "shelves", "shelf"),
        # What else is under way: an interrupted checkout, for one.
        (muse / "code", "work under way"),
    ):
        collector.add_files(folder, label)
    return Roots(collector.roots, collector.faults)


class _Collector:
    def __init__(self, store: ObjectStore, logs_since_s: float | None) -> None:
        self.roots: list[Root] = []
        self.faults: list[RootFault] = []
        self._store, self._root = store, store.root
        self._refs = RefStore(store.root)
        self._since_s = logs_since_s
        self._current: str | None = None
        self._old_staged: set[RawId] = set()

    def _fail(self, path: Path, label: str, error: MuseError, *, lesser: bool = False) -> None:
        reason = error.reason if isinstance(error, CorruptFileError) else error.message
        self.faults.append(RootFault(str(path), label, reason, error.hint, lesser))

    def add_head(self) -> None:
        """Add HEAD itself, when it is detached; a branch is added among the refs."""
        path = head_path(self._root)
        try:
            text = self._refs.head_text()
            gone = not (read_bytes(path, doing="read HEAD", limit=REF_BYTES) or b"").strip()
        except MuseError as error:
            self._fail(path, "HEAD", error)
            return
        if gone and reflog_path(self._root, "HEAD").is_file():
            reason = "it is empty" if path.exists() else "it is not there"
            way_out = "'muse switch <branch>' sets it anew; 'muse reflog' shows where it was."
            self.faults.append(RootFault(str(path), "HEAD", reason, way_out))
        if text.startswith("ref: "):
            self._current = text[5:].strip()
        try:
            head = self._refs.head()
        except MuseError as error:
            # A branch whose file is damaged is told of where the branches are.
            if self._current is None or not self._is_ref(self._current):
                self._fail(path, "HEAD", error)
            return
        if head.detached and head.commit is not None:
            self.roots.append(Root(to_raw(head.commit), "HEAD", "commit"))

    def _is_ref(self, name: str) -> bool:
        try:
            return self._refs.path(name).is_file()
        except MuseError:
            return False

    def add_refs(self) -> None:
        """Add every ref, the current branch first, then branches, tags, and what remotes have."""
        try:
            names = list(self._refs.iter_names())
        except MuseError as error:
            self._fail(muse_dir(self._root) / "refs", "refs", error)
            return
        for name in sorted(names, key=lambda n: (n != self._current, _rank(n), n)):
            path = self._refs.path(name)
            label = short_name(name)
            try:
                oid = self._refs.read(name)
            except MuseError as error:
                self._fail(path, label, error)
                continue
            if oid is not None:
                kind: ObjectType | None = "commit" if name.startswith((HEADS, REMOTES)) else None
                self.roots.append(Root(to_raw(oid), label, kind))
            else:
                self._check_unborn(path, name, "it is empty")
        known = set(names)
        for name in _iter_logs(logs_dir(self._root)):
            # A deleted ref takes its reflog with it, so this one was not deleted by Muse.
            if name.startswith("refs/") and name not in known:
                self._check_unborn(muse_dir(self._root) / name, name, "it is not there")
                known.add(name)
        self._check_operations(known)

    def _check_operations(self, known: set[str]) -> None:
        """Find refs of which not even a reflog is left: the last operation about each tells."""
        try:
            operations = read_operations(self._root)
        except MuseError:
            return  # told of where the operation log is
        for operation in operations:
            for name, _, new in operation.refs:
                if name not in known and new is not None and name.startswith("refs/"):
                    reason = f"it is not there, and by the operation log it was at {new}"
                    path = muse_dir(self._root) / name
                    fault = RootFault(str(path), short_name(name), reason, _set_again(name, new))
                    self.faults.append(fault)
                known.add(name)

    def _check_unborn(self, path: Path, name: str, state: str) -> None:
        """A ref without a value is a branch without commits, unless its reflog says otherwise."""
        try:
            entries = read_reflog(self._root, name)
        except MuseError:
            return
        if entries and entries[0].new is not None:
            last = entries[0].new
            reason = f"{state}, and its reflog says that it was at {last}"
            fault = RootFault(str(path), short_name(name), reason, _set_again(name, last))
            self.faults.append(fault)

    def add_stage(self) -> None:
        """Add every blob that is staged."""
        file = stage_path(self._root)
        try:
            stage = read_stage(self._root)
            if not stage and read_bytes(file, doing="read the stage", limit=STAGE_BYTES) == b"":
                raise CorruptFileError(
                    str(file), reason="it is empty", hint="'muse reset' starts a new stage."
                )
        except MuseError as error:
            self._fail(file, "stage", error)
            return
        for path, entry in stage.items():
            if entry is not None:
                self.roots.append(Root(entry[1], "stage", "blob", path))

    def add_boundary(self) -> None:
        """Make sure that it is known where history ends on purpose; it names no roots."""
        try:
            self._store.boundary.read()
        except MuseError as error:
            self._fail(shallow_path(self._root), "where history ends", error)

    def add_reflogs(self) -> None:
        """Add what each reflog has seen."""
        for name in _iter_logs(logs_dir(self._root)):
            label = f"reflog of {short_name(name)}"
            path = reflog_path(self._root, name)
            try:
                entries = read_reflog(self._root, name)
                damaged = count_damaged_lines(self._root, name)
            except MuseError as error:
                self._fail(path, label, error, lesser=True)
                continue
            if damaged:
                reason = f"{damaged} of its lines cannot be read"
                way_out = "Its other lines are intact; a line that a crash tore is of no account."
                fault = RootFault(str(path), label, reason, way_out, lesser=True, hides=False)
                self.faults.append(fault)
            for entry in entries:
                if self._since_s is None or entry.who.time_s >= self._since_s:
                    self._add_lesser(label, entry.old, entry.new)

    def add_operations(self) -> None:
        """Add what `undo` would bring back, down to the blobs of stages that were."""
        path = operations_path(self._root)
        try:
            operations = read_operations(self._root)
            lines = (
                read_bytes(path, doing="read the operation log", limit=LOG_BYTES) or b""
            ).split(b"\n")
        except MuseError as error:
            self._fail(path, "operation log", error, lesser=True)
            return
        damaged = sum(map(bool, lines)) - len(operations)
        if damaged:
            reason = f"{damaged} of its lines cannot be read"
            way_out = "'muse undo' goes on with the lines that can be read."
            self.faults.append(
                RootFault(str(path), "operation log", reason, way_out, lesser=True, hides=False)
            )
        stages: dict[str, None] = {}
        for operation in operations:
            if self._since_s is None or operation.time_s >= self._since_s:
                self._add_lesser("operation log", *_operation_ids(operation))
                stages.update(dict.fromkeys(oid for oid in operation.stage or () if oid))
        for oid in stages:
            self._add_old_stage(oid)

    def _add_old_stage(self, oid: str) -> None:
        try:
            stage = decode_stage(self._store.read(to_raw(oid))[1])
        except (MuseError, CodecError, ValueError):
            # The blob itself is a root; that it is missing or damaged shows there.
            return
        # One stage after the other holds much the same, and each perhaps a hundred thousand files.
        while stage:
            path, entry = stage.popitem()
            if entry is not None and entry[1] not in self._old_staged:
                self._old_staged.add(entry[1])
                self.roots.append(Root(entry[1], "operation log", "blob", path, lesser=True))

    def add_trash(self) -> None:
        """Add what was discarded and can be taken back."""
        try:
            for raw in iter_trash_ids(self._root):
                self.roots.append(Root(raw, "trash", lesser=True))
        except MuseError as error:
            path = Path(error.path) if isinstance(error, CorruptFileError) else None
            self._fail(path or trash_dir(self._root), "trash", error, lesser=True)

    def add_files(self, folder: Path, label: str) -> None:
        """Add every id that stands in a file of this folder, whatever the file's form."""
        for path in _iter_files(folder):
            if path == stage_path(self._root):
                continue
            name = f"{label} {path.relative_to(folder).as_posix()}"
            try:
                ids = list(iter_text_ids(path))
                packed = list(iter_packed_ids(path))
            except OSError as error:
                reason = f"it cannot be read ({error.strerror})"
                way_out = "Check the permissions and the owner of that file."
                self.faults.append(RootFault(str(path), name, reason, way_out, lesser=True))
                continue
            # A job says what it works on; elsewhere, people may have written what looks like ids.
            guess = label != "job"
            self.roots += [Root(raw, name, lesser=True, guess=guess) for raw in ids]
            self.roots += [Root(raw, name, lesser=True, guess=True) for raw in packed]

    def _add_lesser(self, label: str, *ids: str | None) -> None:
        for oid in ids:
            if oid and is_object_id(oid):
                self.roots.append(Root(to_raw(oid), label, lesser=True))


def _rank(name: str) -> int:
    for rank, prefix in enumerate((HEADS, TAGS, REMOTES)):
        if name.startswith(prefix):
            return rank
    return 3


def _set_again(name: str, oid: ObjectId) -> str:
    if name.startswith(HEADS):
        return f"'muse branch -f {short_name(name)} {oid}' sets it again."
    return f"Write '{oid}' into it, or delete it."


def _operation_ids(operation: Operation) -> Iterator[str | None]:
    for _, old, new in operation.refs:
        yield from (old, new)
    yield from operation.stage or ()
    for text in operation.head or ():
        yield text.removeprefix("commit: ").strip()


def _iter_logs(folder: Path) -> Iterator[str]:
    """Yield ``HEAD`` and the full name of each ref that has a reflog."""
    if (folder / "HEAD").is_file():
        yield "HEAD"
    for path in _iter_files(folder / "refs"):
        yield path.relative_to(folder).as_posix()


def _iter_files(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            # A temp is nobody's yet.
            if not name.startswith("."):
                yield Path(base, name)
