"""Looking at the working tree: which files and folders changed, and what a folder holds.

Errors are raised and name the path: a folder that cannot be listed is never taken for an empty
one, since a commit would then drop what it holds (G10).
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator
from itertools import compress
from operator import length_hint, ne
from typing import NamedTuple

from muse.core.errors import IoFailedError
from muse.core.file_content import StatKey, is_settled, stat_key
from muse.core.paths import is_reserved_name, show_path

# What says that nothing of that name is there: a folder on the way is missing, a file, or a link
# that leads round in a circle.
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Listing(NamedTuple):
    """What a folder holds.

    Attributes:
        key: Its stat key before it was listed.
        settled: Whether a later change of the folder must show in the key.
        files: Names of files and links.
        folders: Names of folders.
        is_repository: Whether it is the folder of another repository.
    """

    key: StatKey
    settled: bool
    files: list[bytes]
    folders: list[bytes]
    is_repository: bool


def list_folder(root: bytes, folder: bytes) -> Listing | None:
    """List a folder; None when there is no folder of this name (a link to one is none).

    Sockets, fifos and devices are left out, and so are ``.muse`` and ``.git``.

    Args:
        root: The working tree's folder.
        folder: A repository path.

    Raises:
        IoFailedError: It cannot be listed.
    """
    full = root + b"/" + folder if folder else root
    clock_ns = time.time_ns()
    files: list[bytes] = []
    folders: list[bytes] = []
    is_repository = False
    try:
        key = stat_key(os.lstat(full))
        if not stat.S_ISDIR(key[0]):
            return None
        with os.scandir(full) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == 46 and is_reserved_name(name):
                    is_repository = is_repository or (bool(folder) and _is_repository(entry.path))
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                    files.append(name)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise IoFailedError("list the folder", path=show_path(full), error=error) from error
    return Listing(key, is_settled(key, clock_ns), files, folders, is_repository)


def _is_repository(path: bytes) -> bool:
    """Tell whether a reserved name is really a repository's folder, or git's pointer to one."""
    if path.endswith(b".muse"):
        return os.path.isdir(path)
    return os.path.isfile(path) or os.path.lexists(path + b"/HEAD")


def find_key(root: bytes, path: bytes) -> StatKey | None:
    """Return the stat key of a path; None when nothing is there.

    Raises:
        IoFailedError: It cannot be looked at.
    """
    try:
        return stat_key(os.lstat(root + b"/" + path))
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise IoFailedError("look at the path", path=show_path(path), error=error) from error


def is_folder_key(key: StatKey | None) -> bool:
    """Tell whether a stat key is that of a folder."""
    return key is not None and stat.S_ISDIR(key[0])


def compare_keys(
    paths: Iterable[bytes], expected: Iterable[StatKey | None], count: int
) -> tuple[list[int], list[int]]:
    """Compare stat keys in bulk.

    The loop runs inside C, at about the cost of the system calls; only a path that is missing
    comes up as an exception.

    Args:
        paths: Paths in the file system.
        expected: The key that each of them should have.
        count: How many there are.

    Returns:
        The positions where the key differs, and those where nothing is.
    """
    expected = iter(expected)
    positions = iter(range(count))
    differs = compress(positions, map(ne, map(stat_key, map(os.lstat, paths)), expected))
    changed: list[int] = []
    missing: list[int] = []
    while True:
        try:
            changed.extend(differs)
        except OSError as error:
            if error.errno not in _GONE:
                where = error.filename if isinstance(error.filename, bytes) else b""
                raise IoFailedError(
                    "look at the path", path=show_path(where), error=error
                ) from error
            # `compress` had taken the position and `map` the path, but not yet the expected key.
            missing.append(count - length_hint(positions) - 1)
            next(expected)
        else:
            return changed, missing


def iter_parents(path: bytes) -> Iterator[bytes]:
    """Yield the folders above a path, the outermost first, without the root."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)
