"""Repositories to collect garbage in, and what tells whether too much was collected."""

from __future__ import annotations

import os
import time
from pathlib import Path

from muse.core.gc import GcOptions, GcResult, collect
from muse.core.journal import checkpoint
from muse.core.object_store import ObjectStore
from muse.core.pack import PackWriter
from muse.core.paths import muse_dir
from muse.core.repo import Repository
from muse.core.types import ObjectType, RawId
from tests.core.repos import commit_files, make_repo

FILES = {b"readme": b"read me\n" * 50, b"src/a.py": b"a = 1\n" * 50, b"src/b.py": b"b = 2\n"}
NEVER = 0.0
LONG_AGO = time.time() - 100 * 24 * 3600
Objects = dict[RawId, tuple[ObjectType, bytes]]


def fill(root: Path) -> Repository:
    """Make a repository with two commits, all loose."""
    repo = make_repo(root)
    commit_files(repo, FILES, message="one")
    commit_files(repo, {b"readme": b"changed\n"}, message="two")
    # A journal would heal what a test damages.
    checkpoint(repo.root)
    return repo


def now() -> float:
    """Return an expiry that takes everything written up to now."""
    return time.time() + 1


def run(repo: Repository, *, expire: float = NEVER, **options: object) -> GcResult:
    """Collect, in a store of its own as a process has it."""
    settings_ = GcOptions(expire_before_s=expire, **options)  # type: ignore[arg-type]  # passed on
    return collect(ObjectStore(repo.root), settings_)


def read_all(repo: Repository) -> Objects:
    """Return every object that can be read."""
    store = ObjectStore(repo.root)
    ids = set(store.iter_loose()).union(*(pack.ids() for pack in store.packs()))
    return {raw: store.read(raw) for raw in ids}


def age(repo: Repository, *raws: RawId) -> None:
    """Make some loose objects, or without any all files of the store, old."""
    paths = [Path(repo.objects.loose_path(raw)) for raw in raws]
    for path in paths or (muse_dir(repo.root) / "objects").rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def loose(repo: Repository, data: bytes, *, old: bool = True) -> RawId:
    """Store a blob that nothing refers to."""
    raw = repo.objects.write("blob", data)
    if old:
        age(repo, raw)
    return raw


def pack_of(repo: Repository, *payloads: bytes, level: int | None = 1) -> Path:
    """Write a pack of blobs."""
    writer = PackWriter(repo.root, level=level)
    for payload in payloads:
        writer.add("blob", payload)
    path = writer.finish()
    assert path is not None
    return path


def unreachable(repo: Repository) -> list[RawId]:
    """Return what a collection of everything would drop."""
    from muse.core.reach import Reach
    from muse.core.roots import read_roots

    reach = Reach(repo.objects)
    reach.walk((root.raw, root.kind) for root in read_roots(repo.objects).roots)
    return [raw for raw in read_all(repo) if raw not in reach]
