"""Check out another branch or commit: HEAD, the stage and the working tree move together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from muse.core.checkout_record import checkout_record_path, read_interrupted_checkout
from muse.core.errors import (
    AlreadyExistsError,
    CorruptFileError,
    RevisionNotFoundError,
    UnsafeNameError,
    UsageError,
    short,
)
from muse.core.io import remove_file, write_bytes_atomic
from muse.core.paths import head_path, show_text
from muse.core.refs import HEADS, REMOTES, Head, check_new_branch, check_ref_name
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, Progress, from_raw, is_object_id
from muse.ops.branch_config import reread_config, upstream_setting
from muse.ops.move_tree import MoveResult, move_working_tree

if TYPE_CHECKING:
    from muse.core.transaction import Transaction


class SwitchResult(NamedTuple):
    """What is checked out now.

    Attributes:
        before: What was checked out.
        after: What is.
        created: Whether the branch is new.
        upstream: The remote branch that a new branch follows; None when it follows none.
        move: What happened to the working tree; None when all was as wanted already.
    """

    before: Head
    after: Head
    created: bool
    upstream: str | None
    move: MoveResult | None


class _Goal(NamedTuple):
    head: Head
    name: str
    command: str
    created: bool = False
    upstream: str | None = None


def switch(
    repo: Repository,
    name: str,
    *,
    create: bool = False,
    start: str | None = None,
    detach: bool = False,
    progress: Progress | None = None,
) -> SwitchResult:
    """Check out a branch, or a commit with HEAD detached.

    Args:
        repo: The repository.
        name: A branch; ``-`` for what was checked out before; any revision with ``detach``. A
            branch that only one remote has is created, following it.
        create: Create the branch first.
        start: Where the new branch begins; HEAD when None.
        detach: Check out the commit itself.
        progress: Called with (files done, files in all).

    Raises:
        ConflictError: Files in the way that are stored nowhere; nothing was touched.
        RevisionNotFoundError: ``name`` or ``start`` names nothing.
        AlreadyExistsError: The branch to create exists.
        UsageError: ``name`` is a tag or commit, and ``detach`` is not set; the repository is bare.

    Durability:
        Killed on the way: the same command finishes, a switch back undoes (`move_working_tree`).
    """
    with repo.transaction("switch") as tx:
        try:
            before = repo.head()
        except CorruptFileError as error:
            if error.path != os.fspath(head_path(repo.root)) or create or detach:
                raise
            return _set_anew(repo, name, error)
        names = Revisions(repo.objects, repo.refs, config=repo.config)
        goal = _Finder(repo, names, tx).find(name, create=create, start=start, detach=detach)
        if goal.head == before and read_interrupted_checkout(repo.root) is None:
            # A checkout that was killed right at its end may have left its record.
            remove_file(checkout_record_path(repo.root))
            return SwitchResult(before, before, created=False, upstream=None, move=None)
        log = f"checkout: moving from {_log_name(before)} to {goal.name}"
        tx.summary = f"switch: from {_short(before)} to {_short(goal.head)}"
        move = move_working_tree(repo, tx, head=goal.head, command=goal.command, progress=progress)
        detached = None if goal.head.ref else goal.head.commit
        tx.set_head(ref=goal.head.ref, commit=detached, log=log)
    if goal.upstream is not None:
        reread_config(repo)
    return SwitchResult(before, goal.head, goal.created, goal.upstream, move)


def _set_anew(repo: Repository, name: str, error: CorruptFileError) -> SwitchResult:
    """Let a damaged HEAD name a branch again: nobody knows what the files came from, so they stay.

    Raises:
        CorruptFileError: The error given, when there is no such branch.
    """
    ref = HEADS + check_ref_name(name).removeprefix(HEADS)
    oid = repo.refs.read(ref)
    if oid is None:
        raise error
    head = Head(ref.removeprefix(HEADS), ref, oid)
    write_bytes_atomic(head_path(repo.root), head.encode().encode(), durable=True)
    return SwitchResult(head, head, created=False, upstream=None, move=None)


class _Finder:
    def __init__(self, repo: Repository, names: Revisions, tx: Transaction) -> None:
        self._repo = repo
        self._names = names
        self._tx = tx

    def find(self, name: str, *, create: bool, start: str | None, detach: bool) -> _Goal:
        if create:
            return self._create(name, start)
        if name == "-":
            name = self._names.previous_branch()
            detach = detach or self._repo.refs.read(HEADS + name) is None
        if detach:
            oid = from_raw(self._names.find_commit(name))
            command = f"switch --detach {short(oid, 12)}"
            return _Goal(Head(None, None, oid), name, command)
        return self._branch(name)

    def _branch(self, name: str) -> _Goal:
        try:
            check_ref_name(name)
        except UnsafeNameError:
            raise self._refusal(name) from None
        ref = HEADS + name.removeprefix(HEADS)
        name = ref.removeprefix(HEADS)
        oid = self._repo.refs.read(ref)
        if oid is not None or self._repo.head().ref == ref:
            return _Goal(Head(name, ref, oid), name, f"switch {name}")
        followed = self._only_remote(name)
        if followed is not None:
            return self._create(name, followed)
        raise self._refusal(name)

    def _refusal(self, name: str) -> UsageError:
        """Say what a name that is no branch means, if anything, with a hint that fits."""
        oid = from_raw(self._names.find_commit(name))
        return UsageError(
            f"'{show_text(name)}' is not a branch, but commit {short(oid)}.",
            hint=f"'muse switch --detach {show_text(name)}' looks at it; "
            f"'muse switch -c <branch> {show_text(name)}' begins a branch there.",
        )

    def _only_remote(self, name: str) -> str | None:
        """Return the one remote branch of this name."""
        found = [
            ref
            for ref in self._repo.refs.iter_names(REMOTES)
            if ref.removeprefix(REMOTES).partition("/")[2] == name
        ]
        if len(found) > 1:
            listed = ", ".join(show_text(ref.removeprefix(REMOTES)) for ref in found)
            raise RevisionNotFoundError(
                f"There is no branch '{show_text(name)}' here, and more than one elsewhere: "
                f"{listed}.",
                hint=f"'muse switch -c {show_text(name)} <remote>/{show_text(name)}' takes one.",
            )
        return found[0] if found else None

    def _create(self, name: str, start: str | None) -> _Goal:
        refs, ref = self._repo.refs, HEADS + name
        check_new_branch(name)
        check_ref_name(ref)
        if refs.read(ref) is not None:
            raise AlreadyExistsError(
                f"A branch '{show_text(name)}' exists already.",
                hint=f"'muse switch {show_text(name)}' checks it out.",
            )
        oid = self._start(start)
        if oid is not None:
            self._tx.set_ref(ref, oid, old=None, log=f"branch: Created from {start or 'HEAD'}")
        upstream = self._follow(name, start)
        command = f"switch -c {name}" + (f" {start}" if start else "")
        return _Goal(Head(name, ref, oid), name, command, created=True, upstream=upstream)

    def _start(self, start: str | None) -> ObjectId | None:
        if start is None and self._repo.head().commit is None:
            # The new branch is as unborn as the present one.
            return None
        return from_raw(self._names.find_commit(start or "HEAD"))

    def _follow(self, name: str, start: str | None) -> str | None:
        """Let a branch that begins at a remote branch follow it."""
        full = self._names.full_name(start) if start and not is_object_id(start) else None
        if full is None or not full.startswith(REMOTES) or full.endswith("/HEAD"):
            return None
        upstream = full.removeprefix(REMOTES)
        path = self._repo.config.path
        if path is not None:
            self._tx.write_file(path, upstream_setting(self._repo, name, upstream))
        return upstream


def _log_name(head: Head) -> str:
    """Return what `@{-1}` will understand."""
    return head.branch or (head.commit or "").removeprefix("sha256:")


def _short(head: Head) -> str:
    return head.branch or short(head.commit or "")
