"""Refs: names for commits, one small file each, and HEAD.

Reading only. Refs are written by `muse.core.transaction`, under the write lock and by
compare-and-swap, so that two writers never lose each other's work (G8).
"""

from __future__ import annotations

import errno
import functools
import os
import re
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import AlreadyExistsError, CorruptFileError, IoFailedError, UnsafeNameError
from muse.core.io import io_errors, read_bytes
from muse.core.overlay import overlaid_names
from muse.core.paths import head_path, muse_dir, show_text
from muse.core.plain_files import REF_BYTES
from muse.core.real_folders import Ways
from muse.core.types import ObjectId, is_object_id

HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
REMOTES: Final = "refs/remotes/"
DEFAULT_BRANCH: Final = "main"

# What git's check-ref-format refuses, and a leading "-", which would read as an option.
_BAD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|\.\Z|/\Z|\A[./-]|\A@\Z")


class Head(NamedTuple):
    """What is checked out.

    Attributes:
        branch: The branch's short name; None when detached.
        ref: The branch's full name; None when detached.
        commit: The commit; None on a branch without commits.
    """

    branch: str | None
    ref: str | None
    commit: ObjectId | None

    @property
    def detached(self) -> bool:
        """Whether HEAD names a commit instead of a branch."""
        return self.ref is None

    def encode(self) -> str:
        """Return the text of the HEAD file."""
        return f"ref: {self.ref}\n" if self.ref else f"commit: {self.commit}\n"


@functools.lru_cache(maxsize=512)
def check_ref_name(name: str) -> str:
    """Return a ref's name, short or full, if it is a legal one.

    Raises:
        UnsafeNameError: It breaks git's rules, could escape, or looks like an option.
    """
    if not name or _BAD.search(name) or len(os.fsencode(name)) > 1000:
        raise UnsafeNameError(
            f"'{show_text(name)}' is not a valid name for a branch, tag or ref.",
            hint="Use letters, digits, '-', '_', '.', and '/' between parts.",
        )
    if any(len(os.fsencode(part)) > 250 for part in name.split("/")):
        raise UnsafeNameError(
            f"'{show_text(name)}' has a part that is too long for a file name.",
            hint="Keep each part below 250 bytes.",
        )
    return name


def check_new_branch(name: str) -> str:
    """Return a new branch's short name, if it is a legal one and means nothing else.

    Raises:
        UnsafeNameError: As `check_ref_name`; or it is HEAD, which names what is checked out.
    """
    if check_ref_name(name) == "HEAD":
        raise UnsafeNameError(
            "A branch cannot be called 'HEAD'.", hint="HEAD is what is checked out."
        )
    return name


def short_name(ref: str) -> str:
    """Return the name that people use: without ``refs/heads/`` and the like."""
    for prefix in (HEADS, TAGS, REMOTES):
        if ref.startswith(prefix):
            return ref[len(prefix) :]
    return ref


def iter_folders(name: str) -> Iterator[str]:
    """Yield each name that cannot be a ref beside this one, since it is a folder of it."""
    at = name.rfind("/")
    while at > 0:
        yield name[:at]
        at = name.rfind("/", 0, at)


def check_no_clash(names: Collection[str], made: AbstractSet[str]) -> None:
    """Refuse new refs of which one's name would be a folder of another's.

    Args:
        names: All names that there will be.
        made: Those among them that are new.

    Raises:
        AlreadyExistsError: Names both.
    """
    # Each name against its own folders: thousands of tags may arrive at once.
    for name in names:
        for folder in iter_folders(name):
            if folder in names and not made.isdisjoint((name, folder)):
                ours, other = (name, folder) if name in made else (folder, name)
                raise AlreadyExistsError(
                    f"'{short_name(ours)}' cannot stand beside '{short_name(other)}'.",
                    hint="One name is a folder of the other: choose another name.",
                )


class RefStore:
    """The refs of one repository, read fresh from disk at each call.

    Args:
        root: The folder that holds ``.muse``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._muse = muse_dir(root)
        self._own = os.fspath(self._muse)

    def path(self, name: str) -> Path:
        """Return the file of a full ref name.

        Raises:
            UnsafeNameError: The name is not legal.
        """
        return Path(self._file(name))

    def _file(self, name: str) -> str:
        if not name.startswith("refs/"):
            raise UnsafeNameError(
                f"'{show_text(name)}' is not a full ref name.", hint="It begins with 'refs/'."
            )
        return f"{self._own}/{check_ref_name(name)}"

    def check_place(self, name: str, ways: Ways) -> None:
        """Make sure that a ref and its log can be written: before a record says that they are.

        Args:
            name: A full ref name.
            ways: Looks at the folders.

        Raises:
            UnsafeNameError: The name is not legal.
            UnsafePathError: A folder on the way is a link.
        """
        ways.check(self._file(name))
        ways.check(f"{self._own}/logs/{name}")

    def read(self, name: str) -> ObjectId | None:
        """Return what a full ref name points at; None when unborn.

        Raises:
            CorruptFileError: The file holds something else than an id.
        """
        path = self._file(name)
        try:
            data = read_bytes(path, doing="read a ref", limit=REF_BYTES)
        except IoFailedError as error:
            # A folder of this name holds other refs: the ref itself does not exist.
            if error.errno == errno.EISDIR:
                return None
            raise
        return self._decode(path, data)

    @staticmethod
    def _decode(path: str, data: bytes | None) -> ObjectId | None:
        text = (data or b"").decode("ascii", "replace").strip()
        if not text and not (data or b"").strip(b"\n"):
            return None
        if not is_object_id(text):
            ref = _ref_of(path)
            hint = f"'muse reflog {short_name(ref)}' shows where it was"
            if ref.startswith(HEADS):
                hint += f"; 'muse branch -f {short_name(ref)} <id>' sets it anew"
            raise CorruptFileError(path, reason="it holds no object id", hint=hint + ".")
        return ObjectId(text)

    def iter(self, prefix: str = "refs/") -> Iterator[tuple[str, ObjectId]]:
        """Yield (full name, id) of each ref below a prefix, sorted by name.

        Raises:
            CorruptFileError: One of them is damaged; see `iter_names` for looking past it.
        """
        for name in self.iter_names(prefix):
            oid = self.read(name)
            if oid is not None:
                yield name, oid

    def iter_names(self, prefix: str = "refs/") -> Iterator[str]:
        """Yield the full name of each ref file below a prefix, sorted, damaged ones included."""
        names = {name for name in self._walk("refs") if name.startswith(prefix)}
        base = os.fspath(self._muse) + "/"
        names.update(n.removeprefix(base) for n in overlaid_names(base + prefix))
        yield from sorted(name for name in names if _is_legal(name))

    def _walk(self, folder: str) -> Iterator[str]:
        try:
            with os.scandir(self._muse / folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    name = f"{folder}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._walk(name)
                    elif entry.is_file(follow_symlinks=False):
                        yield name
        except FileNotFoundError:
            return
        except OSError as error:
            with io_errors("list the refs", self._muse / folder):
                raise error from None

    def head(self) -> Head:
        """Return what is checked out.

        A repository without a HEAD file is on the unborn default branch.

        Raises:
            CorruptFileError: HEAD holds neither a branch nor a commit.
        """
        text = self.head_text()
        if text.startswith("ref: "):
            ref = text[5:].strip()
            if ref.startswith(HEADS) and _is_legal(ref):
                return Head(short_name(ref), ref, self.read(ref))
        elif text.startswith("commit: ") and is_object_id(text[8:].strip()):
            return Head(None, None, ObjectId(text[8:].strip()))
        raise CorruptFileError(
            os.fspath(head_path(self.root)),
            reason="it names neither a branch nor a commit",
            hint="'muse reflog' shows where HEAD was; 'muse switch <branch>' sets it anew.",
        )

    def head_text(self) -> str:
        """Return the HEAD file's text; the default branch when it is missing or empty."""
        data = read_bytes(head_path(self.root), doing="read HEAD", limit=REF_BYTES) or b""
        text = data.decode("utf-8", "surrogateescape")
        return text if text.strip() else f"ref: {HEADS}{DEFAULT_BRANCH}\n"


def _is_legal(name: str) -> bool:
    try:
        check_ref_name(name)
    except UnsafeNameError:
        return False
    return True


def _ref_of(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[parts.index("refs") :]) if "refs" in parts else parts[-1]
