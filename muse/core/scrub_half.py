"""One half of a large pack, checked by a child while its parent checks the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from muse.core.forked import Child
from muse.core.scrub import Whole
from muse.core.types import OBJECT_TYPES, RAW_ID_SIZE, RawId

_COUNT_BYTES = 8


class HalfScrub:
    """A check of the records from some place on.

    Args:
        start: Where a record seems to begin. It may be one inside of a file's content, which looks
            like one: then the parent, which comes from the beginning, does not meet it.
        check: Checks from there on, in the child, and returns what is there and how many records
            that is; raises at anything that is not whole.

    Attributes:
        start: As given.
    """

    def __init__(self, start: int, check: Callable[[], tuple[Whole, int]]) -> None:
        self.start = start
        self._child: Child | None = Child(lambda: _encode(*check()))

    def take(self, offset: int, whole: Whole) -> int | None:
        """Add what the child found whole.

        Args:
            offset: Where the parent's first record is that begins there or later.
            whole: Where to add it.

        Returns:
            How many records the child checked; None when it does not count.
        """
        child, self._child = self._child, None
        if child is None:
            return None
        if offset != self.start:
            child.end()
            return None
        data = child.receive()
        return None if data is None else _decode(data, whole)

    def end(self) -> None:
        """End the child, if it is still there."""
        if self._child is not None:
            self._child.end()
            self._child = None


def _encode(whole: Whole, records: int) -> Iterator[bytes]:
    yield records.to_bytes(_COUNT_BYTES, "little")
    for kind in OBJECT_TYPES:
        ids = whole.of(kind)
        yield len(ids).to_bytes(_COUNT_BYTES, "little")
        yield b"".join(ids)


def _decode(data: bytes, whole: Whole) -> int:
    records, at = int.from_bytes(data[:_COUNT_BYTES], "little"), _COUNT_BYTES
    for kind in OBJECT_TYPES:
        number = int.from_bytes(data[at : at + _COUNT_BYTES], "little")
        at += _COUNT_BYTES
        end = at + number * RAW_ID_SIZE
        starts = range(at, end, RAW_ID_SIZE)
        whole.of(kind).update(RawId(data[start : start + RAW_ID_SIZE]) for start in starts)
        at = end
    return records
