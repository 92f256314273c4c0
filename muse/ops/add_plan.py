"""Decide what `add` stages: which files to read, which to take off, which paths to refuse."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from muse.core.errors import MuseError, PathNotFoundError, UsageError
from muse.core.file_content import StatKey, tree_mode
from muse.core.paths import show_path
from muse.core.repo import Repository
from muse.core.scan import find_key, is_folder_key, iter_parents, list_folder
from muse.core.stage import Stage, TreeFiles, iter_index
from muse.ops.status import open_engine

if TYPE_CHECKING:
    from muse.core.status import StatusEngine

# Up to this many named files are looked at one by one, without the stat cache.
_FEW = 100


class AddPlan:
    """What to stage.

    Attributes:
        read: Files to read; what they hold is to be staged.
        removed: Tracked files that are gone.
        skipped: Nested repositories that are passed by.
        unreadable: Folders that may not be listed; what is new in them is passed by.
    """

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.removed: list[bytes] = []
        self.skipped: list[bytes] = []
        self.unreadable: list[bytes] = []


def make_plan(
    repo: Repository,
    paths: Sequence[bytes],
    stage: Stage,
    head: TreeFiles,
    *,
    update: bool,
    force: bool,
) -> tuple[AddPlan, StatusEngine | None]:
    """Plan for what a user named.

    Args:
        repo: The repository.
        paths: Files and folders; ``b""`` is the whole tree.
        stage: What is staged.
        head: HEAD's tree.
        update: Leave files that are not tracked.
        force: Also take what is ignored.

    Returns:
        The plan, and the engine that looked; None when a few files were looked at without one.

    Raises:
        UsageError: Nothing was named.
        PathNotFoundError: A path names nothing.
        MuseError: A path is ignored, or lies in another repository.
        IoFailedError: Something cannot be looked at.
    """
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
        engine.refresh_all(shared=True)
    else:
        engine.refresh_some(paths)
    for path in paths:
        _check_named(engine, root, path, stage, head, force=force or update)
    plan = plan_from_status(engine, paths, update=update)
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
) -> AddPlan | None:
    """Plan for a few named files; None when a folder is concerned after all."""
    engine = open_engine(repo)
    root = os.fsencode(repo.root)
    plan = AddPlan()
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
        if _is_tracked(path, stage, head):
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
        if nested and not _is_tracked(folder, stage, head):
            raise MuseError(
                f"'{show_path(folder)}' is a repository of its own: it cannot be added.",
                hint="Ignore it with a line in .museignore, or remove its .git or .muse.",
            )
    if not force and engine.worktree.rules.is_ignored(path, is_folder=is_folder):
        raise MuseError(
            f"'{show_path(path)}' is ignored by the rules in .gitignore or .museignore.",
            hint="Use -f to add it nevertheless.",
        )


def _is_tracked(path: bytes, stage: Stage, head: TreeFiles) -> bool:
    """Tell whether the next commit has, so far, a file of this name or below it."""
    return next(iter_index(stage, head, path), None) is not None


def _find_key(root: bytes, path: bytes) -> StatKey | None:
    """Return a path's stat key; None also for what lies behind a link."""
    if all(is_folder_key(find_key(root, parent)) for parent in iter_parents(path)):
        return find_key(root, path)
    return None


def plan_from_status(engine: StatusEngine, paths: Sequence[bytes], *, update: bool) -> AddPlan:
    """Plan for all that differs below some paths.

    Args:
        engine: Refreshed, for those paths at least.
        paths: Files and folders.
        update: Leave files that are not tracked.
    """
    plan = AddPlan()
    everything = b"" in paths
    names = set(paths)
    for path, _, code in engine.iter_entries():
        if code == " " or not (everything or _is_selected(path, names)):
            continue
        if code == "D":
            plan.removed.append(path)
        elif code != "?":
            plan.read.append(path)
        elif update:
            continue
        elif path.endswith(b"/"):
            plan.skipped.append(path)
        else:
            plan.read.append(path)
    if not update:
        hidden = engine.worktree.unreadable
        plan.unreadable += (p for p in hidden if everything or _is_selected(p, names))
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
