"""How much a transaction pays for surviving a power cut; a kill hurts at no level.

``full``   each file of its own (a big object, a pack) is synced, then the journal's record
``batch``  large files of one transaction are synced by one `syncfs`, then the record: as safe as
           ``full``, cheaper for many large files, dearer beside a program that writes much
``none``   nothing is synced: for a throw-away clone, that may be gone after a power cut
"""

from __future__ import annotations

from _thread import get_ident  # start-up time: `threading` is a module of its own
from typing import Final

from muse.core.errors import UsageError

KEY: Final = "core.durability"
FULL: Final = "full"
BATCH: Final = "batch"
NONE: Final = "none"
LEVELS: Final = (FULL, BATCH, NONE)

# Threads whose syncs are skipped.
_waived: set[int] = set()


def check_level(value: str | None) -> str:
    """Return a level that a setting names; ``full`` when it is not set.

    Raises:
        UsageError: It names none.
    """
    if value is None:
        return FULL
    if value not in LEVELS:
        raise UsageError(
            f"The setting {KEY} is '{value}', which is no level of durability.",
            hint=f"Set it with 'muse config {KEY} full', 'batch' or 'none'.",
        )
    return value


def waive_syncs(waived: bool) -> bool:
    """Let this thread's syncs be skipped, or not; return whether they were.

    Only a transaction asks for it, for as long as it lasts: one on another repository, begun
    meanwhile, says for itself.
    """
    before = are_syncs_waived()
    if waived:
        _waived.add(get_ident())
    else:
        _waived.discard(get_ident())
    return before


def are_syncs_waived() -> bool:
    """Tell whether this thread's syncs are skipped."""
    return get_ident() in _waived
