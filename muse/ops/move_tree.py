"""Move the working tree to another commit's tree, inside a transaction that moves HEAD.

For every verb that changes what is checked out: switch, pull, clone, undo. The order of writes::

    record durable  →  files  →  files durable  →  refs, HEAD, stage in one step  →  record gone

    killed before the record     nothing happened
    killed after it              HEAD is old; the same verb finishes, a switch back undoes
    killed after the transaction all of it happened
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.checkout import CheckoutPlan, LocalFiles, apply_checkout, plan_checkout
from muse.core.checkout_record import (
    CheckoutRecord,
    checkout_record_path,
    read_interrupted_checkout,
    write_checkout_record,
)
from muse.core.errors import StorageError, UsageError
from muse.core.file_content import StatKey, is_settled
from muse.core.io import sync_filesystem
from muse.core.paths import show_path, show_text
from muse.core.refs import Head
from muse.core.repo import Repository
from muse.core.stage import TreeFiles, read_stage, without_noops
from muse.core.stat_cache import StatCache
from muse.core.stat_cache_file import load_stat_cache, save_stat_cache
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, Progress, RawId
from muse.core.worktree import WorkTree
from muse.ops.add import write_stage

if TYPE_CHECKING:
    from muse.core.transaction import Transaction

# Up to this many files are made durable one by one; one call for the whole file system beyond.
_FEW: Final = 8
# The keys in an operation's details that `undo` looks for: that files moved, and what they were
# where that was not what the old tree had.
FILES_MOVED: Final = "files"
LOCAL: Final = "local"
_MANY_LOCAL: Final = 1000


def encode_local(local: LocalFiles) -> str:
    """Encode what files were for an operation's details."""
    return json.dumps([[os.fsdecode(path) for path in paths] for paths in local])


def decode_local(text: str) -> LocalFiles:
    """Decode what `encode_local` wrote; nothing where it cannot be read."""
    try:
        kept, missing = json.loads(text)
        return LocalFiles(
            tuple(os.fsencode(path) for path in kept), tuple(os.fsencode(path) for path in missing)
        )
    except (ValueError, TypeError):
        return LocalFiles()


class MoveResult(NamedTuple):
    """What happened to the working tree.

    Attributes:
        written: Files that were written.
        removed: Files that were removed.
        resumed: Whether it finished, or undid, a checkout that had been interrupted.
    """

    written: int
    removed: int
    resumed: bool

    @property
    def files(self) -> int:
        """How many files were touched."""
        return self.written + self.removed


def move_working_tree(
    repo: Repository,
    tx: Transaction,
    *,
    head: Head,
    command: str,
    tree: RawId | None = None,
    back: LocalFiles | None = None,
    progress: Progress | None = None,
) -> MoveResult:
    """Bring the working tree and the stage to the commit that HEAD is about to lead to.

    Args:
        repo: The repository.
        tx: The transaction, entered; the caller lets it move refs and HEAD to ``head``. The stage
            is moved here: staged changes that do not collide are carried over.
        head: What HEAD will be.
        command: What to type to finish it after a kill, without ``muse``: ``switch topic``.
        tree: The tree, if the caller has read it.
        back: What files were when the move began that is taken back.
        progress: Called with (files done, files in all).

    Raises:
        ConflictError: Files in the way that are stored nowhere; nothing was touched.
        UsageError: The repository is bare.
        StorageError: The system refused on the way; the hint says how to finish or go back.

    Durability:
        See the module: killed at any point, the same command finishes, or a switch goes back.
    """
    if repo.bare:
        raise UsageError(
            f"{show_path(str(repo.root))} is a bare repository: it has no working tree.",
            hint="Clone it, and work in the clone.",
        )
    new = tree if tree is not None else _tree_of(repo, head.commit)
    return _Move(repo, tx, command, progress).run(new, back)


def _tree_of(repo: Repository, oid: ObjectId | None) -> RawId:
    return repo.commit(oid).tree if oid else EMPTY_TREE


class _Move:
    def __init__(
        self, repo: Repository, tx: Transaction, command: str, progress: Progress | None
    ) -> None:
        self._repo = repo
        self._tx = tx
        self._command = command
        self._progress = progress
        self._before = repo.head()
        self._old = _tree_of(repo, self._before.commit)
        gitignore = repo.config.get_bool("core.gitignore", default=True)
        self._cache = load_stat_cache(repo.root) or StatCache(gitignore=gitignore)
        self._work = WorkTree(repo.root, repo.objects, self._cache)
        self._fresh: deque[tuple[bytes, StatKey, RawId]] = deque()

    def run(self, new: RawId, back: LocalFiles | None) -> MoveResult:
        repo = self._repo
        interrupted = read_interrupted_checkout(repo.root)
        staged = read_stage(repo.root)
        files = TreeFiles(repo.objects, self._old)
        plan = plan_checkout(
            repo.root,
            repo.objects,
            self._old,
            new,
            stage=without_noops(staged, files),
            known=self._cache.files.content_of,
            halves=interrupted.trees if interrupted else (),
            back=back,
        )
        written, removed = len(plan.writes), len(plan.removals)
        if plan.touches:
            # Killed, killed again on the way elsewhere: a file may be as in each of those trees.
            trees = (*(interrupted.trees if interrupted else ()), new)
            self._record(tuple(dict.fromkeys(trees)))
            self._apply(plan, new)
        write_stage(repo, self._tx, before=staged, after=plan.stage)
        self._tx.remove_file(checkout_record_path(repo.root))
        self._tx.details[FILES_MOVED] = "yes"
        if interrupted is None and 0 < len(plan.kept) + len(plan.missing) <= _MANY_LOCAL:
            self._tx.details[LOCAL] = encode_local(plan.local)
        return MoveResult(written, removed, interrupted is not None)

    def _record(self, trees: tuple[RawId, ...]) -> None:
        before = self._before
        back = before.branch or f"--detach {(before.commit or '')[7:19]}"
        now_s = int(time.time())
        record = CheckoutRecord(
            self._command, f"switch {back}", before.encode(), before.commit or "", trees, now_s
        )
        write_checkout_record(self._repo.root, record)

    def _apply(self, plan: CheckoutPlan, new: RawId) -> None:
        repo, is_few = self._repo, plan.touches <= _FEW
        self._work.move_to(new)
        try:
            apply_checkout(
                repo.root,
                repo.objects,
                plan,
                placed=self._note,
                sync=is_few,
                progress=self._progress,
            )
            if not is_few:
                # HEAD must not outrun the files: a power cut would leave empty ones.
                sync_filesystem(repo.root)
        except StorageError as error:
            error.hint = (
                f"{error.hint} 'muse {show_text(self._command)}' goes on from here.".strip()
            )
            raise
        # Memory for a hundred thousand files, which the cache's new content takes now.
        plan.writes.clear()
        self._settle()
        for path, _, _ in self._fresh:
            self._cache.files.forget(path)
        save_stat_cache(repo.root, self._cache)

    def _note(self, path: bytes, key: StatKey | None, raw: RawId | None) -> None:
        if key is None or raw is None:
            self._cache.files.forget(path)
            return
        self._fresh.append((path, key, raw))
        self._settle()

    def _settle(self) -> None:
        """Remember the files whose time lies far enough back for a change to show."""
        clock_ns = time.time_ns()
        while self._fresh and is_settled(self._fresh[0][1], clock_ns):
            self._work.files.remember(*self._fresh.popleft())
