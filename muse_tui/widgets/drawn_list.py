"""How a list draws its lines: rows, borders, the empty face, and what the mouse selects."""

from __future__ import annotations

from typing import Generic

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from muse_tui.widgets.paint import Painted
from muse_tui.widgets.rows import K, R, Rows
from muse_tui.widgets.text import Piece, line, wrap

_SELECT_LIMIT = 5_000  # lines that a "select all" copies from a list


class DrawnList(Painted, ScrollView, Generic[R, K]):
    """The drawing half of `VirtualList`; it knows rows and a cursor, and moves neither."""

    rows: Rows[R, K]
    cursor: int
    framed: bool
    face: tuple[str, ...]
    _base: Style | None = None

    def row_line(self, row: R, *, width: int, base: Style) -> Strip:
        """Return the line of a row, exactly ``width`` cells wide."""
        return line([(str(row), self.paint("text"))], [], width=width, base=base)

    def picked_range(self) -> tuple[int, int]:
        """Return the first and last index of the range."""
        return self.cursor, self.cursor

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw some lines; what all of them stand on is worked out once."""
        self._base = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._base = None

    @property
    def base_style(self) -> Style:
        """Return the style that lines stand on."""
        return self.rich_style if self._base is None else self._base

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.size.width
        if not self.framed or width < 3:
            return self.content_line(y, width)
        # Borders drawn here cost nothing when the focus moves; as styles they cost a layout.
        paint = self.paint("accent" if self.has_focus else "line")
        base = self.base_style
        content = self.content_line(y, width - 2)
        left = Strip([Segment("│", base + paint)], 1)
        right = Strip([Segment(*self._edge(y, base, paint))], 1)
        return Strip.join([left, content, right])

    def _edge(self, y: int, base: Style, paint: Style) -> tuple[str, Style]:
        """Return the sign of the right border: a heavy line where the view stands."""
        height, count = self.size.height, len(self.rows)
        if count <= height or height < 2:
            return "│", base + paint
        thumb = max(1, height * height // count)
        top = round(self.scroll_offset.y * (height - thumb) / max(count - height, 1))
        if top <= y < top + thumb:
            return "┃", base + self.paint("accent" if self.has_focus else "faint")
        return "│", base + paint

    def content_line(self, y: int, width: int) -> Strip:
        """Draw one line between the borders."""
        index = y + self.scroll_offset.y
        base = self.base_style
        if not len(self.rows):
            return self._face_line(y, width, base)
        if index >= len(self.rows) or width <= 0:
            return Strip.blank(max(width, 0), base)
        row = self.rows[index]
        first, last = self.picked_range()
        gutter: Piece = (" ", Style())
        if index == self.cursor:
            gutter = ("▌", self.paint("accent" if self.has_focus else "faint"))
            base = base + self.paint("cursor" if self.has_focus else "cursor-blurred")
        elif first <= index <= last:
            gutter = ("┃", self.paint("accent"))
            base = base + self.paint("range")
        head = line([gutter], [], width=min(1, width), base=base)
        strip = Strip.join([head, self.row_line(row, width=width - 1, base=base)])
        strip = strip.adjust_cell_length(width, base)
        return self._selected(strip, index).apply_offsets(0, index)

    def _selected(self, strip: Strip, index: int) -> Strip:
        selection = self.text_selection
        span = None if selection is None else selection.get_span(index)
        if span is None:
            return strip
        start, end = span
        text_width = strip.cell_length
        start_cell = strip.index_to_cell_position(start) if start else 0
        end_cell = text_width if end == -1 else strip.index_to_cell_position(end)
        if not 0 <= start_cell < end_cell:
            return strip
        style = self.screen.get_component_rich_style("screen--selection")
        return Strip.join(
            [
                strip.crop(0, start_cell),
                Strip(
                    [
                        type(segment)(segment.text, (segment.style or Style()) + style)
                        for segment in strip.crop(start_cell, min(end_cell, text_width))
                    ]
                ),
                strip.crop(min(end_cell, text_width), text_width),
            ]
        )

    def _face_line(self, y: int, width: int, base: Style) -> Strip:
        room = max(width - 4, 1)
        lines: list[Piece] = []
        for number, text in enumerate(self.face):
            paint = self.paint("text" if number == 0 else "dim")
            lines.extend((part, paint) for part in wrap(text, room))
        above = 1 if self.size.height > len(lines) + 1 else 0
        if not 0 <= y - above < len(lines):
            return Strip.blank(max(width, 0), base)
        text, paint = lines[y - above]
        pieces: list[Piece] = [("  ", paint)]
        # Keys stand between backticks, and look as they do in the footer.
        for at, part in enumerate(text.split("`")):
            pieces.append((part, self.paint("key") if at % 2 else paint))
        return line(pieces, [], width=width, base=base)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text that the mouse selected."""
        if not len(self.rows):
            return None
        first = selection.start.y if selection.start else 0
        last = selection.end.y if selection.end else min(len(self.rows), _SELECT_LIMIT) - 1
        lines = []
        width, base = max(self.size.width - 2 * self.framed, 2), Style()
        for index in range(max(first, 0), min(last, len(self.rows) - 1) + 1):
            text = " " + self.row_line(self.rows[index], width=width - 1, base=base).text
            start = selection.start.x if selection.start and index == first else 0
            end = selection.end.x if selection.end and index == last else None
            lines.append(text[start:end].rstrip())
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Repaint what the mouse selects."""
        self.refresh()
