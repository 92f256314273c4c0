"""What is known to be durable, so that nobody pays twice for making it so.

A pack's bytes are synced before it has a name, and its folder after that. A writer that dies
between the two leaves a pack that everybody sees and that a power cut takes: whoever publishes
something that may rest on it syncs the folder first, unless it has not changed since somebody did.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from muse.core.errors import MuseError, OversizeError
from muse.core.io import sync_dir, write_bytes_atomic
from muse.core.journal import Journal
from muse.core.object_store import ObjectStore
from muse.core.paths import cache_dir, pack_dir
from muse.core.plain_files import REF_BYTES, read_plain
from muse.core.types import RawId

# Within one tick of a file system's clock a folder can change twice.
_RACY_NS: Final = 2_000_000_000


def settle_packs(root: Path) -> None:
    """Make the names of all packs durable, if they are not known to be.

    Raises:
        IoFailedError: The sync failed.
    """
    folder, note = pack_dir(root), cache_dir(root) / "packs-synced"
    now_ns = time.time_ns()
    seen = os.stat(folder).st_mtime_ns
    with contextlib.suppress(OSError, OversizeError):
        if read_plain(note, limit=REF_BYTES) == str(seen).encode():
            return
    sync_dir(folder)
    if now_ns - seen > _RACY_NS:
        # A hint: without it the folder is synced once more.
        with contextlib.suppress(MuseError):
            write_bytes_atomic(note, str(seen).encode())


def is_settled(store: ObjectStore, journal: Journal, raw: RawId) -> bool:
    """Tell whether an object that is there survives a power cut once the journal is synced again.

    A loose one may have been written by somebody who never synced it; one of a pack is safe with
    the pack's name.
    """
    if not os.path.lexists(store.loose_path(raw)):
        return True
    return any(raw == known for record in journal.records for known, _ in record.objects)
