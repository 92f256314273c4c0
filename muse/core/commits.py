"""Commits and annotated tags, byte for byte git's.

Text that is not UTF-8 survives: names are decoded with ``surrogateescape``, messages stay bytes,
and headers that Muse does not know (``gpgsig``, ``encoding``, …) are kept in their order.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from muse.core.errors import CorruptObjectError, UsageError
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, from_raw

_PERSON = re.compile(rb"(.*?) ?<([^>]*)> ?(-?\d+)(?: ([+-]\d+))?\Z", re.DOTALL)
_HEX_ID = re.compile(rb"[0-9a-f]{64}\Z")


class ObjectFormatError(ValueError):
    """A commit's or tag's payload breaks the format; the text says how."""


class Signature(NamedTuple):
    """Who did something, and when.

    Attributes:
        name: Text; bytes that are not UTF-8 are kept by ``surrogateescape``.
        email: Likewise.
        time_s: Seconds since 1970, UTC.
        offset: The zone as written, ``+0100``; any text git wrote is kept.
    """

    name: str
    email: str
    time_s: int
    offset: str = "+0000"

    def encode(self) -> bytes:
        """Return the form that commits store."""
        person = f"{self.name} <{self.email}> {self.time_s} {self.offset}"
        return person.encode("utf-8", "surrogateescape")

    @property
    def offset_min(self) -> int:
        """The zone in minutes east of UTC; 0 when it makes no sense."""
        text = self.offset
        if len(text) != 5 or not text[1:].isdigit():
            return 0
        minutes = int(text[1:3]) * 60 + int(text[3:])
        return -minutes if text[0] == "-" else minutes


def check_person(text: str, *, what: str) -> str:
    """Return a name or address that a commit can hold.

    Raises:
        UsageError: It is empty, or has ``<``, ``>``, a newline or a NUL.
    """
    clean = text.strip()
    if not clean or any(c in clean for c in "<>\n\0"):
        raise UsageError(
            f"'{text}' cannot be an author's {what}.",
            hint="It must not be empty, nor hold '<', '>' or line breaks.",
        )
    return clean


class Commit(NamedTuple):
    """One commit.

    Attributes:
        tree: The root tree, the commit's snapshot.
        parents: Ids of the parents, first parent first; empty for a root.
        author: Who wrote the change.
        committer: Who made the commit.
        message: Bytes, as stored.
        extra: Further headers in order, each (name, value) with continuation lines joined by LF.
    """

    tree: RawId
    parents: tuple[RawId, ...]
    author: Signature
    committer: Signature
    message: bytes
    extra: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def text(self) -> str:
        """The message as text, by its ``encoding`` header."""
        encoding = dict(self.extra).get(b"encoding", b"utf-8").decode("ascii", "replace")
        try:
            return self.message.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            return self.message.decode("utf-8", "backslashreplace")

    @property
    def subject(self) -> str:
        """The first paragraph of the message on one line."""
        return " ".join(self.text.strip().split("\n\n", 1)[0].split("\n"))


class Tag(NamedTuple):
    """One annotated tag.

    Attributes:
        target: The tagged object.
        kind: Its type.
        name: The tag's name.
        tagger: Who tagged; None in very old tags.
        message: Bytes, as stored.
        extra: Further headers in order.
    """

    target: RawId
    kind: ObjectType
    name: str
    tagger: Signature | None
    message: bytes
    extra: tuple[tuple[bytes, bytes], ...] = ()


def parse_signature(value: bytes) -> Signature:
    """Parse ``Name <mail> seconds zone``.

    Raises:
        ObjectFormatError: It has no address or no time.
    """
    match = _PERSON.match(value)
    if match is None:
        raise ObjectFormatError("malformed author or committer")
    name, email, seconds, zone = match.groups()
    return Signature(
        name.decode("utf-8", "surrogateescape"),
        email.decode("utf-8", "surrogateescape"),
        int(seconds),
        (zone or b"").decode("ascii"),
    )


def _split(payload: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    head, separator, message = payload.partition(b"\n\n")
    if not separator:
        head, message = head.rstrip(b"\n"), b""
    headers: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and headers:
            name, value = headers[-1]
            headers[-1] = (name, value + b"\n" + line[1:])
            continue
        name, space, value = line.partition(b" ")
        if not space:
            raise ObjectFormatError(f"malformed header {line[:40]!r}")
        headers.append((name, value))
    return headers, message


def _join(headers: list[tuple[bytes, bytes]], message: bytes) -> bytes:
    lines = [name + b" " + value.replace(b"\n", b"\n ") + b"\n" for name, value in headers]
    return b"".join(lines) + b"\n" + message


def _take(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    if not headers or headers[0][0] != name:
        raise ObjectFormatError(f"no {name.decode()} where it must stand")
    return headers.pop(0)[1]


def _take_id(headers: list[tuple[bytes, bytes]], name: bytes) -> RawId:
    value = _take(headers, name)
    if not _HEX_ID.match(value):
        raise ObjectFormatError(f"malformed id after {name.decode()}")
    return RawId(bytes.fromhex(value.decode("ascii")))


def parse_commit(payload: bytes) -> Commit:
    """Parse a commit.

    Raises:
        ObjectFormatError: It breaks the format.
    """
    headers, message = _split(payload)
    tree = _take_id(headers, b"tree")
    parents = []
    while headers and headers[0][0] == b"parent":
        parents.append(_take_id(headers, b"parent"))
    author = parse_signature(_take(headers, b"author"))
    committer = parse_signature(_take(headers, b"committer"))
    return Commit(tree, tuple(parents), author, committer, message, tuple(headers))


def format_commit(commit: Commit) -> bytes:
    """Encode a commit; the inverse of `parse_commit` for whatever git writes."""
    headers = [(b"tree", commit.tree.hex().encode())]
    headers += [(b"parent", parent.hex().encode()) for parent in commit.parents]
    headers += [(b"author", commit.author.encode()), (b"committer", commit.committer.encode())]
    return _join([*headers, *commit.extra], commit.message)


def parse_tag(payload: bytes) -> Tag:
    """Parse an annotated tag.

    Raises:
        ObjectFormatError: It breaks the format.
    """
    headers, message = _split(payload)
    target = _take_id(headers, b"object")
    kind_text = _take(headers, b"type").decode("ascii", "replace")
    kind = next((k for k in OBJECT_TYPES if k == kind_text), None)
    if kind is None:
        raise ObjectFormatError(f"unknown object type {kind_text!r}")
    name = _take(headers, b"tag").decode("utf-8", "surrogateescape")
    tagger = None
    if headers and headers[0][0] == b"tagger":
        tagger = parse_signature(_take(headers, b"tagger"))
    return Tag(target, kind, name, tagger, message, tuple(headers))


def format_tag(tag: Tag) -> bytes:
    """Encode an annotated tag."""
    headers = [
        (b"object", tag.target.hex().encode()),
        (b"type", tag.kind.encode()),
        (b"tag", tag.name.encode("utf-8", "surrogateescape")),
    ]
    if tag.tagger is not None:
        headers.append((b"tagger", tag.tagger.encode()))
    return _join([*headers, *tag.extra], tag.message)


def decode_commit(raw: RawId, payload: bytes) -> Commit:
    """Parse a stored commit.

    Raises:
        CorruptObjectError: It breaks the format; names the object.
    """
    try:
        return parse_commit(payload)
    except ObjectFormatError as error:
        raise CorruptObjectError(from_raw(raw), where="the store", reason=str(error)) from error
