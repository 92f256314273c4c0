"""Diffs as text: patches that ``git apply`` takes, and lists of names, as git prints them.

Everything is made of rows: a row is a line in pieces, each with the style of its meaning. Into a
pipe go the bytes themselves (a patch must stay exact); on a terminal control characters are made
visible (G17) and the styles become colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from muse.cli.render import paint, show_text
from muse.core.text_diff import Hunk
from muse.core.tree_diff import Change
from muse.core.types import RawId
from muse.ops.file_diff import FileDiff, FileText

Row = tuple[tuple[str, bytes], ...]

ID_DIGITS: Final = 10
_STYLES: Final = {" ": "", "+": "added", "-": "removed"}
_NO_NEWLINE: Final = b"\\ No newline at end of file"
_UNSAFE: Final = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
_ESCAPES: Final = {
    7: b"\\a", 8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r",
    34: b'\\"', 92: b"\\\\",
}  # fmt: skip


def quote_name(name: bytes) -> bytes:
    r"""Return a name as git prints it (``core.quotePath``).

    Plain names stay; one with control characters, quotes, backslashes or bytes over 127 stands in
    double quotes with C escapes (``"caf\303\251"``), so that every name is one line of ASCII.
    """
    if not _UNSAFE.search(name):
        return name
    return b'"' + _UNSAFE.sub(_escape, name) + b'"'


def _escape(match: re.Match[bytes]) -> bytes:
    code = match[0][0]
    return _ESCAPES.get(code) or b"\\%03o" % code


def patch_rows(file: FileDiff) -> Iterator[Row]:
    """Yield one file's part of a patch for people; nothing when only ignored whitespace differs."""
    for part in _parts(file):
        found = part.compare()
        yield from _header_rows(found)
        if found.text.binary:
            yield (("hint", b"(--text compares them line by line)"),)
        for hunk in found.text.hunks:
            yield from hunk_rows(hunk)


def patch_bytes(file: FileDiff) -> bytes:
    """Return one file's part of a patch, exact; as `patch_rows`, without taking lines apart."""
    chunks: list[bytes] = []
    for part in _parts(file):
        found = part.compare()
        chunks += to_bytes(_header_rows(found))
        chunks.append(found.text.body)
    return b"".join(chunks)


def _parts(file: FileDiff) -> Iterator[FileDiff]:
    """Yield a file, or the two halves of one that becomes a symlink or was one, as in git."""
    change = file.change
    if change.kind == "T":
        gone = change._replace(kind="D", new_mode=0, new=None)
        made = change._replace(kind="A", old_mode=0, old=None)
        for half in (gone, made):
            yield FileDiff(half, file.old, file.new, file.options)
    else:
        yield file


def hunk_rows(hunk: Hunk) -> Iterator[Row]:
    """Yield one hunk: its header, and its lines."""
    spans = b"@@ -%b +%b @@" % (
        _span(hunk.old_start, hunk.old_count),
        _span(hunk.new_start, hunk.new_count),
    )
    yield (("hunk", spans), ("", b" " + hunk.heading if hunk.heading else b""))
    for line in hunk.lines:
        yield ((_STYLES[line.origin], line.origin.encode() + line.text),)
        if line.no_newline:
            yield (("", _NO_NEWLINE),)


def _span(start: int, count: int) -> bytes:
    return b"%d" % start if count == 1 else b"%d,%d" % (start, count)


def _header_rows(found: FileText) -> Iterator[Row]:
    change, text = found.change, found.text
    lines = _what_happened(change)
    is_content = change.old != change.new
    if not lines and not text.body and not text.binary:
        return
    a, b = quote_name(b"a/" + change.old_path), quote_name(b"b/" + change.path)
    yield (("meta", b"diff --git %b %b" % (a, b)),)
    for line in lines:
        yield (("meta", line),)
    if not is_content:
        return
    same_mode = change.old_mode == change.new_mode
    mode = b" %06o" % change.old_mode if same_mode else b""
    yield (("meta", b"index %b..%b%b" % (_short(change.old), _short(change.new), mode)),)
    old, new = _labels(change)
    if text.binary:
        # Both forms are known to git as those of a content that a patch does not hold.
        what = b"Files" if found.large else b"Binary files"
        yield (("", b"%b %b and %b differ" % (what, old, new)),)
    elif text.body:
        for sign, label in ((b"--- ", old), (b"+++ ", new)):
            # The tab tells a name with spaces from what other programs write after a name.
            yield (("meta", sign + label + (b"\t" if b" " in label else b"")),)


def _what_happened(change: Change) -> list[bytes]:
    """Return the header lines for anything but a plain edit."""
    if change.kind == "A":
        return [b"new file mode %06o" % change.new_mode]
    if change.kind == "D":
        return [b"deleted file mode %06o" % change.old_mode]
    lines = []
    if change.old_mode != change.new_mode:
        lines += [b"old mode %06o" % change.old_mode, b"new mode %06o" % change.new_mode]
    if change.kind == "R":
        lines += [
            b"similarity index %d%%" % change.similarity,
            b"rename from " + quote_name(change.old_path),
            b"rename to " + quote_name(change.path),
        ]
    return lines


def _labels(change: Change) -> tuple[bytes, bytes]:
    """Return what stands after ``---`` and ``+++``."""
    old = quote_name(b"a/" + change.old_path) if change.old_mode else b"/dev/null"
    new = quote_name(b"b/" + change.path) if change.new_mode else b"/dev/null"
    return old, new


def _short(raw: RawId | None) -> bytes:
    return b"0" * ID_DIGITS if raw is None else raw.hex()[:ID_DIGITS].encode()


def name_rows(changes: Iterable[Change]) -> Iterator[Row]:
    """Yield the names alone (``--name-only``)."""
    for change in changes:
        yield (("", quote_name(change.path)),)


def status_rows(changes: Iterable[Change]) -> Iterator[Row]:
    """Yield a letter and the name, or both names of a rename (``--name-status``)."""
    styles = {"A": "added", "D": "removed"}
    for change in changes:
        letter = change.kind.encode()
        names = quote_name(change.path)
        if change.kind == "R":
            letter += b"%03d" % change.similarity
            names = quote_name(change.old_path) + b"\t" + names
        yield ((styles.get(change.kind, "changed"), letter), ("", b"\t" + names))


def to_bytes(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield rows as they go into a file or pipe, exact."""
    for row in rows:
        yield b"".join(piece for _, piece in row) + b"\n"


def to_text(rows: Iterable[Row], *, color: bool) -> Iterator[str]:
    """Yield rows as people see them: control characters visible, and painted if wanted."""
    for row in rows:
        yield "".join(
            paint(visible(piece), style, on=color) if style else visible(piece)
            for style, piece in row
        )


def visible(data: bytes) -> str:
    """Return content for a terminal, tabs kept and every other control character shown."""
    return show_text(data.decode("utf-8", "backslashreplace"), keep="\t")
