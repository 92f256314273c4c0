"""What a repository is, all of it: refs, HEAD, the stage and every file of the working tree."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from muse.core.commits import Signature
from muse.core.repo import Repository, open_repo
from muse.core.stage import FileEntry, read_stage
from muse.core.types import ObjectId
from muse.ops.init import init

WHO = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")

Files = dict[str, tuple[str, bytes]]


class State(NamedTuple):
    """A repository at one moment."""

    head: str
    refs: dict[str, ObjectId]
    stage: dict[bytes, FileEntry | None]
    files: Files


def make_repo(root: Path) -> Repository:
    """Create an empty repository whose author is fixed."""
    init(root)
    repo = open_repo(root)
    repo.identity = lambda: WHO
    return repo


def read_state(repo: Repository) -> State:
    """Read everything anew from disk."""
    return State(
        repo.refs.head_text(),
        dict(repo.refs.iter()),
        dict(read_stage(repo.root)),
        read_files(repo.root),
    )


def read_files(root: Path) -> Files:
    """Return kind and content of every file and link below a folder, except Muse's own."""
    found: Files = {}
    for base, folders, names in os.walk(root):
        if ".muse" in folders:
            folders.remove(".muse")
        for name in [*names, *(n for n in folders if Path(base, n).is_symlink())]:
            full = Path(base, name)
            path = str(full.relative_to(root))
            if full.is_symlink():
                found[path] = ("link", os.fsencode(os.readlink(full)))
            else:
                kind = "exec" if full.stat().st_mode & stat.S_IXUSR else "file"
                found[path] = (kind, full.read_bytes())
    return found


def write(root: Path, files: dict[str, str]) -> None:
    """Write some text files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
