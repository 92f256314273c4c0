"""Where everything under ``.muse/`` lives, and which names may be tracked at all.

Functions return paths and never create them. ``root`` is the folder that holds ``.muse``.
A *repository path* is bytes, relative to ``root``, with ``/`` between its parts: the form that
trees store, so that order and equality are git's whatever the encoding of a name.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Final

from muse.core.errors import UnsafePathError

MUSE: Final = ".muse"
CASE_FOLDING: Final = sys.platform in ("darwin", "win32")

# A process that writes often asks for the same few paths each time; making one costs as much as a
# system call.
_known = functools.lru_cache(maxsize=64)


@_known
def muse_dir(root: Path) -> Path:
    """Return the repository's own folder."""
    return root / MUSE


@_known
def objects_dir(root: Path) -> Path:
    """Return the folder of all objects."""
    return root / MUSE / "objects"


@_known
def shards_dir(root: Path) -> Path:
    """Return the folder of the 256 shards of loose objects."""
    return root / MUSE / "objects" / "sha256"


@_known
def pack_dir(root: Path) -> Path:
    """Return the folder of packs and their indexes."""
    return root / MUSE / "objects" / "pack"


def refs_dir(root: Path) -> Path:
    """Return the folder of refs."""
    return root / MUSE / "refs"


@_known
def head_path(root: Path) -> Path:
    """Return the file that says what is checked out."""
    return root / MUSE / "HEAD"


def repo_json_path(root: Path) -> Path:
    """Return the file with format version and repository id."""
    return root / MUSE / "repo.json"


def shallow_path(root: Path) -> Path:
    """Return the file that names the commits at which history is cut off."""
    return root / MUSE / "shallow"


def clone_marker_path(root: Path) -> Path:
    """Return the file that says that this is a clone which is not finished."""
    return root / MUSE / "clone.json"


def config_path(root: Path) -> Path:
    """Return the repository's configuration."""
    return root / MUSE / "config.toml"


@_known
def stage_path(root: Path) -> Path:
    """Return the file of staged changes."""
    return root / MUSE / "code" / "stage.msgpack"


def logs_dir(root: Path) -> Path:
    """Return the folder of reflogs."""
    return root / MUSE / "logs"


@_known
def lock_path(root: Path) -> Path:
    """Return the repository's write lock; the file stays."""
    return root / MUSE / "lock"


@_known
def journal_dir(root: Path) -> Path:
    """Return the folder of transactions that are not checkpointed yet."""
    return root / MUSE / "journal"


def jobs_dir(root: Path) -> Path:
    """Return the folder of running and finished jobs."""
    return root / MUSE / "jobs"


def trash_dir(root: Path) -> Path:
    """Return the folder of what was discarded."""
    return root / MUSE / "trash"


@_known
def cache_dir(root: Path) -> Path:
    """Return the folder of hints, which may be deleted at any time."""
    return root / MUSE / "cache"


def stat_cache_path(root: Path) -> Path:
    """Return the stat cache."""
    return root / MUSE / "cache" / "stat_cache.msgpack"


def sweep_state_path(root: Path) -> Path:
    """Return the cache of folder times at the last clean sweep."""
    return root / MUSE / "cache" / "sweep_state.msgpack"


def health_dir(root: Path) -> Path:
    """Return the folder of the ledger of sweeps."""
    return root / MUSE / "health"


def drafts_dir(root: Path) -> Path:
    """Return the folder of commit messages being written."""
    return root / MUSE / "drafts"


def commits_dir(root: Path) -> Path:
    """Return an older layout's folder of commits."""
    return root / MUSE / "commits"


def releases_dir(root: Path) -> Path:
    """Return an older layout's folder of releases."""
    return root / MUSE / "releases"


def tags_dir(root: Path) -> Path:
    """Return an older layout's folder of tags."""
    return root / MUSE / "tags"


def temp_folder(path: Path | str) -> str:
    """Return where the temp of a file lives: ``.muse/tmp`` if inside ``.muse``, else beside it."""
    name = os.fspath(path)
    at = name.rfind(f"/{MUSE}/")
    return os.path.dirname(name) if at < 0 else os.path.join(name[:at], MUSE, "tmp")


def show_path(path: bytes | str) -> str:
    r"""Return a path as text for people, control characters made visible (G17).

    Bytes that are not UTF-8 are shown as ``\xNN``, and so are control characters, so that a file
    name can never move the cursor or clear a terminal.
    """
    text = path.decode("utf-8", "backslashreplace") if isinstance(path, bytes) else path
    return show_text(text)


def show_text(text: str, *, keep: str = "") -> str:
    """Return text with control characters made visible, except those in ``keep``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _visible(c) for c in text)


def _visible(char: str) -> str:
    code = ord(char)
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    if named:
        return named
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else char


_NO_NAMES: Final = frozenset({b"", b".", b"..", b".git", b".muse"})


def is_reserved_name(name: bytes, *, fold: bool = CASE_FOLDING) -> bool:
    """Tell whether a name may never be tracked: it is Muse's or git's own folder.

    Args:
        name: One path component.
        fold: Also refuse spellings that a case-folding file system takes for the same.
    """
    if name in {b".muse", b".git"}:
        return True
    return fold and name.lower().rstrip(b". ") in {b".muse", b".git"}


def check_name(name: bytes, *, where: bytes = b"", fold: bool = CASE_FOLDING) -> None:
    """Refuse a tree entry's name that could escape the working tree (G11).

    Args:
        name: One path component as a tree stores it.
        where: The path of the folder that holds it, for the message.
        fold: As in `is_reserved_name`.

    Raises:
        UnsafePathError: The name is empty, ``.``, ``..``, reserved, or has a slash or NUL.
    """
    if not name or name in {b".", b".."} or b"/" in name or b"\0" in name:
        problem = "is not a file name"
    elif is_reserved_name(name, fold=fold):
        problem = "is the repository's own folder"
    else:
        return
    full = where + b"/" + name if where else name
    raise UnsafePathError(
        f"'{show_path(full)}' {problem}; refused.",
        hint="Nothing was written. The object that names it is hostile or damaged.",
    )


def is_plain_name(name: bytes) -> bool:
    """Tell quickly that `check_name` has nothing against a name without a NUL."""
    return name not in _NO_NAMES and b"/" not in name and not CASE_FOLDING


def check_path(path: bytes, *, fold: bool = CASE_FOLDING) -> None:
    """Refuse a repository path of which any component is unsafe.

    Raises:
        UnsafePathError: As `check_name`; also for absolute and empty paths.
    """
    where = b""
    for name in path.split(b"/"):
        check_name(name, where=where, fold=fold)
        where = where + b"/" + name if where else name


def outside_repositories(path: bytes) -> bytes | None:
    """Return the folder around ``.git`` or ``.muse`` for a path in it; None for our own."""
    at = 0
    for name in path.split(b"/"):
        if is_reserved_name(name):
            return path[: at - 1] if at else None
        at += len(name) + 1
    return path


def to_repo_path(root: Path, argument: str, *, cwd: Path) -> bytes:
    """Turn what a user typed into a repository path; ``b""`` is the root itself.

    Symlinks in the last component are not followed: a link is tracked as a link.

    Raises:
        UnsafePathError: The path is empty, lies outside ``root``, or inside ``.muse``.
    """
    if not argument:
        # A shell variable that was not set: `muse rm -r "$x"` must not mean everything.
        raise UnsafePathError("An empty name is no path.", hint="'.' means the whole folder.")
    absolute = os.path.normpath(os.path.join(os.path.realpath(cwd), argument))
    base = os.path.realpath(root)
    parent, name = os.path.split(absolute)
    if absolute != base and not _is_below(absolute, base):
        absolute = os.path.join(os.path.realpath(parent), name)
    if absolute == base:
        return b""
    if not _is_below(absolute, base):
        raise UnsafePathError(
            f"'{show_path(argument)}' is outside the repository at {base}.",
            hint="Name paths below the repository's folder.",
        )
    path = os.fsencode(os.path.relpath(absolute, base))
    for part in path.split(b"/"):
        if is_reserved_name(part):
            raise UnsafePathError(
                f"'{show_path(argument)}' is inside the repository's own folder.",
                hint="'.muse' and '.git' are never tracked.",
            )
    return path


def _is_below(path: str, base: str) -> bool:
    return path.startswith(base.rstrip("/") + "/")
