"""Text in cells: what fits, what is cut, and what may never reach a terminal.

Names and messages come from files and from other machines. Everything drawn goes through `clean`,
so that no escape sequence gets out (G17); the engine has done it once already, and a second time
costs nothing when the text is printable.
"""

from __future__ import annotations

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Piece = tuple[str, Style]


def fit(text: str, width: int) -> str:
    """Return text of at most ``width`` cells, with ``…`` where the end was cut."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else "…"


def fit_middle(text: str, width: int) -> str:
    """Return text of at most ``width`` cells, with ``…`` where its middle was cut."""
    if cell_len(text) <= width:
        return text
    if width < 8:
        return fit(text, width)
    tail = (width - 1) * 3 // 5
    head = set_cell_size(text, width - 1 - tail).rstrip()
    return f"{head}…{_last_cells(text, tail)}"


def fit_path(path: str, width: int) -> tuple[str, str]:
    """Return folder and name of a path in at most ``width`` cells together.

    The name is what people look for, so the folder is cut first, in its middle.
    """
    folder, slash, name = path.rstrip("/").rpartition("/")
    folder += slash
    if path.endswith("/"):
        name += "/"
    room = width - cell_len(name)
    if room < 0:
        return "", fit_middle(name, width)
    if cell_len(folder) <= room:
        return folder, name
    if room < 3:
        return "", name
    head = (room - 2) // 2
    tail = room - 2 - head
    start = set_cell_size(folder, head).rstrip() if head else ""
    end = _last_cells(folder, tail)
    return f"{start}…{end}"[:room], name


def _last_cells(text: str, width: int) -> str:
    taken: list[str] = []
    used = 0
    for char in reversed(text):
        used += cell_len(char)
        if used > width:
            break
        taken.append(char)
    return "".join(reversed(taken))


def wrap(text: str, width: int) -> list[str]:
    """Return text broken into lines of at most ``width`` cells, at spaces where possible."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            candidate = f"{line} {word}" if line else word
            if cell_len(candidate) <= width:
                line = candidate
                continue
            if line:
                lines.append(line)
            pieces = chop_cells(word, max(width, 2)) or [""]
            lines.extend(pieces[:-1])
            line = pieces[-1]
        lines.append(line)
    return lines


def pieces_width(pieces: list[Piece]) -> int:
    """Return how many cells the pieces take."""
    return sum(cell_len(text) for text, _ in pieces)


def line(left: list[Piece], right: list[Piece], *, width: int, base: Style) -> Strip:
    """Return one line: ``left`` cut where needed, ``right`` kept whole at the end.

    Args:
        left: What may be cut.
        right: What stays, unless it alone is too wide.
        width: Cells of the line, exactly.
        base: Style of everything that does not say otherwise, and of the gap.
    """
    if width <= 0:
        return Strip([], 0)
    right_width = pieces_width(right)
    if right_width > width:
        right, right_width = [], 0
    room = width - right_width - (1 if right else 0)
    segments: list[Segment] = []
    used = 0
    for text, style in left:
        size = cell_len(text)
        if used + size > room:
            cut = fit(text, room - used)
            segments.append(Segment(cut, base + style))
            used += cell_len(cut)
            break
        segments += inked(text, base + style)
        used += size
    gap = width - used - right_width
    if gap > 0:
        segments.append(Segment(" " * gap, base))
    for text, style in right:
        segments += inked(text, base + style)
    return Strip(segments).adjust_cell_length(width, base)


def inked(text: str, style: Style) -> list[Segment]:
    """Return text as segments that begin with ink: spaces in front stand alone.

    Pictures (SVG) lose the spaces in front of a text element in some viewers.
    """
    ink = text.lstrip(" ")
    if len(ink) == len(text) or not ink:
        return [Segment(text, style)] if text else []
    return [Segment(text[: len(text) - len(ink)], style), Segment(ink, style)]
