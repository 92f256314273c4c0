"""Whether two trees differ at some paths, reading only the folders on the way there.

A path is a file, a folder with everything in it, or a pattern with ``*``, ``?`` or ``[…]``, in
which ``*`` also runs across ``/``, as git has it on its command line.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import Final

from muse.core.object_store import ObjectStore
from muse.core.trees import EMPTY_TREE, TreeEntry, read_tree
from muse.core.types import MODE_TREE, RawId

# Parsed trees that are kept: neighbours in history share most of theirs.
_KEPT: Final = 512
_MAGIC: Final = re.compile(rb"[*?\[]")

_Folder = dict[bytes, TreeEntry]


def is_pattern(path: bytes) -> bool:
    """Tell whether a path has signs of a pattern."""
    return _MAGIC.search(path) is not None


class PathFilter:
    """Some paths of interest.

    Args:
        store: Where the trees are.
        paths: Repository paths or patterns; ``b""`` is everything.
    """

    def __init__(self, store: ObjectStore, paths: Iterable[bytes]) -> None:
        self._store = store
        self._kept: dict[RawId, _Folder] = {}
        self._literals: list[list[bytes]] = []
        self._patterns: list[re.Pattern[bytes]] = []
        for path in paths:
            clean = path.strip(b"/")
            self._literals.append(clean.split(b"/") if clean else [])
            if is_pattern(clean):
                # What lies below a folder that matches, matches too.
                body = fnmatch.translate(clean.decode("latin-1")).removesuffix(r"\Z")
                self._patterns.append(re.compile((body + r"(?:/.*)?\Z").encode("latin-1")))

    def matches(self, path: bytes) -> bool:
        """Tell whether a file's path is among the paths, or below one."""
        if any(pattern.match(path) for pattern in self._patterns):
            return True
        parts = path.split(b"/")
        return any(parts[: len(literal)] == literal for literal in self._literals)

    def differs(self, old: RawId | None, new: RawId | None) -> bool:
        """Tell whether two root trees differ at one of the paths; None is the empty tree."""
        one, two = old or EMPTY_TREE, new or EMPTY_TREE
        if one == two:
            return False
        if any(self._differs_at(one, two, literal) for literal in self._literals):
            return True
        return bool(self._patterns) and self._differs_below(one, two, b"")

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

    def _differs_below(self, one: RawId, two: RawId, prefix: bytes) -> bool:
        left, right = self._read(one), self._read(two)
        for name in left.keys() | right.keys():
            a, b = left.get(name), right.get(name)
            if a == b:
                continue
            path = prefix + name
            is_file = any(entry is not None and entry.mode != MODE_TREE for entry in (a, b))
            if is_file and any(pattern.match(path) for pattern in self._patterns):
                return True
            if self._differs_below(_folder(a), _folder(b), path + b"/"):
                return True
        return False

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
