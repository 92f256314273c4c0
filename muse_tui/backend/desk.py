"""What the engine's two lanes do: one place where requests meet the repository."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from muse.core.errors import MuseError, NotARepositoryError
from muse.core.paths import show_text
from muse.core.temps import family_of
from muse_tui.backend.board import Board
from muse_tui.backend.hints import QUIET, HintBox, lateness_ms
from muse_tui.backend.place import Place, as_failure, open_place
from muse_tui.backend.sessions import LastEnd, Session
from muse_tui.model import (
    DiffKey,
    Done,
    Live,
    Opened,
    StatusDelta,
    WatchView,
)
from muse_tui.watcher import Hint, Watcher

if TYPE_CHECKING:
    from muse_tui.backend.counts import Counted
    from muse_tui.backend.reading import Reading
    from muse_tui.engine import Engine, Handler

_CHUNK = 5_000


class Desk:
    """State of an open repository, for both lanes.

    Args:
        engine: Sends answers and news.

    Attributes:
        last: How the interface ended last time.
        watch: What the header's badge says.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._place: Place | None = None
        self._reader: Reading | None = None
        self._board: Board | None = None
        self._session: Session | None = None
        self.last = LastEnd()
        self._watcher: Watcher | None = None
        self.watch = WatchView()
        self._hints = HintBox()
        self._head_seen: object = None
        self._damage = ""
        self._closed = False

    # Opening and closing ----------------------------------------------------------------------

    def open(self) -> None:
        """Open the repository and tell everything about it; runs on the state lane."""
        try:
            place = open_place(self._engine.start_dir, do_sweep=True)
        except MuseError as error:
            self._engine.news(as_failure(error))
            return
        self._place = place
        self._engine.news(self._opened(place))
        self._tell_head()
        self._begin_session(place)
        self.ask_history()
        try:
            board = Board(place)
            self._board = board
            for delta in board.scan():
                self._tell_status(delta)
        except MuseError as error:
            self._stop_looking(error)
        else:
            self._set_watch(live=Live.LIVE, as_of_s=time.time())
            self._start_watcher(place)
            # A first look at many files is worth keeping even if the end is a kill.
            self._engine.state.put(board.close)
        self.ask_health()

    def _stop_looking(self, error: MuseError) -> None:
        """Say that the lists cannot be known, and why; R tries again."""
        self._damage = f"{error.message} {error.hint}".strip()
        self._engine.news(as_failure(error))
        self._tell_head()
        self._set_watch(live=Live.STOPPED, reason=error.message)

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

    def _start_watcher(self, place: Place) -> None:
        self._watcher = Watcher(
            os.fspath(place.root),
            self._on_hint,
            self._on_watch,
            is_temp=lambda name: family_of(name) is not None,
        )
        self._watcher.start()

    def note_end(self, *, clean: bool) -> None:
        """Note how the interface ended; quick, because somebody waits for it."""
        self._closed = True
        if self._watcher is not None:
            self._watcher.stop()
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
                self._tell_status(board.refresh(None if changes.everything else changes.touched))
                self._tell_head()
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
        if self._damage:
            return Done("The files cannot be compared yet.", warning=True)
        return Done(f"Looked at everything in {(time.monotonic() - started) * 1000:.0f} ms.")

    def _job_ended(self, kind: str) -> None:
        if self._board is None:
            return
        self._tell_head()
        # A commit moves HEAD and the stage; a pull also writes files.
        self._tell_status(self._board.refresh(None if kind == "pull" else ()))
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

    def ask_history(self) -> None:
        """Have the read lane tell the history."""
        self._engine.ask_read("history")

    def ask_health(self) -> None:
        """Have the read lane tell the health."""
        self._engine.ask_read("health")

    # News -------------------------------------------------------------------------------------

    def _tell_status(self, delta: StatusDelta | None) -> None:
        """Send a delta in pieces, so that no single one makes the screen wait."""
        if delta is None:
            return
        tree, staged = delta.tree, delta.staged
        while len(tree) > _CHUNK or len(staged) > _CHUNK:
            self._engine.news(delta._replace(tree=tree[:_CHUNK], staged=staged[:_CHUNK], more=True))
            tree, staged = tree[_CHUNK:], staged[_CHUNK:]
            delta = StatusDelta(more=delta.more)
        self._engine.news(delta._replace(tree=tree, staged=staged))
        self._count_lines()

    def _count_lines(self) -> None:
        """Have the read lane count lines of rows that show no counts yet."""
        board = self._board
        if board is None:
            return
        wanted = board.uncounted()
        if wanted:
            self._engine.read.put(lambda: self._counted(wanted))

    def _counted(self, wanted: list[tuple[DiffKey, int]]) -> None:
        found = self.reading.count(wanted)
        self._engine.state.put(lambda: self._take_counts(found))

    def _take_counts(self, found: list[Counted]) -> None:
        if self._board is not None and not self._closed:
            delta = self._board.take_counts(found)
            if delta is not None:
                self._engine.news(delta)
            self._count_lines()

    def _tell_head(self) -> None:
        from muse_tui.backend.heads import read_head  # start-up time: nothing else of it

        view = read_head(self.place, home=os.environ.get("HOME", ""))
        if self._damage and not view.damage:
            view = view._replace(damage=show_text(self._damage))
        if view != self._head_seen:
            self._head_seen = view
            self._engine.news(view)

    def _set_watch(
        self,
        *,
        live: Live,
        reason: str = "",
        latency_ms: float | None = None,
        as_of_s: float | None = None,
        reconciled: bool = False,
    ) -> None:
        now = self.watch
        view = now._replace(
            live=live,
            reason=reason,
            latency_ms=latency_ms if latency_ms is not None else now.latency_ms,
            as_of_s=as_of_s if as_of_s is not None else now.as_of_s,
            reconciles=now.reconciles + reconciled,
        )
        if view != now:
            self.watch = view
            self._engine.news(view)

    # Hints from the watcher -------------------------------------------------------------------

    def _on_watch(self, state: str, reason: str) -> None:
        """Take a new state of the watcher; runs on its thread."""
        live = {"live": Live.LIVE, "polling": Live.POLLING}.get(state, Live.STOPPED)
        self._engine.state.put(lambda: self._set_watch(live=live, reason=reason))
        if live is not Live.LIVE:
            self.ask_health()

    def _on_hint(self, hint: Hint) -> None:
        """Take a hint; runs on the watcher's thread."""
        if self._hints.put(hint):
            self._engine.state.put(lambda: self._refresh(self._hints.take()))

    def _refresh(self, hint: Hint) -> None:
        """Look where a hint says, and tell what changed; runs on the state lane."""
        board = self._board
        if board is None:
            return
        before, hidden = self.watch, board.unreadable
        loud = bool(hint.reconcile) and hint.reconcile not in QUIET
        if loud:
            self._set_watch(live=Live.RECONCILING, reason=hint.reconcile)
        try:
            wanted = None if hint.reconcile or "head" in hint.meta else hint.paths | hint.folders
            delta = board.refresh(wanted, stage=bool(hint.meta))
        except MuseError as error:
            self._stop_looking(error)
            return
        mended, self._damage = bool(self._damage), ""
        if mended:
            self._tell_head()
            self.ask_history()
        if self._watcher is None:
            self._start_watcher(self.place)
        self._tell_status(delta)
        if board.unreadable != hidden:
            self.ask_health()
        if "config" in hint.meta:
            from muse.ops.remote_config import forget_config

            forget_config(self.place.repo)
        if hint.meta & {"head", "refs", "config"}:
            self._tell_head()
            self.ask_history()
        live = before.live if before.live is Live.POLLING else Live.LIVE
        self._set_watch(
            live=live,
            reason=before.reason if live is Live.POLLING else "",
            latency_ms=lateness_ms(self.place.root, hint),
            as_of_s=time.time(),
            reconciled=loud,
        )
