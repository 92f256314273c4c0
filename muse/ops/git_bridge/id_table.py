"""A durable map from one id to another, grown in segments and searched where it lies.

A segment is one file that never changes: ``magic | sizes | sorted records | fan-out | SHA-256``.
A record is a key and a value side by side. Ids are uniform, so the top bits of a key, looked up in
the fan-out, leave a run of a few records, which is searched in the mapped file: no Python object is
made for what is not asked for, and a table of a million ids opens in the time its hash takes.

Everything in a table can be computed again from the git repository it was made from. So a segment
that is torn, damaged, or made by other rules is ignored and reported, and never an error.

Durability:
    A segment is synced before it has a name. Killed at any point there is the segment or none,
    and merging removes the old segments only after the new one is durable.
"""

from __future__ import annotations

import hashlib
import heapq
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from muse.core import temps
from muse.core.errors import IoFailedError
from muse.core.io import NewFile, make_dirs, remove_file, sync_dir
from muse.core.paths import temp_folder

# Counted up when the same git object would become another Muse object than before.
RULES: Final = 1
_HEADER: Final = struct.Struct("<8sBBBBI")  # magic, rules, key size, value size, fan-out bits, 0
_RUN: Final = struct.Struct("<2I")
_MAGIC: Final = b"MUSE-IDS"
_SEAL: Final = 32
_BUCKET_RECORDS: Final = 8
_MAX_SEGMENTS: Final = 6
_CHUNK_RECORDS: Final = 20_000
_SUFFIX: Final = ".ids"


class IdTable:
    """One direction of a mapping between ids.

    Args:
        folder: Where the segments lie; made when the first one is written.
        name: How their file names begin.
        key_size: Bytes of a key.
        value_size: Bytes of a value.

    Attributes:
        damaged: File names of segments that were ignored.
    """

    def __init__(self, folder: Path, name: str, *, key_size: int, value_size: int) -> None:
        self._folder = folder
        self._name = name
        self._key_size = key_size
        self._value_size = value_size
        self._segments: dict[str, _Segment] = {}
        self.damaged: list[str] = []
        for file_name in self._file_names():
            self._open(file_name)

    def _file_names(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(n for n in names if n.startswith(self._name + ".") and n.endswith(_SUFFIX))

    def _open(self, file_name: str) -> None:
        path = self._folder / file_name
        try:
            segment = _Segment.open(path, key_size=self._key_size, value_size=self._value_size)
        except FileNotFoundError:
            return  # merged into another one by a concurrent run
        if segment is None:
            self.damaged.append(file_name)
        else:
            self._segments[file_name] = segment

    def find(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        for segment in self._segments.values():
            value = segment.find(key)
            if value is not None:
                return value
        return None

    def __len__(self) -> int:
        """Count the records; a key in two segments counts twice."""
        return sum(len(segment) for segment in self._segments.values())

    def append(self, pairs: Mapping[bytes, bytes]) -> None:
        """Add pairs, durable when this returns; a pair that is there may be added again."""
        if pairs:
            records = sorted(key + value for key, value in pairs.items())
            self._write(records, at_most=len(records))
            if len(self._segments) > _MAX_SEGMENTS:
                self.merge()

    def merge(self) -> None:
        """Make one segment of all, and drop those that cannot be read."""
        old = list(self._segments)
        if len(old) > 1:
            records = _unique(heapq.merge(*self._segments.values()))
            merged = self._write(records, at_most=len(self))
            # INVARIANT: the merged segment is durable here; a kill leaves pairs twice, never less.
            for file_name in old:
                if file_name != merged:
                    self._segments.pop(file_name).close()
                    remove_file(self._folder / file_name)
        for file_name in self.damaged:
            remove_file(self._folder / file_name)
        self.damaged.clear()

    def _write(self, records: Iterable[bytes], *, at_most: int) -> str:
        make_dirs(self._folder, durable=True)
        temps_folder = Path(temp_folder(self._folder / self._name))
        make_dirs(temps_folder)
        with NewFile(temps_folder, family=temps.MUTABLE) as new:
            sizes = (self._key_size, self._value_size)
            seal = _write_segment(new, records, at_most=at_most, sizes=sizes)
            new.sync()
            # Named by its content; one of that name that is there is the same, or damaged.
            file_name = f"{self._name}.{seal.hex()[:16]}{_SUFFIX}"
            new.publish(self._folder / file_name, replace=True)
        sync_dir(self._folder)
        self._open(file_name)
        return file_name

    def close(self) -> None:
        """Unmap all segments."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()


class _Segment:
    def __init__(self, data: mmap.mmap, *, sizes: tuple[int, int], bits: int, count: int) -> None:
        self._data = data
        self._key_size, value_size = sizes
        self._record_size = self._key_size + value_size
        self._shift = 32 - bits
        self._count = count
        self._fan_start = _HEADER.size + count * self._record_size

    @classmethod
    def open(cls, path: Path, *, key_size: int, value_size: int) -> _Segment | None:
        """Map a segment; None when it is not whole, or made by other rules."""
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < _HEADER.size + _SEAL:
                    return None
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise IoFailedError("read the map of git ids", path=str(path), error=error) from error
        magic, rules, keys, values, bits, _ = _HEADER.unpack_from(data)
        body = size - _HEADER.size - _SEAL - 4 * ((1 << min(bits, 32)) + 1)
        count, rest = divmod(body, key_size + value_size)
        right = (magic, rules, keys, values) == (_MAGIC, RULES, key_size, value_size)
        if not right or bits > 24 or rest or count < 0 or not _is_sealed(data):
            data.close()
            return None
        return cls(data, sizes=(key_size, value_size), bits=bits, count=count)

    def find(self, key: bytes) -> bytes | None:
        bucket = int.from_bytes(key[:4], "big") >> self._shift
        first, last = _RUN.unpack_from(self._data, self._fan_start + 4 * bucket)
        base = _HEADER.size
        position = base + first * self._record_size
        end = base + last * self._record_size
        while (position := self._data.find(key, position, end)) >= 0:
            if (position - base) % self._record_size == 0:
                start = position + self._key_size
                return self._data[start : position + self._record_size]
            position += 1
        return None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        step = self._record_size * _CHUNK_RECORDS
        end = _HEADER.size + self._count * self._record_size
        for start in range(_HEADER.size, end, step):
            chunk = self._data[start : min(start + step, end)]
            for offset in range(0, len(chunk), self._record_size):
                yield chunk[offset : offset + self._record_size]

    def close(self) -> None:
        self._data.close()


def _is_sealed(data: mmap.mmap) -> bool:
    with memoryview(data) as view:
        return hashlib.sha256(view[:-_SEAL]).digest() == view[-_SEAL:]


def _unique(records: Iterable[bytes]) -> Iterator[bytes]:
    last = b""
    for record in records:
        if record != last:
            yield record
        last = record


def _write_segment(
    new: NewFile, records: Iterable[bytes], *, at_most: int, sizes: tuple[int, int]
) -> bytes:
    bits = min(24, (at_most // _BUCKET_RECORDS).bit_length())
    shift = 32 - bits
    digest = hashlib.sha256()

    def put(data: bytes) -> None:
        digest.update(data)
        new.write(data)

    put(_HEADER.pack(_MAGIC, RULES, *sizes, bits, 0))
    counts = [0] * (1 << bits)
    chunk: list[bytes] = []
    for record in records:
        counts[int.from_bytes(record[:4], "big") >> shift] += 1
        chunk.append(record)
        if len(chunk) == _CHUNK_RECORDS:
            put(b"".join(chunk))
            chunk.clear()
    put(b"".join(chunk))
    total, fan = 0, [0]
    for count in counts:
        total += count
        fan.append(total)
    put(struct.pack(f"<{len(fan)}I", *fan))
    new.write(digest.digest())
    return digest.digest()
