"""Whole repositories to test with, built below the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from muse.core.commits import Commit, Signature, format_commit
from muse.core.paths import stage_path
from muse.core.repo import Repository, open_repo
from muse.core.stage import encode_stage
from muse.core.trees import EMPTY_TREE, update_tree
from muse.core.types import MODE_FILE, ObjectId, RawId, from_raw, to_raw
from muse.ops.init import init

WHO = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")
MAIN = "refs/heads/main"


def make_repo(root: Path) -> Repository:
    """Create and open an empty repository."""
    init(root)
    return open_repo(root)


def commit_files(
    repo: Repository,
    files: Mapping[bytes, bytes | None],
    *,
    ref: str = MAIN,
    message: str = "change",
) -> ObjectId:
    """Commit changes of some files on a branch; None removes one."""
    old = repo.refs.read(ref)
    with repo.transaction("commit", summary=message, who=WHO) as tx:
        changes: dict[bytes, tuple[int, RawId] | None] = {
            path: None if data is None else (MODE_FILE, tx.write_object("blob", data))
            for path, data in files.items()
        }
        base = repo.commit(old).tree if old else EMPTY_TREE
        update = update_tree(repo.objects, base, changes)
        for raw, payload in update.new:
            tx.write_hashed(raw, "tree", payload)
        parents = (to_raw(old),) if old else ()
        made = format_commit(Commit(update.root, parents, WHO, WHO, message.encode()))
        new = from_raw(tx.write_object("commit", made))
        tx.set_ref(ref, new, old=old, log=f"commit: {message}")
    return new


def stage_files(repo: Repository, files: Mapping[bytes, bytes]) -> None:
    """Stage the content of some files."""
    with repo.transaction("add", who=WHO) as tx:
        staged = {path: (MODE_FILE, tx.write_object("blob", data)) for path, data in files.items()}
        tx.write_file(stage_path(repo.root), encode_stage(staged))
