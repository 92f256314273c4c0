"""The diff: one below the other or side by side, hunks and lines that can be picked.

The engine has worked out syntax, changed words and hunks; here they are only drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import BindingType
from textual.strip import Strip

from muse_tui.keymap import bindings
from muse_tui.model import DiffDoc, DiffKey, DiffLine, Source
from muse_tui.widgets.diff_rows import DiffRow, RowKey, find_hits, split_rows, unified_rows
from muse_tui.widgets.text import Piece, inked, line
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import clean

_TINTS = {"+": "added", "-": "removed"}
_SIGNS = {"+": "good", "-": "bad"}


class DiffList(VirtualList[DiffRow, RowKey]):
    """The lines of a diff, with a cursor that picks hunks and lines."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), *bindings("diff")]

    def __init__(self, *, framed: bool = True) -> None:
        super().__init__(lambda row: row.key, framed=framed, id="diff")
        self.doc: DiffDoc | None = None
        self.split = False
        self.x = 0
        self._digits = 4

    # What it shows ----------------------------------------------------------------------------

    def tell(self, doc: DiffDoc | None) -> None:
        """Show another diff; the same file keeps its place, another one begins at its top."""
        if doc is not None and doc == self.doc:
            return  # read anew, because its file was touched, and the same: nothing is drawn
        same = doc is not None and self.doc is not None and doc.key == self.doc.key
        self.doc = doc
        lines = doc.lines if doc is not None else ()
        highest = max((max(ln.old, ln.new) for ln in lines), default=0)
        self._digits = max(len(str(highest)), 3)
        if not same:
            self.x = 0
            self.anchor_key = self.cursor_key = None
            self.cursor = 0
            self.rows.replace(())
            self.scroll_to(y=0, animate=False, force=True)
        self.replace(self._arranged(lines))
        if not same and doc is not None and doc.key.source is not Source.COMMIT:
            self._to_first_change()

    def _arranged(self, lines: Sequence[DiffLine]) -> list[DiffRow]:
        """Return the rows of lines; a file that is all new or all gone has one side only."""
        sides = {line.kind for line in lines if line.kind in " +-"}
        return split_rows(lines) if self.split and len(sides) > 1 else unified_rows(lines)

    def _to_first_change(self) -> None:
        for index, row in enumerate(self.rows.shown(0, 500)):
            if row.hunk >= 0 and (row.left or row.right).kind in "+-":  # type: ignore[union-attr]
                self.cursor = index
                self.cursor_key = row.key
                self._reveal(index)
                return

    @property
    def key(self) -> DiffKey | None:
        """Return what is shown."""
        return self.doc.key if self.doc else None

    @property
    def hunk(self) -> int:
        """Return the number of the hunk under the cursor, or -1."""
        row = self.current
        return -1 if row is None else row.hunk

    def picked_lines(self) -> dict[int, set[int]]:
        """Return the lines of the range by hunk; every line of the hunk without a range."""
        chosen: dict[int, set[int]] = {}
        if self.doc is None:
            return chosen
        if self.anchor_key is None:
            here = self.hunk
            for diff_line in self.doc.lines:
                if diff_line.hunk == here >= 0 and diff_line.at >= 0:
                    chosen.setdefault(here, set()).add(diff_line.at)
            return chosen
        for row in self.picked():
            for side in (row.left, row.right):
                if side is not None and side.kind in "+-" and side.hunk >= 0:
                    chosen.setdefault(side.hunk, set()).add(side.at)
        return chosen

    def line_number(self) -> int:
        """Return the line of the new file at the cursor, for an editor."""
        row = self.current
        if row is None:
            return 1
        return max((side.new for side in (row.right, row.left) if side is not None), default=1) or 1

    # Drawing ----------------------------------------------------------------------------------

    def row_text(self, row: DiffRow) -> str:
        """Return the line's text."""
        return "  ".join(side.text for side in (row.left, row.right) if side is not None)

    def row_line(self, row: DiffRow, *, width: int, base: Style) -> Strip:
        """Draw a line, or two halves."""
        if row.split:
            half = (width - 1) // 2
            bar = Strip([Segment("│", base + self.paint("line"))], 1)
            return Strip.join(
                [
                    self._half(row.left, half, base, old=True),
                    bar,
                    self._half(row.right, width - 1 - half, base, old=False),
                ]
            )
        diff_line = row.left
        assert diff_line is not None
        if diff_line.kind == "f":
            style = self.paint("strong")
            return line([(clean(diff_line.text), style)], [], width=width, base=base)
        if diff_line.kind == "@":
            head = base + self.paint("hunk")
            mark = "▸ " if diff_line.hunk == self.hunk and self.has_focus else "  "
            text = clean(diff_line.text)
            return line([(mark, self.paint("accent")), (text, Style())], [], width=width, base=head)
        if diff_line.kind in "it":
            paint = self.paint("dim" if diff_line.kind == "i" else "text")
            return line([(clean(diff_line.text), paint)], [], width=width, base=base)
        number = diff_line.old if diff_line.kind == "-" else diff_line.new
        return self._code(diff_line, number, width, base)

    def _half(self, diff_line: DiffLine | None, width: int, base: Style, *, old: bool) -> Strip:
        if diff_line is None:
            return line([("·" * 0, self.paint("faint"))], [], width=width, base=base)
        return self._code(diff_line, diff_line.old if old else diff_line.new, width, base)

    def _code(self, diff_line: DiffLine, number: int, width: int, base: Style) -> Strip:
        if width <= 0:
            return Strip([], 0)
        tint = _TINTS.get(diff_line.kind)
        if tint is not None:
            base = base + self.paint(tint)
        sign = self.paint(_SIGNS.get(diff_line.kind, "faint"))
        head: list[Piece] = [
            (f"{diff_line.kind} ", sign),
            (f"{number or '':>{self._digits}}  ", self.paint("faint")),
        ]
        used = min(self._digits + 4, width)
        gutter = line(head, [], width=used, base=base)
        room = width - used
        text = Strip(self._segments(diff_line, base))
        end = self.x + room
        body = text.crop(self.x, end) if text.cell_length > self.x else Strip([], 0)
        if text.cell_length > end and room > 1:
            body = Strip.join(
                [body.crop(0, room - 1), Strip([Segment("…", base + self.paint("faint"))], 1)]
            )
        return Strip.join([gutter, body.adjust_cell_length(room, base)])

    def _segments(self, diff_line: DiffLine, base: Style) -> list[Segment]:
        """Return the text in pieces of one style each: syntax below, changed words above."""
        text = diff_line.text
        if not text.isprintable():
            text = "".join(c if c.isprintable() else "·" for c in text)
        word = self.paint(_TINTS.get(diff_line.kind, "added") + "-word")
        plain = self.paint("text")
        syntax = diff_line.syntax
        if self.is_ansi and diff_line.kind in _SIGNS:
            # Sixteen colours have no tint for what stands behind: the text itself is coloured.
            plain, syntax = self.paint(_SIGNS[diff_line.kind]), ()
            word = plain + Style(reverse=True)
        if not (syntax or diff_line.words or self.needle):
            return inked(text, base + plain)
        hits = find_hits(text, self.needle)
        cuts = {0, len(text)}
        for span in (*syntax, *diff_line.words, *hits):
            cuts.add(min(span.start, len(text)))
            cuts.add(min(span.end, len(text)))
        ordered = sorted(cuts)
        segments: list[Segment] = []
        for start, end in pairwise(ordered):
            style = plain
            for span in syntax:
                if span.start <= start < span.end:
                    style = self.paint(f"syntax-{span.kind}")
                    break
            style = base + style
            if any(span.start <= start < span.end for span in diff_line.words):
                style += word
            if any(span.start <= start < span.end for span in hits):
                style += self.paint("hit")
            segments += inked(text[start:end], style)
        return segments

    # Searching --------------------------------------------------------------------------------

    def search(self, needle: str) -> None:
        """Mark a text wherever it stands, and go to the next place from the cursor on."""
        if needle == self.needle:
            return
        self.needle = needle
        self.refresh()
        if needle and not find_hits(self._text_at(self.cursor), needle):
            self.to_hit(1)

    def to_hit(self, step: int) -> bool:
        """Go to the next or previous line with the text that is searched; tell if there is one."""
        count = len(self.rows)
        for number in range(1, count + 1):
            index = (self.cursor + step * number) % count
            if find_hits(self._text_at(index), self.needle):
                self.move_to(index, step=step)
                return True
        return False

    def _text_at(self, index: int) -> str:
        return self.row_text(self.rows[index]) if index < len(self.rows) else ""

    # Keys -------------------------------------------------------------------------------------

    def action_hunk(self, step: int) -> None:
        """Go to the next or the previous hunk."""
        here, index = self.hunk, self.cursor + step
        while 0 <= index < len(self.rows):
            row = self.rows[index]
            if row.hunk not in {here, -1} and row.hunk >= 0:
                break
            index += step
        if not 0 <= index < len(self.rows):
            return
        target = self.rows[index].hunk
        while index > 0 and self.rows[index - 1].hunk == target:
            index -= 1
        while index < len(self.rows) - 1 and not self._is_change(self.rows[index]):
            index += 1
        self.move_to(index, step=step)

    @staticmethod
    def _is_change(row: DiffRow) -> bool:
        return any(side is not None and side.kind in "+-" for side in (row.left, row.right))

    def action_split(self) -> None:
        """Change between one below the other and side by side."""
        self.split = not self.split
        number = self.line_number()
        lines = self.doc.lines if self.doc is not None else ()
        self.cursor_key = self.anchor_key = None
        self.rows.replace(self._arranged(lines))
        self.fit_rows()
        self.cursor = 0
        for index, row in enumerate(self.rows.every()):
            side = row.right or row.left
            if side is not None and side.new >= number and side.hunk >= 0:
                self.cursor, self.cursor_key = index, row.key
                break
        self._reveal(self.cursor)
        self.refresh()

    def action_sideways(self, cells: int) -> None:
        """Show what is right or left of the edge."""
        widest = max((len(ln.text) for ln in self.doc.lines), default=0) if self.doc else 0
        self.x = max(0, min(self.x + cells, widest))
        self.refresh()

    def scroll_rows(self, rows: int) -> None:
        """Scroll without moving the cursor."""
        self.scroll_to(y=max(0, self.scroll_offset.y + rows), animate=False, force=True)

    @property
    def title_text(self) -> str:
        """Return what the title says after *Diff*."""
        return self.doc.title if self.doc else ""

    @property
    def aside_text(self) -> str:
        """Return source and hunk: ``unstaged · hunk 1/3``."""
        if self.doc is None:
            return ""
        name = {Source.UNSTAGED: "unstaged", Source.STAGED: "staged", Source.COMMIT: "commit"}
        parts = [name[self.doc.key.source]]
        if self.doc.hunks:
            parts.append(f"hunk {max(self.hunk, 0) + 1}/{self.doc.hunks}")
        return " · ".join(parts)
