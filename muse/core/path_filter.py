"""Whether two trees differ at some paths, reading only the folders on the way there.

A walk through history asks this of every commit. So a name is looked up in a folder's bytes without
parsing the rest, folders that neighbours share are looked into once, and the comparison ends at
the first difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from muse.core.object_store import ObjectStore
from muse.core.tree_diff import PathLimit, is_pattern
from muse.core.trees import EMPTY_TREE, TreeEntry, read_tree
from muse.core.types import MODE_TREE, RawId

# Answers and parsed trees that are kept: neighbours in history share most of theirs.
_KEPT: Final = 1024
_FOLDER_MODE: Final = b"40000"

_Folder = dict[bytes, TreeEntry]
# An entry's mode as stored, and its id.
_Found = tuple[bytes, RawId]


class PathFilter:
    """Some paths of interest.

    Args:
        store: Where the trees are.
        paths: Repository paths of files and folders, or patterns as in `PathLimit`; ``b""`` is
            everything.
    """

    def __init__(self, store: ObjectStore, paths: Iterable[bytes]) -> None:
        self._store = store
        self._found: dict[tuple[RawId, bytes], _Found | None] = {}
        self._folders: dict[RawId, _Folder] = {}
        listed = [path.strip(b"/") for path in paths]
        self._literals = [path.split(b"/") if path else [] for path in listed]
        patterns = [path for path in listed if is_pattern(path)]
        self._patterns = PathLimit(patterns) if patterns else None
        names = {name for literal in self._literals for name in literal}
        # Entry by entry from the start, so that no bytes of an id are ever taken for a name.
        self._lookups = {
            name: re.compile(
                rb"(?:[0-7]+ [^\0]+\0.{32})*?([0-7]+) " + re.escape(name) + rb"\0(.{32})", re.DOTALL
            )
            for name in names
        }

    def differs(self, old: RawId | None, new: RawId | None) -> bool:
        """Tell whether two root trees differ at one of the paths; None is the empty tree."""
        one, two = old or EMPTY_TREE, new or EMPTY_TREE
        if one == two:
            return False
        if any(self._differs_at(one, two, literal) for literal in self._literals):
            return True
        return self._patterns is not None and self._differs_below(one, two, b"", self._patterns)

    def _differs_at(self, one: RawId, two: RawId, parts: list[bytes]) -> bool:
        for depth, name in enumerate(parts):
            left, right = self._find(one, name), self._find(two, name)
            if left == right:
                return False
            if depth == len(parts) - 1:
                return True
            one, two = _tree(left), _tree(right)
            if one == two:
                return False
        return one != two

    def _find(self, tree: RawId, name: bytes) -> _Found | None:
        if tree == EMPTY_TREE:
            return None
        key = (tree, name)
        if key not in self._found:
            match = self._lookups[name].match(self._store.read(tree, expected="tree")[1])
            while len(self._found) >= _KEPT:
                del self._found[next(iter(self._found))]
            self._found[key] = (match[1], RawId(match[2])) if match else None
        return self._found[key]

    def _differs_below(self, one: RawId, two: RawId, prefix: bytes, patterns: PathLimit) -> bool:
        left, right = self._read(one), self._read(two)
        for name in left.keys() | right.keys():
            a, b = left.get(name), right.get(name)
            if a == b:
                continue
            path = prefix + name
            is_file = any(entry is not None and entry.mode != MODE_TREE for entry in (a, b))
            if is_file and patterns.has(path):
                return True
            below = _folder(a), _folder(b)
            if below[0] != below[1] and self._differs_below(*below, path + b"/", patterns):
                return True
        return False

    def _read(self, tree: RawId) -> _Folder:
        found = self._folders.get(tree)
        if found is None:
            found = {entry.name: entry for entry in read_tree(self._store, tree)}
            while len(self._folders) >= _KEPT:
                del self._folders[next(iter(self._folders))]
            self._folders[tree] = found
        return found


def _tree(found: _Found | None) -> RawId:
    return found[1] if found is not None and found[0] == _FOLDER_MODE else EMPTY_TREE


def _folder(entry: TreeEntry | None) -> RawId:
    return entry.raw if entry is not None and entry.mode == MODE_TREE else EMPTY_TREE
