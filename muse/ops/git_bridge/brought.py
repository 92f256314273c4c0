"""What an import met on its way: counts, and whatever could not be carried as it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from muse.core.types import OBJECT_TYPES, ObjectType


@dataclass(slots=True)
class Brought:
    """What an import met.

    Attributes:
        counts: New objects by type.
        size_bytes: Their payloads.
        skipped: Listed objects that were here already.
        problems: By kind: (git tree, entry name) of what a tree could not keep.
        signed: Commits and tags with a signature over their SHA-1 form.
        repaired: Commits and tags whose author or tagger line was made readable.
        lfs_pointers: Files that only point at content in git-lfs.
        cut: Commits without the parents that a shallow repository lacks.
        unreadable_tags: Tags that are not in the format.
    """

    counts: dict[ObjectType, int] = field(default_factory=lambda: dict.fromkeys(OBJECT_TYPES, 0))
    size_bytes: int = 0
    skipped: int = 0
    problems: dict[str, set[tuple[bytes, bytes]]] = field(default_factory=dict)
    signed: int = 0
    repaired: int = 0
    lfs_pointers: int = 0
    cut: int = 0
    unreadable_tags: set[bytes] = field(default_factory=set)
