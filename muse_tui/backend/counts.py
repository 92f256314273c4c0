"""Lines added and removed, for the rows of the lists."""

from __future__ import annotations

from collections.abc import Iterable

from muse.core.errors import MuseError
from muse.core.text_diff import count_changes, is_binary
from muse_tui.backend.diffs import Sides
from muse_tui.backend.place import Place
from muse_tui.model import DiffKey
from muse_tui.words import size

Counted = tuple[DiffKey, int, tuple[int, int] | str]


def count_rows(place: Place, wanted: Iterable[tuple[DiffKey, int]]) -> list[Counted]:
    """Count the lines of some rows; what cannot be read gets a word instead."""
    found: list[Counted] = []
    try:
        sides = Sides(place)
    except MuseError:
        return [(key, number, "") for key, number in wanted]
    for key, number in wanted:
        try:
            found.append((key, number, _count(sides, key)))
        except (MuseError, OSError):
            found.append((key, number, "unreadable"))
    return found


def _count(sides: Sides, key: DiffKey) -> tuple[int, int] | str:
    old, new = sides.read(key)
    if old.is_big or new.is_big:
        return size(max(old.size_bytes, new.size_bytes))
    if is_binary(old.data) or is_binary(new.data):
        return "binary"
    if old.data == new.data:
        return "mode" if old.mode != new.mode and old.mode and new.mode else "empty"
    return count_changes(old.data, new.data)
