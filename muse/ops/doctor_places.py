"""Other repositories that may hold a whole copy: the remotes, and what the user names.

Each is asked by its id, whatever lies between: a path, an ssh, an object store. Nobody is asked
before something is missed, and what cannot be asked is told of, and not asked again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from muse.core.errors import (
    CorruptObjectError,
    MuseError,
    ObjectNotFoundError,
    RemoteError,
)
from muse.core.repo import Repository
from muse.core.types import RawId, from_raw
from muse.ops.doctor_remedy import Remedy
from muse.ops.remote_config import RemoteInfo, connect, find_remote_or_address, list_remotes
from muse.remotes.intake import take_all
from muse.remotes.offers import ask, only_offered
from muse.remotes.protocol import Remote, UsesLocal
from muse.remotes.transfer import bring_offered

# What the other side is to blame for; a full disk here is not.
_REFUSALS: Final = (RemoteError, ObjectNotFoundError, CorruptObjectError)


class Place:
    """One other repository.

    Args:
        repo: Ours.
        info: How to reach it.
    """

    def __init__(self, repo: Repository, info: RemoteInfo) -> None:
        self._repo, self._info = repo, info
        self._remote: Remote | None = None
        self.failure: MuseError | None = None

    @property
    def shown(self) -> str:
        """What to call it in a sentence."""
        return f"the remote '{self._info.name}'" if self._info.name else self._info.shown_url

    def find(self, ids: Sequence[RawId]) -> Collection[RawId]:
        """Tell which objects are there and whole; none when it cannot be asked."""
        if self.failure is not None or not ids:
            return ()
        try:
            if self._remote is None:
                self._remote = connect(self._repo, self._info)
            found = set(self._remote.find_present(ids))
            if isinstance(self._remote, UsesLocal):
                # Where each question costs, the first answer may leave out what is there.
                rest = [raw for raw in ids if raw not in found]
                found.update(raw for raw in rest if self._offers(raw))
        except MuseError as error:
            self.failure = error
            return ()
        return found

    def bring(self, ids: Sequence[RawId]) -> None:
        """Store these, and what they need, hashed and durable; see `Place.failure` after it."""
        try:
            self._bring_all(ids)
        except _REFUSALS as error:
            self.failure = error
            # What it lacks below one of them must not keep the others from coming.
            for raw in ids:
                with contextlib.suppress(*_REFUSALS):
                    self._bring_one(raw)

    def close(self) -> None:
        """Let go of the connection."""
        if self._remote is not None:
            self._remote.close()

    def _offers(self, raw: RawId) -> bool:
        assert self._remote is not None
        with contextlib.suppress(MuseError):
            return raw in ask(self._remote, [from_raw(raw)], (), depth=1, shallow=()).ids
        return False

    def _bring_all(self, ids: Sequence[RawId]) -> None:
        """Bring them with what is missing below, or a history comes back commit by commit."""
        assert self._remote is not None
        ends = self._repo.objects.boundary.known(despite=MuseError)
        shallow = [from_raw(raw) for raw in ends]
        offer = ask(self._remote, map(from_raw, ids), (), depth=None, shallow=shallow)
        bring_offered(self._repo, self._remote, offer)

    def _bring_one(self, raw: RawId) -> None:
        assert self._remote is not None
        offer = ask(self._remote, [from_raw(raw)], (), depth=1, shallow=())
        url = self._remote.url
        sent = self._remote.send(offer, skip={other for other in offer.ids if other != raw})
        take_all(self._repo, only_offered(sent, {raw}, source=url), source=url, count=1)


class Places:
    """All of them; a context manager.

    Args:
        repo: The repository.
        named: Remotes and addresses to ask before the other remotes.

    Raises:
        RefNotFoundError: One of ``named`` is neither a remote nor an address.
    """

    def __init__(self, repo: Repository, named: Sequence[str] = ()) -> None:
        infos = [find_remote_or_address(repo, text) for text in named]
        # Settings that nobody can read name no remotes; that is told of as such.
        with contextlib.suppress(MuseError):
            infos += [info for info in list_remotes(repo) if info not in infos]
        self._places = [Place(repo, info) for info in infos]

    def find(self, ids: Sequence[RawId]) -> dict[RawId, Place]:
        """Return which objects are whole somewhere, and where."""
        found: dict[RawId, Place] = {}
        for place in self._places:
            rest = [raw for raw in ids if raw not in found]
            found.update(dict.fromkeys(place.find(rest), place))
        return found

    def shown(self) -> str:
        """Name those that could be asked, for a sentence; empty when there are none."""
        return ", ".join(place.shown for place in self._places if place.failure is None)

    def failures(self) -> Iterator[Remedy]:
        """Yield a note for each that was to be asked and could not be."""
        for place in self._places:
            if (error := place.failure) is not None:
                said = f"{place.shown} could not be asked for a copy: {error.message}"
                yield Remedy(said[:1].upper() + said[1:], way_out=error.hint)

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *_: object) -> None:
        for place in self._places:
            place.close()


class Errand:
    """What one place shall bring in one round; run once, however many remedies want it.

    Args:
        place: Where from.
        keep: Keeps a copy of a damaged file that will be replaced.
    """

    def __init__(self, place: Place, keep: Callable[[Path], None]) -> None:
        self.place, self._keep = place, keep
        self._wanted: dict[RawId, Path | None] = {}

    def add(self, raw: RawId, damaged: Path | None) -> None:
        """Want one more object; ``damaged`` is the file in whose place it will be."""
        self._wanted[raw] = damaged

    def run(self) -> None:
        """Keep what is damaged, and bring what is wanted."""
        for damaged in self._wanted.values():
            if damaged is not None:
                self._keep(damaged)
        self.place.bring(list(self._wanted))
