"""The record of a checkout under way: what tells, after a kill, whose the half-written files are.

It is durable before the first file of the working tree is touched and goes away after HEAD has
moved. While it is there and HEAD has not moved, a file may be as in either of two trees, and both
are stored; so the same switch finishes, or a switch back undoes it, without a complaint about
files that only Muse has changed (G5).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from muse.core.codec import CodecError, seal, unseal
from muse.core.io import read_bytes, write_bytes_atomic
from muse.core.paths import head_path, muse_dir
from muse.core.types import RawId

_FORMAT: Final = 1


class CheckoutRecord(NamedTuple):
    """A checkout that began.

    Attributes:
        command: What to type to finish it, as in ``switch topic``.
        before: The HEAD file's text when it began.
        after: What the HEAD file's text will be.
        from_tree: The tree that was checked out.
        to_tree: The tree that was to be.
        time_s: When it began.
    """

    command: str
    before: str
    after: str
    from_tree: RawId
    to_tree: RawId
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

    A checkout that has moved HEAD is complete, whether or not its record is gone. Callers that do
    not hold the write lock may be told of one that is still running.
    """
    data = read_bytes(checkout_record_path(root), doing="look for an interrupted checkout")
    record = _decode(data) if data else None
    if record is None:
        return None
    head = read_bytes(head_path(root), doing="read HEAD") or b""
    if record.before != record.after and head.decode("utf-8", "surrogateescape") == record.after:
        return None
    return record


def _decode(data: bytes) -> CheckoutRecord | None:
    # A record that cannot be read is no record: then the files are judged against HEAD alone,
    # which refuses more and overwrites nothing.
    try:
        value = unseal(data)
        if value["format"] != _FORMAT:
            return None
        return CheckoutRecord(
            str(value["command"]),
            str(value["before"]),
            str(value["after"]),
            RawId(bytes(value["from_tree"])),
            RawId(bytes(value["to_tree"])),
            int(value["time_s"]),
        )
    except (CodecError, KeyError, TypeError, ValueError):
        return None
