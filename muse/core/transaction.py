"""Everything that publishes goes through one transaction.

Inside the block new objects are collected and nothing is visible. Leaving it normally publishes::

    bulk (a pack, big files)      durable under their final names, nothing refers to them yet
    one journal record            small objects, refs by compare-and-swap, HEAD, reflogs, the
                                  stage, the operation; one sync: THE COMMIT POINT
    the record is applied         objects, logs, then refs, HEAD and stage, without any sync

    killed in …      what is there                          what the next command does
    bulk             objects that nothing refers to         nothing; gc drops them when they are old
    the record       the old state                          ignores a torn record
    applying         the record                             writes what is missing, then goes on
    after that       all of it                              nothing

An exception inside the block publishes nothing. The repository's write lock is held from
beginning to end, so what was read inside the block is still true when it is published.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from muse.core import durability, journal
from muse.core.big_objects import store_stream
from muse.core.commits import Signature
from muse.core.errors import RefChangedError, StorageError, UsageError
from muse.core.io import make_dirs, read_bytes, sync_dir, sync_filesystem
from muse.core.journal_pieces import CONFIG, replace_durably
from muse.core.journal_record import FileMove, Record
from muse.core.lock import WAIT_S, WriteLock
from muse.core.object_store import ObjectStore
from muse.core.operations import Operation, encode_operation, operations_path
from muse.core.paths import head_path, muse_dir, stage_path
from muse.core.plain_files import REF_BYTES, STAGE_BYTES
from muse.core.real_folders import Ways
from muse.core.reflog import ReflogEntry, encode_entry
from muse.core.refs import HEADS, Head, RefStore, check_no_clash
from muse.core.settled import is_settled, settle_packs
from muse.core.types import ObjectId, ObjectType, RawId, frame_header, from_raw, raw_object_id

if TYPE_CHECKING:
    from muse.core.pack import PackWriter
    from muse.core.stored_ids import StoredIds

# Beyond this, objects go into one pack: a constant number of syncs however many there are.
SPILL_COUNT: Final = 32
SPILL_BYTES: Final = 4 << 20
# A single object beyond this gets a synced file of its own instead of a place in the journal.
BIG_BYTES: Final = 1 << 20


class Transaction:
    """One unit of work: all of it is published, or none.

    Args:
        store: The repository's objects.
        refs: Its refs.
        operation: The verb, for the operation log and for who waits for the lock.
        summary: One line for people.
        who: Who does it; goes into reflogs.
        wait_s: How long to wait for another writer.
        level: How durable; see `muse.core.durability`.

    Attributes:
        details: Text that the operation's inverse needs; see `Operation`.
    """

    def __init__(
        self,
        store: ObjectStore,
        refs: RefStore,
        *,
        operation: str,
        who: Signature,
        summary: str = "",
        wait_s: float = WAIT_S,
        level: str = durability.FULL,
    ) -> None:
        self.store = store
        self.root = store.root
        self.details: dict[str, str] = {}
        self.summary = summary
        self._refs, self._operation, self._who = refs, operation, who
        self._level, self._each = level, level != durability.BATCH
        self._unsynced = self._waived_before = False
        self._lock = WriteLock(self.root, command=operation, wait_s=wait_s)
        self._journal = journal.Journal((), 0)
        self._ways, self._pending_bytes = Ways(), 0
        self._pending: dict[RawId, tuple[ObjectType, bytes]] = {}
        self._pack: PackWriter | None = None
        self._stored: StoredIds | None = None
        self._has_pack = False
        self._moves: dict[str, tuple[ObjectId | None, ObjectId | None, str]] = {}
        self._head: tuple[str, str] | None = None
        self._files: dict[Path, bytes | None] = {}

    # -- collecting --------------------------------------------------------------------------

    def write_object(self, kind: ObjectType, payload: bytes) -> RawId:
        """Add one object, unless a whole copy is stored already; return its id."""
        self.write_hashed(raw := raw_object_id(kind, payload), kind, payload)
        return raw

    def write_hashed(self, raw: RawId, kind: ObjectType, payload: bytes) -> None:
        """Add one object whose id the caller computed, in a thread perhaps."""
        if raw in self._pending or (self._pack is not None and raw in self._pack):
            return
        is_there = (self._stored is None or raw in self._stored) and self.store.is_whole(raw)
        if is_there and is_settled(self.store, self._journal, raw):
            self._freshen(raw)
            return
        if self._pack is not None:
            self._pack.add_hashed(raw, kind, payload)
            return
        self._pending[raw] = (kind, payload)
        self._pending_bytes += len(payload)
        if len(self._pending) > SPILL_COUNT or self._pending_bytes > SPILL_BYTES:
            self._spill()

    def write_stream(self, kind: ObjectType, size: int, chunks: Iterable[bytes]) -> RawId:
        """Add one object of any size in bounded memory; return its id.

        Args:
            kind: Its type.
            size: Its payload's size in bytes.
            chunks: The payload; each is used at once and not kept.

        Raises:
            UsageError: The chunks do not add up to ``size``; nothing was stored.
        """
        if self._pack is not None:
            return self._pack.add_stream(kind, size, chunks)
        raw, folders = store_stream(self.store, kind, size, chunks, sync=self._each)
        self._sync_names(*folders)
        return raw

    def publish_pack(self) -> None:
        """Make durable now what goes into a pack, and let its memory go; nothing refers to it yet.

        Otherwise that happens when the block is left; what is written later goes into another one.
        """
        if self._pack is not None:
            self._pack.finish()
            self._pack, self._stored, self._has_pack = None, None, True
            self.store.refresh()

    def set_ref(self, name: str, new: ObjectId | None, *, old: ObjectId | None, log: str) -> None:
        """Move a ref when the block is left, if it is still where the caller saw it.

        Args:
            name: The full name.
            new: Where to; None deletes it.
            old: Where it is; None means that it must not exist.
            log: The reflog's message.
        """
        self._refs.check_place(name, self._ways)
        self._moves[name] = (old, new, log)

    def set_head(self, *, ref: str | None = None, commit: ObjectId | None = None, log: str) -> None:
        """Attach HEAD to a branch, or detach it at a commit, when the block is left.

        Args:
            ref: The branch's full name, or None to detach.
            commit: Where to detach.
            log: The reflog's message.
        """
        if ref is not None and not ref.startswith(HEADS):
            raise UsageError(f"HEAD cannot be attached to {ref}.", hint="Name a branch.")
        self._head = (Head(None, ref, commit).encode(), log)

    def write_file(self, path: Path, data: bytes) -> None:
        """Replace a durable file under ``.muse/`` when the block is left, after the refs."""
        self._files[path] = data

    def remove_file(self, path: Path) -> None:
        """Remove one when the block is left, after the refs."""
        self._files[path] = None

    def _sync_names(self, *folders: Path) -> None:
        for folder in folders if self._each else ():
            sync_dir(folder)
            # Its own name may be of a writer that died, or of a record that was applied unsynced.
            sync_dir(folder.parent)
        self._unsynced = not self._each

    def _freshen(self, raw: RawId) -> None:
        # So that a prune beside us does not take what we just relied on.
        with contextlib.suppress(OSError):
            os.utime(self.store.loose_path(raw))

    def _spill(self) -> None:
        from muse.core.pack import PackWriter  # start-up time: an everyday commit needs neither
        from muse.core.stored_ids import StoredIds

        self._pack, self._stored = PackWriter(self.root), StoredIds(self.store)
        for raw, (kind, payload) in self._pending.items():
            self._pack.add_hashed(raw, kind, payload)
        self._pending.clear()
        self._pending_bytes = 0

    # -- publishing --------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._lock.acquire()
        self._waived_before = durability.waive_syncs(self._level == durability.NONE)
        try:
            self._journal = self._recover()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            if self._pack is not None:
                self._pack.abandon()
            self._leave()

    def _leave(self) -> None:
        durability.waive_syncs(self._waived_before)
        self._lock.release()

    def _recover(self) -> journal.Journal:
        known = self.store.journal
        mark = journal.mark(self.root)
        if known is not None and known[0] == mark and isinstance(known[1], journal.Journal):
            found = known[1]
        else:
            # Another writer may have died between our opening and our lock.
            found, _ = journal.recover(self.store)
        return journal.checkpoint(self.root) if journal.is_large(found) else found

    def _publish(self) -> None:
        head_before = self._refs.head_text()
        self._check_refs()
        stage = self._stage_change()
        self._publish_bulk()
        # The boundary before the refs that need it, the stage after those that it is a delta to.
        refs = [*self._ref_moves(), *self._head_moves()]
        files = [*self._file_moves("shallow"), *refs, *self._file_moves("trash/", "code/stage.")]
        lines = [*self._reflog_lines(head_before), *self._operation_lines(head_before, stage)]
        objects = tuple(
            (raw, frame_header(kind, len(payload)) + payload)
            for raw, (kind, payload) in self._pending.items()
        )
        dropped = tuple(f"logs/{name}" for name, (_, new, _) in self._moves.items() if new is None)
        # Settings that change alone need no record; with anything else, both happen or neither.
        settings = [*self._file_moves(CONFIG)] if files or lines else []
        record = Record(objects, (*files, *settings), tuple(lines), dropped)
        if any(record):
            after = journal.append(self.root, record, self._journal)
            try:
                # A log that could not be written waits for the next one, who has to recover.
                whole = journal.apply_record(self.store, record, self._ways)
                if settings and whole:
                    # People edit them by hand: no journal may put an older content back.
                    with contextlib.suppress(StorageError):
                        after = journal.checkpoint(self.root)
                self.store.journal = (journal.mark(self.root), after) if whole else None
            except StorageError as error:
                error.hint = (
                    "What it recorded is durable, and the next command that can write completes "
                    "it: look with 'muse status' before you repeat this one."
                )
                raise
        recorded = {muse_dir(self.root) / move.path for move in record.files}
        for path in [path for path in self._files if path not in recorded]:
            replace_durably(path, self._files[path])

    def _check_refs(self) -> None:
        gone = {name for name, (_, new, _) in self._moves.items() if new is None}
        # One that exists stands beside all others already: to move it, none need be listed.
        made = {n for n, (old, new, _) in self._moves.items() if new is not None and old is None}
        names = (set(self._refs.iter_names()) - gone) | made if made else set()
        for name, (old, _, _) in self._moves.items():
            actual = self._refs.read(name)
            if actual != old:
                raise RefChangedError(name, expected=old or "", actual=actual or "")
        check_no_clash(names, made)

    def _publish_bulk(self) -> None:
        self.publish_pack()
        # The last one's writer may have died before its folder's sync.
        if not self._has_pack and self.store.packs():
            settle_packs(self.root)
        for raw in [r for r, (_, payload) in self._pending.items() if len(payload) > BIG_BYTES]:
            kind, payload = self._pending.pop(raw)
            frame = frame_header(kind, len(payload)) + payload
            folder = Path(self.store.loose_path(raw)).parent
            make_dirs(folder)
            self.store.write_loose(raw, frame, durable=self._each)
            self._sync_names(folder)
        # The record must not outrun the bytes and the name of what it refers to.
        if self._unsynced:
            sync_filesystem(muse_dir(self.root))

    def _ref_moves(self) -> Iterator[FileMove]:
        # Deletions first, so that a rename from `a` to `a/b` finds its folder free.
        for name, (old, new, _) in sorted(self._moves.items(), key=lambda move: bool(move[1][1])):
            before = journal.digest(f"{old}\n".encode() if old else None)
            yield FileMove(name, before, f"{new}\n".encode() if new else None)

    def _head_moves(self) -> Iterator[FileMove]:
        if self._head is not None:
            before = read_bytes(head_path(self.root), doing="read HEAD", limit=REF_BYTES)
            after = self._head[0].encode("utf-8", "surrogateescape")
            yield FileMove("HEAD", journal.digest(before), after)

    def _file_moves(self, *names: str) -> Iterator[FileMove]:
        for path in self._files:
            name = path.relative_to(muse_dir(self.root)).as_posix()
            if not name.startswith(names):
                continue
            before = read_bytes(path, doing="read", limit=STAGE_BYTES)
            yield FileMove(name, journal.digest(before), self._files[path])

    def _reflog_lines(self, head_before: str) -> Iterator[tuple[str, bytes]]:
        head_after = self._head[0] if self._head else head_before
        for name, (old, new, log) in self._moves.items():
            if new is None:
                continue
            line = encode_entry(ReflogEntry(old, new, self._who, log))
            yield f"logs/{name}", line
            if self._head is None and head_before == f"ref: {name}\n":
                yield "logs/HEAD", line
        if self._head is not None:
            before = self._resolve_head(head_before, moved=0)
            after = self._resolve_head(head_after, moved=1)
            yield "logs/HEAD", encode_entry(ReflogEntry(before, after, self._who, self._head[1]))

    def _resolve_head(self, text: str, *, moved: int) -> ObjectId | None:
        if text.startswith("ref: "):
            name = text[5:].strip()
            if name in self._moves:
                old, new, _ = self._moves[name]
                return new if moved else old
            return self._refs.read(name)
        return ObjectId(text[8:].strip())

    def _stage_change(self) -> tuple[str, str] | None:
        path = stage_path(self.root)
        if path not in self._files:
            return None
        before = read_bytes(path, doing="read the stage", limit=STAGE_BYTES)
        after = self._files[path]
        if before == after:
            return None
        ids = [
            from_raw(self.write_object("blob", data)) if data is not None else ""
            for data in (before, after)
        ]
        return ids[0], ids[1]

    def _operation_lines(
        self, head_before: str, stage: tuple[str, str] | None
    ) -> Iterator[tuple[str, bytes]]:
        head = (head_before, self._head[0]) if self._head else None
        if not (self._moves or head or stage or self.details):
            return
        who = f"{self._who.name} <{self._who.email}>"
        operation = Operation(
            os.urandom(8).hex(),
            self._operation,
            self.summary,
            int(time.time()),
            who,
            refs=tuple((name, old, new) for name, (old, new, _) in self._moves.items()),
            head=head,
            stage=stage,
            details=self.details,
        )
        path = operations_path(self.root).relative_to(muse_dir(self.root)).as_posix()
        yield path, encode_operation(operation)
