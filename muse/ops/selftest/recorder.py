"""Record what a command does to the file system, inside the process that does it.

The functions of `os` that change anything are replaced by ones that do the same and write down
what they did, in terms of files and not of paths. No tracer is needed, so this runs wherever
Python does. `recording` compares the outcome with the disk in the end: what was missed shows.
"""
# ruff: noqa: ANN401  # the replacements take whatever the functions of `os` take

from __future__ import annotations

import builtins
import functools
import io
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from muse.core.errors import MuseError
from muse.ops.selftest.tree import (
    CUT,
    FILE,
    FOLDER,
    LINK,
    NAME,
    RENAME,
    SYNC,
    SYNC_ALL,
    UNNAME,
    WRITE,
    Node,
    Op,
    Tree,
)

_TMPFILE: Final = getattr(os, "O_TMPFILE", 0)
_FD_PATH: Final = re.compile(r"/proc/self/fd/(\d+)$")
_CALLS: Final = (
    "open", "close", "write", "pwrite", "link", "replace", "rename", "unlink", "remove",
    "mkdir", "rmdir", "symlink", "ftruncate", "truncate", "fsync", "fdatasync", "sync", "chmod",
    "fchmod",
)  # fmt: skip


class RecordingError(MuseError):
    """The recorder missed something, so that nothing can be said."""

    exit_code = 3


class Recorder:
    """Replaces the calls in this process, for good: use it in a child.

    Args:
        root: What is recorded; all else passes through.
    """

    def __init__(self, root: Path) -> None:
        self.tree = Tree.scan(root)
        self.ops: list[Op] = []
        self.made: dict[int, Node] = {}
        self._root = os.fspath(root)
        # Each open file: its node, and the inode that tells a number used again.
        self._open: dict[int, tuple[int, int]] = {}
        self._next = max(self.tree.nodes) + 1
        self._lock = threading.RLock()
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in _CALLS}

    def install(self) -> None:
        """Replace the calls."""
        for name in _CALLS:
            real = self._real[name]
            act = getattr(self, f"_on_{name}")
            # What asks `os.supports_dir_fd` must get the same answer for the replacement.
            wrapped = self._wrap(real, act)
            for group in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if real in group:
                    group.add(wrapped)
            setattr(os, name, wrapped)
        builtins.open = io.open = self._guard_open(open)
        import muse.core.io  # the one module that syncs a whole file system

        real_sync = muse.core.io.sync_filesystem

        def sync_filesystem(path: Path) -> None:
            real_sync(path)
            if self._inside(os.fspath(path), None) is not None:
                self._add(Op(SYNC_ALL))

        for module in list(sys.modules.values()):
            if getattr(module, "sync_filesystem", None) is real_sync:
                module.__dict__["sync_filesystem"] = sync_filesystem

    def _wrap(self, real: Callable[..., Any], act: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                return act(real, *arguments, **options)

        return call

    def _guard_open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if (
                set(mode) & set("wax+")
                and isinstance(file, str | bytes | os.PathLike)
                and self._inside(os.fspath(file), None) is not None
            ):
                raise RecordingError(f"'{file!r}' was opened for writing behind the recorder.")
            return real(file, mode, *arguments, **options)

        return call

    # -- where a path leads ---------------------------------------------------------------------

    def _inside(self, path: str | bytes, dir_fd: int | None) -> list[str] | None:
        """Return a path's steps below the root, or None when it is elsewhere."""
        text = os.fsdecode(path)
        if dir_fd is not None and not os.path.isabs(text):
            folder = self._node(dir_fd)
            base = None if folder is None else self._path_of(folder)
            if base is None:
                return None
            text = os.path.join(self._root, base, text)
        text = os.path.normpath(os.path.join(os.getcwd(), text))
        if text == self._root:
            return []
        if not text.startswith(self._root + os.sep):
            return None
        return text[len(self._root) + 1 :].split(os.sep)

    def _path_of(self, wanted: int) -> str | None:
        pending = [("", 0)]
        while pending:
            path, number = pending.pop()
            if number == wanted:
                return path
            for name, child in self.tree.names.get(number, {}).items():
                if child in self.tree.names:
                    pending.append((os.path.join(path, name), child))
        return None

    def _place(self, path: str | bytes, dir_fd: int | None) -> tuple[int, str] | None:
        """Return the folder and the name that a path is about."""
        steps = self._inside(path, dir_fd)
        if not steps:
            return None
        folder = self.tree.find(steps[:-1])
        return None if folder is None else (folder, steps[-1])

    def _node(self, fd: int) -> int | None:
        known = self._open.get(fd)
        if known is None:
            return None
        try:
            if os.fstat(fd).st_ino == known[1]:
                return known[0]
        except OSError:
            pass
        del self._open[fd]
        return None

    def _add(self, op: Op) -> None:
        self.ops.append(op)
        self.tree.apply(op)

    def _make(self, node: Node) -> int:
        number, self._next = self._next, self._next + 1
        self.tree.nodes[number] = self.made[number] = node
        if node.kind == FOLDER:
            self.tree.names[number] = {}
        return number

    # -- the calls ------------------------------------------------------------------------------

    def _on_open(
        self,
        real: Callable[..., int],
        path: Any,
        flags: int,
        mode: int = 0o777,
        *,
        dir_fd: int | None = None,
    ) -> int:
        fd = real(path, flags, mode, dir_fd=dir_fd)
        steps = self._inside(path, dir_fd)
        if steps is None:
            self._open.pop(fd, None)
            return fd
        status = os.fstat(fd)
        if _TMPFILE and flags & _TMPFILE == _TMPFILE:
            number = self._make(Node(FILE, status.st_mode & 0o7777))
        else:
            found = self.tree.find(steps)
            if found is None:
                place = self._place(path, dir_fd)
                if place is None or not flags & os.O_CREAT:
                    # Seen by nobody before: a file of another process.
                    return fd
                number = self._make(Node(FILE, status.st_mode & 0o7777))
                self._add(Op(NAME, number, *place))
            else:
                number = found
                if flags & os.O_TRUNC and self.tree.nodes[number].data:
                    self._add(Op(CUT, number))
        self._open[fd] = (number, status.st_ino)
        return fd

    def _on_close(self, real: Callable[[int], None], fd: int) -> None:
        self._open.pop(fd, None)
        real(fd)

    def _on_write(self, real: Callable[..., int], fd: int, data: Any) -> int:
        count = real(fd, data)
        number = self._node(fd)
        if number is not None and count:
            offset = os.lseek(fd, 0, os.SEEK_CUR) - count
            written = bytes(memoryview(data).cast("B")[:count])
            self._add(Op(WRITE, number, offset=offset, data=written))
        return count

    def _on_pwrite(self, real: Callable[..., int], fd: int, data: Any, offset: int) -> int:
        count = real(fd, data, offset)
        number = self._node(fd)
        if number is not None and count:
            written = bytes(memoryview(data).cast("B")[:count])
            self._add(Op(WRITE, number, offset=offset, data=written))
        return count

    def _on_link(
        self,
        real: Callable[..., None],
        src: Any,
        dst: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        real(
            src,
            dst,
            src_dir_fd=src_dir_fd,
            dst_dir_fd=dst_dir_fd,
            follow_symlinks=follow_symlinks,
        )
        nameless = _FD_PATH.match(os.fsdecode(src))
        if nameless:
            number = self._node(int(nameless[1]))
        else:
            steps = self._inside(src, src_dir_fd)
            number = None if steps is None else self.tree.find(steps)
        place = self._place(dst, dst_dir_fd)
        if place is not None and number is not None:
            self._add(Op(NAME, number, *place))

    def _on_replace(
        self,
        real: Callable[..., None],
        src: Any,
        dst: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        old, new = self._place(src, src_dir_fd), self._place(dst, dst_dir_fd)
        real(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if old is None or new is None:
            return
        number = self.tree.names[old[0]][old[1]]
        over = int(new[1] in self.tree.names[new[0]])
        self._add(Op(RENAME, number, *new, *old, offset=over))

    _on_rename = _on_replace

    def _on_unlink(
        self, real: Callable[..., None], path: Any, *, dir_fd: int | None = None
    ) -> None:
        place = self._place(path, dir_fd)
        real(path, dir_fd=dir_fd)
        if place is not None and place[1] in self.tree.names[place[0]]:
            self._add(Op(UNNAME, self.tree.names[place[0]][place[1]], *place))

    _on_remove = _on_unlink
    _on_rmdir = _on_unlink

    def _on_mkdir(
        self, real: Callable[..., None], path: Any, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> None:
        real(path, mode, dir_fd=dir_fd)
        place = self._place(path, dir_fd)
        if place is not None:
            self._add(Op(NAME, self._make(Node(FOLDER, 0o755)), *place))

    def _on_symlink(
        self,
        real: Callable[..., None],
        src: Any,
        dst: Any,
        target_is_directory: bool = False,
        *,
        dir_fd: int | None = None,
    ) -> None:
        real(src, dst, target_is_directory, dir_fd=dir_fd)
        place = self._place(dst, dir_fd)
        if place is not None:
            self._add(Op(NAME, self._make(Node(LINK, 0o777, os.fsencode(src))), *place))

    def _on_ftruncate(self, real: Callable[..., None], fd: int, length: int) -> None:
        real(fd, length)
        number = self._node(fd)
        if number is not None and len(self.tree.nodes[number].data) != length:
            self._add(Op(CUT, number, offset=length))

    def _on_truncate(self, real: Callable[..., None], path: Any, length: int) -> None:
        if isinstance(path, int):
            self._on_ftruncate(real, path, length)
            return
        real(path, length)
        steps = self._inside(path, None)
        number = None if steps is None else self.tree.find(steps)
        if number is not None:
            self._add(Op(CUT, number, offset=length))

    def _on_fsync(self, real: Callable[[int], None], fd: int) -> None:
        real(fd)
        number = self._node(fd)
        if number is not None:
            self._add(Op(SYNC, number))

    _on_fdatasync = _on_fsync

    def _on_sync(self, real: Callable[[], None]) -> None:
        real()
        self._add(Op(SYNC_ALL))

    @staticmethod
    def _on_chmod(real: Callable[..., None], *arguments: Any, **options: Any) -> None:
        real(*arguments, **options)

    _on_fchmod = _on_chmod
