"""Brings objects from git: blobs, then trees, commits and tags, each after what it names.

Trees come from git in the order of its walk, a folder before what is in it. A tree whose subtrees
are not here yet waits for them; as the walk goes depth first, what waits is one path at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from muse.core import commits as core_commits
from muse.core.commits import ObjectFormatError
from muse.core.errors import MuseError, RemoteError
from muse.core.object_store import ObjectStore
from muse.core.refs import RefStore
from muse.core.types import ObjectType, Progress, RawId, frame_header
from muse.ops.git_bridge import convert
from muse.ops.git_bridge.boundary import find_boundary
from muse.ops.git_bridge.brought import Brought
from muse.ops.git_bridge.id_maps import IdMaps
from muse.ops.git_bridge.sink import Sink
from muse.ops.git_bridge.source import GitBlob, GitSource, ObjectList
from muse.ops.git_bridge.waiting import Waiting

_REPORT_EVERY: Final = 256
_EXAMPLES: Final = 10_000
_LFS_HEAD: Final = b"version https://git-lfs.github.com/spec/"


class _UnknownIdError(RemoteError):
    """A git id that is neither in the listing nor in the mapping."""


class ObjectImport:
    """One run over one repository.

    Args:
        store: Where objects go.
        refs: What is reachable here already.
        source: The git repository.
        maps: The mapping for its format.
        progress: Called with (objects done, total).

    Attributes:
        brought: What was met so far.
        sink: Where it went, and what each git object is here.
        wants: The git ids that `run` was given.
    """

    def __init__(
        self,
        store: ObjectStore,
        refs: RefStore,
        source: GitSource,
        *,
        maps: IdMaps,
        progress: Progress | None = None,
    ) -> None:
        self._store, self._refs, self._source, self._maps = store, refs, source, maps
        self._progress = progress
        self._same_ids = maps.is_identity
        self._digest = hashlib.sha256 if self._same_ids else _sha1
        self._shallow = source.read_shallow() if source.is_shallow else frozenset[bytes]()
        # A commit above a cut says less than it will when the history is complete there.
        self.sink = Sink(store, maps, maps_commits=not self._shallow)
        self._done = 0
        self._total = 0
        self.brought = Brought()
        self.wants: tuple[bytes, ...] = ()

    # -- the run -----------------------------------------------------------------------------

    def run(self, wants: Collection[bytes]) -> None:
        """Bring everything that these git ids reach; durable when this returns.

        Raises:
            RemoteError: Git's objects are missing or damaged; what came before is kept.
        """
        self.wants = tuple(wants)
        without: tuple[bytes, ...] = ()
        if not (self._shallow or self._maps.is_damaged or self.sink.is_empty):
            without = find_boundary(self._store, self._refs, self._source, self._maps)
        try:
            try:
                self._bring(without)
            except _UnknownIdError:
                if not without:
                    raise
                # A part of the map is gone: walk everything, and write it anew.
                self.brought = Brought()
                self._bring(())
            self.sink.flush()
        finally:
            self.sink.abandon()

    def _bring(self, without: Collection[bytes]) -> None:
        listing = self._source.list_objects(self.wants, without=without, skip=self.sink.is_here)
        self.brought.skipped = listing.skipped
        self._done, self._total = 0, len(listing)
        self._tick(0)
        self._bring_blobs(listing)
        self._bring_trees(listing)
        self._bring_commits(listing)
        self._bring_tags(listing)
        self._tick(0)

    # -- by type -----------------------------------------------------------------------------

    def _bring_blobs(self, listing: ObjectList) -> None:
        for raw, payload in self._source.read_objects(listing.columns["blob"], "blob"):
            if isinstance(payload, GitBlob):
                self._put_stream(raw, payload)
            else:
                self._check(raw, "blob", payload)
                if payload.startswith(_LFS_HEAD) and len(payload) < 1024:
                    self.brought.lfs_pointers += 1
                self._put("blob", raw, payload)

    def _bring_trees(self, listing: ObjectList) -> None:
        waiting = Waiting()
        for raw, payload in self._source.read_objects(listing.columns["tree"], "tree"):
            assert isinstance(payload, bytes)
            self._check(raw, "tree", payload)
            missing = self._put_tree(raw, payload)
            if missing:
                waiting.add(raw, payload, missing=missing)
                continue
            for parent, waited in waiting.arrive(raw):
                self._put_tree(parent, waited)
        if waiting.first_missing:
            raise self._unknown(waiting.first_missing)

    def _put_tree(self, raw: bytes, payload: bytes) -> set[bytes]:
        """Store a tree; or return the subtrees that it waits for."""
        try:
            entries, problems = convert.parse_tree(payload, self._source.id_size)
        except ValueError as error:
            raise _damaged(raw, "tree") from error
        try:
            new = convert.format_tree(entries, self.sink.ids.__getitem__)
        except KeyError:
            missing = {theirs for _, _, theirs in entries if self.sink.find(theirs) is None}
            if missing:
                folders = {theirs for mode, _, theirs in entries if convert.is_tree_mode(mode)}
                if not missing <= folders:
                    raise self._unknown(min(missing - folders)) from None
                return missing
            new = convert.format_tree(entries, self.sink.ids.__getitem__)
        for problem in problems:
            examples = self.brought.problems.setdefault(problem.kind, set())
            if len(examples) < _EXAMPLES:
                examples.add((raw, problem.name))
        altered = bool(problems) or self.sink.is_altered(theirs for _, _, theirs in entries)
        self._put("tree", raw, new, altered=altered)
        return set()

    def _bring_commits(self, listing: ObjectList) -> None:
        for raw, payload in self._source.read_objects(listing.columns["commit"], "commit"):
            assert isinstance(payload, bytes)
            self._check(raw, "commit", payload)
            try:
                parsed = convert.parse_commit(payload, self._source.id_size)
            except ValueError as error:
                raise _damaged(raw, "commit") from error
            parents = parsed.parents
            if raw in self._shallow:
                self.brought.cut += 1
                parents = ()
            tree, *ours = (self._find(theirs) for theirs in (parsed.tree, *parents))
            rest, repaired = self._readable(tree, ours, parsed.rest, raw)
            new = convert.format_commit(tree, ours, rest)
            if not self._same_ids and convert.is_signed(rest):
                self.brought.signed += 1
            altered = (
                repaired
                or len(parents) != len(parsed.parents)
                or self.sink.is_altered((parsed.tree, *parents))
            )
            self._put("commit", raw, new, altered=altered)

    def _readable(
        self, tree: bytes, parents: Sequence[bytes], rest: bytes, raw: bytes
    ) -> tuple[bytes, bool]:
        """Return the rest of a commit such that our own parser takes it."""
        try:
            core_commits.parse_commit(convert.format_commit(tree, parents, rest))
        except ObjectFormatError:
            rest = convert.repair_people(rest)
            try:
                core_commits.parse_commit(convert.format_commit(tree, parents, rest))
            except ObjectFormatError as error:
                raise _damaged(raw, "commit") from error
            self.brought.repaired += 1
            return rest, True
        return rest, False

    def _bring_tags(self, listing: ObjectList) -> None:
        waiting: dict[bytes, bytes] = {}
        for raw, payload in self._source.read_objects(listing.columns["tag"], "tag"):
            assert isinstance(payload, bytes)
            self._check(raw, "tag", payload)
            waiting[raw] = payload
        # A tag of a tag waits for it; each round brings at least one, or none is left to bring.
        while waiting:
            brought = [raw for raw, payload in waiting.items() if self._put_tag(raw, payload)]
            for raw in brought:
                del waiting[raw]
            if not brought:
                self.brought.unreadable_tags.update(waiting)
                break

    def _put_tag(self, raw: bytes, payload: bytes) -> bool:
        try:
            parsed = convert.parse_tag(payload, self._source.id_size)
            target = self.sink.find(parsed.target)
            if target is None:
                return False
            rest, altered = parsed.rest, self.sink.is_altered([parsed.target])
            new = convert.format_tag(target, parsed.kind, rest)
            try:
                core_commits.parse_tag(new)
            except ObjectFormatError:
                rest, altered = convert.repair_people(rest), True
                new = convert.format_tag(target, parsed.kind, rest)
                core_commits.parse_tag(new)
                self.brought.repaired += 1
        except ValueError:
            return False
        if not self._same_ids and convert.is_signed(rest, tag=True):
            self.brought.signed += 1
        self._put("tag", raw, new, altered=altered)
        return True

    # -- one object --------------------------------------------------------------------------

    def _put(self, kind: ObjectType, raw: bytes, payload: bytes, *, altered: bool = False) -> None:
        self.sink.put(kind, raw, payload, altered=altered)
        self._count(kind, len(payload))

    def _put_stream(self, raw: bytes, blob: GitBlob) -> None:
        digest = self._digest(frame_header("blob", blob.size))

        def checked() -> Iterator[bytes]:
            for chunk in blob.chunks:
                digest.update(chunk)
                yield chunk
            if digest.digest() != raw:
                raise _damaged(raw, "blob")

        self.sink.put_stream(raw, blob.size, checked())
        self._count("blob", blob.size)

    def _count(self, kind: ObjectType, size: int) -> None:
        self.brought.counts[kind] += 1
        self.brought.size_bytes += size
        self._tick(1)

    def _tick(self, step: int) -> None:
        self._done += step
        if self._progress is not None and (not step or self._done % _REPORT_EVERY == 0):
            self._progress(self._done, self._total)

    def _find(self, theirs: bytes) -> RawId:
        found = self.sink.find(theirs)
        if found is None:
            raise self._unknown(theirs)
        return found

    def _unknown(self, theirs: bytes) -> _UnknownIdError:
        return _UnknownIdError(
            f"git object {theirs.hex()} is used there, but git does not list it.",
            hint="Look with 'git fsck' in that repository.",
        )

    def _check(self, raw: bytes, kind: ObjectType, payload: bytes) -> None:
        digest = self._digest(frame_header(kind, len(payload)))
        digest.update(payload)
        if digest.digest() != raw:
            raise _damaged(raw, kind)


def _sha1(data: bytes) -> hashlib._Hash:
    return hashlib.sha1(data, usedforsecurity=False)


def _damaged(raw: bytes, kind: str) -> MuseError:
    return RemoteError(
        f"git {kind} {raw.hex()} is damaged there: its bytes are not what its name says.",
        hint="Look with 'git fsck' in that repository, and bring the object from a good copy.",
    )
