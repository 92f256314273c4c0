"""Send commits to a remote and move its branches.

The order is what makes a kill harmless: objects durable there, then its refs by compare-and-swap,
then what is remembered here. Killed between any two, the next push finds what is done and does
the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.errors import (
    MuseError,
    NonFastForwardError,
    ObjectNotFoundError,
    RefChangedError,
    RefNotFoundError,
    RemoteError,
)
from muse.core.refs import HEADS, TAGS, short_name
from muse.core.repo import Repository
from muse.core.types import ObjectId, RawId, to_raw
from muse.ops.fetch_options import CUT_OFF
from muse.ops.push_targets import AS_SEEN, PushOptions, Target, choose_targets
from muse.ops.remote_config import (
    RemoteInfo,
    change_config,
    config_key,
    connect,
    default_remote,
    find_remote_or_address,
    forget_config,
    list_remotes,
    name_address,
    upstream_settings,
)
from muse.remotes.connectivity import known_ids
from muse.remotes.path import checked_out_error
from muse.remotes.protocol import ASK_BATCH, RefListing, RefUpdate, Remote, TransferCallback
from muse.remotes.transfer import (
    GapThereError,
    Pulse,
    Transfer,
    check_listing,
    no_transfer,
    publish_missing,
)

__all__ = ["PushOptions", "PushResult", "PushedRef", "push"]


class PushedRef(NamedTuple):
    """One ref of the other side, and what became of it.

    Attributes:
        source: What was pushed, as named here; empty for a deletion.
        name: The full name there.
        old: What it named; None when it was not there.
        new: What it names now; None when it was deleted.
        state: ``new``, ``updated``, ``forced``, ``deleted`` or ``up to date``.
    """

    source: str
    name: str
    old: ObjectId | None
    new: ObjectId | None
    state: str


class PushResult(NamedTuple):
    """What a push did.

    Attributes:
        remote: The remote's name; its address when it has none.
        url: Its address, fit for showing.
        refs: What became of each ref.
        objects: Objects sent.
        size_bytes: Bytes of payload in them.
        present: Objects that an earlier, killed push had brought already.
        upstream: What the branch follows from now on, ``origin/main``; None when that is as before.
        notes: What did not work out here although the push did.
    """

    remote: str
    url: str
    refs: tuple[PushedRef, ...]
    objects: int
    size_bytes: int
    present: int
    upstream: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def up_to_date(self) -> bool:
        """Whether the other side had everything already."""
        return all(ref.state == "up to date" for ref in self.refs)


def push(
    repo: Repository,
    *,
    remote: str | None = None,
    branches: Sequence[str] = (),
    options: PushOptions | None = None,
    progress: TransferCallback | None = None,
) -> PushResult:
    """Push branches or tags to a remote.

    Args:
        repo: The repository.
        remote: A remote's name or an address; the default one when None.
        branches: ``branch``, ``tag`` or ``source:destination``; the current branch when empty.
        options: What else was asked for.
        progress: Told of each step; raises to cancel.

    Raises:
        UsageError: Nothing to push was named, and the current branch follows nothing.
        NonFastForwardError: A branch there has commits that this push would drop.
        RefChangedError: A branch there moved meanwhile, or is not what the lease expects.
        RemoteError: The other side failed or refused; a branch that is checked out there.
        CorruptObjectError: An object to be sent is damaged here.

    Durability:
        G1, G2, G8, G9. Killed at any instant, the other side is as valid as before, with its
        refs moved or not; the next push sends only what is missing.
    """
    options = options or PushOptions()
    head = repo.head()
    info = (
        default_remote(repo, head.branch)
        if remote is None
        else find_remote_or_address(repo, remote)
    )
    if options.set_upstream and not info.name:
        info = name_address(repo, info)
    targets = choose_targets(repo, info, branches, options=options, named=remote is not None)
    pulse = Pulse(progress) if progress is not None else None
    other = connect(repo, info, pulse, create=True)
    try:
        listing = check_listing(other.list_refs(), other.url)
        plan = _Plan(repo, info, listing, options, url=other.url)
        refs = tuple(plan.decide(target) for target in [*targets, *plan.tags()])
        moving = [ref for ref in refs if ref.state != "up to date"]
        sent = _publish(repo, other, info, listing=listing, moving=moving, progress=pulse)
        url = other.url
    finally:
        other.close()
    upstream, notes = _remember(repo, info, refs, set_up=options.set_upstream)
    return PushResult(
        info.shown,
        url,
        refs,
        sent.objects,
        sent.size_bytes,
        sent.present,
        upstream,
        notes,
    )


class _Plan:
    """Decides for each target whether it may move."""

    def __init__(
        self,
        repo: Repository,
        info: RemoteInfo,
        listing: RefListing,
        options: PushOptions,
        *,
        url: str,
    ) -> None:
        self._repo, self._info, self._listing = repo, info, listing
        self._options, self._url = options, url
        self._there = listing.values()
        self._graph = CommitGraph(repo.objects)

    def tags(self) -> list[Target]:
        """Return the tags that ``--tags`` adds: those that are not there yet."""
        if not self._options.tags:
            return []
        return [
            Target(short_name(name), name, oid)
            for name, oid in self._repo.refs.iter(TAGS)
            if self._options.force or name not in self._there
        ]

    def decide(self, target: Target) -> PushedRef:
        """Return what a target becomes.

        Raises:
            NonFastForwardError: It would lose commits.
            RefChangedError: It is not what the lease expects.
            RemoteError: It is checked out there.
            RefNotFoundError: It should be deleted and is not there.
        """
        old = self._there.get(target.name)
        if target.new is None and old is None:
            raise RefNotFoundError(
                f"{self._info.shown} has no '{short_name(target.name)}'.",
                hint=f"'muse remote show {self._info.shown}' lists what it has.",
            )
        state = self._state(target, old)
        if state != "up to date" and target.name == self._listing.checked_out:
            raise checked_out_error(self._url, short_name(target.name))
        return PushedRef(target.source, target.name, old, target.new, state)

    def _state(self, target: Target, old: ObjectId | None) -> str:
        if old == target.new:
            return "up to date"
        leased = self._check_lease(target.name, old)
        if target.new is None:
            return "deleted"
        if old is None:
            return "new"
        if not target.name.startswith(TAGS) and self._is_forward(old, target.new):
            return "updated"
        if self._options.force or leased:
            return "forced"
        raise self._refusal(target, old)

    def _check_lease(self, name: str, old: ObjectId | None) -> bool:
        """Tell whether a lease covers this ref; refuse if it does and the ref moved."""
        leases = self._options.leases
        short = short_name(name)
        if leases is None or (leases and short not in leases):
            return False
        expected = leases.get(short, AS_SEEN)
        if expected == AS_SEEN:
            expected = self._repo.refs.read(self._info.tracking(short)) if self._info.name else None
        if expected != old:
            error = RefChangedError(name, expected=expected or "", actual=old or "")
            error.hint = (
                f"Somebody pushed to it since you last looked: 'muse fetch {self._info.shown}', "
                "look at what came, then decide."
            )
            raise error
        return True

    def _is_forward(self, old: ObjectId, new: ObjectId) -> bool:
        if not self._repo.objects.has(to_raw(old)):
            return False
        try:
            return is_ancestor(self._graph, to_raw(old), to_raw(new))
        except ObjectNotFoundError:
            # A piece of their history that never arrived here: so it is not in ours.
            return False

    def _refusal(self, target: Target, old: ObjectId) -> NonFastForwardError:
        short, shown = short_name(target.name), self._info.shown
        assert target.new is not None
        if target.name.startswith(TAGS):
            hint = (
                f"The tag '{short}' names something else there. To move it there: "
                f"'muse push --force {shown} {short}'."
            )
        elif not self._repo.objects.has(to_raw(old)):
            hint = (
                f"'{short}' there has commits that are not here: 'muse fetch {shown}' brings "
                "them; then bring yours on top of them and push again."
            )
        else:
            hint = (
                f"'{short}' there has commits that yours is not built on: look with "
                f"'muse log {shown}/{short}', bring yours on top of them, and push again. "
                f"To drop theirs: 'muse push --force-with-lease {shown} {short}'."
            )
        if self._repo.objects.boundary.read() and not target.name.startswith(TAGS):
            hint = f"{CUT_OFF} {hint}"
        return NonFastForwardError(target.name, ours=target.new, theirs=old, hint=hint)


def _publish(
    repo: Repository,
    other: Remote,
    info: RemoteInfo,
    *,
    listing: RefListing,
    moving: Sequence[PushedRef],
    progress: TransferCallback | None,
) -> Transfer:
    """Send what the moves need, then move the refs."""
    if not moving:
        return no_transfer()
    tips = [to_raw(ref.new) for ref in moving if ref.new is not None]
    updates = [RefUpdate(ref.name, ref.old, ref.new) for ref in moving]
    there = listing.values()
    certain = known_ids(there.items(), first=[ref.name for ref in moving])
    known = certain + _likely_known(repo, other, info, certain)
    ends = {raw for raw in map(to_raw, listing.shallow) if repo.objects.has(raw)}
    sent = no_transfer()
    for attempt in range(2):
        try:
            sent = publish_missing(
                repo.objects, other, tips=tips, known=known, known_ends=ends, updates=updates,
                version=listing.version, progress=progress,
            )  # fmt: skip
        except GapThereError as gap:
            # A branch that we remembered was dropped there, and its objects collected; or a gc
            # took what lay around before the refs moved. Once more, from what is certain.
            if attempt:
                raise RemoteError(
                    f"{other.url}: {gap.error.message}",
                    hint="Objects that its branches need are missing there: run 'muse verify' "
                    "on that side.",
                ) from gap
            known = certain
        except RefChangedError as error:
            error.hint = (
                f"Somebody pushed at the same moment; theirs is kept, yours is only here: "
                f"'muse fetch {info.shown}', then push again."
            )
            raise
        else:
            break
    return sent


def _likely_known(
    repo: Repository, other: Remote, info: RemoteInfo, certain: Sequence[RawId]
) -> list[RawId]:
    """Return what was there when we last looked, for when its branches have moved on since."""
    if not info.name or all(repo.objects.has(raw) for raw in certain):
        return []
    seen = [to_raw(oid) for _, oid in repo.refs.iter(info.tracking(""))]
    return list(other.find_present(seen[:ASK_BATCH]))


def _remember(
    repo: Repository,
    info: RemoteInfo,
    refs: Sequence[PushedRef],
    *,
    set_up: bool,
) -> tuple[str | None, tuple[str, ...]]:
    """Move the refs that remember the other side's, and note what the branch follows."""
    if not info.name:
        return None, ()
    branches = {ref.name: ref for ref in refs if ref.name.startswith(HEADS)}
    follow = [(ref.source, ref.name) for ref in branches.values() if set_up and ref.new is not None]
    moves: Mapping[str, ObjectId | None] = {
        info.tracking(name): ref.new for name, ref in branches.items()
    }
    if not follow and all(repo.refs.read(name) == new for name, new in moves.items()):
        return None, ()
    try:
        with repo.transaction("push", summary=f"push to {info.name}") as tx:
            for name, new in moves.items():
                old = repo.refs.read(name)
                if old != new:
                    tx.set_ref(name, new, old=old, log="update by push")
            changes: dict[str, str | None] = {}
            if all(known.name != info.name for known in list_remotes(repo)):
                changes[config_key("remote", info.name, "url")] = info.url
            for source, merge in follow:
                changes.update(upstream_settings(source, remote=info.name, merge=merge))
            change_config(repo, tx, changes)
    except MuseError as error:
        # The push itself is done and durable: that must not look like a failure.
        return None, (f"Pushed, but not remembered here: {error.message}",)
    forget_config(repo)
    upstream = f"{info.name}/{short_name(follow[0][1])}" if follow else None
    return upstream, ()
