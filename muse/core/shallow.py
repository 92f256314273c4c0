"""Where history ends on purpose: the boundary of a shallow repository.

``.muse/shallow`` names, one a line and sorted, the commits whose parents were deliberately left
out. Whatever walks history takes them for commits without parents, so a boundary is not a hole.
The commits themselves are stored as they are, parents and all.

INVARIANT: the file changes through the journal alone, in the record that moves the refs which
need it, and is applied before them: who reads a ref first and then the boundary never meets a
ref whose history runs into nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from muse.core.errors import CorruptFileError, MuseError
from muse.core.io import read_bytes
from muse.core.overlay import stamp_of
from muse.core.paths import shallow_path
from muse.core.plain_files import SHALLOW_BYTES
from muse.core.types import ObjectId, RawId, from_raw, is_object_id, to_raw

NAME: Final = "shallow"


def encode_shallow(boundary: Collection[RawId]) -> bytes:
    """Return the file's content; without a boundary there is no file."""
    return "".join(f"{from_raw(raw)}\n" for raw in sorted(boundary)).encode()


def decode_shallow(data: bytes) -> frozenset[RawId]:
    """Read what `encode_shallow` wrote.

    Raises:
        ValueError: A line is no object id, or the last one is cut short.
    """
    text = data.decode("ascii")
    lines = text.split("\n")
    if lines.pop() or not lines or not all(map(is_object_id, lines)):
        raise ValueError("it does not hold one object id a line")
    return frozenset(to_raw(ObjectId(line)) for line in lines)


def read_shallow(root: Path) -> frozenset[RawId]:
    """Return the commits at which the history of a repository is cut off.

    Raises:
        CorruptFileError: The file is damaged.
        IoFailedError: It cannot be read.
    """
    data = read_bytes(shallow_path(root), doing="read where history ends", limit=SHALLOW_BYTES)
    if data is None:
        return frozenset()
    try:
        return decode_shallow(data)
    except ValueError as error:
        raise CorruptFileError(
            os.fspath(shallow_path(root)),
            reason=str(error),
            hint="'muse fetch --unshallow' brings all history and writes it anew.",
        ) from error


class Boundary:
    """The boundary of one repository, read again when its file has changed.

    Args:
        root: The folder that holds ``.muse``.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: tuple[tuple[int, ...] | None, frozenset[RawId]] = (None, frozenset())

    def read(self) -> frozenset[RawId]:
        """Return the commits at which history is cut off; errors as of `read_shallow`."""
        path = os.fspath(shallow_path(self._root))
        stamp = stamp_of(path)
        if stamp is None or stamp != self._known[0]:
            self._known = (stamp, read_shallow(self._root))
        return self._known[1]

    def known(self, *, despite: type[MuseError] = CorruptFileError) -> frozenset[RawId]:
        """Return the same, and nothing when the file is damaged.

        Args:
            despite: The errors that are passed over. Who writes the file passes over no more than
                damage: what cannot be read now may be whole.
        """
        try:
            return self.read()
        except despite:
            return frozenset()
