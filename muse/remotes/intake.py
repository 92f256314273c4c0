"""The receiving side of a transfer: nothing is believed, memory is bounded, progress survives.

Each record is hashed, whatever id it came with; trees, commits and tags are parsed strictly, so
that a name that could escape the working tree is refused before it is stored (G11).

A few objects go through a transaction, loose. Many go into packs, of which one is published
whenever another twentieth has arrived: nothing refers to it yet, but if this side or the other is
killed, what it holds is found by name and not sent again (G9).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core.commits import ObjectFormatError, parse_commit, parse_tag
from muse.core.errors import (
    BadTransferError,
    ConnectionLostError,
    MuseError,
    RemoteError,
    UnsafePathError,
    UsageError,
)
from muse.core.pack_format import Record, RecordError, expand
from muse.core.paths import show_text
from muse.core.repo import Repository
from muse.core.trees import TreeFormatError, parse_tree
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, from_raw, raw_object_id
from muse.remotes.protocol import CHUNK_BYTES, MAX_PARSED_BYTES, ObjectRecord, Received

if TYPE_CHECKING:
    from muse.core.pack import PackWriter

# Up to here objects become loose, as in a commit; beyond, a pack.
_FEW: Final = 32
_FEW_BYTES: Final = 1 << 20
# A pack is published when it holds a twentieth of the objects, though not below the one size, and
# always beyond the other.
_PARTS: Final = 20
_MIN_PART_BYTES: Final = 4 << 20
_MAX_PART_BYTES: Final = 256 << 20


@dataclass(slots=True)
class Arrivals:
    """Objects that arrived a moment ago: verified, durable, and needed by no ref yet.

    Attributes:
        kinds: The type of each.
        places: The files that hold them.
    """

    kinds: dict[RawId, ObjectType] = field(default_factory=dict)
    places: set[Path] = field(default_factory=set)

    def add(self, other: Arrivals) -> None:
        """Add what another transfer brought."""
        self.kinds.update(other.kinds)
        self.places |= other.places

    def still_there(self) -> Mapping[RawId, ObjectType]:
        """Return the types if nobody has taken a file away since; otherwise nothing is sure."""
        return self.kinds if all(place.exists() for place in self.places) else {}


class Intake:
    """Takes records into a repository; a context manager.

    Args:
        repo: Where they go.
        source: Who sends them, for messages.
        count: How many were announced; more are refused.

    Attributes:
        arrivals: What was taken, verified, and where it is.
        objects: How many that were.
        size_bytes: Bytes of payload in them.

    Durability: leaving the block normally makes everything durable. Killed, or left by an
        exception: the packs that were published stay; nothing refers to them. When the connection
        was lost, whatever arrived whole is published as well.
    """

    def __init__(self, repo: Repository, *, source: str, count: int) -> None:
        self.arrivals = Arrivals()
        self.objects = self.size_bytes = 0
        self._repo, self._source, self._count = repo, source, count
        self._part_count = count // _PARTS
        self._few: list[tuple[RawId, ObjectType, bytes]] = []
        self._few_bytes = 0
        self._pack: PackWriter | None = None

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._finish()
            elif issubclass(kind, ConnectionLostError):
                self._keep()
        finally:
            if self._pack is not None:
                self._pack.abandon()

    def take(self, record: ObjectRecord) -> None:
        """Verify one object and store it.

        Raises:
            BadTransferError: It is damaged or hostile.
            RemoteError: More objects than were announced.
        """
        kinds = self.arrivals.kinds
        if self.objects >= self._count and record.raw not in kinds:
            raise RemoteError(
                f"{self._source} sent more than the {self._count} objects that it announced.",
                hint="Its program is damaged or hostile; nothing that it sent is in use here.",
            )
        if record.kind not in OBJECT_TYPES or record.size < 0:
            raise self._bad(record, f"its type is '{show_text(str(record.kind))}'")
        if record.kind != "blob" and record.size > MAX_PARSED_BYTES:
            raise self._bad(record, f"a {record.kind} of {record.size} bytes is too large")
        if record.stored is None and record.kind == "blob" and record.size > CHUNK_BYTES:
            self._take_stream(record)
        else:
            self._take_whole(record)
        self.objects += record.raw not in kinds
        kinds[record.raw] = record.kind
        self.size_bytes += record.size
        if self._pack is not None and self._is_part():
            self._publish_part()

    # -- one object ------------------------------------------------------------------------

    def _take_whole(self, record: ObjectRecord) -> None:
        payload = self._payload(record)
        if len(payload) != record.size:
            raise self._bad(record, f"it has {len(payload)} bytes, not the {record.size} announced")
        if raw_object_id(record.kind, payload) != record.raw:
            raise self._bad(record, "its bytes do not hash to its name")
        self._check_format(record, payload)
        if self._pack is None:
            self._few.append((record.raw, record.kind, payload))
            self._few_bytes += len(payload)
            if len(self._few) > _FEW or self._few_bytes > _FEW_BYTES:
                self._spill()
            return
        if record.compressed and record.stored is not None:
            stored = Record(record.kind, True, record.size, len(record.stored), record.raw)
            self._pack.add_stored(stored, record.stored)
        else:
            self._pack.add_hashed(record.raw, record.kind, payload)

    def _payload(self, record: ObjectRecord) -> bytes:
        if record.stored is None:
            return b"".join(self._bounded(record))
        if max(len(record.stored), record.size) > CHUNK_BYTES:
            raise self._bad(record, "it is too large to come in one piece")
        if not record.compressed:
            return record.stored
        try:
            return expand(record.stored, record.size)
        except RecordError as error:
            raise self._bad(record, str(error)) from error

    def _bounded(self, record: ObjectRecord) -> Iterator[bytes]:
        """Yield the chunks, never more bytes than were announced."""
        seen = 0
        for chunk in record.chunks:
            seen += len(chunk)
            if seen > record.size:
                raise self._bad(record, f"it is longer than the {record.size} bytes announced")
            yield chunk

    def _check_format(self, record: ObjectRecord, payload: bytes) -> None:
        try:
            if record.kind == "tree":
                parse_tree(payload)
            elif record.kind == "commit":
                parse_commit(payload)
            elif record.kind == "tag":
                parse_tag(payload)
        except UnsafePathError as error:
            raise self._bad(record, error.message.removesuffix("; refused.")) from error
        except (TreeFormatError, ObjectFormatError, ValueError) as error:
            raise self._bad(record, f"it is no {record.kind} ({show_text(str(error))})") from error

    def _take_stream(self, record: ObjectRecord) -> None:
        if self._pack is None:
            self._spill()
        assert self._pack is not None
        try:
            raw = self._pack.add_stream("blob", record.size, self._bounded(record))
        except UsageError as error:
            raise self._bad(record, "it is shorter than announced") from error
        if raw != record.raw:
            raise self._bad(record, "its bytes do not hash to its name")

    def _bad(self, record: ObjectRecord, reason: str) -> BadTransferError:
        oid = from_raw(record.raw) if len(record.raw) == 32 else repr(record.raw[:40])
        return BadTransferError(oid, source=self._source, reason=reason)

    # -- publishing ------------------------------------------------------------------------

    def _spill(self) -> None:
        from muse.core.pack import PackWriter  # start-up time: an everyday push needs none

        self._pack = PackWriter(self._repo.root)
        for each in self._few:
            self._pack.add_hashed(*each)
        self._few.clear()

    def _is_part(self) -> bool:
        assert self._pack is not None
        size = self._pack.size_bytes
        if size >= _MAX_PART_BYTES:
            return True
        return size >= _MIN_PART_BYTES and len(self._pack) >= self._part_count

    def _publish_part(self) -> None:
        path = self._pack.finish() if self._pack is not None else None
        if path is not None:
            self.arrivals.places.add(path)

    def _keep(self) -> None:
        """Publish what arrived before the connection was lost: verified, and needed by nothing."""
        # The lost connection is what is reported, not that a disk could not take this as well.
        with contextlib.suppress(MuseError, OSError):
            if self._few:
                self._spill()
            self._publish_part()

    def _finish(self) -> None:
        self._publish_part()
        if self._few:
            with self._repo.transaction("receive") as transaction:
                for each in self._few:
                    transaction.write_hashed(*each)
            # A file each, unless a whole copy lay in a pack; those are read again.
            paths = {raw: Path(self._repo.objects.loose_path(raw)) for raw, _, _ in self._few}
            for raw, path in paths.items():
                if path.exists():
                    self.arrivals.places.add(path)
                else:
                    del self.arrivals.kinds[raw]
        self._repo.objects.refresh()


def take_all(
    repo: Repository, records: Iterable[ObjectRecord], *, source: str, count: int
) -> tuple[Received, Arrivals]:
    """Take a whole transfer into a repository.

    Returns:
        What came, for the sender; and what is known of it, for `check_connected`.
    """
    with Intake(repo, source=source, count=count) as intake:
        for record in records:
            intake.take(record)
    return Received(intake.objects, intake.size_bytes), intake.arrivals
