"""What all boxes above the panes share: a frame whose hints fit its width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.cells import cell_len
from textual.screen import ModalScreen

Answer = TypeVar("Answer")
_BETWEEN = " · "


def fit_hints(hints: Sequence[str], width: int) -> str:
    """Return hints as one line of at most ``width`` cells.

    Whole hints only; the last one, which tells how to leave, goes last of all.
    """
    kept = list(hints)
    while len(kept) > 1 and cell_len(_BETWEEN.join(kept)) > width:
        del kept[-2]
    return _BETWEEN.join(kept)


class BoxScreen(ModalScreen[Answer]):
    """A screen with one box, the hints of its keys in the lower border.

    Attributes:
        HINTS: What its keys do, the most useful first, the way out last.
    """

    HINTS: ClassVar[tuple[str, ...]] = ()

    def on_resize(self) -> None:
        """Show the hints that fit."""
        self.call_after_refresh(self.show_hints)

    def show_hints(self, *hints: str) -> None:
        """Show other hints, or the box's own, as far as they fit."""
        for box in self.query(".box"):
            box.border_subtitle = fit_hints(hints or self.HINTS, box.size.width - 4)
