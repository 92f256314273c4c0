"""Walking history in git's order, lazily, with git's simplification by paths.

A walk yields commits one at a time and reads little more than it yields, so a log of 50 costs the
same in a history of a hundred and of a hundred thousand. Exceptions are ranges, which are read to
their end before the first commit is known for sure, and `Order.TOPO`.

The rules of order, of ranges and of paths follow git's ``revision.c`` step by step, so that both
programs show the same list; the tests compare them on random histories.
"""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.ancestry import CommitGraph
from muse.core.commits import Commit
from muse.core.limits import Limits
from muse.core.types import RawId

if TYPE_CHECKING:
    from muse.core.path_filter import PathFilter

_SEEN: Final = 1
_UNINTERESTING: Final = 2
_SAME: Final = 4
_ADDED: Final = 8
_BOTTOM: Final = 16
_DONE: Final = -(1 << 60)
# git's allowance for commits dated before their parents, at the lower end of a range.
_SLOP: Final = 5


class Order(enum.Enum):
    """In which order a walk yields commits.

    Attributes:
        DATE: Newest first, as ``git log``.
        TOPO: No parent before its children, lines kept together, as ``git log --topo-order``;
            reads the whole history first.
        GRAPH: The same list as TOPO where no commit is dated before its parent, but lazy.
    """

    DATE = "date"
    TOPO = "topo"
    GRAPH = "graph"


class HistoryEntry(NamedTuple):
    """One commit of a walk.

    Attributes:
        raw: Its id.
        commit: The commit, as stored.
        parents: Its parents among what the walk shows: with paths, the nearest ancestors that
            change them; without those that a limit leaves out. For drawing a graph, and empty
            unless the walk was asked for them.
        cut: Whether history ends here on purpose, though the commit has parents.
    """

    raw: RawId
    commit: Commit
    parents: tuple[RawId, ...]
    cut: bool = False


def walk(
    graph: CommitGraph,
    include: Sequence[RawId],
    *,
    exclude: Sequence[RawId] = (),
    limits: Limits | None = None,
    order: Order = Order.DATE,
    with_parents: bool = False,
) -> Iterator[HistoryEntry]:
    """Yield the commits reachable from some commits and not from others.

    Args:
        graph: The commits.
        include: Where to start.
        exclude: Commits that are left out together with all their ancestors.
        limits: What else to leave out.
        order: In which order.
        with_parents: Fill in `HistoryEntry.parents`, which may need a look further down.

    Raises:
        ObjectNotFoundError: A commit is missing.
        CorruptObjectError: A commit or tree is damaged.
        UsageError: ``author`` or ``grep`` is no regular expression.
    """
    limits = limits or Limits()
    walker = _Walker(graph, limits)
    found = walker.commits(include, exclude, order)
    stop = None if limits.max_count is None else limits.skip + limits.max_count
    for raw in itertools.islice(found, limits.skip, stop):
        parents = walker.shown_parents(raw) if with_parents else ()
        yield HistoryEntry(raw, graph.commit(raw), parents, graph.is_cut(raw))


class _Walker:
    """One walk; the state that git keeps as flags on its commits."""

    def __init__(self, graph: CommitGraph, limits: Limits) -> None:
        self._graph = graph
        self._limits = limits
        self._filter: PathFilter | None = None
        if limits.paths:
            from muse.core.path_filter import PathFilter  # start-up time: a plain log needs none

            self._filter = PathFilter(graph.store, limits.paths)
        self._matches = limits.matcher()
        self._flags: dict[RawId, int] = {}
        # Parents as simplified; absent for commits whose parents were not looked at.
        self._parents: dict[RawId, tuple[RawId, ...]] = {}
        self._heap: list[tuple[int, int, RawId]] = []
        self._count = 0
        # Some commit in the queue of a range that is not excluded, to ask again about first.
        self._interesting: RawId | None = None

    # -- the queue: a list sorted by date, first come first out among equals -------------------

    def _push(self, raw: RawId) -> None:
        self._count += 1
        heapq.heappush(self._heap, (-self._graph.node(raw).time_s, self._count, raw))

    def _pop(self) -> RawId:
        return heapq.heappop(self._heap)[2]

    # -- the three ways to go ------------------------------------------------------------------

    def commits(
        self, include: Sequence[RawId], exclude: Sequence[RawId], order: Order
    ) -> Iterator[RawId]:
        """Yield everything that the limits let through, whatever the count."""
        tips = self._begin(include, exclude)
        if exclude or order is Order.TOPO:
            chosen = self._limited(tips)
            if order is not Order.DATE:
                chosen = _topological(chosen, self._known_parents)
            found: Iterable[RawId] = chosen
        elif order is Order.GRAPH:
            found = self._lazy_topological(tips)
        else:
            found = self._streamed(tips)
        return (raw for raw in found if self._is_shown(raw))

    def _begin(self, include: Sequence[RawId], exclude: Sequence[RawId]) -> list[RawId]:
        tips: list[RawId] = []
        for group, flags in ((exclude, _UNINTERESTING | _BOTTOM), (include, 0)):
            for raw in group:
                before = self._flags.get(raw, 0)
                self._flags[raw] = before | flags | _SEEN
                if not before & _SEEN:
                    tips.append(raw)
        for raw in exclude:
            self._exclude_parents(raw)
        tips.sort(key=lambda raw: -self._graph.node(raw).time_s)
        return tips

    def _streamed(self, tips: list[RawId]) -> Iterator[RawId]:
        for raw in tips:
            self._push(raw)
        while self._heap:
            raw = self._pop()
            if self._is_too_old(raw):
                continue
            for parent in self._visit(raw):
                self._push(parent)
            yield raw

    def _limited(self, tips: list[RawId]) -> list[RawId]:
        """Return the commits of a range, read to the point where no exclusion can change it."""
        for raw in tips:
            self._push(raw)
        queued = set(tips)
        chosen: list[RawId] = []
        last_s: int | None = None
        slop = _SLOP
        while self._heap:
            raw = self._pop()
            queued.discard(raw)
            if self._is_too_old(raw):
                self._flags[raw] |= _UNINTERESTING
            for parent in self._visit(raw):
                self._push(parent)
                queued.add(parent)
            if not self._flags[raw] & _UNINTERESTING:
                time_s = self._graph.node(raw).time_s
                if self._limits.until_s is None or time_s <= self._limits.until_s:
                    last_s = time_s
                    chosen.append(raw)
                continue
            self._exclude_parents(raw)
            if self._may_change(queued, last_s):
                slop = _SLOP
            else:
                slop -= 1
                if not slop:
                    break
        return [raw for raw in chosen if not self._flags[raw] & _UNINTERESTING]

    def _may_change(self, queued: set[RawId], last_s: int | None) -> bool:
        """Tell whether what waits could still add to a range, or take from it."""
        if last_s is not None and self._heap and last_s <= -self._heap[0][0]:
            return True
        known = self._interesting
        if known not in queued or self._flags[known] & _UNINTERESTING:
            fresh = (raw for raw in queued if not self._flags[raw] & _UNINTERESTING)
            self._interesting = known = next(fresh, None)
        return known is not None

    def _lazy_topological(self, tips: list[RawId]) -> Iterator[RawId]:
        """Yield in topological order, reading only commits as new as the ones that are yielded.

        As in git's walk with generation numbers, with the date in their place.
        """
        children = dict.fromkeys(tips, 0)
        for raw in tips:
            self._push(raw)

        def count_children(down_to_s: int) -> None:
            while self._heap and -self._heap[0][0] >= down_to_s:
                raw = self._pop()
                if self._is_too_old(raw):
                    continue
                fresh = self._visit(raw)
                for parent in self._walked_parents(raw):
                    children[parent] = children.get(parent, 0) + 1
                for parent in fresh:
                    self._push(parent)

        down_to_s = min((self._graph.node(raw).time_s for raw in tips), default=0)
        count_children(down_to_s)
        ready = [raw for raw in tips if not children[raw]]
        ready.reverse()
        while ready:
            raw = ready.pop()
            if self._is_too_old(raw):
                continue
            for parent in self._walked_parents(raw):
                down_to_s = min(down_to_s, self._graph.node(parent).time_s)
                count_children(down_to_s)
                children[parent] -= 1
                if not children[parent]:
                    ready.append(parent)
            # A child dated before its parent may turn up yet: never yield the parent again.
            children[raw] = _DONE
            yield raw

    # -- one commit ----------------------------------------------------------------------------

    def _is_too_old(self, raw: RawId) -> bool:
        since_s = self._limits.since_s
        return since_s is not None and self._graph.node(raw).time_s < since_s

    def _known_parents(self, raw: RawId) -> tuple[RawId, ...]:
        parents = self._parents.get(raw)
        return self._graph.node(raw).parents if parents is None else parents

    def _walked_parents(self, raw: RawId) -> tuple[RawId, ...]:
        parents = self._known_parents(raw)
        return parents[:1] if self._limits.first_parent else parents

    def _visit(self, raw: RawId) -> list[RawId]:
        """Look at a commit's parents; return those not seen before, to be queued."""
        if self._flags[raw] & _ADDED:
            return []
        self._flags[raw] |= _ADDED
        fresh: list[RawId] = []
        if self._flags[raw] & _UNINTERESTING:
            self._parents[raw] = self._graph.node(raw).parents
            for parent in self._parents[raw]:
                self._flags[parent] = self._flags.get(parent, 0) | _UNINTERESTING
                self._exclude_parents(parent)
                if not self._flags[parent] & _SEEN:
                    self._flags[parent] |= _SEEN
                    fresh.append(parent)
            return fresh
        self._simplify(raw)
        for parent in self._walked_parents(raw):
            if not self._flags.get(parent, 0) & _SEEN:
                self._flags[parent] = self._flags.get(parent, 0) | _SEEN
                fresh.append(parent)
        return fresh

    def _exclude_parents(self, raw: RawId) -> None:
        """Exclude all known ancestors of a commit; unknown ones follow when they are visited."""
        stack = list(self._known_parents(raw))
        while stack:
            parent = stack.pop()
            flags = self._flags.get(parent, 0)
            if flags & _UNINTERESTING:
                continue
            self._flags[parent] = flags | _UNINTERESTING
            if flags & _SEEN:
                stack.extend(self._known_parents(parent))

    def _simplify(self, raw: RawId) -> None:
        """Decide whether a commit changes the paths, and follow a parent that has them equal."""
        if self._filter is None:
            return
        node = self._graph.node(raw)
        if not node.parents:
            if not self._filter.differs(None, node.tree):
                self._flags[raw] |= _SAME
            return
        relevant = relevant_change = irrelevant_change = False
        for nth, parent in enumerate(node.parents):
            is_relevant = self._is_relevant(parent)
            relevant |= is_relevant
            if nth and self._limits.first_parent:
                break
            if self._filter.differs(self._graph.node(parent).tree, node.tree):
                relevant_change |= is_relevant
                irrelevant_change |= not is_relevant
            elif is_relevant:
                self._parents[raw] = (parent,)
                self._flags[raw] |= _SAME
                return
        if not (relevant_change if relevant else irrelevant_change):
            self._flags[raw] |= _SAME

    def _is_relevant(self, raw: RawId) -> bool:
        return self._flags.get(raw, 0) & (_UNINTERESTING | _BOTTOM) != _UNINTERESTING

    # -- what is shown -------------------------------------------------------------------------

    def _is_shown(self, raw: RawId) -> bool:
        flags = self._flags.get(raw, 0)
        if flags & (_UNINTERESTING | _SAME):
            return False
        limits = self._limits
        node = self._graph.node(raw)
        if limits.until_s is not None and node.time_s > limits.until_s:
            return False
        if limits.merges is not None and limits.merges != (len(node.parents) > 1):
            return False
        return self._matches is None or self._matches(self._graph.commit(raw))

    def shown_parents(self, raw: RawId) -> tuple[RawId, ...]:
        """Return the parents for a graph: through what is simplified away, without duplicates."""
        found: dict[RawId, None] = {}
        for parent in self._walked_parents(raw):
            nearest = self._nearest_change(parent)
            if nearest is not None and not self._is_too_old(nearest) and self._is_shown(nearest):
                found[nearest] = None
        return tuple(found)

    def _nearest_change(self, raw: RawId) -> RawId | None:
        step: RawId | None = raw
        while self._filter is not None and step is not None and not self._is_too_old(step):
            self._flags.setdefault(step, 0)
            for parent in self._visit(step):
                self._push(parent)
            if not self._flags[step] & _SAME or self._flags[step] & _UNINTERESTING:
                break
            step = next((p for p in self._known_parents(step) if self._is_relevant(p)), None)
        return step


def _topological(
    chosen: list[RawId], parents_of: Callable[[RawId], tuple[RawId, ...]]
) -> list[RawId]:
    """Sort so that no parent stands before its children, keeping lines of history together."""
    children = dict.fromkeys(chosen, 0)
    for raw in chosen:
        for parent in parents_of(raw):
            if parent in children:
                children[parent] += 1
    ready = [raw for raw in chosen if not children[raw]]
    ready.reverse()
    order: list[RawId] = []
    while ready:
        raw = ready.pop()
        order.append(raw)
        for parent in parents_of(raw):
            if parent in children:
                children[parent] -= 1
                if not children[parent]:
                    ready.append(parent)
    return order
