"""How the rows of the left column look: files, commits and health facts."""

from __future__ import annotations

import time
from operator import attrgetter
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual.binding import BindingType
from textual.strip import Strip

from muse_tui.keymap import bindings
from muse_tui.model import CommitRow, Fact, FileRow, HealthView, Part
from muse_tui.widgets.text import Piece, fit, fit_middle, fit_path, line
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import ago, brief, clean

_MARKS = {"M": "warn", "T": "warn", "R": "warn", "A": "good", "D": "bad", "U": "bad", "!": "bad"}
_LEVELS = {"ok": ("✔", "good"), "info": ("·", "dim"), "warn": ("▲", "warn"), "bad": ("✖", "bad")}
_NODES = "○◉◎"
_LANES = 8
# Narrower than this, counts stand without columns.
_COLUMNS_FROM = 34


class FileList(VirtualList[FileRow, bytes]):
    """Changed files: mark, path with its name in front of everything, lines added and removed."""

    def __init__(self, part: Part, *, framed: bool = True, id: str | None = None) -> None:
        super().__init__(attrgetter("path"), is_sorted=True, framed=framed, id=id or part.value)
        self.part = part

    def row_text(self, row: FileRow) -> str:
        """Return the path."""
        return row.shown

    def row_line(self, row: FileRow, *, width: int, base: Style) -> Strip:
        """Draw ``M  src/auth.py            +12    −3``."""
        paint = _MARKS.get(row.mark, "dim")
        if self.part is Part.STAGED and row.mark != "U":
            paint = "good"
        right = self._counts(row, columns=width >= _COLUMNS_FROM)
        room = width - 4 - sum(cell_len(text) for text, _ in right)
        if room < 8:
            right, room = [], width - 3
        folder, name = fit_path(clean(row.shown), room)
        if row.old and room - cell_len(folder + name) > 8:
            right = [(f"← {fit(clean(row.old), room // 2)} ", self.paint("faint")), *right]
            folder, name = fit_path(clean(row.shown), room - room // 2 - 3)
        named = "dim" if row.mark == "D" else "text"
        left: list[Piece] = [(f"{row.mark}  ", self.paint(paint))]
        left += self._hits(folder, "dim") + self._hits(name, named)
        return line(left, right, width=width, base=base)

    def _counts(self, row: FileRow, *, columns: bool) -> list[Piece]:
        """Return what stands at the right: a note, or added and removed in a column each."""
        if row.note:
            return [(f"{row.note} ", self.paint("faint"))]
        if row.added is None and row.removed is None:
            return []
        added = f"+{row.added}" if row.added else ""
        removed = f"−{row.removed}" if row.removed else ""
        if columns:
            added, removed = f"{added:>5}", f" {removed:>4} "
        else:
            removed = f"{' ' if added and removed else ''}{removed} "
        return [(added, self.paint("good")), (removed, self.paint("bad"))]

    def _hits(self, text: str, paint: str) -> list[Piece]:
        word = self.needle.split()[0].casefold() if self.needle.split() else ""
        at = text.casefold().find(word) if word else -1
        style = self.paint(paint)
        if at < 0:
            return [(text, style)]
        end = at + len(word)
        return [(text[:at], style), (text[at:end], self.paint("hit")), (text[end:], style)]


class TreeList(FileList):
    """The working tree's changes that are not staged."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), *bindings("tree")]

    def __init__(self) -> None:
        super().__init__(Part.TREE)


class StagedList(FileList):
    """The changes that the next commit will hold."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), *bindings("staged")]

    def __init__(self) -> None:
        super().__init__(Part.STAGED)


class CommitFilesList(FileList):
    """The files of one commit; the cursor moves the diff to the file."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), *bindings("files")]

    def __init__(self, *, framed: bool = True) -> None:
        super().__init__(Part.STAGED, framed=framed, id="files")
        self.oid = ""


class CommitList(VirtualList[CommitRow, str]):
    """The history: graph, id, age, names that stand there, subject, and what is not pushed."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), *bindings("history")]

    def __init__(self) -> None:
        super().__init__(lambda row: row.oid, framed=True, id="history")
        self.now_s = time.time

    def row_text(self, row: CommitRow) -> str:
        """Return subject, author, id and names."""
        return f"{row.subject} {row.author} {row.short} {' '.join(tag.name for tag in row.refs)}"

    def row_line(self, row: CommitRow, *, width: int, base: Style) -> Strip:
        """Draw ``◉ a1b2c3  2 m  main  Fix pool leak     ↑``."""
        left = self._graph(row)
        left.append((f" {row.short[:7]} ", self.paint("name")))
        age = ago(self.now_s() - row.when_s)
        left.append((f"{age:>4}  ", self.paint("faint")))
        for tag in row.refs:
            paint = {"tag": "tag", "remote": "dim", "head": "accent-strong"}.get(tag.kind, "name")
            sign = "⚑" if tag.kind == "tag" else "◇" if tag.name == "HEAD" else ""
            left.append((f"{sign}{clean(tag.name)}", self.paint(paint)))
            left.append((" ", self.paint("dim")))
        left.append((clean(row.subject), self.paint("text")))
        if row.note:
            left.append((f"  {row.note}", self.paint("faint")))
        right: list[Piece] = [(f"{row.mark} ", self.paint("warn"))] if row.mark else []
        if width >= 70:
            right = [(f"{fit(clean(row.author), 16)} ", self.paint("faint")), *right]
        return line(left, right, width=width, base=base)

    def _graph(self, row: CommitRow) -> list[Piece]:
        lanes = row.lanes if len(row.lanes) <= _LANES * 2 else row.lanes[: _LANES * 2 - 1] + "…"
        pieces: list[Piece] = []
        for at, char in enumerate(lanes):
            if char in _NODES:
                head = any(tag.kind == "head" for tag in row.refs) or char == "◉"
                pieces.append((char, self.paint("accent-strong" if head else "text")))
            else:
                pieces.append((char, self.paint(f"lane{at // 2 % 5}")))
        return pieces


class HealthList(VirtualList[Fact, str]):
    """What is well and what is not; folded to one line where there is no room."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), *bindings("health")]

    def __init__(self) -> None:
        super().__init__(lambda row: row.key, framed=True, id="health")
        self.health = HealthView()

    def tell(self, health: HealthView) -> None:
        """Show another report; headings stand between the groups."""
        self.health = health
        rows: list[Fact] = []
        group = ""
        for fact in health.facts:
            if fact.group and fact.group != group:
                group = fact.group
                rows.append(Fact(f"head:{group}", "head", group))
            rows.append(fact)
        self.replace(rows)

    def can_stop_at(self, row: Fact) -> bool:
        """Headings are read, not chosen."""
        return row.level != "head"

    def row_text(self, row: Fact) -> str:
        """Return the fact with its value."""
        return f"{row.text} {row.value}"

    def row_line(self, row: Fact, *, width: int, base: Style) -> Strip:
        """Draw ``✔ 12 034 objects            verified 11:58``."""
        if row.level == "head":
            return line([(clean(row.text), self.paint("dim"))], [], width=width, base=base)
        sign, paint = _LEVELS.get(row.level, _LEVELS["info"])
        right: list[Piece] = [(f"{clean(row.value)} ", self.paint("dim"))] if row.value else []
        room = width - 3 - (cell_len(row.value) + 2 if row.value else 0)
        if room < 16:
            right, room = [], width - 3
        text = brief(clean(row.text))
        text = fit_middle(text, room) if "/" in text else fit(text, room)
        left: list[Piece] = [(f"{sign} ", self.paint(paint)), (text, self.paint("text"))]
        return line(left, right, width=width, base=base)

    def content_line(self, y: int, width: int) -> Strip:
        """Draw a fact; or the headline, when there is one line only and nobody is reading."""
        if self.size.height == 1 and not self.has_focus and self.health.headline:
            sign, paint = _LEVELS.get(self.health.level, _LEVELS["info"])
            pieces: list[Piece] = [(f" {sign} ", self.paint(paint))]
            pieces.append((clean(self.health.headline), self.paint("text")))
            return line(pieces, [], width=width, base=self.base_style)
        return super().content_line(y, width)
