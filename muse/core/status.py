"""Status: HEAD's tree, the stage and the working tree compared, and kept up to date.

`StatusEngine` answers "what is changed" once for everything, and from then on for the price of
what changed: the interface lives on `refresh_paths`, commands on `refresh_all`. Both end in the
same state, which a property test holds.

Reading writes nothing (G14): only `StatusEngine.save` writes, a cache, and only when told to.
"""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from muse.core.commits import decode_commit
from muse.core.config import Config
from muse.core.file_states import UNREAD
from muse.core.ignore import EXCLUDE
from muse.core.paths import MUSE, config_path
from muse.core.refs import Head, RefStore
from muse.core.scan import iter_parents
from muse.core.stage import FileEntry, Stage, read_stage
from muse.core.stat_cache import StatCache
from muse.core.stat_cache_file import load_stat_cache, save_stat_cache
from muse.core.status_entries import Status, StatusEntry, compare_entries, find_renames
from muse.core.trees import EMPTY_TREE
from muse.core.types import to_raw
from muse.core.worktree import WorkTree

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

_OWN: Final = os.fsencode(MUSE) + b"/"
_CONFIG: Final = _OWN + b"config.toml"
__all__ = ["Status", "StatusEngine", "StatusEntry"]

# What moves HEAD, a branch or the stage; the rest of .muse/ is of no concern.
_MOVES: Final = tuple(_OWN + name for name in (b"HEAD", b"refs/", b"code/", b"journal/"))
_REMEMBERED: Final = 256
_MANY_CHANGES: Final = 10_000
# Saving the cache pays when as much would have to be learned again, by many a command: reading
# this share of the files, listing as many folders, or comparing trees for a fifth of that.
_SAVE_SHARE: Final = 0.002
_MOVE_WEIGHT: Final = 5


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _locked(
    method: Callable[Concatenate[StatusEngine, _P], _R],
) -> Callable[Concatenate[StatusEngine, _P], _R]:
    """Let one thread at a time into a method; after an error everything is looked at anew."""

    @functools.wraps(method)
    def run(self: StatusEngine, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self._lock:
            try:
                return method(self, *args, **kwargs)
            except BaseException:
                # What a refresh had changed when it failed fits no moment.
                self._work = None
                raise

    return run


class StatusEngine:
    """The status of one repository, whole or from a set of changed paths.

    Every method may be called from any thread; they wait for each other.

    Args:
        root: The folder that holds ``.muse``.
        store: The repository's objects.
        refs: Its refs.
        config: Its settings, for ``core.gitignore``.

    Attributes:
        version: Grows with each refresh that found something changed.
        head: What was checked out at the last refresh.
    """

    def __init__(self, root: Path, store: ObjectStore, refs: RefStore, *, config: Config) -> None:
        self.version = 0
        self.head = Head(None, None, None)
        self._root = root
        self._store = store
        self._refs = refs
        self._config = config
        self._lock = threading.RLock()
        self._work: WorkTree | None = None
        self._stage = Stage()
        self._stage_folders: set[bytes] | None = None
        self._entries: dict[bytes, tuple[str, str]] = {}
        self._snapshot: Status | None = None
        self._log: deque[tuple[int, frozenset[bytes]]] = deque(maxlen=_REMEMBERED)
        self._loaded_size = -1
        self._moved = 0
        self._rules_changes = 0

    # -- asking ------------------------------------------------------------------------------

    @_locked
    def status(self) -> Status:
        """Return the status as of the last refresh."""
        if self._snapshot is None:
            self._snapshot = self._make_snapshot()
        return self._snapshot

    @_locked
    def entry(self, path: bytes) -> StatusEntry | None:
        """Return how one path differs; None when it does not."""
        codes = self._entries.get(path)
        return None if codes is None else StatusEntry(path, *codes)

    def iter_entries(self) -> Iterator[StatusEntry]:
        """Yield what `status` holds, by path, without holding it all; only between refreshes."""
        for path in sorted(self._entries):
            yield StatusEntry(path, *self._entries[path])

    @_locked
    def changes_since(self, version: int) -> frozenset[bytes] | None:
        """Return the paths whose entry changed after a version; None when that is too long ago."""
        if version == self.version:
            return frozenset()
        if not self._log or self._log[0][0] > version + 1 or version > self.version:
            return None
        return frozenset().union(*(paths for number, paths in self._log if number > version))

    @_locked
    def has_tracked_below(self, folder: bytes) -> bool:
        """Tell whether HEAD's tree or the stage has a file below a folder."""
        if self._stage_folders is None:
            added = (path for path, entry in self._stage.items() if entry)
            self._stage_folders = {parent for path in added for parent in iter_parents(path)}
        if folder in self._stage_folders:
            return True
        files = self._worktree().cache.files
        return any(
            files.base_modes[row] and self._stage.get(files.paths[row], True)
            for row in files.below(folder)
        )

    @property
    def worktree(self) -> WorkTree:
        """The working tree behind the status; for whoever holds `lock`."""
        return self._worktree()

    @property
    def stage(self) -> Stage:
        """The staged changes in force, as of the last refresh."""
        return self._stage

    @property
    def lock(self) -> threading.RLock:
        """What every method holds."""
        return self._lock

    # -- refreshing --------------------------------------------------------------------------

    @_locked
    def refresh_all(self, *, shared: bool = False) -> Status:
        """Look at everything.

        Args:
            shared: Share the work with forked children, in a process without other threads.

        Raises:
            IoFailedError: Something cannot be looked at, listed or read.
            CorruptFileError: HEAD or the stage is damaged.
            CorruptObjectError: HEAD's commit or tree is damaged.
        """
        self._refresh_all(shared=shared)
        return self.status()

    def _refresh_all(self, *, shared: bool = False) -> frozenset[bytes]:
        changed = self._refresh_repository()
        work = self._worktree()
        work.shared = shared
        work.published |= changed
        work.refresh_all()
        return self._recompute(changed | work.touched)

    @_locked
    def refresh_paths(self, paths: Iterable[bytes]) -> frozenset[bytes]:
        """Look at what may have changed, at the price of that alone.

        Args:
            paths: Files and folders that may have come, changed or gone, as repository paths;
                what lies in ``.muse/`` may be among them.

        Returns:
            The paths whose entry changed.

        Raises:
            IoFailedError: As `refresh_all`, which is to be called next.
        """
        given = set(paths)
        work = self._work
        if work is None or b"" in given:
            return self._refresh_all()
        if _CONFIG in given and self._reads_gitignore() != work.cache.gitignore:
            self._work = None
            return self._refresh_all()
        changed: set[bytes] = set()
        if any(path.startswith(_MOVES) for path in given):
            changed = self._refresh_repository()
        work = self._worktree()
        work.refresh_paths(p for p in given if p == EXCLUDE or not p.startswith(_OWN))
        return self._recompute(changed | work.touched)

    @_locked
    def refresh_some(self, paths: Iterable[bytes]) -> None:
        """Look at HEAD, the stage and some paths, even if nothing was looked at yet.

        Only what `status` then says of these paths is true.
        """
        changed = self._refresh_repository()
        work = self._worktree()
        work.refresh_folders()
        work.refresh_paths(paths)
        self._recompute(changed | work.touched)

    @_locked
    def refresh_repository(self) -> frozenset[bytes]:
        """Look at HEAD and the stage alone; return the paths whose entry changed."""
        if self._work is None:
            return self._refresh_all()
        changed = self._refresh_repository()
        return self._recompute(changed | self._work.touched)

    def _worktree(self) -> WorkTree:
        if self._work is None:
            gitignore = self._reads_gitignore()
            cache = load_stat_cache(self._root)
            self._loaded_size = -1 if cache is None else len(cache.files)
            if cache is None:
                cache = StatCache(gitignore=gitignore)
            self._work = WorkTree(self._root, self._store, cache)
            if cache.gitignore != gitignore:
                self._work.change_rules(gitignore=gitignore)
            self._work.touched.update(self._entries, self._work.iter_untracked())
        return self._work

    def _reads_gitignore(self) -> bool:
        config = Config(config_path(self._root), user_path=self._config.user_path)
        return config.get_bool("core.gitignore", default=True)

    def _refresh_repository(self) -> set[bytes]:
        """Read HEAD and the stage; return the paths whose staged state may have changed."""
        work = self._worktree()
        self.head = self._refs.head()
        tree = EMPTY_TREE
        if self.head.commit is not None:
            raw = to_raw(self.head.commit)
            tree = decode_commit(raw, self._store.read(raw, expected="commit")[1]).tree
        tree_before = work.cache.tree
        self._moved += work.move_to(tree)
        stage = Stage(
            (p, entry) for p, entry in read_stage(self._root).items() if entry != work.find_base(p)
        )
        before, self._stage, self._stage_folders = self._stage, stage, None
        changed = before.keys() ^ stage.keys()
        changed |= {p for p in before.keys() & stage.keys() if before[p] != stage[p]}
        if changed or tree != tree_before:
            # The letters may stay, and yet the pairs of renamed files be others.
            self._snapshot = None
        return changed

    # -- comparing ---------------------------------------------------------------------------

    def _recompute(self, paths: set[bytes]) -> frozenset[bytes]:
        work = self._worktree()
        if work.rules_changes != self._rules_changes:
            # A file whose removal is staged shows as untracked only while it is not ignored.
            self._rules_changes = work.rules_changes
            paths = paths | {path for path, entry in self._stage.items() if entry is None}
        # All is looked at before anything is changed: what an error interrupts would never be told.
        changed: dict[bytes, tuple[str, str] | None] = {}
        for path in paths:
            codes = self._compare(work, path)
            if codes != self._entries.get(path):
                changed[path] = codes
        for path, codes in changed.items():
            if codes is None:
                del self._entries[path]
            else:
                self._entries[path] = codes
        work.touched.clear()
        if changed:
            self.version += 1
            if len(changed) > _MANY_CHANGES:
                # Whoever asks looks at everything; the log would hold it all for long.
                self._log.clear()
            else:
                self._log.append((self.version, frozenset(changed)))
            self._snapshot = None
        return frozenset(changed)

    def _compare(self, work: WorkTree, path: bytes) -> tuple[str, str] | None:
        base = work.find_base(path)
        index = self._stage.get(path, base)
        if index is None:
            return self._compare_untracked(work, path, base)
        file = work.find_file(path)
        if file is not None and file[1] == UNREAD and index != base:
            # Known to differ from HEAD's content, but perhaps it is the staged one.
            file = work.find_file(path, read=True)
        staged, unstaged = compare_entries(base, index), compare_entries(index, file)
        return None if staged == unstaged == " " else (staged, unstaged)

    def _compare_untracked(
        self, work: WorkTree, path: bytes, base: FileEntry | None
    ) -> tuple[str, str] | None:
        if base is None:
            return (" ", "?") if work.is_untracked(path) else None
        is_there = work.find_file(path) is not None
        shown = is_there and not work.rules.is_ignored(path, is_folder=False)
        return "D", "?" if shown else " "

    def _make_snapshot(self) -> Status:
        entries = tuple(self.iter_entries())
        base = self._worktree().find_base
        return Status(entries, find_renames(entries, base=base, stage=self._stage))

    @_locked
    def drop_entries(self) -> None:
        """Forget what differs, to have the memory for other things; `save` is still of use."""
        self._entries, self._snapshot = {}, None
        self._log.clear()

    # -- saving ------------------------------------------------------------------------------

    @_locked
    def save(self, *, only_if_useful: bool = True) -> bool:
        """Write what was learned into the stat cache, for the next command.

        Args:
            only_if_useful: Leave it when learning it again costs less than writing it.

        Returns:
            Whether it was written; a cache that cannot be written is no error.
        """
        work = self._work
        if work is None:
            return False
        files = len(work.cache.files) + len(work.cache.files.loose)
        read = work.files.files_read + work.files.bytes_read / 20_000
        learned = read + work.folders_listed + self._moved * _MOVE_WEIGHT
        if only_if_useful and self._loaded_size >= 0 and learned <= files * _SAVE_SHARE + 8:
            return False
        work.files.files_read = work.files.bytes_read = self._moved = 0
        return save_stat_cache(self._root, work.cache)
