"""Walking through a pack without its index: to rebuild the index, and to verify.

A walk never gives up at damage. It looks for the next marker whose checksum fits, so that one bad
record, or a hole, costs what lies in it and nothing behind it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import CorruptFileError
from muse.core.pack_format import (
    HASH_SIZE,
    HEADER_SIZE,
    MARKER,
    PACK_HEADER,
    PACK_MAGIC,
    RECORD_SIZE,
    TRIED_HEADER,
    Record,
    RecordError,
    parse_record,
)
from muse.core.types import RawId

_WINDOW: Final = 1 << 16
_SEARCH: Final = 1 << 20
# Marker, type, flags, and the two zeros that begin every length below 256 TiB.
_BEGINNING: Final = re.compile(re.escape(MARKER) + rb"[\x01-\x04][\x00\x01]\x00\x00")


class Gap(NamedTuple):
    """A stretch of a pack in which no record begins where one should."""

    start: int
    end: int
    reason: str


def check_pack_header(path: Path, data: bytes) -> bool:
    """Tell whether a pack begins as it should.

    Raises:
        CorruptFileError: It says that it is of a version which this program cannot read.
    """
    if data in {PACK_HEADER, TRIED_HEADER}:
        return True
    version = data[len(PACK_MAGIC) : len(PACK_MAGIC) + 4]
    if data.startswith(PACK_MAGIC) and version[:3] == b"\0\0\0" and 1 < version[3] < 16:
        raise CorruptFileError(
            str(path),
            reason=f"it is a pack of version {version[3]}, which this program cannot read",
            hint="Install a newer Muse.",
        )
    return False


def scan_records(
    fd: int, size: int, *, start: int = HEADER_SIZE
) -> Iterator[tuple[int, Record] | Gap]:
    """Yield each record with its offset, in order, and each gap between them.

    Args:
        fd: The pack, open for reading.
        size: The pack's size in bytes.
        start: Where to begin.

    Raises:
        OSError: The system refused to read.
    """
    end = size - HASH_SIZE
    offset = start
    window, base = b"", 0
    while offset < end:
        if not base <= offset <= base + len(window) - RECORD_SIZE:
            window, base = os.pread(fd, _WINDOW, offset), offset
        at = offset - base
        try:
            record = parse_record(window[at : at + RECORD_SIZE], room=end - offset)
        except RecordError as error:
            found = find_record(fd, offset + 1, end)
            yield Gap(offset, found, str(error))
            offset = found
            continue
        yield offset, record
        offset += RECORD_SIZE + record.stored


def find_record(fd: int, start: int, end: int) -> int:
    """Return where the next record begins, or ``end``."""
    while end - start >= RECORD_SIZE:
        block = os.pread(fd, min(_SEARCH, end - start), start)
        for match in _BEGINNING.finditer(block, 0, len(block) - RECORD_SIZE + len(MARKER) + 4):
            at = match.start()
            try:
                parse_record(block[at : at + RECORD_SIZE], room=end - start - at)
            except RecordError:
                continue
            return start + at
        if len(block) < RECORD_SIZE:
            break
        # A header may lie across two blocks.
        start += len(block) - RECORD_SIZE + 1
    return end


def scan_offsets(path: Path, fd: int, size: int) -> tuple[dict[RawId, int], bool]:
    """Return what an index of the pack holds, and whether the pack is without a gap.

    Raises:
        CorruptFileError: No pack at all, or one of a later version.
    """
    good = check_pack_header(path, os.pread(fd, HEADER_SIZE, 0))
    offsets: dict[RawId, int] = {}
    whole = good
    for step in scan_records(fd, size):
        if isinstance(step, Gap):
            whole = False
        else:
            offsets.setdefault(step[1].raw, step[0])
    if not good and not offsets:
        raise CorruptFileError(
            str(path),
            reason="it does not begin as a pack, and no object was found in it",
            hint="'muse verify' says what is missing; 'muse fetch' may bring it back.",
        )
    return offsets, whole
