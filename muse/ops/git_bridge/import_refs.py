"""The end of an import: which refs move, which files of the working tree follow, in that order.

Files are written before any ref moves, while HEAD still names nothing or the commit before. A kill
in between leaves files that the next run finds as they should be.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.errors import ConflictError
from muse.core.io import write_bytes_atomic
from muse.core.paths import muse_dir, show_path
from muse.core.refs import HEADS, TAGS, Head, short_name
from muse.core.repo import Repository
from muse.core.stage import read_stage
from muse.core.types import ObjectId, from_raw, to_raw
from muse.ops.git_bridge.import_objects import ObjectImport
from muse.ops.git_bridge.report import MOVES, RefOutcome, RefState
from muse.ops.git_bridge.source import GitHead, GitRef, GitSource


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
        objects: The finished import of its objects.
        force: Move refs that lose commits, too.
    """

    def __init__(
        self, repo: Repository, source: GitSource, objects: ObjectImport, *, force: bool
    ) -> None:
        self._repo, self._source, self._objects, self._force = repo, source, objects, force
        self._graph = CommitGraph(repo.objects)
        tree = source.work_tree
        self._is_shared = tree is not None and os.path.realpath(tree) == os.path.realpath(repo.root)

    def publish(self, wanted: Sequence[GitRef], git_head: GitHead) -> Published:
        """Move what can be moved, in one transaction.

        Raises:
            ConflictError: Files are in the way of the first checkout; nothing moved.
            RefChangedError: Another writer was faster; nothing of ours moved.
        """
        head = self._repo.head()
        plan = [self._decide(ref) for ref in wanted]
        is_first = head.commit is None and not read_stage(self._repo.root)
        files, branch = 0, None
        new_head: tuple[str | None, ObjectId | None] | None = None
        if is_first:
            new_head = self._first_head(plan, git_head, head)
            if new_head is not None and new_head[1] is not None:
                files = self._write_files(None, new_head[1])
        else:
            plan, files = self._follow(plan, head)
        moves = [outcome for outcome in plan if outcome.state in MOVES]
        if moves or new_head is not None:
            with self._repo.transaction("git-import", summary=self._summary(moves)) as tx:
                for outcome in moves:
                    tx.set_ref(outcome.name, outcome.new, old=outcome.old, log=self._log())
                if new_head is not None and new_head[0] is not None:
                    tx.set_head(ref=new_head[0], log=self._log())
                    branch = short_name(new_head[0])
                elif new_head is not None:
                    tx.set_head(commit=new_head[1], log=self._log())
        if self._is_shared:
            # So that git does not see our folder as untracked files.
            write_bytes_atomic(muse_dir(self._repo.root) / ".gitignore", b"*\n")
        return Published(tuple(plan), branch, files)

    # -- refs --------------------------------------------------------------------------------

    def _decide(self, ref: GitRef) -> RefOutcome:
        raw = self._objects.muse_id(ref.raw)
        old = self._repo.refs.read(ref.name)
        if raw is None:
            reason = "what it names could not be carried over"
            return RefOutcome(ref.name, RefState.REFUSED, old, None, reason)
        new = from_raw(raw)
        if old == new:
            return RefOutcome(ref.name, RefState.UNCHANGED, old, new)
        if old is None:
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

    def _first_head(
        self, plan: Sequence[RefOutcome], git_head: GitHead, head: Head
    ) -> tuple[str | None, ObjectId | None] | None:
        """Return (branch, commit) to check out in a repository without commits."""
        values = {outcome.name: outcome.new for outcome in plan if outcome.state in MOVES}
        for name in (git_head.ref, head.ref):
            if name in values:
                return name, values[name]
        raw = None if git_head.ref or git_head.raw is None else self._objects.muse_id(git_head.raw)
        return None if raw is None else (None, from_raw(raw))

    def _follow(self, plan: list[RefOutcome], head: Head) -> tuple[list[RefOutcome], int]:
        """Let the working tree follow the branch that is checked out, or leave that branch."""
        for number, outcome in enumerate(plan):
            if outcome.name != head.ref or outcome.state not in MOVES or outcome.new is None:
                continue
            if read_stage(self._repo.root):
                reason = "it is checked out here with staged changes: commit or reset them first"
                plan[number] = replace(outcome, state=RefState.REFUSED, reason=reason)
                return plan, 0
            try:
                return plan, self._write_files(outcome.old, outcome.new)
            except ConflictError as error:
                shown = ", ".join(show_path(path) for path in error.paths[:3])
                reason = f"it is checked out here, with changes in the way: {shown}"
                plan[number] = replace(outcome, state=RefState.REFUSED, reason=reason)
        return plan, 0

    # -- files -------------------------------------------------------------------------------

    def _write_files(self, old: ObjectId | None, new: ObjectId) -> int:
        if self._repo.bare or self._is_shared:
            return 0
        raise NotImplementedError

    # -- words -------------------------------------------------------------------------------

    def _log(self) -> str:
        return f"git-import: from {self._source.path}"

    def _summary(self, moves: Sequence[RefOutcome]) -> str:
        names = ", ".join(short_name(outcome.name) for outcome in moves[:3])
        more = f" and {len(moves) - 3} more" if len(moves) > 3 else ""
        return f"git-import: {names}{more} from {self._source.path}"
