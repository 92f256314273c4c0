"""A large object, written as it comes: its id, and so its place, are known at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from muse.core import temps
from muse.core.errors import UsageError
from muse.core.io import NewFile, make_dirs
from muse.core.object_store import ObjectStore
from muse.core.paths import pack_dir
from muse.core.types import ObjectType, RawId, frame_header


def store_stream(
    store: ObjectStore, kind: ObjectType, size: int, chunks: Iterable[bytes], *, sync: bool
) -> tuple[RawId, tuple[Path, ...]]:
    """Write a loose object of any size in bounded memory.

    Args:
        store: Where to.
        kind: Its type.
        size: Its payload's size in bytes.
        chunks: The payload; each is used at once and not kept.
        sync: Make the bytes durable before they get their name.

    Returns:
        Its id, and the folders that must be synced for the name to be durable.

    Raises:
        UsageError: The chunks do not add up to ``size``; nothing was stored.

    Durability:
        Killed anywhere: the object is not there, or whole. Nothing refers to it yet.
    """
    folder = pack_dir(store.root)
    make_dirs(folder)
    header = frame_header(kind, size)
    digest = hashlib.sha256(header)
    # In the pack folder, since the shard is not known before the hash is.
    with NewFile(folder, family=temps.OBJECT) as new:
        new.write(header)
        total = 0
        for chunk in chunks:
            digest.update(chunk)
            total += len(chunk)
            new.write(chunk)
        if total != size:
            raise UsageError(
                f"The content has {total} bytes, not {size}.",
                hint="The file changed while it was read: run the command again.",
            )
        raw = RawId(digest.digest())
        dest = Path(store.loose_path(raw))
        if sync:
            new.sync()
        make_dirs(dest.parent)
        moved = dest.exists()  # a rename has two ends, of which a cut may keep either
        new.publish(dest, replace=moved)
    return raw, (dest.parent, folder) if moved else (dest.parent,)
