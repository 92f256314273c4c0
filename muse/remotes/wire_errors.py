"""Errors on their way: the class, its parts and its hint arrive on the other side as they were.

Only what a caller tells apart has a name of its own; anything else is a `RemoteError`. Texts are
bounded, and their control characters are made visible on arrival (G17).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from muse.core.errors import (
    BadTransferError,
    ConflictError,
    LockedError,
    MuseError,
    NoRepositoryThereError,
    ObjectNotFoundError,
    RefChangedError,
    RemoteError,
    UnsafeNameError,
)
from muse.core.paths import show_text
from muse.remotes.wire_fields import MAX_TEXT, take_list, take_text
from muse.remotes.wire_frames import Message

_Plain = Callable[..., MuseError]
_PLAIN: Final[dict[str, _Plain]] = {
    "locked": LockedError,
    "conflict": ConflictError,
    "unsafe-name": UnsafeNameError,
    "remote": RemoteError,
}


def encode_error(error: MuseError) -> Message:
    """Return an error as a message."""
    kind, parts = _take_apart(error)
    texts = [error.message, error.hint, *parts]
    return ["error", kind, [text[:MAX_TEXT] for text in texts]]


def _take_apart(error: MuseError) -> tuple[str, list[str]]:
    if isinstance(error, RefChangedError):
        return "ref-changed", [error.ref, error.expected, error.actual]
    if isinstance(error, BadTransferError):
        return "bad-transfer", [error.oid, error.source, error.reason]
    if isinstance(error, ObjectNotFoundError):
        return "no-object", [error.oid]
    if isinstance(error, NoRepositoryThereError):
        return "no-repository", [error.found]
    for kind, plain in _PLAIN.items():
        if isinstance(plain, type) and isinstance(error, plain):
            return kind, []
    return "remote", []


def decode_error(fields: list[Any], *, url: str) -> MuseError:
    """Return the error that the other side reports.

    Args:
        fields: The fields of its message.
        url: How to name the other side when it says nothing of use.

    Raises:
        WireError: It is no report.
    """
    kind, texts, *_ = [*fields, None, None]
    said = [show_text(take_text(text), keep="\n") for text in take_list(texts, limit=8)]
    said += [""] * 5
    message, hint, parts = said[0], said[1], said[2:]
    message = message or f"{url} refused, and did not say why."
    error: MuseError
    if kind == "ref-changed":
        error = RefChangedError(parts[0], expected=parts[1], actual=parts[2])
    elif kind == "bad-transfer":
        error = BadTransferError(parts[0], source=parts[1], reason=parts[2])
    elif kind == "no-object":
        error = ObjectNotFoundError(parts[0])
        error.message, error.args = message, (message,)
    elif kind == "no-repository":
        error = NoRepositoryThereError(message, found=parts[0])
    else:
        # A kind that a later version knows is at least an error with its words.
        error = _PLAIN.get(take_text(kind), RemoteError)(message)
    error.hint = hint
    return error
