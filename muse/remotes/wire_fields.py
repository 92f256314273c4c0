"""What stands in a message: each field is checked before anybody acts on it, on both sides.

A function here takes whatever msgpack made of the other side's bytes, and returns it in our own
type or raises `WireError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from muse.core.commits import Signature
from muse.core.types import RAW_ID_SIZE, ObjectId, RawId, from_raw, to_raw
from muse.remotes.protocol import MAX_REF_NAME, RefUpdate, RemoteRef
from muse.remotes.wire_frames import Message, WireError

MAX_TEXT: Final = 4096
MAX_COUNT: Final = 1 << 40
# So many ids travel in one message, and so many refs.
IDS_PAGE: Final = 16_384
REFS_PAGE: Final = 512
_OFFSET: Final = re.compile(r"[+-]\d{4}\Z")


def take_fields(message: Message, name: str, count: int) -> list[Any]:
    """Return the fields of a message that must have this name, and so many of them.

    More are allowed, so that a later version may say more.
    """
    if message[0] != name:
        raise WireError(f"'{message[0]!r:.40}' where '{name}' was expected")
    if len(message) <= count:
        raise WireError(f"'{name}' with {len(message) - 1} fields")
    return message[1:]


def take_text(value: object, *, limit: int = MAX_TEXT) -> str:
    """Return a text of bounded length."""
    if not isinstance(value, str) or len(value) > limit:
        raise WireError("no text, or too long a one")
    return value


def take_int(value: object, *, limit: int = MAX_COUNT) -> int:
    """Return a number from 0 to a limit."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise WireError("no number, or one out of bounds")
    return value


def take_bool(value: object) -> bool:
    """Return a yes or no."""
    if not isinstance(value, bool):
        raise WireError("neither yes nor no")
    return value


def take_bytes(value: object, *, limit: int) -> bytes:
    """Return bytes of bounded length."""
    if not isinstance(value, bytes) or len(value) > limit:
        raise WireError("no bytes, or too many")
    return value


def take_list(value: object, *, limit: int) -> list[Any]:
    """Return a list of bounded length."""
    if not isinstance(value, list) or len(value) > limit:
        raise WireError("no list, or too long a one")
    return value


def _take_parts(value: object, count: int) -> list[Any]:
    """Return a short list that has at least so many parts."""
    parts = take_list(value, limit=16)
    if len(parts) < count:
        raise WireError(f"{len(parts)} parts where {count} belong")
    return parts


def take_id(value: object) -> RawId:
    """Return an id."""
    if not isinstance(value, bytes) or len(value) != RAW_ID_SIZE:
        raise WireError("no id")
    return RawId(value)


def take_optional_id(value: object) -> ObjectId | None:
    """Return an id as refs have it; None stays None."""
    return None if value is None else from_raw(take_id(value))


def pack_optional_id(oid: ObjectId | None) -> bytes | None:
    """Return an id as it travels; None stays None."""
    return None if oid is None else to_raw(oid)


def iter_pages(ids: Sequence[RawId]) -> Iterator[bytes]:
    """Yield ids as they travel, a message's worth at a time."""
    for start in range(0, len(ids), IDS_PAGE):
        yield b"".join(ids[start : start + IDS_PAGE])


def take_page(value: object) -> list[RawId]:
    """Return the ids of one message."""
    data = take_bytes(value, limit=IDS_PAGE * RAW_ID_SIZE)
    if len(data) % RAW_ID_SIZE:
        raise WireError("ids that are cut off")
    starts = range(0, len(data), RAW_ID_SIZE)
    return [RawId(data[start : start + RAW_ID_SIZE]) for start in starts]


def pack_bits(bits: Sequence[bool]) -> bytes:
    """Return yes and no in a row, eight to a byte."""
    out = bytearray((len(bits) + 7) // 8)
    for place, bit in enumerate(bits):
        if bit:
            out[place >> 3] |= 1 << (place & 7)
    return bytes(out)


def take_bits(value: object, count: int) -> list[bool]:
    """Return so many answers."""
    data = take_bytes(value, limit=(count + 7) // 8)
    if len(data) != (count + 7) // 8:
        raise WireError(f"answers that do not fit {count} questions")
    return [bool(data[place >> 3] & 1 << (place & 7)) for place in range(count)]


# -- refs ----------------------------------------------------------------------------------------


def pack_ref(ref: RemoteRef) -> list[object]:
    """Return a ref as it travels."""
    return [ref.name, to_raw(ref.oid), pack_optional_id(ref.peeled)]


def take_ref(value: object) -> RemoteRef:
    """Return a ref; whether its name is legal, `check_listing` says."""
    name, oid, peeled, *_ = _take_parts(value, 3)
    return RemoteRef(
        take_text(name, limit=MAX_REF_NAME), from_raw(take_id(oid)), take_optional_id(peeled)
    )


def pack_update(update: RefUpdate) -> list[object]:
    """Return a move of a ref as it travels."""
    return [update.name, pack_optional_id(update.old), pack_optional_id(update.new)]


def take_updates(value: object) -> list[RefUpdate]:
    """Return the moves of refs of one message."""
    found = []
    for item in take_list(value, limit=REFS_PAGE):
        name, old, new, *_ = _take_parts(item, 3)
        text = take_text(name, limit=MAX_REF_NAME)
        found.append(RefUpdate(text, take_optional_id(old), take_optional_id(new)))
    return found


def pack_person(who: Signature | None) -> list[str] | None:
    """Return who moves refs, without the time: the other side's log has its own clock."""
    return None if who is None else [who.name[:256], who.email[:256], who.offset]


def take_person(value: object, *, time_s: int) -> Signature | None:
    """Return who moves refs; anything that a log line cannot hold is refused."""
    if value is None:
        return None
    name, email, offset, *_ = _take_parts(value, 3)
    texts = [take_text(text, limit=256) for text in (name, email)]
    if any(char in text for text in texts for char in "<>\n\0"):
        raise WireError("a name that no log can hold")
    zone = take_text(offset, limit=8)
    return Signature(texts[0], texts[1], time_s, zone if _OFFSET.match(zone) else "+0000")
