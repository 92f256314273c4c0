"""The record of a checkout under way: what tells, after a kill, whose the half-written files are.

It is durable before the first file of the working tree is touched and goes away after HEAD has
moved. While it is there and HEAD has not moved, a file may be as in either of two trees, and both
are stored. So the same switch finishes, or a switch back undoes it, without a complaint about
files that only Muse has changed (G5).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from muse.core.codec import CodecError, seal, unseal
from muse.core.errors import StorageError
from muse.core.io import read_bytes, write_bytes_atomic
from muse.core.paths import muse_dir
from muse.core.plain_files import RECORD_BYTES
from muse.core.refs import RefStore
from muse.core.types import RawId

_FORMAT: Final = 1


class CheckoutRecord(NamedTuple):
    """A checkout that began.

    Attributes:
        command: What to type to finish it, as in ``switch topic``.
        back: What to type to go back; empty when nothing was checked out before.
        head: The HEAD file's text when it began.
        commit: The id of the commit that HEAD led to; empty for a branch without commits.
        trees: The tree that the working tree is brought to, and those of interrupted checkouts
            before it: a file may be as in any of them.
        time_s: When it began.
    """

    command: str
    back: str
    head: str
    commit: str
    trees: tuple[RawId, ...]
    time_s: int


def checkout_record_path(root: Path) -> Path:
    """Return the record's file."""
    return muse_dir(root) / "code" / "checkout.msgpack"


def write_checkout_record(root: Path, record: CheckoutRecord) -> None:
    """Write the record; durable on return."""
    data = seal({"format": _FORMAT, **record._asdict()})
    write_bytes_atomic(checkout_record_path(root), data, durable=True)


def read_interrupted_checkout(root: Path) -> CheckoutRecord | None:
    """Return the checkout that was interrupted, or None.

    HEAD moves last: once it is not where it was, the checkout is complete, whether or not its
    record is gone. Callers without the write lock may be told of one that is still running.
    """
    data = read_bytes(
        checkout_record_path(root), doing="look for an interrupted checkout", limit=RECORD_BYTES
    )
    record = _decode(data) if data else None
    if record is None:
        return None
    refs = RefStore(root)
    is_pending = refs.head_text() == record.head and (refs.head().commit or "") == record.commit
    return record if is_pending else None


def is_readable_record(root: Path) -> bool:
    """Tell whether a record that is there can be read as one."""
    path = checkout_record_path(root)
    try:
        data = read_bytes(path, doing="look for an interrupted checkout", limit=RECORD_BYTES)
    except StorageError:
        return False
    return data is None or _decode(data) is not None


def _decode(data: bytes) -> CheckoutRecord | None:
    # A record that cannot be read is no record: then the files are judged against HEAD alone,
    # which refuses more and overwrites nothing.
    try:
        value = unseal(data)
        if value["format"] != _FORMAT:
            return None
        return CheckoutRecord(
            str(value["command"]),
            str(value["back"]),
            str(value["head"]),
            str(value["commit"]),
            tuple(RawId(bytes(tree)) for tree in value["trees"]),
            int(value["time_s"]),
        )
    except (CodecError, KeyError, TypeError, ValueError):
        return None
