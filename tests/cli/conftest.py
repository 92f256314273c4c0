"""Running the command line inside the test's own process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from muse.cli.main import main


class Outcome(NamedTuple):
    """What one command line did.

    Attributes:
        code: The exit code.
        out: Stdout.
        err: Stderr.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout; anything beside it is a failure."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run ``muse`` with these arguments: ``cli("status", cwd=folder)``; here is `tmp_path`."""

    def run(*arguments: str, cwd: Path = tmp_path) -> Outcome:
        monkeypatch.chdir(cwd)
        capfd.readouterr()
        code = main(arguments)
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def repo(cli: Cli, tmp_path: Path) -> Path:
    """Create an empty repository, the folder ``song``."""
    assert cli("init", "song").code == 0
    return tmp_path / "song"
