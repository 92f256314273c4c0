"""The operation log: what each command published, with the values before and after.

One JSON line an operation in ``.muse/logs/operations``, appended by the transaction that it tells
of. `undo` inverts the newest one. It is also a root for `gc`: what can be undone is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from muse.core.io import read_bytes
from muse.core.paths import logs_dir
from muse.core.plain_files import LOG_BYTES
from muse.core.types import ObjectId, RawId, is_object_id, to_raw


class Operation(NamedTuple):
    """One thing that was done.

    Attributes:
        id: Unique, sixteen hex digits.
        name: The verb, as in ``commit``.
        summary: One line for people.
        time_s: Unix time.
        who: Who did it, ``Name <mail>``.
        refs: (full name, before, after); None is absent.
        head: The HEAD file's text before and after; None when it did not move.
        stage: Blob ids of the stage file before and after; None when it did not move. An empty
            text inside stands for "no file".
        details: What else the inverse needs, as in ``{"trash": id}`` or ``{"undoes": id}``.
    """

    id: str
    name: str
    summary: str
    time_s: int
    who: str
    refs: tuple[tuple[str, ObjectId | None, ObjectId | None], ...] = ()
    head: tuple[str, str] | None = None
    stage: tuple[str, str] | None = None
    details: Mapping[str, str] = MappingProxyType({})


def operations_path(root: Path) -> Path:
    """Return the operation log."""
    return logs_dir(root) / "operations"


def encode_operation(operation: Operation) -> bytes:
    """Return an operation's line, without its newline."""
    record = {
        "id": operation.id,
        "name": operation.name,
        "summary": operation.summary,
        "time": operation.time_s,
        "who": operation.who,
        "refs": operation.refs,
        "head": operation.head,
        "stage": operation.stage,
        "details": dict(operation.details),
    }
    return json.dumps(record).encode("ascii")


def read_operations(root: Path) -> list[Operation]:
    """Return all operations, newest first, each once; lines torn by a crash are skipped."""
    data = read_bytes(operations_path(root), doing="read the operation log", limit=LOG_BYTES) or b""
    found: dict[str, Operation] = {}
    for line in data.split(b"\n"):
        if (op := _decode(line)) is not None:
            # Where a line stands twice, the first is in its place.
            found.setdefault(op.id, op)
    return list(reversed(found.values()))


def iter_operation_ids(root: Path) -> Iterator[RawId]:
    """Yield every object that some operation may bring back, for `gc`."""
    for operation in read_operations(root):
        names: list[str | None] = [oid for _, *pair in operation.refs for oid in pair]
        names += operation.stage or ()
        names += [text[8:].strip() for text in operation.head or () if text.startswith("commit: ")]
        yield from (to_raw(name) for name in names if name and is_object_id(name))


def _decode(line: bytes) -> Operation | None:
    try:
        record = json.loads(line)
        return Operation(
            id=str(record["id"]),
            name=str(record["name"]),
            summary=str(record["summary"]),
            time_s=int(record["time"]),
            who=str(record["who"]),
            refs=tuple((str(n), _oid(old), _oid(new)) for n, old, new in record["refs"]),
            head=_pair(record["head"]),
            stage=_pair(record["stage"]),
            details={str(k): str(v) for k, v in record["details"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _oid(value: object) -> ObjectId | None:
    return ObjectId(value) if isinstance(value, str) and is_object_id(value) else None


def _pair(value: object) -> tuple[str, str] | None:
    return (str(value[0]), str(value[1])) if isinstance(value, list) and len(value) == 2 else None
