"""One record of the journal: what a transaction publishes, and how it stands in the file.

A journal is data of the repository, and whoever made the repository may have made it: what it
names is checked before anything is written, so that it never leads outside `.muse` (G11).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from muse.core import codec
from muse.core.types import RAW_ID_SIZE, RawId

# Where a record may write.
_FILES: Final = ("refs/", "code/", "trash/")
_LOGS: Final = "logs/"


class FileMove(NamedTuple):
    """One mutable file's change.

    Attributes:
        path: Below ``.muse/``.
        before: SHA-256 of what was there; empty when there was nothing.
        after: What will be there; None to remove it.
    """

    path: str
    before: bytes
    after: bytes | None


class Record(NamedTuple):
    """What one transaction publishes.

    Attributes:
        objects: (id, frame) of each small new object.
        files: The shallow boundary, refs, HEAD, entries of the trash, the stage, and settings that
            change with them, in the order to write them.
        lines: (path below ``.muse/``, line) to append to logs.
        dropped: Logs to remove, those of deleted refs.
    """

    objects: tuple[tuple[RawId, bytes], ...]
    files: tuple[FileMove, ...]
    lines: tuple[tuple[str, bytes], ...]
    dropped: tuple[str, ...]


def encode_record(record: Record) -> list[bytes]:
    """Return a record's bytes, without header and hash: one piece, or several of a large one."""
    value = [list(record.objects), *map(list, record[1:])]
    if all(len(move.after or b"") < codec.LARGE for move in record.files):
        return [codec.pack(value)]
    # A record's parts, their moves, a move's fields.
    return list(codec.iter_packed(value, depth=3))


def decode_record(body: bytes) -> Record:
    """Read what `encode_record` wrote.

    Raises:
        CodecError: It is no record, or names what no record may touch.
    """
    value = codec.unpack(body)
    if not isinstance(value, list) or len(value) != 4 or not all(map(_is_list, value)):
        raise codec.CodecError("not a record")
    objects, files, lines, dropped = value
    try:
        return Record(
            tuple((_raw(raw), _bytes(frame)) for raw, frame in objects),
            tuple(
                FileMove(_file(path), _bytes(before), None if after is None else _bytes(after))
                for path, before, after in files
            ),
            tuple((_log(path), _line(line)) for path, line in lines),
            tuple(_log(path) for path in dropped),
        )
    except (TypeError, ValueError) as error:
        raise codec.CodecError(str(error)) from error


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise codec.CodecError("not bytes")
    return value


def _raw(value: object) -> RawId:
    if len(_bytes(value)) != RAW_ID_SIZE:
        raise codec.CodecError("not an id")
    return RawId(_bytes(value))


def _line(value: object) -> bytes:
    if b"\n" in _bytes(value):
        raise codec.CodecError("more than one line")
    return _bytes(value)


def _file(value: object) -> str:
    if value in {"HEAD", "shallow", "config.toml"}:
        return str(value)
    path = _path(value)
    if not path.startswith(_FILES):
        raise codec.CodecError("not a file that a record may write")
    return path


def _log(value: object) -> str:
    path = _path(value)
    if not path.startswith(_LOGS):
        raise codec.CodecError("not a log")
    return path


def _path(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise codec.CodecError("not a path")
    if not {"", ".", ".."}.isdisjoint(value.split("/")):
        raise codec.CodecError("a path that leads elsewhere")
    return value
