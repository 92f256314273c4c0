"""The packs of one repository, opened once and reread when their folder changes."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core.errors import MuseError

if TYPE_CHECKING:
    from muse.core.pack import Pack

# Longer than any file system's clock tick, network file systems included.
_RACY_NS: Final = 2_000_000_000


class PackSet:
    """The open packs of a folder.

    Args:
        folder: The pack folder; it may be missing.
        readonly: Do not write an index where one is missing or damaged.
    """

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self._folder, self._readonly = folder, readonly
        self._packs: dict[str, Pack] | None = None
        self._first: Pack | None = None
        self._mtime_ns = -1

    def all(self) -> list[Pack]:
        """Return the open packs, the preferred one first."""
        if self._packs is None:
            self.refresh()
        packs = list((self._packs or {}).values())
        first = self._first
        if first is not None and packs and packs[0] is not first and first in packs:
            packs.remove(first)
            packs.insert(0, first)
        return packs

    def prefer(self, pack: Pack) -> None:
        """Look into this pack first: what was written together is read together."""
        self._first = pack

    def refresh(self) -> bool:
        """Reread the folder if it changed; True when it holds other packs than before."""
        try:
            mtime_ns = os.stat(self._folder).st_mtime_ns
            if self._packs is not None and mtime_ns == self._mtime_ns:
                return False
            now_ns = time.time_ns()
            names = {name for name in os.listdir(self._folder) if name.endswith(".mpack")}
        except OSError:
            self._packs = self._packs or {}
            return False
        # A pack that comes in the same clock tick as this look would not move the mtime.
        self._mtime_ns = mtime_ns if now_ns - mtime_ns > _RACY_NS else -1
        old = self._packs
        if old is not None and names == old.keys():
            return False
        packs = {name: pack for name, pack in (old or {}).items() if name in names}
        for name in sorted(names - packs.keys()):
            from muse.core.pack import Pack  # start-up time: most repositories' commands need none

            # A damaged pack hides its own objects, not those of the others: `verify` names it.
            with contextlib.suppress(MuseError):
                packs[name] = Pack.open(self._folder / name, write=not self._readonly)
        self._packs = packs
        return True

    def recheck(self) -> bool:
        """Hash the indexes, once in this process; True when one was damaged, and is rebuilt."""
        damaged = False
        for pack in self.all():
            with contextlib.suppress(MuseError):
                damaged |= pack.recheck(write=not self._readonly)
        return damaged
