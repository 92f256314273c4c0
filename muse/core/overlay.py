"""What a journal says of files that this process may not write: see `muse.core.journal`.

An answer holds as long as the file on disk is the one that it was given beside.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

# holds for as long as the file is the one that was there then: a later one is newer than it.
_overlay: dict[str, tuple[tuple[int, ...] | None, bytes | None]] = {}


def overlay_files(files: Mapping[str, bytes | None]) -> None:
    """Let `read_bytes` answer for these files what a journal says; None is "does not exist"."""
    _overlay.update({name: (stamp_of(name), data) for name, data in files.items()})


def drop_overlay(prefix: str) -> None:
    """Read the files whose path begins so from the disk again."""
    for name in [name for name in _overlay if name.startswith(prefix)]:
        _overlay.pop(name, None)


def overlaid_names(prefix: str) -> list[str]:
    """Return the overlaid files that exist and whose path begins so."""
    return [
        name
        for name, (stamp, data) in list(_overlay.items())
        if data is not None and name.startswith(prefix) and stamp == stamp_of(name)
    ]


def stamp_of(name: str) -> tuple[int, ...] | None:
    """Return what tells a file from any other of its name; None when there is none."""
    try:
        stat = os.stat(name)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def find_overlaid(name: str) -> tuple[bytes | None] | None:
    """Return a file's overlaid content, wrapped since None is "does not exist"; None for none."""
    found = _overlay.get(name)
    return (found[1],) if found is not None and found[0] == stamp_of(name) else None
