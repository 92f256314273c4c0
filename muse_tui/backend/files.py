"""Small files under ``.muse/`` that the interface owns, replaced atomically."""

from __future__ import annotations

from pathlib import Path

from muse.core.errors import MuseError
from muse.core.io import make_dirs, write_text_atomic


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a text file; the folder is made when it is missing.

    Durability:
        Killed at any time: the old text or the new one. With ``durable`` a power cut, too.

    Raises:
        OSError: The system said no; the old text is still there.
    """
    try:
        if not path.parent.is_dir():
            make_dirs(path.parent)
        write_text_atomic(path, text, durable=durable)
    except MuseError as error:
        cause = error.__cause__
        number = cause.errno if isinstance(cause, OSError) else None
        raise OSError(number or 0, error.message) from error
