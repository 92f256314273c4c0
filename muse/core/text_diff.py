r"""Differences between two texts, as data: hunks of numbered lines, and words inside lines.

The comparison is libgit2's xdiff, the algorithm of git itself, with git's defaults: so our patches
are git's patches, and nothing is quadratic in lines (100 000 lines with a thousand edits: 60 ms).
Lines are bytes that end in ``\n``; a ``\r`` before it belongs to the line, as in git.
See `muse.core.hunks` for applying a part of a diff.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from muse.core.xdiff import Whitespace, compare_lines

# git looks for a NUL in this many bytes, and so do we.
BINARY_PROBE_SIZE: Final = 8000
HEADING_SIZE: Final = 80
# Content beyond this is not compared line by line unless somebody asks for it.
LARGE_SIZE: Final = 16 << 20
# Beyond this a pair of lines is compared by its common ends only.
WORD_LINE_LIMIT: Final = 4000
# Changed lines that share less than this part of their characters are shown as changed whole.
WORD_COMMON_PERCENT: Final = 30
# At most so many pairs of lines a block of changes are compared word by word.
WORD_PAIR_LIMIT: Final = 500

# No line of a text can be taken for it: each has a sign in front.
_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: (.*))?$", re.MULTILINE)
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_NO_NEWLINE: Final = b"\\"

Spans = tuple[tuple[int, int], ...]


class Line(NamedTuple):
    r"""One line of a hunk.

    Attributes:
        origin: ``" "`` on both sides, ``"-"`` on the old side only, ``"+"`` on the new one only.
        text: The line without its ``\n``; a ``\r`` before it is part of the text.
        old_no: Its number on the old side, from 1; None for ``+``.
        new_no: Its number on the new side, from 1; None for ``-``.
        no_newline: The file ends in this line, and has no ``\n`` there.
    """

    origin: str
    text: bytes
    old_no: int | None
    new_no: int | None
    no_newline: bool = False


class Hunk(NamedTuple):
    """Changed lines that lie close together, with the context around them.

    Attributes:
        old_start: First line on the old side, from 1; the line before it when ``old_count`` is 0.
        old_count: How many lines of the old side the hunk covers.
        new_start: As ``old_start``, on the new side.
        new_count: As ``old_count``, on the new side.
        heading: The nearest line above that begins with a letter, ``_`` or ``$``; may be empty.
        lines: Context and changes in the order of a patch.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    heading: bytes
    lines: tuple[Line, ...]


class TextDiff:
    """How one text becomes another.

    Args:
        body: The hunks as a patch has them, without a header; empty when nothing differs.
        added: Number of ``+`` lines.
        removed: Number of ``-`` lines.
        binary: One side is binary, so lines were not compared.
        whitespace: What was ignored; context may then differ between the sides.
    """

    __slots__ = ("_hunks", "added", "binary", "body", "removed", "whitespace")

    def __init__(
        self,
        body: bytes = b"",
        added: int = 0,
        removed: int = 0,
        *,
        binary: bool = False,
        whitespace: Whitespace = "none",
    ) -> None:
        self.body = body
        self.added = added
        self.removed = removed
        self.binary = binary
        self.whitespace = whitespace
        self._hunks: tuple[Hunk, ...] | None = None

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """The hunks as data, from top to bottom; parsed when first asked for."""
        if self._hunks is None:
            self._hunks = tuple(_parse_hunks(self.body))
        return self._hunks

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TextDiff):
            return NotImplemented
        return (self.body, self.binary) == (other.body, other.binary)

    def __hash__(self) -> int:
        return hash((self.body, self.binary))


def is_binary(data: bytes | memoryview) -> bool:
    """Tell whether git would call this binary: a NUL among the first 8000 bytes."""
    return b"\0" in bytes(data[:BINARY_PROBE_SIZE])


def diff_texts(
    old: bytes,
    new: bytes,
    *,
    context: int = 3,
    ignore_whitespace: Whitespace = "none",
    as_text: bool = False,
) -> TextDiff:
    """Compare two texts line by line.

    Args:
        old: The text before.
        new: The text after.
        context: Lines of context around each change; changes no further apart share a hunk.
        ignore_whitespace: ``all`` as git's ``-w``, ``change`` as ``-b``, ``eol`` at ends of lines.
        as_text: Compare lines even if a side looks binary.

    Returns:
        The hunks; with ``binary`` set and no hunks when a side is binary.
    """
    if not as_text and (is_binary(old) or is_binary(new)):
        return TextDiff(binary=old != new, whitespace=ignore_whitespace)
    if old == new:
        return TextDiff(whitespace=ignore_whitespace)
    patch, added, removed = compare_lines(old, new, context=context, whitespace=ignore_whitespace)
    headings = _Headings(old)
    start = _HUNK.search(patch)
    body = _HUNK.sub(headings.put, patch[start.start() :]) if start else b""
    return TextDiff(body, added, removed, whitespace=ignore_whitespace)


def count_changes(
    old: bytes, new: bytes, *, ignore_whitespace: Whitespace = "none", context: int = 3
) -> tuple[int, int]:
    """Count added and removed lines, without building hunks; binary content is not looked for.

    Returns:
        (added, removed)
    """
    if old == new:
        return 0, 0
    _, added, removed = compare_lines(old, new, context=context, whitespace=ignore_whitespace)
    return added, removed


def pair_lines(hunk: Hunk) -> Iterator[tuple[int, int]]:
    """Pair the removed with the added lines of each block of changes, in order.

    Yields:
        (index of the ``-`` line, index of the ``+`` line) in ``hunk.lines``.
    """
    for minus, plus in change_blocks(hunk):
        yield from zip(minus, plus, strict=False)


def change_blocks(hunk: Hunk) -> Iterator[tuple[range, range]]:
    """Find the runs of changes between context lines.

    Yields:
        (indices of the ``-`` lines, indices of the ``+`` lines); one of them may be empty. The
        ``-`` lines of a run stand before its ``+`` lines.
    """
    lines, index = hunk.lines, 0
    while index < len(lines):
        if lines[index].origin == " ":
            index += 1
            continue
        start = index
        while index < len(lines) and lines[index].origin == "-":
            index += 1
        middle = index
        while index < len(lines) and lines[index].origin == "+":
            index += 1
        yield range(start, middle), range(middle, index)


def word_spans(hunk: Hunk) -> dict[int, Spans]:
    """Find what changed inside the lines that replace one another.

    Returns:
        Index in ``hunk.lines`` → spans of changed characters, as offsets into the line's text
        decoded with ``utf-8`` and ``surrogateescape``. A line that is missing here changed whole.
    """
    found: dict[int, Spans] = {}
    for number, (minus, plus) in enumerate(pair_lines(hunk)):
        if number >= WORD_PAIR_LIMIT:
            break
        old = hunk.lines[minus].text.decode("utf-8", "surrogateescape")
        new = hunk.lines[plus].text.decode("utf-8", "surrogateescape")
        spans = changed_spans(old, new)
        if spans is not None:
            found[minus], found[plus] = spans
    return found


def changed_spans(old: str, new: str) -> tuple[Spans, Spans] | None:
    """Compare two lines word by word.

    Args:
        old: A line before, without its end of line.
        new: The line that replaces it.

    Returns:
        Spans of changed characters in ``old`` and in ``new``; None when the lines have so little
        in common that marking words would only confuse.
    """
    if len(old) + len(new) > WORD_LINE_LIMIT:
        spans = _common_ends(old, new)
    else:
        # Words become lines below, so none may hold an end of line.
        spans = _word_changes(
            _WORD.findall(old.replace("\n", " ")), _WORD.findall(new.replace("\n", " "))
        )
    changed = sum(end - start for side in spans for start, end in side)
    blank = len(old) - len(old.strip()) + len(new) - len(new.strip())
    total = len(old) + len(new) - blank
    if changed and (total - changed) * 100 < total * WORD_COMMON_PERCENT:
        return None
    return spans


class _Headings:
    """Finds the heading of each hunk from top to bottom, so that no line is looked at twice."""

    def __init__(self, old: bytes) -> None:
        self._old = old
        self._lines: list[bytes] | None = None
        self._seen = 0
        self._last = b""

    def put(self, match: re.Match[bytes]) -> bytes:
        """Return a hunk's header with git's heading in place of libgit2's, which is shorter."""
        heading = self._above(int(match[1]), 1 if match[2] is None else int(match[2]))
        header = (
            match[0][: match.start(5) - match.start() - 1] if match[5] is not None else match[0]
        )
        return header + b" " + heading if heading else header

    def _above(self, old_start: int, old_count: int) -> bytes:
        before = old_start - 1 if old_count else old_start
        if before <= 0:
            return b""
        if self._lines is None:
            self._lines = self._old.split(b"\n")
        for index in range(min(before, len(self._lines)) - 1, self._seen - 1, -1):
            first = self._lines[index][:1]
            if first.isalpha() or first in {b"_", b"$"}:
                self._last = _valid_start(self._lines[index][:HEADING_SIZE].rstrip(b" \t\r"))
                break
        self._seen = before
        return self._last


def _valid_start(text: bytes) -> bytes:
    """Return what stands before the first byte that is not UTF-8, as git shows a heading."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return text[: error.start]
    return text


def _parse_hunks(body: bytes) -> Iterator[Hunk]:
    """Read the hunks of a patch; the counts in each header say where its hunk ends."""
    rows = body.split(b"\n")
    at = 0
    while at < len(rows) - 1:
        match = _HUNK.match(rows[at])
        assert match is not None, rows[at]
        old_start, new_start = int(match[1]), int(match[3])
        old_count = 1 if match[2] is None else int(match[2])
        new_count = 1 if match[4] is None else int(match[4])
        lines, at = _parse_lines(rows, at + 1, (old_start, old_count), (new_start, new_count))
        yield Hunk(old_start, old_count, new_start, new_count, match[5] or b"", tuple(lines))


def _parse_lines(
    rows: list[bytes], at: int, old: tuple[int, int], new: tuple[int, int]
) -> tuple[list[Line], int]:
    """Read one hunk's lines; return them and the row after them."""
    lines: list[Line] = []
    old_no, new_no = old[0], new[0]
    old_end, new_end = old_no + old[1], new_no + new[1]
    while True:
        row = rows[at]
        sign = row[:1]
        if sign == _NO_NEWLINE:
            lines[-1] = lines[-1]._replace(no_newline=True)
        elif old_no >= old_end and new_no >= new_end:
            return lines, at
        elif sign == b" ":
            lines.append(Line(" ", row[1:], old_no, new_no))
            old_no += 1
            new_no += 1
        elif sign == b"-":
            lines.append(Line("-", row[1:], old_no, None))
            old_no += 1
        else:
            lines.append(Line("+", row[1:], None, new_no))
            new_no += 1
        at += 1


def _common_ends(old: str, new: str) -> tuple[Spans, Spans]:
    """Take what lies between the common start and the common end as changed."""
    limit = min(len(old), len(new))
    start = 0
    while start < limit and old[start] == new[start]:
        start += 1
    end = 0
    while end < limit - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return _span(start, len(old) - end), _span(start, len(new) - end)


def _span(start: int, end: int) -> Spans:
    return ((start, end),) if start < end else ()


def _word_changes(old: list[str], new: list[str]) -> tuple[Spans, Spans]:
    """Compare words as if each were a line, so that their number costs no more than lines do."""
    if old == new:
        return (), ()
    first, second = ("\n".join([*side, ""]).encode("utf-8", "surrogatepass") for side in (old, new))
    patch, _, _ = compare_lines(first, second, context=0)
    old_ends, new_ends = _offsets(old), _offsets(new)
    old_spans: list[tuple[int, int]] = []
    new_spans: list[tuple[int, int]] = []
    for match in _HUNK.finditer(patch):
        for start_text, count_text, ends, spans in (
            (match[1], match[2], old_ends, old_spans),
            (match[3], match[4], new_ends, new_spans),
        ):
            count = 1 if count_text is None else int(count_text)
            if count:
                start = int(start_text) - 1
                spans.append((ends[start], ends[start + count]))
    return tuple(old_spans), tuple(new_spans)


def _offsets(words: list[str]) -> list[int]:
    """Return where each word starts, and the length of all of them."""
    offsets, at = [0], 0
    for word in words:
        at += len(word)
        offsets.append(at)
    return offsets
