"""Whether two trees differ at some paths, reading only the folders on the way there.

A walk through history asks this of every commit, so the folders that neighbours share are parsed
once, and the comparison ends at the first difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from muse.core.object_store import ObjectStore
from muse.core.tree_diff import is_pattern, walk_trees
from muse.core.trees import EMPTY_TREE, TreeEntry, read_tree
from muse.core.types import MODE_TREE, RawId

# Parsed trees that are kept: neighbours in history share most of theirs.
_KEPT: Final = 512

_Folder = dict[bytes, TreeEntry]


class PathFilter:
    """Some paths of interest.

    Args:
        store: Where the trees are.
        paths: Repository paths of files and folders, or patterns as in `PathLimit`; ``b""`` is
            everything.
    """

    def __init__(self, store: ObjectStore, paths: Iterable[bytes]) -> None:
        self._store = store
        self._kept: dict[RawId, _Folder] = {}
        listed = [path.strip(b"/") for path in paths]
        self._literals = [path.split(b"/") if path else [] for path in listed]
        self._patterns = [path for path in listed if is_pattern(path)]

    def differs(self, old: RawId | None, new: RawId | None) -> bool:
        """Tell whether two root trees differ at one of the paths; None is the empty tree."""
        one, two = old or EMPTY_TREE, new or EMPTY_TREE
        if one == two:
            return False
        if any(self._differs_at(one, two, literal) for literal in self._literals):
            return True
        if not self._patterns:
            return False
        changes = walk_trees(self._store, one, two, paths=self._patterns)
        return next(changes, None) is not None

    def _differs_at(self, one: RawId, two: RawId, parts: list[bytes]) -> bool:
        for depth, name in enumerate(parts):
            left, right = self._read(one).get(name), self._read(two).get(name)
            if left == right:
                return False
            if depth == len(parts) - 1:
                return True
            one, two = _folder(left), _folder(right)
            if one == two:
                return False
        return one != two

    def _read(self, tree: RawId) -> _Folder:
        found = self._kept.get(tree)
        if found is None:
            found = {entry.name: entry for entry in read_tree(self._store, tree)}
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[tree] = found
        return found


def _folder(entry: TreeEntry | None) -> RawId:
    return entry.raw if entry is not None and entry.mode == MODE_TREE else EMPTY_TREE
