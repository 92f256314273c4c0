"""A git repository to write: created when missing, given one pack and one move of its refs.

Git judges what it gets (`index-pack --strict`, then a walk from the new tips), all of it before any
ref moves, and moves all refs in one transaction of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import AlreadyExistsError, MuseError, RemoteError
from muse.core.io import io_errors, remove_file, sync_dir, write_bytes_atomic
from muse.core.paths import show_path, show_text
from muse.ops.git_bridge.pack_stream import PackStream
from muse.ops.git_bridge.process import Git, GitFailedError
from muse.ops.git_bridge.source import GitSource

_FSCK: Final = re.compile(
    r"^(?:error|fatal|warning): object ([0-9a-f]{40,64}): (.*)$", re.MULTILINE
)
# Commits of git's own that are looked at to find history in common.
_MAX_FOREIGN: Final = 20_000
_BARE_NAMES: Final = frozenset(
    {"HEAD", "branches", "config", "description", "hooks", "info", "objects", "refs"}
)


class RefCommand(NamedTuple):
    """One ref to move in git.

    Attributes:
        name: The full name.
        old: The git id there now; None when it must not exist.
        new: The git id to set.
    """

    name: str
    old: bytes | None
    new: bytes


@dataclass(frozen=True, slots=True)
class GitTarget:
    """A git repository that is written.

    Attributes:
        repository: The same, for reading.
        created: It was made by this run, or by one that was stopped before it moved a ref.
    """

    repository: GitSource
    created: bool

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        env: Mapping[str, str],
        object_format: str | None,
        bare: bool,
        branch: str,
        beside: Path | None = None,
    ) -> GitTarget:
        """Open the repository at a path, or create it there.

        Args:
            path: Where.
            env: The caller's environment.
            object_format: For a new one; one that is there must have it, unless None.
            bare: Create it without a working tree.
            branch: What HEAD of a new one names.
            beside: A folder in which files may stand already: our own working tree.

        Raises:
            AlreadyExistsError: There is something else at ``path``.
            RemoteError: Git refused.
        """
        options = _Creation(env, object_format or "sha256", branch)
        shared = beside is not None and os.path.realpath(path) == os.path.realpath(beside)
        if _is_free(path, shared=shared):
            # A bare one would be scattered among our files.
            _create(path, options, bare=bare and not shared)
        try:
            repository = GitSource.open(path, env=env)
        except GitFailedError as error:
            if "not a git repository" not in error.said:
                raise
            names = set(os.listdir(path))
            if not (names <= {".git"} or names <= _BARE_NAMES):
                raise AlreadyExistsError(
                    f"{show_path(os.fspath(path))} is there, and is not a git repository.",
                    hint="Name a new or empty folder, or an existing git repository.",
                ) from error
            # What a run that was killed left of its 'git init'.
            _create(path, options, bare=".git" not in names)
            repository = GitSource.open(path, env=env)
        if object_format not in {None, repository.object_format}:
            raise MuseError(
                f"{show_path(os.fspath(path))} has {repository.object_format} ids, "
                f"not {object_format}.",
                hint="A repository keeps its format: leave --object-format out, or export to a "
                "new folder.",
            )
        return cls(repository, created=not repository.read_refs())

    @property
    def git(self) -> Git:
        """The executable, aimed at it."""
        return self.repository.git

    def write_shallow(self, ends: Collection[bytes]) -> None:
        """Let git know at which commits history ends on purpose.

        Before they are sent: else `index-pack --strict` misses what they are built on.
        """
        path = self.repository.common_dir / "shallow"
        if ends:
            lines = "".join(f"{end.hex()}\n" for end in sorted(ends))
            # Before refs move: a history that runs into nothing is damage to git.
            write_bytes_atomic(path, lines.encode(), durable=True)
        elif remove_file(path):
            # Before the export is reported: a cut that a crash brings back would hide history.
            sync_dir(path.parent)

    def find_ends(self, ends: Collection[bytes]) -> frozenset[bytes]:
        """Return those whose parents git lacks; beyond the others, history goes on by now."""
        with self.repository.asking() as has:
            return frozenset(end for end in ends if not self._has_parents(end, has))

    def _has_parents(self, commit: bytes, has: Callable[[bytes], bool]) -> bool:
        text = self.git.run("cat-file", "commit", commit.hex())
        headers = text.partition(b"\n\n")[0].split(b"\n")
        parents = [line[7:] for line in headers if line.startswith(b"parent ")]
        return all(has(bytes.fromhex(parent.decode())) for parent in parents)

    def read_foreign(self, known: Collection[bytes]) -> Iterator[bytes]:
        """Yield commits that git reaches from its refs and not from ``known``, newest first."""
        lines = [f"^{raw.hex()}\n".encode() for raw in known]
        with self.git.pipe(
            "rev-list",
            f"--max-count={_MAX_FOREIGN}",
            "--ignore-missing",
            "--all",
            "--stdin",
            feed=lines,
        ) as pipe:
            for line in pipe.out:
                yield bytes.fromhex(line.decode())

    def read_checked_out(self) -> dict[str, Path]:
        """Return the branches that a working tree has checked out, with that tree."""
        found: dict[str, Path] = {}
        said = self.git.run("worktree", "list", "--porcelain")
        for block in os.fsdecode(said).split("\n\n"):
            fields = dict(line.partition(" ")[::2] for line in block.splitlines())
            if "branch" in fields and "bare" not in fields:
                found[fields["branch"]] = Path(fields["worktree"])
        return found

    # -- writing -----------------------------------------------------------------------------

    def receive(self, fill: Callable[[PackStream], None], *, count: int, strict: bool) -> None:
        """Take one pack; durable when this returns.

        Args:
            fill: Adds ``count`` objects to the stream.
            count: How many.
            strict: Refuse what `git fsck --strict` would complain about.

        Raises:
            RemoteError: Git refused it, and says which object; nothing was kept.
        """
        arguments = ["index-pack", "--stdin", *(["--strict"] if strict else [])]
        try:
            with self.git.pipe(*arguments, feed=None) as pipe:
                stream = PackStream(
                    pipe.write, count=count, object_format=self.repository.object_format
                )
                fill(stream)
                stream.finish()
        except GitFailedError as error:
            complaint = _FSCK.search(error.said)
            if complaint is None:
                raise
            raise RemoteError(
                f"git refuses object {complaint[1]}: {show_text(complaint[2])}",
                hint="History that git finds fault with is exported with --no-strict; "
                "'git fsck' will name it there too.",
            ) from error

    def check_connected(self, tips: Collection[bytes]) -> None:
        """Walk what the tips need beyond what refs reach already, as git does for a push.

        Raises:
            RemoteError: Something is missing there.
        """
        lines = "".join(f"{raw.hex()}\n" for raw in tips)
        arguments = ("rev-list", "--objects", "--quiet", "--stdin", "--not", "--all")
        self.git.run(*arguments, data=lines.encode())

    def move_refs(self, commands: Sequence[RefCommand], *, log: str) -> None:
        """Move refs: all of them, or none when one is not where it was seen.

        Raises:
            RemoteError: Git refused; no ref moved.
        """
        zero = "0" * (2 * self.repository.id_size)
        parts = ["start"]
        for name, old, new in commands:
            parts.append(f"update {name}\0{new.hex()}\0{old.hex() if old else zero}")
        parts += ["prepare", "commit", ""]
        self.git.run("update-ref", "-m", log, "-z", "--stdin", data=os.fsencode("\0".join(parts)))

    def set_head(self, *, ref: str | None, commit: bytes | None) -> None:
        """Point HEAD at a branch, or at a commit."""
        if ref is not None:
            self.git.run("symbolic-ref", "HEAD", ref)
        elif commit is not None:
            self.git.run("update-ref", "--no-deref", "HEAD", commit.hex())

    # -- its working tree ----------------------------------------------------------------------

    def has_files(self) -> bool:
        """Tell whether a working tree was ever filled there."""
        tree = self.repository.work_tree
        if tree is None:
            return False
        assert self.git.git_dir is not None
        return (self.git.git_dir / "index").exists() or set(os.listdir(tree)) != {".git"}

    def names_programs(self) -> bool:
        """Tell whether its own configuration has git run programs on files (G16)."""
        said = self.git.try_run("config", "--show-scope", "--get-regexp", r"^filter\.")
        return any(line.startswith((b"local", b"worktree")) for line in said.stdout.splitlines())

    def fill_files(self) -> None:
        """Check HEAD out into a working tree that holds nothing."""
        self._in_tree().run("read-tree", "-u", "--reset", "HEAD")

    def read_index(self) -> None:
        """Let the index name what HEAD holds, and touch no file."""
        self._in_tree().run("read-tree", "HEAD")

    def is_clean(self, commit: str = "HEAD") -> bool:
        """Tell whether neither index nor files differ from a commit."""
        git = self._in_tree()
        git.try_run("update-index", "-q", "--refresh")
        return git.try_run("diff-index", "--quiet", commit, "--").returncode == 0

    def is_index_clean(self) -> bool:
        """Tell whether the index is HEAD's, whatever the files are."""
        said = self._in_tree().try_run("diff-index", "--cached", "--quiet", "HEAD", "--")
        return said.returncode == 0

    def move_files(self, old: bytes, new: bytes) -> bool:
        """Take a clean working tree from one commit to another; False when files are in the way."""
        moved = self._in_tree().try_run("read-tree", "-u", "-m", old.hex(), new.hex())
        return moved.returncode == 0

    def _in_tree(self) -> Git:
        tree = self.repository.work_tree
        assert tree is not None
        assert self.git.git_dir is not None
        return Git(self.git.env, tree, self.git.git_dir, work_tree=tree)


class _Creation(NamedTuple):
    env: Mapping[str, str]
    object_format: str
    branch: str


def _is_free(path: Path, *, shared: bool) -> bool:
    try:
        names = set(os.listdir(path))
    except FileNotFoundError:
        return True
    except NotADirectoryError as error:
        raise AlreadyExistsError(
            f"{show_path(os.fspath(path))} is a file.", hint="Name a folder."
        ) from error
    return ".git" not in names if shared else not names


def _create(path: Path, options: _Creation, *, bare: bool) -> None:
    with io_errors("create a folder", path):
        path.mkdir(parents=True, exist_ok=True)
    Git(options.env, path).run(
        "init",
        "--quiet",
        "--template=",
        f"--object-format={options.object_format}",
        f"--initial-branch={options.branch}",
        *(["--bare"] if bare else []),
    )
