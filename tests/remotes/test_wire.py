"""The wire: the conformance suite against a `muse serve` in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muse.core.repo import Repository
from tests.remotes.conformance import OpenPlace, RemoteConformance, here
from tests.remotes.repositories import make_repo
from tests.remotes.wires import Wires

__all__ = ["here"]


@pytest.fixture
def place(tmp_path: Path) -> Repository:
    """A bare repository on the other side."""
    return make_repo(tmp_path / "place", bare=True)


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Opens remotes, and closes them in the end."""
    with Wires() as wires:
        yield wires


@pytest.fixture
def open_place(place: Repository, wires: Wires) -> OpenPlace:
    """Open it through a pair of pipes."""
    return lambda: wires.open(place.root)


class TestWireRemote(RemoteConformance):
    """A stream of bytes does what every medium does."""
