"""What was discarded and can be taken back.

The content is stored as blobs first, then an entry ``.muse/trash/<id>.msgpack`` names it, and only
then is the working tree touched: a kill at any point loses nothing (G12). Ids stand in the entry
as text, so that `gc` finds what it must keep without knowing this format.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.codec import CodecError, seal, unseal
from muse.core.errors import CorruptFileError, NotFoundError
from muse.core.io import io_errors, read_bytes, remove_file
from muse.core.paths import trash_dir
from muse.core.plain_files import STAGE_BYTES
from muse.core.types import FILE_MODES, RawId, from_raw, is_object_id, to_raw

KEPT_S: Final = 30 * 86_400
_FORMAT: Final = 1
_SUFFIX: Final = ".msgpack"

FileEntry = tuple[int, RawId]


class TrashItem(NamedTuple):
    """One file that was discarded.

    Attributes:
        path: Where it is.
        was: Mode and content before; None when there was no file.
        now: Mode and content that the command left there; None when it left no file.
        was_untracked: Whether neither HEAD nor the stage had it.
    """

    path: bytes
    was: FileEntry | None
    now: FileEntry | None
    was_untracked: bool = False


class TrashEntry(NamedTuple):
    """What one command discarded.

    Attributes:
        id: Its file's name; sorts by time.
        command: The command, for people.
        time_s: When.
        items: The files.
    """

    id: str
    command: str
    time_s: float
    items: tuple[TrashItem, ...]


def new_entry(command: str, items: Sequence[TrashItem]) -> TrashEntry:
    """Make an entry with an id of its own."""
    now_ns = time.time_ns()
    name = f"{now_ns // 1_000_000:013d}-{os.urandom(4).hex()}"
    return TrashEntry(name, command, now_ns / 1e9, tuple(items))


def entry_path(root: Path, entry_id: str) -> Path:
    """Return an entry's file."""
    return trash_dir(root) / (entry_id + _SUFFIX)


def encode_entry(entry: TrashEntry) -> bytes:
    """Encode an entry for `Transaction.write_file`; its blobs belong to the same transaction."""
    items = [
        [item.path, _encode_file(item.was), _encode_file(item.now), item.was_untracked]
        for item in entry.items
    ]
    return seal({"format": _FORMAT, "command": entry.command, "time": entry.time_s, "items": items})


def read_entry(root: Path, entry_id: str) -> TrashEntry:
    """Read one entry.

    Raises:
        NotFoundError: There is none of this id (any more).
        CorruptFileError: It is damaged.
    """
    path = entry_path(root, entry_id)
    data = None if "/" in entry_id else read_bytes(path, doing="read the trash", limit=STAGE_BYTES)
    if data is None:
        raise NotFoundError(
            f"The trash has no entry {entry_id}.", hint="It may have expired, or been taken back."
        )
    try:
        return _decode(entry_id, data)
    except CodecError as error:
        raise CorruptFileError(
            os.fspath(path),
            reason=str(error),
            hint="The other entries are not affected. What it named may still be found with "
            "'muse verify', which lists objects that nothing refers to.",
        ) from error


def read_trash(root: Path) -> list[TrashEntry]:
    """Return the entries, newest first; damaged ones are left out."""
    entries = []
    for entry_id in _entry_ids(root):
        with contextlib.suppress(CorruptFileError, NotFoundError):
            entries.append(read_entry(root, entry_id))
    entries.reverse()
    return entries


def iter_trash_ids(root: Path) -> Iterator[RawId]:
    """Yield every blob that the trash may bring back, for `gc`.

    Raises:
        CorruptFileError: An entry is damaged, so nobody knows what it names.
    """
    for entry_id in _entry_ids(root):
        with contextlib.suppress(NotFoundError):
            for item in read_entry(root, entry_id).items:
                yield from (entry[1] for entry in (item.was, item.now) if entry is not None)


def expire_trash(root: Path, *, older_than_s: float = KEPT_S, now_s: float | None = None) -> int:
    """Drop entries that are older than a time; return how many.

    The blobs stay until `gc` finds that nothing names them.
    """
    limit_s = (time.time() if now_s is None else now_s) - older_than_s
    dropped = 0
    for entry in read_trash(root):
        if entry.time_s < limit_s and remove_file(entry_path(root, entry.id)):
            dropped += 1
    return dropped


def _entry_ids(root: Path) -> list[str]:
    folder = trash_dir(root)
    with io_errors("list the trash", folder):
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return []
    return sorted(
        name.removesuffix(_SUFFIX)
        for name in names
        if name.endswith(_SUFFIX) and not name.startswith(".")
    )


def _decode(entry_id: str, data: bytes) -> TrashEntry:
    value = unseal(data)
    try:
        if value["format"] != _FORMAT:
            raise CodecError("it is of a format that this program does not know")
        items = tuple(
            TrashItem(bytes(path), _decode_file(was), _decode_file(now), bool(untracked))
            for path, was, now, untracked in value["items"]
        )
        return TrashEntry(entry_id, str(value["command"]), float(value["time"]), items)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, CodecError):
            raise
        raise CodecError("fields are missing") from error


def _encode_file(entry: FileEntry | None) -> list[object] | None:
    return None if entry is None else [entry[0], str(from_raw(entry[1]))]


def _decode_file(value: object) -> FileEntry | None:
    if value is None:
        return None
    mode, oid = value if isinstance(value, list) and len(value) == 2 else (0, None)
    if mode not in FILE_MODES or not isinstance(oid, str) or not is_object_id(oid):
        raise CodecError("a file is malformed")
    return mode, to_raw(oid)
