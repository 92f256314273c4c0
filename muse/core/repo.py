"""Find a repository, recover and sweep it, and hold its parts together."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.core import durability, journal, ledger, sweep, temps
from muse.core.commits import Commit, Signature, decode_commit
from muse.core.config import Config
from muse.core.errors import (
    CorruptFileError,
    IoFailedError,
    LockedError,
    MuseError,
    NotARepositoryError,
    StorageError,
    UnfinishedCloneError,
)
from muse.core.io import read_bytes
from muse.core.lock import WAIT_S, WriteLock
from muse.core.object_store import ObjectStore
from muse.core.paths import clone_marker_path, config_path, muse_dir, repo_json_path, show_path
from muse.core.plain_files import RECORD_BYTES
from muse.core.real_folders import check_folders, check_shards
from muse.core.refs import Head, RefStore
from muse.core.sweep import SweepReport
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, RawId, to_raw

if TYPE_CHECKING:
    from muse.core.transaction import Transaction

FORMAT_VERSION: Final = 1
# A writer holds the lock for long only while it collects; then there is a journal to read through.
_RECOVERY_WAIT_S: Final = 1.0

_MUSE_TEMP_PREFIXES: Final = tuple(f.prefix for f in temps.FOLDER_FAMILIES)
_MUSE_SWEEP_DIRS: Final = temps.SWEEP_DIRS


class Repository:
    """One repository: its objects, refs and settings.

    Args:
        root: The folder that holds ``.muse``.
        user_config: The user's own settings file, or None.
        identity: Says who publishes when a caller does not; asked only when something is.
        notify: Told what programs that we start, such as ssh, have to say to the user.

    Attributes:
        sweep_report: What the sweep at opening met; None when none ran.
        recovered: How many pieces of a dead writer's transaction were completed at opening.
        readonly_reason: Why nothing is written here; empty when writing is allowed.
    """

    def __init__(
        self,
        root: Path,
        *,
        user_config: Path | None = None,
        identity: Callable[[], Signature] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.root = root
        self.objects = ObjectStore(root)
        self.refs = RefStore(root)
        self.config = Config(config_path(root), user_path=user_config)
        self.identity = identity
        self.notify = notify
        self.sweep_report: SweepReport | None = None
        self.recovered = 0
        self.readonly_reason = ""
        self._facts: dict[str, object] | None = None

    @property
    def muse(self) -> Path:
        """The repository's own folder."""
        return muse_dir(self.root)

    @property
    def readonly(self) -> bool:
        """Whether nothing may be written here."""
        return bool(self.readonly_reason)

    @property
    def facts(self) -> dict[str, object]:
        """What ``repo.json`` says: format version, id, whether bare, time of creation.

        Raises:
            CorruptFileError: It does not parse.
            StorageError: The format is newer than this program.
        """
        if self._facts is None:
            self._facts = _read_facts(self.root)
        return self._facts

    @property
    def bare(self) -> bool:
        """Whether there is no working tree."""
        return self.facts.get("bare") is True

    @property
    def durability(self) -> str:
        """How durable transactions are: ``full``, ``batch`` or ``none``.

        Raises:
            UsageError: The setting is none of these.
        """
        try:
            return durability.check_level(self.config.get(durability.KEY))
        except CorruptFileError:
            # Settings that nobody can read ask for nothing less.
            return durability.FULL

    def transaction(
        self,
        operation: str,
        *,
        summary: str = "",
        who: Signature | None = None,
        wait_s: float = WAIT_S,
        level: str | None = None,
    ) -> Transaction:
        """Start a unit of work; a context manager that holds the write lock.

        Args:
            operation: The verb, for the operation log.
            summary: One line for people.
            who: Who does it; the repository's identity when None.
            wait_s: How long to wait for another writer.
            level: How durable; as configured when None.

        Raises:
            UsageError: The configured durability is no level.
            StorageError: The repository is open for reading only, or its format is newer.
            CorruptFileError: ``repo.json`` does not parse.
        """
        from muse.core.transaction import Transaction  # start-up time: reading needs none

        if self.readonly:
            raise StorageError(
                f"{self.muse} is open for reading only: {self.readonly_reason}.",
                hint="status, log, diff and verify work; to write, become the owner or trust the "
                "folder with 'muse config --user safe.directories <path>'.",
            )
        _ = self.facts  # refuses to write what a newer format may give another meaning
        if who is None and self.identity is not None:
            who = self.identity()
        return Transaction(
            self.objects,
            self.refs,
            operation=operation,
            summary=summary,
            who=who or Signature("unknown", "unknown", int(time.time())),
            wait_s=wait_s,
            level=level or self.durability,
        )

    def commit(self, oid: ObjectId | RawId) -> Commit:
        """Read one commit.

        Raises:
            ObjectNotFoundError: Not stored.
            CorruptObjectError: Damaged, or no commit.
        """
        raw = to_raw(oid) if isinstance(oid, str) else oid
        return decode_commit(raw, self.objects.read(raw, expected="commit")[1])

    def base_tree(self, raw: RawId, commit: Commit) -> RawId:
        """Return the tree that a commit changes: its first parent's.

        Returns:
            The empty tree for a commit without parents, and where history ends on purpose.
        """
        if not commit.parents or raw in self.objects.boundary.read():
            return EMPTY_TREE
        return self.commit(commit.parents[0]).tree

    def head(self) -> Head:
        """Return what is checked out; see `RefStore.head`."""
        return self.refs.head()

    def head_commit(self) -> Commit | None:
        """Return the commit that is checked out; None on a branch without commits."""
        oid = self.refs.head().commit
        return None if oid is None else self.commit(oid)

    def head_tree(self) -> RawId:
        """Return the tree that is checked out; the empty tree on a branch without commits."""
        commit = self.head_commit()
        return EMPTY_TREE if commit is None else commit.tree


def _read_facts(root: Path) -> dict[str, object]:
    path = repo_json_path(root)
    data = read_bytes(path, doing="read the repository's format", limit=RECORD_BYTES)
    if not data:
        # An older layout, or an init that was killed: everything else has its default.
        return {}
    import json  # start-up time

    try:
        facts = json.loads(data)
    except ValueError as error:
        raise CorruptFileError(
            os.fspath(path), reason="it is not valid JSON", hint="'muse init' writes it anew."
        ) from error
    if not isinstance(facts, dict):
        raise CorruptFileError(
            os.fspath(path), reason="it is not an object", hint="'muse init' writes it anew."
        )
    version = facts.get("format", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise StorageError(
            f"{path} has format {version}; this program knows up to {FORMAT_VERSION}.",
            hint="Install a newer Muse; nothing was changed.",
        )
    return facts


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above ``start`` that holds ``.muse``.

    Raises:
        NotARepositoryError: There is none.
    """
    folder = Path(os.path.abspath(start))
    for candidate in (folder, *folder.parents):
        if (candidate / ".muse").is_dir():
            return candidate
    raise NotARepositoryError(os.fspath(folder))


def open_repo(
    start: Path | None = None,
    *,
    do_sweep: bool = True,
    command: str = "library",
    user_config: Path | None = None,
    trusted: Sequence[str] = (),
    unfinished: bool = False,
) -> Repository:
    """Open the repository at or above a folder, and sweep what dead writers left.

    Args:
        start: Where to look; the working directory when None.
        do_sweep: False for a look that must not write: a prompt, a refresh.
        command: What the ledger of sweeps names as the sweeper.
        user_config: The user's own settings file.
        trusted: Folders of other owners that the user allows to be written; ``*`` for all.
        unfinished: Take half a clone as well, to go on with it.

    Returns:
        The repository, with the sweep's report. One that another user owns is read-only.

    Raises:
        NotARepositoryError: No ``.muse`` at or above ``start``.
        UnfinishedCloneError: What is there is half a clone.
        UnsafePathError: A folder of it is a link that leads elsewhere.
    """
    root = find_root(start if start is not None else Path.cwd())
    if not unfinished and clone_marker_path(root).exists():
        raise UnfinishedCloneError(show_path(os.fsencode(root)))
    check_folders(root)
    repo = Repository(root, user_config=user_config)
    repo.readonly_reason = _foreign_owner(root, trusted)
    if do_sweep:
        check_shards(root)
    repo.recovered = recover(repo, command=command)
    if do_sweep and not repo.readonly:
        repo.sweep_report = sweep_and_record(root, command=command)
    return repo


def recover(repo: Repository, *, command: str) -> int:
    """Complete what a dead writer recorded in the journal, or read through it.

    Returns:
        How many objects and files had to be written; 0 when all was there.
    """
    journal.stop_seeing_through(repo.objects)
    found = journal.read_journal(repo.root)
    if not found.records or journal.is_applied(repo.objects, found):
        return 0
    if not repo.readonly:
        lock = WriteLock(repo.root, command=f"recovery by {command}", wait_s=_RECOVERY_WAIT_S)
        # A living writer may be applying its record right now: then there is nothing left.
        with contextlib.suppress(LockedError, IoFailedError), lock:
            return journal.recover(repo.objects)[1]
    journal.see_through(repo.objects, found)
    return 0


def sweep_and_record(root: Path, *, command: str) -> SweepReport:
    """Sweep, and write what was met into the ledger; a failure to write is no failure."""
    report = sweep.sweep_repository(root)
    with contextlib.suppress(MuseError, OSError):
        ledger.record_sweep(root, report, command=command)
    return report


def _foreign_owner(root: Path, trusted: Sequence[str]) -> str:
    """Say why a repository that somebody else owns is only read (G16); empty when it is ours."""
    if not hasattr(os, "geteuid"):
        return ""
    owner = os.stat(muse_dir(root)).st_uid
    # A superuser reads and writes for others as a matter of course, as in a container.
    if os.geteuid() in {owner, 0}:
        return ""
    if "*" in trusted or os.fspath(root) in trusted:
        return ""
    return f"it belongs to user {owner}, not to you"


def require_repo(start: Path | None = None) -> Path:
    """Find, recover and sweep the repository for a command, and return its root.

    ``MUSE_REPO_ROOT`` names the folder when ``start`` is not given.

    Raises:
        SystemExit: Outside a repository, with the exit code of `NotARepositoryError`. Library
            code and the interface call `open_repo`.
    """
    named = os.environ.get("MUSE_REPO_ROOT")
    try:
        repo = open_repo(start or (Path(named) if named else None), command=_command_line())
    except NotARepositoryError as error:
        raise SystemExit(error.exit_code) from error
    return repo.root


def _command_line() -> str:
    return " ".join([os.path.basename(sys.argv[0] or "python"), *sys.argv[1:2]])


def _cleanup_muse_dir_temps(muse: Path) -> int:
    """Remove the orphan temps of mutable files below a ``.muse`` folder; return how many."""
    findings = sweep.sweep_mutable_temps(muse)
    return sum(f.state == sweep.REMOVED for f in findings)


def _startup_gc(root: Path) -> SweepReport:
    """Sweep every family, whatever the folder times say."""
    findings = sweep.sweep_mutable_temps(muse_dir(root)) + sweep.sweep_object_temps(root)
    report = SweepReport(tuple(findings), len(findings), time.time())
    with contextlib.suppress(MuseError, OSError):
        ledger.record_sweep(root, report, command=_command_line())
    return report
