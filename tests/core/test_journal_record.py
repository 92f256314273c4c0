"""A journal that somebody made up writes nothing outside the repository (G11)."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse.core import codec
from muse.core.errors import IoFailedError
from muse.core.journal import read_journal, wal_path
from muse.core.journal_record import FileMove, Record, decode_record, encode_record
from muse.core.paths import lock_path, logs_dir
from muse.core.repo import open_repo
from muse.core.types import RawId
from muse.ops.init import init
from tests.core.repos import commit_files

IDS = st.binary(min_size=32, max_size=32)
NAMES = st.sampled_from(
    ["refs/heads/main", "refs/tags/v/1", "code/stage.msgpack", "HEAD", "config.toml", "trash/1-a"]
)
LOGS = st.sampled_from(["logs/HEAD", "logs/refs/heads/a", "logs/operations"])
MOVES = st.builds(FileMove, NAMES, st.binary(max_size=32), st.none() | st.binary())
LINES = st.tuples(LOGS, st.binary().filter(lambda line: b"\n" not in line))
RECORDS = st.builds(
    Record,
    st.lists(st.tuples(IDS, st.binary())).map(tuple),
    st.lists(MOVES).map(tuple),
    st.lists(LINES).map(tuple),
    st.lists(LOGS).map(tuple),
)
HOSTILE = ["../x", "refs/../../x", "/etc/x", "logs/../../../x", "", "repo.json", "a\0b"]


@given(record=RECORDS)
def test_round_trip(record: Record) -> None:
    """What was written is what is read."""
    assert decode_record(b"".join(encode_record(record))) == record


def test_a_large_one_comes_in_pieces() -> None:
    """They are the bytes that msgpack would write, and what is large is one of them."""
    stage = FileMove("code/stage.msgpack", b"", b"x" * 70_000)
    record = Record(
        ((RawId(bytes(32)), b"frame"),), (stage, FileMove("HEAD", b"", None)), (), ("logs/a",)
    )
    pieces = encode_record(record)
    assert stage.after in pieces
    assert b"".join(pieces) == codec.pack([list(record.objects), *map(list, record[1:])])
    assert decode_record(b"".join(pieces)) == record


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("part", [1, 2, 3])
def test_paths_that_lead_elsewhere(tmp_path: Path, path: str, part: int) -> None:
    """A well-hashed record that names another file is none, and opening writes nothing."""
    parts: list[list[object]] = [[], [], [], []]
    parts[part] = [[[path, b"", b"evil"], [path, b"evil"], path][part - 1]]
    body = codec.pack(parts)
    with pytest.raises(codec.CodecError):
        decode_record(body)
    root = tmp_path / "repo"
    init(root)
    data = struct.pack(">Q32s", len(body), hashlib.sha256(body).digest()) + body
    wal_path(root).parent.mkdir(exist_ok=True)
    wal_path(root).write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    assert read_journal(root).records == ()
    assert open_repo(root).recovered == 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", ["lock", "wal", "log"])
def test_a_link_does_not_lead_out(tmp_path: Path, place: str) -> None:
    """A repository that came with links in it cannot have another file overwritten."""
    root, other = tmp_path / "repo", tmp_path / "mine"
    init(root)
    other.write_text("mine\n")
    path = {"lock": lock_path(root), "wal": wal_path(root), "log": logs_dir(root) / "HEAD"}[place]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(other)
    if place == "log":
        commit_files(open_repo(root), {b"x": b"x"})
    else:
        with pytest.raises(IoFailedError):
            commit_files(open_repo(root), {b"x": b"x"})
    assert other.read_text() == "mine\n"
