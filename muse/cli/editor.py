"""Texts that the user writes in their editor; no draft is lost (G12).

The editor comes from the user's environment or settings, never from the repository's (G16).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from muse.core.errors import IoFailedError, MuseError, UsageError
from muse.core.io import make_dirs, read_bytes, remove_file, write_bytes_atomic
from muse.core.paths import drafts_dir
from muse.core.plain_files import RECORD_BYTES

LEFT_OVER = "# This is the draft that an earlier attempt left."
FALLBACKS = ("vi", "nano")


def find_editor(env: Mapping[str, str], *, configured: str | None = None) -> list[str]:
    """Return the editor's command line.

    Args:
        env: The environment: ``$MUSE_EDITOR`` goes first, ``$VISUAL`` and ``$EDITOR`` last.
        configured: The user's own setting ``core.editor``.

    Raises:
        UsageError: There is none, or no terminal that it could be shown on.
    """
    import shlex
    import shutil

    choices = (
        ("$MUSE_EDITOR", env.get("MUSE_EDITOR")),
        ("core.editor", configured),
        ("$VISUAL", env.get("VISUAL")),
        ("$EDITOR", env.get("EDITOR")),
    )
    for name, chosen in choices:
        if not chosen:
            continue
        try:
            command = shlex.split(chosen)
        except ValueError as error:
            raise UsageError(
                f"{name} is '{chosen}': {error}.", hint="Correct it, or use -m <message>."
            ) from error
        if command:
            return command
    if not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to write the message on.",
            hint="Use -m <message>, or -F <file>; '-F -' reads it from standard input.",
        )
    for program in FALLBACKS:
        if shutil.which(program, path=env.get("PATH")):
            return [program]
    raise UsageError("No editor was found.", hint="Set EDITOR to one, or use -m <message>.")


def edit_draft(root: Path, text: str, *, name: str, editor: Sequence[str]) -> str:
    """Let the user edit a text, and return what they saved.

    Args:
        root: The repository's root.
        text: What the editor shows first. A draft that a failed or killed command left takes the
            place of all but its comments.
        name: The draft's file name.
        editor: The editor's command line.

    Raises:
        MuseError: The editor failed; the draft stays.
        IoFailedError: The draft cannot be written or read.

    Durability:
        The draft stays in ``.muse/drafts/`` until `remove_draft`.
    """
    path = draft_path(root, name)
    make_dirs(path.parent)
    left = clean_message(read_draft(root, name))
    if left:
        comments = [line for line in text.split("\n") if line.startswith("#")]
        text = "\n".join([left, LEFT_OVER, *comments, ""])
    write_bytes_atomic(path, text.encode("utf-8", "surrogateescape"))
    # An editor needs a terminal; stdout may be a file or a pipe that wants our data.
    stdout = None if sys.stdout.isatty() else sys.stderr
    try:
        code = subprocess.run([*editor, os.fspath(path)], stdout=stdout, check=False).returncode
    except OSError as error:
        raise IoFailedError("start the editor", path=editor[0], error=error) from error
    if code != 0:
        kept = read_draft(root, name) != text or bool(left)
        if not kept:
            remove_draft(root, name)
        raise MuseError(
            f"The editor '{editor[0]}' failed with exit code {code}.",
            hint=f"Your text is kept in {path}; run the command again to go on with it."
            if kept
            else "Set EDITOR to one that works, or use -m <message>.",
        )
    return read_draft(root, name)


def read_draft(root: Path, name: str) -> str:
    """Return a draft's text; empty when there is none."""
    return _decode(
        read_bytes(draft_path(root, name), doing="read the draft", limit=RECORD_BYTES) or b""
    )


def remove_draft(root: Path, name: str) -> None:
    """Remove a draft; nothing happens when there is none."""
    remove_file(draft_path(root, name))


def draft_path(root: Path, name: str) -> Path:
    """Return the file of a draft."""
    return drafts_dir(root) / name


def clean_message(text: str, *, comments: bool = True) -> str:
    """Clean a message as git does.

    Args:
        text: What was typed.
        comments: Whether lines that begin with ``#`` are left out: they are in an editor's text,
            they stay in one that was given with ``-m``.

    Returns:
        The message without trailing space, without blank lines at either end and with at most
        one blank line in a row; it ends in a newline unless it is empty.
    """
    kept: list[str] = []
    for line in text.split("\n"):
        clean = line.rstrip()
        if comments and line.startswith("#"):
            continue
        if clean or (kept and kept[-1]):
            kept.append(clean)
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept) + "\n" if kept else ""


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
