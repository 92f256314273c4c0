"""Every error that Muse raises on purpose, and the exit code each one means.

::

    MuseError                         1  refused or failed
    ├── NothingToCommitError          1
    ├── NothingToUndoError            1
    ├── ConflictError                 1  would overwrite work that is stored nowhere
    ├── NonFastForwardError           1
    ├── RefChangedError               1  another writer was faster (compare-and-swap)
    ├── LockedError                   1  another process is writing
    ├── AlreadyExistsError            1
    ├── FileChangingError             1  a file keeps changing while it is read
    ├── UsageError                    2  the command line or an argument is wrong
    │   ├── UnsafePathError           2  a path that leaves the working tree
    │   └── UnsafeNameError           2  a ref or file name that may not exist
    ├── NotARepositoryError           2
    ├── StorageError                  3  damaged storage, or the system said no
    │   ├── CorruptObjectError        3
    │   │   └── UnreadableObjectError 3  whether it is whole is not known
    │   ├── CorruptFileError          3  a durable file under .muse/ does not parse
    │   │   └── OversizeError         3  it is larger than any that Muse writes
    │   └── IoFailedError             3  disk full, permission, I/O error
    ├── NotFoundError                 4
    │   ├── ObjectNotFoundError       4
    │   │   └── MissingObjectError    3  something here needs it: damaged storage
    │   ├── RefNotFoundError          4
    │   ├── RevisionNotFoundError     4
    │   ├── AmbiguousIdError          4
    │   └── PathNotFoundError         4
    └── RemoteError                   5  the other side failed or refused
        ├── BadTransferError          5  what arrived is not what it should be
        ├── ConnectionLostError       5  it went away in the middle
        └── NoRepositoryThereError    5  it can be reached, and there is none

Outside the tree: 70 a bug, 130 interrupted, 141 broken pipe.
The class is the exit code; an instance is one sentence and a hint that says what to type next.
"""

from __future__ import annotations

import errno
import os
from typing import ClassVar


class MuseError(Exception):
    """Something was refused or failed; nothing that was reported before is lost.

    Args:
        message: One sentence, without a final full stop when it ends in an id.
        hint: What the user can type or do next; empty when there is nothing.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NothingToCommitError(MuseError):
    """The tree to commit is the one that HEAD already has."""


class NothingToUndoError(MuseError):
    """No operation is left that could be taken back, or done again."""


class ConflictError(MuseError):
    """The operation would overwrite content that is stored nowhere.

    Args:
        message: One sentence.
        paths: The repository paths in the way.
        hint: What to do about them.
    """

    def __init__(self, message: str, *, paths: tuple[bytes, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.paths = paths


class NonFastForwardError(MuseError):
    """A ref would lose commits; carries both ids.

    Args:
        ref: The full ref name.
        ours: What we wanted to set (``sha256:…``).
        theirs: What is there now.
        hint: How to go on.
    """

    def __init__(self, ref: str, *, ours: str, theirs: str, hint: str = "") -> None:
        super().__init__(
            f"{ref} has diverged: here {short(ours)}, there {short(theirs)}",
            hint=hint,
        )
        self.ref, self.ours, self.theirs = ref, ours, theirs


class RefChangedError(MuseError):
    """Another writer moved a ref between our look and our write.

    Args:
        ref: The full ref name.
        expected: The id that we saw; empty for "unborn".
        actual: The id that is there now; empty for "unborn".
    """

    def __init__(self, ref: str, *, expected: str, actual: str) -> None:
        super().__init__(
            f"{ref} moved while we worked: expected {short(expected) or 'nothing'}, "
            f"found {short(actual) or 'nothing'}",
            hint="Nothing of yours is lost: look with 'muse log', then run the command again.",
        )
        self.ref, self.expected, self.actual = ref, expected, actual


class LockedError(MuseError):
    """Another living process holds the repository's write lock."""


class AlreadyExistsError(MuseError):
    """What should be created is there already."""


class FileChangingError(MuseError):
    """A file keeps changing while it is read, so that what was read fits no single moment."""


class UsageError(MuseError):
    """The command line or an argument is wrong."""

    exit_code = 2


class UnsafePathError(UsageError):
    """A path that leaves the working tree, or reaches into ``.muse``."""


class UnsafeNameError(UsageError):
    """A file or ref name that could escape, or that the format cannot hold."""


class NotARepositoryError(MuseError):
    """No ``.muse`` here or in any folder above.

    Args:
        start: The folder where the search began.
    """

    exit_code = 2

    def __init__(self, start: str) -> None:
        super().__init__(
            f"{start} is not inside a Muse repository.",
            hint="Create one with 'muse init', or go to one with 'muse -C <dir> …'.",
        )
        self.start = start


class UnfinishedCloneError(NotARepositoryError):
    """What is here is a clone that was killed on its way, or that is under way right now.

    Args:
        root: Its folder.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.message = f"{root} is a clone that is not finished."
        self.hint = (
            "Give the same 'muse clone' command again: it goes on with what has arrived. "
            "Or remove the folder."
        )
        self.args = (self.message,)


class StorageError(MuseError):
    """Stored bytes are damaged, or the system refused to read or write."""

    exit_code = 3


class CorruptObjectError(StorageError):
    """An object's bytes do not hash to its name; they are never handed out.

    Args:
        oid: The object's id.
        where: The file that holds it.
        reason: What is wrong with it.
    """

    def __init__(self, oid: str, *, where: str, reason: str) -> None:
        super().__init__(
            f"Object {oid} in {where} is damaged: {reason}.",
            hint="'muse verify' shows what it touches; adding the same content again, or "
            "'muse fetch --refetch', replaces it.",
        )
        self.oid, self.where, self.reason = oid, where, reason


class UnreadableObjectError(CorruptObjectError):
    """The system does not let us read an object: a bad disk, a permission, too many open files.

    Args:
        oid: The object's id.
        where: The file that holds it.
        error: The system's error.
    """

    def __init__(self, oid: str, *, where: str, error: OSError) -> None:
        said = error.strerror or os.strerror(error.errno or 0)
        super().__init__(oid, where=where, reason=f"it cannot be read ({said})")
        self.errno = error.errno
        self.message = f"Object {oid} in {where} cannot be read: {said}."
        if error.errno != errno.EIO:
            # A bad disk is the one that another copy helps against.
            self.hint = _IO_HINTS.get(error.errno or 0, self.hint)


class CorruptFileError(StorageError):
    """A durable file under ``.muse/`` cannot be read as what it is.

    Args:
        path: The file.
        reason: What is wrong with it.
        hint: The way out.
    """

    def __init__(self, path: str, *, reason: str, hint: str) -> None:
        super().__init__(f"{path} is damaged: {reason}.", hint=hint)
        self.path, self.reason = path, reason


class OversizeError(CorruptFileError):
    """A file under ``.muse/`` is larger than anything that Muse writes there; it was not read.

    Args:
        path: The file.
        size: How many bytes it holds.
        limit: How many it may hold.
    """

    def __init__(self, path: str, *, size: int, limit: int) -> None:
        super().__init__(
            path,
            reason=f"it holds {size} bytes, and at most {limit} can be right",
            hint="Move it out of '.muse', then 'muse doctor' tells what can be put back.",
        )


class IoFailedError(StorageError):
    """The system refused: disk full, no permission, I/O error.

    Args:
        doing: What was tried, as in "write the stage".
        path: The file concerned.
        error: The system's error.
    """

    def __init__(self, doing: str, *, path: str, error: OSError) -> None:
        super().__init__(
            f"Could not {doing} ({path}): {error.strerror or error}.",
            hint=_IO_HINTS.get(
                error.errno or 0,
                "Nothing that was reported before is lost; the command can be repeated.",
            ),
        )
        self.path = path
        self.errno = error.errno


class NotFoundError(MuseError):
    """No such ref, path or object."""

    exit_code = 4


class ObjectNotFoundError(NotFoundError):
    """No object with this id is stored here.

    Args:
        oid: The id.
        needed_by: What refers to it, when known.
    """

    def __init__(self, oid: str, *, needed_by: str = "") -> None:
        by = f" (needed by {needed_by})" if needed_by else ""
        super().__init__(
            f"Object {oid} is not in this repository{by}.",
            hint="'muse verify' shows what is missing; 'muse fetch --refetch' may bring it back.",
        )
        self.oid = oid


class MissingObjectError(ObjectNotFoundError):
    """An object that something here needs is not stored: that is damage, not a wrong question."""

    exit_code = 3


class RefNotFoundError(NotFoundError):
    """No branch, tag or remote ref of this name."""


class RevisionNotFoundError(NotFoundError):
    """The text names no commit or object."""


class AmbiguousIdError(NotFoundError):
    """A shortened id that fits more than one object.

    Args:
        text: What was typed.
        candidates: The full ids that it fits.
    """

    def __init__(self, text: str, *, candidates: tuple[str, ...]) -> None:
        names = ", ".join(short(c, 16) for c in candidates[:5])
        super().__init__(
            f"'{text}' fits {len(candidates)} objects: {names}",
            hint="Type more digits.",
        )
        self.text, self.candidates = text, candidates


class PathNotFoundError(NotFoundError):
    """A path that is neither in the working tree nor tracked."""


class RemoteError(MuseError):
    """The other side could not be reached, failed, or refused."""

    exit_code = 5


class BadTransferError(RemoteError):
    """An object arrived that is damaged or hostile; it was not stored.

    Args:
        oid: The object, or a ref's name.
        source: Where it came from.
        reason: What is wrong with it.
    """

    def __init__(self, oid: str, *, source: str, reason: str) -> None:
        super().__init__(
            f"{source} sent {oid}, which was refused: {reason}.",
            hint="Nothing that it sent is in use here. 'muse verify' on that side tells more.",
        )
        self.oid, self.source, self.reason = oid, source, reason


class ConnectionLostError(RemoteError):
    """The other side went away in the middle; what arrived before is kept."""


class NoRepositoryThereError(RemoteError):
    """The place can be looked at, and holds no repository of ours.

    Args:
        message: One sentence.
        found: ``nothing``, a ``folder``, or a ``git`` repository.
        hint: What to do about it.
    """

    def __init__(self, message: str, *, found: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.found = found


_IO_HINTS = {
    errno.ENOSPC: "The disk is full: free some space and run the command again; "
    "nothing that was reported before is lost.",
    errno.EDQUOT: "Your disk quota is used up: free some space and run the command again.",
    errno.EACCES: "Check the permissions and the owner of that file.",
    errno.EPERM: "Check the permissions and the owner of that file.",
    errno.EROFS: "The file system is read-only: status, log, diff and verify still work.",
    errno.EMFILE: "Too many open files: raise 'ulimit -n' and run the command again.",
    errno.ELOOP: "A repository may come from anybody, so nothing of it is read through a link: put "
    "the file itself in its place, or move the link away; 'muse doctor' tells what comes back.",
    errno.EISDIR: "A file belongs there; if that is in '.muse', 'muse doctor' says what to do.",
    errno.ENXIO: "A file belongs there; if that is in '.muse', 'muse doctor' says what to do.",
    errno.EIO: "The disk reported an error: check its health before going on.",
}


def short(oid: str, digits: int = 10) -> str:
    """Shorten an id for people: the first hex digits, without ``sha256:``.

    Returns:
        ``digits`` hex digits; empty for an empty id.
    """
    return oid.removeprefix("sha256:")[:digits]
