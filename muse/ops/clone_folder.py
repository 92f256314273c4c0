"""The folder of a clone while it is half made: recognised, resumed, removed only if we made it.

Before anything else, ``.muse/clone.json`` says what this folder will be a clone of; it goes away
as the last step. A kill at any point leaves one of these, and the same command goes on from it:

    an empty folder · an empty ``.muse`` · a marker · a marker and a part of the repository

Anything else that exists is somebody's, and is refused untouched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from muse.core.errors import AlreadyExistsError, LockedError
from muse.core.file_lock import lock_file
from muse.core.io import (
    io_errors,
    make_dirs,
    read_bytes,
    remove_file,
    sync_dir,
    write_bytes_atomic,
)
from muse.core.paths import clone_marker_path, muse_dir, show_path
from muse.core.plain_files import RECORD_BYTES
from muse.remotes.address import show_url

# What an interrupted write of the marker may leave in an otherwise empty ``.muse``.
_TRACES: Final = frozenset({"tmp"})


class CloneFolder:
    """A folder that becomes a clone; a context manager that holds it against other clones.

    Args:
        folder: Where.
        url: What it will be a clone of, as stored.
        bare: Whether it gets no working tree.

    Attributes:
        url: What it will be a clone of.
        resumed: Whether an earlier, killed clone began it.
    """

    def __init__(self, folder: Path, *, url: str, bare: bool) -> None:
        self.folder = folder
        self.url = url
        self.resumed = False
        # The address may hold a secret: what is shown of it, and enough to know it again.
        digest = hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()
        self._facts = {"url": show_url(url), "url_sha256": digest, "bare": bare}
        self._made: list[Path] = []
        self._fd = -1

    @property
    def marker(self) -> Path:
        """The file that says what this folder will be."""
        return clone_marker_path(self.folder)

    def __enter__(self) -> Self:
        """Make or recognise the folder.

        Raises:
            AlreadyExistsError: Something else is there; it is left as it is.
            LockedError: Another process is cloning into it.
        """
        data = read_bytes(self.marker, doing="look for an earlier clone", limit=RECORD_BYTES)
        if data:
            self._check_marker(data)
            self.resumed = True
        else:
            self._check_free()
            self._make()
        self._hold()
        return self

    def _check_marker(self, data: bytes) -> None:
        try:
            facts = json.loads(data)
        except ValueError:
            facts = None
        if facts != self._facts:
            was = show_url(str(facts.get("url"))) if isinstance(facts, dict) else "something else"
            raise AlreadyExistsError(
                f"'{show_path(os.fsencode(self.folder))}' holds an unfinished clone of {was}.",
                hint="Give the same command as then to finish it, or name another folder.",
            )

    def _check_free(self) -> None:
        """Refuse a folder that holds anything but the first traces of a killed clone."""
        with io_errors("look at the folder", self.folder):
            if not self.folder.exists():
                return
            inside = set(os.listdir(self.folder)) if self.folder.is_dir() else {"a file"}
            if inside == {".muse"}:
                inside = set(os.listdir(muse_dir(self.folder))) - _TRACES
                self.resumed = not inside
        if inside:
            raise AlreadyExistsError(
                f"'{show_path(os.fsencode(self.folder))}' exists already and is not empty.",
                hint="Name another folder: 'muse clone <source> <folder>'.",
            )

    def _make(self) -> None:
        step = self.folder
        while not step.exists():
            self._made.append(step)
            step = step.parent
        muse = muse_dir(self.folder)
        make_dirs(muse, durable=True)
        write_bytes_atomic(self.marker, json.dumps(self._facts).encode(), durable=True)

    def _hold(self) -> None:
        with io_errors("open", self.marker):
            self._fd = os.open(self.marker, os.O_RDWR | os.O_CLOEXEC)
        # A clone that ended a moment ago took the marker away.
        if not lock_file(self._fd) or not os.fstat(self._fd).st_nlink:
            os.close(self._fd)
            self._fd = -1
            raise LockedError(
                f"Another process is cloning into '{show_path(os.fsencode(self.folder))}'.",
                hint="Wait for it, or name another folder.",
            )

    def finish(self) -> None:
        """Turn the folder into a repository like any other."""
        remove_file(self.marker)
        sync_dir(self.marker.parent)

    def discard(self) -> None:
        """Remove what this clone made, unless there is anything else in the folder.

        Durability:
            Killed on the way: the marker is last to go, so the same command still goes on.
        """
        muse = muse_dir(self.folder)
        if set(os.listdir(self.folder)) != {".muse"}:
            return
        for name in os.listdir(muse):
            if name == self.marker.name:
                continue
            path = muse / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                remove_file(path)
        remove_file(self.marker)
        with contextlib.suppress(OSError):
            muse.rmdir()
            for folder in self._made:
                # Only what we made, and only while it is empty.
                folder.rmdir()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
