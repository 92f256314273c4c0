"""A program that carries bytes: started, watched, and never left behind.

Its standard input and output are the channel; what it says on standard error is taken in as it
comes (a full pipe would stop it) and handed on with control characters made visible (G17).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from muse.core.errors import ConnectionLostError, MuseError, RemoteError
from muse.core.paths import show_text
from muse.remotes.wire_frames import Channel

# How long a program gets to end by itself, and to obey.
_LEAVE_S: Final = 5.0
_OBEY_S: Final = 2.0


class Explain(Protocol):
    """Turns the end of a program into an error for the user."""

    def __call__(self, error: MuseError, code: int | None, said: str, *, spoke: bool) -> MuseError:
        """Return the error to raise."""
        ...


class ProcessCarrier:
    """A running program with our channel at its standard input and output.

    Args:
        command: Its command line.
        explain: Says what its end means.
        idle: See `Channel`.
        notify: Told each line that it says.

    Raises:
        RemoteError: It cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        explain: Explain,
        idle: Callable[[], None] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self._explain = explain
        try:
            self._child = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise RemoteError(
                f"'{show_text(command[0])}' cannot be started: {error.strerror}.",
                hint="Muse connects through the ssh that is installed here: install it, or name "
                "another with MUSE_SSH.",
            ) from error
        stdin, stdout, stderr = self._child.stdin, self._child.stdout, self._child.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        for pipe in (stdin, stdout, stderr):
            # Neither a slow reader nor a chatty one may ever stop us in the middle of a call.
            os.set_blocking(pipe.fileno(), False)
        hear = None if notify is None else lambda line: notify(_show(line))
        self._pipes = (stdin, stdout, stderr)
        self.channel = Channel(
            stdout.fileno(), stdin.fileno(), errors=stderr.fileno(), idle=idle, hear=hear,
            needs_answers=True,
        )  # fmt: skip

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it lives, negative for a signal."""
        return self._child.poll()

    def explain(self, error: MuseError) -> MuseError:
        """Return what to tell the user when the connection ended, or was no conversation."""
        if isinstance(error, ConnectionLostError):
            # It closed its output, so that it is about to end, and says why.
            self._wait(_OBEY_S)
        said = _show(self.channel.drain_errors(), keep="\n")
        code = self._child.poll()
        return self._explain(error, code, said, spoke=self.channel.has_spoken)

    def close(self, *, at_once: bool) -> None:
        """Let the program end, or make it end; may be called twice."""
        for pipe in self._pipes[:2]:
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            if not at_once and self._wait(_LEAVE_S):
                return
            self._child.terminate()
            if not self._wait(_OBEY_S):
                self._child.kill()
                self._child.wait()
        finally:
            self._pipes[2].close()

    def _wait(self, timeout_s: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout_s)
            return True
        return False


def _show(data: bytes, *, keep: str = "") -> str:
    return show_text(data.decode("utf-8", "replace").replace("\r", ""), keep=keep)
