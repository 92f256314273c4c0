"""Decide what a checkout does to each file, before the first one is touched.

See `muse.core.checkout` for the rules.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import ConflictError, IoFailedError
from muse.core.file_content import StatKey, read_content, stat_key, tree_mode
from muse.core.object_store import ObjectStore
from muse.core.paths import show_path
from muse.core.stage import FileEntry, Stage, TreeFiles
from muse.core.tree_diff import walk_trees
from muse.core.types import RawId

# What is known of a file with this stat key, without reading it; None when nothing is.
Known = Callable[[bytes, StatKey], FileEntry | None]

_NAMED: Final = 5
_KEY: Final = struct.Struct("=QQqqq")


def pack_key(key: StatKey) -> bytes:
    """Pack a stat key: a plan for all files of a large tree holds one a file."""
    return _KEY.pack(*key)


def unpack_key(data: bytes) -> StatKey | None:
    """Unpack a stat key; None for none."""
    return _KEY.unpack(data) if data else None


class Write(NamedTuple):
    """A file to write.

    Attributes:
        path: Where.
        mode: Its mode in the tree.
        raw: Its blob.
        over: The packed stat key of what it replaces; empty when nothing may be there.
    """

    path: bytes
    mode: int
    raw: RawId
    over: bytes


class LocalFiles(NamedTuple):
    """What files were, when a checkout began, that the trees do not tell; for the way back.

    Attributes:
        kept: Paths that differ between the trees, whose file was not touched.
        missing: Paths of the old tree whose file was gone.
    """

    kept: tuple[bytes, ...] = ()
    missing: tuple[bytes, ...] = ()


class CheckoutPlan:
    """What a checkout will do; nothing of it is done yet.

    Attributes:
        writes: Files to write, by path.
        removals: (path, packed stat key) of files to remove.
        adopted: (path, stat key, blob) of files that are already as wanted.
        hollow: Folders that hold no files any more and stand where a file will be.
        stage: The staged changes, as a delta against the new tree.
        kept: As in `LocalFiles`, as is `missing`.
        folders: Folders where a killed checkout may have left temps, or nothing else.
    """

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.removals: list[tuple[bytes, bytes]] = []
        self.adopted: list[tuple[bytes, StatKey, RawId]] = []
        self.hollow: list[bytes] = []
        self.stage = Stage()
        self.kept: list[bytes] = []
        self.missing: list[bytes] = []
        self.folders: set[bytes] = set()

    @property
    def touches(self) -> int:
        """How many files will be written or removed."""
        return len(self.writes) + len(self.removals)

    @property
    def local(self) -> LocalFiles:
        """What the way back must know."""
        return LocalFiles(tuple(self.kept), tuple(self.missing))


class _Sides(NamedTuple):
    """One path in the trees concerned; ``halves`` is what interrupted checkouts made of it."""

    old: FileEntry | None
    new: FileEntry | None
    halves: tuple[FileEntry | None, ...] = ()


def plan_checkout(
    root: Path,
    store: ObjectStore,
    old: RawId,
    new: RawId,
    *,
    stage: Mapping[bytes, FileEntry | None],
    known: Known,
    halves: Sequence[RawId] = (),
    back: LocalFiles | None = None,
) -> CheckoutPlan:
    """Decide what to do, and refuse what would lose something.

    Args:
        root: The working tree.
        store: Where the trees are.
        old: The tree that the working tree was at: HEAD's.
        new: The tree to bring it to.
        stage: What is staged against ``old``.
        known: What is known of files by their stat keys.
        halves: The trees that interrupted checkouts were bringing it to.
        back: For taking back a checkout, what files were when it began.

    Raises:
        ConflictError: It would overwrite or remove something that is stored nowhere.
        IoFailedError: The working tree cannot be read.
        CorruptObjectError: A tree is damaged.
    """
    sides = _read_sides(store, old, new, halves)
    back = back or LocalFiles()
    for path in back.kept:
        sides.pop(path, None)
    for path in sides.keys() & set(back.missing):
        sides[path] = sides[path]._replace(new=None)
    planner = _Planner(root, known, TreeFiles(store, new), [TreeFiles(store, h) for h in halves])
    return planner.plan(sides, stage)


def _read_sides(
    store: ObjectStore, old: RawId, new: RawId, halves: Sequence[RawId]
) -> dict[bytes, _Sides]:
    """Return what each path that differs between the trees is in each of them."""
    sides = {
        change.path: _Sides(_side(change.old_mode, change.old), _side(change.new_mode, change.new))
        for change in walk_trees(store, old, new)
    }
    for half in halves:
        for change in walk_trees(store, old, half):
            before = _side(change.old_mode, change.old)
            side = sides.get(change.path) or _Sides(before, before)
            entry = _side(change.new_mode, change.new)
            sides[change.path] = side._replace(halves=(*side.halves, entry))
    return sides


def _side(mode: int, raw: RawId | None) -> FileEntry | None:
    return None if raw is None else (mode, raw)


class _Planner:
    def __init__(
        self, root: Path, known: Known, new: TreeFiles, halves: Sequence[TreeFiles]
    ) -> None:
        self._root = os.fsencode(root)
        self._known = known
        self._new = new
        self._halves = halves
        self._plan = CheckoutPlan()
        # Folder → True when it is one, False when it is missing, else what stands in its place.
        self._folders: dict[bytes, bool | bytes] = {b"": True}
        self._blocked: dict[bytes, bytes] = {}
        self._occupied: list[bytes] = []
        self._staged: list[bytes] = []
        self._changed: list[bytes] = []
        self._untracked: list[bytes] = []

    def plan(
        self, sides: dict[bytes, _Sides], stage: Mapping[bytes, FileEntry | None]
    ) -> CheckoutPlan:
        plan = self._plan
        plan.stage = Stage(stage)
        carries = any(entry is not None for entry in stage.values())
        wanted = [path for path, side in sides.items() if side.new] if carries else []
        if self._halves:
            plan.folders = {path.rpartition(b"/")[0] for path in sides}
        for path in sorted(sides):
            # Taken out, since a plan for every file of a large tree needs the memory.
            side = sides.pop(path)
            if path in stage:
                if stage[path] == side.new:
                    # The new tree says what is staged; the file is the user's business.
                    del plan.stage[path]
                    plan.kept.append(path)
                elif side.old != side.new:
                    self._staged.append(path)
                continue
            self._decide(path, side)
        self._check_blocked()
        self._check_occupied()
        self._check_stage(wanted)
        self._refuse()
        return plan

    # -- one file ----------------------------------------------------------------------------

    def _decide(self, path: bytes, side: _Sides) -> None:
        plan, wanted = self._plan, side.new
        place = self._folder(path.rpartition(b"/")[0])
        key = self._look(path) if place is True else None
        if key is None:
            if side.old is not None:
                plan.missing.append(path)
            if wanted is not None:
                plan.writes.append(Write(path, *wanted, over=b""))
                if isinstance(place, bytes):
                    self._blocked[path] = place
            return
        if stat.S_ISDIR(key[0]):
            self._decide_folder(path, side)
            return
        content = self._content(path, key)
        if content is not None and content == wanted:
            plan.adopted.append((path, key, content[1]))
            plan.kept.append(path)
        elif content is not None and content in (side.old, *side.halves):
            if wanted is None:
                plan.removals.append((path, pack_key(key)))
            else:
                plan.writes.append(Write(path, *wanted, over=pack_key(key)))
        elif side.old != wanted:
            is_ours = any(entry is not None for entry in (side.old, *side.halves))
            (self._changed if is_ours else self._untracked).append(path)

    def _decide_folder(self, path: bytes, side: _Sides) -> None:
        """Decide about a file in whose place the working tree has a folder."""
        from_half = any(half.is_folder(path) for half in self._halves)
        if side.new is None:
            if side.old is not None and not from_half and not self._new.is_folder(path):
                self._changed.append(path)
        elif from_half or side.old != side.new:
            self._plan.writes.append(Write(path, *side.new, over=b""))
            self._occupied.append(path)

    def _look(self, path: bytes) -> StatKey | None:
        full = self._root + b"/" + path
        try:
            return stat_key(os.lstat(full))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise IoFailedError("look at the path", path=show_path(full), error=error) from error

    def _folder(self, folder: bytes) -> bool | bytes:
        known = self._folders.get(folder)
        if known is None:
            known = self._folder(folder.rpartition(b"/")[0])
            if known is True:
                key = self._look(folder)
                known = False if key is None else stat.S_ISDIR(key[0]) or folder
            self._folders[folder] = known
        return known

    def _content(self, path: bytes, key: StatKey) -> FileEntry | None:
        if not tree_mode(key[0]):
            return None
        entry = self._known(path, key)
        if entry is not None:
            return entry
        found = read_content(self._root + b"/" + path)
        return None if found is None else (found.mode, found.raw)

    # -- what stands in the way ----------------------------------------------------------------

    def _check_blocked(self) -> None:
        """A file or link where a folder must be is in the way, unless it is removed first."""
        removed = {path for path, _ in self._plan.removals}
        for blocker in sorted(set(self._blocked.values()) - removed):
            self._untracked.append(blocker)

    def _check_occupied(self) -> None:
        """A folder where a file must be is in the way, unless all in it is removed first."""
        if not self._occupied:
            return
        removed = {path for path, _ in self._plan.removals}
        for folder in self._occupied:
            inside = [path for path in iter_files(self._root, folder) if path not in removed]
            self._untracked += inside[:_NAMED]
        self._plan.hollow = self._occupied

    def _check_stage(self, wanted: Sequence[bytes]) -> None:
        """A staged file cannot be carried over into the place of a folder, nor the reverse."""
        staged = {path for path, entry in self._plan.stage.items() if entry is not None}
        if not staged:
            return
        above = {parent for path in staged for parent in _parents(path)}
        for path in wanted:
            if path in above:
                self._staged += [p for p in staged if p.startswith(path + b"/")]
            self._staged += [parent for parent in _parents(path) if parent in staged]

    def _refuse(self) -> None:
        problems = [
            (self._staged, "staged change", "commit it, or take it back with 'muse reset'"),
            (self._changed, "change", "commit it, or discard it with 'muse restore <path>'"),
            (self._untracked, "untracked file", "move it away, or add and commit it"),
        ]
        found = [(paths, what, way) for paths, what, way in problems if paths]
        if not found:
            return
        parts = [f"{_count(paths, what)}: {_names(paths)}" for paths, what, _ in found]
        ways = "; ".join(way for _, _, way in found)
        raise ConflictError(
            f"This would overwrite {', and '.join(parts)}.",
            paths=tuple(dict.fromkeys(path for paths, _, _ in found for path in sorted(paths))),
            hint=f"Nothing was touched. For each of them: {ways}.",
        )


def iter_files(root: bytes, folder: bytes) -> Iterator[bytes]:
    """Yield the path of everything below a folder that is no folder itself, links included.

    Raises:
        IoFailedError: A folder cannot be listed.
    """
    full = root + b"/" + folder
    prefix = folder + b"/" if folder else b""
    try:
        with os.scandir(full) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    yield from iter_files(root, path)
                else:
                    yield path
    except OSError as error:
        raise IoFailedError("list the folder", path=show_path(full), error=error) from error


def _parents(path: bytes) -> Iterator[bytes]:
    at = path.find(b"/")
    while at > 0:
        yield path[:at]
        at = path.find(b"/", at + 1)


def _count(paths: list[bytes], what: str) -> str:
    count = len(set(paths))
    return f"{count} {what}{'s' * (count > 1)}"


def _names(paths: list[bytes]) -> str:
    names = sorted(set(paths))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(show_path(name) for name in names[:_NAMED]) + more
