"""The commit message being written, on disk after every key: ``.muse/drafts/commit``.

It is a plain text file, so that a person can read it without any program. A first line
``# amend`` tells that it is for the last commit. The write goes through the engine's library, which
replaces the file atomically: a reader finds the text before a key or after it, never half of it.
"""

from __future__ import annotations

from pathlib import Path

from muse_tui.model import Draft

_AMEND = "# amend\n"


def draft_path(root: Path) -> Path:
    """Return the file of the draft."""
    return root / ".muse" / "drafts" / "commit"


def read_draft(root: Path) -> Draft:
    """Return the draft; empty when there is none."""
    path = draft_path(root)
    try:
        text = path.read_text("utf-8", "replace")
        saved_s = path.stat().st_mtime
    except OSError:
        return Draft()
    amend = text.startswith(_AMEND)
    return Draft(text.removeprefix(_AMEND) if amend else text, amend, saved_s)


def save_draft(root: Path, draft: Draft, *, durable: bool = False) -> None:
    """Put the draft on disk.

    Durability:
        Killed at any time: the text before this key or after it. With ``durable`` it survives a
        power cut, too.

    Raises:
        OSError: The disk said no; what was saved before is still there.
    """
    from muse_tui.backend.files import write_text

    text = (_AMEND if draft.amend else "") + draft.text
    write_text(draft_path(root), text, durable=durable)


def forget_draft(root: Path) -> None:
    """Remove the draft after its commit was reported; missing is fine."""
    draft_path(root).unlink(missing_ok=True)
