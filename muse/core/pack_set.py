"""The packs of one repository, opened once and reread when their folder changes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from muse.core.errors import MuseError

if TYPE_CHECKING:
    from muse.core.pack import Pack


class PackSet:
    """The open packs of a folder.

    Args:
        folder: The pack folder; it may be missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._packs: dict[str, Pack] | None = None
        self._mtime_ns = -1

    def all(self) -> list[Pack]:
        """Return the open packs."""
        if self._packs is None:
            self.refresh()
        return list((self._packs or {}).values())

    def refresh(self) -> bool:
        """Reread the folder if it changed; True when it did."""
        try:
            mtime_ns = os.stat(self._folder).st_mtime_ns
            if self._packs is not None and mtime_ns == self._mtime_ns:
                return False
            names = {name for name in os.listdir(self._folder) if name.endswith(".mpack")}
        except OSError:
            self._packs = self._packs or {}
            return False
        old = self._packs or {}
        packs = {name: old[name] for name in names if name in old}
        for name in sorted(names - old.keys()):
            from muse.core.pack import Pack  # start-up time: most repositories' commands need none

            # A damaged pack hides its own objects, not those of the others: `verify` names it.
            with contextlib.suppress(MuseError):
                packs[name] = Pack.open(self._folder / name)
        self._packs, self._mtime_ns = packs, mtime_ns
        return True
