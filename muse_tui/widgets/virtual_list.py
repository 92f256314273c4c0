"""The list that every pane is made of: it draws only the lines that are on screen.

A hundred thousand rows cost what forty do: a row is turned into a line when it is drawn, a
changed row repaints one line. Cursor, range and scroll position belong to *keys* (a path, a
commit), so a refresh never moves what you look at. From 1×1 to 400×120 cells nothing raises.

A pane that uses it says how a row looks (`row_line`) and which key it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from muse_tui.widgets.drawn_list import DrawnList
from muse_tui.widgets.rows import K, R, Rows


class VirtualList(DrawnList[R, K], can_focus=True):
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
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
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
        self.needle = ""

    # What a pane says about itself ------------------------------------------------------------

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
        before, seen = len(self.rows), self._in_sight()
        top, offset = self._top()
        self.rows.update(changed, gone)
        if gone or len(self.rows) != before:
            self._settle(top, offset)
            return
        first = self.scroll_offset.y
        for line, (old, new) in enumerate(zip(seen, self._in_sight(), strict=True)):
            if new is not old:
                self.refresh_line(first + line)

    def _in_sight(self) -> list[R]:
        """Return the rows that are on the screen."""
        top = self.scroll_offset.y
        return self.rows.shown(top, top + self.size.height)

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
        # At the very top new rows come into sight instead of pushing the view down.
        at_top = self.scroll_offset.y == 0 and self.cursor < max(self.size.height - 1, 1)
        if anchor is not None and not at_top:
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
