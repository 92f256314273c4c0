r"""One line of an ignore file, as git reads it.

A line becomes an `IgnorePattern` with a compiled regular expression that matches one whole name
or path, so that the cost of a question does not depend on how the line was written.

Why not a ready translation: pathspec 1.1 answers differently from git for ``abc/**`` asked about
``abc/`` itself, for folders re-included by a later line, ``[[:alpha:]]``, ``[^a]`` against a
slash, ``[z-a]`` (an exception), a backslash at the end (an exception), tabs and carriage returns
at the end of a line, and ``a**/b``; and importing it takes longer than all of a small ``status``.
Tests compare this module with ``git check-ignore`` on generated patterns and trees.

The expressions cannot blow up: the text between two stars is matched where it first fits, in an
atomic group, which is as good as any later place (the next star takes up the rest).

See:
    gitignore(5); git's ``dir.c`` (`parse_path_pattern`, `match_pathname`) and ``wildmatch.c``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Final, NamedTuple

_SPECIAL: Final = frozenset(b"*?[\\")
_SLASH: Final = ord("/")
_NEVER: Final = b"(?!)"


def _ascii(text: str) -> frozenset[int]:
    return frozenset(text.encode("ascii"))


_PRINT: Final = frozenset(range(0x20, 0x7F))
_CLASSES: Final = {
    b"alnum": _ascii(string.ascii_letters + string.digits),
    b"alpha": _ascii(string.ascii_letters),
    b"blank": _ascii(" \t"),
    b"cntrl": frozenset(range(0x20)) | {0x7F},
    b"digit": _ascii(string.digits),
    b"graph": _PRINT - {0x20},
    b"lower": _ascii(string.ascii_lowercase),
    b"print": _PRINT,
    b"punct": _ascii(string.punctuation),
    b"space": _ascii(" \t\n\r\v\f"),
    b"upper": _ascii(string.ascii_uppercase),
    b"xdigit": _ascii(string.hexdigits),
}


class IgnorePattern(NamedTuple):
    """One rule.

    Attributes:
        negative: It began with ``!``: what matches is not ignored after all.
        folders_only: It ended in ``/``: only folders match.
        by_name: It has no slash: the name alone is matched; otherwise the path relative to the
            folder of the ignore file.
        match: Returns a true value when a whole name or path matches.
        source: The regular expression behind `match`.
    """

    negative: bool
    folders_only: bool
    by_name: bool
    match: Callable[[bytes], object]
    source: bytes


class _NeverMatchesError(ValueError):
    """git accepts the line, but nothing can match it."""


def parse_ignore_file(data: bytes) -> tuple[IgnorePattern, ...]:
    """Parse an ignore file.

    Returns:
        Its rules, the last line first: the order in which they are asked.
    """
    found = (parse_line(line) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    return tuple(pattern for pattern in found if pattern is not None)[::-1]


def parse_line(line: bytes) -> IgnorePattern | None:
    """Parse one line; None for a comment, an empty line, and one that can match nothing."""
    if not line or line.startswith(b"#"):
        return None
    text = _strip_end(line.removesuffix(b"\r").split(b"\0", 1)[0])
    negative = text.startswith(b"!")
    text = text[1:] if negative else text
    folders_only = text.endswith(b"/")
    text = text[:-1] if folders_only else text
    by_name = b"/" not in text
    try:
        source = _translate(text, crossing=True) if by_name else _translate_path(text)
    except _NeverMatchesError:
        return None
    match = re.compile(source, re.DOTALL).fullmatch
    return IgnorePattern(negative, folders_only, by_name, match, source)


def _strip_end(text: bytes) -> bytes:
    """Drop spaces at the end, unless the first of them is escaped."""
    cut = len(text.rstrip(b" "))
    if cut == len(text):
        return text
    backslashes = cut - len(text[:cut].rstrip(b"\\"))
    # An escaped space is text; the spaces after it are not.
    return text[: cut + backslashes % 2]


def _translate_path(text: bytes) -> bytes:
    """Translate a pattern with a slash in it, as ``match_pathname`` does.

    What stands before the first wildcard is compared literally and the rest is matched for
    itself; so ``a**/b``, unlike ``?**/b``, has its two stars at the beginning of a pattern.
    """
    text = text.removeprefix(b"/")
    literal = next((i for i, char in enumerate(text) if char in _SPECIAL), len(text))
    return re.escape(text[:literal]) + _translate(text[literal:], crossing=False)


def _translate(text: bytes, *, crossing: bool) -> bytes:
    """Return the expression for a wildcard pattern.

    Args:
        text: The pattern.
        crossing: Whether a star also matches slashes (there are none in a name).

    Raises:
        _NeverMatchesError: Nothing can match it.
    """
    # Runs of fixed length, and before each but the first the star that stands before it.
    stars: list[bytes] = [b""]
    runs: list[bytearray] = [bytearray()]
    has_slash = [False]
    at = 0
    while at < len(text):
        char = text[at]
        if char == ord("*"):
            star, at = _read_star(text, at, crossing=crossing)
            stars.append(star)
            runs.append(bytearray())
            has_slash.append(False)
            continue
        if char == ord("["):
            chars, at = _read_set(text, at + 1)
            runs[-1] += _set_source(chars if crossing else chars - {_SLASH})
            continue
        if char == ord("?"):
            runs[-1] += b"." if crossing else b"[^/]"
        else:
            if char == ord("\\"):
                at += 1
                if at == len(text):
                    raise _NeverMatchesError
                char = text[at]
            runs[-1] += re.escape(bytes([char]))
            has_slash[-1] = has_slash[-1] or char == _SLASH
        at += 1
    return _join(stars, runs, has_slash)


_ANY: Final = b".*?"
_ANY_NAME: Final = b"[^/]*?"
_ANY_FOLDERS: Final = b"(?:.*?/)??"


def _read_star(text: bytes, at: int, *, crossing: bool) -> tuple[bytes, int]:
    """Return the expression for the stars at ``at``, and where the pattern goes on."""
    end = at + 1
    while text[end : end + 1] == b"*":
        end += 1
    if crossing:
        return _ANY, end
    whole = end - at > 1 and (at == 0 or text[at - 1] == _SLASH)
    if whole and text[end : end + 1] == b"/":
        return _ANY_FOLDERS, end + 1
    if whole and (end == len(text) or text[end : end + 2] == b"\\/"):
        return _ANY, end
    return _ANY_NAME, end


def _join(stars: list[bytes], runs: list[bytearray], has_slash: list[bool]) -> bytes:
    out = bytearray(runs[0])
    # INVARIANT: a star and its run may be atomic when the next star takes up whatever this one
    # could have skipped: between two stars within one name, and from `**` to `**`.
    block = bytearray()
    in_block = False
    for i in range(1, len(runs)):
        star, run = stars[i], runs[i]
        strong = star != _ANY_NAME
        if strong and in_block:
            out += b"(?>" + block + b")"
            block.clear()
        if strong:
            in_block = True
        last_of_name = i + 1 == len(runs) or stars[i + 1] != _ANY_NAME or has_slash[i]
        piece = star + bytes(run)
        if not strong and not last_of_name:
            piece = b"(?>" + piece + b")"
        if in_block:
            block += piece
        else:
            out += piece
    return bytes(out + block)


def _read_set(text: bytes, at: int) -> tuple[frozenset[int], int]:
    """Return the bytes that a bracket expression matches, and where the pattern goes on.

    Raises:
        _NeverMatchesError: It is not closed, or names an unknown class.
    """
    negated = text[at : at + 1] in {b"!", b"^"}
    at += negated
    chars: set[int] = set()
    previous = 0
    first = True
    while first or text[at : at + 1] != b"]":
        first = False
        if at >= len(text):
            raise _NeverMatchesError
        char = text[at]
        following = text[at + 1 : at + 2]
        if char == ord("-") and previous and following and following != b"]":
            high, at = _read_char(text, at + 1)
            chars.update(range(previous, high + 1))
            previous = 0
        elif char == ord("[") and following == b":":
            name, end = _read_class(text, at + 2)
            if name is None:
                chars.add(char)
                previous, at = char, at + 1
            else:
                chars |= name
                previous, at = 0, end
        else:
            char, at = _read_char(text, at)
            chars.add(char)
            previous = char
    found = frozenset(range(1, 256)) - chars if negated else frozenset(chars)
    return found, at + 1


def _read_char(text: bytes, at: int) -> tuple[int, int]:
    at += text[at] == ord("\\")
    if at >= len(text):
        raise _NeverMatchesError
    return text[at], at + 1


def _read_class(text: bytes, at: int) -> tuple[frozenset[int] | None, int]:
    """Read ``alpha:]``; None when it is no class after all, so that ``[`` stands for itself."""
    end = text.find(b"]", at)
    if end < 0:
        raise _NeverMatchesError
    if end == at or text[end - 1] != ord(":"):
        return None, at
    chars = _CLASSES.get(text[at : end - 1])
    if chars is None:
        raise _NeverMatchesError
    return chars, end + 1


def _set_source(chars: frozenset[int]) -> bytes:
    if not chars:
        return _NEVER
    return b"[" + b"".join(b"\\x%02x" % char for char in sorted(chars)) + b"]"
