"""Where damaged files go: nothing that a doctor replaces is thrown away (G15)."""

from __future__ import annotations

import os
import time
from pathlib import Path

from muse.core.errors import OversizeError
from muse.core.io import make_dirs, move_file, read_bytes, sync_dir, write_bytes_atomic
from muse.core.paths import muse_dir
from muse.core.plain_files import LOG_BYTES


class Quarantine:
    """One visit's folder, ``.muse/quarantine/<time>/``; it appears with the first file.

    Args:
        root: The repository's root.
    """

    def __init__(self, root: Path) -> None:
        self._muse = muse_dir(root)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        self.folder = self._muse / "quarantine" / stamp
        self.files = 0

    def keep(self, path: Path) -> None:
        """Keep a durable copy of a file that is about to be replaced; others are moved."""
        if not path.is_file() or path.is_symlink():
            self.move(path)
            return
        try:
            data = read_bytes(path, doing="read a damaged file", limit=LOG_BYTES)
        except OversizeError:
            self.move(path)
            return
        write_bytes_atomic(self._place(path), data or b"", durable=True)

    def move(self, path: Path) -> None:
        """Move a file out of the way; one that is not there has nothing to keep."""
        if not os.path.lexists(path):
            return
        place = self._place(path)
        move_file(path, place)
        # The new name first: between the two, a power cut may show both, never none.
        sync_dir(place.parent)
        sync_dir(path.parent)

    def _place(self, path: Path) -> Path:
        place = self.folder / path.relative_to(self._muse)
        number = 0
        # A link that leads nowhere is there as well.
        while os.path.lexists(place):
            number += 1
            place = place.with_name(f"{path.name}.{number}")
        make_dirs(place.parent, durable=True)
        self.files += 1
        return place
