"""Everything that can be reached from some objects: the walk behind `gc` and `verify`.

Each commit, tree and tag is read once; blobs are not read at all. Where history ends on purpose
(`muse.core.shallow`), a commit's parents are not needed. What is needed and cannot be
read is a gap: nobody knows what lies behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.commits import ObjectFormatError, parse_commit, parse_tag
from muse.core.errors import MuseError
from muse.core.trees import EMPTY_TREE, TreeFormatError, parse_tree
from muse.core.types import ObjectType, RawId

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{32})", re.DOTALL)
_TREE: Final = b"40000"


class Gap(NamedTuple):
    """An object that is needed and cannot be used.

    Attributes:
        kind: The type that whatever names it says it has; None when that is not said.
        reason: Why it cannot be used, as the end of a sentence.
        missing: Whether there is simply none.
    """

    kind: ObjectType | None
    reason: str
    missing: bool


class Reach:
    """What has been reached so far; call `walk` with more roots to go on.

    Args:
        store: Where the objects are.
        kind_of: Says which type a whole object has, None for one that is not whole or not there,
            so that what is known to be damaged is not read. None: ask the store.
        progress: Called now and then with the number of objects reached.

    Attributes:
        commits: Commits, in the order of the walk.
        trees: Trees, likewise; the empty tree, which need not be stored, is left out.
        tags: Annotated tags.
        blobs: Blobs; whether they are there is not asked.
        gaps: What could not be read.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        kind_of: Callable[[RawId], ObjectType | None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._store, self._kind_of, self._progress = store, kind_of, progress
        self._ends = store.boundary.known(despite=MuseError)
        self.commits: dict[RawId, None] = {}
        self.trees: dict[RawId, None] = {}
        self.tags: dict[RawId, None] = {}
        self.blobs: set[RawId] = set()
        self.gaps: dict[RawId, Gap] = {}

    def __contains__(self, raw: object) -> bool:
        return raw in self.blobs or raw in self.trees or raw in self.commits or raw in self.tags

    def __len__(self) -> int:
        return len(self.commits) + len(self.trees) + len(self.tags) + len(self.blobs)

    def walk(self, starts: Iterable[tuple[RawId, ObjectType | None]]) -> None:
        """Reach everything from some objects, each with the type that it must have, if any."""
        for raw, kind in starts:
            self._walk_from(raw, kind)

    def _walk_from(self, raw: RawId, kind: ObjectType | None) -> None:
        if kind == "blob":
            self.blobs.add(raw)
            return
        stack: list[tuple[RawId, ObjectType | None]] = [(raw, kind)]
        while stack:
            raw, kind = stack.pop()
            if raw in self.commits or raw in self.trees or raw in self.tags or raw in self.gaps:
                continue
            if kind is None and raw in self.blobs:
                continue
            found = self._read(raw, kind)
            if found is None:
                continue
            if self._progress is not None and not len(self.trees) % 256:
                self._progress(len(self))
            self._enter(raw, *found, stack)

    def _read(self, raw: RawId, kind: ObjectType | None) -> tuple[ObjectType, bytes] | None:
        if raw == EMPTY_TREE:
            return None
        if self._kind_of is not None:
            actual = self._kind_of(raw)
            if actual is None:
                self.gaps[raw] = Gap(kind, "it is not there", missing=True)
                return None
            if actual == "blob" and kind is None:
                self.blobs.add(raw)
                return None
        try:
            if kind is None and self._store.stat(raw)[0] == "blob":
                # Of any size, and nothing is behind it.
                self.blobs.add(raw)
                return None
            actual, payload = self._store.read(raw)
        except MuseError as error:
            missing = getattr(error, "reason", None) is None
            self.gaps[raw] = Gap(kind, "it is not there" if missing else error.message, missing)
            return None
        if kind is not None and actual != kind:
            self.gaps[raw] = Gap(kind, f"it is a {actual}, not a {kind}", missing=False)
            return None
        if actual == "blob":
            self.blobs.add(raw)
            return None
        return actual, payload

    def _enter(
        self,
        raw: RawId,
        kind: ObjectType,
        payload: bytes,
        stack: list[tuple[RawId, ObjectType | None]],
    ) -> None:
        try:
            if kind == "tree":
                self.trees[raw] = None
                folders, files = split_tree(payload)
                self.blobs.update(files)
                stack.extend((folder, "tree") for folder in folders if folder not in self.trees)
            elif kind == "commit":
                self.commits[raw] = None
                commit = parse_commit(payload)
                parents = () if raw in self._ends else commit.parents
                stack.extend((parent, "commit") for parent in reversed(parents))
                stack.append((commit.tree, "tree"))
            else:
                self.tags[raw] = None
                tag = parse_tag(payload)
                if tag.kind == "blob":
                    self.blobs.add(tag.target)
                else:
                    stack.append((tag.target, tag.kind))
        except (ObjectFormatError, TreeFormatError) as error:
            self.gaps[raw] = Gap(kind, f"it is no valid {kind}: {error}", missing=False)


def split_tree(payload: bytes) -> tuple[list[RawId], list[RawId]]:
    """Return the ids of a tree's folders, and those of its files.

    Names are not looked at, so that what hangs on a tree with a bad name is still found.

    Raises:
        TreeFormatError: The bytes are no tree.
    """
    found = _ENTRY.findall(payload)
    size = 34 * len(found) + sum(len(mode) + len(name) for mode, name, _ in found)
    if size != len(payload):
        # Something was skipped: the parser says what.
        entries = parse_tree(payload, strict_names=False)
        found = [(b"%o" % entry.mode, entry.name, entry.raw) for entry in entries]
    folders = [raw for mode, _, raw in found if mode == _TREE]
    files = [raw for mode, _, raw in found if mode != _TREE]
    return folders, files
