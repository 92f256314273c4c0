"""How much two files have in common: the share of bytes in chunks that both hold.

A chunk ends at a newline or after 64 bytes, as in git's diffcore-delta; so the score of two files
is git's, but for two remarks. git keeps 17 bits of each chunk's hash and may take two chunks for
one, which moves a score by a percent, very rarely; and before 2.44 it left a last line without a
newline out.

`SourceIndex` compares one file with many at once. Chunks that many of them hold (a licence, a
closing brace) are set aside, and counted only where they can decide.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from muse.core.text_diff import is_binary

MAX_SCORE: Final = 60_000
# A chunk that more sources hold than this is set aside as common.
COMMON_ABOVE: Final = 24

_CHUNK: Final = re.compile(rb"[^\n]{0,63}+\n|[^\n]{1,64}")
_WEIGHT_BITS: Final = 40
_WEIGHT_MASK: Final = (1 << _WEIGHT_BITS) - 1

# Bytes that each distinct chunk of a file accounts for, by the chunk's hash.
Weights = dict[int, int]


def weigh(data: bytes) -> Weights:
    """Return how many bytes each distinct chunk of a file accounts for."""
    if not is_binary(data):
        # As git: a text does not become another one because its line ends change.
        data = data.replace(b"\r\n", b"\n")
    counts = Counter(_CHUNK.findall(data))
    return {hash(chunk): count * len(chunk) for chunk, count in counts.items()}


def similarity(old: bytes, new: bytes) -> int:
    """Return how much two contents share, of `MAX_SCORE`; two empty ones are equal."""
    largest = max(len(old), len(new))
    if not largest:
        return MAX_SCORE
    return _shared(weigh(old), weigh(new)) * MAX_SCORE // largest


def can_be_similar(size: int, other: int, minimum: int) -> bool:
    """Tell whether two sizes are close enough for a score of ``minimum``."""
    largest = max(size, other)
    return (largest - min(size, other)) * MAX_SCORE <= largest * (MAX_SCORE - minimum)


def _shared(one: Weights, other: Weights) -> int:
    """Return the bytes in chunks that both hold."""
    return sum(min(one[key], other[key]) for key in one.keys() & other.keys())


class SourceIndex:
    """Files that others are compared with.

    Attributes:
        work: Chunks looked up so far.
    """

    def __init__(self) -> None:
        self.work = 0
        self._sizes: dict[int, int] = {}
        # A chunk's sources, each with its weight in one number; a list when there are several.
        self._rare: dict[int, int | list[int]] = {}
        self._common: set[int] = set()
        self._common_of: dict[int, Weights] = {}
        self._common_size: dict[int, int] = {}

    def add(self, source: int, size: int, weights: Weights) -> None:
        """Add a file before `seal`.

        Args:
            source: Its number, 0 or more.
            size: Its size in bytes.
            weights: From `weigh`; not kept.
        """
        self._sizes[source] = size
        rare = self._rare
        for key, weight in weights.items():
            packed = source << _WEIGHT_BITS | weight
            before = rare.get(key)
            if before is None:
                rare[key] = packed
            elif isinstance(before, int):
                rare[key] = [before, packed]
            else:
                before.append(packed)

    def seal(self) -> None:
        """Set the common chunks aside; nothing is added afterwards."""
        self._common_of = {source: {} for source in self._sizes}
        for key, packed in self._rare.items():
            if not isinstance(packed, int) and len(packed) > COMMON_ABOVE:
                self._common.add(key)
                for one in packed:
                    self._common_of[one >> _WEIGHT_BITS][key] = one & _WEIGHT_MASK
        for key in self._common:
            del self._rare[key]
        self._common_size = {s: sum(weights.values()) for s, weights in self._common_of.items()}

    def scores(
        self, size: int, weights: Weights, minimum: int, *, keep_low: bool = False
    ) -> dict[int, int]:
        """Compare one file with all.

        Args:
            size: Its size in bytes.
            weights: From `weigh`.
            minimum: The least score of interest; 0 for sizes that rule it out.
            keep_low: Return scores below ``minimum`` too.

        Returns:
            Source → score, in the order they were added.
        """
        copied = self._copied_rare(weights)
        common = {key: weights[key] for key in weights.keys() & self._common}
        common_size = sum(common.values())
        found: dict[int, int] = {}
        self.work += len(self._sizes)
        for source, other in self._sizes.items():
            largest = size if size > other else other
            needed = 0 if keep_low else largest * minimum
            so_far = copied.get(source, 0)
            bound = so_far + min(common_size, self._common_size[source])
            if bound * MAX_SCORE < needed or not can_be_similar(size, other, minimum):
                continue
            if common:
                theirs = self._common_of[source]
                self.work += min(len(common), len(theirs))
                so_far += _shared(common, theirs)
            score = so_far * MAX_SCORE // largest
            if keep_low or score >= minimum:
                found[source] = score
        return found

    def _copied_rare(self, weights: Weights) -> dict[int, int]:
        """Add up what the sources share with a file in chunks that are not common."""
        copied: dict[int, int] = {}
        rare = self._rare
        self.work += len(weights)
        for key, weight in weights.items():
            found = rare.get(key)
            if found is None:
                continue
            several = (found,) if isinstance(found, int) else found
            for packed in several:
                source, other = packed >> _WEIGHT_BITS, packed & _WEIGHT_MASK
                copied[source] = copied.get(source, 0) + (weight if weight < other else other)
            self.work += len(several)
        return copied
