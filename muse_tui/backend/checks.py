"""Verifying what one row of the health pane names."""

from __future__ import annotations

from muse.core.paths import show_text
from muse_tui.backend.place import Place
from muse_tui.model import Done
from muse_tui.words import plural


def verify_fact(place: Place, fact: str) -> Done:
    """Verify what a fact of the health pane names, with everything below it."""
    from muse.ops.verify import verify_revision

    kind, _, name = fact.partition(":")
    text = name if kind == "ref" else "HEAD"
    report = verify_revision(place.repo, text)
    if report.is_whole:
        checked = plural(report.objects, "object")
        return Done(f"{show_text(text)} is whole: {checked} read and checked.")
    first = report.findings[0]
    return Done(f"{first.message} {first.way_out}", warning=True)
