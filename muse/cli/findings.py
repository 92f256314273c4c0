"""What an object touches, as people and programs read it: one form for verify and doctor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from muse.core.paths import show_path

if TYPE_CHECKING:
    from muse.core.findings import Finding


def touch_lines(finding: Finding) -> Iterator[str]:
    """Yield a line for each place that needs what was found damaged or missing."""
    for touch in finding.touches:
        if touch.commit or touch.path:
            yield f"  needed by {touch}"
        elif finding.oid is not None:
            yield f"  named by {touch}"


def finding_facts(finding: Finding) -> dict[str, object]:
    """Return kind, object, file and touches of a finding, as JSON holds them."""
    return {
        "kind": finding.kind,
        "id": finding.oid,
        "file": None if finding.file is None else show_path(finding.file),
        "touches": [
            {
                "label": touch.label,
                "commit": touch.commit,
                "path": None if touch.path is None else show_path(touch.path),
                "lesser": touch.lesser,
                "text": str(touch),
            }
            for touch in finding.touches
        ],
    }
