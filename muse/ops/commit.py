"""Record a snapshot: the stage, or everything that changed, as one commit."""

from __future__ import annotations

from typing import NamedTuple

from muse.core.checkout_record import read_interrupted_checkout
from muse.core.commits import Commit, Signature, format_commit
from muse.core.errors import ConflictError, MuseError, NothingToCommitError, UsageError
from muse.core.paths import shallow_path, stage_path
from muse.core.refs import Head
from muse.core.repo import Repository
from muse.core.shallow import encode_shallow
from muse.core.stage import Stage, TreeFiles, changes_anything, read_stage, stage_tree
from muse.core.transaction import Transaction
from muse.core.trees import EMPTY_TREE
from muse.core.types import ObjectId, Progress, from_raw, to_raw
from muse.ops.add import stage_changes


class CommitResult(NamedTuple):
    """One commit that is durable.

    Attributes:
        oid: Its id.
        commit: What it says.
        branch: The branch that moved; None when HEAD is detached.
        parent_tree: The tree before it, for counting what changed.
        took_all: True when the stage was empty and all changes of the working tree went in.
        passed_by: Folders that did not go in because they are repositories of their own.
        unreadable: Folders that may not be listed; what is new in them did not go in.
        only_added: How many files a first commit holds; None when there was something before.
    """

    oid: ObjectId
    commit: Commit
    branch: str | None
    parent_tree: bytes
    took_all: bool
    passed_by: tuple[bytes, ...] = ()
    unreadable: tuple[bytes, ...] = ()
    only_added: int | None = None


def commit(
    repo: Repository,
    *,
    message: str,
    committer: Signature,
    author: Signature | None = None,
    amend: bool = False,
    allow_empty: bool = False,
    tracked: bool = False,
    progress: Progress | None = None,
) -> CommitResult:
    """Commit what is staged; with nothing staged, all changes of the working tree.

    Args:
        repo: The repository.
        message: The message; a final newline is added.
        committer: Who commits.
        author: Who wrote it; the committer when None, the amended commit's author on amend.
        amend: Replace HEAD's commit; with nothing staged only its message changes.
        allow_empty: Commit even when the tree stays the same.
        tracked: Stage every change of tracked files first (``-a``).
        progress: Called with (files hashed, total).

    Raises:
        NothingToCommitError: The tree would be HEAD's.
        ConflictError: All changes would be taken, and a checkout was interrupted half-way.
        UsageError: The message is empty or holds a NUL, or there is nothing to amend.
        RefChangedError: The branch moved meanwhile; nothing was published.

    Durability:
        Killed before the branch moves: nothing happened, at most unreferenced objects stay.
        After: the commit is there, and a stage that survives is seen as empty.

    See:
        G1, G2, G3, G8.
    """
    text = check_message(message)
    with repo.transaction("commit", who=committer) as tx:
        head = repo.head()
        old = repo.commit(head.commit) if head.commit else None
        if amend and old is None:
            raise UsageError("There is no commit to amend.", hint="Commit without --amend first.")
        passed_by: list[bytes] = []
        unreadable: list[bytes] = []
        stage, took_all = _collect(
            repo,
            tx,
            passed_by,
            unreadable,
            tracked=tracked,
            only_message=amend,
            progress=progress,
        )
        before = old.tree if old else EMPTY_TREE
        update = stage_tree(repo.objects, before, stage)
        if update.root == before and not (amend or allow_empty):
            raise nothing_to_commit(head, tracked=tracked)
        for raw, payload in update.new:
            tx.write_hashed(raw, "tree", payload)
        parents = (to_raw(head.commit),) if head.commit else ()
        made = Commit(update.root, parents, author or committer, committer, text)
        if amend and old is not None:
            made = made._replace(parents=old.parents, author=author or old.author)
        raw = tx.write_object("commit", format_commit(made))
        oid = from_raw(raw)
        ends = repo.objects.boundary.read()
        if amend and head.commit and to_raw(head.commit) in ends:
            # Its parents are its predecessor's, and are not here either.
            tx.write_file(shallow_path(repo.root), encode_shallow({*ends, raw}))
        kind = "commit (amend)" if amend else "commit" if old else "commit (initial)"
        tx.summary = f"{kind}: {made.subject}"
        if head.ref:
            tx.set_ref(head.ref, oid, old=head.commit, log=tx.summary)
        else:
            tx.set_head(commit=oid, log=tx.summary)
        if stage_path(repo.root).exists():
            tx.remove_file(stage_path(repo.root))
    only_added = sum(map(bool, stage.values())) if before == EMPTY_TREE and not amend else None
    return CommitResult(
        oid,
        made,
        head.branch,
        before,
        took_all,
        tuple(passed_by),
        tuple(unreadable),
        only_added=only_added,
    )


def _collect(
    repo: Repository,
    tx: Transaction,
    passed_by: list[bytes],
    unreadable: list[bytes],
    *,
    tracked: bool,
    only_message: bool,
    progress: Progress | None,
) -> tuple[Stage, bool]:
    """Return what to commit, and whether that is the whole working tree's changes."""
    if tracked:
        _check_whole(repo)
        return stage_changes(repo, tx, untracked=False, progress=progress), False
    stage = read_stage(repo.root)
    # A stage that says what HEAD says, as one that outlived its commit does, is an empty one.
    if only_message or changes_anything(stage, TreeFiles(repo.objects, repo.head_tree())):
        return stage, False
    if repo.bare:
        return stage, False
    _check_whole(repo)
    stage = stage_changes(
        repo,
        tx,
        untracked=True,
        passed_by=passed_by,
        unreadable=unreadable,
        progress=progress,
    )
    return stage, True


def _check_whole(repo: Repository) -> None:
    """Refuse to take all files for changes while they are those of two commits.

    Raises:
        ConflictError: A checkout was interrupted.
    """
    record = read_interrupted_checkout(repo.root)
    if record is not None:
        back = f", 'muse {record.back}' goes back" if record.back else ""
        raise ConflictError(
            f"'muse {record.command}' was interrupted: some files are as there, some as here.",
            hint=f"'muse {record.command}' finishes it{back}; or stage what you want with "
            "'muse add <path>', and commit that.",
        )


def check_message(message: str) -> bytes:
    """Return a message as a commit stores it: UTF-8, with one final newline.

    Raises:
        UsageError: It is empty, or holds a NUL.
    """
    text = message.strip("\n")
    if not text.strip():
        raise UsageError(
            "The commit message is empty; nothing was committed.",
            hint="Give one with -m 'what changed', or write it in your editor.",
        )
    if "\0" in text:
        raise UsageError("A commit message cannot hold a NUL.", hint="Remove it.")
    return (text + "\n").encode("utf-8", "surrogateescape")


def nothing_to_commit(head: Head, *, tracked: bool = False) -> MuseError:
    """Return the error for a commit that would change nothing.

    Args:
        head: What is checked out.
        tracked: Only files that are tracked already were asked for.
    """
    where = f"on {head.branch}" if head.branch else "on a detached HEAD"
    if head.commit is None:
        return NothingToCommitError(
            f"Nothing to commit {where}: there is no commit yet, and no file "
            + ("is tracked." if tracked else "for a first one."),
            hint="Track files with 'muse add <path>'."
            if tracked
            else "Create a file, or use --allow-empty.",
        )
    return NothingToCommitError(
        f"Nothing to commit {where}: the working tree is what the last commit holds.",
        hint="Change something, or use --allow-empty.",
    )
