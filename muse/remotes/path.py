"""The first medium: another repository on this machine, or on a mounted disk.

It is opened as any command there would open it, swept included. Objects land in its own store,
durable before its refs move; refs move in its own transaction, under its write lock. So a kill at
any instant leaves it as valid as before (G9), and a second pusher waits its turn and then finds
the refs where the first one left them (G8).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from muse.core.commits import ObjectFormatError, Signature, parse_tag
from muse.core.errors import (
    BadTransferError,
    ConflictError,
    CorruptObjectError,
    LockedError,
    MuseError,
    NoRepositoryThereError,
    ObjectNotFoundError,
    RefChangedError,
    RemoteError,
    UnsafeNameError,
)
from muse.core.paths import show_path, show_text
from muse.core.refs import HEADS, TAGS, Head, check_ref_name, short_name
from muse.core.repo import Repository, open_repo
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.remotes.connectivity import check_branch_value, check_connected
from muse.remotes.intake import Arrivals, take_all
from muse.remotes.protocol import (
    ObjectRecord,
    Offer,
    Received,
    RefListing,
    RefUpdate,
    RemoteRef,
)
from muse.remotes.records import find_whole, iter_records, keep_young
from muse.remotes.walk import NewObjects

_T = TypeVar("_T")
_THIS_SIDE: Final = "This repository"
# Errors that mean the same whichever side they happen on.
_PLAIN: Final = (RemoteError, RefChangedError, ConflictError)


class PathRemote:
    """A repository in a folder, spoken to by the `Remote` protocol.

    Args:
        folder: The folder that holds its ``.muse``.
        url: How to name it in messages.
        identity: Says whose name its reflogs get.
        user_config: The user's own settings file.
        trusted: Folders of other owners that the user allows to be written.

    Raises:
        RemoteError: There is no repository, or it cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        url: str,
        identity: Callable[[], Signature] | None = None,
        user_config: Path | None = None,
        trusted: Sequence[str] = (),
    ) -> None:
        self._url = url
        # Verified and durable, though no ref needs them yet: what this session brought.
        self._fresh = Arrivals()
        folder = folder.parent if folder.name == ".muse" else folder
        with self._told():
            _check_is_repository(folder, url)
            self._repo = open_repo(
                folder, command="serve", user_config=user_config, trusted=trusted
            )
            self._repo.identity = identity
            # Refuse a newer format before anything of it is taken at its word.
            self._repo.facts  # noqa: B018  # read for its error

    @property
    def url(self) -> str:
        """Where it is, fit for showing."""
        return self._url

    @property
    def repo(self) -> Repository:
        """The repository itself, for whoever serves it."""
        return self._repo

    # -- looking ---------------------------------------------------------------------------

    def list_refs(self) -> RefListing:
        """See `Remote.list_refs`."""
        with self._told():
            head = self._head()
            refs = [
                RemoteRef(name, oid, self._peel(oid) if name.startswith(TAGS) else None)
                for prefix in (HEADS, TAGS)
                for name, oid in self._repo.refs.iter(prefix)
            ]
            bare = self._repo.bare
            ends = tuple(map(from_raw, sorted(self._repo.objects.boundary.read())))
        digest = hashlib.sha256(repr((head, refs, ends)).encode("utf-8", "surrogateescape"))
        branch = head.ref if head else None
        checked_out = None if bare else branch
        return RefListing(tuple(refs), branch, checked_out, digest.hexdigest(), ends)

    def _head(self) -> Head | None:
        # A damaged HEAD there says nothing about the branches.
        with contextlib.suppress(MuseError):
            return self._repo.refs.head()
        return None

    def _peel(self, oid: ObjectId) -> ObjectId | None:
        """Follow an annotated tag; None for anything else, and for what cannot be followed."""
        raw, kind = to_raw(oid), "tag"
        try:
            for _ in range(64):
                kind, _size = self._repo.objects.stat(raw)
                if kind != "tag":
                    break
                raw = parse_tag(self._repo.objects.read(raw)[1]).target
        except (ObjectNotFoundError, CorruptObjectError, ObjectFormatError):
            return None
        return from_raw(raw) if kind != "tag" and raw != to_raw(oid) else None

    def find_present(self, ids: Sequence[RawId]) -> Collection[RawId]:
        """See `Remote.find_present`."""
        with self._told():
            found = find_whole(self._repo.objects, ids)
            keep_young(self._repo.objects, found)
        return found

    # -- receiving -------------------------------------------------------------------------

    def receive(self, records: Iterable[ObjectRecord], *, count: int) -> Received:
        """See `Remote.receive`."""
        relay = _Relay()
        try:
            with self._told():
                received, arrivals = take_all(
                    self._repo, relay.records(records), source=_THIS_SIDE, count=count
                )
        except MuseError:
            # What the sender's own side reports is not this remote's failure.
            if relay.failure is not None:
                raise relay.failure from None
            raise
        self._fresh.add(arrivals)
        return received

    def update_refs(self, updates: Sequence[RefUpdate], *, version: str, log: str = "push") -> None:
        """See `Remote.update_refs`."""
        del version  # The lock and the values stand for it.
        names = ", ".join(short_name(update.name) for update in updates)
        with (
            self._told(keep=(ObjectNotFoundError, UnsafeNameError)),
            self._repo.transaction("push", summary=f"{log} to {names}") as tx,
        ):
            head = self._head()
            for update in updates:
                self._check_update(update, head)
                tx.set_ref(update.name, update.new, old=update.old, log=log)
            tips = {update.name: update.new for update in updates if update.new is not None}
            # Inside the lock, so that no gc comes between the check and the move.
            check_connected(self._repo, list(tips.values()), fresh=self._fresh)
            for name, oid in tips.items():
                check_branch_value(self._repo.objects, name, oid, source=_THIS_SIDE)

    def _check_update(self, update: RefUpdate, head: Head | None) -> None:
        check_ref_name(update.name)
        if not update.name.startswith((HEADS, TAGS)):
            raise RemoteError(
                f"{self._url} takes branches and tags only, not {show_text(update.name)}.",
                hint="Push to a branch or a tag.",
            )
        actual = self._repo.refs.read(update.name)
        if actual != update.old:
            raise RefChangedError(update.name, expected=update.old or "", actual=actual or "")
        if head is None or head.ref != update.name:
            return
        branch = short_name(update.name)
        if update.new is None:
            raise RemoteError(
                f"{self._url} has '{branch}' as its HEAD; it is not deleted.",
                hint="Run 'muse switch <another branch>' there first.",
            )
        if not self._repo.bare:
            raise checked_out_error(self._url, branch)

    # -- sending ---------------------------------------------------------------------------

    def offer(
        self,
        wants: Sequence[ObjectId],
        haves: Sequence[ObjectId],
        *,
        depth: int | None = None,
        shallow: Sequence[ObjectId] = (),
    ) -> Offer:
        """See `Remote.offer`."""
        with self._told():
            walk = NewObjects(
                self._repo.objects,
                map(to_raw, wants),
                map(to_raw, haves),
                ends=self._repo.objects.boundary.read(),
                known_ends=set(map(to_raw, shallow)),
                depth=depth,
            )
            return Offer([found.raw for found in walk], shallow=walk.shallow)

    def send(self, offer: Offer, *, skip: Collection[RawId] = ()) -> Iterator[ObjectRecord]:
        """See `Remote.send`."""
        with self._told():
            wanted = [raw for raw in offer.ids if raw not in skip]
            for record in iter_records(self._repo.objects, wanted):
                if record.stored is None:
                    yield record._replace(chunks=self._chunks(record.chunks))
                else:
                    yield record

    def _chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        with self._told():
            yield from chunks

    def close(self) -> None:
        """See `Remote.close`."""
        for pack in self._repo.objects.packs():
            pack.close()

    # -- errors ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _told(self, *, keep: tuple[type[MuseError], ...] = ()) -> Iterator[None]:
        """Make errors of that repository say where they happened."""
        try:
            yield
        except _PLAIN:
            raise
        except LockedError as error:
            raise LockedError(f"{self._url}: {error.message}", hint=error.hint) from error
        except CorruptObjectError as error:
            raise BadTransferError(
                error.oid, source=self._url, reason=f"{error.reason} (in {error.where})"
            ) from error
        except MuseError as error:
            if isinstance(error, keep):
                raise
            raise RemoteError(f"{self._url}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise RemoteError(
                f"{self._url}: {error.strerror or error}.", hint="Check that it can be reached."
            ) from error


class _Relay:
    """Hands records on, and remembers whether it was their own side that failed."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None

    def records(self, records: Iterable[ObjectRecord]) -> Iterator[ObjectRecord]:
        """Yield the records, their chunks watched as well."""
        for record in self._watch(records):
            yield record._replace(chunks=self._watch(record.chunks))

    def _watch(self, items: Iterable[_T]) -> Iterator[_T]:
        try:
            yield from items
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failure = error
            raise


def checked_out_error(url: str, branch: str) -> RemoteError:
    """Return the refusal of a push to a branch that somebody works on over there."""
    return RemoteError(
        f"{url} has '{branch}' checked out: moving it would leave the files there behind.",
        hint=f"Push to another branch ('muse push <remote> {branch}:<other>'), or to a bare "
        "repository ('muse init --bare <dir>'), or switch to another branch there.",
    )


def _check_is_repository(folder: Path, url: str) -> None:
    """Look at this very folder: a remote is never searched for upwards."""
    try:
        found = (folder / ".muse").is_dir()
        there = found or folder.exists()
    except OSError as error:
        raise RemoteError(
            f"{url} cannot be looked at: {error.strerror}.",
            hint="Check the permissions of the folders on its path.",
        ) from error
    if found:
        return
    if (folder / ".git").exists() or (folder / "HEAD").is_file():
        raise NoRepositoryThereError(
            f"{url} is a git repository, not one of Muse.",
            found="git",
            hint=f"Bring its history over with 'muse bridge git-import {show_path(url)}'.",
        )
    if there:
        raise NoRepositoryThereError(
            f"{url} is no Muse repository.",
            found="folder",
            hint=f"Make one to push to with 'muse init --bare {show_path(url)}'.",
        )
    raise NoRepositoryThereError(
        f"{url} does not exist.",
        found="nothing",
        hint="Check the address with 'muse remote -v'; a disk may not be mounted. "
        f"'muse init --bare {show_path(url)}' makes a new repository there.",
    )
