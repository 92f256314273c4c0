"""Which untracked names are left alone: ``.gitignore``, ``.museignore`` and ``info/exclude``.

Only untracked names are ever asked: what is tracked stays tracked. For a name the files are asked
from its own folder upwards, each from its last line to its first, ``.museignore`` before
``.gitignore`` of the same folder, ``.muse/info/exclude`` at the end; the first rule that matches
decides. Nothing below an ignored folder can be taken back in, so callers ask about a folder
before they look into it, or use `IgnoreRules.is_ignored`, which asks about each folder on the way.

``.muse`` and ``.git`` are ignored everywhere, whatever the files say.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.errors import IoFailedError
from muse.core.paths import MUSE, is_reserved_name, show_path

if TYPE_CHECKING:
    from muse.core.ignore_pattern import IgnorePattern

GIT_FILE: Final = b".gitignore"
MUSE_FILE: Final = b".museignore"
EXCLUDE: Final = os.fsencode(MUSE) + b"/info/exclude"
IGNORE_FILES: Final = frozenset({GIT_FILE, MUSE_FILE})

_NOT_A_FILE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


class FolderRules(NamedTuple):
    """The rules that one folder brings.

    Attributes:
        base: Length of the folder's path with its slash: what to cut from a path to ask them.
        patterns: The rules, the one that decides first in front.
        may_match_name: Whether some rule about names could match; None when there is none.
        may_match_path: The same for rules about paths.
    """

    base: int
    patterns: tuple[IgnorePattern, ...]
    may_match_name: Callable[[bytes], object] | None
    may_match_path: Callable[[bytes], object] | None


# The rules in force in a folder, in the order in which they are asked.
Chain = tuple[FolderRules, ...]


class IgnoreRules:
    """All ignore rules of a working tree, read when they are first needed.

    Args:
        root: The folder that holds ``.muse``.
        gitignore: Whether ``.gitignore`` counts (``core.gitignore``).
    """

    def __init__(self, root: Path, *, gitignore: bool = True) -> None:
        self._root = os.fsencode(root)
        # In the order in which they are asked.
        self._names = (MUSE_FILE, GIT_FILE) if gitignore else (MUSE_FILE,)
        self._chains: dict[bytes, Chain] = {}

    def chain(self, folder: bytes, *, names: Collection[bytes] | None = None) -> Chain:
        """Return the rules in force in a folder; empty when there are none.

        Args:
            folder: Its path; ``b""`` is the root.
            names: What the folder holds, when the caller has just listed it.

        Raises:
            IoFailedError: An ignore file cannot be read.
        """
        known = self._chains.get(folder)
        if known is not None:
            return known
        if folder:
            above = self.chain(folder.rpartition(b"/")[0])
            base = len(folder) + 1
        else:
            above = self._rules(0, [EXCLUDE])
            base = 0
        prefix = folder + b"/" if folder else b""
        files = [prefix + n for n in self._names if names is None or n in names]
        chain = self._rules(base, files) + above
        self._chains[folder] = chain
        return chain

    def forget(self, folder: bytes) -> None:
        """Read the rules of a folder and of all below it anew when they are next needed."""
        if not folder:
            self._chains.clear()
            return
        below = folder + b"/"
        for known in [f for f in self._chains if f == folder or f.startswith(below)]:
            del self._chains[known]

    def is_ignored(self, path: bytes, *, is_folder: bool) -> bool:
        """Tell whether an untracked path is ignored, itself or by a folder above it.

        Args:
            path: A repository path.
            is_folder: Whether it is a folder (a link to one is not).
        """
        at = path.find(b"/")
        while at >= 0:
            if self._asks(path[:at], is_folder=True):
                return True
            at = path.find(b"/", at + 1)
        return self._asks(path, is_folder=is_folder)

    def _asks(self, path: bytes, *, is_folder: bool) -> bool:
        folder, _, name = path.rpartition(b"/")
        if is_reserved_name(name):
            return True
        return is_ignored_by(self.chain(folder), path, is_folder=is_folder)

    def _rules(self, base: int, files: list[bytes]) -> Chain:
        patterns: tuple[IgnorePattern, ...] = ()
        for file in files:
            data = read_ignore_file(self._root, file)
            if data:
                from muse.core.ignore_pattern import parse_ignore_file  # start-up time

                patterns += parse_ignore_file(data)
        if not patterns:
            return ()
        names = [p.source for p in patterns if p.by_name]
        paths = [p.source for p in patterns if not p.by_name]
        return (FolderRules(base, patterns, _any_of(names), _any_of(paths)),)


def is_ignored_by(chain: Chain, path: bytes, *, is_folder: bool) -> bool:
    """Ask the rules about one path whose folders are not ignored.

    Args:
        chain: The rules of the folder that holds it.
        path: Its repository path.
        is_folder: Whether it is a folder.
    """
    name = path.rpartition(b"/")[2]
    for rules in chain:
        below = path[rules.base :]
        by_name = rules.may_match_name is not None and rules.may_match_name(name)
        by_path = rules.may_match_path is not None and rules.may_match_path(below)
        if not by_name and not by_path:
            continue
        for pattern in rules.patterns:
            if pattern.folders_only and not is_folder:
                continue
            if pattern.match(name if pattern.by_name else below):
                return not pattern.negative
    return False


def read_ignore_file(root: bytes, path: bytes) -> bytes:
    """Read an ignore file; empty when it is missing or no plain file.

    A link is not followed: a repository's content must not make us read elsewhere (G11).

    Raises:
        IoFailedError: It is there but cannot be read. Going on without its rules would show, and
            let ``add .`` store, what it keeps out.
    """
    full = root + b"/" + path
    try:
        fd = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return b""
            return file.read()
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            return b""
        raise IoFailedError("read the ignore rules", path=show_path(full), error=error) from error


def _any_of(sources: list[bytes]) -> Callable[[bytes], object] | None:
    if not sources:
        return None
    return re.compile(b"|".join(b"(?:" + s + b")" for s in sources), re.DOTALL).fullmatch
