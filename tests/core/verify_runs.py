"""Repositories to verify, faults to plant in them, and what reads the report."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from muse.core.findings import Finding
from muse.core.pack import PackWriter
from muse.core.pack_format import RECORD_SIZE
from muse.core.paths import muse_dir
from muse.core.repo import Repository
from muse.core.trees import find_in_tree
from muse.core.types import RawId, to_raw
from muse.core.verify import VerifyReport, verify_store
from tests.core.packs import patch
from tests.core.repos import MAIN, commit_files, make_repo, stage_files

FILES = {
    b"readme": b"read me first\n" * 40,
    b"src/a.py": b"print('a')\n" * 40,
    b"src/deep/er/b.py": b"print('b')\n" * 40,
}
FORMS = ("loose", "packed")
VICTIMS = ("blob", "tree", "commit")


def fill(root: Path) -> Repository:
    """Make a repository with two commits and something staged."""
    repo = make_repo(root)
    commit_files(repo, FILES, message="one")
    commit_files(repo, {b"readme": b"changed\n"}, message="two")
    stage_files(repo, {b"staged.txt": b"staged\n"})
    return repo


def verify(repo: Repository) -> VerifyReport:
    """Verify, and hold that nothing below ``.muse`` has changed."""
    before = snapshot(repo.root)
    report = verify_store(repo.root)
    assert snapshot(repo.root) == before
    return report


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Return every file's bytes."""
    return {
        str(path): path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else None
        for path in muse_dir(root).rglob("*")
    }


def pack_all(repo: Repository, *, apart: RawId | None = None) -> None:
    """Move every loose object into one pack, and one of them into a pack of its own."""
    loose = list(repo.objects.iter_loose())
    for group in ([raw for raw in loose if raw != apart], [apart] if apart else []):
        writer = PackWriter(repo.root, level=1)
        for raw in group:
            writer.add(*repo.objects.read(raw))
        writer.finish()
    for raw in loose:
        os.unlink(repo.objects.loose_path(raw))
    repo.objects.refresh()


def find_victim(repo: Repository, kind: str) -> tuple[RawId, str]:
    """Return an object of that type that HEAD needs, and the end of the touch that names it."""
    head = repo.refs.read(MAIN)
    assert head is not None
    short = head.removeprefix("sha256:")[:8]
    if kind == "commit":
        return to_raw(head), "main"
    path = b"src/a.py" if kind == "blob" else b"src/deep"
    entry = find_in_tree(repo.objects, repo.commit(head).tree, path)
    assert entry is not None
    return entry.raw, f"main → {short} → {path.decode()}"


def locate(repo: Repository, raw: RawId) -> tuple[Path, int, int]:
    """Return the file that holds an object, and where its bytes begin and end in it."""
    loose = Path(repo.objects.loose_path(raw))
    if loose.exists():
        return loose, 0, loose.stat().st_size
    pack = next(pack for pack in repo.objects.packs() if raw in pack)
    offset = pack.find(raw)
    found = pack.read_stored(raw)
    assert offset is not None
    assert found is not None
    return pack.path, offset, offset + RECORD_SIZE + found[0].stored


def set_bytes(path: Path, start: int, data: bytes) -> None:
    """Overwrite a few bytes in place."""
    patch(path, lambda content: content.__setitem__(slice(start, start + len(data)), data))


def flip(path: Path, at: int) -> None:
    """Flip one bit."""
    patch(path, lambda content: content.__setitem__(at, content[at] ^ 4))


Plant = Callable[[Path, int, int], None]
FAULTS: dict[str, Plant] = {
    "missing": lambda path, _start, _end: path.unlink(),
    "empty": lambda path, _start, _end: patch(path, bytearray.clear),
    "truncated": lambda path, _start, end: patch(
        path, lambda data: data.__delitem__(slice(end - 3, None))
    ),
    "bit flip in the bytes": lambda path, _start, end: flip(path, end - 1),
    "bit flip in the header": lambda path, start, _end: flip(path, start + 1),
    "zeros": lambda path, start, end: set_bytes(path, start, bytes(end - start)),
    "zeros in the bytes": lambda path, start, end: set_bytes(path, end - 20, bytes(20)),
}


def only(report: VerifyReport) -> Finding:
    """Return the one finding."""
    assert len(report.findings) == 1, [f.message for f in report.findings]
    return report.findings[0]
