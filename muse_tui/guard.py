"""The small parent that gives the terminal back, whatever kills the interface.

The interface runs as a child. When it dies by a signal, SIGKILL included, nobody but its parent
can leave the alternate screen, switch the mouse off and restore the line settings. Settings come
back first, because writing may block on a terminal that nobody drains.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

# mouse reports, focus, paste and in-band resize off; Kitty keys popped; screen, cursor, colours
RESET = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[?2048l"
    b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m\r"
)
_WRITE_WITHIN_S = 1.0


def run_guarded(run: Callable[[], int], *, farewell: Callable[[int], str]) -> int:
    """Run the interface in a child and restore the terminal if it is killed.

    Args:
        run: Runs the interface; returns its exit code.
        farewell: Called with the signal that killed it; returns what to tell the user.

    Returns:
        The interface's exit code; 128 + n when signal n killed it.
    """
    fd = _terminal()
    if fd < 0:
        return run()
    import termios

    saved = termios.tcgetattr(fd)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _follow_parent()
        os._exit(_run_child(run))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: _pass_on(child, n))
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        # The terminal's keys are the child's; Textual handles them, or the child dies of them.
        signal.signal(number, signal.SIG_IGN)
    status = _wait(child)
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        if code < 128:
            return code
        killer = code - 128
    else:
        killer = os.WTERMSIG(status)
        code = 128 + killer
    with contextlib.suppress(termios.error, OSError):
        termios.tcsetattr(fd, termios.TCSANOW, saved)
    _write(fd, RESET)
    _write(fd, farewell(killer).encode("utf-8", "replace").replace(b"\n", b"\r\n"))
    return code


def _terminal() -> int:
    for fd in (0, 1, 2):
        if os.isatty(fd):
            return fd
    return -1


def _run_child(run: Callable[[], int]) -> int:
    try:
        return run()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last place that can show a bug
        import traceback

        traceback.print_exc()
        return 70
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()


def _follow_parent() -> None:
    """Have the kernel end the child when the guard itself is killed (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGHUP)  # PR_SET_PDEATHSIG


def _pass_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _wait(child: int) -> int:
    while True:
        try:
            _, status = os.waitpid(child, os.WUNTRACED)
        except InterruptedError:
            continue
        if os.WIFSTOPPED(status):
            # ctrl+z: the shell must see the whole job stop, and wakes all of it again.
            os.kill(os.getpid(), signal.SIGSTOP)
            continue
        return status


def _write(fd: int, data: bytes) -> None:
    """Write to the terminal without ever waiting for it longer than a moment."""
    blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    deadline = time.monotonic() + _WRITE_WITHIN_S
    try:
        while data and time.monotonic() < deadline:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                return  # the terminal is gone
    finally:
        with contextlib.suppress(OSError):
            os.set_blocking(fd, blocking)
