"""The pictures of the README are what the interface draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.pictures import PICTURES, Picture, build, draw, words

pytestmark = pytest.mark.tui

FOLDER = Path(__file__).parents[2] / "screenshots"
# Each of them draws other parts; all of them are drawn by `python -m tests.tui.pictures`.
TRIED = ("working", "commit", "after-crash", "damaged", "branches", "medium", "narrow-60")


@pytest.mark.parametrize(
    "picture", [p for p in PICTURES if p.name in TRIED], ids=lambda picture: picture.name
)
async def test_a_picture_is_what_is_drawn(picture: Picture, tmp_path: Path) -> None:
    """Every word of the picture stands where the interface puts it now."""
    root = tmp_path / "song"
    build(root)
    drawn = words(await draw(picture, root))
    golden = words((FOLDER / f"{picture.name}.svg").read_text("utf-8"))
    assert drawn == golden, "draw them anew: python -m tests.tui.pictures screenshots"
