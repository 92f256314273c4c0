"""Stage changes of the working tree: contents are stored first, then the stage names them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from muse.core.errors import MuseError, PathNotFoundError, UsageError
from muse.core.file_content import BIG_FILE, StatKey, read_content, tree_mode
from muse.core.paths import show_path, stage_path
from muse.core.repo import Repository
from muse.core.scan import find_key, is_folder_key, iter_parents, list_folder
from muse.core.stage import FileEntry, Stage, TreeFiles, change_stage, encode_stage, read_stage
from muse.core.types import Progress
from muse.ops.status import open_engine

if TYPE_CHECKING:
    from muse.core.status import StatusEngine
    from muse.core.transaction import Transaction
    from muse.core.types import RawId

# Up to this many named files are looked at one by one, without the stat cache.
_FEW = 100


@dataclass(frozen=True, slots=True)
class AddResult:
    """What `add` staged, or would stage.

    Attributes:
        added: Files that were not tracked.
        modified: Tracked files whose new content was staged.
        removed: Tracked files that are gone.
        skipped: Nested repositories that were passed by.
    """

    added: tuple[bytes, ...] = ()
    modified: tuple[bytes, ...] = ()
    removed: tuple[bytes, ...] = ()
    skipped: tuple[bytes, ...] = ()


@dataclass(slots=True)
class _Plan:
    """What to stage: paths to read, and paths to remove."""

    read: list[bytes] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    skipped: list[bytes] = field(default_factory=list)


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
        plan, _ = _make_plan(repo, paths, stage, head, update=update, force=force)
        return _result(plan, plan.read, plan.removed, stage, head)
    with repo.transaction("add") as tx:
        stage, head = read_stage(repo.root), TreeFiles(repo.objects, repo.head_tree())
        plan, engine = _make_plan(repo, paths, stage, head, update=update, force=force)
        changes = _store(repo, tx, plan, engine, progress=progress)
        read = [path for path, entry in changes.items() if entry]
        removed = [path for path, entry in changes.items() if not entry]
        result = _result(plan, read, removed, stage, head)
        tx.summary = f"add: {_count(len(changes), 'path')}"
        write_stage(repo, tx, before=stage, after=change_stage(stage, changes, head=head))
        # A hundred thousand paths are held once, not five times, while the files are written.
        del stage, head, plan, changes, read, removed
    if engine is not None:
        engine.save()
    return result


def stage_changes(
    repo: Repository,
    tx: Transaction,
    *,
    untracked: bool,
    passed_by: list[bytes] | None = None,
    progress: Progress | None = None,
) -> Stage:
    """Store everything that changed in the working tree, inside a transaction.

    Args:
        repo: The repository.
        tx: Takes the contents; the stage's file is left to the caller.
        untracked: Also take files that are not tracked and not ignored.
        passed_by: Gets the folders that are left out because they are repositories of their own.
        progress: Called with (files done, total).

    Returns:
        The stage that holds what was staged and all those changes.
    """
    stage, head = read_stage(repo.root), TreeFiles(repo.objects, repo.head_tree())
    engine = open_engine(repo)
    engine.refresh_all()
    plan = _plan_from_status(engine, [b""], update=not untracked)
    changes = _store(repo, tx, plan, engine, progress=progress)
    engine.save()
    if passed_by is not None and untracked:
        passed_by += plan.skipped
    return change_stage(stage, changes, head=head)


def write_stage(repo: Repository, tx: Transaction, *, before: Stage, after: Stage) -> None:
    """Let a transaction replace the stage's file, if it changes."""
    path = stage_path(repo.root)
    if after and after != before:
        tx.write_file(path, encode_stage(after))
    elif not after and path.exists():
        tx.remove_file(path)


def _result(
    plan: _Plan,
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
    )


# -- what to stage ---------------------------------------------------------------------------


def _make_plan(
    repo: Repository,
    paths: Sequence[bytes],
    stage: Stage,
    head: TreeFiles,
    *,
    update: bool,
    force: bool,
) -> tuple[_Plan, StatusEngine | None]:
    if not paths:
        raise UsageError(
            "Nothing was named to add.",
            hint="'muse add .' adds everything here; 'muse add -A' everything there is.",
        )
    engine = open_engine(repo)
    root = os.fsencode(repo.root)
    folders = [path for path in paths if not path or is_folder_key(find_key(root, path))]
    if not folders and len(paths) <= _FEW:
        plan = _plan_files(repo, paths, stage, head, update=update, force=force)
        if plan is not None:
            return plan, None
    if b"" in paths:
        engine.refresh_all()
    else:
        engine.refresh_some(paths)
    for path in paths:
        _check_named(engine, root, path, stage, head, force=force or update)
    plan = _plan_from_status(engine, paths, update=update)
    if force and not update:
        tracked = set(plan.read)
        for path in paths:
            plan.read += [p for p in _walk_all(root, path) if p not in tracked]
        plan.read = [p for p in dict.fromkeys(plan.read) if not _is_unchanged(engine, p)]
    return plan, engine


def _plan_files(
    repo: Repository,
    paths: Sequence[bytes],
    stage: Stage,
    head: TreeFiles,
    *,
    update: bool,
    force: bool,
) -> _Plan | None:
    """Plan for a few named files; None when a folder is concerned after all."""
    engine = open_engine(repo)
    root = os.fsencode(repo.root)
    plan = _Plan()
    for path in dict.fromkeys(paths):
        key = _find_key(root, path)
        index = stage.get(path, head.find(path))
        if key is None or not tree_mode(key[0]):
            if index is None:
                return None
            plan.removed.append(path)
            continue
        _check_named(engine, root, path, stage, head, force=force or update)
        if index is not None or not update:
            plan.read.append(path)
    return plan


def _check_named(
    engine: StatusEngine,
    root: bytes,
    path: bytes,
    stage: Stage,
    head: TreeFiles,
    *,
    force: bool,
) -> None:
    """Refuse a named path that cannot be added.

    Raises:
        PathNotFoundError: There is nothing of this name, here or in HEAD or the stage.
        MuseError: It is ignored, or lies in another repository.
    """
    if not path:
        return
    key = _find_key(root, path)
    is_folder = is_folder_key(key)
    if stage.get(path, head.find(path)) is not None:
        return
    if key is None:
        if has_index_below(path, stage, head):
            return
        raise PathNotFoundError(
            f"'{show_path(path)}' is neither in the working tree nor tracked.",
            hint="Check the spelling; what lies behind a link is not in the working tree.",
        )
    if not is_folder and not tree_mode(key[0]):
        raise MuseError(
            f"'{show_path(path)}' is no file, link or folder: it cannot be added.",
            hint="Sockets, pipes and devices are not tracked.",
        )
    for folder in (*iter_parents(path), *([path] if is_folder else [])):
        listing = list_folder(root, folder)
        nested = listing is not None and listing.is_repository
        if nested and not has_index_below(folder, stage, head):
            raise MuseError(
                f"'{show_path(folder)}' is a repository of its own: it cannot be added.",
                hint="Ignore it with a line in .museignore, or remove its .git or .muse.",
            )
    if not force and engine.worktree.rules.is_ignored(path, is_folder=is_folder):
        raise MuseError(
            f"'{show_path(path)}' is ignored by the rules in .gitignore or .museignore.",
            hint="Use -f to add it nevertheless.",
        )


def has_index_below(folder: bytes, stage: Stage, head: TreeFiles) -> bool:
    """Tell whether the next commit has, so far, a file below a folder."""
    prefix = folder + b"/"
    if any(entry and path.startswith(prefix) for path, entry in stage.items()):
        return True
    return any(stage.get(path, entry) for path, entry in head.iter_below(folder))


def _find_key(root: bytes, path: bytes) -> StatKey | None:
    """Return a path's stat key; None also for what lies behind a link."""
    if all(is_folder_key(find_key(root, parent)) for parent in iter_parents(path)):
        return find_key(root, path)
    return None


def _plan_from_status(engine: StatusEngine, paths: Sequence[bytes], *, update: bool) -> _Plan:
    plan = _Plan()
    everything = b"" in paths
    names = set(paths)
    for path, _, code in engine.status().entries:
        if code == " " or not (everything or _is_selected(path, names)):
            continue
        if code == "D":
            plan.removed.append(path)
        elif code != "?":
            plan.read.append(path)
        elif path.endswith(b"/"):
            plan.skipped.append(path)
        elif not update:
            plan.read.append(path)
    return plan


def _is_selected(path: bytes, names: set[bytes]) -> bool:
    return path in names or any(parent in names for parent in iter_parents(path))


def _walk_all(root: bytes, top: bytes) -> Iterator[bytes]:
    """Yield every file below a folder, ignored ones too; a file's own path for a file."""
    pending = [top]
    while pending:
        folder = pending.pop()
        listing = list_folder(root, folder)
        if listing is None:
            key = find_key(root, folder)
            if key is not None and tree_mode(key[0]):
                yield folder
            continue
        if listing.is_repository:
            continue
        prefix = folder + b"/" if folder else b""
        yield from (prefix + name for name in listing.files)
        pending += [prefix + name for name in listing.folders]


def _is_unchanged(engine: StatusEngine, path: bytes) -> bool:
    index = engine.stage.get(path, engine.worktree.find_base(path))
    return index is not None and engine.entry(path) is None


# -- storing ---------------------------------------------------------------------------------


def _store(
    repo: Repository,
    tx: Transaction,
    plan: _Plan,
    engine: StatusEngine | None,
    *,
    progress: Progress | None,
) -> Mapping[bytes, FileEntry | None]:
    """Store the planned contents; return the changes for the stage."""
    root = os.fsencode(repo.root)
    changes: dict[bytes, FileEntry | None] = dict.fromkeys(plan.removed)
    if engine is not None:
        engine.drop_entries()
        engine.worktree.expect(plan.read)

    def sink(size: int, chunks: Iterator[bytes]) -> RawId:
        return tx.write_stream("blob", size, chunks)

    for done, path in enumerate(plan.read, 1):
        content = read_content(root + b"/" + path, sink=sink)
        if content is None:
            # Gone since it was seen.
            changes[path] = None
            continue
        if content.data is not None:
            tx.write_hashed(content.raw, "blob", content.data)
        changes[path] = (content.mode, content.raw)
        if engine is not None:
            work = engine.worktree
            work.files_read += 1
            work.bytes_read += content.key[2]
            if content.settled:
                work.remember(path, content.key, content.raw)
        if progress is not None and (done % 64 == 0 or content.key[2] > BIG_FILE):
            progress(done, len(plan.read))
    return changes


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
