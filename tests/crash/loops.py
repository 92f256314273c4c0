"""Real file systems in a file, and the call that cuts their power.

``shutdown`` stops a mounted file system at once, without writing its log: what was not made durable
is gone after the next mount, as when a machine loses power. It needs root and loop devices.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

# EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number: _IOR('X', 125, __u32).
_SHUTDOWN: Final = 0x8004587D
_WITHOUT_FLUSH: Final = struct.pack("I", 2)
_SIZES: Final = {"ext4": 40 << 20, "xfs": 320 << 20}
_MEMORY: Final = Path("/dev/shm")  # a folder of its own is made in it


class UnavailableError(Exception):
    """This machine cannot do it; the message says why."""


class LoopDisk:
    """A file system of its own that can lose its power; a context manager.

    Args:
        folder: Where the mount point is made; the image lies in memory if there is any.
        kind: ``ext4`` or ``xfs``.

    Raises:
        UnavailableError: Not root, no tools, or no loop devices.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._kind = kind
        self.root = folder / "disk"
        self.root.mkdir()
        base = _MEMORY if os.access(_MEMORY, os.W_OK) else folder
        self._image = base / f"muse-{os.getpid()}-{folder.name}-{kind}.img"

    def __enter__(self) -> Self:
        maker = shutil.which(f"mkfs.{self._kind}", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if maker is None:
            raise UnavailableError(f"there is no mkfs.{self._kind}")
        if os.geteuid():
            raise UnavailableError("only root mounts")
        with self._image.open("wb") as file:
            file.truncate(_SIZES[self._kind])
        try:
            _run(maker, "-q", os.fspath(self._image))
            self._mount()
        except subprocess.CalledProcessError as error:
            self._image.unlink()
            raise UnavailableError(f"{error.cmd[0]}: {error.stderr.strip()}") from error
        try:
            self.cut()
        except OSError as error:
            self.__exit__(None, None, None)
            raise UnavailableError(f"{self._kind} cannot be shut down: {error}") from error
        return self

    def _shut_down(self) -> None:
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, _WITHOUT_FLUSH)
        finally:
            os.close(fd)

    def cut(self, *, log_first: bool = False) -> None:
        """Cut the power and bring it back; the log is replayed by the mount.

        Args:
            log_first: Before that, make the file system write its log, as it does every few
                seconds: names get durable, while bytes may not be.
        """
        if log_first:
            fd = os.open(self.root / "unrelated", os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(fd, b"x")
                os.fsync(fd)
            finally:
                os.close(fd)
        self._shut_down()
        self._unmount()
        self._mount()

    def settle(self) -> None:
        """Make everything durable: what comes next starts from here."""
        _run("sync", "-f", os.fspath(self.root))

    def _mount(self) -> None:
        _run("mount", "-o", "loop", "-t", self._kind, os.fspath(self._image), os.fspath(self.root))

    def _unmount(self) -> None:
        _run("umount", os.fspath(self.root))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._unmount()
        finally:
            self._image.unlink()


def _run(*words: str) -> None:
    subprocess.run(words, capture_output=True, text=True, check=True)
