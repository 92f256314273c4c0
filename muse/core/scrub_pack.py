"""Reading every byte of a pack: records, trailer and index, each against the others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core.errors import CorruptFileError, CorruptObjectError, IoFailedError
from muse.core.forked import can_fork, count_cores
from muse.core.pack import Pack
from muse.core.pack_format import (
    HASH_SIZE,
    HEADER_SIZE,
    RECORD_SIZE,
    Record,
    RecordError,
    expand,
    index_path,
)
from muse.core.pack_index import IndexDamagedError, PackIndex, encode_index
from muse.core.pack_scan import Gap, check_pack_header, find_record, scan_records
from muse.core.plain_files import open_plain
from muse.core.scrub import (
    CHANGED,
    EMPTY,
    MALFORMED,
    MISNAMED,
    MISSING,
    TRUNCATED,
    UNREADABLE,
    ZEROS,
    Fault,
    Whole,
    find_format_fault,
)
from muse.core.scrub_half import HalfScrub
from muse.core.types import RawId, frame_header

if TYPE_CHECKING:
    from concurrent.futures import Executor  # start-up time

_WINDOW: Final = 4 << 20
# A smaller pack is not worth a process.
_LARGE: Final = 32 << 20
_BLOCK: Final = 1 << 20


class PackScrub:
    """One pack that is checked; iterate `run` once.

    Args:
        path: The ``.mpack`` file.
        whole: Where the ids of whole objects go.
        pool: Hashes the file as such beside the objects in it; None: one after the other.
        tick: Called now and then with the number of objects checked so far.
    """

    def __init__(
        self,
        path: Path,
        whole: Whole,
        *,
        pool: Executor | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> None:
        self.path = path
        self.objects = 0
        self._whole, self._pool, self._tick = whole, pool, tick
        self._faults = 0
        self._window, self._base = b"", 0

    def run(self) -> Iterator[Fault]:
        """Yield what is wrong; a pack that is gone (a gc beside us) yields nothing."""
        try:
            fd = open_plain(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            yield self._fault(UNREADABLE, f"it cannot be read ({error.strerror})")
            return
        try:
            for fault in self._run(fd, os.fstat(fd).st_size):
                self._faults += 1
                yield fault
        except OSError as error:
            yield self._fault(UNREADABLE, f"it cannot be read ({error.strerror})")
        finally:
            os.close(fd)

    def _fault(self, kind: str, reason: str, raw: RawId | None = None) -> Fault:
        return Fault(kind, raw, str(self.path), reason)

    def _run(self, fd: int, size: int) -> Iterator[Fault]:
        if size < HEADER_SIZE + HASH_SIZE:
            yield self._fault(*_too_short(os.pread(fd, size, 0)))
            return
        try:
            check_pack_header(self.path, os.pread(fd, HEADER_SIZE, 0))
        except CorruptFileError as error:
            yield self._fault(MALFORMED, error.reason)
            return
        half = self._begin_half(fd, size)
        # Only now, since nobody forks in the midst of threads.
        hashed = None if self._pool is None else self._pool.submit(_hash_file, fd, size)
        try:
            index, index_fault = self._open_index()
            yield from self._records(fd, size, index, half)
        finally:
            if half is not None:
                half.end()
            # The thread reads from our descriptor: it must be done before that is closed.
            digest = _hash_file(fd, size) if hashed is None else hashed.result()
        self._whole.bytes_read += size
        if not self._faults:
            trailer = os.pread(fd, HASH_SIZE, size - HASH_SIZE)
            yield from self._trailer(digest, trailer)
        if index_fault is None and index is not None and len(index) != self.objects:
            count = f"it lists {len(index)} objects where the pack has {self.objects}"
            if not self._faults:
                index_fault = Fault(CHANGED, None, str(index_path(self.path)), count)
        if index_fault is not None:
            yield index_fault

    def _trailer(self, digest: bytes, trailer: bytes) -> Iterator[Fault]:
        if digest != trailer:
            yield self._fault(
                CHANGED, "its checksum does not fit, though every object in it is whole"
            )
        elif digest.hex() != self.path.stem:
            yield self._fault(MISNAMED, f"its bytes are those of the pack {digest.hex()}")

    def _open_index(self) -> tuple[PackIndex | None, Fault | None]:
        """Open the index as it lies there; it may tell what a damaged pack has lost."""
        path = index_path(self.path)
        try:
            pack_hash = bytes.fromhex(self.path.stem)
            index = PackIndex.open(path, pack_hash=pack_hash, pack_size=None)
        except (IndexDamagedError, ValueError) as error:
            return None, Fault(CHANGED, None, str(path), f"it is no index of its pack: {error}")
        except IoFailedError as error:
            return None, Fault(UNREADABLE, None, str(path), error.message)
        if index is None:
            return None, Fault(MISSING, None, str(path), "the index is not there")
        if not index.is_whole():
            return None, Fault(CHANGED, None, str(path), "its checksum does not fit")
        return index, None

    # -- records ---------------------------------------------------------------------------

    def _records(
        self, fd: int, size: int, index: PackIndex | None, half: HalfScrub | None
    ) -> Iterator[Fault]:
        for step in scan_records(fd, size):
            if isinstance(step, Gap):
                yield from self._gap(step, fd, size, index)
                continue
            offset, record = step
            if half is not None and offset >= half.start:
                # A child that met a fault does not count: we meet it ourselves, and say what it is.
                if (found := half.take(offset, self._whole)) is not None:
                    self.objects += found
                    return
                half = None
            self.objects += 1
            if self._tick is not None and not self.objects % 1024:
                self._tick(self.objects if half is None else 2 * self.objects)
            yield from self._record(fd, size, offset, record)

    def _record(self, fd: int, size: int, offset: int, record: Record) -> Iterator[Fault]:
        if max(record.stored, record.size) > _WINDOW:
            reason, kind = self._check_big(record, size, offset + RECORD_SIZE)
        else:
            reason, kind = self._check(fd, offset + RECORD_SIZE, record)
        if reason:
            yield self._fault(kind, reason, record.raw)
        else:
            self._whole.of(record.kind).add(record.raw)

    def _begin_half(self, fd: int, size: int) -> HalfScrub | None:
        """Have a child look at the second half of a large pack, where there is a core for it."""
        if self._pool is None or size < _LARGE or not can_fork() or count_cores() < 2:
            return None
        start = find_record(fd, size // 2, size - HASH_SIZE)
        other = PackScrub(self.path, Whole())
        return HalfScrub(start, lambda: other.check_from(fd, size, start))

    def check_from(self, fd: int, size: int, start: int) -> tuple[Whole, int]:
        """Check the records from a place on, and return how many there are; for a child.

        Raises:
            ValueError: One of them is not whole, or no record begins where one should.
        """
        for step in scan_records(fd, size, start=start):
            if isinstance(step, Gap) or any(self._record(fd, size, *step)):
                raise ValueError("There is a fault.")
            self.objects += 1
        return self._whole, self.objects

    def _gap(self, gap: Gap, fd: int, size: int, index: PackIndex | None) -> Iterator[Fault]:
        """Name what stood where no record begins, if the index still knows."""
        kind, reason = CHANGED, f"{gap.reason} (bytes {gap.start}-{gap.end})"
        if not os.pread(fd, min(_BLOCK, gap.end - gap.start), gap.start).strip(b"\0"):
            kind, reason = ZEROS, f"it is zeros where its bytes should be (from {gap.start} on)"
        last = gap.end >= size - HASH_SIZE
        if last and (index is None or index.pack_size > size):
            kind, reason = TRUNCATED, f"the pack is cut off at {size} bytes"
        lost = []
        if index is not None:
            end = index.pack_size if last else gap.end
            lost = [raw for raw, at in index.entries() if gap.start <= at < end]
            self.objects += len(lost)
        for raw in lost:
            yield self._fault(kind, reason, raw)
        if not lost:
            yield self._fault(kind, reason)

    def _check(self, fd: int, start: int, record: Record) -> tuple[str, str]:
        """Return what is wrong with a record's bytes, and which kind of fault it is."""
        at = start - self._base
        if at < 0 or at + record.stored > len(self._window):
            self._window, self._base, at = os.pread(fd, _WINDOW, start), start, 0
        data = self._window[at : at + record.stored]
        try:
            payload = expand(data, record.size) if record.compressed else data
        except RecordError as error:
            return str(error), CHANGED
        digest = hashlib.sha256(frame_header(record.kind, record.size) + payload)
        if digest.digest() != record.raw:
            zeros = not data.strip(b"\0")
            if zeros and data:
                return "it is zeros where its bytes should be", ZEROS
            return "its bytes do not hash to its name", CHANGED
        if record.kind == "blob":
            return "", ""
        problem = find_format_fault(record.kind, payload)
        return (f"it is no valid {record.kind}: {problem}" if problem else ""), MALFORMED

    def _check_big(self, record: Record, size: int, start: int) -> tuple[str, str]:
        # Through an index of its own: the pack's may be damaged, or name another copy.
        index = encode_index(
            {record.raw: start - RECORD_SIZE}, pack_hash=bytes(HASH_SIZE), pack_size=size
        )
        pack = Pack(self.path, size, PackIndex(index, pack_hash=bytes(HASH_SIZE)))
        try:
            if record.kind == "blob":
                for _ in pack.open_stream(record.raw) or ():
                    pass
                return "", ""
            _, payload = pack.read(record.raw) or (record.kind, b"")
        except CorruptObjectError as error:
            return error.reason, CHANGED
        problem = find_format_fault(record.kind, payload)
        return (f"it is no valid {record.kind}: {problem}" if problem else ""), MALFORMED


def _too_short(data: bytes) -> tuple[str, str]:
    if not data:
        return EMPTY, "the file is empty"
    if not data.strip(b"\0"):
        return ZEROS, "it is all zeros"
    return TRUNCATED, f"it is cut off after {len(data)} bytes"


def _hash_file(fd: int, size: int) -> bytes:
    """Hash all but the trailer; in a thread, it runs beside the parsing."""
    digest = hashlib.sha256()
    at, end = 0, size - HASH_SIZE
    while at < end:
        block = os.pread(fd, min(_BLOCK, end - at), at)
        if not block:
            break
        digest.update(block)
        at += len(block)
    return digest.digest()
