"""What a repository looks like after whatever happened to it: the facts, without touching them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from muse.core.config import read_tables
from muse.core.errors import MuseError
from muse.core.ledger import LedgerEntry, read_ledger
from muse.core.lock import LockOwner, find_owner
from muse.core.paths import (
    config_path,
    drafts_dir,
    jobs_dir,
    journal_dir,
    pack_dir,
    stat_cache_path,
)
from muse.core.repo import Repository
from muse.core.stage import read_stage
from muse.core.sweep import TempFinding, sweep_repository


class DamagedRef(NamedTuple):
    """A ref that holds no id or names what is not there, or a durable file that does not parse.

    Attributes:
        name: The ref's full name, or the file's below ``.muse/``.
        problem: What is wrong, and the way out.
    """

    name: str
    problem: str


class HealthReport(NamedTuple):
    """The state of a repository.

    Attributes:
        swept: What this command's own sweep met.
        present: Temps that are there now: in use, waiting, or orphans that stay.
        ledger: Earlier sweeps that met something, newest first.
        lock: Who holds the write lock; None when it is free.
        loose_objects: How many loose objects there are.
        packs: How many packs.
        packed_objects: How many objects they hold.
        pack_bytes: Their size on disk.
        journals: Transactions that are not checkpointed.
        jobs: Names of job folders.
        drafts: Names of saved drafts.
        damaged_refs: Refs that need help.
        damaged_files: Stage, settings or ``repo.json`` that cannot be read.
        cached: Whether there is a stat cache.
        disk_free_bytes: Free space for this user.
        readonly_reason: Why nothing is written; empty when writing works.
        durability: What transactions do against a power cut: ``full``, ``batch`` or ``none``.
    """

    swept: tuple[TempFinding, ...]
    present: tuple[TempFinding, ...]
    ledger: tuple[LedgerEntry, ...]
    lock: LockOwner | None
    loose_objects: int
    packs: int
    packed_objects: int
    pack_bytes: int
    journals: int
    jobs: tuple[str, ...]
    drafts: tuple[str, ...]
    damaged_refs: tuple[DamagedRef, ...]
    damaged_files: tuple[DamagedRef, ...]
    cached: bool
    disk_free_bytes: int
    readonly_reason: str
    durability: str

    @property
    def healthy(self) -> bool:
        """Whether nothing needs a person: damage, or orphans that stay."""
        orphans = any(f.state == "orphan" for f in self.present)
        return not (self.damaged_refs or self.damaged_files or orphans)


def read_health(repo: Repository, *, history: int = 20) -> HealthReport:
    """Collect the facts; nothing is written or removed here.

    Args:
        repo: As `open_repo` returned it: its own sweep is part of the report.
        history: How many earlier sweeps to tell of.
    """
    packs = repo.objects.packs()
    space = os.statvfs(repo.muse)
    return HealthReport(
        swept=repo.sweep_report.findings if repo.sweep_report else (),
        present=sweep_repository(repo.root, remove=False).findings,
        ledger=tuple(read_ledger(repo.root)[:history]),
        lock=find_owner(repo.root),
        loose_objects=sum(1 for _ in repo.objects.iter_loose()),
        packs=len(packs),
        packed_objects=sum(len(pack) for pack in packs),
        pack_bytes=_folder_bytes(pack_dir(repo.root)),
        journals=len(_names(journal_dir(repo.root))),
        jobs=_names(jobs_dir(repo.root)),
        drafts=_names(drafts_dir(repo.root)),
        damaged_refs=tuple(iter_damaged_refs(repo)),
        damaged_files=tuple(iter_damaged_files(repo)),
        cached=stat_cache_path(repo.root).exists(),
        disk_free_bytes=space.f_bavail * space.f_frsize,
        readonly_reason=repo.readonly_reason,
        durability=repo.durability,
    )


def iter_damaged_refs(repo: Repository) -> Iterator[DamagedRef]:
    """Yield HEAD and refs that hold no id, or whose object is not stored."""
    try:
        repo.head()
    except MuseError as error:
        yield DamagedRef("HEAD", f"{error.message} {error.hint}")
    for name in repo.refs.iter_names():
        try:
            oid = repo.refs.read(name)
            if oid is not None:
                repo.objects.read_object(oid)
        except MuseError as error:
            yield DamagedRef(name, f"{error.message} {error.hint}")


def iter_damaged_files(repo: Repository) -> Iterator[DamagedRef]:
    """Yield the durable files beside the refs that cannot be read as what they are."""
    looks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("code/stage.msgpack", lambda: read_stage(repo.root)),
        ("config.toml", lambda: read_tables(config_path(repo.root))),
        ("repo.json", lambda: Repository(repo.root).facts),
    )
    for name, look in looks:
        try:
            look()
        except MuseError as error:
            yield DamagedRef(name, f"{error.message} {error.hint}")


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(n for n in os.listdir(folder) if not n.startswith(".")))
    except OSError:
        return ()


def _folder_bytes(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(e.stat(follow_symlinks=False).st_size for e in entries)
    except OSError:
        return 0
