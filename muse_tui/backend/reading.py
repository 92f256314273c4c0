"""What the read lane answers: diffs, history, health; it has a repository of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from muse.ops.remote_config import forget_config, list_remotes
from muse_tui.backend import diffs, health, history
from muse_tui.backend.counts import Counted, count_rows
from muse_tui.backend.place import open_place
from muse_tui.backend.shelves import read_shelves
from muse_tui.model import BranchRow, DiffDoc, DiffKey, Done, FileRow

if TYPE_CHECKING:
    from muse_tui.backend.desk import Desk
    from muse_tui.backend.place import Place
    from muse_tui.engine import Engine

_FIRST = 300
_MORE = 2_000


class Reading:
    """Answers that change nothing.

    Args:
        engine: Sends the news.
        desk: Knows the watcher's state and how the interface ended last.
    """

    def __init__(self, engine: Engine, desk: Desk) -> None:
        self._engine, self._desk = engine, desk
        self._place: Place | None = None
        self._limit = _FIRST
        self._again: threading.Timer | None = None

    @property
    def place(self) -> Place:
        """Return the read lane's own repository: lanes share no object."""
        if self._place is None:
            self._place = open_place(self._desk.place.root, do_sweep=False)
        return self._place

    def diff(self, key: DiffKey, context: int) -> DiffDoc:
        """Return a diff."""
        return diffs.read_diff(self.place, key, context=context)

    def commit_files(self, oid: str) -> tuple[FileRow, ...]:
        """Return the files of a commit."""
        return diffs.commit_files(self.place, oid)

    def history(self) -> None:
        """Tell the newest commits."""
        self._engine.news(history.read_history(self.place, limit=self._limit))

    def more_history(self) -> Done:
        """Tell older commits, too."""
        self._limit += _MORE
        self.history()
        return Done("")

    def health(self) -> None:
        """Tell the health."""
        place, desk = self.place, self._desk
        place.repo.sweep_report = desk.place.repo.sweep_report
        place.repo.objects.refresh()
        view = health.read_facts(
            place, last=desk.last, watch=desk.watch, unreadable=desk.unreadable
        )
        self._engine.news(view)
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if view.again_s:
            self._again = threading.Timer(view.again_s + 0.2, desk.ask_health)
            self._again.daemon = True
            self._again.start()

    def messages(self) -> tuple[str, ...]:
        """Return earlier messages."""
        return history.read_messages(self.place)

    def branches(self) -> tuple[BranchRow, ...]:
        """Return the branches."""
        return history.read_branches(self.place)

    def is_merged(self, name: str) -> bool:
        """Tell whether another branch holds all of a branch."""
        return history.is_merged(self.place, name)

    def remotes(self) -> tuple[tuple[str, str], ...]:
        """Return names and addresses of the remotes."""
        forget_config(self.place.repo)
        return tuple((remote.name, remote.shown_url) for remote in list_remotes(self.place.repo))

    def shelves(self) -> tuple[tuple[str, str, str], ...]:
        """Return the shelves."""
        return read_shelves(self.place)

    def verify_one(self, fact: str) -> Done:
        """Verify what a fact of the health pane names."""
        from muse_tui.backend.checks import verify_fact

        return verify_fact(self.place, fact)

    def count(self, wanted: list[tuple[DiffKey, int]]) -> list[Counted]:
        """Count lines."""
        return count_rows(self.place, wanted)
