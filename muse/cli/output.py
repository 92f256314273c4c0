"""The only module that writes to stdout and stderr, and the only one that knows the pager.

Data goes to stdout, everything else to stderr. A reader that went away (``muse log | head -1``)
is `OutputClosedError`; a stdout that cannot be written (a full disk) is an `IoFailedError`, never
silence. Names reach a terminal with control characters made visible (G17).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO

from muse.core.errors import IoFailedError

_lost: list[str] = []  # why stdout cannot be written any more


class OutputClosedError(Exception):
    """Whoever read our output went away; there is nothing more to say, and nobody to say it to."""


def is_stdout_lost() -> bool:
    """Tell whether a write to stdout has failed."""
    return bool(_lost)


def prepare_streams() -> None:
    """Make stdin, stdout and stderr safe to use whatever they are."""
    import codecs

    _lost.clear()

    codecs.register_error("muse-visible", _make_visible)
    # A closed descriptor would be given to the next file that is opened, and output meant for
    # people would land in it.
    for name, fd, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = getattr(sys, name)
        if stream is None:
            _fill_descriptor(fd)
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # lives as long as the process
        elif name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="muse-visible")


def _fill_descriptor(fd: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != fd:
        os.dup2(null, fd)
        os.close(null)


def _make_visible(error: UnicodeError) -> tuple[str, int]:
    """Show what an encoding cannot hold: undecodable bytes and other characters as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    shown = (
        f"\\x{ord(c) - 0xDC00:02x}"
        if 0xDC80 <= ord(c) <= 0xDCFF
        else c.encode("ascii", "backslashreplace").decode("ascii")
        for c in bad
    )
    return "".join(shown), error.end


def wants_color(choice: str, env: Mapping[str, str]) -> bool:
    """Tell whether stdout is painted.

    Args:
        choice: "always", "never", or "auto": on a terminal, unless ``NO_COLOR`` is set.
        env: The environment.
    """
    if choice != "auto":
        return choice == "always"
    return is_terminal(sys.stdout) and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal; closed ones are not."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def write_text(text: str | Iterable[str], *, terminal: bool = False) -> None:
    """Write text to stdout, with a newline after each piece that has none.

    Args:
        text: A whole text, or its lines.
        terminal: A terminal will show it, directly or through a pager: nothing but colours may
            control it.

    Raises:
        OutputClosedError: The reader went away.
        IoFailedError: The system refused.
    """
    pieces = (text,) if isinstance(text, str) else text
    for piece in pieces:
        if not text:
            return
        safe = visible(piece) if terminal else piece
        _write(safe if safe.endswith("\n") else safe + "\n")


def write_raw(chunks: Iterable[bytes], *, terminal: bool = False) -> None:
    """Write bytes to stdout as they are; for a terminal with control characters made visible.

    Args:
        chunks: The bytes.
        terminal: As in `write_text`.

    Raises:
        OutputClosedError: The reader went away.
        IoFailedError: The system refused.
    """
    if terminal:
        for line in _decode(chunks):
            _write(visible(line))
        return
    sink = getattr(sys.stdout, "buffer", None)
    for chunk in chunks:
        if sink is None:
            _write(chunk.decode("utf-8", "backslashreplace"))
            continue
        try:
            sink.write(chunk)
        except OSError as error:
            raise refuse(error) from error


def _decode(chunks: Iterable[bytes]) -> Iterator[str]:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def visible(text: str) -> str:
    """Return text for a terminal: only colours may control it."""
    import re  # start-up time: only terminals need it

    from muse.core.paths import show_text

    return re.sub(
        r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]",
        lambda match: match[1] or show_text(match[0]),
        text,
    )


def write_json(data: Mapping[str, object]) -> None:
    """Write the one JSON object of ``--json``: indented for a terminal, else on one line.

    Raises:
        OutputClosedError: The reader went away.
        IoFailedError: The system refused.
    """
    import json  # start-up time

    # ASCII only, so that it survives every locale and cannot control a terminal.
    text = json.dumps(data, indent=2 if is_terminal(sys.stdout) else None, default=_to_json)
    _write(text.replace("\x7f", "\\u007f") + "\n")


def _to_json(value: object) -> object:
    from pathlib import PurePath

    from muse.core.paths import show_path

    if isinstance(value, bytes):
        return show_path(value)
    if isinstance(value, PurePath):
        return show_path(os.fspath(value))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def flush() -> None:
    """Hand everything to the system, so that an error shows now and not after we are gone.

    Raises:
        OutputClosedError: The reader went away.
        IoFailedError: The system refused.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise refuse(error) from error
    except ValueError:
        return  # closed by whoever replaced it


def abandon_stdout() -> None:
    """Drop what stdout still buffers, so that no later flush can fail or write it elsewhere."""
    try:
        fd = sys.stdout.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, fd)
        os.close(null)
        sys.stdout.flush()
    except (OSError, ValueError):
        return


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except OSError as error:
        raise refuse(error) from error


def refuse(error: OSError) -> Exception:
    """Give stdout up after a write that failed, and return the error to raise."""
    abandon_stdout()
    _lost.append(str(error))
    if isinstance(error, BrokenPipeError):
        return OutputClosedError()
    return IoFailedError("write the output", path="standard output", error=error)


def write_message(kind: str, message: str, *, hint: str = "") -> None:
    """Write "kind: message" and a hint to stderr; a stderr that is gone is ignored.

    Args:
        kind: "error" or "warning"; empty for a note, which needs no label.
        message: May have several lines.
        hint: What the user can type next.
    """
    from muse.cli.render import paint
    from muse.core.paths import show_text

    color = is_terminal(sys.stderr) and not os.environ.get("NO_COLOR")
    label = paint(f"{kind}:", kind, on=color) + " " if kind else ""
    lines = [label + show_text(message, keep="\n")]
    if hint:
        lines.append(paint("hint:", "hint", on=color) + " " + show_text(hint, keep="\n"))
    write_stderr("\n".join(lines) + "\n")


def write_stderr(text: str) -> None:
    """Write to stderr after what stdout has, and never fail."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        return
