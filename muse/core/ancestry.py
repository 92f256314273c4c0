"""Who descends from whom: parsed commits, merge bases, ahead and behind.

Commits are read once and kept in a form small enough for long histories. Nothing here reads more
of a history than the answer needs, as long as commits are dated after their parents.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from muse.core.commits import Commit, decode_commit
from muse.core.object_store import ObjectStore
from muse.core.types import RawId

# Whole commits (with messages) that are kept; the small form of all is.
_KEPT: Final = 1024
# Commits read beyond the point where all seems decided, against clocks that ran wrong.
_SLOP: Final = 32

_ONE: Final = 1
_TWO: Final = 2
_BOTH: Final = 3
_STALE: Final = 4
_RESULT: Final = 8


class Node(NamedTuple):
    """What walking a history needs of a commit.

    Attributes:
        tree: Its root tree.
        parents: Its parents, first parent first; empty where history ends on purpose.
        time_s: When it was committed.
    """

    tree: RawId
    parents: tuple[RawId, ...]
    time_s: int


class CommitGraph:
    """The commits of one store, read on demand.

    Args:
        store: Where they are.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._ends: frozenset[RawId] | None = None
        self._nodes: dict[RawId, Node] = {}
        self._commits: dict[RawId, Commit] = {}

    def node(self, raw: RawId) -> Node:
        """Return a commit's place in history.

        Raises:
            ObjectNotFoundError: It is not stored.
            CorruptObjectError: It is damaged, or no commit.
        """
        found = self._nodes.get(raw)
        if found is None:
            self.commit(raw)
            found = self._nodes[raw]
        return found

    def commit(self, raw: RawId) -> Commit:
        """Return a whole commit; errors as for `node`."""
        found = self._commits.get(raw)
        if found is None:
            found = decode_commit(raw, self.store.read(raw, expected="commit")[1])
            while len(self._commits) >= _KEPT:
                del self._commits[next(iter(self._commits))]
            self._commits[raw] = found
            parents = () if self.is_cut(raw) else found.parents
            self._nodes[raw] = Node(found.tree, parents, found.committer.time_s)
        return found

    def is_cut(self, raw: RawId) -> bool:
        """Tell whether history ends at a commit on purpose; see `muse.core.shallow`."""
        # Not before the first commit is read: the boundary is written before the refs.
        if self._ends is None:
            self._ends = self.store.boundary.read()
        return raw in self._ends

    @property
    def commits_read(self) -> int:
        """How many different commits were read so far."""
        return len(self._nodes)


class _Queue:
    """Commits by date, newest first; equal dates in the order they came, as git has them."""

    def __init__(self, graph: CommitGraph) -> None:
        self._graph = graph
        self._heap: list[tuple[int, int, RawId]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, raw: RawId) -> None:
        self._count += 1
        heapq.heappush(self._heap, (-self._graph.node(raw).time_s, self._count, raw))

    def pop(self) -> RawId:
        return heapq.heappop(self._heap)[2]

    @property
    def next_time_s(self) -> int:
        return -self._heap[0][0]


def _paint(
    graph: CommitGraph, one: RawId, others: Sequence[RawId], *, only_reach: bool = False
) -> tuple[dict[RawId, int], list[RawId]]:
    """Colour the ancestors of both sides until only common ones are left (git's painting).

    With ``only_reach`` it may end as soon as the others are seen to reach ``one``.
    """
    flags: dict[RawId, int] = {one: _ONE}
    queue = _Queue(graph)
    queue.push(one)
    # Pushes of commits that are not stale yet; when none is waiting, the rest is decided.
    open_entries = 1
    waiting: dict[RawId, int] = {one: 1}

    def push(raw: RawId) -> None:
        nonlocal open_entries
        queue.push(raw)
        waiting[raw] = waiting.get(raw, 0) + 1
        if not flags[raw] & _STALE:
            open_entries += 1

    for other in others:
        flags[other] = flags.get(other, 0) | _TWO
        push(other)
    results: list[RawId] = []
    while open_entries:
        raw = queue.pop()
        waiting[raw] -= 1
        if not flags[raw] & _STALE:
            open_entries -= 1
        colour = flags[raw] & (_BOTH | _STALE)
        if colour == _BOTH:
            if only_reach and raw == one:
                break
            if not flags[raw] & _RESULT:
                flags[raw] |= _RESULT
                results.append(raw)
            colour |= _STALE
        for parent in graph.node(raw).parents:
            before = flags.get(parent, 0)
            if before & colour == colour:
                continue
            flags[parent] = before | colour
            if colour & _STALE and not before & _STALE:
                open_entries -= waiting.get(parent, 0)
            push(parent)
    return flags, [raw for raw in results if not flags[raw] & _STALE]


def merge_bases(graph: CommitGraph, one: RawId, *others: RawId) -> list[RawId]:
    """Find the best common ancestors of a commit and (a merge of) others.

    Args:
        graph: The commits.
        one: A commit.
        others: One or more commits, taken together as if they were merged.

    Returns:
        None of them an ancestor of another, newest first; empty for unrelated histories.
    """
    if one in others:
        return [one]
    found = _paint(graph, one, others)[1]
    found = _by_date(graph, found)
    if len(found) > 1:
        found = [
            raw
            for i, raw in enumerate(found)
            if not any(is_ancestor(graph, raw, other) for j, other in enumerate(found) if i != j)
        ]
    return found


def _by_date(graph: CommitGraph, commits: Iterable[RawId]) -> list[RawId]:
    return sorted(commits, key=lambda raw: -graph.node(raw).time_s)


def is_ancestor(graph: CommitGraph, ancestor: RawId, descendant: RawId) -> bool:
    """Tell whether a commit is another one, or can be reached from it."""
    if ancestor == descendant:
        return True
    flags = _paint(graph, ancestor, [descendant], only_reach=True)[0]
    return bool(flags[ancestor] & _TWO)


class AheadBehind(NamedTuple):
    """How far two commits have grown apart.

    Attributes:
        ahead: Commits that only the first one has.
        behind: Commits that only the second one has.
    """

    ahead: int
    behind: int


def ahead_behind(graph: CommitGraph, ours: RawId, theirs: RawId) -> AheadBehind:
    """Count the commits that each of two commits has and the other has not.

    It reads as far down as the two differ, and a little further.
    """
    if ours == theirs:
        return AheadBehind(0, 0)
    flags: dict[RawId, int] = {ours: _ONE, theirs: _TWO}
    queue = _Queue(graph)
    queue.push(ours)
    queue.push(theirs)
    # One-sided commits that wait in the queue, and the oldest one-sided commit seen.
    open_set = {ours, theirs}
    oldest_s = min(graph.node(ours).time_s, graph.node(theirs).time_s)
    slop = _SLOP
    while len(queue):
        if not open_set and queue.next_time_s < oldest_s:
            slop -= 1
            if not slop:
                break
        raw = queue.pop()
        open_set.discard(raw)
        colour = flags[raw]
        for parent in graph.node(raw).parents:
            before = flags.get(parent, 0)
            if before | colour == before:
                continue
            flags[parent] = before | colour
            queue.push(parent)
            if flags[parent] == _BOTH:
                open_set.discard(parent)
            else:
                open_set.add(parent)
                oldest_s = min(oldest_s, graph.node(parent).time_s)
    return AheadBehind(
        sum(flag == _ONE for flag in flags.values()), sum(flag == _TWO for flag in flags.values())
    )
