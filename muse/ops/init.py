"""Create a repository, or complete one that is half there."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from muse.core import temps
from muse.core.config import Config
from muse.core.errors import MuseError, StorageError
from muse.core.io import (
    NewFile,
    make_dirs,
    read_bytes,
    sync_filesystem,
    write_bytes_atomic,
)
from muse.core.lock import WriteLock
from muse.core.paths import config_path, head_path, muse_dir, repo_json_path, temp_folder
from muse.core.plain_files import RECORD_BYTES
from muse.core.refs import DEFAULT_BRANCH, HEADS, check_ref_name
from muse.core.repo import FORMAT_VERSION

_FOLDERS = (
    "objects/sha256",
    "objects/pack",
    # Durable from here on: a writer that made it, and died, would leave a name that a cut takes
    # with the records of the next one.
    "journal",
    "refs/heads",
    "refs/tags",
    "refs/remotes",
    "logs",
    "code",
    "cache",
    "health",
    "tmp",
)


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `init` did.

    Attributes:
        root: The repository's folder.
        created: False when a whole repository was there already.
        bare: Whether it has no working tree.
        branch: The branch that HEAD names.
    """

    root: Path
    created: bool
    bare: bool
    branch: str


def init(folder: Path, *, bare: bool = False, branch: str = DEFAULT_BRANCH) -> InitResult:
    """Create a repository in a folder, which is made when missing.

    Args:
        folder: Where; an existing repository there is completed and otherwise left as it is.
        bare: No working tree: a place to push to.
        branch: The first branch's name.

    Raises:
        UnsafeNameError: ``branch`` is not a legal name.
        StorageError: The folder is a file.
        IoFailedError: The system refused.

    Durability:
        Killed before the end: no repository, or one that works and that the next `init`
        completes. After: all of it survives a power cut.
    """
    check_ref_name(HEADS + branch)
    if folder.exists() and not folder.is_dir():
        raise StorageError(
            f"'{folder}' is a file; a repository needs a folder.", hint="Name another place."
        )
    muse = muse_dir(folder)
    for name in _FOLDERS:
        make_dirs(muse / name)
    with WriteLock(folder, command="init"):
        facts = _read_facts(folder)
        created = facts is None
        if facts is None:
            bare = bare or _was_bare(folder)
            _write_files(folder, branch=branch, bare=bare)
            # One call for all the new names.
            sync_filesystem(muse)
            # A repository without it is one that `init` has still to finish: it comes last, and
            # becomes durable last.
            facts = _write_facts(folder, bare=bare)
    return InitResult(folder, created, facts.get("bare") is True, branch)


def _read_facts(folder: Path) -> dict[str, object] | None:
    """Return what the repository says of itself; None when that is missing or damaged."""
    data = read_bytes(
        repo_json_path(folder), doing="read the repository's format", limit=RECORD_BYTES
    )
    try:
        facts = json.loads(data or b"")
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def _was_bare(folder: Path) -> bool:
    """Tell whether a repository whose ``repo.json`` is gone or damaged had no working tree."""
    try:
        return Config(config_path(folder)).get("core.bare") == "true"
    except MuseError:
        return False


def _write_files(folder: Path, *, branch: str, bare: bool) -> None:
    # Those that exist are left as they are, so each must be whole when it appears.
    if not head_path(folder).exists():
        _write_whole(head_path(folder), f"ref: {HEADS}{branch}\n".encode())
    if not config_path(folder).exists():
        text = b"# Settings of this repository: see 'muse config'.\n"
        # What `repo.json` says, once more, for the day when that is damaged.
        text += b"\n[core]\nbare = true\n" if bare else b""
        _write_whole(config_path(folder), text)


def _write_whole(path: Path, data: bytes) -> None:
    with NewFile(temp_folder(path), family=temps.MUTABLE, mode=0o644) as new:
        new.write(data)
        new.sync()
        new.publish(path, replace=True)


def _write_facts(folder: Path, *, bare: bool) -> dict[str, object]:
    facts: dict[str, object] = {
        "format": FORMAT_VERSION,
        "id": os.urandom(16).hex(),
        "bare": bare,
        "created_at": int(time.time()),
        "objects": "sha256",
    }
    data = json.dumps(facts, indent=2).encode() + b"\n"
    write_bytes_atomic(repo_json_path(folder), data, durable=True)
    return facts
