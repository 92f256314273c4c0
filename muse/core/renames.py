"""Which removed file became which added one: by id first, then by similarity, as git finds it.

The steps and their order are git's (gitdiffcore, "Merging path information"), so that a rename here
is a rename there:

1. the same content, preferring the same file name;
2. the same file name, when it is unique on both sides and the content is at least three quarters
   of the way from the threshold to equal (75 % for the usual 50 %);
3. every remaining pair, best first.

The cost is bounded. Step 3 is left out when there are more pairs than ``limit`` squared (git's
``diff.renameLimit``) or when comparing them would take more than `WORK_LIMIT` steps; content over
`LARGE_SIZE` is found by id only; and the files removed that are looked into add up to `BYTES_LIMIT`
at most, smallest first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from muse.core.errors import NotFoundError, StorageError
from muse.core.similarity import MAX_SCORE, SourceIndex, Weights, similarity, weigh
from muse.core.text_diff import LARGE_SIZE
from muse.core.types import MODE_LINK, RawId

DEFAULT_PERCENT: Final = 50
DEFAULT_LIMIT: Final = 1000
# Chunks looked up, about 0.2 µs each: two seconds at most.
WORK_LIMIT: Final = 10_000_000
# About 4 bytes of memory for each byte looked into.
BYTES_LIMIT: Final = 16 << 20
_KEPT_PER_TARGET: Final = 4
_SAME_CONTENT_LOOKS: Final = 100


class Contents(Protocol):
    """Where one side's bytes come from: the object store by id, or the working tree by path.

    The id is None only for a file of the working tree that has not been hashed.
    """

    def size(self, path: bytes, raw: RawId | None) -> int:
        """Return the size in bytes, without reading the content."""

    def read(self, path: bytes, raw: RawId | None) -> bytes:
        """Return the content."""


class Candidate(NamedTuple):
    """A file that was removed, or one that was added.

    Attributes:
        path: Its repository path.
        mode: Its mode.
        raw: The id of its content; None when it is not known, and only similarity counts.
    """

    path: bytes
    mode: int
    raw: RawId | None


class Match(NamedTuple):
    """A removed file that is now called otherwise.

    Attributes:
        source: Index of the removed file.
        target: Index of the added file.
        score: Similarity, of `MAX_SCORE`.
    """

    source: int
    target: int
    score: int

    @property
    def percent(self) -> int:
        """Similarity in percent, rounded down."""
        return self.score * 100 // MAX_SCORE


class _Pair(NamedTuple):
    """A scored pair of step 3; greater is better, equal ones keep their order."""

    score: int
    same_name: bool
    source: int
    target: int


def match_renames(
    sources: Sequence[Candidate],
    targets: Sequence[Candidate],
    *,
    old: Contents,
    new: Contents,
    percent: int = DEFAULT_PERCENT,
    limit: int = DEFAULT_LIMIT,
) -> list[Match]:
    """Pair removed with added files.

    Args:
        sources: The removed files, by path.
        targets: The added files, by path.
        old: Content of the sources.
        new: Content of the targets.
        percent: Least similarity; 100 looks at ids only and reads nothing.
        limit: Step 3 is left out beyond ``limit`` squared pairs; 0 is no limit.

    Returns:
        At most one match for each source and each target, by target. A file that cannot be read
        (damaged, or gone from the working tree) is like no other one.
    """
    matcher = _Matcher(sources, targets, old, new, percent * MAX_SCORE // 100)
    matcher.match_ids()
    if percent < 100:
        matcher.match_names()
        matcher.match_rest(limit)
    return sorted(matcher.found.values(), key=lambda match: match.target)


def _name(path: bytes) -> bytes:
    return path[path.rfind(b"/") + 1 :]


class _Matcher:
    """The state between the three steps: what is matched already."""

    def __init__(
        self,
        sources: Sequence[Candidate],
        targets: Sequence[Candidate],
        old: Contents,
        new: Contents,
        minimum: int,
    ) -> None:
        self.sources, self.targets = sources, targets
        self.old, self.new = old, new
        self.minimum = minimum
        self.found: dict[int, Match] = {}
        self.used: set[int] = set()

    def record(self, source: int, target: int, score: int) -> None:
        """Take a match; neither side is matched again."""
        self.found[target] = Match(source, target, score)
        self.used.add(source)

    def match_ids(self) -> None:
        """Step 1: the same content."""
        by_id: dict[RawId | None, list[int]] = {}
        for index, source in enumerate(self.sources):
            by_id.setdefault(source.raw, []).append(index)
        for number, target in enumerate(self.targets):
            best, best_score = -1, 0
            same = by_id.get(target.raw, ()) if target.raw is not None else ()
            for index in same[:_SAME_CONTENT_LOOKS]:
                source = self.sources[index]
                if index in self.used or (source.mode == MODE_LINK) != (target.mode == MODE_LINK):
                    continue
                score = 1 + (_name(source.path) == _name(target.path))
                if score > best_score:
                    best, best_score = index, score
            if best >= 0:
                self.record(best, number, MAX_SCORE)

    def match_names(self) -> None:
        """Step 2: the same file name, where there is no doubt which."""
        least = self.minimum + (MAX_SCORE - self.minimum) // 2
        by_name = _unique_names(
            (i, c.path) for i, c in enumerate(self.targets) if i not in self.found
        )
        sources = _unique_names(
            (i, c.path) for i, c in enumerate(self.sources) if i not in self.used
        )
        for name, source in sources.items():
            target = by_name.get(name, -1)
            if source < 0 or target < 0:
                continue
            score = self._score(source, target)
            if score >= least:
                self.record(source, target, score)

    def match_rest(self, limit: int) -> None:
        """Step 3: every remaining pair, best first."""
        sources = [i for i in range(len(self.sources)) if i not in self.used]
        targets = [i for i in range(len(self.targets)) if i not in self.found]
        if limit and len(sources) * len(targets) > limit * limit:
            return
        source_sizes = self._sizes(self.sources, sources, self.old)
        target_sizes = self._sizes(self.targets, targets, self.new)
        source_sizes, target_sizes = (
            self._comparable(source_sizes, target_sizes),
            self._comparable(target_sizes, source_sizes),
        )
        index = SourceIndex()
        for source in _smallest(source_sizes):
            weights = self._weigh(self.old, self.sources[source])
            index.add(source, source_sizes[source], weights)
        index.seal()
        pairs: list[_Pair] = []
        for target, size in target_sizes.items():
            weights = self._weigh(self.new, self.targets[target])
            pairs += self._best(index, target, size, weights, sources)
            if index.work > WORK_LIMIT:
                return
        pairs.sort(key=lambda pair: (-pair.score, not pair.same_name))
        for pair in pairs:
            if pair.target not in self.found and pair.source not in self.used:
                self.record(pair.source, pair.target, pair.score)

    def _score(self, source: int, target: int) -> int:
        sizes = self._sizes(self.sources, [source], self.old)
        others = self._sizes(self.targets, [target], self.new)
        if not self._comparable(sizes, others):
            return 0
        try:
            one, two = self.sources[source], self.targets[target]
            return similarity(self.old.read(one.path, one.raw), self.new.read(two.path, two.raw))
        except (StorageError, NotFoundError):
            return 0

    def _sizes(
        self, side: Sequence[Candidate], indices: Sequence[int], contents: Contents
    ) -> dict[int, int]:
        """Return the sizes of those whose content may be looked into."""
        sizes: dict[int, int] = {}
        for index in indices:
            path, mode, raw = side[index]
            if mode == MODE_LINK:
                continue
            try:
                size = contents.size(path, raw)
            except (StorageError, NotFoundError):
                continue
            if 0 < size <= LARGE_SIZE:
                sizes[index] = size
        return sizes

    def _comparable(self, sizes: dict[int, int], others: dict[int, int]) -> dict[int, int]:
        """Drop what is too small or too big to be similar to any of the others."""
        ordered = sorted(others.values())
        kept: dict[int, int] = {}
        for index, size in sizes.items():
            low = -(-size * self.minimum // MAX_SCORE)
            high = size * MAX_SCORE // self.minimum if self.minimum else ordered[-1:][0]
            if bisect_left(ordered, low) < bisect_right(ordered, high):
                kept[index] = size
        return kept

    def _weigh(self, contents: Contents, candidate: Candidate) -> Weights:
        try:
            return weigh(contents.read(candidate.path, candidate.raw))
        except (StorageError, NotFoundError):
            return {}

    def _best(
        self, index: SourceIndex, target: int, size: int, weights: Weights, sources: list[int]
    ) -> list[_Pair]:
        """Return the few best sources for one target, in the order that git keeps them."""
        scores = index.scores(size, weights, self.minimum)
        good = [self._pair(source, target, score) for source, score in scores.items()]
        if len({pair[:2] for pair in good}) == len(good):
            return sorted(good, reverse=True)[:_KEPT_PER_TARGET]
        # Equal ones: which of them git prefers depends on those that do not count, too.
        scores = index.scores(size, weights, self.minimum, keep_low=True)
        every = [self._pair(source, target, scores.get(source, 0)) for source in sources]
        return [pair for pair in _kept_by_git(every) if pair.score >= self.minimum]

    def _pair(self, source: int, target: int, score: int) -> _Pair:
        same_name = _name(self.sources[source].path) == _name(self.targets[target].path)
        return _Pair(score, same_name, source, target)


def _kept_by_git(pairs: list[_Pair]) -> list[_Pair]:
    """Return the best four in the order of git's slots, which decides between equal ones.

    A new pair takes the slot of the worst one, the first such slot, if it is better than that.
    """
    slots = pairs[:_KEPT_PER_TARGET]
    for pair in pairs[_KEPT_PER_TARGET:]:
        worst = min(range(_KEPT_PER_TARGET), key=lambda slot: slots[slot][:2])
        if pair[:2] > slots[worst][:2]:
            slots[worst] = pair
    return slots


def _unique_names(paths: Iterator[tuple[int, bytes]]) -> dict[bytes, int]:
    """Map each file name to its index, or to -1 when more than one file bears it."""
    names: dict[bytes, int] = {}
    for index, path in paths:
        name = _name(path)
        names[name] = -1 if name in names else index
    return names


def _smallest(sizes: dict[int, int]) -> list[int]:
    """Return as many as `BYTES_LIMIT` allows, smallest first, in their own order."""
    total = 0
    kept: list[int] = []
    for index in sorted(sizes, key=lambda i: (sizes[i], i)):
        total += sizes[index]
        if total > BYTES_LIMIT:
            break
        kept.append(index)
    return sorted(kept)
