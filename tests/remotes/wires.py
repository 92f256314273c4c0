"""Remotes over a pair of pipes to a real `muse serve`, and what may come between the two."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from muse.core.commits import Signature
from muse.core.errors import ConnectionLostError, MuseError
from muse.remotes.process import ProcessCarrier
from muse.remotes.wire import WireRemote
from muse.remotes.wire_protocol import OURS, Versions

SERVE = (sys.executable, "-m", "muse", "serve", "--stdio")


def explain(error: MuseError, code: int | None, said: str, *, spoke: bool) -> MuseError:
    """Say what happened, for an assertion to show."""
    kind = ConnectionLostError if isinstance(error, ConnectionLostError) else type(error)
    if kind is ConnectionLostError:
        return ConnectionLostError(f"{error.message} (exit code {code}) {said}", hint="Again.")
    return error


class Wires:
    """Opens wires, and closes them in the end; a context manager."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.carriers: list[ProcessCarrier] = []

    def open(
        self,
        root: Path,
        *,
        command: Sequence[str] = SERVE,
        versions: Versions = OURS,
        identity: Callable[[], Signature] | None = None,
    ) -> WireRemote:
        """Return a remote whose other end serves a repository."""
        carrier = ProcessCarrier([*command, str(root)], explain=explain)
        remote = WireRemote(carrier, url="wire", versions=versions, identity=identity)
        self.carriers.append(carrier)
        self._stack.callback(remote.close)
        return remote

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *rest: object) -> None:
        self._stack.close()
