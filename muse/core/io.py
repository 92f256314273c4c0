"""The only module that renames, links, unlinks and syncs what the repository lives on.

How to write a file that a kill or a power cut cannot tear::

    with NewFile(folder, family=OBJECT) as new:   # nameless, or named and locked
        new.write(data)
        new.sync()                                # the bytes are durable
        new.publish(dest)                         # the name appears, whole or not at all
    sync_dir(dest.parent)                         # the name is durable

If the process dies before ``publish``, a nameless file is gone and a named one is an orphan whose
lock is free, which the next sweep removes. A failed sync is final (the kernel marks the pages
clean, so a second fsync would lie): the error travels up, nothing is published, and what was to
be written is written to a new file by the next attempt.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from muse.core import temps
from muse.core.durability import are_syncs_waived
from muse.core.errors import IoFailedError
from muse.core.file_lock import lock_file
from muse.core.overlay import find_overlaid
from muse.core.paths import temp_folder
from muse.core.plain_files import read_plain

_O_TMPFILE: Final = getattr(os, "O_TMPFILE", 0)
_FULLFSYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)
# What a file system answers that has nothing better than fsync.
_NO_FULLFSYNC: Final = {errno.ENOTSUP, errno.ENOTTY, errno.EINVAL}
# What a system or file system answers that has no nameless files.
_NO_TMPFILE: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.EPERM}


@contextlib.contextmanager
def io_errors(doing: str, path: Path | str) -> Iterator[None]:
    """Turn an OSError inside the block into one that says what was tried, and where."""
    try:
        yield
    except OSError as error:
        raise IoFailedError(doing, path=os.fspath(path), error=error) from error


def sync_fd(fd: int) -> None:
    """Make a file's bytes durable; an error is final and must abort the caller."""
    if are_syncs_waived():
        return
    if _FULLFSYNC is not None:
        # macOS: fsync leaves the bytes in the drive's own cache.
        try:
            fcntl.fcntl(fd, _FULLFSYNC)
            return
        except OSError as error:
            if error.errno not in _NO_FULLFSYNC:
                raise
    os.fsync(fd)


def sync_dir(path: Path | str) -> None:
    """Make the names in a folder durable: against a power cut that forgets a rename."""
    sync_path(path)


def sync_path(path: Path | str) -> None:
    """Make a folder durable, or a file that somebody else may have written and not synced."""
    with io_errors("make durable", path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            sync_fd(fd)
        finally:
            os.close(fd)


def sync_filesystem(path: Path) -> None:
    """Make everything written to the file system of ``path`` durable, with one call.

    It flushes other programs' data too, so only work in bulk uses it.
    """
    if are_syncs_waived():
        return
    with io_errors("make durable", path):
        if sys.platform != "linux":
            os.sync()
            return
        import ctypes  # start-up time

        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(fd) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
        finally:
            os.close(fd)


class NewFile:
    """A file that nobody sees until `publish`.

    Args:
        folder: A folder on the file system of the destination; must exist.
        family: The temp family, for systems that need a name.
        mode: Permission bits of the published file.
        folder_fd: That folder, opened: then nothing is looked up by path, ``folder`` only serves
            messages, and ``publish`` takes a name in it. Against folders that become links.
        name_dir: A swept folder for the name to rename from, so that ``folder`` never shows one.

    Durability:
        Killed before `publish`: no name, or an orphan whose lock is free. After: the whole file.
        Durable after `sync`, `publish` and `sync_dir` of the destination's folder.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        family: temps.Family,
        mode: int = 0o444,
        folder_fd: int | None = None,
        name_dir: Path | str | None = None,
    ) -> None:
        self._folder = os.fspath(folder)
        self._name_dir = os.path.abspath(name_dir) if name_dir is not None else None
        self._folder_fd = folder_fd
        self._base = self._folder if folder_fd is None else ""
        self._family = family
        self._name: str | None = None
        self.fd = -1
        with io_errors("create a file", folder):
            self._open(mode)

    def _open(self, mode: int) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC
        if _O_TMPFILE:
            try:
                self.fd = os.open(
                    self._base or ".", flags | _O_TMPFILE, mode, dir_fd=self._folder_fd
                )
                return
            except OSError as error:
                if error.errno not in _NO_TMPFILE:
                    raise
        while True:
            name = os.path.join(self._base, temps.new_name(self._family))
            fd = os.open(name, flags | os.O_CREAT | os.O_EXCL, mode, dir_fd=self._folder_fd)
            # A sweep may have taken the name before the lock was ours: then start again.
            if lock_file(fd) and os.fstat(fd).st_nlink:
                self.fd, self._name = fd, name
                return
            os.close(fd)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        with io_errors("write", self._folder):
            written = os.write(self.fd, data)
            while written < len(data):
                # Copied: a view of the caller's buffer would outlive an error, and lock it.
                written += os.write(self.fd, bytes(data[written:]))

    def sync(self) -> None:
        """Make the bytes durable before a name can point at them."""
        with io_errors("make durable", self._folder):
            sync_fd(self.fd)

    def publish(self, dest: Path | str, *, replace: bool = False) -> bool:
        """Give the file its name, whole, and close it.

        Args:
            dest: The name, on the same file system.
            replace: Rename over what is there; otherwise what is there stays.

        Returns:
            False when ``dest`` exists and ``replace`` is not set.
        """
        at = self._folder_fd
        with io_errors("write", os.path.join(self._folder, dest)):
            if replace:
                self._name = self._name or self._give_name()
                os.replace(self._name, dest, src_dir_fd=at, dst_dir_fd=at)
                self._name = None
                self.abandon()
                return True
            try:
                if self._name is None:
                    self._link(os.fspath(dest))
                else:
                    os.link(self._name, dest, src_dir_fd=at, dst_dir_fd=at)
                return True
            except FileExistsError:
                return False
            finally:
                self.abandon()

    def _give_name(self) -> str:
        # Locked before it has a name, so that no sweep ever sees it unlocked.
        lock_file(self.fd)
        if self._name_dir is not None:
            name = os.path.join(self._name_dir, temps.new_name(temps.MUTABLE))
            # The folder may be missing, or on another file system than this file.
            with contextlib.suppress(OSError):
                self._link(name)
                return name
        name = os.path.join(self._base, temps.new_name(self._family))
        self._link(name)
        return name

    def _link(self, dest: str) -> None:
        # With a dir_fd, os.link follows /proc's symlink to the nameless file.
        os.link(
            f"/proc/self/fd/{self.fd}",
            dest,
            src_dir_fd=self.fd,
            dst_dir_fd=self._folder_fd,
            follow_symlinks=True,
        )

    def abandon(self) -> None:
        """Drop what was not published; harmless after `publish`."""
        if self._name is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder_fd)
            self._name = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()


def replace_link(
    target: bytes, name: bytes, *, folder_fd: int, family: temps.Family, name_dir: Path
) -> None:
    """Make a symlink in an open folder, in one step over what is there; may raise OSError.

    Args:
        target: Where it leads.
        name: Its name in the folder.
        folder_fd: The folder, opened.
        family: Of the temp beside it, where ``name_dir`` will not do.
        name_dir: A swept folder to rename from, as for `NewFile`. A link cannot be locked: the
            caller holds the write lock, and the sweep asks for that.
    """
    swept = os.path.join(os.path.abspath(name_dir), temps.new_name(temps.MUTABLE))
    # It may be missing, or on another file system than the folder.
    with contextlib.suppress(OSError):
        _rename_link(target, os.fsencode(swept), name, folder_fd=folder_fd)
        return
    temp = os.fsencode(temps.new_name(family))
    _rename_link(target, temp, name, folder_fd=folder_fd, temp_fd=folder_fd)


def _rename_link(
    target: bytes, temp: bytes, name: bytes, *, folder_fd: int, temp_fd: int | None = None
) -> None:
    os.symlink(target, temp, dir_fd=temp_fd)
    try:
        os.replace(temp, name, src_dir_fd=temp_fd, dst_dir_fd=folder_fd)
    except OSError:
        os.unlink(temp, dir_fd=temp_fd)
        raise


def read_bytes(path: Path | str, *, doing: str, limit: int, follow: bool = False) -> bytes | None:
    """Read a whole file of at most ``limit`` bytes; None when it does not exist.

    Args:
        path: The file.
        doing: For the error, as in "read the stage".
        limit: One of the bounds of `muse.core.plain_files`.
        follow: Follow a link: for a file of the user's own.

    Raises:
        OversizeError: It is larger; nothing of it was read.
        IoFailedError: Anything else but "does not exist".
    """
    overlaid = find_overlaid(os.fspath(path))
    if overlaid is not None:
        return overlaid[0]
    with io_errors(doing, path):
        return read_plain(path, limit=limit, follow=follow)


def write_bytes_atomic(
    path: Path | str,
    data: bytes,
    *,
    durable: bool = False,
    mode: int = 0o644,
    family: temps.Family = temps.MUTABLE,
) -> None:
    """Replace a file's content, all or nothing.

    Args:
        path: The file; missing folders are made.
        data: The new content.
        durable: Also survive a power cut once this returns.
        mode: Permission bits.
        family: The temp family; a stat cache's temp stays beside it.

    Durability:
        Killed at any instant: the old or the new content. With ``durable``, a power cut after
        the return leaves the new one; without, the old, the new, or (on some file systems) none.
    """
    parent = os.path.dirname(path)
    folder = temp_folder(path) if family is temps.MUTABLE else parent
    try:
        new = NewFile(folder, family=family, mode=mode)
    except IoFailedError as error:
        if error.errno != errno.ENOENT:
            raise
        make_dirs(Path(folder))
        new = NewFile(folder, family=family, mode=mode)
    with new:
        new.write(data)
        if durable:
            new.sync()
        try:
            new.publish(path, replace=True)
        except IoFailedError as error:
            if error.errno != errno.ENOENT:
                raise
            make_dirs(Path(parent), durable=durable)
            new.publish(path, replace=True)
    if durable:
        # Both ends of the rename: a cut may keep the old name as well as the new one.
        for end in dict.fromkeys((parent, folder)):
            sync_dir(end)


def write_text_atomic(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file's text; see `write_bytes_atomic`."""
    write_bytes_atomic(path, text.encode("utf-8", "surrogateescape"), durable=durable)


def remove_file(path: Path) -> bool:
    """Unlink a file; False when it was not there."""
    with io_errors("remove", path):
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
    return True


def move_file(source: Path, dest: Path) -> None:
    """Rename within one file system, over what is there."""
    with io_errors("move", source):
        os.replace(source, dest)


def make_dirs(path: Path, *, durable: bool = False) -> None:
    """Make a folder and what is missing above it.

    Args:
        path: The folder.
        durable: Sync every folder that got a new name, outermost first.
    """
    missing: list[Path] = []
    with io_errors("create the folder", path):
        step = path
        while not step.is_dir():
            missing.append(step)
            step = step.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
    if durable:
        for folder in reversed(missing):
            sync_dir(folder.parent)
