"""The columns of the stat cache: one row a file, sorted by path, and no object for each field.

A row says what HEAD's tree has at a path (`base`), and which stat key the working file had when
its content was last known. That content is the base's own, except for the few paths in `differs`.

A hundred thousand rows load in no time, since their columns may lie in the cache's file itself,
mapped so that what is written to them stays here; a run over all of them stays inside C.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Final

from muse.core.file_content import StatKey, tree_mode
from muse.core.key_columns import KEY_CODES, IntCode, KeyColumns, split_key
from muse.core.packed_paths import PackedPaths
from muse.core.types import RAW_ID_SIZE, RawId

if TYPE_CHECKING:
    from muse.core.packed_paths import Column

FileEntry = tuple[int, RawId]
# The types of the columns: mode in HEAD's tree, then the parts of a stat key.
CODES: Final[tuple[IntCode, ...]] = ("I", *KEY_CODES)
_NO_ID: Final = bytes(RAW_ID_SIZE)
# Unpacking all paths pays when more than this many are asked for one by one.
_FEW_LOOKUPS: Final = 500


class StatColumns(KeyColumns):
    """Rows sorted by path.

    Attributes:
        base_modes: Mode in HEAD's tree; 0 for a path that the tree does not have.
        base_ids: Its blob ids, 32 bytes each.
        differs: Path → id of the known content, where mode or content is not the base's.
        loose: Path → (stat key, id) of known files that have no row yet.
        rewritten: Whether rows came, went, or have another stat key than at first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.base_modes: Column = array("I")
        self.base_ids: bytearray | memoryview[int] = bytearray()
        self.differs: dict[bytes, RawId] = {}
        self.loose: dict[bytes, tuple[StatKey, RawId]] = {}
        self.rewritten = False
        self._lookups = 0

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of numbers, in the order of `CODES`."""
        return self.base_modes, *self.key_columns

    @property
    def modes(self) -> Column:
        """``st_mode`` when the content was known; 0 when nothing is known."""
        return self.key_columns[0]

    # -- looking -----------------------------------------------------------------------------

    def find(self, path: bytes) -> int:
        """Return a path's row, or -1."""
        # Not isinstance, which is slow for an abstract class: this is asked for each file.
        if type(self.paths) is PackedPaths:
            self._lookups += 1
            if self._lookups > _FEW_LOOKUPS:
                self.paths = list(self.paths)
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

    def unknown_rows(self) -> Iterator[int]:
        """Yield the rows of which no stat key is known."""
        return compress(range(len(self)), map(not_, self.modes))

    def remember(self, path: bytes, key: StatKey, raw: RawId) -> None:
        """Note that a file with this stat key has this content."""
        row = self.find(path)
        if row < 0:
            self.loose[path] = (key, raw)
            return
        for column, value in zip(self.key_columns, split_key(key), strict=True):
            column[row] = value
        self.rewritten = True
        self._note(row, (tree_mode(key[0]), raw))

    def forget(self, path: bytes) -> None:
        """Note that nothing is known about a file."""
        row = self.find(path)
        if row < 0:
            self.loose.pop(path, None)
            return
        self.key_columns[0][row] = 0
        self.rewritten = True
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
        if not new:
            return
        known = [self.loose.pop(path, None) for path in new]
        self.differs.update((p, k[1]) for p, k in zip(new, known, strict=True) if k)
        fresh = [array(code, [0]) * len(new) for code in CODES]
        for row, entry in enumerate(known):
            if entry is not None:
                for column, value in zip(fresh[1:], split_key(entry[0]), strict=True):
                    column[row] = value
        del known
        merged: list[bytes] = []
        columns = [array(code) for code in CODES]
        ids = bytearray()
        old_at = new_at = 0
        # Stretches of old and of new rows in turn, each copied as a whole.
        for old_end, new_end in _stretches(self.paths, new):
            merged += self.paths[old_at:old_end]
            merged += new[new_at:new_end]
            ids += self.base_ids[old_at * RAW_ID_SIZE : old_end * RAW_ID_SIZE]
            ids += bytes(RAW_ID_SIZE * (new_end - new_at))
            for column, old, added in zip(columns, self.columns, fresh, strict=True):
                column.frombytes(old[old_at:old_end].tobytes())
                column.extend(added[new_at:new_end])
            old_at, new_at = old_end, new_end
        self._set(merged, ids, columns)

    def keep(self, wanted: Sequence[object]) -> None:
        """Drop the rows for which ``wanted`` is false."""
        if all(wanted):
            return
        starts = range(0, len(self.base_ids), RAW_ID_SIZE)
        ids = b"".join(self.base_ids[at : at + RAW_ID_SIZE] for at in compress(starts, wanted))
        columns = [
            array(code, compress(c, wanted)) for code, c in zip(CODES, self.columns, strict=True)
        ]
        self._set(list(compress(self.paths, wanted)), bytearray(ids), columns)

    def _set(self, paths: list[bytes], ids: bytearray, columns: list[array[int]]) -> None:
        self.paths = paths
        self.base_ids = ids
        self.base_modes, *keys = columns
        self.key_columns = tuple(keys)
        self.rewritten = True


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
