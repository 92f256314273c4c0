"""The user's editor gets the terminal, and gives it back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.conftest import Song
from tests.tui.terminal import Terminal

pytestmark = pytest.mark.tui


class TestEditor:
    @pytest.mark.parametrize("ending", ["0", "3", "kill -9 $$"])
    def test_it_gets_the_terminal_and_gives_it_back(
        self,
        song: Song,
        start: Callable[..., Terminal],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        ending: str,
    ) -> None:
        """Lines typed in the editor are the editor's, however it ends; then the frame is whole."""
        editor = tmp_path / "editor"
        leave = ending if " " in ending else f"exit {ending}"
        editor.write_text(
            "#!/bin/sh\n"
            "stty -a | grep -q '[^-]icanon' && printf '\\033[2J\\033[HIN THE EDITOR\\n'\n"
            f'read -r typed\nprintf "%s\\n" "$typed" > "$1"\n{leave}\n'
        )
        editor.chmod(0o755)
        monkeypatch.setenv("VISUAL", str(editor))
        song.write("idea.md", "an idea\n")
        terminal = start(song.root)
        terminal.until("+   1  an idea")
        whole = terminal.screen.display[-1], terminal.screen.display[2]
        for turn in ("once", "twice"):
            terminal.send("e")
            terminal.until("IN THE EDITOR")
            terminal.until(lambda: "Working tree" not in terminal.text())
            left = terminal.raw.rfind(b"\x1b[?1049l")
            assert left > terminal.raw.rfind(b"\x1b[?1049h")
            terminal.send(f"q {turn} q\n")
            terminal.until(f"+   1  q {turn} q")
            terminal.until(lambda: "IN THE EDITOR" not in terminal.text())
            assert terminal.raw.rfind(b"\x1b[?1049h") > left
            assert (terminal.screen.display[-1], terminal.screen.display[2]) == whole
        if ending != "0":
            terminal.until("ended with code")
        terminal.send("j")
        terminal.send("q")
        assert terminal.wait() == 0
        assert terminal.is_restored()

    def test_one_that_is_not_there_is_named(
        self, song: Song, start: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The frame is whole again, and says what did not start."""
        monkeypatch.setenv("VISUAL", "/nowhere/editor")
        song.write("idea.md", "an idea\n")
        terminal = start(song.root)
        terminal.until("+   1  an idea")
        terminal.send("e")
        terminal.until("/nowhere/editor did not start")
        terminal.until("+   1  an idea")
        terminal.send("q")
        assert terminal.wait() == 0
