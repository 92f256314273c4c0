"""What single files of the working tree hold: from the stat cache, or read now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from muse.core.errors import IoFailedError
from muse.core.file_content import BIG_FILE, FileContent, StatKey, tree_mode
from muse.core.read_ahead import Read, read_many
from muse.core.scan import find_key, is_folder_key, iter_parents
from muse.core.stat_cache import StatCache
from muse.core.stat_columns import FileEntry
from muse.core.types import RawId

# The content of a big file whose size says that it differs from HEAD's: not read to say so.
UNREAD: Final = RawId(b"")


class FileStates:
    """Looks at files, and remembers what they hold.

    Args:
        root: The working tree's folder.
        cache: Where contents are remembered.
        note_parents: Told of each file that is remembered, so that its folders are in the table.

    Attributes:
        unsettled: Files read too soon after their last change for anything to be remembered.
        unreadable: Files that may not be read: of their content no more is known than that it is
            not known to be HEAD's, so they are taken for modified.
        files_read: How many files were read.
        bytes_read: How many bytes that were.
    """

    def __init__(
        self, root: bytes, cache: StatCache, *, note_parents: Callable[[bytes], None]
    ) -> None:
        self.unsettled: set[bytes] = set()
        self.unreadable: set[bytes] = set()
        self.files_read = 0
        self.bytes_read = 0
        self._root = root
        self._cache = cache
        self._note_parents = note_parents
        self._real: dict[bytes, bool] = {}

    def look(self, path: bytes, *, read: bool = False) -> FileEntry | None:
        """Look at one file now, and read it if it may have changed.

        Args:
            path: A repository path.
            read: Also read a big file whose size says already that it is not what HEAD has.

        Returns:
            Mode and content; None when there is no file, or it lies behind a link.

        Raises:
            IoFailedError: It cannot be read, other than for want of the right to.
        """
        return self.look_at_all([path], read=read)[0]

    def look_at_all(self, paths: Sequence[bytes], *, read: bool = False) -> list[FileEntry | None]:
        """Look at files as `look` does; large ones that must be read are read in threads."""
        found: dict[bytes, FileEntry | None] = {}
        to_read: dict[bytes, int] = {}
        self.unreadable.difference_update(paths)
        for path in paths:
            is_there = all(self.is_real_folder(parent) for parent in iter_parents(path))
            key = find_key(self._root, path) if is_there else None
            mode = tree_mode(key[0]) if key is not None else 0
            if key is None or not mode:
                self._cache.files.forget(path)
                continue
            known = self._cache.files.content_of(path, key)
            if known is not None:
                found[path] = known
            elif not read and key[2] > BIG_FILE and self._has_other_size(path, key[2]):
                found[path] = mode, UNREAD
            else:
                to_read[path] = mode
        contents = read_many(self._root + b"/" + path for path in to_read)
        for (path, mode), content in zip(to_read.items(), contents, strict=True):
            found[path] = self._take(path, mode, content)
        return [found.get(path) for path in paths]

    def _take(self, path: bytes, mode: int, content: Read) -> FileEntry | None:
        """Note what a file held when it was read."""
        if content is None:
            return None
        if not isinstance(content, FileContent):
            if isinstance(content, IoFailedError):
                self.unreadable.add(path)
            self.unsettled.add(path)
            return mode, UNREAD
        self.note_content(path, content)
        return content.mode, content.raw

    def note_content(self, path: bytes, content: FileContent) -> None:
        """Note what a file held when it was read, here or elsewhere."""
        self.files_read += 1
        self.bytes_read += content.key[2]
        if content.settled:
            self.remember(path, content.key, content.raw)
        else:
            self._cache.files.forget(path)
            self.unsettled.add(path)

    def remember(self, path: bytes, key: StatKey, raw: RawId) -> None:
        """Note the content of a file that is known by a settled stat key."""
        self._cache.files.remember(path, key, raw)
        self.unsettled.discard(path)
        if path.rpartition(b"/")[0] not in self._cache.folders:
            self._note_parents(path)

    def expect(self, paths: Iterable[bytes]) -> None:
        """Make rows for files that are about to be remembered: many at once cost less."""
        files = self._cache.files
        files.insert([path for path in paths if files.find(path) < 0])

    def _has_other_size(self, path: bytes, size: int) -> bool:
        """Tell whether a file's size says that it cannot hold what HEAD has."""
        files = self._cache.files
        row = files.find(path)
        return (
            row >= 0
            and bool(files.base_modes[row] and files.modes[row])
            and path not in files.differs
            and files.key_at(row)[2] != size
        )

    # -- folders on the way --------------------------------------------------------------------

    def is_real_folder(self, folder: bytes) -> bool:
        """Tell whether a folder is one, and no link; looked at once until `forget_folders`."""
        known = self._real.get(folder)
        if known is None:
            known = self._real[folder] = is_folder_key(find_key(self._root, folder))
        return known

    def forget_folders(self) -> None:
        """Look at all folders anew: another refresh begins."""
        self._real.clear()

    def forget_folder(self, path: bytes) -> None:
        """Look at one folder anew."""
        self._real.pop(path, None)
