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

# Folders in which every folder is looked at. What is further below `refs` and `logs` is looked at
# when it is written, and the shards when they are swept.
_ABOVE: Final = ("", "/objects", "/refs", "/logs")
_OWN: Final = f"/{MUSE}"


def check_folders(root: Path) -> None:
    """Refuse a repository of which a folder is a symlink.

    Raises:
        UnsafePathError: Names it.
    """
    muse = os.fspath(muse_dir(root))
    _check(muse)
    for name in _ABOVE:
        _check_inside(muse + name)


def check_shards(root: Path) -> None:
    """Refuse a repository of which a folder of objects is a symlink; raises `UnsafePathError`."""
    _check_inside(os.fspath(shards_dir(root)))


def _check_inside(folder: str) -> None:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                # A link to a file is replaced when it is written, and never written through.
                if entry.is_symlink() and entry.is_dir():
                    raise _refusal(entry.path)
    except OSError:
        return


class Ways:
    """Looks at the folders on the way to files below ``.muse``, once each.

    It serves for one transaction: the links that it looks for came with the repository.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def check(self, path: str) -> None:
        """Refuse to write a file of which a folder on the way is a symlink.

        Raises:
            UnsafePathError: Names it.
        """
        folder = path
        while folder := folder[: max(0, folder.rfind("/"))]:
            if folder in self._seen:
                return
            _check(folder)
            self._seen.add(folder)
            if folder.endswith(_OWN):
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
