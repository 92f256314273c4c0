"""Sends objects to git: what a walk finds that git lacks, as one pack.

For a SHA-256 repository payloads go as they are. For a SHA-1 one each is written with SHA-1 ids,
blobs first and then whatever names them, and the pairs are recorded once git has the pack.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from muse.core.errors import MissingObjectError, UnsafePathError
from muse.core.object_store import ObjectStore
from muse.core.paths import show_path
from muse.core.types import OBJECT_TYPES, ObjectType, Progress, RawId, frame_header, from_raw
from muse.ops.git_bridge import convert
from muse.ops.git_bridge.id_maps import IdMaps
from muse.ops.git_bridge.pack_stream import PackStream
from muse.ops.git_bridge.source import STREAM_BYTES, ObjectList
from muse.ops.git_bridge.target import GitTarget
from muse.ops.git_bridge.waiting import Waiting
from muse.remotes.protocol import UNLIMITED
from muse.remotes.walk import NewObjects

_REPORT_EVERY: Final = 256
# What file systems elsewhere take for ``.git``: any case, NTFS's short name and stream names, and
# the characters that HFS+ ignores. It may also match in an id's bytes, so each match is looked at.
_IGNORED: Final = "(?:\u200c|\u200d|\u200e|\u200f|[\u202a-\u202e]|[\u206a-\u206f]|\ufeff)*"
_DOT_GIT: Final = _IGNORED.join(["", r"\.", "g", "i", "t", ""])
_HOSTILE_NAME: Final = re.compile(
    rf"(?:.*\\)?(?:{_DOT_GIT}|git~1)[ .]*(?:[:\\].*)?\Z|\.\.?\Z|\Z", re.IGNORECASE | re.DOTALL
)
_MAYBE_HOSTILE: Final = re.compile(rb"[gG][\x80-\xff]*[iI][\x80-\xff]*[tT~]")


def is_hostile_name(name: bytes) -> bool:
    """Tell whether a tree entry of this name could become ``.git`` on some file system."""
    return _HOSTILE_NAME.match(name.decode("utf-8", "surrogateescape")) is not None


class Cut(NamedTuple):
    """Where history ends on purpose.

    Attributes:
        here: On this side.
        there: In git, before the export.
    """

    here: frozenset[RawId] = frozenset()
    there: frozenset[RawId] = frozenset()


class ObjectExport:
    """One run towards one repository.

    Args:
        store: Where objects come from.
        target: The git repository.
        maps: The mapping for its format.
        progress: Called with (objects sent, total).

    Attributes:
        counts: Objects sent, by type.
        size_bytes: Their payloads.
    """

    def __init__(
        self,
        store: ObjectStore,
        target: GitTarget,
        *,
        maps: IdMaps,
        progress: Progress | None = None,
    ) -> None:
        self._store, self._target, self._maps = store, target, maps
        self._progress = progress
        self._same_ids = maps.is_identity
        self._ids: dict[bytes, bytes] = {}
        self._total = 0
        self.counts: dict[ObjectType, int] = dict.fromkeys(OBJECT_TYPES, 0)
        self.size_bytes = 0

    def run(
        self,
        tips: Collection[RawId],
        *,
        known: Collection[RawId],
        cut: Cut,
        strict: bool,
        record: bool = True,
    ) -> None:
        """Send what the tips need; durable there when this returns.

        Args:
            tips: What refs will name.
            known: What git reaches from its refs, as ids here.
            cut: Where history ends; git is told so before its refs move.
            strict: Let git refuse what its fsck complains about.
            record: Keep the pairs of ids for the next run.

        Raises:
            ObjectNotFoundError: Something is missing here; git kept nothing.
            CorruptObjectError: Likewise, damaged.
            UnsafePathError: A tree has a name that is hostile in git; git kept nothing.
            RemoteError: Git refused.
        """
        listing = ObjectList(32)
        walk = NewObjects(
            self._store,
            tips,
            known,
            ends=cut.here,
            known_ends=cut.there,
            depth=UNLIMITED if cut.there - cut.here else None,
        )
        for found in walk:
            listing.columns[found.kind] += found.raw
        self._total = len(listing)
        ends = {*cut.there, *walk.shallow}
        if walk.shallow:
            self._target.write_shallow(ends)
        if self._total:
            self._target.receive(
                lambda stream: self._fill(stream, listing), count=self._total, strict=strict
            )
            if record and not self._same_ids:
                # INVARIANT: recorded only now, when git holds the objects.
                self._maps.record({git: ours for ours, git in self._ids.items()}, altered=())
        if ends:
            self._target.write_shallow(self._target.find_ends(ends))
        self._target.check_connected({self.git_id(raw) for raw in tips})

    def git_id(self, raw: RawId) -> bytes:
        """Return what an object is in git.

        Raises:
            ObjectNotFoundError: It was not sent, and the mapping does not know it.
        """
        if self._same_ids:
            return raw
        found = self._ids.get(raw) or self._maps.git_id(raw, exact=True)
        if found is None:
            raise MissingObjectError(from_raw(raw), needed_by="the export")
        return found

    # -- by type -----------------------------------------------------------------------------

    def _fill(self, stream: PackStream, listing: ObjectList) -> None:
        for raw in _raw_ids(listing, "blob"):
            self._send_blob(stream, raw)
        for kind in ("tree", "commit", "tag"):
            waiting = Waiting()
            for raw in _raw_ids(listing, kind):
                payload = self._store.read(raw, expected=kind)[1]
                if kind == "tree":
                    _check_names(raw, payload)
                missing = self._send(stream, kind, raw, payload)
                if missing:
                    waiting.add(raw, payload, missing=missing)
                    continue
                for waiter, waited in waiting.arrive(raw):
                    self._send(stream, kind, RawId(waiter), waited)
            if waiting.first_missing:
                raise MissingObjectError(
                    from_raw(waiting.first_missing), needed_by="an object to export"
                )

    def _send_blob(self, stream: PackStream, raw: RawId) -> None:
        size = self._store.stat(raw)[1]
        if size <= STREAM_BYTES:
            payload = self._store.read(raw, expected="blob")[1]
            self._put(stream, "blob", raw, payload)
            return
        digest = hashlib.sha1(frame_header("blob", size), usedforsecurity=False)

        def hashed(chunks: Iterable[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk

        stream.add_stream("blob", size, hashed(self._store.open_stream(raw)))
        self._note("blob", raw, digest.digest(), size=size)

    def _send(self, stream: PackStream, kind: ObjectType, raw: RawId, payload: bytes) -> set[bytes]:
        """Send an object; or return the ids that it waits for."""
        if self._same_ids:
            self._put(stream, kind, raw, payload)
            return set()
        names, build = convert.split(kind, payload, 32)
        missing = {name for name in names if self._resolve(name) is None}
        if not missing:
            self._put(stream, kind, raw, build(self._ids))
        return missing

    def _resolve(self, raw: bytes) -> bytes | None:
        found = self._ids.get(raw)
        if found is None:
            found = self._maps.git_id(RawId(raw), exact=True)
            if found is not None:
                self._ids[raw] = found
        return found

    def _put(self, stream: PackStream, kind: ObjectType, raw: RawId, payload: bytes) -> None:
        git_raw: bytes = raw
        if not self._same_ids:
            digest = hashlib.sha1(frame_header(kind, len(payload)), usedforsecurity=False)
            digest.update(payload)
            git_raw = digest.digest()
        stream.add(kind, payload)
        self._note(kind, raw, git_raw, size=len(payload))

    def _note(self, kind: ObjectType, raw: RawId, git_raw: bytes, *, size: int) -> None:
        if not self._same_ids:
            self._ids[raw] = git_raw
        self.counts[kind] += 1
        self.size_bytes += size
        done = sum(self.counts.values())
        if self._progress is not None and (done % _REPORT_EVERY == 0 or done == self._total):
            self._progress(done, self._total)


def _raw_ids(listing: ObjectList, kind: ObjectType) -> Iterator[RawId]:
    return (RawId(raw) for raw in listing.ids(kind))


def _check_names(tree: RawId, payload: bytes) -> None:
    if not _MAYBE_HOSTILE.search(payload):
        return
    for _, name, _ in convert.parse_tree(payload, 32).entries:
        if is_hostile_name(name):
            raise UnsafePathError(
                f"Tree {from_raw(tree)} has '{show_path(name)}', which some systems take for "
                "git's own folder; it is not exported.",
                hint="Rename that file, and commit. The history before can only be exported "
                "without it.",
            )
