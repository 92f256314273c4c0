"""How paths differ: one letter for the stage, one for the working tree, as git writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from muse.core.types import MODE_LINK, RawId

FileEntry = tuple[int, RawId]


class StatusEntry(NamedTuple):
    """One path that is not as HEAD has it.

    Attributes:
        path: The repository path; a nested repository's ends in a slash.
        staged: The stage against HEAD: ``A`` added, ``M`` modified, ``D`` deleted, ``T`` type
            changed (file and link), or a space.
        unstaged: The working tree against the stage: ``M``, ``D``, ``T``, a space, or ``?`` when
            the path is not tracked (after a staged removal, perhaps).
    """

    path: bytes
    staged: str
    unstaged: str


class Status(NamedTuple):
    """What is changed, as of one moment.

    Attributes:
        entries: Every path that is not as HEAD has it, by path.
        renamed: Staged (old path, new path) with the same content; both are in `entries` too.
        conflict_paths: Paths of an unfinished merge.
    """

    entries: tuple[StatusEntry, ...]
    renamed: tuple[tuple[bytes, bytes], ...] = ()
    conflict_paths: tuple[bytes, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to commit: no change, and no untracked file."""
        return not self.entries

    def staged(self, codes: str) -> tuple[bytes, ...]:
        """Return the paths whose staged change is one of the letters, by path."""
        return tuple(e.path for e in self.entries if e.staged in codes)

    def unstaged(self, codes: str) -> tuple[bytes, ...]:
        """Return the paths whose unstaged change is one of the letters, by path."""
        return tuple(e.path for e in self.entries if e.unstaged in codes)

    @property
    def untracked(self) -> tuple[bytes, ...]:
        """Every untracked file that is not ignored, by path."""
        return self.unstaged("?")


def compare_entries(old: FileEntry | None, new: FileEntry | None) -> str:
    """Return the letter for a change from one entry to another; a space when there is none."""
    if old == new:
        return " "
    if old is None:
        return "A"
    if new is None:
        return "D"
    return "T" if (old[0] == MODE_LINK) != (new[0] == MODE_LINK) else "M"


def find_renames(
    entries: Iterable[StatusEntry],
    *,
    base: Callable[[bytes], FileEntry | None],
    stage: Mapping[bytes, FileEntry | None],
) -> tuple[tuple[bytes, bytes], ...]:
    """Pair staged removals and additions of the same content, same names first.

    Args:
        entries: What is changed.
        base: Returns what HEAD has at a path.
        stage: What is staged.

    Returns:
        (old path, new path) of each pair, by new path.
    """
    added: list[bytes] = []
    gone: dict[RawId, list[bytes]] = {}
    for path, staged, _ in entries:
        was = base(path) if staged == "D" else None
        if was is not None:
            gone.setdefault(was[1], []).append(path)
        elif staged == "A":
            added.append(path)
    pairs: list[tuple[bytes, bytes]] = []
    for path in added if gone else ():
        entry = stage.get(path)
        candidates = gone.get(entry[1], []) if entry else []
        if candidates:
            name = path.rpartition(b"/")[2]
            old = next((p for p in candidates if p.rpartition(b"/")[2] == name), candidates[0])
            candidates.remove(old)
            pairs.append((old, path))
    return tuple(pairs)
