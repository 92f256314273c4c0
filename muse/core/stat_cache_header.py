"""The first bytes of the stat cache's file, from which a child finds the table of files."""

from __future__ import annotations

import sys
from array import array
from typing import Final, NamedTuple

from muse.core.key_columns import KeyColumns

_MAGIC: Final = b"musest4" + (b"<" if sys.byteorder == "little" else b">")
_COUNT: Final = 7
HEADER_SIZE: Final = len(_MAGIC) + 8 * _COUNT


class Header(NamedTuple):
    """How much of everything the file holds.

    Attributes:
        files: Rows of the table of files.
        paths_size: How long their paths are, in bytes.
        folders: Rows of the table of folders.
        folders_size: How long their paths are, in bytes.
        differs: Files whose content is not that in HEAD's tree.
        untracked_size: How long the untracked names are, in bytes.
        index_size: How long the index is, in bytes.
    """

    files: int
    paths_size: int
    folders: int
    folders_size: int
    differs: int
    untracked_size: int
    index_size: int


def encode_header(header: Header) -> bytes:
    """Return the first `HEADER_SIZE` bytes."""
    return _MAGIC + array("Q", header).tobytes()


def decode_header(data: bytes | memoryview) -> Header | None:
    """Read the first bytes; None when another version or kind of machine wrote them."""
    if len(data) < HEADER_SIZE or data[: len(_MAGIC)] != _MAGIC:
        return None
    return Header(*memoryview(data)[len(_MAGIC) : HEADER_SIZE].cast("Q"))


def open_files(data: memoryview, header: Header) -> tuple[KeyColumns, int]:
    """Return the table of files, which stays in the given bytes, and where it ends.

    Raises:
        ValueError: The bytes are too few.
    """
    files = KeyColumns()
    size = files.lay_over(data[HEADER_SIZE:], header.files, header.paths_size)
    return files, HEADER_SIZE + size
