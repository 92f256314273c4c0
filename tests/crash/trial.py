"""One command that is disturbed again and again, and what may be found after each time."""

from __future__ import annotations

import hashlib
import os
import random
import re
import time
from pathlib import Path
from typing import Final

from muse.core.paths import config_path, muse_dir
from muse.core.repo import open_repo
from muse.core.stage import read_stage
from tests.crash import oracle
from tests.crash.commands import Command
from tests.crash.harness import Fault, count_calls, fresh_copy, run_told
from tests.crash.setups import attempt, ok

# The process that made a temp, and what the lock says of its owner: a new one each time.
_PID: Final = re.compile(r"\+\d+-")
_NUMBER: Final = re.compile(rb"\d+")


def observe(root: Path) -> tuple[object, ...] | None:
    """Return what a repository says: HEAD, refs and stage; None where there is none yet."""
    if not (muse_dir(root) / "repo.json").is_file():
        return None
    repo = open_repo(root)
    stage = read_stage(root)
    settings = config_path(root).read_bytes() if config_path(root).is_file() else b""
    refs = tuple(repo.refs.iter())
    return repo.refs.head_text(), refs, tuple(sorted(stage.items())), settings


def working_files(root: Path) -> dict[str, bytes]:
    """Return the files of the working tree."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".muse" not in path.relative_to(root).parts
    }


class Trial:
    """A command, what it starts from, and the two states that are allowed afterwards.

    Args:
        command: Which.
        folder: Where the copies are made.

    Attributes:
        work: What the command is given to; a new copy each time.
        judged: How many different folders were judged.
    """

    def __init__(self, command: Command, folder: Path) -> None:
        self.command = command
        self.work = folder / "work"
        self.judged = 0
        self._base, before, done = folder / "base", folder / "before", folder / "done"
        command.setup(self._base)
        # Looking at a repository recovers and sweeps it, so that is done to a copy.
        fresh_copy(self._base, before)
        fresh_copy(self._base, done)
        ok(done, *command.words)
        self._states = tuple(observe(copy / command.repo) for copy in (before, done))
        self._files = working_files(self._base), working_files(done)
        self._now_s = time.time()
        self._known: set[tuple[bytes, bool, bool]] = set()

    def count(self, *, looks: bool = False) -> int:
        """Count the calls of an undisturbed run."""
        return count_calls(self._base, self.work, self._give, looks=looks)

    def fresh(self) -> Path:
        """Start over, and return where."""
        fresh_copy(self._base, self.work)
        return self.work

    def disturb(self, fault: Fault) -> tuple[int, str]:
        """Start over, and give the command under a fault; see `run_told`."""
        self.fresh()
        return run_told(lambda: self._give(self.work), fault)

    def _give(self, root: Path) -> str:
        # In a child: what two runs leave is the same, so that it needs to be judged but once.
        now_s = self._now_s
        time.time = lambda: now_s
        os.urandom = random.Random(0).randbytes
        return attempt(root, self.command.words)

    def judge(
        self, where: str, *, reported: bool, admitted: bool = False, git: bool = False
    ) -> None:
        """Look at what is left; what was reported must be there (G1 to G6).

        Args:
            where: What was done, for the message.
            reported: Whether the command reported success.
            admitted: It said that it could not see all, so that any whole state is right.
            git: Also let git judge an export of it.
        """
        key = _content(self.work), reported, admitted
        if key in self._known:
            return
        self.judged += 1
        found = working_files(self.work)
        _check_files(found, self._files[1:] if reported else self._files, where)
        root = Path(os.path.normpath(self.work / self.command.repo))
        seen = observe(root)
        if admitted:
            pass
        elif reported:
            assert seen == self._states[1], f"{where}: reported, but not there"
        else:
            assert self.command.parts or seen in self._states, f"{where}: neither before nor after"
            if seen is None or self.command.parts:
                # What was not finished is simply given again.
                ok(self.work, *self.command.words)
                assert observe(root) == self._states[1], f"{where}: given again in vain"
        bare = self.command.repo != "."
        oracle.check(root, bare=bare, git=git and not bare)
        self._known.add(key)


def _check_files(
    found: dict[str, bytes], allowed: tuple[dict[str, bytes], ...], where: str
) -> None:
    """Each file of the working tree is as it was before or as it is after, whole (G3)."""
    for path in found.keys() | set().union(*allowed):
        assert found.get(path) in [files.get(path) for files in allowed], f"{where}: {path} is torn"


def _content(folder: Path) -> bytes:
    """Return a hash of all that a folder holds, apart from times and who was there."""
    digest = hashlib.sha256()
    for base, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names) + folders:
            path = os.path.join(base, name)
            mode = os.lstat(path).st_mode
            data = b"" if name in folders else _bytes_of(path)
            entry = (_PID.sub("+-", os.path.relpath(path, folder)), mode, data)
            digest.update(repr(entry).encode())
    return digest.digest()


def _bytes_of(path: str) -> bytes:
    if os.path.islink(path):
        return os.fsencode(os.readlink(path))
    data = Path(path).read_bytes()
    return _NUMBER.sub(b"", data) if path.endswith(".muse/lock") else data
