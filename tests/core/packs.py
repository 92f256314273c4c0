"""Packs to test with: whole ones, damaged ones, and ones that no writer here would make."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from muse.core.pack import PackWriter
from muse.core.pack_format import PACK_HEADER, Record, format_record, index_path
from muse.core.pack_index import encode_index
from muse.core.types import ObjectType


def write_pack(
    root: Path, objects: list[tuple[ObjectType, bytes]], *, level: int | None = None
) -> Path:
    """Write a pack of these objects."""
    writer = PackWriter(root, level=level)
    for kind, payload in objects:
        writer.add(kind, payload)
    path = writer.finish()
    assert path is not None
    return path


def patch(path: Path, change: Callable[[bytearray], object]) -> None:
    """Change a read-only file's bytes in place."""
    data = bytearray(path.read_bytes())
    change(data)
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def damage(data: st.DataObject) -> Callable[[bytearray], object]:
    """Draw a truncation, or up to three changed bytes."""

    def change(content: bytearray) -> None:
        if data.draw(st.booleans(), label="truncate"):
            del content[data.draw(st.integers(0, len(content) - 1), label="to") :]
            return
        for _ in range(data.draw(st.integers(1, 3), label="changes")):
            at = data.draw(st.integers(0, len(content) - 1), label="at")
            content[at] ^= data.draw(st.integers(1, 255), label="xor")

    return change


def forge(root: Path, *records: tuple[Record, bytes]) -> Path:
    """Write a pack of records that no writer here would make, index and all."""
    body = bytearray(PACK_HEADER)
    offsets = {}
    for record, data in records:
        offsets[record.raw] = len(body)
        body += format_record(record) + data
    trailer = hashlib.sha256(body).digest()
    folder = root / ".muse/objects/pack"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{trailer.hex()}.mpack"
    path.write_bytes(body + trailer)
    index_path(path).write_bytes(encode_index(offsets, pack_hash=trailer, pack_size=len(body) + 32))
    return path
