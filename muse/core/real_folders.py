"""Nothing below ``.muse`` is a folder elsewhere: a repository may come from anybody (G11).

Whoever packs a repository may pack a symlink in the place of a folder, and commands would then
write, sweep and collect garbage where it leads. So `open_repo` looks at the folders that there
are, and each write at those on its way: a repository with such a link is refused, by its name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from muse.core.errors import UnsafePathError
from muse.core.paths import MUSE, muse_dir, shards_dir, show_path

# Those that every repository has, or may have. What is below `refs` and `logs` is looked at when
# it is written, and the shards when they are swept.
_FOLDERS: Final = (
    "objects", "objects/sha256", "objects/pack", "refs", "refs/heads", "refs/tags", "refs/remotes",
    "logs", "logs/refs", "code", "cache", "health", "tmp", "journal", "trash", "jobs", "drafts",
)  # fmt: skip


def check_folders(root: Path) -> None:
    """Refuse a repository of which a folder is a symlink.

    Raises:
        UnsafePathError: Names it.
    """
    muse = os.fspath(muse_dir(root))
    for path in (muse, *(f"{muse}/{name}" for name in _FOLDERS)):
        _check(path)


def check_shards(root: Path) -> None:
    """Refuse a repository of which a folder of objects is a symlink; raises `UnsafePathError`."""
    try:
        with os.scandir(shards_dir(root)) as entries:
            linked = [entry.path for entry in entries if entry.is_symlink()]
    except OSError:
        return
    if linked:
        raise _refusal(linked[0])


def check_way(path: Path) -> None:
    """Refuse to write a file below ``.muse`` of which a folder on the way is a symlink.

    Raises:
        UnsafePathError: Names it.
    """
    for parent in path.parents:
        _check(os.fspath(parent))
        if parent.name == MUSE:
            return


def _check(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode):
        raise _refusal(path)


def _refusal(path: str) -> UnsafePathError:
    return UnsafePathError(
        f"{show_path(os.fsencode(path))} is a link: what is written there would land elsewhere.",
        hint="Look where it leads with 'ls -l'. If the repository is yours, put the folder itself "
        "in its place; a disk of its own can be mounted there.",
    )
