"""Long output on a terminal goes through the user's pager; the repository has no say (G16)."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Mapping

from muse.cli import output
from muse.cli.output import OutputClosedError

DEFAULT = "less"


def find_pager(env: Mapping[str, str]) -> list[str]:
    """Return the pager's command line; empty for none.

    ``$MUSE_PAGER``, the user's own ``core.pager``, then ``$PAGER``; set to nothing or to ``cat``,
    each means no pager.
    """
    import shlex
    import shutil

    chosen = env.get("MUSE_PAGER")
    if chosen is None:
        chosen = _configured(env)
    if chosen is None:
        chosen = env.get("PAGER", DEFAULT)
    try:
        command = shlex.split(chosen)
    except ValueError:
        return []
    if not command or command == ["cat"] or not shutil.which(command[0], path=env.get("PATH")):
        return []
    return command


def _configured(env: Mapping[str, str]) -> str | None:
    from muse.cli.context import user_config_path
    from muse.core.config import Config
    from muse.core.errors import MuseError

    # Unreadable settings are the business of commands that need them; output goes on.
    with contextlib.suppress(MuseError):
        return Config(None, user_path=user_config_path(env)).get("core.pager")
    return None


def show_paged(text: str | Iterable[str], env: Mapping[str, str]) -> None:
    """Write text through the pager; straight to the terminal when there is none.

    Raises:
        OutputClosedError: The user left the pager before the end: they saw enough.
    """
    command = find_pager(env)
    if not command:
        output.write_text(text, terminal=True)
        return
    # F: leave when it fits one screen, R: let colours through, X: keep it on the screen after.
    output.flush()
    pager = subprocess.Popen(command, stdin=subprocess.PIPE, env={"LESS": "FRX", **env})
    assert pager.stdin is not None
    terminal = os.dup(1)
    os.dup2(pager.stdin.fileno(), 1)
    pager.stdin.close()
    # Leaving the pager early, by its key or by Ctrl-C, is how people read a log: a success.
    try:
        with contextlib.suppress(OutputClosedError, KeyboardInterrupt):
            output.write_text(text, terminal=True)
    finally:
        with contextlib.suppress(OutputClosedError):
            output.flush()
        os.dup2(terminal, 1)
        os.close(terminal)
        _wait(pager)


def _wait(pager: subprocess.Popen[bytes]) -> None:
    while True:
        # Ctrl-C is for the pager: leaving before it would garble the terminal.
        with contextlib.suppress(KeyboardInterrupt):
            pager.wait()
            return
