"""From a damaged object back to what people know: which branch, which commit, which path.

It is only asked after damage was found, so it may read much; it is bounded all the same. The
tips of all refs are looked at first, since what is checked out next hurts most; history is
searched, newest first, for what no tip needs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.commits import Commit, ObjectFormatError, parse_commit, parse_tag
from muse.core.errors import MuseError
from muse.core.paths import show_path, show_text
from muse.core.roots import Root
from muse.core.trees import EMPTY_TREE, TreeEntry, TreeFormatError, parse_tree
from muse.core.types import MODE_TREE, ObjectId, ObjectType, RawId, from_raw

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

# For one object, so many places are named.
MAX_TOUCHES: Final = 8


class Touch(NamedTuple):
    """One place that needs an object.

    Attributes:
        label: The ref, or ``stage``, ``reflog of main`` and the like.
        commit: The commit on the way; None when the place names the object itself.
        path: The path in that commit or in the stage; None for the commit or its root tree.
        lesser: Whether only a way back depends on it.
        kind: The type that it has there; None when that is not known.
    """

    label: str
    commit: ObjectId | None = None
    path: bytes | None = None
    lesser: bool = False
    kind: ObjectType | None = None

    def __str__(self) -> str:
        """Return it as people read it: ``main → 1a2b3c4d → src/a.py``."""
        steps = [show_text(self.label)]
        if self.commit:
            steps.append(self.commit.removeprefix("sha256:")[:8])
        if self.path:
            steps.append(show_path(self.path))
        return " → ".join(steps)


class Tracer:
    """Finds what needs some objects.

    Args:
        store: Where the objects are.
        bad: The objects in question.
    """

    def __init__(self, store: ObjectStore, bad: Iterable[RawId]) -> None:
        self._store = store
        self._ends = store.boundary.known(despite=MuseError)
        self._bad = set(bad)
        self.touches: dict[RawId, list[Touch]] = {raw: [] for raw in self._bad}
        # Whether a tree holds something bad anywhere below.
        self._tainted: dict[RawId, bool] = {}
        self._commits_seen: set[RawId] = set()

    def trace(self, roots: Iterable[Root]) -> dict[RawId, list[Touch]]:
        """Return for each object the places that need it, at most `MAX_TOUCHES`."""
        roots = list(dict.fromkeys(roots))
        for lesser in (False, True):
            tips = [self._tip(root) for root in roots if root.lesser == lesser]
            starts = [tip for tip in tips if tip is not None]
            if any(not touches for touches in self.touches.values()):
                for root, raw, commit in starts:
                    self._search_history(root, raw, commit)
        return self.touches

    # -- touches ---------------------------------------------------------------------------

    def _add(
        self,
        raw: RawId,
        root: Root,
        *,
        commit: RawId | None = None,
        path: bytes | None = None,
        kind: ObjectType | None = None,
    ) -> None:
        found = self.touches[raw]
        oid = from_raw(commit) if commit else None
        touch = Touch(root.label, oid, path, root.lesser, kind)
        # Logs name what a branch has as well: that adds nothing.
        known = root.lesser and any(not other.lesser for other in found)
        if len(found) < MAX_TOUCHES and touch not in found and not known:
            found.append(touch)

    def _is_wanted(self, raw: RawId) -> bool:
        return len(self.touches[raw]) < MAX_TOUCHES

    # -- tips ------------------------------------------------------------------------------

    def _tip(self, root: Root) -> tuple[Root, RawId, Commit] | None:
        """Look at what a root names; return the commit that it leads to, if it does."""
        raw = root.raw
        for _ in range(16):
            if raw in self._bad:
                self._add(raw, root, path=root.path or None, kind=root.kind)
                return None
            read = self._read(raw)
            if read is None:
                return None
            kind, payload = read
            try:
                if kind == "commit":
                    commit = parse_commit(payload)
                    self._search_tree(root, raw, commit.tree)
                    return root, raw, commit
                if kind == "tree":
                    self._search_tree(root, None, raw)
                    return None
                if kind == "blob":
                    return None
                raw = parse_tag(payload).target
            except ObjectFormatError:
                return None
        return None

    def _read(self, raw: RawId) -> tuple[ObjectType, bytes] | None:
        try:
            return self._store.read(raw)
        except MuseError:
            return None

    # -- history ---------------------------------------------------------------------------

    def _search_history(self, root: Root, raw: RawId, commit: Commit) -> None:
        queue = [(-commit.committer.time_s, raw)]
        commits = {raw: commit}
        while queue:
            _, raw = heapq.heappop(queue)
            if raw in self._commits_seen:
                continue
            self._commits_seen.add(raw)
            commit = commits.pop(raw)
            if raw != root.raw and self._is_tainted(commit.tree):
                self._search_tree(root, raw, commit.tree, first_only=True)
            for parent in () if raw in self._ends else commit.parents:
                if parent in self._bad:
                    self._add(parent, root, commit=raw, kind="commit")
                elif parent not in self._commits_seen and parent not in commits:
                    older = self._read_commit(parent)
                    if older is not None:
                        commits[parent] = older
                        heapq.heappush(queue, (-older.committer.time_s, parent))

    def _read_commit(self, raw: RawId) -> Commit | None:
        read = self._read(raw)
        try:
            return parse_commit(read[1]) if read is not None and read[0] == "commit" else None
        except ObjectFormatError:
            return None

    # -- trees -----------------------------------------------------------------------------

    def _search_tree(
        self, root: Root, commit: RawId | None, tree: RawId, *, first_only: bool = False
    ) -> None:
        """Add a touch for each bad object below a tree."""
        if tree in self._bad:
            if not first_only or not self.touches[tree]:
                self._add(tree, root, commit=commit, kind="tree")
            return
        stack = [(b"", tree)]
        while stack:
            base, raw = stack.pop()
            if not self._is_tainted(raw):
                continue
            for entry in self._entries(raw):
                path = base + entry.name
                if entry.raw in self._bad:
                    if self._is_wanted(entry.raw) and not (first_only and self.touches[entry.raw]):
                        kind: ObjectType = "tree" if entry.mode == MODE_TREE else "blob"
                        self._add(entry.raw, root, commit=commit, path=path, kind=kind)
                elif entry.mode == MODE_TREE:
                    stack.append((path + b"/", entry.raw))

    def _entries(self, tree: RawId) -> list[TreeEntry]:
        if tree == EMPTY_TREE:
            return []
        read = self._read(tree)
        if read is None or read[0] != "tree":
            return []
        try:
            return parse_tree(read[1], strict_names=False)
        except TreeFormatError:
            return []

    def _is_tainted(self, tree: RawId) -> bool:
        """Tell whether a tree is bad or holds something bad; each tree is read once."""
        known = self._tainted
        stack: list[tuple[RawId, Iterator[RawId]]] = []
        result = self._is_known_tainted(tree, stack)
        while stack:
            raw, below = stack[-1]
            if result:
                known[raw] = True
                stack.pop()
                continue
            step = next(below, None)
            if step is None:
                known[raw] = result = False
                stack.pop()
            else:
                result = self._is_known_tainted(step, stack)
        return known.get(tree, tree in self._bad)

    def _is_known_tainted(self, tree: RawId, stack: list[tuple[RawId, Iterator[RawId]]]) -> bool:
        """Answer from memory, or put the tree on the stack for a look below it."""
        if tree in self._bad:
            return True
        if tree not in self._tainted:
            entries = self._entries(tree)
            if any(entry.raw in self._bad for entry in entries):
                self._tainted[tree] = True
            else:
                folders = [entry.raw for entry in entries if entry.mode == MODE_TREE]
                stack.append((tree, iter(folders)))
                return False
        return self._tainted[tree]
