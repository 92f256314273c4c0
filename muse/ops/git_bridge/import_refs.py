"""The end of an import: which refs move, and which files of the working tree follow.

All of it is one transaction; `move_tree` says what a kill leaves between files and HEAD.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.checkout_record import read_interrupted_checkout
from muse.core.errors import ConflictError, MuseError
from muse.core.io import write_bytes_atomic
from muse.core.paths import muse_dir, show_path
from muse.core.refs import HEADS, TAGS, Head, iter_folders, short_name
from muse.core.repo import Repository
from muse.core.transaction import Transaction
from muse.core.types import Progress, from_raw, to_raw
from muse.ops.git_bridge.report import MOVES, RefOutcome, RefState
from muse.ops.git_bridge.sink import Sink
from muse.ops.git_bridge.source import GitHead, GitRef, GitSource
from muse.ops.move_tree import move_working_tree


@dataclass(frozen=True, slots=True)
class Published:
    """What moved.

    Attributes:
        refs: Every wanted ref and what became of it.
        branch: The branch that HEAD was attached to; None when HEAD stayed.
        files: How many files were written.
    """

    refs: tuple[RefOutcome, ...]
    branch: str | None
    files: int


class Publisher:
    """Moves refs, HEAD and files once the objects are here.

    Args:
        repo: The repository.
        source: The git repository.
        objects: Where its objects went.
        force: Move refs that lose commits, too.
    """

    def __init__(self, repo: Repository, source: GitSource, objects: Sink, *, force: bool) -> None:
        self._repo, self._source, self._objects, self._force = repo, source, objects, force
        self._graph = CommitGraph(repo.objects)
        # The refs here, and the folders that their names are in.
        self._names: set[str] = set()
        self._folders: set[str] = set()
        tree = source.work_tree
        self._is_shared = tree is not None and os.path.realpath(tree) == os.path.realpath(repo.root)

    def publish(
        self, wanted: Sequence[GitRef], git_head: GitHead, *, progress: Progress | None
    ) -> Published:
        """Move what can be moved, in one transaction.

        Raises:
            ConflictError: Files are in the way of the first checkout; nothing moved.
            MuseError: A concurrent gc dropped what was brought; nothing moved.
        """
        with self._repo.transaction("git-import") as tx:
            self._check_complete()
            head = self._repo.head()
            self._names = set(self._repo.refs.iter_names())
            self._folders = {parent for name in self._names for parent in iter_folders(name)}
            plan = [self._decide(ref) for ref in wanted]
            goal = self._first_head(plan, git_head, head) if head.commit is None else None
            files = 0
            if goal is not None:
                files = self._move_files(tx, goal, progress)
                tx.set_head(ref=goal.ref, commit=goal.commit, log=self._log())
            elif head.commit is not None:
                files = self._follow(tx, plan, head, progress)
            moves = [outcome for outcome in plan if outcome.state in MOVES]
            for outcome in moves:
                tx.set_ref(outcome.name, outcome.new, old=outcome.old, log=self._log())
            tx.summary = self._summary(moves)
        if self._is_shared:
            # So that git does not see our folder as untracked files.
            write_bytes_atomic(muse_dir(self._repo.root) / ".gitignore", b"*\n")
        return Published(tuple(plan), None if goal is None else goal.branch, files)

    # -- refs --------------------------------------------------------------------------------

    def _decide(self, ref: GitRef) -> RefOutcome:
        raw = self._objects.find(ref.raw)
        old = self._repo.refs.read(ref.name)
        if raw is None:
            reason = "what it names could not be carried over"
            return RefOutcome(ref.name, RefState.REFUSED, old, None, reason)
        new = from_raw(raw)
        if old == new:
            return RefOutcome(ref.name, RefState.UNCHANGED, old, new)
        if old is None:
            beside = self._find_beside(ref.name)
            if beside is not None:
                reason = f"it cannot stand beside {beside}: one is a folder of the other"
                return RefOutcome(ref.name, RefState.REFUSED, None, new, reason)
            return RefOutcome(ref.name, RefState.CREATED, None, new)
        if ref.name.startswith(HEADS):
            if is_ancestor(self._graph, to_raw(old), raw):
                return RefOutcome(ref.name, RefState.MOVED, old, new)
            if is_ancestor(self._graph, raw, to_raw(old)):
                return RefOutcome(ref.name, RefState.AHEAD, old, new)
        if self._force:
            return RefOutcome(ref.name, RefState.FORCED, old, new)
        reason = "both sides have commits that the other one lacks"
        if ref.name.startswith(TAGS):
            reason = "there is another tag of this name here"
        return RefOutcome(ref.name, RefState.DIVERGED, old, new, reason)

    def _find_beside(self, name: str) -> str | None:
        """Return a ref here whose name is a folder of this one, or the other way round."""
        for parent in iter_folders(name):
            if parent in self._names:
                return parent
        if name not in self._folders:
            return None
        return next(n for n in self._names if n.startswith(name + "/"))

    def _first_head(self, plan: Sequence[RefOutcome], git_head: GitHead, head: Head) -> Head | None:
        """Return what to check out in a repository without commits."""
        values = {outcome.name: outcome.new for outcome in plan if outcome.state in MOVES}
        for name in (git_head.ref, head.ref):
            if name is not None and name in values:
                return Head(short_name(name), name, values[name])
        raw = None if git_head.ref or git_head.raw is None else self._objects.find(git_head.raw)
        return None if raw is None else Head(None, None, from_raw(raw))

    # -- files -------------------------------------------------------------------------------

    def _follow(
        self, tx: Transaction, plan: list[RefOutcome], head: Head, progress: Progress | None
    ) -> int:
        """Let the working tree follow the branch that is checked out, or leave that branch."""
        for number, outcome in enumerate(plan):
            if outcome.name != head.ref or outcome.state not in MOVES:
                continue
            try:
                return self._move_files(tx, head._replace(commit=outcome.new), progress)
            except ConflictError as error:
                if read_interrupted_checkout(self._repo.root) is not None:
                    raise
                shown = ", ".join(show_path(path) for path in error.paths[:3])
                reason = f"it is checked out here, with changes in the way: {shown}"
                plan[number] = replace(outcome, state=RefState.REFUSED, reason=reason)
        return 0

    def _move_files(self, tx: Transaction, goal: Head, progress: Progress | None) -> int:
        if self._repo.bare or self._is_shared:
            return 0
        command = f"bridge git-import {self._source.path}"
        moved = move_working_tree(self._repo, tx, head=goal, command=command, progress=progress)
        return moved.files

    def _check_complete(self) -> None:
        if not self._objects.is_complete():
            raise MuseError(
                "Objects of this import were dropped while it ran; no branch moved.",
                hint="A 'muse gc' ran beside it. Run the import again: it brings what is missing.",
            )

    # -- words -------------------------------------------------------------------------------

    def _log(self) -> str:
        return f"git-import: from {self._source.path}"

    def _summary(self, moves: Sequence[RefOutcome]) -> str:
        names = ", ".join(short_name(outcome.name) for outcome in moves[:3])
        more = f" and {len(moves) - 3} more" if len(moves) > 3 else ""
        return f"git-import: {names}{more} from {self._source.path}"
