"""Bytes of remote packs, fetched in pieces and kept in nameless files for one session."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from typing import IO, Final

from muse.remotes.bucket import Bucket
from muse.remotes.store_document import PackEntry

# A pack up to this size comes whole with its first byte: a second request costs more.
WHOLE: Final = 512 << 10
# The first read from a larger one, doubled with each further read of the same pack.
_FIRST: Final = 128 << 10
_MOST: Final = 8 << 20


class PackBlocks:
    """One remote pack's bytes as far as they are here; nothing is fetched twice.

    Not verified: whoever reads an object from them hashes it.

    Args:
        bucket: Where it lies.
        entry: What the document says of it.
    """

    def __init__(self, bucket: Bucket, entry: PackEntry) -> None:
        self._bucket, self._entry = bucket, entry
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the session
        # Begins and ends of what is here, sorted, apart from each other.
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._ahead = _FIRST

    def has(self, start: int, end: int) -> bool:
        """Tell whether these bytes of the object are here."""
        at = bisect_right(self._begins, start) - 1
        return at >= 0 and self._ends[at] >= end

    def fetch(self, start: int, end: int) -> None:
        """Bring bytes of the object here, all of it if it is small."""
        if self.has(start, end):
            return
        if self._entry.size <= WHOLE:
            start, end = 0, self._entry.size
        self.put(start, self._bucket.read(self._entry.key, start, end))

    def read(self, start: int, end: int) -> bytes:
        """Return bytes of the object that are here."""
        self._file.seek(start)
        return self._file.read(end - start)

    def read_near(self, start: int, end: int, *, limit: int) -> bytes:
        """Return bytes of the object; what follows them comes along, for who reads on.

        Args:
            start: From where.
            end: Up to where.
            limit: Up to where it may be worth to read on.
        """
        if not self.has(start, end):
            reach = max(end, min(limit, start + self._ahead))
            self._ahead = min(_MOST, self._ahead * 2)
            # Up to what is here already, if that lies ahead.
            at = bisect_right(self._begins, start)
            if at < len(self._begins) and self._begins[at] >= end:
                reach = min(reach, self._begins[at])
            self.fetch(start, reach)
        return self.read(start, end)

    def put(self, start: int, data: bytes) -> None:
        """Keep bytes of the object that came by other ways."""
        self._file.seek(start)
        self._file.write(data)
        end = start + len(data)
        kept = [
            (a, b) for a, b in zip(self._begins, self._ends, strict=True) if b < start or a > end
        ]
        joined = [
            (a, b) for a, b in zip(self._begins, self._ends, strict=True) if b >= start and a <= end
        ]
        kept.append((min([start, *(a for a, _ in joined)]), max([end, *(b for _, b in joined)])))
        kept.sort()
        self._begins, self._ends = [a for a, _ in kept], [b for _, b in kept]

    def close(self) -> None:
        """Let go of them."""
        self._file.close()
