"""Real deaths: a child that ends, as by ``kill -9``, before its n-th change to the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from muse.ops.selftest.recording import Runner

KILLED: Final = 77
_CALLS: Final = (
    "open", "write", "pwrite", "link", "replace", "rename", "unlink", "mkdir", "rmdir", "symlink",
    "ftruncate", "fsync",
)  # fmt: skip


def run_killed(root: Path, words: Sequence[str], *, at: int, run: Runner) -> bool:
    """Run a command in a child that dies before its n-th call.

    Args:
        root: Where.
        words: The command.
        at: Which call, counted from 1.
        run: Runs it in the child.

    Returns:
        Whether it died; False when it came to its end first.
    """
    pid = os.fork()
    if pid == 0:
        try:
            _install(at)
            run(root, words)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED


def count_calls(root: Path, words: Sequence[str], *, run: Runner) -> int:
    """Return before how many calls a command can be killed; it is run to its end, in a child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        tell = os.write
        try:
            done = _install(0)
            run(root, words)
            tell(writer, str(done()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return int(told or 0)


def _install(at: int) -> Callable[[], int]:
    """Die at a call, 0 for none; return what tells how many there were."""
    left = at

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # whatever `os` takes
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(KILLED)
            return real(*arguments, **options)

        return call

    for name in _CALLS:
        setattr(os, name, wrap(getattr(os, name)))
    return lambda: at - left
