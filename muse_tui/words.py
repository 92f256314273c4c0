"""Words and numbers for people: pure functions on text, for the interface and the engine alike."""

from __future__ import annotations

import re
from typing import Final

_TAB = "    "
# A whole id: alone, with its algorithm, or as the path of its file.
_WHOLE_ID: Final = re.compile(r"(?:sha256:)?\b([0-9a-f]{10})[0-9a-f]{52,54}\b")


def clean(text: str) -> str:
    """Return text without anything that a terminal would obey.

    Tabs become four spaces; other control characters their Unicode picture or ``·``.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def _visible(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return _TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return " " if char.isspace() else "·"


def brief(text: str) -> str:
    """Return text with every whole id cut to its first digits, for a line with little room."""
    return _WHOLE_ID.sub(r"\1…", text)


def ago(seconds: float) -> str:
    """Return an age in at most four cells: ``now``, ``5 m``, ``3 h``, ``12 d``, ``2 y``."""
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{int(seconds // 60)} m"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h"
    days = int(seconds // 86400)
    return f"{days} d" if days < 365 else f"{days // 365} y"


def count(number: int) -> str:
    """Return a number with thin groups of three: ``12 034``."""
    return f"{number:,}".replace(",", " ")


def size(size_bytes: float) -> str:
    """Return a size in at most seven cells: ``41 KB``, ``3.1 MB``."""
    value = float(size_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def plural(number: int, noun: str, many: str = "") -> str:
    """Return ``1 file``, ``2 files``, ``12 034 files``."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"
