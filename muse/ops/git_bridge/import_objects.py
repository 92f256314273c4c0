"""Brings objects from git: blobs, then trees, commits and tags, each after what it names.

Objects go into packs of a bounded size. A pack is durable before the mapping names its objects,
and both are before any ref does, so a kill at any point leaves only objects that nothing refers to
and that the next run does not bring again.

Trees come from git in the order of its walk, a folder before what is in it. A tree whose subtrees
are not here yet waits for them; as the walk goes depth first, what waits is one path at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from muse.core import commits as core_commits
from muse.core.ancestry import CommitGraph
from muse.core.commits import ObjectFormatError
from muse.core.errors import MuseError, NotFoundError, RemoteError, StorageError
from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.refs import RefStore
from muse.core.types import ObjectType, Progress, RawId, frame_header, raw_object_id, to_raw
from muse.ops.git_bridge import convert
from muse.ops.git_bridge.id_maps import IdMaps
from muse.ops.git_bridge.source import GitBlob, GitSource, ObjectList
from muse.ops.git_bridge.waiting import Waiting

# A pack is closed, and its part of the mapping written, at either of these.
_PACK_BYTES: Final = 512 << 20
_PACK_OBJECTS: Final = 200_000
_REPORT_EVERY: Final = 256
# How far back to look for history that both sides have, before walking all of git's instead.
_BOUNDARY_WALK: Final = 20_000
_EXAMPLES: Final = 10_000
_LFS_HEAD: Final = b"version https://git-lfs.github.com/spec/"


@dataclass(slots=True)
class Brought:
    """What an import met.

    Attributes:
        counts: New objects by type.
        size_bytes: Their payloads.
        skipped: Listed objects that were here already.
        problems: By kind: (git tree, entry name) of what a tree could not keep.
        problem_counts: By kind: how often.
        signed: Commits and tags with a signature over their SHA-1 form.
        repaired: Commits and tags whose author or tagger line was made readable.
        lfs_pointers: Files that only point at content in git-lfs.
        cut: Commits without the parents that a shallow repository lacks.
        unreadable_tags: Tags that are not in the format.
    """

    counts: dict[ObjectType, int] = field(
        default_factory=lambda: {"blob": 0, "tree": 0, "commit": 0, "tag": 0}
    )
    size_bytes: int = 0
    skipped: int = 0
    problems: dict[str, set[tuple[bytes, bytes]]] = field(default_factory=dict)
    problem_counts: dict[str, int] = field(default_factory=dict)
    signed: int = 0
    repaired: int = 0
    lfs_pointers: int = 0
    cut: int = 0
    unreadable_tags: set[bytes] = field(default_factory=set)


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
        self._same_ids = source.object_format == "sha256"
        self._digest = hashlib.sha256 if self._same_ids else _sha1
        self._shallow = source.read_shallow() if source.is_shallow else frozenset[bytes]()
        self._is_empty_store = not store.packs() and next(store.iter_loose(), None) is None
        self._ids: dict[bytes, bytes] = {}
        # What the mapping does not name durably yet.
        self._unrecorded: dict[bytes, bytes] = {}
        self._altered: set[bytes] = set()
        self._altered_unrecorded: set[bytes] = set()
        self._pack = PackWriter(store.root)
        self._done = 0
        self._total = 0
        self.brought = Brought()
        self.wants: tuple[bytes, ...] = ()
        self.without: tuple[bytes, ...] = ()

    # -- the run -----------------------------------------------------------------------------

    def run(self, wants: Collection[bytes]) -> None:
        """Bring everything that these git ids reach; durable when this returns.

        Raises:
            RemoteError: Git's objects are missing or damaged; what came before is kept.
        """
        self.wants = tuple(wants)
        self.without = self._find_boundary()
        try:
            try:
                self._bring()
            except _UnknownIdError:
                if not self.without:
                    raise
                # A part of the mapping is gone: walk everything, and write it anew.
                self.without, self.brought = (), Brought()
                self._bring()
            self._flush()
        finally:
            self._pack.abandon()

    def _bring(self) -> None:
        listing = self._source.list_objects(self.wants, without=self.without, skip=self._is_here)
        self.brought.skipped = listing.skipped
        self._done, self._total = 0, len(listing)
        self._tick(0)
        self._bring_blobs(listing)
        self._bring_trees(listing)
        self._bring_commits(listing)
        self._bring_tags(listing)
        self._tick(0)

    def muse_id(self, git_raw: bytes) -> RawId | None:
        """Return what a git object is here, once it was brought."""
        found = self._ids.get(git_raw) or self._maps.muse_id(git_raw)
        if found is None and self._same_ids and self._store.has(RawId(git_raw)):
            found = git_raw
        return None if found is None else RawId(found)

    @property
    def altered_any(self) -> bool:
        """Whether any object became something else than its own content, in this run or before."""
        return bool(self._altered) or self._maps.has_altered

    def _is_here(self, git_raw: bytes) -> bool:
        if self._is_empty_store:
            return False
        ours = self._maps.muse_id(git_raw) or (git_raw if self._same_ids else None)
        return ours is not None and self._store.has(RawId(ours))

    def _find_boundary(self) -> tuple[bytes, ...]:
        """Return git commits whose closure is here, since a ref here reaches what they became."""
        if self._shallow or self._maps.is_damaged or self._is_empty_store:
            return ()
        if not self._same_ids and not len(self._maps):
            return ()
        graph = CommitGraph(self._store)
        found: list[bytes] = []
        queue = [raw for _, oid in self._refs.iter() if (raw := self._peel(to_raw(oid)))]
        seen = set(queue)
        with self._source.asking() as git_has:
            # Breadth first, so that the nearest history in common is found in few steps.
            for raw in queue:
                theirs = self._maps.git_id(raw, exact=False)
                if theirs is not None and git_has(theirs):
                    found.append(theirs)
                elif len(seen) < _BOUNDARY_WALK:
                    # Damage on the way only means that git's history is walked further.
                    with contextlib.suppress(StorageError, NotFoundError):
                        new = [p for p in graph.node(raw).parents if p not in seen]
                        seen.update(new)
                        queue += new
        return tuple(found)

    def _peel(self, raw: RawId) -> RawId | None:
        with contextlib.suppress(StorageError, NotFoundError, ObjectFormatError):
            kind, payload = self._store.read(raw)
            while kind == "tag":
                raw = core_commits.parse_tag(payload).target
                kind, payload = self._store.read(raw)
            if kind == "commit":
                return raw
        return None

    # -- by type -----------------------------------------------------------------------------

    def _bring_blobs(self, listing: ObjectList) -> None:
        for raw, payload in self._source.read_objects(listing.columns["blob"], "blob"):
            if isinstance(payload, GitBlob):
                self._put_stream(raw, payload)
            else:
                self._check(raw, "blob", payload)
                if payload.startswith(_LFS_HEAD) and len(payload) < 1024:
                    self.brought.lfs_pointers += 1
                self._put("blob", raw, payload, changed=False)

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
            new = convert.format_tree(entries, self._ids.__getitem__)
        except KeyError:
            missing = {theirs for _, _, theirs in entries if self._resolve(theirs) is None}
            if missing:
                folders = {theirs for mode, _, theirs in entries if convert.is_tree_mode(mode)}
                if not missing <= folders:
                    raise self._unknown(min(missing - folders)) from None
                return missing
            new = convert.format_tree(entries, self._ids.__getitem__)
        for problem in problems:
            kind = problem.kind
            counts = self.brought.problem_counts
            counts[kind] = counts.get(kind, 0) + 1
            examples = self.brought.problems.setdefault(kind, set())
            if len(examples) < _EXAMPLES:
                examples.add((raw, problem.name))
        altered = bool(problems) or self._any_altered(theirs for _, _, theirs in entries)
        self._put("tree", raw, new, changed=new != payload, altered=altered)
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
            tree, *ours = (self._resolved(theirs) for theirs in (parsed.tree, *parents))
            rest, repaired = self._readable(tree, ours, parsed.rest, raw)
            new = convert.format_commit(tree, ours, rest)
            if not self._same_ids and convert.is_signed(rest):
                self.brought.signed += 1
            altered = (
                repaired
                or len(parents) != len(parsed.parents)
                or self._any_altered((parsed.tree, *parents))
            )
            self._put("commit", raw, new, changed=new != payload, altered=altered)

    def _readable(
        self, tree: bytes, parents: list[bytes], rest: bytes, raw: bytes
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
            target = self._resolve(parsed.target)
            if target is None:
                return False
            rest, altered = parsed.rest, self._any_altered([parsed.target])
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
        self._put("tag", raw, new, changed=new != payload, altered=altered)
        return True

    # -- ids ---------------------------------------------------------------------------------

    def _resolve(self, theirs: bytes) -> bytes | None:
        found = self._ids.get(theirs)
        if found is None:
            found = self.muse_id(theirs)
            if found is not None:
                self._ids[theirs] = found
        return found

    def _resolved(self, theirs: bytes) -> bytes:
        found = self._resolve(theirs)
        if found is None:
            raise self._unknown(theirs)
        return found

    def _any_altered(self, ids: Collection[bytes] | Iterator[bytes]) -> bool:
        altered, has_old = self._altered, self._maps.has_altered
        if not altered and not has_old:
            return False
        return any(raw in altered or (has_old and self._maps.is_altered(raw)) for raw in ids)

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

    # -- writing -----------------------------------------------------------------------------

    def _put(
        self,
        kind: ObjectType,
        raw: bytes,
        payload: bytes,
        *,
        changed: bool,
        altered: bool = False,
    ) -> None:
        same = self._same_ids and not changed
        ours = RawId(raw) if same else raw_object_id(kind, payload)
        # An object that is there but damaged is written again (G4).
        if self._is_empty_store or not self._store.is_whole(ours):
            self._pack.add_hashed(ours, kind, payload)
        self._note(kind, raw, ours, size=len(payload), altered=altered)

    def _put_stream(self, raw: bytes, blob: GitBlob) -> None:
        digest = self._digest(frame_header("blob", blob.size))

        def checked() -> Iterator[bytes]:
            for chunk in blob.chunks:
                digest.update(chunk)
                yield chunk
            if digest.digest() != raw:
                raise _damaged(raw, "blob")

        ours = self._pack.add_stream("blob", blob.size, checked())
        self._note("blob", raw, ours, size=blob.size, altered=False)

    def _note(self, kind: ObjectType, raw: bytes, ours: bytes, *, size: int, altered: bool) -> None:
        self._ids[raw] = ours
        # A commit above a cut says less than it will when the history is complete there.
        if not (self._same_ids and raw == ours) and not (
            self._shallow and kind in {"commit", "tag"}
        ):
            self._unrecorded[raw] = ours
            if altered:
                self._altered_unrecorded.add(raw)
        if altered:
            self._altered.add(raw)
        self.brought.counts[kind] += 1
        self.brought.size_bytes += size
        self._tick(1)
        if len(self._pack) >= _PACK_OBJECTS or self._pack.size_bytes >= _PACK_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._pack.finish()
        self._store.refresh()
        # INVARIANT: the mapping never names an object that a power cut could still take.
        self._maps.record(self._unrecorded, altered=self._altered_unrecorded)
        self._unrecorded.clear()
        self._altered_unrecorded.clear()
        self._pack = PackWriter(self._store.root)

    def _tick(self, step: int) -> None:
        self._done += step
        if self._progress is not None and (not step or self._done % _REPORT_EVERY == 0):
            self._progress(self._done, self._total)


def _sha1(data: bytes) -> hashlib._Hash:
    return hashlib.sha1(data, usedforsecurity=False)


def _damaged(raw: bytes, kind: str) -> MuseError:
    return RemoteError(
        f"git {kind} {raw.hex()} is damaged there: its bytes are not what its name says.",
        hint="Look with 'git fsck' in that repository, and bring the object from a good copy.",
    )
