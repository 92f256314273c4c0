"""The receiving side of a transfer: nothing is believed, memory is bounded, progress survives.

Each record is hashed, whatever id it came with; trees, commits and tags are parsed strictly, so
that a name that could escape the working tree is refused before it is stored (G11).

A few objects go through a transaction, loose. Many go into packs, of which one is published
whenever another twentieth has arrived: nothing refers to it yet, but if this side or the other is
killed, what it holds is found by name and not sent again (G9).
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core.errors import ConnectionLostError, MuseError, UsageError
from muse.core.pack_format import Record
from muse.core.repo import Repository
from muse.core.types import ObjectType, RawId
from muse.remotes.protocol import CHUNK_BYTES, ObjectRecord, Received
from muse.remotes.vetting import WRONG_HASH, Vetting

if TYPE_CHECKING:
    from muse.core.pack import PackWriter

# Up to here objects become loose, as in a commit; beyond, a pack.
_FEW: Final = 32
_FEW_BYTES: Final = 1 << 20
# A pack is published when it holds a twentieth of the objects, though not below the one size, and
# always beyond the other.
_PARTS: Final = 20
_MIN_PART_BYTES: Final = 512 << 10
_MAX_PART_BYTES: Final = 256 << 20


class Arrivals:
    """Objects that arrived a moment ago: verified, durable, and needed by no ref yet.

    Attributes:
        kinds: The type of each.
        places: The files that hold them.
    """

    def __init__(self) -> None:
        self.kinds: dict[RawId, ObjectType] = {}
        self.places: set[Path] = set()

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
        self._repo = repo
        self._vet = Vetting(source=source, count=count)
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
        self._vet.announce(record, known=record.raw in kinds, taken=self.objects)
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
        payload = self._vet.payload(record)
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

    def _take_stream(self, record: ObjectRecord) -> None:
        # A size is a claim: a stream without end must not fill the disk before it is refused.
        free = shutil.disk_usage(self._repo.muse).free
        if record.size > free:
            raise self._vet.bad(
                record, f"it is said to have {record.size} bytes, and the disk has {free} free"
            )
        if self._pack is None:
            self._spill()
        assert self._pack is not None
        try:
            raw = self._pack.add_stream("blob", record.size, self._vet.bounded(record))
        except UsageError as error:
            raise self._vet.bad(record, "it is shorter than announced") from error
        if raw != record.raw:
            raise self._vet.bad(record, WRONG_HASH)

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
