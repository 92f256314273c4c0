"""Where git's history and ours meet: what a run need not look at."""

from __future__ import annotations

import contextlib
from typing import Final

from muse.core.ancestry import CommitGraph
from muse.core.commits import ObjectFormatError, parse_tag
from muse.core.errors import NotFoundError, StorageError
from muse.core.object_store import ObjectStore
from muse.core.refs import RefStore
from muse.core.types import RawId, to_raw
from muse.ops.git_bridge.id_maps import IdMaps
from muse.ops.git_bridge.source import GitSource

# How many of our commits are looked at before all of git's history is walked instead.
_MAX_WALK: Final = 20_000


def find_boundary(
    store: ObjectStore, refs: RefStore, source: GitSource, maps: IdMaps
) -> tuple[bytes, ...]:
    """Return git commits all of whose closure is here.

    They are those whose counterparts a ref here reaches, since what a ref reaches is complete
    (G1). It costs what was committed here since, not what there is; and damage, or a part of the
    map that is gone, only makes the answer smaller.
    """
    if not maps.is_identity and not len(maps):
        return ()
    graph = CommitGraph(store)
    found: list[bytes] = []
    queue = [raw for _, oid in refs.iter() if (raw := _peel(store, to_raw(oid))) is not None]
    seen = set(queue)
    with source.asking() as git_has:
        # Breadth first, so that the nearest history in common is found in few steps.
        for raw in queue:
            theirs = maps.git_id(raw, exact=False)
            if theirs is not None and git_has(theirs):
                found.append(theirs)
            elif len(seen) < _MAX_WALK:
                with contextlib.suppress(StorageError, NotFoundError):
                    new = [p for p in graph.node(raw).parents if p not in seen]
                    seen.update(new)
                    queue += new
    return tuple(found)


def _peel(store: ObjectStore, raw: RawId) -> RawId | None:
    """Return the commit that a ref's value stands for; None when it is something else."""
    with contextlib.suppress(StorageError, NotFoundError, ObjectFormatError):
        kind, payload = store.read(raw)
        while kind == "tag":
            raw = parse_tag(payload).target
            kind, payload = store.read(raw)
        if kind == "commit":
            return raw
    return None
