"""Which objects does one side have that the other lacks: the walk behind push, fetch and check.

Two steps, both of which cost what changed and not what is there:

1. **Commits.** From the tips, newest first, painting two colours: *wanted* (reached from a tip)
   and *known* (reached from a commit that the other side has). It ends when everything that is
   left to look at is known.
2. **Trees.** Each new commit's tree is compared with its parents' trees, and only what differs is
   entered: in a commit that changes one file of 100 000, the trees on the way to that file.

Where history is cut off, here (``ends``) or on the other side (``known_ends``), commits count as
having no parents. With a ``depth`` the first step is limited beforehand to the commits that many
generations from the tips, and then what lies below the other side's cuts is wanted as well.

Errors are on the safe side. Clocks that run backwards may make a known commit look new, so that
more is sent, never less; and a *known* id that is not stored here, or is damaged here, teaches
nothing and is passed over. But what is reached from a tip must be whole: a gap there raises the
error that names it.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from muse.core.commits import ObjectFormatError, Tag, decode_commit, parse_tag
from muse.core.errors import CorruptObjectError, ObjectNotFoundError
from muse.core.object_store import ObjectReader
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectType, RawId, from_raw

_WANTED: Final = 1
_KNOWN: Final = 2
# Parsed trees are kept for the next commit's comparison, up to this many entries in all.
_CACHED_ENTRIES: Final = 100_000
# A commit none of whose parents the other side has is compared with so many commits that it has.
_BASES: Final = 8
_ENTRY: Final = re.compile(rb"(40000|100644|100755|120000|100664) ([^\0]+)\0(.{32})", re.DOTALL)
_TREE: Final = b"40000"

# Mode, name and id, as they stand in a tree.
_Entry = tuple[bytes, bytes, RawId]


class Found(NamedTuple):
    """An object that one side needs.

    Args:
        raw: Its id.
        kind: The type that whatever refers to it says it has.
        holder: What refers to it; None for a tip.
    """

    raw: RawId
    kind: ObjectType
    holder: RawId | None


class _Node(NamedTuple):
    time_s: int
    tree: RawId
    parents: tuple[RawId, ...]


class NewObjects:
    """The walk; iterate it once.

    Args:
        store: Where everything that the tips need is expected.
        tips: Commits, tags, or whatever else a ref may name.
        known: Ids that the other side has with everything below them; those that are not stored
            here are ignored.
        ends: Commits whose parents are not stored here, on purpose.
        known_ends: Commits that the other side has without their parents.
        depth: How many generations of commits to go down from the tips; None for no limit, and
            then what is below ``known_ends`` is left alone.

    Attributes:
        shallow: After the walk: where the tips' history ends for the other side, which are the
            commits whose parents are left out, stored there already or not.
    """

    def __init__(
        self,
        store: ObjectReader,
        tips: Iterable[RawId],
        known: Iterable[RawId] = (),
        *,
        ends: Collection[RawId] = (),
        known_ends: Collection[RawId] = (),
        depth: int | None = None,
    ) -> None:
        self.shallow: tuple[RawId, ...] = ()
        self._store = store
        self._ends, self._known_ends, self._depth = ends, known_ends, depth
        # With a depth: the commits within it.
        self._within: dict[RawId, int] | None = None
        self._colour: dict[RawId, int] = {}
        self._nodes: dict[RawId, _Node] = {}
        self._queue: list[tuple[int, RawId]] = []
        # INVARIANT: exactly the queued commits that are wanted and not (yet) known.
        self._open: set[RawId] = set()
        # Everything that was found, or that the other side has for sure.
        self._seen: set[RawId] = set()
        self._trees = _TreeCache(store)
        self._tips, self._known = list(dict.fromkeys(tips)), list(dict.fromkeys(known))

    def __iter__(self) -> Iterator[Found]:
        """Yield each object once: tags, then per commit (oldest first) itself and what is new.

        Raises:
            ObjectNotFoundError: The walk from a tip met an object that is not stored here.
            CorruptObjectError: It met one that is damaged, or not of the type it should have.
        """
        for raw in (*self._known, *self._known_ends):
            self._seen.add(raw)
            self._paint_known(raw)
        loose_ends: list[Found] = []
        commits: list[RawId] = []
        for raw in self._tips:
            for found in self._peel(raw):
                if found.kind == "commit":
                    commits.append(found.raw)
                elif found.kind == "tag":
                    if found.raw not in self._seen:
                        self._seen.add(found.raw)
                        yield found
                else:
                    loose_ends.append(found)
        if self._depth is not None:
            self._within = self._measure(commits, self._depth)
        for raw in commits if self._within is None else self._within:
            self._paint(raw, _WANTED)
        new = self._new_commits()
        self.shallow = self._find_shallow(new)
        yield from self._new_in_commits(new)
        for found in loose_ends:
            yield from self._new_in_object(found)

    # -- commits ---------------------------------------------------------------------------

    def _peel(self, raw: RawId) -> list[Found]:
        """Follow tags; without a depth it stops at what the other side has."""
        chain: list[Found] = []
        holder: RawId | None = None
        while raw not in self._seen or self._depth is not None:
            kind, payload = self._store.read(raw)
            chain.append(Found(raw, kind, holder))
            if kind == "commit":
                self._remember(raw, payload)
            if kind != "tag":
                break
            holder, raw = raw, _decode_tag(raw, payload).target
            if len(chain) > 64:
                raise CorruptObjectError(
                    from_raw(raw), where="the store", reason="a chain of tags without end"
                )
        return chain

    def _paint_known(self, raw: RawId) -> None:
        try:
            for _ in range(64):
                kind, payload = self._store.read(raw)
                if kind == "commit":
                    self._remember(raw, payload)
                    self._paint(raw, _KNOWN)
                    return
                self._seen.add(raw)
                if kind != "tag":
                    return
                raw = _decode_tag(raw, payload).target
        except (ObjectNotFoundError, CorruptObjectError):
            return

    def _paint(self, raw: RawId, colour: int) -> None:
        before = self._colour.get(raw, 0)
        after = before | colour
        if after == before:
            return
        node = self._node(raw, colour)
        if node is None:
            return
        self._colour[raw] = after
        heapq.heappush(self._queue, (-node.time_s, raw))
        if after == _WANTED:
            self._open.add(raw)
        else:
            self._open.discard(raw)

    def _node(self, raw: RawId, colour: int) -> _Node | None:
        node = self._nodes.get(raw)
        if node is None:
            try:
                node = self._remember(raw, self._store.read(raw, expected="commit")[1])
            except (ObjectNotFoundError, CorruptObjectError):
                if colour == _KNOWN:
                    return None
                raise
        return node

    def _remember(self, raw: RawId, payload: bytes) -> _Node:
        commit = decode_commit(raw, payload)
        node = self._nodes[raw] = _Node(commit.committer.time_s, commit.tree, commit.parents)
        return node

    def _new_commits(self) -> list[RawId]:
        """Return the commits that are only wanted, oldest first as far as their clocks say."""
        order: list[RawId] = []
        while self._open:
            _, raw = heapq.heappop(self._queue)
            colour = self._colour[raw]
            if raw in self._open:
                self._open.discard(raw)
                order.append(raw)
            colour = _KNOWN if colour & _KNOWN else _WANTED
            if raw in self._ends or raw in self._known_ends:
                continue
            if colour == _WANTED and self._within is not None:
                # All that are wanted have been painted at the start.
                continue
            for parent in self._nodes[raw].parents:
                self._paint(parent, colour)
        order.reverse()
        return [raw for raw in order if self._colour[raw] == _WANTED]

    def _measure(self, tips: Iterable[RawId], depth: int) -> dict[RawId, int]:
        """Return how many generations below the tips each commit within the depth is."""
        within = dict.fromkeys(tips, 0)
        layer = list(within)
        for generation in range(1, depth):
            below: dict[RawId, int] = {}
            for raw in layer:
                node = self._node(raw, _WANTED)
                assert node is not None
                if raw not in self._ends:
                    below.update((p, generation) for p in node.parents if p not in within)
            if not below:
                break
            within.update(below)
            layer = list(below)
        return within

    def _find_shallow(self, new: Iterable[RawId]) -> tuple[RawId, ...]:
        within = self._within
        if within is None:
            return tuple(raw for raw in new if raw in self._ends and self._nodes[raw].parents)
        found: list[RawId] = []
        for raw in within:
            node = self._node(raw, _WANTED)
            assert node is not None
            if node.parents and (raw in self._ends or not within.keys() >= set(node.parents)):
                found.append(raw)
        return tuple(found)

    # -- trees -----------------------------------------------------------------------------

    def _new_in_commits(self, commits: list[RawId]) -> Iterator[Found]:
        seen = self._seen
        for raw in commits:
            if raw in seen:
                continue
            seen.add(raw)
            yield Found(raw, "commit", None)
            node = self._nodes[raw]
            bases = []
            for parent in () if raw in self._ends else node.parents:
                base = self._node(parent, _KNOWN) if parent in self._colour else None
                if base is not None:
                    bases.append(base.tree)
            if not bases and (node.parents or self._known_ends):
                bases = self._known_trees()
            yield from self._new_in_tree(Found(node.tree, "tree", raw), bases)

    def _known_trees(self) -> list[RawId]:
        """Return trees that the other side has, to compare with where history is cut off."""
        known = (raw for raw in self._known if raw in self._nodes)
        return [self._nodes[raw].tree for raw in itertools.islice(known, _BASES)]

    def _new_in_tree(self, root: Found, bases: list[RawId]) -> Iterator[Found]:
        """Yield a tree and what is below it, except what the trees it came from hold as well."""
        seen = self._seen
        # A stack, since how deep a tree goes is the other side's choice.
        stack = [(root, bases)]
        while stack:
            found, bases = stack.pop()
            if found.raw in seen or found.raw in bases:
                continue
            entries = self._trees.read(found.raw)
            seen.add(found.raw)
            yield found
            same: set[_Entry] = set()
            below: dict[bytes, list[RawId]] = {}
            for base in bases:
                known = self._trees.read_known(base)
                same.update(known)
                for mode, name, raw in known:
                    if mode == _TREE:
                        below.setdefault(name, []).append(raw)
            for entry in entries:
                mode, name, raw = entry
                if entry in same or raw in seen:
                    continue
                if mode == _TREE:
                    stack.append((Found(raw, "tree", found.raw), below.get(name, [])))
                else:
                    seen.add(raw)
                    yield Found(raw, "blob", found.raw)

    def _new_in_object(self, found: Found) -> Iterator[Found]:
        if found.kind == "tree":
            yield from self._new_in_tree(found, [])
        elif found.raw not in self._seen:
            self._seen.add(found.raw)
            yield found


class _TreeCache:
    """Parsed trees, the most recently used ones, bounded by their entries."""

    def __init__(self, store: ObjectReader) -> None:
        self._store = store
        self._cache: OrderedDict[RawId, list[_Entry]] = OrderedDict()
        self._weight = 0

    def read(self, raw: RawId) -> list[_Entry]:
        """Return a tree's entries.

        Raises:
            ObjectNotFoundError: It is not stored.
            CorruptObjectError: It is damaged, or no tree.
        """
        entries = self._cache.get(raw)
        if entries is not None:
            self._cache.move_to_end(raw)
            return entries
        entries = []
        if raw != EMPTY_TREE:
            entries = _split_tree(raw, self._store.read(raw, expected="tree")[1])
        self._cache[raw] = entries
        self._weight += len(entries) + 1
        while self._weight > _CACHED_ENTRIES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._weight -= len(dropped) + 1
        return entries

    def read_known(self, raw: RawId) -> list[_Entry]:
        """Return the entries of a tree to compare with; none when it is not whole here."""
        try:
            return self.read(raw)
        except (ObjectNotFoundError, CorruptObjectError):
            return []


def _split_tree(raw: RawId, payload: bytes) -> list[_Entry]:
    """Return (mode, name, id) of each entry.

    Ten times as fast as `parse_tree`, which has checked order and names where the tree came in.
    """
    entries: list[_Entry] = _ENTRY.findall(payload)
    if sum(len(mode) + len(name) for mode, name, _ in entries) + 34 * len(entries) != len(payload):
        raise CorruptObjectError(from_raw(raw), where="the store", reason="it does not parse")
    return entries


def _decode_tag(raw: RawId, payload: bytes) -> Tag:
    try:
        return parse_tag(payload)
    except ObjectFormatError as error:
        raise CorruptObjectError(from_raw(raw), where="the store", reason=str(error)) from error
