"""The documents say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from muse_tui.keymap import as_markdown

ROOT = Path(__file__).parents[2]


def test_keys_are_the_keymap() -> None:
    """KEYS.md holds the very table that the interface is made from."""
    assert as_markdown().strip() in (ROOT / "KEYS.md").read_text(encoding="utf-8")


def test_every_link_leads_somewhere() -> None:
    """No document links to a file that is not there."""
    broken = [
        (page.name, target)
        for page in ROOT.glob("*.md")
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (ROOT / target).exists()
    ]
    assert broken == []


def test_the_map_is_short() -> None:
    """ARCHITECTURE.md stays a page that people read."""
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 200
