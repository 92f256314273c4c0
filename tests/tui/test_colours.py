"""``NO_COLOR`` in a real terminal: not one code for a colour, and nothing that is not told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.tui.conftest import Song
from tests.tui.terminal import Terminal

pytestmark = pytest.mark.tui


class TestColours:
    @pytest.mark.parametrize("theme", ["muse-dark", "muse-light", "muse-ansi"])
    def test_no_colour_means_none(
        self,
        song: Song,
        start: Callable[..., Terminal],
        monkeypatch: pytest.MonkeyPatch,
        theme: str,
    ) -> None:
        """With NO_COLOR no code for a colour is written; what only colour told is reversed."""
        monkeypatch.setenv("TEXTUAL_THEME", theme)
        monkeypatch.setenv("NO_COLOR", "1")
        song.write("verse.txt", "changed\n")
        song.write("idea.md", "x\n")
        terminal = start(song.root)
        terminal.until("2 changed")
        terminal.send("j")
        terminal.until("line 14")
        terminal.send("?")
        terminal.until("type to filter")
        terminal.send("\x1b")
        terminal.until(lambda: "type to filter" not in terminal.text())
        terminal.send(" c")
        terminal.until("ctrl+s commit")
        terminal.send("Words")
        terminal.until(lambda: reversed_after(terminal, "Words"))
        terminal.send("\x1b")
        terminal.until(lambda: "ctrl+s commit" not in terminal.text())
        terminal.send("q")
        assert terminal.wait() == 0
        assert not colours(terminal.raw)

    def test_otherwise_there_are_some(
        self, song: Song, start: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the test above looks for is found where colours are wanted."""
        monkeypatch.delenv("NO_COLOR", raising=False)
        terminal = start(song.root)
        terminal.until("Nothing changed.")
        assert colours(terminal.raw)


def colours(raw: bytes) -> list[bytes]:
    """The codes for colours among what was written, default ones too."""
    found = []
    for codes in re.findall(rb"\x1b\[([0-9;:]*)m", raw):
        numbers = [int(code or 0) for code in re.split(rb"[;:]", codes)]
        if any(30 <= n <= 49 or n in {58, 59} or 90 <= n <= 107 for n in numbers):
            found.append(codes)
    return found


def reversed_after(terminal: Terminal, word: str) -> bool:
    """Whether the cell after a word is reversed: the cursor of what is being typed."""
    for y, line in enumerate(terminal.screen.display):
        x = line.find(word)
        if x >= 0:
            return bool(terminal.screen.buffer[y][x + len(word)].reverse)
    return False
