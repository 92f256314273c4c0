"""Bring what a remote has: objects first, then the refs here that remember its branches.

Nothing of the working tree or of our own branches is touched. What comes is not trusted: names
are checked before anything is asked for, each object is hashed and parsed where it arrives, and
refs move only after everything that they need was walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.errors import (
    AlreadyExistsError,
    BadTransferError,
    CorruptObjectError,
    ObjectNotFoundError,
)
from muse.core.refs import HEADS, TAGS, short_name
from muse.core.repo import Repository
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.ops.remote_config import RemoteInfo, connect, default_remote, find_remote
from muse.remotes.connectivity import (
    check_branch_value,
    check_connected,
    is_connected,
    known_ids,
)
from muse.remotes.intake import Arrivals
from muse.remotes.protocol import RefListing, Remote, RemoteRef, TransferCallback, TransferProgress
from muse.remotes.transfer import Pulse, Transfer, bring_offered, check_listing


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What a fetch was asked to do besides.

    Attributes:
        prune: Drop refs here whose branch is gone there.
        tags: Bring every tag, not only those on what was fetched.
        refetch: Bring whatever the remote has and this side has not whole, although our refs say
            that we have it: the way to replace what was damaged or lost here.
        into: Where branches go, ``refs/heads/`` for a bare clone; where the remote's are
            remembered when empty.
    """

    prune: bool = False
    tags: bool = False
    refetch: bool = False
    into: str = ""


@dataclass(frozen=True, slots=True)
class FetchedRef:
    """One ref here, and what became of it.

    Attributes:
        name: The full name here.
        source: The full name there; empty for one that is gone there.
        old: What it named; None when it was not here.
        new: What it names now; None when it was pruned.
        state: ``new``, ``updated``, ``forced`` (its history was rewritten there), ``pruned``, or
            ``kept`` (a tag of that name here says something else; ours stays).
    """

    name: str
    source: str
    old: ObjectId | None
    new: ObjectId | None
    state: str


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What a fetch did.

    Attributes:
        remote: The remote's name.
        url: Its address, fit for showing.
        refs: The refs here that changed, and tags that were kept.
        stale: Refs here whose branch is gone there, and that were not pruned.
        head: The branch that HEAD names there, full name.
        objects: Objects that came.
        size_bytes: Bytes of payload in them.
        present: Objects that an earlier, killed fetch had brought already.
    """

    remote: str
    url: str
    refs: tuple[FetchedRef, ...]
    stale: tuple[str, ...]
    head: str | None
    objects: int
    size_bytes: int
    present: int

    @property
    def up_to_date(self) -> bool:
        """Whether nothing changed here."""
        return all(ref.state == "kept" for ref in self.refs)


@dataclass(slots=True)
class _Gathered:
    """What several transfers of one fetch brought."""

    objects: int = 0
    size_bytes: int = 0
    present: int = 0
    arrivals: Arrivals = field(default_factory=Arrivals)

    def add(self, transfer: Transfer) -> None:
        self.objects += transfer.objects
        self.size_bytes += transfer.size_bytes
        self.present += transfer.present
        self.arrivals.add(transfer.arrivals)


def fetch(
    repo: Repository,
    *,
    remote: str | None = None,
    options: FetchOptions | None = None,
    progress: TransferCallback | None = None,
) -> FetchResult:
    """Fetch a remote's branches into ``refs/remotes/<remote>/``, and the tags that belong to them.

    Args:
        repo: The repository.
        remote: The remote's name; the default one when None.
        options: What else was asked for.
        progress: Told of each step; raises to cancel.

    Raises:
        RefNotFoundError: There is no such remote.
        BadTransferError: It sent something damaged or hostile; no ref moved.
        RemoteError: It cannot be reached, or failed.

    Durability:
        G1, G9, G11. Killed at any instant: refs as before, or moved to complete commits; what
        arrived is not sent again.
    """
    info = default_remote(repo, repo.head().branch) if remote is None else find_remote(repo, remote)
    pulse = Pulse(progress) if progress is not None else None
    other = connect(repo, info, pulse)
    try:
        return fetch_from(repo, other, info, options=options, progress=pulse)
    finally:
        other.close()


def fetch_from(
    repo: Repository,
    other: Remote,
    info: RemoteInfo,
    *,
    options: FetchOptions | None = None,
    progress: TransferCallback | None = None,
) -> FetchResult:
    """Fetch from a remote that is open already; see `fetch`."""
    options = options or FetchOptions()
    into = options.into or info.tracking("")
    listing = check_listing(other.list_refs(), other.url)
    branches = [ref for ref in listing.refs if ref.name.startswith(HEADS)]
    places = {ref.name: into + ref.name.removeprefix(HEADS) for ref in branches}
    moved = [ref for ref in branches if repo.refs.read(places[ref.name]) != ref.oid]
    gathered = _Gathered()
    followed, kept = _bring(
        repo, other, listing,
        moved=moved, options=options, gathered=gathered, progress=progress,
    )  # fmt: skip
    present = set(places.values())
    stale = [name for name, _ in repo.refs.iter(into) if name not in present]
    wanted = [(places[ref.name], ref) for ref in moved]
    wanted += [(ref.name, ref) for ref in followed]
    if progress is not None and gathered.objects:
        progress(TransferProgress("check", 0, gathered.objects, gathered.size_bytes))
    changed = _move_refs(
        repo, info, wanted, stale=stale if options.prune else [], fresh=gathered.arrivals,
        source=other.url,
    )  # fmt: skip
    return FetchResult(
        info.name,
        other.url,
        (*changed, *kept),
        () if options.prune else tuple(stale),
        listing.head,
        gathered.objects,
        gathered.size_bytes,
        gathered.present,
    )


def _bring(
    repo: Repository,
    other: Remote,
    listing: RefListing,
    *,
    moved: Sequence[RemoteRef],
    options: FetchOptions,
    gathered: _Gathered,
    progress: TransferCallback | None,
) -> tuple[list[RemoteRef], list[FetchedRef]]:
    """Bring the objects of moved branches and of the tags that belong to them.

    Returns:
        The tags to set, and those that stay as they are here.
    """
    own = dict(repo.refs.iter())
    here = set(own.values())
    if options.refetch:
        wants, haves = list(dict.fromkeys(ref.oid for ref in listing.refs)), []
    else:
        wants = [oid for oid in dict.fromkeys(ref.oid for ref in moved) if oid not in here]
        wants = [oid for oid in wants if not is_connected(repo, [oid])]
        haves = [from_raw(raw) for raw in known_ids(own.items())]
    offered: set[RawId] = set()
    if wants:
        offer = other.offer(wants, haves)
        offered.update(offer.ids)
        gathered.add(bring_offered(repo, other, offer, progress=progress))
    followed: list[RemoteRef] = []
    kept: list[FetchedRef] = []
    more: list[ObjectId] = []
    for ref in listing.refs:
        old = own.get(ref.name)
        if old == ref.oid or not ref.name.startswith(TAGS):
            continue
        if old is not None:
            kept.append(FetchedRef(ref.name, ref.name, old, old, "kept"))
            continue
        target = ref.peeled or ref.oid
        belongs = to_raw(target) in offered or target in here or is_connected(repo, [target])
        if not belongs and not options.tags:
            continue
        followed.append(ref)
        if to_raw(ref.oid) not in offered and ref.oid not in here:
            more.append(ref.oid)
    if more:
        offer = other.offer(list(dict.fromkeys(more)), [*haves, *wants])
        gathered.add(bring_offered(repo, other, offer, progress=progress))
    return followed, kept


def _move_refs(
    repo: Repository,
    info: RemoteInfo,
    wanted: Sequence[tuple[str, RemoteRef]],
    *,
    stale: Sequence[str],
    fresh: Arrivals,
    source: str,
) -> list[FetchedRef]:
    if not wanted and not stale:
        return []
    changed: list[FetchedRef] = []
    log = f"fetch {info.name}"
    try:
        with repo.transaction("fetch", summary=log) as tx:
            # Inside the lock, so that no gc comes between the check and the move.
            _check(repo, (ref for _, ref in wanted), fresh=fresh, source=source)
            graph = CommitGraph(repo.objects)
            for name, ref in wanted:
                old = repo.refs.read(name)
                if old == ref.oid:
                    continue
                state = _state(graph, name, old, ref.oid)
                changed.append(FetchedRef(name, ref.name, old, ref.oid, state))
                tx.set_ref(name, ref.oid, old=old, log=f"{log}: {_LOG[state]}")
            for name in stale:
                old = repo.refs.read(name)
                changed.append(FetchedRef(name, "", old, None, "pruned"))
                tx.set_ref(name, None, old=old, log=f"{log}: pruned")
    except AlreadyExistsError as error:
        error.hint = (
            f"A branch that is gone there stands in the way: 'muse fetch --prune {info.name}'."
        )
        raise
    return changed


_LOG = {"new": "storing head", "updated": "fast-forward", "forced": "forced-update"}


def _check(
    repo: Repository,
    refs: Iterable[RemoteRef],
    *,
    fresh: Arrivals,
    source: str,
) -> None:
    """Make sure that all that the new values need is here; gaps are the sender's fault."""
    values = {ref.name: ref.oid for ref in refs}
    try:
        check_connected(repo, list(values.values()), fresh=fresh)
    except ObjectNotFoundError as error:
        raise BadTransferError(
            short_name(next(iter(values))),
            source=source,
            reason=f"it is incomplete: {error.message}",
        ) from error
    except CorruptObjectError as error:
        raise BadTransferError(error.oid, source=source, reason=error.reason) from error
    for name, oid in values.items():
        check_branch_value(repo.objects, name, oid, source=source)


def _state(graph: CommitGraph, name: str, old: ObjectId | None, new: ObjectId) -> str:
    if old is None:
        return "new"
    if name.startswith(TAGS):
        return "updated"
    try:
        forward = is_ancestor(graph, to_raw(old), to_raw(new))
    except (ObjectNotFoundError, CorruptObjectError):
        # What we remembered is damaged here; what came is whole.
        forward = False
    return "updated" if forward else "forced"
