"""Start-up time is a feature: what a command does not need is not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run

HEAVY = (
    "asyncio",
    "concurrent.futures",
    "email",
    "multiprocessing",
    "pathspec",
    "pygit2",
    "rich",
    "textual",
    "tomlkit",
    "urllib.request",
    "watchfiles",
    "zstandard",
)
EVERYDAY = (*HEAVY, "dataclasses", "inspect")
VERSION_ONLY = (*EVERYDAY, "argparse", "json", "muse.core.repo", "pathlib", "typing")


def _loaded(code: str, cwd: Path) -> set[str]:
    """Return the modules that a fresh interpreter has after some code."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}\nimport sys\nprint('\\n'.join(sys.modules), file=sys.stderr)",
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


class TestImports:
    """A fresh interpreter holds only what the command needed."""

    def test_import_of_main_is_light(self, tmp_path: Path) -> None:
        """Importing muse.cli.main loads nothing heavy, not even argparse."""
        assert not _loaded("import muse.cli.main", tmp_path) & set(VERSION_ONLY)

    def test_version(self, tmp_path: Path) -> None:
        """``muse --version`` imports neither argparse nor the core."""
        loaded = _loaded("from muse.cli.main import main\nmain(['--version'])", tmp_path)
        assert not loaded & set(VERSION_ONLY)

    @pytest.mark.parametrize("line", [["status"], ["log"], ["health"], ["add", "."]])
    def test_everyday_commands(self, line: list[str], tmp_path: Path, muse: Run) -> None:
        """Everyday commands leave textual, rich, asyncio, pathspec and the like alone."""
        muse("init", cwd=tmp_path)
        (tmp_path / "a").write_bytes(b"1")
        muse("commit", "-m", "first", cwd=tmp_path)
        loaded = _loaded(f"from muse.cli.main import main\nassert main({line!r}) == 0", tmp_path)
        assert not loaded & set(EVERYDAY)

    def test_only_the_chosen_command(self, tmp_path: Path, muse: Run) -> None:
        """Of all command modules, only the one that was typed is imported."""
        muse("init", cwd=tmp_path)
        loaded = _loaded("from muse.cli.main import main\nmain(['status'])", tmp_path)
        commands = {name for name in loaded if name.startswith("muse.cli.commands.")}
        assert commands == {"muse.cli.commands.status"}
