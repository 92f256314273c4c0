"""The list that every pane is made of: it draws only the lines that are on screen.

A hundred thousand rows cost what forty do: a row is turned into a line when it is drawn, a
changed row repaints one line. Cursor, range and scroll position belong to *keys* (a path, a
commit), so a refresh never moves what you look at. From 1×1 to 400×120 cells nothing raises.

A pane that uses it says how a row looks (`row_line`) and which key it has.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from muse_tui.widgets.paint import Painted
from muse_tui.widgets.rows import Rows
from muse_tui.widgets.text import Piece, fit, line, wrap

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)

_SELECT_LIMIT = 5_000  # lines that a "select all" copies from a list


class VirtualList(Painted, ScrollView, Generic[R, K], can_focus=True):
    """A list of rows with a cursor, ranges, a filter and faces for when it is empty.

    Args:
        key: Returns a row's identity.
        is_sorted: Rows are ordered by key and change by `update`.
        framed: Draw borders left and right; the scroll position shows in the right one.
        id: The widget's id.
    """

    DEFAULT_CSS = """
    VirtualList {
        height: 1fr; width: 1fr; min-width: 1; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-gutter: auto;
    }
    VirtualList.-framed { scrollbar-size-vertical: 0; }
    """
    ALLOW_SELECT: ClassVar[bool] = True

    class Moved(Message):
        """The cursor stands on another row (or on none)."""

        def __init__(self, pane: VirtualList[Any, Any], row: object) -> None:
            super().__init__()
            self.pane, self.row = pane, row

        @property
        def control(self) -> VirtualList[Any, Any]:
            """Return the list, for `on` selectors."""
            return self.pane

    class Opened(Moved):
        """A row was opened, by Enter or by a double click."""

    class NearEnd(Message):
        """The last rows are in sight; whoever fills the list may fetch more."""

        def __init__(self, pane: VirtualList[Any, Any]) -> None:
            super().__init__()
            self.pane = pane

    def __init__(
        self,
        key: Callable[[R], K],
        *,
        is_sorted: bool = False,
        framed: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, classes="-framed" if framed else "")
        self.framed = framed
        self.rows: Rows[R, K] = Rows(key, is_sorted=is_sorted)
        self.row_key = key
        self.cursor = 0
        self.cursor_key: K | None = None
        self.anchor_key: K | None = None
        self.face: tuple[str, ...] = ()
        self._base: Style | None = None
        self.needle = ""

    # What a pane says about itself ------------------------------------------------------------

    def row_line(self, row: R, *, width: int, base: Style) -> Strip:
        """Return the line of a row, exactly ``width`` cells wide."""
        return line([(str(row), self.paint("text"))], [], width=width, base=base)

    def row_text(self, row: R) -> str:
        """Return what the filter looks at, and what is copied."""
        return str(row)

    def can_stop_at(self, row: R) -> bool:
        """Tell whether the cursor may stand on this row."""
        return True

    # Filling it -------------------------------------------------------------------------------

    def replace(self, rows: Iterable[R]) -> None:
        """Begin again with these rows; cursor and scroll position follow their keys."""
        top, offset = self._top()
        self.rows.replace(rows)
        self._settle(top, offset)

    def update_rows(self, changed: Sequence[R], gone: Sequence[K]) -> None:
        """Insert, replace and remove rows by key (sorted lists only)."""
        before = len(self.rows)
        top, offset = self._top()
        self.rows.update(changed, gone)
        if not gone and len(self.rows) == before and len(changed) <= self.size.height:
            for row in changed:
                index = self.rows.find(self.row_key(row))
                if index >= 0:
                    self.refresh_line(index)
            return
        self._settle(top, offset)

    def set_face(self, *lines: str) -> None:
        """Say what an empty list shows: the first line is its heading."""
        if lines != self.face:
            self.face = lines
            self.refresh()

    def set_filter(self, needle: str) -> None:
        """Show only rows whose text has every word of ``needle``, in any case."""
        if needle == self.needle:
            return
        self.needle = needle
        words = needle.casefold().split()
        top, offset = self._top()

        def keep(row: R) -> bool:
            text = self.row_text(row).casefold()
            return all(word in text for word in words)

        self.rows.filter(keep if words else None)
        self._settle(top, offset)

    # Where the cursor is ----------------------------------------------------------------------

    @property
    def current(self) -> R | None:
        """Return the row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def picked(self) -> list[R]:
        """Return the rows of the range, or the one under the cursor."""
        first, last = self.picked_range()
        return self.rows.shown(first, last + 1)

    def picked_range(self) -> tuple[int, int]:
        """Return the first and last index of the range."""
        anchor = -1 if self.anchor_key is None else self.rows.find(self.anchor_key)
        if anchor < 0:
            return self.cursor, self.cursor
        return min(anchor, self.cursor), max(anchor, self.cursor)

    def toggle_range(self) -> None:
        """Begin a range at the cursor, or end it."""
        row = self.current
        ranged = self.anchor_key is not None or row is None
        self.anchor_key = None if ranged or row is None else self.row_key(row)
        self.refresh()

    def end_range(self) -> bool:
        """Forget the range; tell whether there was one."""
        if self.anchor_key is None:
            return False
        self.anchor_key = None
        self.refresh()
        return True

    def go_to(self, key: K) -> bool:
        """Put the cursor on a key; tell whether it is there."""
        index = self.rows.find(key)
        if index < 0:
            return False
        self.move_to(index)
        return True

    def move_to(self, index: int, *, step: int = 1) -> None:
        """Put the cursor on an index (clamped) and bring it into sight."""
        count = len(self.rows)
        if not count:
            return
        index = self._stop(max(0, min(index, count - 1)), step)
        old = self.picked_range()
        moved = index != self.cursor
        self.cursor = index
        row = self.rows[index]
        self.cursor_key = self.row_key(row)
        self._reveal(index)
        if moved:
            if self.anchor_key is None:
                self.refresh_line(old[0])
                self.refresh_line(index)
            else:
                self.refresh()
            self.post_message(self.Moved(self, row))
        if index >= count - max(self.size.height, 1) * 2:
            self.post_message(self.NearEnd(self))

    def _stop(self, index: int, step: int) -> int:
        at = index
        while 0 <= at < len(self.rows):
            if self.can_stop_at(self.rows[at]):
                return at
            at += step
        return index if self.can_stop_at(self.rows[index]) else self.cursor

    def _reveal(self, index: int) -> None:
        height, top = self.size.height, self.scroll_offset.y
        if height <= 0:
            return
        margin = 2 if height > 8 else 0
        if index < top + margin:
            self._scroll_rows(index - margin)
        elif index > top + height - 1 - margin:
            self._scroll_rows(index - height + 1 + margin)

    def _scroll_rows(self, top: int) -> None:
        self.scroll_to(y=max(top, 0), animate=False, force=True)

    # Staying put while rows change ------------------------------------------------------------

    def _top(self) -> tuple[K | None, int]:
        """Return the key that keeps its place on the screen, and its line there."""
        height, top = self.size.height, self.scroll_offset.y
        if self.cursor_key is not None and top <= self.cursor < top + max(height, 1):
            return self.cursor_key, self.cursor - top
        if 0 <= top < len(self.rows):
            return self.row_key(self.rows[top]), 0
        return None, 0

    def _settle(self, anchor: K | None, offset: int) -> None:
        count = len(self.rows)
        self.fit_rows()
        before, self.cursor_key = self.cursor_key, None
        index = -1 if before is None else self.rows.find(before)
        if index < 0 and before is not None:
            near = self.rows.near(before)
            index = near if near >= 0 else self.cursor
        self.cursor = max(0, min(index, count - 1))
        if count:
            self.cursor = self._stop(self.cursor, 1)
            self.cursor_key = self.row_key(self.rows[self.cursor])
        if self.anchor_key is not None and self.rows.find(self.anchor_key) < 0:
            self.anchor_key = None
        if anchor is not None:
            at = self.rows.find(anchor)
            if at < 0:
                at = self.cursor if anchor == before else -1
            if at >= 0:
                self._scroll_rows(min(at - offset, max(count - self.size.height, 0)))
        if self.cursor_key != before:
            self.post_message(self.Moved(self, self.current))
        self.refresh()

    def fit_rows(self) -> None:
        """Tell the scrolling how many rows there are.

        Setting the size in the usual way lays the whole screen out anew, because a scroll bar
        might come or go; a framed list has none.
        """
        size = Size(self.size.width, len(self.rows))
        if size == self.virtual_size:
            return
        if self.framed:
            self.set_reactive(Widget.virtual_size, size)
            if self.scroll_offset.y > self.max_scroll_y:
                self._scroll_rows(self.max_scroll_y)
        else:
            self.virtual_size = size

    # Drawing ----------------------------------------------------------------------------------

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
        if 0 <= y - above < len(lines):
            text, paint = lines[y - above]
            return line([("  " + fit(text, room), paint)], [], width=width, base=base)
        return Strip.blank(max(width, 0), base)

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

    # Keys and mouse ---------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Move the cursor by some rows."""
        self.move_to(self.cursor + rows, step=1 if rows > 0 else -1)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.action_move(pages * max(self.size.height - 2, 1))

    def action_first(self) -> None:
        """Go to the first row."""
        self.move_to(0)

    def action_last(self) -> None:
        """Go to the last row."""
        self.move_to(len(self.rows) - 1, step=-1)

    def action_extend(self, rows: int) -> None:
        """Move the cursor and keep the range's other end."""
        if self.anchor_key is None:
            self.toggle_range()
        self.action_move(rows)

    def action_range(self) -> None:
        """Begin a range at the cursor, or end it."""
        self.toggle_range()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self, self.current))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse was pressed; twice opens the row."""
        if event.button != 1 or not len(self.rows):
            return
        if self.framed and event.x == self.size.width - 1:
            self._jump(event.y)
            return
        index = event.y + self.scroll_offset.y
        if 0 <= index < len(self.rows) and self.can_stop_at(self.rows[index]):
            self.move_to(index)
            if event.chain == 2:
                self.action_open()

    def _jump(self, y: int) -> None:
        """Scroll to where the right border was clicked."""
        height, count = max(self.size.height - 1, 1), len(self.rows)
        self._scroll_rows(round(y * max(count - self.size.height, 0) / height))

    def on_resize(self) -> None:
        """Keep the cursor in sight when the pane changes its size."""
        self.fit_rows()
        if len(self.rows):
            self._reveal(self.cursor)

    def on_focus(self) -> None:
        """Show the cursor in the accent colour."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor quietly."""
        self.refresh()
