"""Before a ref moves: is everything that its new value needs here, and whole?

The same walk as for sending, from the new values down to what our own refs name, which is whole
because refs only ever move here (G1). What was just received is known to be good; anything else
on the way (left by a transfer that was killed) is read and hashed now.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from muse.core.errors import BadTransferError, CorruptObjectError, ObjectNotFoundError
from muse.core.io import io_errors, sync_dir, sync_fd, sync_filesystem
from muse.core.object_store import ObjectStore
from muse.core.refs import HEADS
from muse.core.repo import Repository
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, ObjectType, RawId, from_raw, is_object_id, to_raw
from muse.remotes.intake import Arrivals
from muse.remotes.records import keep_young
from muse.remotes.walk import NewObjects

# So many refs are taken as known starting points; beyond, tags are left out, which costs time in
# odd histories and nothing else.
_ENOUGH_REFS: Final = 512
# So many files are synced one by one, more with one call for the whole file system.
_FEW: Final = 16


def known_ids(refs: Iterable[tuple[str, ObjectId]], *, first: Iterable[str] = ()) -> list[RawId]:
    """Choose which refs' values a walk starts from: branches first, then tags as far as useful.

    Args:
        refs: Names and values.
        first: Names whose values must be among them.
    """
    values = dict(refs)
    names = [name for name in first if name in values]
    names += [name for name in values if not name.startswith("refs/tags/")]
    tags = [name for name in values if name.startswith("refs/tags/")]
    names += tags[: max(0, _ENOUGH_REFS - len(names))]
    return [to_raw(oid) for oid in dict.fromkeys(values[name] for name in names)]


def check_connected(
    repo: Repository,
    tips: Collection[ObjectId],
    *,
    fresh: Arrivals | None = None,
    ends: Collection[RawId] | None = None,
) -> None:
    """Make sure that all that some new values of refs need is stored, whole and durable.

    Args:
        repo: Where.
        tips: The new values.
        fresh: Objects that were verified and made durable a moment ago.
        ends: Where history will end on purpose; where it ends now when None.

    Raises:
        ObjectNotFoundError: Something is missing; names the first gap.
        CorruptObjectError: Something is damaged, or of another type than it should be.
    """
    # Asked under the lock: a gc may have run between their arrival and now.
    verified = fresh.still_there() if fresh is not None else {}
    known = known_ids(repo.refs.iter())
    older: list[RawId] = []
    # What our refs name is whole down to where history ends now, and no further.
    now = repo.objects.boundary.read() if ends is None else repo.objects.boundary.known()
    walk = NewObjects(
        repo.objects, map(to_raw, tips), known, ends=now if ends is None else ends, known_ends=now
    )
    for found in walk:
        kind = verified.get(found.raw)
        if kind is None and found.raw != EMPTY_TREE:
            # Trees, commits and tags were verified by the walk, which read them.
            kind = _verified_kind(repo.objects, found.raw) if found.kind == "blob" else found.kind
            older.append(found.raw)
        if kind is not None and kind != found.kind:
            raise CorruptObjectError(
                from_raw(found.raw), where="the store", reason=f"it is a {kind}, not a {found.kind}"
            )
    if older:
        keep_young(repo.objects, older)
        _make_durable(repo, older)


def _make_durable(repo: Repository, ids: list[RawId]) -> None:
    """Make sure that objects which lay around survive a power cut: a ref must not outrun them.

    Packs are durable since they have a name. Loose ones may be of somebody who never asked for it,
    or who was killed between a name and its sync.
    """
    loose = [Path(repo.objects.loose_path(raw)) for raw in ids]
    loose = [path for path in loose if path.exists()]
    if len(loose) > _FEW:
        sync_filesystem(repo.muse)
        return
    for path in loose:
        with io_errors("make durable", path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                sync_fd(fd)
            finally:
                os.close(fd)
        sync_dir(path.parent)


def is_connected(
    repo: Repository,
    tips: Collection[ObjectId],
    *,
    fresh: Arrivals | None = None,
    ends: Collection[RawId] | None = None,
    strict: bool = False,
) -> bool:
    """Tell whether all that some values need is here already; arguments as `check_connected`.

    Raises:
        CorruptObjectError: With ``strict``: some of it is here, but damaged.
    """
    if not all(repo.objects.has(to_raw(tip)) for tip in tips):
        return False
    try:
        check_connected(repo, tips, fresh=fresh, ends=ends)
    except ObjectNotFoundError:
        return False
    except CorruptObjectError:
        if strict:
            raise
        return False
    return True


def find_ends(
    repo: Repository,
    claimed: Collection[RawId],
    *,
    fresh: Arrivals,
    source: str,
    strict: bool = False,
) -> frozenset[RawId]:
    """Return where history will end once refs here name what has come.

    History that is here is never cut off, whatever the other side says: a commit is an end only
    while something below it is missing. So a remote cannot hide what we have, and a depth that is
    smaller than what is here takes nothing away.

    Args:
        repo: Where it came; the caller holds the lock.
        claimed: Where it ends, as the other side says.
        fresh: What came.
        source: The other side, for messages.
        strict: What is below an end was asked for, so that damage there is not passed over.

    Raises:
        BadTransferError: A claim is about something that is no commit here.
        CorruptObjectError: With ``strict``: what is below an end is damaged.
    """
    ends = {raw for raw in repo.objects.boundary.known() if repo.objects.has(raw)}
    for raw in claimed:
        if not repo.objects.has(raw) or repo.objects.stat(raw)[0] != "commit":
            reason = "history is said to end there, and no such commit came"
            raise BadTransferError(from_raw(raw), source=source, reason=reason)
        ends.add(raw)
    below: dict[RawId, list[ObjectId]] = {}
    for raw in ends:
        with contextlib.suppress(CorruptObjectError):
            parents = repo.commit(raw).parents
            if all(map(repo.objects.has, parents)):
                below[raw] = list(map(from_raw, parents))
    if not below:
        return frozenset(ends)
    # All at once, which is what a fetch that went deeper brings; or else one by one.
    every = [parent for above in below.values() for parent in above]
    if is_connected(repo, every, fresh=fresh, ends=ends - below.keys(), strict=strict):
        return frozenset(ends - below.keys())
    for raw, above in below.items():
        if is_connected(repo, above, fresh=fresh, ends=ends - {raw}, strict=strict):
            ends.discard(raw)
    return frozenset(ends)


def check_branch_value(store: ObjectStore, name: str, oid: ObjectId, *, source: str) -> None:
    """Refuse a branch that names something else than a commit.

    Raises:
        BadTransferError: It does.
    """
    if not is_object_id(oid):
        raise BadTransferError(name, source=source, reason="its value is no object id")
    kind, _ = store.stat(to_raw(oid))
    if name.startswith(HEADS) and kind != "commit":
        raise BadTransferError(name, source=source, reason=f"it names a {kind}, not a commit")


def _verified_kind(store: ObjectStore, raw: RawId) -> ObjectType:
    if not store.is_whole(raw):
        # Read it for the error that names the file; it can only be one of the two.
        kind, _ = store.read(raw)
        return kind
    return store.stat(raw)[0]
