"""The one write that a push consists of: refs and packs, by compare-and-swap.

When the document changed under other refs only, the write is repeated on top of it, after a random
pause; when one of *our* refs moved, both ids are told. An answer that was lost is looked up: each
write leaves a mark in the document, and the last ones are kept.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.commits import ObjectFormatError, parse_tag
from muse.core.errors import (
    BadTransferError,
    CorruptObjectError,
    ObjectNotFoundError,
    RefChangedError,
    RemoteError,
)
from muse.core.paths import show_text
from muse.core.refs import DEFAULT_BRANCH, HEADS, TAGS, check_ref_name
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, RawId, from_raw, is_object_id, to_raw
from muse.remotes.bucket import Bucket, Version
from muse.remotes.protocol import RefUpdate
from muse.remotes.store_document import (
    DOCUMENT,
    MAX_DOCUMENT,
    PAST,
    Document,
    PackEntry,
    new_mark,
    parse_document,
)
from muse.remotes.store_notes import Notes
from muse.remotes.store_reader import StoreReader
from muse.remotes.walk import NewObjects

# How long a write is tried again while others are faster.
_PATIENCE_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.02
LONGEST_PAUSE_S: Final = 2.0

Seen = tuple[Document, Version | None]


def write_document(
    bucket: Bucket, seen: Seen, change: Callable[[Document], Document]
) -> tuple[Document, Version]:
    """Replace the document by what ``change`` makes of it, as often as it takes.

    Args:
        bucket: Where.
        seen: The document that was read, and its version; None for one that is not there yet.
        change: Makes the new one; called again when the document is another by then, and may
            raise to give up.

    Raises:
        RemoteError: Others were faster for a minute, or the store failed: then it may have been
            written, and the next look tells.

    Durability: killed before the store has taken the write, nothing has happened; after it,
        everything has.
    """
    document, version = seen
    deadline = time.monotonic() + _PATIENCE_S
    pause_s = FIRST_PAUSE_S
    while True:
        mark = new_mark()
        try:
            wanted = change(document).next(mark)
        except ObjectNotFoundError:
            # It may be in a pack that was listed since; and a lost race is told as one.
            newer = bucket.get(DOCUMENT, limit=MAX_DOCUMENT)
            if newer is None or newer.version == version:
                raise
            document, version = parse_document(newer.data, shown=bucket.shown), newer.version
            continue
        written = bucket.swap(DOCUMENT, wanted.encode(), version)
        if written is not None:
            return wanted, written
        found = bucket.get(DOCUMENT, limit=MAX_DOCUMENT)
        if found is not None:
            document, version = parse_document(found.data, shown=bucket.shown), found.version
            if mark in document.recent:
                # It was written; only the answer was lost.
                return document, version
        elif version is not None:
            raise RemoteError(
                f"{bucket.shown}: '{DOCUMENT}' was deleted while we worked.",
                hint="Somebody removed the repository there: check with them.",
            )
        if time.monotonic() > deadline:
            raise RemoteError(
                f"{bucket.shown}: others were faster for {_PATIENCE_S:.0f} seconds.",
                hint="Too many push there at the same time; run the same command again: what "
                "arrived is not sent again.",
            )
        time.sleep(random.uniform(0, pause_s))  # noqa: S311  # spreads pushers, hides nothing
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


class RefMove:
    """Updates of refs, and whether they fit a document.

    Args:
        updates: The moves.
        shown: The store, for messages.

    Raises:
        UnsafeNameError: A name that no ref may have.
        RemoteError: It is neither a branch nor a tag.
    """

    def __init__(self, updates: Sequence[RefUpdate], *, shown: str) -> None:
        for update in updates:
            check_ref_name(update.name)
            if not update.name.startswith((HEADS, TAGS)):
                raise RemoteError(
                    f"{shown} takes branches and tags only, not {show_text(update.name)}.",
                    hint="Push to a branch or a tag.",
                )
            if update.new is not None and not is_object_id(update.new):
                raise BadTransferError(update.name, source=shown, reason="it is no object id")
        self._updates = updates
        self._shown = shown

    @property
    def tips(self) -> dict[str, ObjectId]:
        """What the refs shall name, without those that are deleted."""
        return {each.name: each.new for each in self._updates if each.new is not None}

    def check(self, document: Document) -> None:
        """Compare with what is there.

        Raises:
            RefChangedError: A ref is not what its update says.
            RemoteError: A name would stand in the way of another one.
        """
        for update in self._updates:
            actual = document.refs.get(update.name)
            if actual != update.old:
                raise RefChangedError(update.name, expected=update.old or "", actual=actual or "")
        after = {*document.refs, *self.tips} - {e.name for e in self._updates if e.new is None}
        for name in self.tips:
            other = next((o for o in after if _in_the_way(o, name)), None)
            if other is not None:
                raise RemoteError(
                    f"{self._shown} has '{show_text(other)}', so '{show_text(name)}' cannot be "
                    "there.",
                    hint="Push under another name, or delete that one first.",
                )

    def leave_behind(self, bucket: Bucket, reader: StoreReader) -> None:
        """Note what refs are about to leave, so that a gc keeps it for its grace.

        Before they move: a note of what did not happen is harmless, the other way is not.
        """
        left = sorted({u.old for u in self._updates if u.old and not _is_kept(reader, u)})
        if left:
            data = "".join(f"{oid}\n" for oid in left).encode()
            bucket.create(f"{PAST}{new_mark()}", [data], size=len(data))

    def apply(self, document: Document, reader: StoreReader) -> Document:
        """Return the document with the refs moved."""
        refs, peeled = dict(document.refs), dict(document.peeled)
        for update in self._updates:
            peeled.pop(update.name, None)
            if update.new is None:
                refs.pop(update.name, None)
                continue
            refs[update.name] = update.new
            if update.name.startswith(TAGS):
                target = _peel(reader, update.new)
                if target is not None:
                    peeled[update.name] = target
        head = _choose_head(document.head, refs)
        return replace(document, refs=refs, peeled=peeled, head=head)


def _in_the_way(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _is_kept(reader: StoreReader, update: RefUpdate) -> bool:
    """Tell whether what a ref named stays reachable from it, as far as that is known here."""
    if update.new is None or update.old is None or reader.local is None:
        return False
    try:
        graph = CommitGraph(reader.local)
        return is_ancestor(graph, to_raw(update.old), to_raw(update.new))
    except (ObjectNotFoundError, CorruptObjectError):
        return False


def _peel(reader: StoreReader, oid: ObjectId) -> ObjectId | None:
    """Follow an annotated tag; None for anything else."""
    raw = to_raw(oid)
    for _ in range(64):
        kind, payload = reader.read(raw) if reader.kind(raw) == "tag" else ("", b"")
        if kind != "tag":
            break
        try:
            raw = parse_tag(payload).target
        except ObjectFormatError:
            return None
    return from_raw(raw) if raw != to_raw(oid) else None


def _choose_head(head: str, refs: Mapping[str, ObjectId]) -> str:
    """Return the branch that clones start at: the same while it is there."""
    branches = sorted(name for name in refs if name.startswith(HEADS))
    if head in refs or not branches:
        return head
    usual = [HEADS + DEFAULT_BRANCH, HEADS + "master"]
    return next((name for name in usual if name in refs), branches[0])


class Proof:
    """Makes sure that what refs shall name is complete in a store, which has no server to do it.

    Complete is what a ref of the document needs (G1). Complete is also what was seen to be, while
    the document says that nothing was dropped since. What a walk finds beyond that must stand in
    the index of a listed pack, or of one that this side has uploaded.

    Args:
        reader: Reads objects, ours first.
        notes: What was seen before.
        unlisted: Uploaded packs that no document lists.
        find_more: Adds those of killed pushes to them.
        shown: The store, for messages.
    """

    def __init__(
        self,
        reader: StoreReader,
        notes: Notes,
        unlisted: Mapping[str, PackEntry],
        *,
        find_more: Callable[[], None],
        shown: str,
    ) -> None:
        self._reader, self._notes, self._unlisted, self._shown = reader, notes, unlisted, shown
        self._find_more = find_more
        self._needed: list[PackEntry] = []
        # Of which store and of how many drops the proof speaks.
        self._valid: tuple[str, int] | None = None

    def check(self, document: Document, tips: Mapping[str, ObjectId]) -> list[PackEntry]:
        """Return the uploaded packs that must be listed for these tips to be complete.

        Raises:
            ObjectNotFoundError: Something is not there; names the first gap.
            BadTransferError: A branch would name something else than a commit.
        """
        now = (document.store_id, document.drops)
        if tips and self._valid != now:
            try:
                self._needed = list(self._walk(document, tips.values()))
            except ObjectNotFoundError:
                # A killed push may have brought what is not here to be read.
                self._find_more()
                self._needed = list(self._walk(document, tips.values()))
            for name, oid in tips.items():
                kind = self._reader.kind(to_raw(oid))
                if name.startswith(HEADS) and kind != "commit":
                    reason = f"it names a {kind}, not a commit"
                    raise BadTransferError(name, source=self._shown, reason=reason)
            self._valid = now
        return self._needed

    def _walk(self, document: Document, tips: Iterable[ObjectId]) -> Iterable[PackEntry]:
        reader = self._reader
        complete = [to_raw(oid) for oid in document.refs.values()]
        if self._notes.knows(document):
            complete += [to_raw(oid) for oid in self._notes.tips]
        if reader.local is not None:
            # What is not here would have to be read there, and teaches nothing about ours.
            complete = [raw for raw in complete if reader.local.has(raw)]
        needed: dict[str, PackEntry] = {}
        for found in NewObjects(reader, map(to_raw, tips), complete):
            if found.raw == EMPTY_TREE:
                continue
            place = reader.find_known(found.raw)
            if place is None:
                self._find_more()
                place = reader.find(found.raw)
            if place is None:
                raise ObjectNotFoundError(from_raw(found.raw), needed_by=_holder(found.holder))
            if place.entry.name in self._unlisted:
                needed[place.entry.name] = place.entry
        return needed.values()


def _holder(raw: RawId | None) -> str:
    return from_raw(raw) if raw is not None else ""
