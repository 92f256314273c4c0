"""On a real terminal: pager, colours, and control characters."""

from __future__ import annotations

import os
from pathlib import Path

import pexpect
import pytest

from muse.cli.pager import find_pager
from tests.conftest import Run


def _on_a_terminal(line: str, cwd: Path, **variables: str) -> tuple[str, int]:
    """Run a command line on a terminal of its own; return what it showed, and its exit code."""
    environment = {**os.environ, "TERM": "xterm", **variables}
    child = pexpect.spawn(
        "sh", ["-c", line], cwd=str(cwd), env=environment, timeout=30, dimensions=(24, 100)
    )  # fmt: skip
    shown = child.read().decode("utf-8", "replace")
    child.close()
    return shown, child.exitstatus


class TestPager:
    """Long output goes through the user's pager, on a terminal alone."""

    def test_pager_gets_the_text(self, tmp_path: Path) -> None:
        """$MUSE_PAGER shows the output, and the exit code is the command's."""
        shown, code = _on_a_terminal("muse help", tmp_path, MUSE_PAGER="sed s/^/PAGED:/")
        assert code == 0
        assert "PAGED:begin:" in shown
        assert shown.count("\n") > 30

    def test_leaving_early_is_fine(self, tmp_path: Path) -> None:
        """A pager that is left before the end is no error."""
        shown, code = _on_a_terminal("muse help", tmp_path, MUSE_PAGER="head -n 1")
        assert code == 0
        assert shown.count("\n") == 1

    @pytest.mark.parametrize("pager", ["", "cat", "no-such-program-here", "'unbalanced"])
    def test_no_pager(self, pager: str, tmp_path: Path) -> None:
        """Without a usable pager the output goes straight to the terminal."""
        shown, code = _on_a_terminal("muse help", tmp_path, MUSE_PAGER=pager)
        assert code == 0
        assert "begin:" in shown

    def test_switched_off(self, tmp_path: Path) -> None:
        """--no-pager and a pipe mean no pager."""
        for line in ("muse help --no-pager", "muse help | cat"):
            shown, code = _on_a_terminal(line, tmp_path, MUSE_PAGER="sed s/^/PAGED:/")
            assert code == 0
            assert "begin:" in shown
            assert "PAGED" not in shown

    def test_order(self, tmp_path: Path) -> None:
        """$MUSE_PAGER goes before the user's core.pager, and that before $PAGER."""
        settings = tmp_path / "muse" / "config.toml"
        settings.parent.mkdir()
        env = {"PATH": os.environ["PATH"], "PAGER": "tail", "XDG_CONFIG_HOME": str(tmp_path)}
        assert find_pager(env) == ["tail"]
        settings.write_text('[core]\npager = "head -n 3"\n', "utf-8")
        assert find_pager(env) == ["head", "-n", "3"]
        assert find_pager({**env, "MUSE_PAGER": "sed p"}) == ["sed", "p"]

    def test_repository_has_no_say(self, tmp_path: Path, muse: Run) -> None:
        """A pager in the repository's own configuration is never run (G16)."""
        muse("init", cwd=tmp_path)
        (tmp_path / ".muse" / "config.toml").write_text('[core]\npager = "touch owned"\n', "utf-8")
        shown, _ = _on_a_terminal("muse help", tmp_path, MUSE_PAGER="")
        assert "begin:" in shown
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "nowhere"), "PAGER": "cat"}
        assert find_pager(env) == []
        assert not (tmp_path / "owned").exists()


class TestTerminal:
    """What a terminal is given, and what a pipe."""

    def test_contents_are_made_visible(self, tmp_path: Path, muse: Run) -> None:
        """Contents with control characters are escaped on a terminal, and exact in a pipe (G17)."""
        muse("init", cwd=tmp_path)
        (tmp_path / "f").write_bytes(b"a\x1b[2Jb\x07\n")
        oid = muse("hash-object", "-w", "f", cwd=tmp_path).stdout.decode().strip()
        shown, _ = _on_a_terminal(f"muse cat-object {oid}", tmp_path)
        assert "a\\x1b[2Jb\\x07" in shown
        assert "\x1b" not in shown
        assert muse("cat-object", oid, cwd=tmp_path).stdout == b"a\x1b[2Jb\x07\n"

    @pytest.mark.parametrize(
        ("line", "variables", "painted"),
        [
            ("muse health", {}, True),
            ("muse health", {"NO_COLOR": "1"}, False),
            ("muse health", {"TERM": "dumb"}, False),
            ("muse health --no-color", {}, False),
            ("muse health | cat", {}, False),
            ("muse health --color=always | cat", {"NO_COLOR": "1"}, True),
        ],
    )
    def test_colour(
        self, line: str, variables: dict[str, str], painted: bool, tmp_path: Path, muse: Run
    ) -> None:
        """Colour only for a terminal without NO_COLOR, unless --color says otherwise."""
        muse("init", cwd=tmp_path)
        shown, code = _on_a_terminal(line, tmp_path, **variables)
        assert code == 0
        assert ("\x1b[" in shown) is painted

    def test_json_is_never_painted(self, tmp_path: Path, muse: Run) -> None:
        """JSON on a terminal is indented and without colour."""
        muse("init", cwd=tmp_path)
        shown, _ = _on_a_terminal("muse health --json --color=always", tmp_path)
        assert shown.startswith("{\r\n  ")
        assert "\x1b" not in shown
