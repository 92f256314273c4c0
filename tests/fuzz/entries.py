"""The entry points: each takes any bytes, and may fail with a typed error only.

What a parser gets here is what the file would hold. Nothing touches a disk: the overlay through
which a journal is read answers for the files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from muse.core import codec
from muse.core.commits import ObjectFormatError, parse_commit, parse_tag
from muse.core.config import read_tables, set_value
from muse.core.errors import MuseError
from muse.core.ignore_pattern import parse_ignore_file
from muse.core.journal import read_journal, wal_path
from muse.core.ledger import ledger_path, read_ledger
from muse.core.operations import encode_operation, operations_path, read_operations
from muse.core.overlay import overlay_files
from muse.core.paths import config_path, head_path, muse_dir
from muse.core.reflog import count_damaged_lines, encode_entry, read_reflog, reflog_path
from muse.core.refs import RefStore, check_ref_name
from muse.core.stage import decode_stage, encode_stage
from muse.core.stat_cache_file import decode_stat_cache
from muse.core.trash import entry_path, read_entry
from muse.core.trees import TreeFormatError, check_tree, format_tree, parse_tree
from muse.remotes import wire_fields as fields
from muse.remotes.store_document import parse_document
from muse.remotes.wire_errors import decode_error, encode_error
from muse.remotes.wire_frames import FrameParser, Message, WireError, encode_frame
from muse.remotes.wire_records import RecordReader, take_records

# What a parser may raise; all but the first say what is wrong to a caller that knows the file.
TYPED: Final = (MuseError, codec.CodecError, ObjectFormatError, TreeFormatError, WireError)
# Nothing exists here, so that nothing but the overlay answers.
ROOT: Final = Path("/nonexistent/fuzz")


def _file(path: Path, data: bytes) -> None:
    overlay_files({os.fspath(path): data})


def journal(data: bytes) -> None:
    """Any bytes as the journal: whole records, then nothing."""
    _file(wal_path(ROOT), data)
    assert read_journal(ROOT).end <= len(data)


def record(data: bytes) -> None:
    """Any bytes as the body of a record whose hash fits; it names nothing outside."""
    header = struct.pack(">Q32s", len(data), hashlib.sha256(data).digest())
    _file(wal_path(ROOT), header + data)
    for found in read_journal(ROOT).records:
        names = [move.path for move in found.files]
        names += [path for path, _ in found.lines] + list(found.dropped)
        base = os.fspath(muse_dir(ROOT)) + os.sep
        assert all(os.path.normpath(base + name).startswith(base) for name in names)


def stage(data: bytes) -> None:
    """Any bytes as the stage; what decodes comes back."""
    found = decode_stage(data)
    assert decode_stage(encode_stage(found)) == found


def sealed_stage(data: bytes) -> None:
    """Any bytes as a stage whose seal fits."""
    stage(_seal(data))


def stat_cache(data: bytes) -> None:
    """Any bytes as the stat cache whose seal fits: a cache, or none."""
    decode_stat_cache(memoryview(bytearray(_seal(data))))


def operations(data: bytes) -> None:
    """Any bytes as the operation log; what is read can be written."""
    _file(operations_path(ROOT), data)
    for operation in read_operations(ROOT):
        encode_operation(operation)


def ledger(data: bytes) -> None:
    """Any bytes as the ledger of sweeps."""
    _file(ledger_path(ROOT), data)
    read_ledger(ROOT)


def reflog(data: bytes) -> None:
    """Any bytes as a reflog: each line is read or counted as damaged."""
    _file(reflog_path(ROOT, "HEAD"), data)
    entries = read_reflog(ROOT, "HEAD")
    lines = sum(map(bool, data.split(b"\n")))
    assert len(entries) + count_damaged_lines(ROOT, "HEAD") == lines
    for entry in entries:
        assert b"\n" not in encode_entry(entry)


def ref(data: bytes) -> None:
    """Any bytes as a ref."""
    _file(muse_dir(ROOT) / "refs/heads/main", data)
    RefStore(ROOT).read("refs/heads/main")


def head(data: bytes) -> None:
    """Any bytes as HEAD; what is read can be written."""
    _file(head_path(ROOT), data)
    RefStore(ROOT).head().encode()


def ref_name(data: bytes) -> None:
    """Any text as a ref's name: inside, or refused."""
    name = data.decode("utf-8", "surrogateescape")
    base = os.fspath(muse_dir(ROOT)) + os.sep
    assert os.path.normpath(base + check_ref_name("refs/heads/" + name)).startswith(base)


def config(data: bytes) -> None:
    """Any bytes as settings; a value that is set is there."""
    _file(config_path(ROOT), data)
    read_tables(config_path(ROOT))
    changed = set_value(data, "user.name", "Ada")
    _file(config_path(ROOT), changed)
    tables = read_tables(config_path(ROOT))
    user = tables["user"]
    assert isinstance(user, Mapping)
    assert user["name"] == "Ada"


def ignore(data: bytes) -> None:
    """Any bytes as ignore rules."""
    parse_ignore_file(data)


def trash(data: bytes) -> None:
    """Any bytes as an entry of the trash whose seal fits."""
    _file(entry_path(ROOT, "1"), _seal(data))
    read_entry(ROOT, "1")


def tree(data: bytes) -> None:
    """Any bytes as a tree: what parses is written so that it parses the same."""
    # What comes over a wire is looked at in another way; it is stricter in one thing.
    passed = True
    try:
        check_tree(data)
    except (MuseError, TreeFormatError):
        passed = False
    try:
        found = parse_tree(data)
    except (MuseError, TreeFormatError):
        assert not passed
        raise
    # Not byte for byte: the mode 100664 of early git trees is read as 100644.
    assert parse_tree(format_tree(found)) == found
    assert passed == (len({entry.name for entry in found}) == len(found))


def commit(data: bytes) -> None:
    """Any bytes as a commit."""
    parse_commit(data)


def tag(data: bytes) -> None:
    """Any bytes as a tag."""
    parse_tag(data)


def wire_stream(data: bytes) -> None:
    """Any bytes as what comes over a wire: the same messages however it is cut, or an error."""
    whole, pieces = FrameParser(), FrameParser()
    found: list[Message] = []
    whole.feed(data)
    try:
        while (message := whole.pop()) is not None:
            found.append(message)
    finally:
        for start in range(0, len(data), 3):
            pieces.feed(data[start : start + 3])
        for message in found:
            # As bytes: a float that is no number equals nothing, itself included.
            assert codec.pack(pieces.pop()) == codec.pack(message)
    for message in found:
        wire_message(encode_frame(message)[4:])


def wire_message(data: bytes) -> None:
    """Any bytes as a message: each field is what it should be, or refused."""
    parser = FrameParser()
    parser.feed(struct.pack(">I", len(data)) + data)
    message = parser.pop()
    assert message is not None
    _take_all(message)
    for record in RecordReader(iter([message, ["end"]]).__next__, source="fuzz"):
        assert len(record.raw) == 32
    for record in take_records(data, source="fuzz"):
        assert record.size >= 0
        assert record.stored is not None


def _take_all(message: Message) -> None:
    """Give each field to each function that takes one."""
    takers: tuple[Callable[[object], object], ...] = (
        fields.take_ref,
        fields.take_updates,
        fields.take_page,
        lambda value: fields.take_person(value, time_s=0),
        lambda value: fields.take_bits(value, 12),
        lambda value: fields.take_text(value).encode("utf-8", "surrogateescape"),
    )
    for value in message[1:]:
        for take in takers:
            with contextlib.suppress(WireError):
                take(value)
    with contextlib.suppress(WireError):
        encode_error(decode_error(message[1:], url="fuzz"))


def store_document(data: bytes) -> None:
    """Any bytes as a store's document: what is read is written so that it reads the same."""
    found = parse_document(data, shown="here")
    assert parse_document(found.encode(), shown="here") == found


def _seal(data: bytes) -> bytes:
    return data + hashlib.sha256(data).digest()


ENTRIES: Final[Mapping[str, Callable[[bytes], None]]] = {
    entry.__name__: entry
    for entry in (
        journal, record, stage, sealed_stage, stat_cache, operations, ledger, reflog, ref, head,
        ref_name, config, ignore, trash, tree, commit, tag,
        wire_stream, wire_message,
        store_document,
    )
}  # fmt: skip
# Those whose bytes are msgpack: nonsense of the right shape gets deeper than noise.
PACKED: Final = ("record", "sealed_stage", "stat_cache", "trash", "wire_message")


def feed(name: str, data: bytes) -> None:
    """Give an entry point its bytes; anything but a typed error is a finding."""
    try:
        ENTRIES[name](data)
    except TYPED:
        return
