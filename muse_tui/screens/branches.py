"""The list of branches."""

from __future__ import annotations

import time
from typing import ClassVar, NamedTuple

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.strip import Strip

from muse_tui.keymap import bindings
from muse_tui.model import BranchRow
from muse_tui.widgets.text import Piece, line
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

    def row_text(self, row: BranchRow) -> str:
        """Return name and subject."""
        return f"{row.name} {row.subject}"

    def row_line(self, row: BranchRow, *, width: int, base: Style) -> Strip:
        """Draw ``● main ↑2   2 m  Fix pool leak``."""
        sign = "●" if row.current else "○" if not row.remote else "☁"
        name = "accent-strong" if row.current else "dim" if row.remote else "name"
        left: list[Piece] = [(f"{sign} ", self.paint(name)), (clean(row.name), self.paint(name))]
        if row.ahead:
            left.append((f" ↑{row.ahead}", self.paint("warn")))
        if row.behind:
            left.append((f" ↓{row.behind}", self.paint("warn")))
        left.append((f"  {clean(row.subject)}", self.paint("dim")))
        age = ago(time.time() - row.when_s) if row.when_s else ""
        return line(left, [(f"{age} ", self.paint("faint"))], width=width, base=base)


class BranchScreen(ModalScreen[BranchAnswer | None]):
    """Choose a branch, or make one."""

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
            box.border_subtitle = "enter switch · n new · r rename · d delete · esc close"
            yield BranchList()

    def on_mount(self) -> None:
        """Fill the list."""
        branches = self.query_one(BranchList)
        branches.replace(self._rows)
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
