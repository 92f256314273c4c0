"""One file that differs: its two contents, read when they are asked for, and what changed in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from muse.core.errors import IoFailedError, PathNotFoundError
from muse.core.paths import show_path
from muse.core.renames import Contents
from muse.core.text_diff import (
    LARGE_SIZE,
    TextDiff,
    count_changes,
    diff_texts,
    is_binary,
)
from muse.core.tree_diff import RENAMES, Change, RenameOptions
from muse.core.types import RawId, raw_object_id
from muse.core.xdiff import Whitespace


class DiffOptions(NamedTuple):
    """How to compare.

    Attributes:
        context: Lines of context around each change.
        whitespace: What differences in whitespace to ignore.
        as_text: Compare binary and large content by line, too.
        renames: How renames are looked for; None leaves them as removed and added.
    """

    context: int = 3
    whitespace: Whitespace = "none"
    as_text: bool = False
    renames: RenameOptions | None = RENAMES


class FileStat(NamedTuple):
    """How much changed in one file.

    Attributes:
        change: Which file, and how.
        added: Lines added; 0 when lines were not compared.
        removed: Lines removed; likewise.
        binary: One side is binary, or too large to be compared by line.
        old_size: Bytes on the old side; 0 when it was not there.
        new_size: Bytes on the new side; likewise.
    """

    change: Change
    added: int
    removed: int
    binary: bool
    old_size: int
    new_size: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to show: only whitespace changed, and that is ignored."""
        change = self.change
        kept = change.kind == "M" and change.old_mode == change.new_mode
        return kept and not (self.added or self.removed or self.binary)


class FileText(NamedTuple):
    """What changed in one file.

    Attributes:
        change: Which file, and how, with the ids of both sides.
        text: The hunks; none when a side is binary or large.
        large: A side is over `LARGE_SIZE`, so lines were not compared.
        old_size: Bytes on the old side; 0 when it was not there.
        new_size: Bytes on the new side; likewise.
    """

    change: Change
    text: TextDiff
    large: bool
    old_size: int
    new_size: int


class WorktreeContents:
    """Content of files as they are in the working tree; a symlink's content is its target.

    Args:
        root: The repository's root.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)

    def size(self, path: bytes, raw: RawId | None) -> int:  # noqa: ARG002  # the protocol's
        """Return the size that the file system states."""
        full = self._root + b"/" + path
        try:
            return os.lstat(full).st_size
        except OSError as error:
            raise _unreadable(path, error) from error

    def read(self, path: bytes, raw: RawId | None) -> bytes:  # noqa: ARG002  # the protocol's
        """Return the content as it is now."""
        full = self._root + b"/" + path
        try:
            if os.path.islink(full):
                return os.readlink(full)
            # Not blocking, in case a fifo has taken the file's place.
            fd = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                return file.read()
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: bytes, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return PathNotFoundError(
            f"'{show_path(path)}' went away while it was compared.", hint="Run the command again."
        )
    return IoFailedError("read the file", path=show_path(path), error=error)


class FileDiff(NamedTuple):
    """One file that differs; its contents are read when they are asked for.

    Attributes:
        change: Which file, and how; ``new`` is None where the working tree's id is not known yet.
        old: Where the old content is.
        new: Where the new content is.
        options: How to compare.
    """

    change: Change
    old: Contents
    new: Contents
    options: DiffOptions = DiffOptions()

    def read_old(self) -> bytes:
        """Return the old content; empty when the file was not there."""
        change = self.change
        return self.old.read(change.old_path, change.old) if change.old_mode else b""

    def read_new(self) -> bytes:
        """Return the new content; empty when the file is there no more."""
        change = self.change
        return self.new.read(change.path, change.new) if change.new_mode else b""

    def sizes(self) -> tuple[int, int]:
        """Return the sizes in bytes without reading the contents."""
        change = self.change
        return (
            self.old.size(change.old_path, change.old) if change.old_mode else 0,
            self.new.size(change.path, change.new) if change.new_mode else 0,
        )

    def compare(self) -> FileText:
        """Compare the contents line by line.

        Raises:
            CorruptObjectError: A stored content is damaged.
            ObjectNotFoundError: A stored content is missing.
            IoFailedError: A file of the working tree cannot be read.
        """
        old_size, new_size = self.sizes()
        if self.change.old == self.change.new:
            return FileText(
                self.change, TextDiff(), large=False, old_size=old_size, new_size=new_size
            )
        if self._is_large(old_size, new_size):
            text = TextDiff(binary=True)
            return FileText(self.change, text, large=True, old_size=old_size, new_size=new_size)
        old, new = self.read_old(), self.read_new()
        text = diff_texts(
            old,
            new,
            context=self.options.context,
            ignore_whitespace=self.options.whitespace,
            as_text=self.options.as_text,
        )
        change = self.change
        if change.new is None and change.new_mode:
            change = change._replace(new=raw_object_id("blob", new))
        return FileText(change, text, large=False, old_size=len(old), new_size=len(new))

    def count_lines(self) -> FileStat:
        """Count what changed, without building hunks; errors as for `compare`."""
        old_size, new_size = self.sizes()
        if self._is_large(old_size, new_size):
            return FileStat(self.change, 0, 0, binary=True, old_size=old_size, new_size=new_size)
        old, new = self.read_old(), self.read_new()
        if not self.options.as_text and (is_binary(old) or is_binary(new)):
            return FileStat(self.change, 0, 0, binary=True, old_size=len(old), new_size=len(new))
        added, removed = count_changes(
            old, new, ignore_whitespace=self.options.whitespace, context=self.options.context
        )
        return FileStat(
            self.change, added, removed, binary=False, old_size=len(old), new_size=len(new)
        )

    def _is_large(self, old_size: int, new_size: int) -> bool:
        return not self.options.as_text and max(old_size, new_size) > LARGE_SIZE
