"""The commit box: a message that is saved as it is typed, beside what it will describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.strip import Strip
from textual.widgets import TextArea

from muse_tui.backend import drafts
from muse_tui.model import DiffDoc, DiffKey, Draft, FileRow, Source
from muse_tui.screens.box import BoxScreen
from muse_tui.widgets.diff_pane import DiffList
from muse_tui.widgets.lists import CommitFilesList
from muse_tui.widgets.paint import Painted
from muse_tui.widgets.text import Piece, line
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import plural

SUBJECT_HINT = 50
SUBJECT_LIMIT = 72
_SYNC_AFTER_S = 0.3


class CommitAnswer(NamedTuple):
    """The message to commit with."""

    text: str


class SubjectGauge(Painted):
    """How long the subject is: good, long, too long – in words and numbers, not only colour."""

    DEFAULT_CSS = "SubjectGauge { height: 1; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.subject, self.saved = "", ""

    def tell(self, subject: str, saved: str) -> None:
        """Show another subject and state of the draft."""
        self.subject, self.saved = subject, saved
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw ``subject 34/50   draft saved``."""
        size = len(self.subject)
        paint, word = ("dim", "")
        if size > SUBJECT_LIMIT:
            paint, word = "bad", f" – {size - SUBJECT_LIMIT} over {SUBJECT_LIMIT}"
        elif size > SUBJECT_HINT:
            paint, word = "warn", " – long"
        left: list[Piece] = [
            ("subject ", self.paint("faint")),
            (f"{size}/{SUBJECT_HINT}", self.paint(paint)),
            (word, self.paint(paint)),
        ]
        right = [(f"{self.saved} ", self.paint("faint"))]
        return line(left, right, width=self.size.width, base=self.rich_style)


class CommitScreen(BoxScreen[CommitAnswer | None]):
    """Write a message; every keystroke is on disk before the next one.

    Args:
        draft: What was being written.
        messages: Earlier messages, newest first.
        root: The repository's folder, for the draft.
        rows: What will be committed.
        ask_diff: Asks for the diff of a staged file; the answer goes to `show_diff`.
    """

    DEFAULT_CSS = """
    CommitScreen TextArea { border: none; padding: 0; width: 1fr; height: 1fr; }
    CommitScreen TextArea:focus { border: none; }
    CommitScreen #message { width: 1fr; }
    CommitScreen #will { width: 1fr; padding: 0 0 0 1; border-left: solid $p-line; }
    CommitScreen #will CommitFilesList { height: auto; min-height: 1; max-height: 8; }
    CommitScreen #will DiffList { height: 1fr; margin: 1 0 0 0; }
    CommitScreen.-narrow #will { display: none; }
    CommitScreen.-normal #will { width: 30; }
    CommitScreen.-normal #will CommitFilesList { max-height: 100; }
    CommitScreen.-normal #will DiffList { display: none; }
    """
    HINTS = (
        "ctrl+s commit",
        "alt+↑ earlier messages",
        "ctrl+n next file",
        "esc keep draft",
    )
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-narrow"),
        (84, "-normal"),
        (116, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+enter,alt+enter", "commit", "commit", priority=True),
        Binding("escape", "close", "close", priority=True),
        Binding("alt+up", "earlier(1)", "earlier message", priority=True),
        Binding("alt+down", "earlier(-1)", "later message", priority=True),
        Binding("ctrl+down,pagedown", "scroll(1)", "scroll the diff", priority=True),
        Binding("ctrl+up,pageup", "scroll(-1)", "scroll the diff", priority=True),
        Binding("ctrl+n", "file(1)", "next file", priority=True),
        Binding("ctrl+p", "file(-1)", "previous file", priority=True),
    ]

    def __init__(
        self,
        draft: Draft,
        *,
        messages: Sequence[str],
        root: Path,
        rows: Sequence[FileRow],
        ask_diff: Callable[[CommitScreen, DiffKey], object],
    ) -> None:
        super().__init__()
        self._draft, self._messages, self._root = draft, list(messages), root
        self._rows, self._ask_diff = rows, ask_diff
        self._at = -1
        self._typed_text = draft.text
        self._problem = ""

    def compose(self) -> ComposeResult:
        """Show the message, its gauge, the staged files and the diff of one."""
        with Vertical(classes="box") as box:
            box.border_title = "Amend the last commit" if self._draft.amend else "Commit"
            with Horizontal():
                with Vertical(id="message"):
                    yield TextArea(
                        self._draft.text,
                        soft_wrap=True,
                        tab_behavior="focus",
                        show_line_numbers=False,
                        placeholder="Why does this change what it changes?",
                        highlight_cursor_line=False,
                    )
                    yield SubjectGauge()
                with Vertical(id="will"):
                    yield CommitFilesList(framed=False)
                    yield DiffList(framed=False)

    def on_mount(self) -> None:
        """Put the cursor at the end of the draft."""
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)
        area.focus()
        files = self.query_one(CommitFilesList)
        files.can_focus = self.query_one(DiffList).can_focus = False
        files.replace(self._rows)
        files.set_face("Only the message changes.")
        self._gauge()
        self._show_file()

    # The message --------------------------------------------------------------------------------

    @on(TextArea.Changed)
    def _typed(self) -> None:
        text = self.query_one(TextArea).text
        if text == self._draft.text:
            return
        self._draft = self._draft._replace(text=text)
        try:
            drafts.save_draft(self._root, self._draft)
            self._problem = ""
        except OSError as error:
            self._problem = f"draft NOT saved: {error.strerror}"
        self.set_timer(_SYNC_AFTER_S, self._make_durable)
        self._gauge()

    def _make_durable(self) -> None:
        """Sync the draft a moment after the last key, in a thread: fsync may take a while."""
        draft = self._draft

        def sync() -> None:
            if self._draft is draft:
                try:
                    drafts.save_draft(self._root, draft, durable=True)
                except OSError:
                    return

        self.app.run_worker(sync, thread=True, group="draft", exit_on_error=False)

    def _gauge(self) -> None:
        subject = self._draft.text.split("\n", 1)[0]
        saved = self._problem or ("draft saved" if self._draft.text else "")
        files = plural(len(self._rows), "file")
        self.query_one(SubjectGauge).tell(subject, f"{saved} · {files}" if saved else files)

    def action_earlier(self, step: int) -> None:
        """Recall an earlier message, or come back to the draft."""
        if not self._messages:
            return
        area = self.query_one(TextArea)
        if self._at < 0:
            self._typed_text = area.text
        self._at = max(-1, min(self._at + step, len(self._messages) - 1))
        area.text = self._typed_text if self._at < 0 else self._messages[self._at]
        area.move_cursor(area.document.end)

    def action_commit(self) -> None:
        """Commit with this message."""
        text = self.query_one(TextArea).text.strip()
        if not text:
            self.notify("Write at least one line.", severity="warning", timeout=3, markup=False)
            return
        self.dismiss(CommitAnswer(text))

    def action_close(self) -> None:
        """Close the box; the draft stays."""
        self.dismiss(None)

    # What it describes --------------------------------------------------------------------------

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        if isinstance(event.pane, CommitFilesList):
            self._show_file()

    def _show_file(self) -> None:
        row = self.query_one(CommitFilesList).current
        if row is not None:
            self._ask_diff(self, DiffKey(Source.STAGED, row.path))

    def show_diff(self, doc: DiffDoc) -> None:
        """Show the diff of a staged file."""
        self.query_one(DiffList).tell(doc)

    def action_file(self, step: int) -> None:
        """Show the next or the previous staged file."""
        self.query_one(CommitFilesList).action_move(step)

    def action_scroll(self, pages: int) -> None:
        """Scroll the diff."""
        diff = self.query_one(DiffList)
        diff.scroll_rows(pages * max(diff.size.height - 2, 1))
