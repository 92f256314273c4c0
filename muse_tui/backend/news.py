"""What the engine tells unasked: rows, counts of lines, HEAD, and the header's badge."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from muse.core.paths import show_text
from muse_tui.model import DiffKey, Live, StatusDelta, WatchView

if TYPE_CHECKING:
    from muse_tui.backend.board import Board
    from muse_tui.backend.counts import Counted
    from muse_tui.backend.place import Place
    from muse_tui.engine import Engine

_CHUNK = 5_000


class News:
    """Tells the interface; everything here runs on the state lane.

    Args:
        engine: Sends it.
        count: Counts lines, on the read lane.

    Attributes:
        place: The repository; None until one is open.
        board: Its lists; None until they were made.
        damage: Why the files cannot be compared; empty when they can.
        view: What the badge says.
        is_over: Whether the interface has gone.
    """

    def __init__(
        self, engine: Engine, count: Callable[[list[tuple[DiffKey, int]]], list[Counted]]
    ) -> None:
        self._engine = engine
        self._count = count
        self._head_seen: object = None
        self.place: Place | None = None
        self.board: Board | None = None
        self.damage = ""
        self.view = WatchView()
        self.is_over = False

    def status(self, delta: StatusDelta | None) -> None:
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
        if self.board is None:
            return
        wanted = self.board.uncounted()
        if wanted:
            self._engine.read.put(lambda: self._counted(wanted))

    def _counted(self, wanted: list[tuple[DiffKey, int]]) -> None:
        found = self._count(wanted)
        self._engine.state.put(lambda: self._take_counts(found))

    def _take_counts(self, found: list[Counted]) -> None:
        if self.board is not None and not self.is_over:
            delta = self.board.take_counts(found)
            if delta is not None:
                self._engine.news(delta)
            self._count_lines()

    def head(self) -> None:
        """Send HEAD and what stands beside it, when that is new."""
        from muse_tui.backend.heads import read_head  # start-up time: nothing else of it

        if self.place is None:
            return
        view = read_head(self.place, home=os.environ.get("HOME", ""))
        if self.damage and not view.damage:
            view = view._replace(damage=show_text(self.damage))
        if view != self._head_seen:
            self._head_seen = view
            self._engine.news(view)

    def watch(
        self,
        *,
        live: Live,
        reason: str = "",
        latency_ms: float | None = None,
        as_of_s: float | None = None,
        reconciled: bool = False,
    ) -> None:
        """Send the badge, when it is new; what is not given stays."""
        now = self.view
        view = now._replace(
            live=live,
            reason=reason,
            latency_ms=latency_ms if latency_ms is not None else now.latency_ms,
            as_of_s=as_of_s if as_of_s is not None else now.as_of_s,
            reconciles=now.reconciles + reconciled,
        )
        if view != now:
            self.view = view
            self._engine.news(view)
