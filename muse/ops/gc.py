"""Pack what is loose, and drop what nothing refers to any more."""

from __future__ import annotations

from dataclasses import replace

from muse.core import journal
from muse.core.errors import StorageError
from muse.core.gc import DEFAULT_LEVEL, GcOptions, GcResult, collect
from muse.core.lock import WriteLock
from muse.core.repo import Repository
from muse.core.trash import expire_trash
from muse.core.types import Progress


def gc(
    repo: Repository,
    *,
    expire_before_s: float,
    everything: bool = False,
    dry_run: bool = False,
    logs_since_s: float | None = None,
    level: int = DEFAULT_LEVEL,
    progress: Progress | None = None,
) -> GcResult:
    """Collect garbage; readers and writers may go on beside it.

    Args:
        repo: The repository.
        expire_before_s: Unix time: unreachable objects last written before it are dropped.
        everything: Melt all packs into one, whatever their sizes.
        dry_run: Only say what would be done.
        logs_since_s: Unix time: entries of reflogs and the operation log before it protect
            nothing; None: all of them do.
        level: The zstd level for what is packed.
        progress: Called with (objects done, objects in all).

    Raises:
        StorageError: The repository is open for reading only, or a new pack does not read back.
        LockedError: Another command held the write lock for too long; nothing was removed.

    Durability:
        Killed anywhere: every object that was reachable is there and durable. Running it again
        goes on.

    See:
        G5, G7, G13.
    """
    if repo.readonly and not dry_run:
        raise StorageError(
            f"{repo.muse} is open for reading only: {repo.readonly_reason}.",
            hint="'muse gc --dry-run' works; to write, become the owner or trust the folder with "
            "'muse config --user safe.directories <path>'.",
        )
    options = GcOptions(
        expire_before_s=expire_before_s,
        everything=everything,
        dry_run=dry_run,
        level=level,
        logs_since_s=logs_since_s,
    )
    expired = 0
    if not dry_run:
        with WriteLock(repo.root, command="gc"):
            # An old one of its records would bring an entry back.
            journal.recover(repo.objects)
            journal.checkpoint(repo.root)
            expired = expire_trash(repo.root)
    return replace(collect(repo.objects, options, progress=progress), expired=expired)
