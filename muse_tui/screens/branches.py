"""The list of branches."""

from __future__ import annotations

import time
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.strip import Strip

from muse_tui.keymap import bindings
from muse_tui.model import BranchRow
from muse_tui.screens.box import BoxScreen
from muse_tui.widgets.text import Piece, fit_middle, line
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import ago, clean


class BranchAnswer(NamedTuple):
    """What to do with which branch: ``switch``, ``new``, ``rename`` or ``delete``."""

    verb: str
    row: BranchRow | None


class BranchList(VirtualList[BranchRow, str]):
    """Branches: the current one first, then by age."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("list"),
        Binding("enter", "open", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(lambda row: row.name, id="branches")
        self._name_cells = 0
        self.now_s = time.time

    def tell(self, rows: tuple[BranchRow, ...]) -> None:
        """Show branches; the list is as high as it must be, up to what the box allows."""
        self._name_cells = max((cell_len(clean(row.name)) for row in rows), default=0)
        self.styles.height = max(min(len(rows), 20), 3)
        self.replace(rows)

    def row_text(self, row: BranchRow) -> str:
        """Return name and subject."""
        return f"{row.name} {row.subject}"

    def row_line(self, row: BranchRow, *, width: int, base: Style) -> Strip:
        """Draw ``● main    Fix pool leak           ↑2  2 m``."""
        sign = "●" if row.current else "○" if not row.remote else "☁"
        paint = "accent-strong" if row.current else "dim" if row.remote else "name"
        room = min(self._name_cells, max(width * 2 // 5, 8))
        name = fit_middle(clean(row.name), room)
        gap = " " * (room - cell_len(name) + 2)
        left: list[Piece] = [(f"{sign} ", self.paint(paint)), (name, self.paint(paint))]
        left += [(gap, Style()), (clean(row.subject), self.paint("dim"))]
        right: list[Piece] = []
        if row.ahead:
            right.append((f"↑{row.ahead} ", self.paint("warn")))
        if row.behind:
            right.append((f"↓{row.behind} ", self.paint("warn")))
        age = ago(self.now_s() - row.when_s) if row.when_s else ""
        right.append((f"{age:>4} ", self.paint("faint")))
        return line(left, right, width=width, base=base)


class BranchScreen(BoxScreen[BranchAnswer | None]):
    """Choose a branch, or make one."""

    HINTS = ("enter switch", "n new", "d delete", "r rename", "esc close")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,b", "dismiss", show=False),
        Binding("space", "answer('switch')", show=False),
        Binding("n", "answer('new')", show=False),
        Binding("r,R", "answer('rename')", show=False),
        Binding("d", "answer('delete')", show=False),
    ]

    def __init__(self, rows: tuple[BranchRow, ...]) -> None:
        super().__init__()
        self._rows = rows

    def compose(self) -> ComposeResult:
        """Show the branches."""
        with Vertical(classes="box") as box:
            box.border_title = "Branches"
            yield BranchList()

    def on_mount(self) -> None:
        """Fill the list."""
        branches = self.query_one(BranchList)
        branches.tell(self._rows)
        branches.set_face("No branches yet.", "n creates one; the first commit creates main.")
        branches.focus()

    @on(VirtualList.Opened)
    def _open(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.action_answer("switch")

    def action_answer(self, verb: str) -> None:
        """Answer with a verb and the branch under the cursor."""
        row = self.query_one(BranchList).current
        if verb == "new" or row is not None:
            self.dismiss(BranchAnswer(verb, row))
