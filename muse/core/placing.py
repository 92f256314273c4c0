"""Writing and removing files of the working tree, never through a symlink.

Folders are opened step by step from the root and kept open while their files are worked on;
everything happens relative to those handles. So neither a hostile tree nor a folder that somebody
turns into a symlink meanwhile can make anything appear, or vanish, outside (G11).

Every file is written nameless where the system allows it, and appears whole, so that a kill leaves
each file old or new and never torn (G3, G5). The name that it is renamed from lies in a folder
that is swept; elsewhere it lies beside the file, and the next command that writes there removes it
(G6).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from muse.core import temps
from muse.core.errors import ConflictError, IoFailedError, MuseError, UnsafePathError
from muse.core.file_content import StatKey, stat_key
from muse.core.io import NewFile, replace_link, sync_dir
from muse.core.object_store import ObjectStore
from muse.core.paths import check_path, muse_dir, show_path
from muse.core.types import MODE_EXEC, MODE_LINK, RawId

_FOLDER_FLAGS: Final = (
    getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
)
_LINKED: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EEXIST})


class _Step(NamedTuple):
    name: bytes
    fd: int


class Placer:
    """Writes files of one working tree; a context manager that holds folders open.

    Args:
        root: The working tree.
        store: Where content comes from.
        sync: Make each file durable before it gets its name.
    """

    def __init__(self, root: Path, store: ObjectStore, *, sync: bool = False) -> None:
        self._root = root
        self._name_dir = muse_dir(root) / "tmp"
        self._store = store
        self._sync = sync
        self._touched: set[bytes] = set()
        self._has_moved = False
        self._steps: list[_Step] = []
        self._root_fd = -1

    def __enter__(self) -> Self:
        try:
            self._root_fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise IoFailedError(
                "open the working tree", path=os.fspath(self._root), error=error
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(0)
        os.close(self._root_fd)

    # -- files -----------------------------------------------------------------------------

    def write(self, path: bytes, mode: int, raw: RawId, *, over: StatKey | None) -> StatKey:
        """Write one file or link from the store.

        Args:
            path: Where.
            mode: A file's mode in a tree.
            raw: The blob.
            over: The stat key of what may be replaced; None when nothing must be there.

        Returns:
            The new file's stat key.

        Raises:
            ConflictError: Something else is there now; it was not touched.
            UnsafePathError: A folder on the way is a link.
            IoFailedError: The system refused.
            CorruptObjectError: The blob is damaged; the file was not touched.
        """
        folder, name = self._enter(path, create=True)
        if over is not None:  # or the name is given only where there is none
            self._expect(path, folder, name, over)
            self._has_moved = True
        try:
            if mode == MODE_LINK:
                self._write_link(path, folder, name, raw, over=over)
            else:
                self._write_file(path, folder, name, raw, mode=mode, over=over)
            return stat_key(os.lstat(name, dir_fd=folder))
        except FileExistsError as error:
            raise _in_the_way(path) from error
        except OSError as error:
            raise self._failed("write the file", path, error) from error

    def _write_link(
        self, path: bytes, folder: int, name: bytes, raw: RawId, *, over: StatKey | None
    ) -> None:
        target = self._store.read(raw, expected="blob")[1]
        if not target or b"\0" in target:
            raise UnsafePathError(
                f"'{show_path(path)}' is a link to nothing that a system can hold; refused.",
                hint="The object that stores its target is hostile or damaged.",
            )
        if over is None:
            os.symlink(target, name, dir_fd=folder)
        else:
            family, name_dir = temps.RESTORE, self._name_dir
            replace_link(target, name, folder_fd=folder, family=family, name_dir=name_dir)

    def _write_file(
        self,
        path: bytes,
        folder: int,
        name: bytes,
        raw: RawId,
        *,
        mode: int,
        over: StatKey | None,
    ) -> None:
        stream = self._store.open_stream(raw)
        permissions = 0o777 if mode == MODE_EXEC else 0o666
        with NewFile(
            os.fsdecode(os.path.dirname(self._full(path))),
            family=temps.RESTORE,
            mode=permissions,
            folder_fd=folder,
            name_dir=self._name_dir,
        ) as new:
            # The stream's end checks the hash, so a damaged blob never gets a name.
            for chunk in stream:
                new.write(chunk)
            if self._sync:
                # A power cut must not leave an empty file under a name that held content.
                new.sync()
            if not new.publish(os.fsdecode(name), replace=over is not None):
                raise _in_the_way(path)

    def remove(self, path: bytes, *, over: StatKey | None) -> None:
        """Remove one file or link, if it is still the one that ``over`` describes.

        Raises:
            ConflictError: It changed; it was not touched.
            IoFailedError: The system refused.
        """
        folder, name = self._enter(path, create=False)
        self._expect(path, folder, name, over)
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failed("remove the file", path, error) from error

    def remove_empty_folders(self, path: bytes) -> None:
        """Remove a folder and those above it, as far up as they are empty."""
        while path:
            try:
                # Entering the folder above closes this one's handle.
                folder, name = self._enter(path, create=False)
                os.rmdir(name, dir_fd=folder)
            except (OSError, MuseError):
                return
            path = path.rpartition(b"/")[0]

    def remove_hollow_folder(self, path: bytes) -> None:
        """Remove a folder, if it is there, that holds nothing but folders.

        Raises:
            IoFailedError: A file is in it; that file stays.
        """
        try:
            folder, name = self._enter(path, create=False)
            try:
                self._remove_hollow(folder, name)
            except OSError as error:
                raise self._failed("remove the folder", path, error) from error
        except IoFailedError as error:
            if error.errno != errno.ENOENT:
                raise

    def _remove_hollow(self, folder: int, name: bytes) -> None:
        fd = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder
        )
        try:
            for inner in os.listdir(fd):
                self._remove_hollow(fd, os.fsencode(inner))
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=folder)

    def remove_own_temps(self, path: bytes) -> None:
        """Remove what a killed writer of ours left in a folder; the caller holds the write lock."""
        with contextlib.suppress(OSError, MuseError):
            folder, _ = self._enter(path + b"/x" if path else b"x", create=False)
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            try:
                names = os.listdir(fd)
            finally:
                os.close(fd)
            for name in names:
                family = temps.family_of(name, (temps.RESTORE,))
                if family is not None and temps.is_ours(name, family):
                    os.unlink(name, dir_fd=folder)

    def sync_folders(self) -> None:
        """Make the names durable that were made or removed, when files are synced one by one."""
        for folder in sorted(self._touched, reverse=True):
            full = Path(os.fsdecode(self._full(folder)))
            if full.is_dir():
                sync_dir(full)
        if self._sync and self._has_moved and self._name_dir.is_dir():
            # A rename has two ends, of which a cut may keep either.
            sync_dir(self._name_dir)
        self._touched.clear()

    # -- folders -----------------------------------------------------------------------------

    def _enter(self, path: bytes, *, create: bool) -> tuple[int, bytes]:
        """Open the folder of a path, step by step; return its handle and the last name."""
        check_path(path)
        *parents, name = path.split(b"/")
        if self._sync:
            self._touched.update(b"/".join(parents[:depth]) for depth in range(len(parents) + 1))
        depth = 0
        for step, parent in zip(self._steps, parents, strict=False):
            if step.name != parent:
                break
            depth += 1
        self._close(depth)
        for parent in parents[depth:]:
            at = self._steps[-1].fd if self._steps else self._root_fd
            try:
                self._steps.append(_Step(parent, _open_folder(parent, at, create=create)))
            except OSError as error:
                if error.errno in _LINKED:
                    raise UnsafePathError(
                        f"A folder of '{show_path(path)}' is a link or a file; refused.",
                        hint="Nothing was written through it. Move it away, then try again.",
                    ) from error
                raise self._failed("open a folder of", path, error) from error
        return (self._steps[-1].fd if self._steps else self._root_fd), name

    def _close(self, depth: int) -> None:
        while len(self._steps) > depth:
            os.close(self._steps.pop().fd)

    def _expect(self, path: bytes, folder: int, name: bytes, over: StatKey | None) -> None:
        """Make sure that what is there is what the plan saw: somebody may have saved meanwhile."""
        try:
            key = stat_key(os.lstat(name, dir_fd=folder))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failed("look at the file", path, error) from error
        if key != over or stat.S_ISDIR(key[0]):
            raise _in_the_way(path)

    def _full(self, path: bytes) -> bytes:
        return os.path.join(os.fsencode(self._root), path)

    def _failed(self, doing: str, path: bytes, error: OSError) -> IoFailedError:
        return IoFailedError(doing, path=show_path(self._full(path)), error=error)


def _open_folder(name: bytes, at: int, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=at)
    except FileNotFoundError:
        if not create:
            raise
    os.mkdir(name, dir_fd=at)
    return os.open(name, _FOLDER_FLAGS, dir_fd=at)


def _in_the_way(path: bytes) -> ConflictError:
    return ConflictError(
        f"'{show_path(path)}' changed while we worked; it was left as it is.",
        paths=(path,),
        hint="Run the command again.",
    )
