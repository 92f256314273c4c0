"""Temp files: the four families, where each may lie, and how a name tells who wrote it.

A temp that we name ourselves has ``+`` after its family's prefix, a sign that `tempfile` never
uses: such a writer holds a `flock` on the file from its birth, so a free lock means that the
writer is dead, whatever the age. Any other temp was written by an older version or by somebody
else, and object temps among those keep an age gate, since their writer may not lock.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

OBJECT_GATE_S: Final = 60.0


class Family(NamedTuple):
    """One kind of temp file.

    Attributes:
        name: What people read in the health report.
        prefix: How its file names begin.
        suffix: How they end.
        gate_s: Seconds for which one that is not ours is left alone.
    """

    name: str
    prefix: str
    suffix: str
    gate_s: float


OBJECT: Final = Family("object", ".obj-tmp-", "", OBJECT_GATE_S)
RESTORE: Final = Family("restore", ".restore-tmp-", "", OBJECT_GATE_S)
MUTABLE: Final = Family("mutable", ".muse-tmp-", "", 0.0)
STAT_CACHE: Final = Family("stat cache", ".stat_cache_", ".tmp", 0.0)

FAMILIES: Final = (OBJECT, RESTORE, MUTABLE, STAT_CACHE)
SHARD_FAMILIES: Final = (OBJECT, RESTORE)
FOLDER_FAMILIES: Final = (MUTABLE, STAT_CACHE)
# The folders below .muse/ where mutable files may have left a temp; "" is .muse/ itself.
# Our own named temps all live in tmp/; the others are where older versions wrote.
SWEEP_DIRS: Final = (
    "",
    "tmp",
    "branches",
    "cache",
    "code",
    "commits",
    "drafts",
    "health",
    "jobs",
    "journal",
    "logs",
    "refs",
    "refs/heads",
    "refs/remotes",
    "refs/tags",
    "releases",
    "snapshots",
    "tags",
    "trash",
)


def new_name(family: Family) -> str:
    """Invent a name for a temp of ours; the caller locks the file."""
    return f"{family.prefix}+{os.getpid()}-{os.urandom(6).hex()}{family.suffix}"


def family_of(name: str, families: tuple[Family, ...] = FAMILIES) -> Family | None:
    """Return the family that a file name belongs to, or None for a file that is no temp."""
    if not name.startswith("."):
        return None
    for family in families:
        if name.startswith(family.prefix) and name.endswith(family.suffix):
            return family
    return None


def is_ours(name: str, family: Family) -> bool:
    """Tell whether a temp's name says that its writer locks it."""
    return name.startswith("+", len(family.prefix))


def writer_pid(name: str, family: Family) -> int | None:
    """Return the process id in a name of ours: a diagnostic, never a proof."""
    if not is_ours(name, family):
        return None
    digits = name[len(family.prefix) + 1 :].split("-", 1)[0]
    return int(digits) if digits.isdigit() else None
