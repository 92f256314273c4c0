"""The lists of files as the interface shows them, kept in step with the status of the core.

Everything here costs what changed: a refresh asks the core for the paths whose entry is different,
and only those rows are made anew. Line counts come later, from the other lane; a generation
number tells whether a count still belongs to the row that asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from muse.core.errors import MuseError
from muse.core.paths import show_path
from muse.core.status import StatusEngine, StatusEntry
from muse_tui.backend.place import Place
from muse_tui.model import DiffKey, FileRow, Part, Source, StatusDelta

_COUNT_BATCH = 64
# With more rows than this nobody reads counts, and counting would keep the disk busy.
_COUNT_ROWS = 3_000

_SOURCES = {Part.TREE: Source.UNSTAGED, Part.STAGED: Source.STAGED}


class Board:
    """Rows of the working tree and the stage.

    Args:
        place: The repository of the state lane.
    """

    def __init__(self, place: Place) -> None:
        repo = place.repo
        self.status = StatusEngine(repo.root, repo.objects, repo.refs, config=repo.config)
        self._rows: dict[Part, dict[bytes, FileRow]] = {Part.TREE: {}, Part.STAGED: {}}
        self._to_count: dict[tuple[Part, bytes], int] = {}
        self._version = -1
        self._number = 0

    # Refreshing -------------------------------------------------------------------------------

    def scan(self) -> Iterator[StatusDelta]:
        """Look at everything for the first time, and yield all rows.

        Raises:
            MuseError: Something cannot be read.
        """
        self.status.refresh_all()
        yield self._everything()

    def refresh(self, paths: Iterable[bytes] | None, *, stage: bool = True) -> StatusDelta | None:
        """Look at some paths, or at everything with None, and return what changed.

        Args:
            paths: Where something may have changed.
            stage: HEAD or the stage may have changed, too.

        Raises:
            MuseError: Something cannot be read.
        """
        touched = frozenset(paths or ())
        if paths is None:
            self.status.refresh_all()
        else:
            if stage:
                self.status.refresh_repository()
            if touched:
                self.status.refresh_paths(touched)
        changed = self.status.changes_since(self._version)
        if changed is None:
            return self._everything()
        self._version = self.status.version
        return self._delta(changed, self._still_there(touched))

    def _still_there(self, touched: frozenset[bytes]) -> frozenset[bytes]:
        """Return the touched paths that have rows: their content may differ, their entry not."""
        rows = self._rows
        return frozenset(p for p in touched if p in rows[Part.TREE] or p in rows[Part.STAGED])

    def _everything(self) -> StatusDelta:
        status = self.status.status()
        self._version = self.status.version
        for rows in self._rows.values():
            rows.clear()
        self._to_count.clear()
        for entry in status.entries:
            self._put(entry)
        return StatusDelta(
            reset=True,
            tree=tuple(self._rows[Part.TREE].values()),
            staged=tuple(self._rows[Part.STAGED].values()),
        )

    def _delta(self, changed: frozenset[bytes], touched: frozenset[bytes]) -> StatusDelta | None:
        if not changed and not touched:
            return None
        rows: dict[Part, list[FileRow]] = {Part.TREE: [], Part.STAGED: []}
        gone: dict[Part, list[bytes]] = {Part.TREE: [], Part.STAGED: []}
        for path in sorted(changed | touched):
            before = {part: self._rows[part].pop(path, None) for part in Part}
            entry = self.status.entry(path)
            if entry is not None:
                self._put(entry)
            for part in Part:
                row, old = self._rows[part].get(path), before[part]
                if row is None:
                    if old is not None:
                        gone[part].append(path)
                        self._to_count.pop((part, path), None)
                    continue
                if old is not None and old.mark == row.mark:
                    # The old counts stay until the new ones are known: nothing flickers.
                    row = self._rows[part][path] = old
                if row != old:
                    rows[part].append(row)
        return StatusDelta(
            tree=tuple(rows[Part.TREE]),
            tree_gone=tuple(gone[Part.TREE]),
            staged=tuple(rows[Part.STAGED]),
            staged_gone=tuple(gone[Part.STAGED]),
            touched=tuple(touched),
        )

    def _put(self, entry: StatusEntry) -> None:
        shown = show_path(entry.path)
        self._number += 1
        if entry.unstaged != " ":
            note = "new" if entry.unstaged == "?" else ""
            note = "repository" if entry.path.endswith(b"/") else note
            row = FileRow(entry.path, shown, entry.unstaged, note=note)
            self._rows[Part.TREE][entry.path] = row
            if not note:
                self._to_count[Part.TREE, entry.path] = self._number
        if entry.staged != " ":
            self._rows[Part.STAGED][entry.path] = FileRow(entry.path, shown, entry.staged)
            self._to_count[Part.STAGED, entry.path] = self._number

    # Counting lines -----------------------------------------------------------------------------

    def uncounted(self) -> list[tuple[DiffKey, int]]:
        """Return some rows whose lines are not counted, with what names their state."""
        if len(self._to_count) > _COUNT_ROWS:
            return []
        wanted = []
        for (part, path), number in self._to_count.items():
            wanted.append((DiffKey(_SOURCES[part], path), number))
            if len(wanted) == _COUNT_BATCH:
                break
        return wanted

    def take_counts(
        self, found: Iterable[tuple[DiffKey, int, tuple[int, int] | str]]
    ) -> StatusDelta | None:
        """Put counts into the rows that asked for them, and return those rows."""
        rows: dict[Part, list[FileRow]] = {Part.TREE: [], Part.STAGED: []}
        for key, number, counted in found:
            part = Part.STAGED if key.source is Source.STAGED else Part.TREE
            if self._to_count.get((part, key.path)) != number:
                continue
            del self._to_count[part, key.path]
            row = self._rows[part].get(key.path)
            if row is None:
                continue
            if isinstance(counted, str):
                new = row._replace(note=counted, added=None, removed=None)
            else:
                new = row._replace(note="", added=counted[0], removed=counted[1])
            if new != row:
                self._rows[part][key.path] = new
                rows[part].append(new)
        if not any(rows.values()):
            return None
        return StatusDelta(tree=tuple(rows[Part.TREE]), staged=tuple(rows[Part.STAGED]))

    @property
    def unreadable(self) -> frozenset[bytes]:
        """The folders that may not be listed: what is new in them is not known."""
        return self.status.worktree.unreadable

    # Asking -------------------------------------------------------------------------------------

    def paths(self, part: Part) -> list[bytes]:
        """Return the paths of a list."""
        return list(self._rows[part])

    def row(self, part: Part, path: bytes) -> FileRow | None:
        """Return a row."""
        return self._rows[part].get(path)

    def close(self) -> None:
        """Keep what was learned about the files, for the next start."""
        try:
            self.status.save()
        except MuseError:
            return
