"""What is asked of an object before anybody stores it, whatever it came with (G4, G11).

Each record is hashed; trees, commits and tags are parsed strictly, so that a name that could
escape the working tree is refused before it is stored; lengths are compared with what was
announced before memory is set aside for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from muse.core.commits import ObjectFormatError, parse_commit, parse_tag
from muse.core.errors import BadTransferError, RemoteError, UnsafePathError
from muse.core.pack_format import RecordError, expand
from muse.core.paths import show_text
from muse.core.trees import TreeFormatError, check_tree
from muse.core.types import OBJECT_TYPES, from_raw, raw_object_id
from muse.remotes.protocol import CHUNK_BYTES, MAX_PARSED_BYTES, ObjectRecord

WRONG_HASH: Final = "its bytes do not hash to its name"


class Vetting:
    """The questions of one transfer.

    Args:
        source: Who sends, for messages.
        count: How many objects were announced.
    """

    def __init__(self, *, source: str, count: int) -> None:
        self._source, self._count = source, count

    def announce(self, record: ObjectRecord, *, known: bool, taken: int) -> None:
        """Look at what a record says of itself.

        Args:
            record: It.
            known: Whether it came before.
            taken: How many came before.

        Raises:
            BadTransferError: It cannot be true.
            RemoteError: More objects than were announced.
        """
        if taken >= self._count and not known:
            raise RemoteError(
                f"{self._source} sent more than the {self._count} objects that it announced.",
                hint="Its program is damaged or hostile; nothing that it sent is in use here.",
            )
        if record.kind not in OBJECT_TYPES or record.size < 0:
            raise self.bad(record, f"its type is '{show_text(str(record.kind))}'")
        if record.kind != "blob" and record.size > MAX_PARSED_BYTES:
            raise self.bad(record, f"a {record.kind} of {record.size} bytes is too large")

    def payload(self, record: ObjectRecord) -> bytes:
        """Return the whole payload of a small object, verified and, but for blobs, parsed.

        Raises:
            BadTransferError: It is damaged or hostile.
        """
        if record.verified is not None:
            # Between folders, both ends are this process, which has just hashed these very bytes.
            self._check_format(record, record.verified)
            return record.verified
        payload = self._payload(record)
        if len(payload) != record.size:
            raise self.bad(record, f"it has {len(payload)} bytes, not the {record.size} announced")
        if raw_object_id(record.kind, payload) != record.raw:
            raise self.bad(record, WRONG_HASH)
        self._check_format(record, payload)
        return payload

    def bounded(self, record: ObjectRecord) -> Iterator[bytes]:
        """Yield the chunks of a large one, never more bytes than were announced; not hashed.

        Raises:
            BadTransferError: There are more.
        """
        seen = 0
        for chunk in record.chunks:
            seen += len(chunk)
            if seen > record.size:
                raise self.bad(record, f"it is longer than the {record.size} bytes announced")
            yield chunk

    def bad(self, record: ObjectRecord, reason: str) -> BadTransferError:
        """Return the error for a record."""
        oid = from_raw(record.raw) if len(record.raw) == 32 else repr(record.raw[:40])
        return BadTransferError(oid, source=self._source, reason=reason)

    def _payload(self, record: ObjectRecord) -> bytes:
        if record.stored is None:
            return b"".join(self.bounded(record))
        if max(len(record.stored), record.size) > CHUNK_BYTES:
            raise self.bad(record, "it is too large to come in one piece")
        if not record.compressed:
            return record.stored
        try:
            return expand(record.stored, record.size)
        except RecordError as error:
            raise self.bad(record, str(error)) from error

    def _check_format(self, record: ObjectRecord, payload: bytes) -> None:
        try:
            if record.kind == "tree":
                check_tree(payload)
            elif record.kind == "commit":
                parse_commit(payload)
            elif record.kind == "tag":
                parse_tag(payload)
        except UnsafePathError as error:
            raise self.bad(record, error.message.removesuffix("; refused.")) from error
        except (TreeFormatError, ObjectFormatError, ValueError) as error:
            raise self.bad(record, f"it is no {record.kind} ({show_text(str(error))})") from error
