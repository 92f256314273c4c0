"""Stage changes of the working tree: contents are stored first, then the stage names them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from muse.core.file_content import BIG_FILE, FileContent
from muse.core.paths import stage_path
from muse.core.read_ahead import read_many
from muse.core.repo import Repository
from muse.core.stage import FileEntry, Stage, TreeFiles, change_stage, encode_stage, read_stage
from muse.core.types import Progress
from muse.ops.add_plan import AddPlan, make_plan, plan_from_status
from muse.ops.status import open_engine

if TYPE_CHECKING:
    from muse.core.status import StatusEngine
    from muse.core.transaction import Transaction
    from muse.core.types import RawId


class AddResult(NamedTuple):
    """What `add` staged, or would stage.

    Attributes:
        added: Files that were not tracked.
        modified: Tracked files whose new content was staged.
        removed: Tracked files that are gone.
        skipped: Nested repositories that were passed by.
        unreadable: Folders that may not be listed; what is new in them was passed by.
    """

    added: tuple[bytes, ...] = ()
    modified: tuple[bytes, ...] = ()
    removed: tuple[bytes, ...] = ()
    skipped: tuple[bytes, ...] = ()
    unreadable: tuple[bytes, ...] = ()


def add(
    repo: Repository,
    paths: Sequence[bytes],
    *,
    update: bool = False,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> AddResult:
    """Stage what changed in files and folders; removals too.

    Args:
        repo: The repository.
        paths: Files and folders; ``b""`` is the whole tree.
        update: Leave files that are not tracked.
        force: Also add what is ignored.
        dry_run: Store and stage nothing; say what would be done.
        progress: Called with (files done, total).

    Raises:
        PathNotFoundError: A path is neither in the working tree nor tracked; nothing was staged.
        MuseError: A path is ignored, or in a repository of its own; nothing was staged.
        IoFailedError: A file cannot be read; nothing was staged.

    Durability:
        Killed before the end: the stage is as it was; at most objects that nothing names stay.
        After: contents and stage are durable.

    See:
        G2, G3, G12.
    """
    if dry_run:
        stage, head = read_stage(repo.root), TreeFiles(repo.objects, repo.head_tree())
        plan, _ = make_plan(repo, paths, stage, head, update=update, force=force)
        return _result(plan, plan.read, plan.removed, stage, head)
    with repo.transaction("add") as tx:
        stage, head = read_stage(repo.root), TreeFiles(repo.objects, repo.head_tree())
        plan, engine = make_plan(repo, paths, stage, head, update=update, force=force)
        changes = _store(repo, tx, plan, engine, progress=progress)
        read = [path for path, entry in changes.items() if entry]
        removed = [path for path, entry in changes.items() if not entry]
        result = _result(plan, read, removed, stage, head)
        tx.summary = f"add: {_count(len(changes), 'path')}"
        # A hundred thousand paths are held once, not five times, while the stage is written. What
        # the cache says of files is true whether or not the stage comes to name them.
        del plan, read, removed
        if engine is not None:
            engine.save()
            del engine
        tx.publish_pack()
        after = change_stage(stage, changes, head=head)
        del changes
        write_stage(repo, tx, before=stage, after=after)
        del stage, after, head
    return result


def stage_changes(
    repo: Repository,
    tx: Transaction,
    *,
    untracked: bool,
    passed_by: list[bytes] | None = None,
    unreadable: list[bytes] | None = None,
    progress: Progress | None = None,
) -> Stage:
    """Store everything that changed in the working tree, inside a transaction.

    Args:
        repo: The repository.
        tx: Takes the contents; the stage's file is left to the caller.
        untracked: Also take files that are not tracked and not ignored.
        passed_by: Gets the folders that are left out because they are repositories of their own.
        unreadable: Gets the folders of which nothing new is taken because they cannot be listed.
        progress: Called with (files done, total).

    Returns:
        The stage that holds what was staged and all those changes.
    """
    stage, head = read_stage(repo.root), TreeFiles(repo.objects, repo.head_tree())
    engine = open_engine(repo)
    engine.refresh_all(shared=True)
    plan = plan_from_status(engine, [b""], update=not untracked)
    changes = _store(repo, tx, plan, engine, progress=progress)
    engine.save()
    if passed_by is not None and untracked:
        passed_by += plan.skipped
    if unreadable is not None:
        unreadable += sorted(plan.unreadable)
    return change_stage(stage, changes, head=head)


def write_stage(repo: Repository, tx: Transaction, *, before: Stage, after: Stage) -> None:
    """Let a transaction replace the stage's file, if it changes."""
    path = stage_path(repo.root)
    if after and after != before:
        tx.write_file(path, encode_stage(after))
    elif not after and path.exists():
        tx.remove_file(path)


def _result(
    plan: AddPlan,
    read: Sequence[bytes],
    removed: Sequence[bytes],
    stage: Stage,
    head: TreeFiles,
) -> AddResult:
    known = {path for path in read if stage.get(path, head.find(path)) is not None}
    return AddResult(
        added=tuple(sorted(path for path in read if path not in known)),
        modified=tuple(sorted(known)),
        removed=tuple(sorted(removed)),
        skipped=tuple(sorted(plan.skipped)),
        unreadable=tuple(sorted(plan.unreadable)),
    )


def _store(
    repo: Repository,
    tx: Transaction,
    plan: AddPlan,
    engine: StatusEngine | None,
    *,
    progress: Progress | None,
) -> Mapping[bytes, FileEntry | None]:
    """Store the planned contents; return the changes for the stage."""
    root = os.fsencode(repo.root)
    changes: dict[bytes, FileEntry | None] = dict.fromkeys(plan.removed)
    if engine is not None:
        engine.drop_entries()
        engine.worktree.files.expect(plan.read)

    def sink(size: int, chunks: Iterator[bytes]) -> RawId:
        return tx.write_stream("blob", size, chunks)

    contents = read_many((root + b"/" + path for path in plan.read), sink=sink)
    for done, (path, content) in enumerate(zip(plan.read, contents, strict=True), 1):
        if content is None:
            # Gone since it was seen.
            changes[path] = None
            continue
        if not isinstance(content, FileContent):
            raise content
        if content.data is not None:
            tx.write_hashed(content.raw, "blob", content.data)
        changes[path] = (content.mode, content.raw)
        if engine is not None:
            engine.worktree.files.note_content(path, content)
        if progress is not None and (done % 64 == 0 or content.key[2] > BIG_FILE):
            progress(done, len(plan.read))
    return changes


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
