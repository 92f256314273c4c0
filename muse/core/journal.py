"""The journal: one record makes a whole transaction durable, whatever it moves.

``.muse/journal/wal`` is a run of records, each ``<8 bytes length> <32 bytes SHA-256> <msgpack>``.
A transaction appends its record and syncs the file: that is its commit point, one sync (two when
the file is new, for its name). Only then are loose objects, refs, HEAD, the stage and the logs
written, without any sync. A checkpoint makes those durable with one `syncfs` and unlinks the file.

Recovery never trusts: whoever opens the repository compares what the records say with what is
there, and writes what is missing or torn. That is idempotent, so it may be killed and repeated.
A record whose hash does not fit was never reported; it and what follows it are ignored.

INVARIANT: refs, HEAD and the stage change through the journal alone. A value that is none of
those a record has seen was put there by a person, and stays.

INVARIANT: a journal that a power cut brings back cannot undo a later change, since the name of
the journal that holds the later change was synced in the same folder after the unlink.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from muse.core import codec, io, overlay, shallow
from muse.core import journal_pieces as pieces
from muse.core.errors import IoFailedError, StorageError
from muse.core.journal_record import Record, decode_record, encode_record
from muse.core.object_store import ObjectStore
from muse.core.paths import journal_dir, muse_dir
from muse.core.plain_files import JOURNAL_BYTES
from muse.core.real_folders import Ways

# Every command that opens the repository compares what the records say: few, so that it is cheap.
MAX_RECORDS: Final = 16
MAX_BYTES: Final = 1 << 20
_HEADER: Final = struct.Struct(">Q32s")


class Journal(NamedTuple):
    """The journal as it lies on disk.

    Attributes:
        records: The whole ones, oldest first.
        end: Where they end in the file; what follows is a torn append.
    """

    records: tuple[Record, ...]
    end: int


@functools.lru_cache(maxsize=64)
def wal_path(root: Path) -> Path:
    """Return the journal's file."""
    return journal_dir(root) / "wal"


def digest(data: bytes | None) -> bytes:
    """Return what `FileMove.before` holds for a file's content."""
    return b"" if data is None else hashlib.sha256(data).digest()


def read_journal(root: Path) -> Journal:
    """Read the journal; empty when there is none.

    Raises:
        IoFailedError: It exists and cannot be read.
    """
    data = io.read_bytes(wal_path(root), doing="read the journal", limit=JOURNAL_BYTES) or b""
    records, at = [], 0
    while at + _HEADER.size <= len(data):
        size, wanted = _HEADER.unpack_from(data, at)
        body = data[at + _HEADER.size : at + _HEADER.size + size]
        if len(body) != size or hashlib.sha256(body).digest() != wanted:
            break
        try:
            records.append(decode_record(body))
        except codec.CodecError:
            break
        at += _HEADER.size + size
    return Journal(tuple(records), at)


def mark(root: Path) -> tuple[int, int, int]:
    """Return what tells this journal from any other: inode, size and time of its file."""
    try:
        status = os.stat(wal_path(root))
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def append(root: Path, record: Record, journal: Journal) -> Journal:
    """Append a record and sync it: the commit point of a transaction.

    Args:
        root: The repository's root; the caller holds its write lock.
        record: What is published.
        journal: The journal as it is, recovered.

    Returns:
        The journal as it is now.

    Raises:
        IoFailedError: The system refused; the record is taken back, nothing was published.

    Durability:
        Killed before the sync returns: the record is whole or ignored. After: it is done.
    """
    first, *rest = encode_record(record)
    whole = hashlib.sha256(first)
    for piece in rest:
        whole.update(piece)
    size = len(first) + sum(map(len, rest))
    first = _HEADER.pack(size, whole.digest()) + first
    path = wal_path(root)
    if not journal.end:
        make_folder(root)
    with io.io_errors("write the journal", path):
        # A repository is unpacked from anywhere: what stands here must not lead out of it.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path, flags, 0o644)
        try:
            # What a crash left behind the last whole record was never reported.
            os.ftruncate(fd, journal.end)
            try:
                if not journal.end:
                    # Before there is a record: whoever finds one knows that the name is durable.
                    io.sync_dir(path.parent)
                _write_at(fd, (first, *rest), journal.end)
                io.sync_fd(fd)
            except (OSError, IoFailedError):
                # A failed sync is final: this record must not come true after its error.
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, journal.end)
                doubt(root)
                raise
        finally:
            os.close(fd)
    return Journal((*journal.records, record), journal.end + _HEADER.size + size)


def make_folder(root: Path) -> None:
    """Make the journal's folder where no `init` has, as older programs' did not; durable.

    A writer that dies after it made the folder leaves a name that a power cut takes, with all
    that the next one records. So a mark stands beside it until the name is durable. The mark need
    not be: where a cut takes it, the folder is gone as well, or safe.
    """
    folder = journal_dir(root)
    mark = folder.with_name("journal-unsynced")
    if not folder.is_dir():
        io.write_bytes_atomic(mark, b"")
        io.make_dirs(folder)
    elif not mark.exists():
        return
    io.sync_dir(folder.parent)
    io.remove_file(mark)


def doubt(root: Path) -> None:
    """Remember that a sync failed: the next writer trusts no file that it was about.

    The system marks what it could not write as written, so that another sync of the same file
    would succeed and mean nothing. The mark need not be durable: it speaks of what is in memory
    only, and a power cut takes both.
    """
    with contextlib.suppress(IoFailedError):
        io.write_bytes_atomic(_doubt_path(root), b"")


def _doubt_path(root: Path) -> Path:
    return journal_dir(root) / "doubt"


def _renew(store: ObjectStore, journal: Journal) -> None:
    """Write everything that the journal moved, and the journal itself, into new files."""
    muse = muse_dir(store.root)
    for record in journal.records:
        for raw, frame in record.objects:
            store.write_loose(raw, frame, anew=True)
    moved = {move.path for record in journal.records for move in record.files}
    logs = {path for record in journal.records for path, _ in record.lines}
    for name in (*sorted(moved), *sorted(logs)):
        present = pieces.read_present(muse / name)
        # A log that cannot be read is no torn one: it is left as it is.
        if present:
            io.write_bytes_atomic(muse / name, present)
    path = wal_path(store.root)
    data = (io.read_bytes(path, doing="read the journal", limit=JOURNAL_BYTES) or b"")[
        : journal.end
    ]
    io.write_bytes_atomic(path, data, durable=True)
    io.remove_file(_doubt_path(store.root))


def _write_at(fd: int, pieces: Iterable[bytes], offset: int) -> None:
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            written = os.pwrite(fd, rest, offset)
            rest, offset = rest[written:], offset + written


def apply_record(store: ObjectStore, record: Record, ways: Ways) -> bool:
    """Write what a fresh record says, without syncs.

    Objects come first, so that a reader beside us never meets a ref that runs ahead of them.

    Returns:
        False when a log could not be changed: only the journal has its line, until a recovery.
    """
    muse = muse_dir(store.root)
    own = os.fspath(muse)
    whole = True
    for raw, frame in record.objects:
        store.write_loose(raw, frame)
    # Logs go before others are written: that of `a` stands in the way of that of `a/b`.
    for name in record.dropped:
        try:
            io.remove_file(muse / name)
        except IoFailedError:
            whole = False
    for path, line in record.lines:
        # The move itself is durable: a log that cannot be written must not make it fail.
        try:
            pieces.append_line(f"{own}/{path}", line, ways)
        except IoFailedError:
            whole = False
    for move in record.files:
        pieces.write_file(own, move.path, move.after, ways)
    return whole


def is_applied(store: ObjectStore, journal: Journal) -> bool:
    """Tell whether everything that the journal says is there, bytes compared."""
    return not any(_iter_missing(store, journal, every=False))


def recover(store: ObjectStore) -> tuple[Journal, int]:
    """Bring the repository to where its journal says, under the write lock.

    Returns:
        The journal, and how many objects and files had to be written.

    Raises:
        IoFailedError: The system refused; the journal stays and the next command goes on.
    """
    # INVARIANT: what is compared is what is on disk, never what was read through a journal: else
    # a checkpoint would retire a journal whose records are nowhere else.
    stop_seeing_through(store)
    journal = read_journal(store.root)
    doubted = _doubt_path(store.root).exists()
    if not journal.records and not doubted:
        return journal, 0
    try:
        if not is_applied(store, journal):
            # Its writer may have died before its sync. What this process goes on to report, were
            # it only that there is nothing to do, must not rest on what a power cut takes.
            io.sync_path(wal_path(store.root))
        missing = sum(_iter_missing(store, journal, every=True))
        if doubted:
            _renew(store, journal)
        return journal, missing
    except StorageError:
        see_through(store, journal)
        raise


def _iter_missing(store: ObjectStore, journal: Journal, *, every: bool) -> list[bool]:
    """Return a mark for each missing piece, written when ``every`` is set, else the first."""
    muse = muse_dir(store.root)
    own, ways = os.fspath(muse), Ways()
    found: list[bool] = []
    for path in _logs_to_drop(muse, journal):
        found.append(True)
        if not every:
            return found
        with contextlib.suppress(IoFailedError):
            io.remove_file(muse / path)
    for record in journal.records:
        for raw, frame in record.objects:
            if store.is_whole(raw):
                continue
            found.append(True)
            if not every:
                return found
            store.write_loose(raw, frame)
    for path, lines in _lines_of_logs(journal).items():
        if not pieces.missing_lines(muse / path, lines):
            continue
        found.append(True)
        if not every:
            return found
        pieces.complete_log(f"{own}/{path}", lines, ways)
    stale = _stale_files(muse, journal)
    for path, after in stale:
        found.append(True)
        if not every:
            return found
        pieces.write_file(own, path, after, ways)
    return found


def _logs_to_drop(muse: Path, journal: Journal) -> list[str]:
    """Return the logs of deleted refs that are still there, and have no newer line."""
    last: dict[str, bool] = {}
    for record in journal.records:
        last.update(dict.fromkeys((path for path, _ in record.lines), False))
        last.update(dict.fromkeys(record.dropped, True))
    return [path for path, dropped in last.items() if dropped and (muse / path).is_file()]


def _lines_of_logs(journal: Journal) -> dict[str, list[bytes]]:
    """Return the lines that each log must hold, oldest first."""
    logs: dict[str, list[bytes]] = {}
    for record in journal.records:
        for path, line in record.lines:
            logs.setdefault(path, []).append(line)
        # What was said of a ref before it was deleted is gone with it.
        for path in record.dropped:
            logs.pop(path, None)
    return logs


def _stale_files(muse: Path, journal: Journal) -> list[tuple[str, bytes | None]]:
    """Return the files that do not hold what the last record about them says."""
    known: dict[str, set[bytes]] = {}
    final: dict[str, bytes | None] = {}
    for record in journal.records:
        for move in record.files:
            known.setdefault(move.path, set()).update((move.before, digest(move.after)))
            final[move.path] = move.after
    stale = []
    for path, after in final.items():
        present = pieces.read_present(muse / path)
        if present == after:
            continue
        # What no record has seen was put there by a person, unless it is torn.
        if digest(present) in known[path] or not pieces.is_plausible(path, present or b""):
            stale.append((path, after))
    # Removals first: a ref `a` may have made way for `a/b`. Then where history ends, before the
    # refs that need it.
    return sorted(stale, key=lambda item: (item[1] is not None, item[0] != shallow.NAME))


def see_through(store: ObjectStore, journal: Journal) -> None:
    """Let this process read what the journal says, where it may not write it.

    For a read-only mount, a full disk, or a writer that is at it right now.
    """
    stop_seeing_through(store)
    muse = muse_dir(store.root)
    for record in journal.records:
        store.overlay.update(record.objects)
    overlay.overlay_files({os.fspath(muse / p): after for p, after in _stale_files(muse, journal)})


def stop_seeing_through(store: ObjectStore) -> None:
    """Read what is on disk again, whatever a journal says."""
    store.overlay.clear()
    overlay.drop_overlay(os.fspath(muse_dir(store.root)) + os.sep)


def is_large(journal: Journal) -> bool:
    """Tell whether it is time for a checkpoint."""
    return len(journal.records) >= MAX_RECORDS or journal.end >= MAX_BYTES


def checkpoint(root: Path) -> Journal:
    """Make durable what a recovered journal says, and retire it, under the write lock.

    Returns:
        The empty journal.

    Raises:
        IoFailedError: The sync failed; the journal stays.

    Durability:
        Killed between the sync and the unlink: the journal is replayed once more.
    """
    path = wal_path(root)
    if path.exists():
        try:
            io.sync_filesystem(path.parent)
        except IoFailedError:
            doubt(root)
            raise
        io.remove_file(path)
    return Journal((), 0)
