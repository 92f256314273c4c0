"""Shelves: changes put aside without a commit on any branch.

A shelf is a commit below ``refs/shelves/``, so that nothing of it is ever collected or lost. Its
tree is the working tree as it was, new files included, its parent what was checked out. The files
then go back to HEAD through the trash; all of it is one operation, which ``z`` takes back.
"""

from __future__ import annotations

import time
from typing import Final

from muse.core.commits import Commit, format_commit
from muse.core.errors import MuseError, NothingToCommitError
from muse.core.paths import show_path, show_text
from muse.core.stage import FileEntry, Stage, TreeFiles, read_stage, stage_tree
from muse.core.status import StatusEngine
from muse.core.trash import TrashItem, encode_entry, entry_path, new_entry
from muse.core.tree_diff import diff_trees
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.ops.add import stage_changes, write_stage
from muse.ops.file_moves import FileMove, apply_moves, plan_moves
from muse_tui.backend.place import Place
from muse_tui.words import ago, plural

SHELVES: Final = "refs/shelves/"


def read_shelves(place: Place) -> tuple[tuple[str, str, str], ...]:
    """Return (name of the ref, what it is, its age) of each shelf, newest first."""
    found = []
    for name, oid in place.repo.refs.iter(SHELVES):
        try:
            commit = place.repo.commit(oid)
        except MuseError:
            continue
        age = ago(time.time() - commit.committer.time_s)
        found.append((commit.committer.time_s, name, show_text(commit.subject), age))
    return tuple((name, subject, age) for _, name, subject, age in sorted(found, reverse=True))


def shelve(place: Place) -> str:
    """Put all changes aside, staged or not, new files too; return what was shelved.

    Raises:
        NothingToCommitError: Nothing changed.

    Durability:
        The shelf and the trash entry are durable before the first file is touched.
    """
    repo = place.repo
    who = place.signature()
    with repo.transaction("shelve") as tx:
        head_tree = repo.head_tree()
        head = TreeFiles(repo.objects, head_tree)
        before = read_stage(repo.root)
        changed = stage_changes(repo, tx, untracked=True)
        if not changed:
            raise NothingToCommitError("Nothing changed: there is nothing to shelve.")
        update = stage_tree(repo.objects, head_tree, changed)
        for raw, payload in update.new:
            tx.write_hashed(raw, "tree", payload)
        parent = repo.head().commit
        name = f"{plural(len(changed), 'file')} on {repo.head().branch or 'a detached HEAD'}: "
        name += ", ".join(show_path(path) for path in sorted(changed)[:3])
        commit = Commit(
            update.root, (to_raw(parent),) if parent else (), who, who, name.encode() + b"\n"
        )
        oid = from_raw(tx.write_object("commit", format_commit(commit)))
        ref = f"{SHELVES}{time.time_ns() // 1_000_000}"
        tx.set_ref(ref, oid, old=None, log="shelve")
        items = _items(place, changed, head)
        entry = new_entry("shelve", items)
        tx.write_file(entry_path(repo.root, entry.id), encode_entry(entry))
        tx.details["trash"] = entry.id
        write_stage(repo, tx, before=before, after=Stage())
        tx.summary = f"shelve: {name}"
    apply_moves(repo, plan_moves(repo, items, back=False))
    return name


def _items(place: Place, changed: Stage, head: TreeFiles) -> list[TrashItem]:
    """Return what each changed file is and becomes; files that are as HEAD has them are left."""
    items = []
    status = StatusEngine(place.root, place.repo.objects, place.repo.refs, config=place.repo.config)
    status.refresh_all()
    for path, entry in changed.items():
        committed = head.find(path)
        found: FileEntry | None = status.worktree.find_file(path, read=True)
        if found is None and entry is not None and status.worktree.is_untracked(path):
            found = entry
        if found != committed:
            items.append(TrashItem(path, found, committed, committed is None))
    return items


def unshelve(place: Place, ref: str) -> str:
    """Take a shelf out again, into the working tree; return what it was.

    Raises:
        ConflictError: A file is not as it was when the shelf was made; nothing was touched.
    """
    repo = place.repo
    with repo.transaction("unshelve") as tx:
        oid = repo.refs.read(ref)
        if oid is None:
            raise MuseError("This shelf is gone.", hint="s lists the shelves that there are.")
        commit = repo.commit(oid)
        base = repo.commit(commit.parents[0]).tree if commit.parents else EMPTY_TREE
        items = [
            TrashItem(change.path, _entry(change.old_mode, change.old),
                      _entry(change.new_mode, change.new), change.old is None)
            for change in diff_trees(repo.objects, base, commit.tree, renames=None)
        ]  # fmt: skip
        moves: list[FileMove] = plan_moves(repo, items, back=False)
        entry = new_entry("unshelve", items)
        tx.write_file(entry_path(repo.root, entry.id), encode_entry(entry))
        tx.details["trash"] = entry.id
        tx.set_ref(ref, None, old=ObjectId(oid), log="")
        name = show_text(commit.subject)
        tx.summary = f"unshelve: {name}"
    apply_moves(repo, moves)
    return name


def _entry(mode: int, raw: bytes | None) -> FileEntry | None:
    return None if raw is None else (mode, RawId(raw))
