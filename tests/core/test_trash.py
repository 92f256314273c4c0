"""The trash keeps what was discarded, names it for gc, and tells damage from absence."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.errors import CorruptFileError, NotFoundError
from muse.core.trash import (
    TrashEntry,
    TrashItem,
    encode_entry,
    entry_path,
    expire_trash,
    iter_trash_ids,
    new_entry,
    read_entry,
    read_trash,
)
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, RawId, from_raw

files = st.none() | st.tuples(
    st.sampled_from([MODE_FILE, MODE_EXEC, MODE_LINK]),
    st.binary(min_size=32, max_size=32).map(RawId),
)
items = st.builds(TrashItem, st.binary(min_size=1), files, files, st.booleans())


def put(root: Path, entry: TrashEntry) -> None:
    """Write an entry as a transaction does."""
    path = entry_path(root, entry.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_entry(entry))


@given(drawn=st.lists(items, max_size=5), flip=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_an_entry_comes_back_whole_or_is_an_error(drawn: list[TrashItem], flip: int) -> None:
    """What is read is what was written, for any name; one changed bit is an error (G4)."""
    with tempfile.TemporaryDirectory() as folder:
        check_entry(Path(folder), drawn, flip)


def check_entry(root: Path, drawn: list[TrashItem], flip: int) -> None:
    """Write an entry, read it, and read it with one bit changed."""
    entry = new_entry("restore", drawn)
    put(root, entry)
    assert read_entry(root, entry.id) == entry
    assert read_trash(root) == [entry]
    named = [entry[1] for item in drawn for entry in (item.was, item.now) if entry]
    assert list(iter_trash_ids(root)) == named
    path = entry_path(root, entry.id)
    data = bytearray(path.read_bytes())
    # gc looks for ids as text.
    assert all(from_raw(raw).encode() in data for raw in named)
    data[flip % len(data)] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptFileError):
        read_entry(root, entry.id)
    assert read_trash(root) == []
    with pytest.raises(CorruptFileError):
        list(iter_trash_ids(root))


def test_newest_first_and_expiry(tmp_path: Path) -> None:
    """Entries are listed newest first, and go when they are older than the limit."""
    entries = [TrashEntry(f"{n:013d}-0", "x", float(n), ()) for n in (100, 200, 300)]
    for entry in entries:
        put(tmp_path, entry)
    assert [entry.time_s for entry in read_trash(tmp_path)] == [300, 200, 100]
    assert expire_trash(tmp_path, older_than_s=150, now_s=350.0) == 1
    assert [entry.time_s for entry in read_trash(tmp_path)] == [300, 200]


def test_nothing_there(tmp_path: Path) -> None:
    """No folder is no trash, and an unknown entry says so."""
    assert read_trash(tmp_path) == []
    assert expire_trash(tmp_path) == 0
    for name in ("nosuch", "../../etc/passwd"):
        with pytest.raises(NotFoundError):
            read_entry(tmp_path, name)


def test_temps_in_the_folder_are_no_entries(tmp_path: Path) -> None:
    """A temp that a killed writer left is not listed."""
    put(tmp_path, TrashEntry("1-0", "x", 1.0, ()))
    (tmp_path / ".muse/trash/.muse-tmp-+1-a.msgpack").write_bytes(b"")
    assert [entry.id for entry in read_trash(tmp_path)] == ["1-0"]
    assert len(os.listdir(tmp_path / ".muse/trash")) == 2
