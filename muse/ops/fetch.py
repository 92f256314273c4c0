"""Bring what a remote has: objects first, then the refs here that remember its branches.

Nothing of the working tree or of our own branches is touched. What comes is not trusted: names
are checked before anything is asked for, each object is hashed and parsed where it arrives, and
refs move only after everything that they need was walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.errors import (
    AlreadyExistsError,
    BadTransferError,
    CorruptObjectError,
    ObjectNotFoundError,
    RemoteError,
)
from muse.core.io import read_bytes
from muse.core.paths import shallow_path
from muse.core.plain_files import SHALLOW_BYTES
from muse.core.refs import HEADS, TAGS, short_name
from muse.core.repo import Repository
from muse.core.shallow import encode_shallow
from muse.core.transaction import Transaction
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.ops.fetch_options import FetchOptions, check_options
from muse.ops.remote_config import (
    RemoteInfo,
    connect,
    default_remote,
    find_remote_or_address,
    list_remotes,
)
from muse.remotes.connectivity import (
    check_branch_value,
    check_connected,
    find_ends,
    is_connected,
    known_ids,
)
from muse.remotes.intake import Arrivals
from muse.remotes.offers import ask
from muse.remotes.protocol import (
    RefListing,
    Remote,
    RemoteRef,
    TransferCallback,
    TransferProgress,
)
from muse.remotes.transfer import Pulse, Transfer, bring_offered, check_listing

__all__ = ["FetchOptions", "FetchResult", "FetchedRef", "fetch", "fetch_from"]


class FetchedRef(NamedTuple):
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


class FetchResult(NamedTuple):
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
        ends: At how many commits history ends here on purpose; 0 when it is whole.
        ends_moved: Whether it ends elsewhere than before.
        deepened: Whether it was asked for more of a history than was here.
    """

    remote: str
    url: str
    refs: tuple[FetchedRef, ...]
    stale: tuple[str, ...]
    head: str | None
    objects: int
    size_bytes: int
    present: int
    ends: int = 0
    ends_moved: bool = False
    deepened: bool = False

    @property
    def up_to_date(self) -> bool:
        """Whether nothing changed here."""
        return not self.ends_moved and all(ref.state == "kept" for ref in self.refs)


class _Gathered:
    """What several transfers of one fetch brought."""

    def __init__(self, *, deepens: bool) -> None:
        self.objects = 0
        self.size_bytes = 0
        self.present = 0
        self.arrivals = Arrivals()
        # Where history ends, as the other side says.
        self.claimed: set[RawId] = set()
        # Whether where history ends may change though nothing came.
        self.deepens = deepens

    @property
    def anything(self) -> bool:
        """Whether there may be something to publish besides refs."""
        return bool(self.objects or self.present or self.claimed or self.deepens)

    def add(self, transfer: Transfer, claimed: Iterable[RawId]) -> None:
        self.claimed.update(claimed)
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
        remote: The remote's name, or an address, whose branches go to ``refs/fetched/`` and
            replace what was fetched so before; the default remote when None.
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
    info = find_source(repo, remote)
    options = options or FetchOptions()
    if not info.name:
        options = options._replace(prune=True)
    pulse = Pulse(progress) if progress is not None else None
    other = connect(repo, info, pulse)
    try:
        return fetch_from(repo, other, info, options=options, progress=pulse)
    finally:
        other.close()


def find_source(repo: Repository, remote: str | None) -> RemoteInfo:
    """Return the remote that is meant: by default, by name, or by its address, named or not."""
    if remote is None:
        return default_remote(repo, repo.head().branch)
    info = find_remote_or_address(repo, remote)
    if info.name:
        return info
    return next((known for known in list_remotes(repo) if known.url == info.url), info)


def fetch_from(
    repo: Repository,
    other: Remote,
    info: RemoteInfo,
    *,
    options: FetchOptions | None = None,
    listing: RefListing | None = None,
    progress: TransferCallback | None = None,
) -> FetchResult:
    """Fetch from a remote that is open already, and listed if a listing is given; see `fetch`."""
    options = check_options(repo, options or FetchOptions())
    into = options.into or info.tracking("")
    if listing is None:
        listing = check_listing(other.list_refs(), other.url)
    branches = [ref for ref in listing.refs if ref.name.startswith(HEADS)]
    places = {ref.name: into + ref.name.removeprefix(HEADS) for ref in branches}
    moved = [ref for ref in branches if repo.refs.read(places[ref.name]) != ref.oid]
    gathered = _Gathered(deepens=options.refetch or options.reach is not None)
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
    ends_before = repo.objects.boundary.known()
    changed = _move_refs(
        repo, info, wanted, stale=stale if options.prune else [], gathered=gathered,
        source=other.url,
    )  # fmt: skip
    ends = repo.objects.boundary.known()
    return FetchResult(
        info.shown,
        other.url,
        (*changed, *kept),
        () if options.prune else tuple(stale),
        listing.head,
        gathered.objects,
        gathered.size_bytes,
        gathered.present,
        len(ends),
        ends != ends_before,
        options.unshallow,
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
    ends = [from_raw(raw) for raw in repo.objects.boundary.known() if repo.objects.has(raw)]
    haves = [from_raw(raw) for raw in known_ids(own.items())]
    also = [ref for ref in listing.refs if ref.name in options.also]
    if options.refetch:
        wants, haves, ends = [ref.oid for ref in listing.refs], [], []
    elif options.reach is not None:
        wants = [r.oid for r in listing.refs if r.name.startswith(HEADS) or options.tags]
        wants += [ref.oid for ref in also]
    else:
        wants = [ref.oid for ref in (*moved, *also) if ref.oid not in here]
        wants = [oid for oid in wants if not is_connected(repo, [oid])]
    offered: set[RawId] = set()

    def bring(wants: Sequence[ObjectId], haves: Sequence[ObjectId], depth: int | None) -> None:
        offer = ask(other, wants, haves, depth=depth, shallow=ends)
        if offer.shallow and depth is None and not options.accept_ends:
            raise _ends_there(other.url, from_raw(offer.shallow[0]))
        offered.update(offer.ids)
        gathered.add(bring_offered(repo, other, offer, progress=progress), offer.shallow)
        ends.extend(map(from_raw, offer.shallow))

    if wants:
        bring(wants, haves, options.reach)
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
        if not belongs and not options.tags and ref not in also:
            continue
        followed.append(ref)
        if to_raw(ref.oid) not in offered and ref.oid not in here:
            more.append(ref.oid)
    if more:
        bring(more, [*haves, *wants], None)
    return followed, kept


def _ends_there(url: str, end: ObjectId) -> RemoteError:
    return RemoteError(
        f"{url} is shallow: what is to be fetched is built on {end}, below which it has nothing.",
        hint="Complete it with 'muse fetch --unshallow' there. To take it as it is, history cut "
        "off, say how much of it: 'muse fetch --depth <commits>'.",
    )


def _move_refs(
    repo: Repository,
    info: RemoteInfo,
    wanted: Sequence[tuple[str, RemoteRef]],
    *,
    stale: Sequence[str],
    gathered: _Gathered,
    source: str,
) -> list[FetchedRef]:
    if not (wanted or stale or gathered.anything):
        return []
    fresh = gathered.arrivals
    changed: list[FetchedRef] = []
    log = f"fetch {info.name or 'from an address'}"
    try:
        with repo.transaction("fetch", summary=log) as tx:
            # Inside the lock, so that no gc comes between the check and the move.
            ends = find_ends(
                repo, gathered.claimed, fresh=fresh, source=source, strict=gathered.deepens
            )
            _check(repo, (ref for _, ref in wanted), fresh=fresh, ends=ends, source=source)
            _set_ends(repo, tx, ends)
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


def _set_ends(repo: Repository, tx: Transaction, ends: frozenset[RawId]) -> None:
    """Let history end there from now on, in the record that moves the refs."""
    path = shallow_path(repo.root)
    before = read_bytes(path, doing="read where history ends", limit=SHALLOW_BYTES)
    after = encode_shallow(ends) if ends else None
    if after is not None and after != before:
        tx.write_file(path, after)
    elif after is None and before is not None:
        tx.remove_file(path)


_LOG = {"new": "storing head", "updated": "fast-forward", "forced": "forced-update"}


def _check(
    repo: Repository,
    refs: Iterable[RemoteRef],
    *,
    fresh: Arrivals,
    ends: frozenset[RawId],
    source: str,
) -> None:
    """Make sure that all that the new values need is here; gaps are the sender's fault."""
    values = {ref.name: ref.oid for ref in refs}
    try:
        check_connected(repo, list(values.values()), fresh=fresh, ends=ends)
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
