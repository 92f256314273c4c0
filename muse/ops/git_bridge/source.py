"""A git repository to read: its refs, the ids that are new, and their payloads.

Ids travel as columns (one `bytearray` of raw ids per type), never as lists of Python objects, so
that a listing of a million objects stays in tens of megabytes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import MuseError, RemoteError
from muse.core.paths import show_path, show_text
from muse.core.types import OBJECT_TYPES, ObjectType
from muse.ops.git_bridge.process import Git, GitPipe

# A payload above this is read in chunks and never held whole.
STREAM_BYTES: Final = 8 << 20
CHUNK_BYTES: Final = 1 << 20
_FEED_IDS: Final = 2048
_ID_SIZES: Final = {"sha1": 20, "sha256": 32}
_REF_FORMAT: Final = "%(refname)%00%(objectname)%00%(objecttype)"


class GitRef(NamedTuple):
    """One ref of a git repository.

    Attributes:
        name: The full name; bytes that are not UTF-8 are kept by ``surrogateescape``.
        raw: What it names.
        kind: The type of that.
    """

    name: str
    raw: bytes
    kind: str


class GitHead(NamedTuple):
    """What is checked out there.

    Attributes:
        ref: The branch's full name; None when detached.
        raw: The commit; None on a branch without commits.
    """

    ref: str | None
    raw: bytes | None


class GitBlob(NamedTuple):
    """A payload too large to hold.

    Attributes:
        size: Bytes.
        chunks: The payload; must be read to its end before the next object.
    """

    size: int
    chunks: Iterator[bytes]


@dataclass(slots=True)
class ObjectList:
    """Ids by type, in the order in which git walked to them: parents before children.

    Attributes:
        id_size: Bytes of one id.
        columns: For each type, the raw ids end to end.
        skipped: How many were left out by the caller's wish.
    """

    id_size: int
    columns: dict[ObjectType, bytearray] = field(
        default_factory=lambda: {kind: bytearray() for kind in OBJECT_TYPES}
    )
    skipped: int = 0

    def count(self, kind: ObjectType) -> int:
        """Return how many objects of a type there are."""
        return len(self.columns[kind]) // self.id_size

    def ids(self, kind: ObjectType) -> Iterator[bytes]:
        """Yield the raw ids of a type in order."""
        column, size = self.columns[kind], self.id_size
        return (bytes(column[at : at + size]) for at in range(0, len(column), size))

    def __len__(self) -> int:
        """Count all objects."""
        return sum(len(column) for column in self.columns.values()) // self.id_size


@dataclass(frozen=True, slots=True)
class GitSource:
    """A git repository that is read.

    Attributes:
        path: As the user named it.
        git: The executable, aimed at it.
        object_format: ``sha1`` or ``sha256``.
        id_size: Bytes of a raw id.
        common_dir: The folder that its working trees share.
        work_tree: Where its files are; None for a bare one.
        is_shallow: History is cut off somewhere.
    """

    path: Path
    git: Git
    object_format: str
    id_size: int
    common_dir: Path
    work_tree: Path | None
    is_shallow: bool

    @classmethod
    def open(cls, path: Path, *, env: Mapping[str, str]) -> GitSource:
        """Find the repository at a path; never one above it.

        Raises:
            MuseError: There is no git on this machine.
            RemoteError: There is no repository at ``path``, or git will not read it.
        """
        if not path.is_dir():
            raise RemoteError(
                f"There is no folder {show_path(os.fspath(path))}.",
                hint="Name the folder of a git repository on this machine; bring one from "
                "elsewhere with 'git clone --mirror <url>' first.",
            )
        git = Git(env, path)
        said = git.run(
            "rev-parse",
            "--absolute-git-dir",
            "--git-common-dir",
            "--is-shallow-repository",
            "--is-bare-repository",
            "--show-object-format",
        )
        fields = os.fsdecode(said).split("\n")
        if len(fields) != 6 or fields[4] not in _ID_SIZES:
            raise RemoteError(
                f"git does not say what {show_path(os.fspath(path))} is: it answered "
                f"{show_text(' '.join(fields))}",
                hint="The bridge needs git 2.31 or newer: look at 'git --version'.",
            )
        git_dir, common_dir, shallow, bare, object_format = fields[:5]
        work_tree = None
        if bare == "false":
            top = git.try_run("rev-parse", "--show-toplevel")
            work_tree = Path(os.fsdecode(top.stdout[:-1])) if top.returncode == 0 else None
        return cls(
            path=path,
            git=Git(env, path, Path(git_dir)),
            object_format=object_format,
            id_size=_ID_SIZES[object_format],
            common_dir=Path(os.path.join(os.path.realpath(path), common_dir)),
            work_tree=work_tree,
            is_shallow=shallow == "true",
        )

    # -- names -------------------------------------------------------------------------------

    def read_refs(self) -> list[GitRef]:
        """Return all refs, sorted by name."""
        said = self.git.run("for-each-ref", f"--format={_REF_FORMAT}")
        refs = []
        for line in said.splitlines():
            name, digits, kind = line.split(b"\0")
            refs.append(GitRef(os.fsdecode(name), bytes.fromhex(digits.decode()), kind.decode()))
        return refs

    def read_head(self) -> GitHead:
        """Return what is checked out."""
        symbolic = self.git.try_run("symbolic-ref", "--quiet", "HEAD")
        commit = self.git.try_run("rev-parse", "--quiet", "--verify", "HEAD^{commit}")
        return GitHead(
            os.fsdecode(symbolic.stdout.rstrip(b"\n")) or None,
            bytes.fromhex(commit.stdout.decode().strip()) or None,
        )

    def read_shallow(self) -> frozenset[bytes]:
        """Return the commits whose parents are not there on purpose."""
        try:
            text = (self.common_dir / "shallow").read_text("ascii")
        except (OSError, UnicodeDecodeError):
            return frozenset()
        return frozenset(bytes.fromhex(line) for line in text.split())

    # -- objects -----------------------------------------------------------------------------

    def list_objects(
        self,
        wants: Collection[bytes],
        *,
        without: Collection[bytes] = (),
        skip: Callable[[bytes], bool] | None = None,
    ) -> ObjectList:
        """List what can be reached, oldest commits first.

        Args:
            wants: Ids of commits, tags, trees or blobs.
            without: Commits whose whole closure is left out; ids that are not there are ignored.
            skip: Says of one id that it is not needed.

        Raises:
            RemoteError: Something that should be reachable is missing.
        """
        found = ObjectList(self.id_size)
        if not wants:
            return found
        by_name = {kind.encode(): column for kind, column in found.columns.items()}
        with (
            self._walk(wants, without, "--no-object-names") as walk,
            self.git.pipe(
                "cat-file", "--batch-check=%(objecttype) %(objectname)", "--buffer", read_from=walk
            ) as check,
        ):
            for line in check.out:
                kind, digits = line.split()[:2]
                column = by_name.get(kind)
                if column is None:
                    raise _missing(self.path, kind.decode("ascii", "replace"))
                raw = bytes.fromhex(digits.decode())
                if skip is not None and skip(raw):
                    found.skipped += 1
                else:
                    column += raw
        return found

    def _walk(self, wants: Collection[bytes], without: Collection[bytes], *options: str) -> GitPipe:
        lines = [f"{raw.hex()}\n" for raw in wants] + [f"^{raw.hex()}\n" for raw in without]
        return self.git.pipe(
            "rev-list",
            "--objects",
            "--topo-order",
            "--reverse",
            "--ignore-missing",
            *options,
            "--stdin",
            feed=[line.encode() for line in lines],
        )

    def read_objects(
        self, ids: bytearray, kind: ObjectType
    ) -> Iterator[tuple[bytes, bytes | GitBlob]]:
        """Yield (id, payload) of a column of ids, in its order, read by one git process.

        The bytes are as git hands them out: the caller checks their hash.

        Raises:
            RemoteError: One is missing, damaged, or of another type.
        """
        size = self.id_size
        expected_kind = kind.encode()
        with self.git.pipe("cat-file", "--batch", "--buffer", feed=_hex_lines(ids, size)) as pipe:
            readline, read = pipe.out.readline, pipe.out.read
            for at in range(0, len(ids), size):
                raw = bytes(ids[at : at + size])
                header = readline().split()
                if len(header) != 3 or header[1] != expected_kind:
                    if not header:
                        raise pipe.fail("it ended early")
                    raise _missing(self.path, raw.hex())
                length = int(header[2])
                if length > STREAM_BYTES and kind == "blob":
                    blob = GitBlob(length, _chunks(read, length))
                    yield raw, blob
                    for _ in blob.chunks:
                        pass
                    read(1)
                    continue
                payload = read(length + 1)
                if len(payload) != length + 1:
                    raise pipe.fail("it ended early")
                yield raw, payload[:-1]

    def find_paths(self, ids: Collection[bytes], *, wants: Collection[bytes]) -> dict[bytes, bytes]:
        """Return for each of these trees one path at which history has it.

        It walks all that `list_objects` walked, so it is for reports only.
        """
        digits = {raw.hex().encode(): raw for raw in ids}
        found: dict[bytes, bytes] = {}
        with self._walk(wants, ()) as walk:
            for line in walk.out:
                text, _, path = line.rstrip(b"\n").partition(b" ")
                raw = digits.get(text)
                if raw is not None:
                    found.setdefault(raw, path)
        return found

    @contextlib.contextmanager
    def asking(self) -> Iterator[Callable[[bytes], bool]]:
        """Give a function that tells whether git has an object, one question at a time."""
        with self.git.pipe("cat-file", "--batch-check=%(objecttype)", feed=None) as pipe:

            def has(raw: bytes) -> bool:
                pipe.write(f"{raw.hex()}\n".encode())
                pipe.flush()
                return not pipe.out.readline().endswith(b" missing\n")

            yield has


def _hex_lines(ids: bytearray, size: int) -> Iterable[bytes]:
    step = size * _FEED_IDS
    for at in range(0, len(ids), step):
        yield ids[at : at + step].hex("\n", size).encode() + b"\n"


def _chunks(read: Callable[[int], bytes], length: int) -> Iterator[bytes]:
    while length:
        chunk = read(min(length, CHUNK_BYTES))
        if not chunk:
            raise RemoteError(
                "git cat-file ended in the middle of a file.", hint="Run the command again."
            )
        length -= len(chunk)
        yield chunk


def _missing(path: Path, digits: str) -> MuseError:
    return RemoteError(
        f"Object {show_text(digits)} is missing or damaged in {show_path(os.fspath(path))}.",
        hint="Look with 'git fsck' there. A partial clone lacks objects on purpose: complete it "
        "with 'git fetch --refetch --no-filter' and run this again.",
    )
