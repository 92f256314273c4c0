"""The screen with the panes: news goes to panes here, and nothing else happens in this file.

What keys do lives in the mixins beside it (`files`, `commits`, `remotes`, `view`).
"""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from muse_tui import messages
from muse_tui.keymap import bindings
from muse_tui.link import SupersededError
from muse_tui.model import CommitRow, DiffDoc, DiffKey, FileRow, Live, Source
from muse_tui.screens.base import ActionBase
from muse_tui.screens.commits import CommitActions
from muse_tui.screens.files import FileActions
from muse_tui.screens.remotes import RemoteActions
from muse_tui.screens.safety import SafetyActions
from muse_tui.screens.view import ViewActions
from muse_tui.widgets.diff_pane import DiffList
from muse_tui.widgets.filter_bar import FilterBar
from muse_tui.widgets.footer import Footer
from muse_tui.widgets.frame import FootBar, Pane
from muse_tui.widgets.header import Header
from muse_tui.widgets.lists import CommitFilesList, CommitList, HealthList, StagedList, TreeList
from muse_tui.widgets.status_line import StatusLine
from muse_tui.widgets.tabs import PaneTabs
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import brief, count, plural


class MainScreen(
    FileActions, CommitActions, RemoteActions, SafetyActions, ViewActions, ActionBase, Screen[None]
):
    """Panes, header, status line and footer."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("global")]
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-tiny"),
        (40, "-narrow"),
        (84, "-normal"),
        (120, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-flat"),
        (10, "-short"),
        (30, "-tall"),
    ]
    AUTO_FOCUS = "#tree"
    # As Textual's own, but a new focus repaints the panes that it concerns, not the screen.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def compose(self) -> ComposeResult:
        """Lay the panes out; they show a loading face until the engine has spoken."""
        yield Header()
        yield PaneTabs()
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Pane("tree", "1", "Working tree", TreeList())
                yield Pane("staged", "2", "Staged", StagedList())
                yield Pane("history", "3", "History", CommitList(), CommitFilesList())
                yield Pane("health", "4", "Health", HealthList())
                yield FootBar()
            with Vertical(id="right"):
                yield Pane("diff", "0", "Diff", DiffList())
                yield FootBar()
        yield Static("muse needs 40×10 cells", id="too-small")
        yield FilterBar()
        yield StatusLine()
        yield Footer()

    def on_mount(self) -> None:
        """Show the faces of the first moment."""
        self.add_class("-left")
        self.query_one("#pane-tree").add_class("-active")
        self.query_one(CommitFilesList).display = False
        for pane in self.query(VirtualList):
            pane.set_face("Loading…")
        self.tree_list.set_face("Looking at your files…")
        self.refresh_faces()

    # News -------------------------------------------------------------------------------------

    @on(messages.StatusChanged)
    def _show_status(self, event: messages.StatusChanged) -> None:
        delta = event.delta
        self.scanning = delta.more
        key = self.diff.key
        before = self._rows_of(key)
        if delta.reset:
            self.tree_list.replace(delta.tree)
            self.staged.replace(delta.staged)
        else:
            self.tree_list.update_rows(delta.tree, delta.tree_gone)
            self.staged.update_rows(delta.staged, delta.staged_gone)
        self.refresh_faces()
        if key is not None and key.source is not Source.COMMIT:
            after = self._rows_of(key)
            moved = any(new is not old for new, old in zip(after, before, strict=True))
            if delta.reset or moved or key.path in delta.touched:
                self.ask_diff(self.key_under_cursor(), now=True)
        elif self.wanted is None:
            self.ask_diff(self.key_under_cursor())

    def _rows_of(self, key: DiffKey | None) -> tuple[FileRow | None, FileRow | None]:
        """Return the rows of the file that the diff shows, in the working tree and the stage."""
        path = b"" if key is None else key.path
        return self.tree_list.rows.get(path), self.staged.rows.get(path)

    @on(messages.HeadChanged)
    def _show_head(self, event: messages.HeadChanged) -> None:
        self.head = event.head
        self.query_one(Header).tell(head=event.head)
        self.refresh_faces()

    @on(messages.WatchChanged)
    def _show_watch(self, event: messages.WatchChanged) -> None:
        self.watch_view = event.watch
        self.query_one(Header).tell(watch=event.watch)
        self.refresh_faces()

    @on(messages.HistoryChanged)
    def _show_history(self, event: messages.HistoryChanged) -> None:
        self.history_view = event.history
        # At the top of a list that nobody reads, the newest commit is what one looks for.
        follow = self.history.cursor == 0 and not self.history.has_focus
        self.history.replace(event.history.rows)
        if follow:
            self.history.move_to(0)
        self.refresh_faces()

    @on(messages.HealthChanged)
    def _show_health(self, event: messages.HealthChanged) -> None:
        self.health_list.tell(event.health)
        self.query_one(Header).tell(health=event.health)
        self.refresh_faces()
        if event.health.crash_line and not self.crash_told:
            self.crash_told = True
            self.say(event.health.crash_line, hint="4 shows what was found", level="warn")

    @on(messages.EngineLost)
    def _tell_lost(self, event: messages.EngineLost) -> None:
        again = "it was started again" if event.restarted else "start muse-tui again"
        self.say(f"The engine stopped; {again}. Nothing is lost.", level="bad")

    @on(VirtualList.NearEnd)
    def _read_more(self, event: VirtualList.NearEnd) -> None:
        event.stop()
        view = self.history_view
        if event.pane is self.history and view is not None and view.more and not self.reading_more:
            self.reading_more = True
            self.read_more()

    @work(group="history", exit_on_error=False)
    async def read_more(self) -> None:
        """Have the engine tell older commits, too."""
        await self.ask("more_history", object)
        self.reading_more = False

    # The diff follows the cursor --------------------------------------------------------------

    @on(VirtualList.Moved)
    def _follow(self, event: VirtualList.Moved) -> None:
        if isinstance(event, VirtualList.Opened):
            return
        if event.pane is self.diff:
            self.refresh_titles()
        elif event.pane.id == "files" and event.pane.has_focus:
            self.ask_diff(self.key_of_file())
        elif event.pane.id == self.owner and not self.showing_files:
            self.ask_diff(self.key_under_cursor())

    def key_under_cursor(self) -> DiffKey | None:
        """Return what the diff should show: the row under the cursor of the pane used last."""
        if self.owner == "history":
            commit = self.history.current
            return DiffKey(Source.COMMIT, oid=commit.oid) if commit else None
        files = self.staged if self.owner == "staged" else self.tree_list
        if not len(self.tree_list.rows) and not self.tree_list.needle:
            files = self.staged  # the only changes that there are
        row = files.current
        source = Source.STAGED if files is self.staged else Source.UNSTAGED
        return DiffKey(source, path=row.path) if row else None

    def key_of_file(self) -> DiffKey | None:
        """Return the diff of the file under the cursor among the files of a commit."""
        files = self.query_one(CommitFilesList)
        row = files.current
        return DiffKey(Source.COMMIT, row.path, files.oid) if row else None

    def ask_diff(self, key: DiffKey | None, *, now: bool = False) -> None:
        """Ask for a diff; keys held down ask for the last one only."""
        self.wanted = key
        if key is None:
            self.diff.tell(None)
            self.refresh_faces()
        elif now or key != self.diff.key:
            self.read_diff(key)

    @work(group="diff", exit_on_error=False)
    async def read_diff(self, key: DiffKey) -> None:
        """Read a diff in the engine and show it, unless another one is wanted by now."""
        try:
            doc = await self.engine.call("diff", key=key, context=self.context_lines)
        except SupersededError:
            return
        except Exception as error:  # noqa: BLE001 - shown where the diff would be
            self.show_problem(error, quiet=True)
            if self.wanted == key:
                self.diff.tell(None)
                self.diff.set_face("This cannot be shown.", plainly(str(error)))
            return
        assert isinstance(doc, DiffDoc)
        if self.wanted == key:
            self.post_message(messages.DiffRead(doc))

    @on(messages.DiffRead)
    def _show_diff(self, event: messages.DiffRead) -> None:
        if self.wanted == event.doc.key:
            self.diff.tell(event.doc)
            self.diff.set_face("No difference.")
            self.refresh_titles()

    # Titles and faces -------------------------------------------------------------------------

    def refresh_faces(self) -> None:
        """Say in each empty pane what that means and what the next step is."""
        self.tree_list.set_face(*self._tree_face())
        self.staged.set_face(*self._staged_face())
        if not len(self.history.rows) and self.history_view is not None:
            problem = self.history_view.problem
            if problem:
                self.history.set_face("The history cannot be read.", plainly(problem))
            else:
                self.history.set_face("No commits yet.", "Stage something, then `c` commits it.")
        if self.diff.doc is None:
            self.diff.set_face(*self._diff_face())
        self.refresh_titles()

    def _tree_face(self) -> tuple[str, ...]:
        if self.watch_view.live is Live.STOPPED:
            why = plainly(self.watch_view.reason)
            return ("What changed cannot be told.", why, "`4` shows the damage, `R` looks again.")
        if self.watch_view.live is Live.STARTING or self.scanning:
            return ("Looking at your files…",)
        if self.tree_list.needle:
            return ("No changed file has these words.", "`esc` shows all again")
        if len(self.staged.rows):
            return ("Everything that changed is staged.", "`c` commits it")
        return ("Nothing changed.", "Edit a file, and it appears here.")

    def _staged_face(self) -> tuple[str, ...]:
        live = self.watch_view.live
        if live is Live.STARTING or (self.scanning and live is not Live.STOPPED):
            return ("…",)
        if self.staged.needle:
            return ("No staged file has these words.", "`esc` shows all again")
        if live is Live.STOPPED:
            return ("What is staged cannot be told.",)
        if not len(self.tree_list.rows):
            return ("Nothing is staged.", "It fills when you stage.")
        return ("Nothing is staged.", "`space` stages the file under the cursor, `a` stages all.")

    def _diff_face(self) -> tuple[str, ...]:
        live = self.watch_view.live
        if live is Live.STARTING:
            return ("",)
        if live is Live.STOPPED:
            damage = plainly(self.head.damage or self.watch_view.reason)
            return ("Your files are untouched; Muse cannot compare them now.", damage)
        if not len(self.tree_list.rows) and not len(self.staged.rows):
            clean = "The working tree is clean."
            if self.history_view is not None and self.history_view.rows:
                return (clean, "`3` looks at the history, `4` at the health of the repository.")
            return (clean, "Create a file to begin; it appears on the left at once.")
        return ("Choose a file or a commit to see what changed.",)

    def refresh_titles(self) -> None:
        """Bring counts and titles up to date."""
        changed, staged = self.tree_list.rows, self.staged.rows
        scanning = "reconciling" if self.watch_view.live is Live.RECONCILING else ""
        if self.watch_view.live is Live.STOPPED:
            scanning = "not known"
        elif self.scanning:
            scanning = f"{count(changed.total)} so far" if changed.total else "looking…"
        self._title("tree", aside=scanning or self._counted(self.tree_list, "changed"))
        self._title("staged", aside=self._counted(self.staged, "file"))
        label = self.head.branch or (f"at {self.head.short}" if self.head.short else "")
        if self.showing_files:
            self._title("history", title="Files", detail=self.showing_files, aside="esc back")
        else:
            self._title("history", title="History", aside=label)
        self._title("health")
        self._title("diff", detail=self.diff.title_text, aside=self.diff.aside_text)
        counts = {"tree": str(len(changed) or ""), "staged": str(len(staged) or "")}
        self.query_one(PaneTabs).tell(counts=counts)
        self.refresh_footer()

    def _counted(self, files: VirtualList[FileRow, bytes], noun: str) -> str:
        total, shown = files.rows.total, len(files.rows)
        if files.rows.filtered:
            return f"{count(shown)} of {count(total)}"
        if not total:
            return ""
        return f"{count(total)} {noun}" if noun == "changed" else plural(total, noun)

    def _title(
        self, pane: str, *, title: str | None = None, detail: str = "", aside: str = ""
    ) -> None:
        self.query_one(f"#pane-{pane}", Pane).title_bar.tell(
            title=title, detail=detail, aside=aside
        )

    def commit_row(self) -> CommitRow | None:
        """Return the commit under the cursor of the history."""
        return self.history.current


def plainly(problem: str) -> str:
    """Return an error's text for a face: ids cut short, and no backticks, which mark keys there."""
    return brief(problem).replace("`", "'")
