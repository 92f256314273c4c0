"""The working tree against HEAD's tree: what differs, and which untracked files there are.

A `WorkTree` holds the answer and keeps it true: `refresh_all` looks at everything, `refresh_paths`
at what is said to have changed, and both end in the same state. The stage plays no part here; see
`muse.core.status`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core import early_scan
from muse.core.file_content import StatKey, tree_mode
from muse.core.file_states import UNREAD, FileStates
from muse.core.folders import Folders
from muse.core.ignore import EXCLUDE, IGNORE_FILES, IgnoreRules
from muse.core.paths import outside_repositories
from muse.core.row_compare import RowComparer, find_changed_rows
from muse.core.row_scan import RowScan
from muse.core.scan import find_key, is_folder_key, iter_parents
from muse.core.stat_cache import StatCache
from muse.core.stat_columns import FileEntry
from muse.core.types import RawId

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

# More known files than this get rows of their own before a folder is looked at.
_MANY_LOOSE: Final = 1000


class WorkTree:
    """The state of a working tree.

    Args:
        root: The folder that holds ``.muse``.
        store: The repository's objects.
        cache: What is known from before; changed in place.

    Attributes:
        differing: Path in HEAD's tree → what is in the working tree instead; None is nothing.
            A path of HEAD's tree that is absent here is in the working tree as HEAD has it.
        touched: Paths whose state may have changed; whoever has looked at them clears it.
        published: Paths that HEAD or the stage was found to have anew since the last look at all.
        files: Looks at single files, and remembers what they hold.
        shared: Whether `refresh_all` may share its work with other processes; see `RowScan`.
    """

    def __init__(self, root: Path, store: ObjectStore, cache: StatCache) -> None:
        self.root = os.fsencode(root)
        self.cache = cache
        self.differing: dict[bytes, FileEntry | None] = {}
        self.touched: set[bytes] = set()
        self.published: set[bytes] = set()
        self.shared = False
        self._store = store
        self._scanned = False
        self._folders = Folders(root, cache, self.touched)
        self.files = FileStates(self.root, cache, note_parents=self._folders.note_parents)

    @property
    def rules(self) -> IgnoreRules:
        """The ignore rules in force."""
        return self._folders.rules

    @property
    def folders_listed(self) -> int:
        """How many folders were listed."""
        return self._folders.listed

    @property
    def unreadable(self) -> frozenset[bytes]:
        """The folders that may not be listed; what is not tracked in them is not known."""
        return frozenset(self._folders.unreadable)

    @property
    def unreadable_files(self) -> frozenset[bytes]:
        """The tracked files that may not be read, and are taken for modified."""
        return frozenset(self.files.unreadable)

    @property
    def rules_changes(self) -> int:
        """How often ignore rules were found changed."""
        return self._folders.rules_changes

    def iter_untracked(self) -> Iterator[bytes]:
        """Yield every file that is neither in HEAD's tree nor ignored, unsorted.

        A nested repository is one path that ends in a slash.
        """
        for folder, names in self.cache.untracked.items():
            prefix = folder + b"/" if folder else b""
            for name in names:
                yield prefix + name

    def is_untracked(self, path: bytes) -> bool:
        """Tell whether a path is among `iter_untracked`."""
        folder, _, name = path.rpartition(b"/")
        return name in self.cache.untracked.get(folder, ())

    def find_base(self, path: bytes) -> FileEntry | None:
        """Return what HEAD's tree has at a path."""
        return self.cache.files.base_of(path)

    def find_file(self, path: bytes, *, read: bool = False) -> FileEntry | None:
        """Return mode and content of a tracked path's file; None when there is none.

        Args:
            path: A path that HEAD's tree or the stage has.
            read: Also read a big file whose content is `UNREAD`.

        Raises:
            IoFailedError: It must be read, and cannot.
        """
        files = self.cache.files
        row = files.find(path)
        base = files.base(row) if row >= 0 else None
        if base is None:
            # A known row was found unchanged by the last refresh.
            known = files.content_at(row) if row >= 0 else None
            return known or self.files.look(path)
        entry = self.differing.get(path, base)
        if read and entry is not None and entry[1] == UNREAD:
            entry = self.files.look(path, read=True)
            self._set(path, base, entry)
        return entry

    def change_rules(self, *, gitignore: bool) -> None:
        """Say whether ``.gitignore`` counts; the next full refresh lists everything anew."""
        self.cache.gitignore = gitignore
        self.cache.ignore_files.clear()
        self._folders.change_rules()

    # -- refreshing --------------------------------------------------------------------------

    def refresh_all(self) -> None:
        """Look at everything.

        Raises:
            IoFailedError: Something cannot be looked at, listed or read. What was known by then
                must not be used any more.
        """
        self._refresh_below(b"")
        self._scanned = True
        self.published.clear()

    def refresh_folders(self) -> None:
        """Look at the folders and ignore rules alone, so that `refresh_paths` may be used next."""
        if not self._scanned:
            self._folders.refresh_below(b"")

    def refresh_paths(self, paths: Iterable[bytes]) -> None:
        """Look at what may have changed; costs what is named, and what is below named folders.

        Args:
            paths: Files and folders that may have come, changed or gone.

        Raises:
            IoFailedError: As `refresh_all`.
        """
        self.files.forget_folders()
        # Folders before what is below them.
        wanted = {p if p == EXCLUDE else outside_repositories(p) for p in paths}
        if wanted & {b"", EXCLUDE}:
            self.refresh_all()
            return
        for path in sorted(path for path in wanted if path):
            self._refresh_path(path)

    def _refresh_below(self, top: bytes) -> None:
        self.files.forget_folders()
        self._touch_below(top)
        rows = self.cache.files.below(top)
        if self.shared and len(rows) >= early_scan.MANY_ROWS:
            lost, changed, missing = self._scan_shared(top, rows)
        else:
            lost = self._folders.refresh_below(top)
            changed, missing = find_changed_rows(self.root, self.cache.files, rows)
        gone = set(missing)
        for folder in lost:
            gone.update(self.cache.files.below(folder))
        self._take_rows(rows, changed, gone)

    def _scan_shared(self, top: bytes, rows: range) -> tuple[set[bytes], list[int], list[int]]:
        """Return the folders that are gone, and how the rows compare, by several processes."""
        files = self.cache.files
        early = early_scan.claim(self.cache.file_id) if len(rows) == len(files) else None
        table = self.cache.loaded_files if early is not None else files
        with RowComparer(self.root, table) as comparer:
            make_comparer = functools.partial(RowComparer, self.root, table)
            with early or RowScan(rows, make_comparer) as scan:
                lost = self._folders.refresh_below(top)
                changed, missing = scan.finish(comparer)
        if early is None:
            return lost, changed, missing
        unsure = set(changed)
        if files.rewritten:
            unsure = {files.find(table.paths[row]) for row in changed}
            unsure.update(files.unknown_rows())
            missing = [files.find(table.paths[row]) for row in missing]
        # It may have looked before HEAD and the stage were read: what differs in these is looked
        # at now, or a file that was changed and committed in between would seem to be the old one.
        unsure.update(map(files.find, self.published))
        return lost, sorted(unsure.difference({-1, *missing})), missing

    def _touch_below(self, top: bytes) -> None:
        """Have the files looked at that no run over the rows looks at."""
        files = self.cache.files
        if files.loose and (not top or len(files.loose) > _MANY_LOOSE):
            files.insert(list(files.loose))
        prefix = top + b"/" if top else b""
        self.touched.update(
            p for p in (*files.loose, *self.files.unsettled) if p.startswith(prefix)
        )

    def _take_rows(self, rows: range, changed: list[int], gone: set[int]) -> None:
        """Note how a stretch of rows compares with the working tree.

        Args:
            rows: The stretch.
            changed: Those of its rows whose file may have changed.
            gone: Those without a file.
        """
        if not rows:
            return
        files = self.cache.files
        now = self._known_differing(rows, gone.union(changed))
        to_look: list[tuple[bytes, FileEntry]] = []
        for row in gone.union(changed):
            path, base = files.paths[row], files.base(row)
            if base is None:
                # Not in HEAD's tree: read when somebody asks.
                self._forget(path)
            elif row in gone:
                now[path] = None
                # Its folder may be gone too; see the invariant in `muse.core.folders`.
                files.forget(path)
            else:
                to_look.append((path, base))
        found = self.files.look_at_all([path for path, _ in to_look])
        for (path, base), entry in zip(to_look, found, strict=True):
            if entry != base:
                now[path] = entry
        old = self._differing_in(rows)
        for path in old.keys() | now.keys():
            if path not in now:
                del self.differing[path]
            elif path in old and old[path] == now[path]:
                continue
            else:
                self.differing[path] = now[path]
            self.touched.add(path)

    def _known_differing(self, rows: range, unsure: set[int]) -> dict[bytes, FileEntry | None]:
        """Return what is known to differ from HEAD's tree, and found unchanged."""
        files = self.cache.files
        few = len(rows) < len(files.differs)
        found: dict[bytes, FileEntry | None] = {}
        for path in [files.paths[row] for row in rows] if few else files.differs:
            row = files.find(path)
            if row in rows and row not in unsure and files.base_modes[row]:
                entry = files.content_at(row)
                if entry != files.base(row):
                    found[path] = entry
        return found

    def _forget(self, path: bytes) -> None:
        self.cache.files.forget(path)
        self.touched.add(path)

    def _differing_in(self, rows: range) -> dict[bytes, FileEntry | None]:
        paths = self.cache.files.paths
        if len(rows) == len(paths):
            return self.differing
        if not rows:
            return {}
        low, high = paths[rows[0]], paths[rows[-1]]
        return {p: e for p, e in self.differing.items() if low <= p <= high}

    def _refresh_path(self, path: bytes) -> None:
        self.touched.add(path)
        shown = True
        for parent in iter_parents(path):
            if not self.files.is_real_folder(parent):
                self._refresh_entry(parent, shown=shown)
                return
            if shown and not self._folders.is_listed(parent):
                if parent in self.cache.folders:
                    shown = False
                else:
                    # A folder that nobody told of: it shows with all that is in it.
                    self._refresh_entry(parent, shown=True)
                    return
        self._refresh_entry(path, shown=shown)

    def _refresh_entry(self, path: bytes, *, shown: bool) -> None:
        """Look at one path whose folders are real.

        Args:
            path: A file or folder, or what was one.
            shown: Whether untracked files are shown there.
        """
        self.touched.add(path)
        self.files.forget_folder(path)
        key = find_key(self.root, path)
        if key is not None and is_folder_key(key):
            self._folders.remove_file(path)
            self._refresh_row(path, None)
            self._refresh_folder(path, shown=shown)
            return
        if path in self.cache.folders:
            self._folders.drop(path)
        self._touch_below(path)
        below = self.cache.files.below(path)
        self._take_rows(below, [], set(below))
        self._refresh_row(path, key)
        if key is None or not tree_mode(key[0]) or self.find_base(path) is not None or not shown:
            self._folders.remove_file(path)
        else:
            self._folders.add_file(path)
        folder, _, name = path.rpartition(b"/")
        if shown and name in IGNORE_FILES and self._folders.check_ignore_file(path):
            self._folders.forget_below(folder)
            self._list({folder})

    def _list(self, folders: set[bytes]) -> None:
        for gone in self._folders.list_folders(folders):
            rows = self.cache.files.below(gone)
            self._take_rows(rows, [], set(rows))

    def _refresh_folder(self, path: bytes, *, shown: bool) -> None:
        listed = shown and not self.rules.is_ignored(path, is_folder=True)
        if listed:
            self._refresh_below(path)
            return
        if self._folders.is_listed(path):
            self._folders.ignore(path)
        self._touch_below(path)
        rows = self.cache.files.below(path)
        self._take_rows(rows, list(rows), set())

    def _refresh_row(self, path: bytes, key: StatKey | None) -> None:
        base = self.find_base(path)
        if base is not None:
            self._set(path, base, self.files.look(path) if key is not None else None)
            if self.differing.get(path, base) is None:
                self.cache.files.forget(path)
        elif key is None or self.cache.files.content_of(path, key) is None:
            self.cache.files.forget(path)

    def _set(self, path: bytes, base: FileEntry, entry: FileEntry | None) -> None:
        if entry == base:
            self.differing.pop(path, None)
        else:
            self.differing[path] = entry
        self.touched.add(path)

    # -- HEAD --------------------------------------------------------------------------------

    def move_to(self, tree: RawId) -> int:
        """Compare with another tree from now on; what is known of the files stays known.

        Returns:
            How many files differ between the two trees.

        Raises:
            ObjectNotFoundError: The tree is not whole.
            CorruptObjectError: Likewise.
        """
        if tree == self.cache.tree:
            return 0
        self.files.forget_folders()
        count = 0
        left: list[bytes] = []
        for path, old, new in self.cache.iter_move_to(self._store, tree):
            count += 1
            self.touched.add(path)
            if not self._scanned:
                self.published.add(path)
            if new is None:
                left.append(path)
                self.differing.pop(path, None)
                continue
            self._folders.remove_file(path)
            if self._scanned:
                entry = self.files.look(path) if old is None else self.differing.get(path, old)
                if entry is not None and entry[1] == UNREAD:
                    entry = self.files.look(path)
                self._set(path, new, entry)
        affected = self._folders.affected_by(self.touched, left)
        if self._scanned:
            self._list(affected)
        return count
