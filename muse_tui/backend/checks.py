"""Verifying what one row of the health pane names."""

from __future__ import annotations

from muse_tui.backend.place import Place
from muse_tui.model import Done


def verify_fact(place: Place, fact: str) -> Done:
    """Verify what a fact of the health pane names, with everything below it."""
    from muse.ops.verify import verify_revision

    kind, _, name = fact.partition(":")
    text = name if kind == "ref" else "HEAD"
    report = verify_revision(place.repo, text)
    return Done(str(report))
