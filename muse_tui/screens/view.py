"""What keys do with the view: panes, filter, context, zoom, themes, help, copying, leaving."""

from __future__ import annotations

import time

from textual import on
from textual.events import DescendantFocus

from muse_tui.messages import ActionChosen, PaneChosen
from muse_tui.model import CommitRow, FileRow
from muse_tui.screens import boxes
from muse_tui.screens.base import PANES, ActionBase
from muse_tui.widgets.diff_pane import DiffList
from muse_tui.widgets.diff_rows import DiffRow
from muse_tui.widgets.filter_bar import FilterBar
from muse_tui.widgets.lists import CommitFilesList, HealthList
from muse_tui.widgets.status_line import SIGNS
from muse_tui.widgets.tabs import PaneTabs
from muse_tui.widgets.virtual_list import VirtualList

_OWNERS = ("tree", "staged", "history")


class ViewActions(ActionBase):
    """Actions that change what is seen, and nothing else."""

    # Panes ------------------------------------------------------------------------------------

    def action_pane(self, pane: str) -> None:
        """Give a pane the focus."""
        self.show_pane(pane)

    def action_cycle(self, step: int) -> None:
        """Give the next or the previous pane the focus."""
        at = PANES.index(self.active) if self.active in PANES else 0
        self.show_pane(PANES[(at + step) % len(PANES)])

    def show_pane(self, pane: str) -> None:
        """Make a pane the active one and give it the focus."""
        self._activate(pane)
        target = "files" if pane == "history" and self.showing_files else pane
        self.query_one(f"#{target}", VirtualList).focus()

    def _activate(self, pane: str) -> None:
        self.active = pane
        for name in PANES:
            self.query_one(f"#pane-{name}").set_class(name == pane, "-active")
        self.set_class(pane == "diff", "-right")
        self.set_class(pane != "diff", "-left")
        self.query_one(PaneTabs).tell(active=pane)

    @on(PaneChosen)
    def _choose_pane(self, event: PaneChosen) -> None:
        self.show_pane(event.pane)

    @on(ActionChosen)
    async def _run_chosen(self, event: ActionChosen) -> None:
        await self.run_hint(event.action)

    async def run_hint(self, action: str) -> None:
        """Run an action of the keymap as if its key had been pressed."""
        target = self.focused or self
        await self.app.run_action(action, default_namespace=target)

    @on(DescendantFocus)
    def _focus_moved(self, event: DescendantFocus) -> None:
        pane = event.widget
        if not isinstance(pane, VirtualList) or pane.id is None:
            return
        name = "history" if pane.id == "files" else pane.id
        if name not in PANES:
            return
        self._activate(name)
        if name == "health":
            self.engine.tell("health")  # another process may have left or removed something
        if name in _OWNERS and (name != self.owner or self.wanted is None):
            self.owner = name
            if not self.showing_files or name != "history":
                self.ask_diff(self.key_under_cursor())
        self.refresh_footer()

    def action_enlarge(self, step: int) -> None:
        """Give the active pane its column, then the screen."""
        self.zoom = max(0, min(self.zoom + step, 2))
        for level in (1, 2):
            self.set_class(self.zoom == level, f"-zoom{level}")

    def action_back(self) -> None:
        """End the range, clear the filter, leave a commit's files, go back to the list."""
        pane = self.focused_list()
        if pane is not None and pane.end_range():
            self.refresh_footer()
        elif isinstance(pane, DiffList) and pane.needle:
            pane.search("")
        elif isinstance(pane, DiffList):
            self.show_pane(self.owner)
        elif pane is not None and pane.needle:
            pane.set_filter("")
            self.refresh_faces()
        elif isinstance(pane, CommitFilesList):
            self.close_commit()
        elif self.zoom:
            self.action_enlarge(-2)

    # The diff ---------------------------------------------------------------------------------

    def action_scroll_diff(self, rows: int) -> None:
        """Scroll the diff from any pane."""
        self.diff.scroll_rows(rows)

    def action_context(self, step: int) -> None:
        """Show more or fewer lines around each change."""
        lines = max(0, min(self.context_lines + step * (3 if self.context_lines > 5 else 1), 60))
        if lines != self.context_lines:
            self.context_lines = lines
            key = self.diff.key or self.key_under_cursor()
            self.ask_diff(key, now=True)
            self.say(f"{lines} lines of context.", level="info")

    # Filter -----------------------------------------------------------------------------------

    async def action_filter(self) -> None:
        """Open the prompt: a filter for the focused list, a search in the diff."""
        pane = self.focused_list()
        if pane is None or isinstance(pane, HealthList):
            pane = self.query_one(f"#{self.owner}", VirtualList)
            pane.focus()
        self.filtered_pane = str(pane.id)
        await self.query_one(FilterBar).open(pane.needle)

    @on(FilterBar.Typed)
    def _filter(self, event: FilterBar.Typed) -> None:
        pane = self.query_one(f"#{self.filtered_pane}", VirtualList)
        if isinstance(pane, DiffList):
            pane.search(event.words)
        else:
            pane.set_filter(event.words)
            self.refresh_faces()

    @on(FilterBar.Left)
    def _filter_left(self) -> None:
        self.query_one(f"#{self.filtered_pane}", VirtualList).focus()

    def action_hit(self, step: int) -> None:
        """Go to the next or previous row of the filter, or hit of the search."""
        pane = self.focused_list()
        if isinstance(pane, DiffList) and pane.needle:
            if not pane.to_hit(step):
                self.say(f"'{pane.needle}' does not stand here.", level="info")
        elif pane is not None:
            pane.action_move(step)

    # Help, palette, log -----------------------------------------------------------------------

    async def _run_answer(self, action: str | None) -> None:
        if action:
            await self.run_hint(action)

    def action_help(self) -> None:
        """Show every key of the focused pane; Enter runs one."""
        pane = self.focused_list()
        context = str(pane.id) if pane is not None else self.active
        screen = boxes.HelpScreen(context, self.muse.key_overrides)
        self.app.push_screen(screen, self._run_answer)

    def action_palette(self) -> None:
        """Find a command by its name."""
        pane = self.focused_list()
        context = str(pane.id) if pane is not None else self.active
        self.app.push_screen(
            boxes.PaletteScreen(context, self.muse.key_overrides), self._run_answer
        )

    def action_command_log(self) -> None:
        """Show what was done in this session, newest last."""
        lines = [
            f"{time.strftime('%H:%M:%S', time.localtime(at))}  {SIGNS[level][0]}  {text}"
            for at, level, text in self.done_log
        ]
        text = "\n".join(lines) or "Nothing was done yet."
        self.app.push_screen(boxes.ReaderScreen("Log", text, at_end=True))

    # Copying ----------------------------------------------------------------------------------

    def action_copy(self) -> None:
        """Copy path, id, text or the report, whatever the cursor stands on."""
        pane = self.focused_list()
        row = pane.current if pane is not None else None
        if isinstance(pane, HealthList):
            text, what = self.health_report(), "the health report"
        elif isinstance(row, FileRow):
            rows = [r for r in (pane.picked() if pane else []) if isinstance(r, FileRow)]
            text = "\n".join(r.shown for r in rows)
            what = "the path" if len(rows) == 1 else f"{len(rows)} paths"
        elif isinstance(row, CommitRow):
            commits = [r for r in (pane.picked() if pane else []) if isinstance(r, CommitRow)]
            text = "\n".join(r.oid.removeprefix("sha256:") for r in commits)
            what = "the commit's id" if len(commits) == 1 else f"{len(commits)} commits' ids"
        elif isinstance(row, DiffRow):
            lines = [r for r in (pane.picked() if pane else []) if isinstance(r, DiffRow)]
            text = "\n".join(side.text for r in lines if (side := r.right or r.left) is not None)
            what = "the line" if len(lines) == 1 else "the lines"
        elif self.last_failure is not None:
            failure = self.last_failure
            text, what = f"{failure.message}\n{failure.hint}\n{failure.trace}", "the last error"
        else:
            self.say("There is nothing to copy here.", level="info")
            return
        path = self.muse.copy_text(text)
        self.say(f"Copied {what}.", hint=f"also in {path}" if path else "", level="info")

    # Interface --------------------------------------------------------------------------------

    def action_theme(self) -> None:
        """Change to the next theme, and remember it."""
        name = self.muse.next_theme()
        self.say(f"Theme {name}.", level="info")

    def action_picture(self) -> None:
        """Save the screen as an SVG."""
        path = self.muse.save_picture()
        if path:
            self.say(f"Saved {path}.", level="info")

    def action_quit(self) -> None:
        """Leave; jobs go on."""
        self.app.exit()
