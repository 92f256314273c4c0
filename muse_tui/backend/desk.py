"""What the engine's two lanes do: one place where requests meet the repository."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from muse.core.errors import MuseError, NotARepositoryError
from muse_tui.backend.board import Board
from muse_tui.backend.hints import QUIET, HintBox, lateness_ms
from muse_tui.backend.news import News
from muse_tui.backend.place import Place, as_failure, open_place
from muse_tui.backend.sessions import LastEnd, Session
from muse_tui.model import DiffKey, Done, Live, Opened, WatchView
from muse_tui.watcher import Hint

if TYPE_CHECKING:
    from muse_tui.backend.counts import Counted
    from muse_tui.backend.reading import Reading
    from muse_tui.engine import Engine, Handler


class Desk:
    """State of an open repository, for both lanes.

    Args:
        engine: Sends answers and news.

    Attributes:
        last: How the interface ended last time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._place: Place | None = None
        self._reader: Reading | None = None
        self._board: Board | None = None
        self._session: Session | None = None
        self.last = LastEnd()
        self._hints = HintBox()
        self._news = News(engine, self._count)
        # What the watcher last said, and when we last began to look at everything.
        self._watching, self._looked_s = WatchView(Live.SETTING_UP), 0.0
        self._is_watched = False

    @property
    def watch(self) -> WatchView:
        """What the header's badge says."""
        return self._news.view

    # Opening and closing ----------------------------------------------------------------------

    def open(self) -> None:
        """Open the repository and tell everything about it; runs on the state lane."""
        try:
            place = open_place(self._engine.start_dir, do_sweep=True)
        except MuseError as error:
            self._engine.news(as_failure(error))
            return
        self._place = self._news.place = place
        self._engine.news(self._opened(place))
        self._news.head()
        self._begin_session(place)
        self.ask_history()
        try:
            board = Board(place)
            self._board = self._news.board = board
            self._looked_s = time.monotonic()
            for delta in board.scan():
                self._news.status(delta)
        except MuseError as error:
            self._stop_looking(error)
        else:
            self._news.watch(live=Live.SETTING_UP, as_of_s=time.time())
            self._watch(place)
            # A first look at many files is worth keeping even if the end is a kill.
            self._engine.state.put(board.close)
        self.ask_health()

    def _stop_looking(self, error: MuseError) -> None:
        """Say that the lists cannot be known, and why; R tries again."""
        self._news.damage = f"{error.message} {error.hint}".strip()
        self._engine.news(as_failure(error))
        self._news.head()
        self._news.watch(live=Live.STOPPED, reason=error.message)

    def _opened(self, place: Place) -> Opened:
        config = place.fresh_config()
        prefix = "ui.keys."
        keys = {
            name.removeprefix(prefix): str(value)
            for name, value in config.items().items()
            if name.startswith(prefix)
        }
        return Opened(
            os.fsencode(place.root),
            config.get("ui.theme") or "",
            tuple(keys.items()),
        )

    def _begin_session(self, place: Place) -> None:
        if place.repo.readonly:
            return
        session = Session(place.root, self._engine.pid)
        with contextlib.suppress(OSError, MuseError):
            # A full disk or a read-only folder is no reason not to show anything.
            self.last = session.begin()
            self._session = session

    def _watch(self, place: Place) -> None:
        """Begin to watch: after the first look, which wants all processors."""
        if not self._is_watched:
            self._is_watched = True
            self._engine.watching.start(os.fspath(place.root), self._on_hint, self._on_watch)

    def note_end(self, *, clean: bool) -> None:
        """Note how the interface ended; quick, because somebody waits for it."""
        self._news.is_over = True
        self._engine.watching.stop()
        if self._session is not None:
            with contextlib.suppress(OSError, MuseError):
                if clean:
                    self._session.end()
                else:
                    self._session.died()

    def close(self) -> None:
        """Keep what was learned about the files; nobody waits for this."""
        if self._board is not None:
            self._board.close()

    # Requests ---------------------------------------------------------------------------------

    def state_handlers(self) -> dict[str, Handler]:
        """Return what runs on the state lane: everything that writes."""
        verbs = (
            "stage", "unstage", "stage_all", "unstage_all", "pick", "discard", "discard_lines",
            "discard_all", "ignore", "undo", "redo", "switch", "create_branch", "rename_branch",
            "delete_branch", "add_remote", "shelve", "unshelve", "clean",
        )  # fmt: skip
        handlers: dict[str, Handler] = {verb: self._changing(verb) for verb in verbs}
        handlers["init"] = self._init
        handlers["settle"] = lambda: Done("")
        handlers["reconcile"] = self._reconcile
        handlers["job_ended"] = self._job_ended
        handlers["set_theme"] = self._set_theme
        return handlers

    def read_handlers(self) -> dict[str, Handler]:
        """Return what runs on the read lane: everything that only looks."""
        verbs = (
            "diff", "history", "more_history", "health", "commit_files", "messages", "branches",
            "is_merged", "remotes", "shelves", "verify_one",
        )  # fmt: skip
        return {verb: self._reading(verb) for verb in verbs}

    def _reading(self, verb: str) -> Handler:
        def handle(**args: object) -> object:
            return getattr(self.reading, verb)(**args)

        return handle

    @property
    def reading(self) -> Reading:
        """Return what answers on the read lane; imported there: start-up time."""
        if self._reader is None:
            from muse_tui.backend.reading import Reading

            self._reader = Reading(self._engine, self)
        return self._reader

    @property
    def place(self) -> Place:
        """Return the repository of the state lane.

        Raises:
            NotARepositoryError: None is open.
        """
        if self._place is None:
            raise NotARepositoryError(str(self._engine.start_dir))
        return self._place

    def _changing(self, verb: str) -> Handler:
        def handle(**args: object) -> object:
            board = self._board
            if board is None:
                raise NotARepositoryError(str(self._engine.start_dir))
            from muse_tui.backend.changes import Changes  # start-up time

            changes = Changes(self.place, board)
            try:
                return getattr(changes, verb)(**args)
            finally:
                # Also after an error: part of it may have happened.
                self._news.status(board.refresh(None if changes.everything else changes.touched))
                self._news.head()
                if changes.history_moved:
                    self.ask_history()
                if changes.health_moved:
                    self.ask_health()

        return handle

    def _init(self) -> None:
        from muse.ops.init import init

        init(Path(self._engine.start_dir))
        self.open()

    def _reconcile(self) -> Done:
        started = time.monotonic()
        self._refresh(Hint(reconcile="you asked", seen_s=started))
        self.ask_health()
        if self._news.damage:
            return Done("The files cannot be compared yet.", warning=True)
        return Done(f"Looked at everything in {(time.monotonic() - started) * 1000:.0f} ms.")

    def _job_ended(self, kind: str) -> None:
        if self._board is None:
            return
        self._news.head()
        # A commit moves HEAD and the stage; a pull also writes files.
        self._news.status(self._board.refresh(None if kind == "pull" else ()))
        self.ask_history()
        self.ask_health()

    def _set_theme(self, name: str) -> None:
        from muse.ops.settings import set_user_setting

        if self.place.user_config is not None:
            set_user_setting(self.place.user_config, "ui.theme", name)

    @property
    def unreadable(self) -> frozenset[bytes]:
        """The folders of the working tree that may not be listed."""
        return self._board.unreadable if self._board is not None else frozenset()

    # Reading ----------------------------------------------------------------------------------

    def _count(self, wanted: list[tuple[DiffKey, int]]) -> list[Counted]:
        return self.reading.count(wanted)

    def ask_history(self) -> None:
        """Have the read lane tell the history."""
        self._engine.ask_read("history")

    def ask_health(self) -> None:
        """Have the read lane tell the health."""
        self._engine.ask_read("health")

    # Hints from the watcher -------------------------------------------------------------------

    def _on_watch(self, state: str, reason: str, since_s: float) -> None:
        """Take a new state of the watcher; runs on its thread."""
        live = {"live": Live.LIVE, "polling": Live.POLLING}.get(state, Live.STOPPED)
        self._engine.state.put(lambda: self._take_watch(WatchView(live, reason=reason), since_s))
        if live is not Live.LIVE:
            self.ask_health()

    def _take_watch(self, view: WatchView, since_s: float) -> None:
        self._watching = view
        if self._board is None or self._news.damage:
            return
        if view.live is Live.LIVE and since_s > self._looked_s:
            # What changed between our look and the watches, nobody has told of.
            self._refresh(Hint(reconcile="set up", seen_s=since_s))
        else:
            self._news.watch(live=view.live, reason=view.reason)

    def _on_hint(self, hint: Hint) -> None:
        """Take a hint; runs on the watcher's thread."""
        if self._hints.put(hint):
            self._engine.state.put(lambda: self._refresh(self._hints.take()))

    def _refresh(self, hint: Hint) -> None:
        """Look where a hint says, and tell what changed; runs on the state lane."""
        board = self._board
        if board is None:
            return
        hidden = board.unreadable
        loud = bool(hint.reconcile) and hint.reconcile not in QUIET
        if loud:
            self._news.watch(live=Live.RECONCILING, reason=hint.reconcile)
        try:
            wanted = None if hint.reconcile or "head" in hint.meta else hint.paths | hint.folders
            if wanted is None:
                self._looked_s = time.monotonic()
            delta = board.refresh(wanted, stage=bool(hint.meta))
        except MuseError as error:
            self._stop_looking(error)
            return
        mended, self._news.damage = bool(self._news.damage), ""
        if mended:
            self._news.head()
            self.ask_history()
            self._watch(self.place)
        self._news.status(delta)
        if board.unreadable != hidden:
            self.ask_health()
        if "config" in hint.meta:
            from muse.ops.remote_config import forget_config

            forget_config(self.place.repo)
        if hint.meta & {"head", "refs", "config"}:
            self._news.head()
            self.ask_history()
        self._news.watch(
            live=self._watching.live,
            reason=self._watching.reason,
            latency_ms=lateness_ms(self.place.root, hint),
            as_of_s=time.time(),
            reconciled=loud,
        )
