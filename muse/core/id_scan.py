"""Ids that stand somewhere in a file, whatever the file's form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from muse.core.codec import CodecError, unseal
from muse.core.plain_files import open_plain
from muse.core.types import RAW_ID_SIZE, RawId

# No record of ours that holds raw ids is larger.
_SCANNED_BYTES: Final = 16 << 20
_ID: Final = re.compile(rb"sha256:([0-9a-f]{64})")


def iter_text_ids(path: Path) -> Iterator[RawId]:
    """Yield the ids that stand in a file of any size as text."""
    seen = set()
    held = b""
    with open(path, "rb", opener=open_plain) as file:
        while block := file.read(1 << 20):
            data = held + block
            for digits in _ID.findall(data):
                if digits not in seen:
                    seen.add(digits)
                    yield RawId(bytes.fromhex(digits.decode()))
            # One may lie across two blocks.
            held = data[-72:]


def iter_packed_ids(path: Path) -> Iterator[RawId]:
    """Yield what may be raw ids in a sealed record: byte strings of that size, or columns."""
    if path.stat().st_size > _SCANNED_BYTES:
        return
    try:
        pending = [unseal(path.read_bytes())]
    except CodecError:
        return
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, bytes) and not len(value) % RAW_ID_SIZE:
            for at in range(0, len(value), RAW_ID_SIZE):
                yield RawId(value[at : at + RAW_ID_SIZE])
