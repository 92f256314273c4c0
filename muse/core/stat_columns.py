"""The columns of the stat cache: one row a file, sorted by path, and no object for each field.

A row says what HEAD's tree has at a path (`base`), and which stat key the working file had when
its content was last known. That content is the base's own, except for the few paths in `differs`.
A hundred thousand rows load in milliseconds, and a run over all of them stays inside C.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from muse.core.file_content import StatKey, tree_mode
from muse.core.types import RAW_ID_SIZE, RawId

FileEntry = tuple[int, RawId]
_NO_ID = bytes(RAW_ID_SIZE)


class StatColumns:
    """Rows sorted by path.

    Attributes:
        paths: Repository paths.
        base_modes: Mode in HEAD's tree; 0 for a path that the tree does not have.
        base_ids: Its blob ids, 32 bytes each.
        modes: ``st_mode`` when the content was known; 0 when nothing is known.
        inodes: Likewise, as are `sizes`, `mtimes` and `ctimes` (nanoseconds).
        differs: Path → id of the known content, where mode or content is not the base's.
        loose: Path → (stat key, id) of known files that have no row yet.
    """

    def __init__(self) -> None:
        self.paths: list[bytes] = []
        self.base_modes = array("I")
        self.base_ids = bytearray()
        self.modes = array("I")
        self.inodes = array("Q")
        self.sizes = array("q")
        self.mtimes = array("q")
        self.ctimes = array("q")
        self.differs: dict[bytes, RawId] = {}
        self.loose: dict[bytes, tuple[StatKey, RawId]] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def arrays(self) -> tuple[array[int], ...]:
        """The columns of numbers, base first, then those of the stat key in its order."""
        return self.base_modes, *self.key_arrays

    @property
    def key_arrays(self) -> tuple[array[int], ...]:
        """The columns of the stat key in its order."""
        return self.modes, self.inodes, self.sizes, self.mtimes, self.ctimes

    # -- looking -----------------------------------------------------------------------------

    def find(self, path: bytes) -> int:
        """Return a path's row, or -1."""
        row = bisect_left(self.paths, path)
        return row if row < len(self.paths) and self.paths[row] == path else -1

    def below(self, folder: bytes) -> range:
        """Return the rows of all paths below a folder; ``b""`` is everything."""
        if not folder:
            return range(len(self.paths))
        # "0" is what follows "/", so these are all names that begin with the folder and a slash.
        low = bisect_left(self.paths, folder + b"/")
        return range(low, bisect_left(self.paths, folder + b"0", low))

    def base(self, row: int) -> FileEntry | None:
        """Return what HEAD's tree has in a row."""
        mode = self.base_modes[row]
        if not mode:
            return None
        return mode, RawId(bytes(self.base_ids[row * RAW_ID_SIZE : (row + 1) * RAW_ID_SIZE]))

    def base_of(self, path: bytes) -> FileEntry | None:
        """Return what HEAD's tree has at a path."""
        row = self.find(path)
        return None if row < 0 else self.base(row)

    def has_base_below(self, folder: bytes) -> bool:
        """Tell whether HEAD's tree has anything below a folder."""
        return any(self.base_modes[row] for row in self.below(folder))

    def base_paths(self) -> set[bytes]:
        """Return all paths of HEAD's tree."""
        return set(compress(self.paths, self.base_modes))

    def key_at(self, row: int) -> StatKey:
        """Return the remembered stat key of a row; its mode is 0 when nothing is known."""
        return (
            self.modes[row],
            self.inodes[row],
            self.sizes[row],
            self.mtimes[row],
            self.ctimes[row],
        )

    def content_at(self, row: int) -> FileEntry | None:
        """Return mode and content that a row's file had at its remembered stat key."""
        st_mode = self.modes[row]
        if not st_mode:
            return None
        raw = self.differs.get(self.paths[row])
        return self.base(row) if raw is None else (tree_mode(st_mode), raw)

    def content_of(self, path: bytes, key: StatKey) -> FileEntry | None:
        """Return mode and content of a file, if it still has the stat key they were known by."""
        row = self.find(path)
        if row >= 0:
            return self.content_at(row) if self.key_at(row) == key else None
        known = self.loose.get(path)
        return (tree_mode(key[0]), known[1]) if known is not None and known[0] == key else None

    # -- changing ----------------------------------------------------------------------------

    def remember(self, path: bytes, key: StatKey, raw: RawId) -> None:
        """Note that a file with this stat key has this content."""
        row = self.find(path)
        if row < 0:
            self.loose[path] = (key, raw)
            return
        for column, value in zip(self.key_arrays, key, strict=True):
            column[row] = value
        self._note(row, (tree_mode(key[0]), raw))

    def forget(self, path: bytes) -> None:
        """Note that nothing is known about a file."""
        row = self.find(path)
        if row < 0:
            self.loose.pop(path, None)
            return
        self.modes[row] = 0
        self.differs.pop(path, None)

    def set_base(self, row: int, entry: FileEntry | None) -> None:
        """Set what HEAD's tree has in a row; what is known of the file stays known."""
        content = self.content_at(row)
        mode, raw = entry or (0, _NO_ID)
        self.base_modes[row] = mode
        self.base_ids[row * RAW_ID_SIZE : (row + 1) * RAW_ID_SIZE] = raw
        if content is not None:
            self._note(row, content)

    def _note(self, row: int, content: FileEntry) -> None:
        # INVARIANT: a row with a stat key and no entry in `differs` has exactly the base's content.
        path = self.paths[row]
        if content == self.base(row):
            self.differs.pop(path, None)
        else:
            self.differs[path] = content[1]

    def insert(self, paths: Iterable[bytes]) -> None:
        """Add rows, without base, for paths that have none; what is loose about them moves in."""
        new = sorted(paths)
        known = [self.loose.pop(path, None) for path in new]
        self.differs.update((p, k[1]) for p, k in zip(new, known, strict=True) if k)
        keys = [k[0] if k else (0, 0, 0, 0, 0) for k in known]
        fresh = [array("I", [0]) * len(new)]
        fresh += [
            array(column.typecode, (key[i] for key in keys))
            for i, column in enumerate(self.key_arrays)
        ]
        merged: list[bytes] = []
        columns = [array(column.typecode) for column in fresh]
        ids = bytearray()
        old_at = new_at = 0
        # Stretches of old and of new rows in turn, each copied as a whole.
        for old_end, new_end in _stretches(self.paths, new):
            merged += self.paths[old_at:old_end] + new[new_at:new_end]
            ids += self.base_ids[old_at * RAW_ID_SIZE : old_end * RAW_ID_SIZE]
            ids += bytes(RAW_ID_SIZE * (new_end - new_at))
            for column, old, added in zip(columns, self.arrays, fresh, strict=True):
                column.extend(old[old_at:old_end])
                column.extend(added[new_at:new_end])
            old_at, new_at = old_end, new_end
        self._set(merged, ids, columns)

    def keep(self, wanted: Sequence[object]) -> None:
        """Drop the rows for which ``wanted`` is false."""
        if all(wanted):
            return
        starts = range(0, len(self.base_ids), RAW_ID_SIZE)
        ids = b"".join(self.base_ids[at : at + RAW_ID_SIZE] for at in compress(starts, wanted))
        columns = [array(c.typecode, compress(c, wanted)) for c in self.arrays]
        self._set(list(compress(self.paths, wanted)), bytearray(ids), columns)

    def _set(self, paths: list[bytes], ids: bytearray, columns: list[array[int]]) -> None:
        self.paths = paths
        self.base_ids = ids
        self.base_modes, self.modes, self.inodes, self.sizes, self.mtimes, self.ctimes = columns


def _stretches(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield (end in old, end in new): which rows follow each other when both are merged."""
    at = 0
    for i, path in enumerate(new):
        end = bisect_left(old, path, at) if at < len(old) else at
        if end != at:
            # The old rows up to here come after the new ones before.
            if i:
                yield at, i
            at = end
    yield at, len(new)
    if at < len(old):
        yield len(old), len(new)
