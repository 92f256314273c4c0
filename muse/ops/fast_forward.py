"""Move a branch forward and its files with it, in one go or not at all.

Used by `pull`, and by `clone` for the first files. The order is that of every checkout: all that
could be lost is looked for first; then each file, whole; then the branch. Killed in between, the
record of what was under way lets the same command go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from muse.core.checkout import apply_checkout, plan_checkout
from muse.core.checkout_record import (
    CheckoutRecord,
    checkout_record_path,
    read_interrupted_checkout,
    write_checkout_record,
)
from muse.core.file_content import StatKey
from muse.core.paths import stage_path
from muse.core.refs import Head
from muse.core.repo import Repository
from muse.core.stage import Stage, encode_stage, read_stage
from muse.core.transaction import Transaction
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, Progress, RawId
from muse.ops.status import open_engine
from muse.remotes.protocol import TransferCallback, TransferProgress

# Sets the refs that go with the files.
Move = Callable[[Transaction], None]


def fast_forward(
    repo: Repository,
    head: Head,
    new: ObjectId,
    *,
    source: str,
    progress: TransferCallback | None = None,
) -> int:
    """Move the branch that is checked out to a commit that is ahead of it.

    Args:
        repo: The repository.
        head: What is checked out; a branch.
        new: The commit, with everything it needs.
        source: Where it came from, for the reflog.
        progress: Told of each file; raises to cancel.

    Returns:
        How many files were written or removed.

    Raises:
        UsageError: There is no working tree.
        ConflictError: Something that is stored nowhere is in the way; nothing was touched.
        RefChangedError: The branch moved meanwhile.
    """
    assert head.ref is not None

    def move(tx: Transaction) -> None:
        tx.set_ref(head.ref or "", new, old=head.commit, log=f"pull {source}: fast-forward")

    old_tree = repo.commit(head.commit).tree if head.commit else EMPTY_TREE
    return bring_files(
        repo, old_tree, repo.commit(new).tree, move=move, command="pull", progress=progress
    )


def bring_files(
    repo: Repository,
    old_tree: RawId,
    new_tree: RawId,
    *,
    move: Move,
    command: str,
    progress: TransferCallback | None = None,
) -> int:
    """Bring the working tree from one tree to another, then move what says so.

    Args:
        repo: The repository.
        old_tree: The tree that is checked out.
        new_tree: The tree to bring it to.
        move: Sets the refs.
        command: What to type to go on after a kill.
        progress: Told of each file; raises to cancel.

    Returns:
        How many files were written or removed.
    """
    engine = open_engine(repo)
    with repo.transaction(command, summary=command) as tx:
        stage = read_stage(repo.root)
        known = engine.worktree.cache.files
        interrupted = read_interrupted_checkout(repo.root)
        plan = plan_checkout(
            repo.root, repo.objects, old_tree, new_tree, stage=stage, known=known.content_of,
            half=interrupted.to_tree if interrupted else None,
        )  # fmt: skip
        head_text = repo.refs.head_text()
        write_checkout_record(
            repo.root,
            CheckoutRecord(command, head_text, head_text, old_tree, new_tree, int(time.time())),
        )
        apply_checkout(repo.root, repo.objects, plan, placed=_ignore, progress=_files(progress))
        move(tx)
        _write_stage(repo, tx, before=stage, after=plan.stage)
        tx.remove_file(checkout_record_path(repo.root))
    return plan.touches


def _ignore(path: bytes, key: StatKey | None, raw: RawId | None) -> None:
    """Remember nothing: a file that was written just now is too young to be known by its times."""


def _files(progress: TransferCallback | None) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total: progress(TransferProgress("checkout", done, total))


def _write_stage(repo: Repository, tx: Transaction, *, before: Stage, after: Stage) -> None:
    if after == before:
        return
    if after:
        tx.write_file(stage_path(repo.root), encode_stage(after))
    else:
        tx.remove_file(stage_path(repo.root))
