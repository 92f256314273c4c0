"""Who imports whom, and what each process does without."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import muse_tui

pytestmark = pytest.mark.tui

PACKAGE = Path(muse_tui.__file__).parent


def imported(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def left_out(code: str, *modules: str) -> None:
    """A fresh interpreter runs the code without these modules."""
    check = f"import sys; {code}; bad = set(sys.modules) & {set(modules)!r}; assert not bad, bad"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


def test_only_the_backend_knows_muse() -> None:
    """No other module of the interface imports the library."""
    for path in PACKAGE.rglob("*.py"):
        if "backend" in path.relative_to(PACKAGE).parts:
            continue
        names = imported(path)
        assert not any(n == "muse" or n.startswith("muse.") for n in names), path


def test_widgets_know_neither_screens_nor_engine() -> None:
    """Imports point downwards: widgets see messages, model and words."""
    allowed = ("widgets", "messages", "model", "words", "keymap", "themes")
    for path in (PACKAGE / "widgets").glob("*.py"):
        for name in imported(path):
            if name.startswith("muse_tui."):
                assert name.split(".")[1] in allowed, (path, name)


def test_files_stay_small() -> None:
    """The application is wiring; no file runs away."""
    assert len((PACKAGE / "app.py").read_text().splitlines()) < 250
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path


def test_the_engine_and_jobs_do_without_textual() -> None:
    """The other processes never load what only draws."""
    left_out("import muse_tui.engine, muse_tui.backend.desk", "textual", "rich", "asyncio")
    left_out("import muse_tui.runner, muse_tui.backend.work", "textual", "rich", "asyncio")


def test_the_guard_is_small() -> None:
    """The parent that restores the terminal loads nothing of the interface."""
    left_out("import muse_tui.cli", "textual", "rich", "asyncio", "muse", "subprocess")


def test_boxes_wait_until_they_open() -> None:
    """The first frame does not pay for the commit box or the help."""
    left_out(
        "import muse_tui.app",
        "textual.widgets._text_area",
        "muse_tui.screens.commit_box",
        "pygments",
        "watchfiles",
        "muse.core.repo",
    )
