"""What all actions of the main screen share: its parts, its state, and how work is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from pathlib import Path
from typing import TypeVar, cast

from textual import work
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerState

from muse_tui.link import EngineError, EngineLink, SupersededError
from muse_tui.model import (
    DiffKey,
    Done,
    Failure,
    FileRow,
    HeadView,
    HistoryView,
    JobView,
    WatchView,
)
from muse_tui.services import Services
from muse_tui.widgets.diff_pane import DiffList
from muse_tui.widgets.footer import Footer
from muse_tui.widgets.lists import CommitList, FileList, HealthList, StagedList, TreeList
from muse_tui.widgets.status_line import StatusLine
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import brief

T = TypeVar("T")
# Not errors: there was simply nothing to do.
_CALM = frozenset({"NothingToCommitError", "NothingToUndoError"})
PANES = ("tree", "staged", "history", "health", "diff")


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class ActionBase(Screen[None]):
    """State of the main screen, and the ways to ask the engine for something."""

    def __init__(self) -> None:
        super().__init__(id="main")
        self.head = HeadView()
        self.watch_view = WatchView()
        self.history_view: HistoryView | None = None
        self.scanning = True
        self.crash_told = False
        self.reading_more = False
        self.owner = "tree"
        self.active = "tree"
        self.wanted: DiffKey | None = None
        self.context_lines = 3
        self.zoom = 0
        self.showing_files = ""
        self.done_log: list[tuple[float, str, str]] = []
        self.filtered_pane = "tree"
        self.last_failure: Failure | None = None

    # Parts ------------------------------------------------------------------------------------

    @property
    def muse(self) -> Services:
        """Return the application."""
        return cast("Services", self.app)

    @property
    def engine(self) -> EngineLink:
        """Return the line to the engine."""
        return self.muse.engine

    @property
    def root(self) -> Path:
        """Return the repository's folder."""
        return self.muse.root

    @property
    def tree_list(self) -> TreeList:
        """Return the working tree's list."""
        return self.query_one(TreeList)

    @property
    def staged(self) -> StagedList:
        """Return the stage's list."""
        return self.query_one(StagedList)

    @property
    def history(self) -> CommitList:
        """Return the list of commits."""
        return self.query_one(CommitList)

    @property
    def health_list(self) -> HealthList:
        """Return the list of health facts."""
        return self.query_one(HealthList)

    @property
    def diff(self) -> DiffList:
        """Return the diff."""
        return self.query_one(DiffList)

    def focused_list(self) -> VirtualList[object, object] | None:
        """Return the list that has the focus."""
        return self.focused if isinstance(self.focused, VirtualList) else None

    def focused_files(self) -> FileList | None:
        """Return the list of files that has the focus."""
        return self.focused if isinstance(self.focused, FileList) else None

    def picked_files(self) -> list[FileRow]:
        """Return the files of the range, or the one under the cursor, of the focused list."""
        files = self.focused_files()
        return files.picked() if files is not None else []

    # Asking -----------------------------------------------------------------------------------

    def request(self, method: str, **args: object) -> None:
        """Ask the engine to do something; show what it did, or why not."""
        # Asked before anything else runs: the next key may leave, and this one was pressed.
        self._show_done(self.engine.ask(method, **args))

    @work(group="requests", exit_on_error=False)
    async def _show_done(self, answer: asyncio.Future[object]) -> None:
        try:
            done = await answer
        except Exception as error:  # noqa: BLE001 - everything that fails is shown
            self.show_problem(error)
            return
        if isinstance(done, Done):
            self.report(done)

    async def ask(self, method: str, kind: type[T], **args: object) -> T | None:
        """Ask the engine for something and wait; None when it failed (and that was shown)."""
        try:
            answer = await self.engine.call(method, **args)
        except Exception as error:  # noqa: BLE001 - everything that fails is shown
            self.show_problem(error)
            return None
        assert isinstance(answer, kind), f"{method} answered {type(answer).__name__}"
        return answer

    async def settle(self) -> None:
        """Wait until what was asked for before is done and shown: keys may be typed ahead."""
        with contextlib.suppress(EngineError):
            await self.engine.call("settle")
        shown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Behind the news in this screen's queue, so those have been shown when it runs.
        self.call_later(_resolve, shown)
        await shown

    async def choose(self, screen: ModalScreen[T]) -> T | None:
        """Show a box and wait for its answer; None when it was left."""
        return await self.app.push_screen_wait(screen)

    # Telling ----------------------------------------------------------------------------------

    def say(self, text: str, *, hint: str = "", level: str = "ok") -> None:
        """Show one sentence in the status line and keep it in the log."""
        self.query_one(StatusLine).say(text, hint=hint, level=level)
        self.done_log.append((self.muse.now_s(), level, f"{text}  {hint}".strip()))
        del self.done_log[:-1000]

    def report(self, done: Done) -> None:
        """Show what an action did, and that ``z`` takes it back."""
        if done.text:
            hint = done.undo if done.undo.startswith("Z ") else f"z {done.undo}"
            hint = hint if done.undo else ""
            self.say(done.text, hint=hint, level="warn" if done.warning else "ok")

    def show_problem(self, error: BaseException, *, quiet: bool = False) -> None:
        """Show an error: an expected one with its hint, a bug with its traceback; go on."""
        if isinstance(error, SupersededError):
            return
        if isinstance(error, EngineError):
            failure = error.failure
        else:
            trace = "".join(traceback.format_exception(error))
            failure = Failure("bug", f"{type(error).__name__}: {error}", "Please report it.", trace)
        self.show_failure(failure, quiet=quiet)

    def show_failure(self, failure: Failure, *, quiet: bool = False) -> None:
        """Show a failure in the status line and, unless ``quiet``, as a notification."""
        self.last_failure = failure
        if failure.kind in _CALM:
            self.say(failure.message, hint=failure.hint, level="info")
            return
        hint = failure.hint + ("   @ shows the whole" if failure.trace else "")
        self.say(failure.message, hint=hint, level="bad")
        if failure.trace:
            self.done_log.append((self.muse.now_s(), "bad", failure.trace))
        if not quiet:
            self.tell_error(failure.message, failure.hint)

    def tell_error(self, message: str, hint: str) -> None:
        """Show an error above the status line; the log has the whole of it."""
        self.notify(
            f"{brief(hint)}\n@ shows and copies the whole.".strip(),
            title=brief(message),
            severity="error",
            timeout=8,
            markup=False,
        )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what a worker died of; the interface goes on."""
        error = event.worker.error
        if event.state is WorkerState.ERROR and error is not None:
            self.show_problem(error)

    def take_keys(self, overrides: dict[str, str]) -> None:
        """Show the user's own keys in the hints."""
        footer = self.query_one(Footer)
        footer.overrides = overrides
        footer.refresh()

    def refresh_footer(self) -> None:
        """Show the hints of the pane that has the focus, in the words that fit now."""
        pane = self.focused_list()
        context = str(pane.id) if pane is not None else self.active
        words: dict[str, str] = {}
        doc = self.diff.doc
        if context == "diff" and doc is not None:
            verb = "unstage" if doc.key.source == "staged" else "stage"
            words["stage"] = f"{verb} {'lines' if self.diff.anchor_key else 'hunk'}"
        if pane is not None and getattr(pane, "anchor_key", None) is not None:
            words["range"] = "end range"
        self.query_one(Footer).tell(context, words)

    # Filled in by the other parts of the screen, which derive from this one and so cannot be
    # imported here. No ABC: its metaclass is not that of Textual's screens. -----------------------

    def ask_diff(self, key: DiffKey | None, *, now: bool = False) -> None:
        """Ask for a diff."""
        raise NotImplementedError  # filled in by screens/main.py

    def key_under_cursor(self) -> DiffKey | None:
        """Return what the diff should show."""
        raise NotImplementedError  # filled in by screens/main.py

    def key_of_file(self) -> DiffKey | None:
        """Return the diff of the file under the cursor among the files of a commit."""
        raise NotImplementedError  # filled in by screens/main.py

    def refresh_faces(self) -> None:
        """Bring faces and titles up to date."""
        raise NotImplementedError  # filled in by screens/main.py

    def refresh_titles(self) -> None:
        """Bring titles up to date."""
        raise NotImplementedError  # filled in by screens/main.py

    def show_pane(self, pane: str) -> None:
        """Give a pane the focus."""
        raise NotImplementedError  # filled in by screens/view.py

    def refuse_busy(self) -> bool:
        """Say that a job is running, if one is."""
        raise NotImplementedError  # filled in by screens/remotes.py

    def open_other(self, row: object) -> None:
        """Open a row of another pane than files and commits."""
        raise NotImplementedError  # filled in by screens/safety.py

    def close_commit(self) -> bool:
        """Go back from the files of a commit; tell whether they were shown."""
        raise NotImplementedError  # filled in by screens/files.py

    def health_report(self) -> str:
        """Return the health report as text."""
        raise NotImplementedError  # filled in by screens/safety.py

    def open_editor(self, path: Path, *, line: int = 1) -> bool:
        """Give the terminal to the user's editor; tell whether it ran."""
        raise NotImplementedError  # filled in by screens/files.py

    def start_job(self, kind: str, label: str, **args: object) -> bool:
        """Start a job unless one is running."""
        raise NotImplementedError  # filled in by screens/remotes.py

    def job_ended(self, job: JobView) -> None:
        """React to the end of a job."""
        raise NotImplementedError  # filled in by screens/remotes.py
