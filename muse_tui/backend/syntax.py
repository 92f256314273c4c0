"""What the words of a file are: Pygments' answer, bounded in time and size.

Only whole files are lexed, so that a string that began ten lines above is known to be one.
"""

from __future__ import annotations

from typing import Final

from muse_tui.model import Span

MAX_BYTES: Final = 200_000
MAX_LINE: Final = 2_000
_TAB: Final = 4

_KINDS: Final = (
    ("Token.Comment", "comment"),
    ("Token.Keyword.Type", "type"),
    ("Token.Keyword", "keyword"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Name.Function", "name"),
    ("Token.Name.Class", "type"),
    ("Token.Name.Decorator", "name"),
    ("Token.Name.Tag", "keyword"),
    ("Token.Name.Attribute", "name"),
    ("Token.Name.Builtin", "type"),
    ("Token.Name.Exception", "type"),
    ("Token.Generic.Heading", "keyword"),
    ("Token.Generic.Strong", "keyword"),
)


def expand(text: str) -> str:
    """Return a line as it is drawn: tabs to the next stop, other control characters visible."""
    if "\t" in text:
        text = text.expandtabs(_TAB)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def _visible(char: str) -> str:
    # One character for one character: spans must keep their places.
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return " " if char.isspace() else "·"


def places(text: str) -> list[int] | None:
    """Return where each character of a line stands after `expand`; None when nothing moves."""
    if "\t" not in text:
        return None
    found: list[int] = []
    column = 0
    for char in text:
        found.append(column)
        column += _TAB - column % _TAB if char == "\t" else 1
    found.append(column)
    return found


def moved(spans: tuple[Span, ...], where: list[int] | None) -> tuple[Span, ...]:
    """Return spans of a line as spans of the expanded line."""
    if where is None or not spans:
        return spans
    last = len(where) - 1
    return tuple(
        Span(where[min(start, last)], where[min(end, last)], kind) for start, end, kind in spans
    )


def lex(name: str, data: bytes) -> list[tuple[Span, ...]]:
    """Return the spans of each line of a file; empty when its language is not known.

    Args:
        name: The file's name, which tells the language.
        data: All of its bytes.
    """
    if not data or len(data) > MAX_BYTES:
        return []
    # start-up time; the package brings no types
    from pygments.lexers import get_lexer_for_filename  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return []
    text = data.decode("utf-8", "surrogateescape")
    if "\r" in text:
        # The lexer would join the ends of lines, and every span would be off.
        text = text.replace("\r", " ")
    lines: list[tuple[Span, ...]] = []
    current: list[Span] = []
    column = 0
    for token, value in lexer.get_tokens(text):
        kind = _kind(str(token))
        for number, part in enumerate(value.split("\n")):
            if number:
                lines.append(tuple(current))
                current, column = [], 0
            if part and kind and column < MAX_LINE:
                current.append(Span(column, column + len(part), kind))
            column += len(part)
    lines.append(tuple(current))
    return lines


_cache: dict[str, str] = {}


def _kind(token: str) -> str:
    found = _cache.get(token)
    if found is None:
        found = next((kind for prefix, kind in _KINDS if token.startswith(prefix)), "")
        _cache[token] = found
    return found
