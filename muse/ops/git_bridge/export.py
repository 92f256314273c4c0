"""The verb `git-export`: what is here, as a git repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.errors import MuseError, RemoteError
from muse.core.io import write_bytes_atomic
from muse.core.paths import show_path
from muse.core.refs import DEFAULT_BRANCH, HEADS, TAGS
from muse.core.repo import Repository
from muse.core.types import ObjectType, Progress, RawId, from_raw, to_raw
from muse.ops.git_bridge.export_objects import Cut, ObjectExport
from muse.ops.git_bridge.id_maps import IdMaps
from muse.ops.git_bridge.report import FAILED, MOVES, RefOutcome, RefState
from muse.ops.git_bridge.source import GitRef
from muse.ops.git_bridge.target import GitTarget, RefCommand


@dataclass(frozen=True, slots=True)
class GitExportResult:
    """One export; what it says is durable in git.

    Attributes:
        path: The git repository.
        object_format: ``sha1`` or ``sha256``.
        created: The repository is new.
        objects: Sent objects by type.
        size_bytes: Their payloads, before compression.
        refs: Every branch and tag here, and what became of it there.
        files: What happened to a working tree there; empty when there is none, or nothing moved.
    """

    path: Path
    object_format: str
    created: bool
    objects: Mapping[ObjectType, int]
    size_bytes: int
    refs: tuple[RefOutcome, ...]
    files: str

    @property
    def ok(self) -> bool:
        """Whether every ref is where it should be."""
        return not any(ref.state in FAILED for ref in self.refs)


def git_export(
    repo: Repository,
    path: Path,
    *,
    env: Mapping[str, str],
    object_format: str | None = None,
    bare: bool = False,
    force: bool = False,
    strict: bool = True,
    progress: Progress | None = None,
) -> GitExportResult:
    """Write branches and tags into a git repository, which is made when missing.

    Args:
        repo: The repository.
        path: The git repository.
        env: The environment that git gets; what would redirect it is left out.
        object_format: ``sha256`` (ids stay the same) or ``sha1``, for a new repository.
        bare: Make a new one without a working tree.
        force: Move refs that lose commits, too.
        strict: Send only what `git fsck --strict` accepts.
        progress: Called with (objects sent, total).

    Raises:
        MuseError: There is nothing to export, or no git.
        AlreadyExistsError: There is something else at ``path``.
        RemoteError: Git refused; no ref moved there.
        StorageError: Something here is damaged; no ref moved there.

    Durability:
        Killed at any point: git has objects that nothing refers to, or all of it. A repository
        that was being created is completed by the next run.
    """
    ours = {n: to_raw(o) for n, o in repo.refs.iter() if n.startswith((HEADS, TAGS))}
    if not ours:
        raise MuseError(
            "There is nothing to export: no branch has a commit.",
            hint="Record one first: 'muse commit -m \"first\"'.",
        )
    head = repo.head()
    target = GitTarget.open(
        path,
        env=env,
        object_format=object_format,
        bare=bare,
        branch=head.branch or DEFAULT_BRANCH,
        beside=None if repo.bare else repo.root,
    )
    maps = IdMaps(repo.root, target.repository.object_format)
    cut = Cut(repo.objects.boundary.read(), _check_shallow(repo, target, path))
    try:
        export = _Export(repo, target, maps, force=force)
        plan = export.plan(ours)
        sender = ObjectExport(repo.objects, target, maps=maps, progress=progress)
        tips = {ours[o.name] for o in plan if o.state in MOVES}
        if target.created and head.detached and head.commit:
            tips.add(to_raw(head.commit))
        if cut.there - cut.here:
            # What was left out at an earlier export is here by now.
            tips.update(ours.values())
        if tips:
            sender.run(tips, known=export.known(), cut=cut, strict=strict, record=not repo.readonly)
        plan, files = export.publish(plan, sender)
    finally:
        maps.close()
    return GitExportResult(
        path=path,
        object_format=target.repository.object_format,
        created=target.created,
        objects=dict(sender.counts),
        size_bytes=sender.size_bytes,
        refs=tuple(plan),
        files=files,
    )


def _check_shallow(repo: Repository, target: GitTarget, path: Path) -> frozenset[RawId]:
    """Return the commits at which git's history ends, of which all must be known here.

    Raises:
        MuseError: The history here is cut off, and git's ids are others.
        RemoteError: Git's history is cut off elsewhere.
    """
    there = frozenset(map(RawId, target.repository.read_shallow()))
    same_ids = target.repository.object_format == "sha256"
    if there and not (same_ids and all(map(repo.objects.has, there))):
        raise RemoteError(
            f"{show_path(os.fspath(path))} is shallow: its history is cut off.",
            hint="Complete it with 'git fetch --unshallow' there, then run this again.",
        )
    if repo.objects.boundary.read() and not same_ids:
        raise MuseError(
            "The history here is cut off: what it is built on has no SHA-1 ids here.",
            hint="Bring the rest with 'muse fetch --unshallow', or export to a new folder with "
            "--object-format sha256.",
        )
    return there


class _Export:
    def __init__(self, repo: Repository, target: GitTarget, maps: IdMaps, *, force: bool) -> None:
        self._repo, self._target, self._maps, self._force = repo, target, maps, force
        self._theirs: dict[str, GitRef] = {ref.name: ref for ref in target.repository.read_refs()}
        self._graph = CommitGraph(repo.objects)
        self._checked_out = target.read_checked_out()
        tree = target.repository.work_tree
        self._is_beside = tree is not None and os.path.realpath(tree) == os.path.realpath(repo.root)

    # -- what to do --------------------------------------------------------------------------

    def plan(self, ours: Mapping[str, RawId]) -> list[RefOutcome]:
        """Decide about each ref, before anything is sent."""
        return [self._decide(name, new) for name, new in sorted(ours.items())]

    def _decide(self, name: str, new: RawId) -> RefOutcome:
        theirs = self._theirs.get(name)
        wanted = from_raw(new)
        if theirs is None:
            return RefOutcome(name, RefState.CREATED, None, wanted)
        old = self._id_here(theirs.raw)
        shown = None if old is None else from_raw(old)
        if old == new and not self._maps.is_altered(theirs.raw):
            return RefOutcome(name, RefState.UNCHANGED, shown, wanted)
        state, reason = self._relation(name, theirs.raw, old, new)
        if state is RefState.DIVERGED and self._force:
            state, reason = RefState.FORCED, ""
        if state in MOVES:
            refusal = self._refuse_checked_out(name, new)
            if refusal:
                state, reason = RefState.REFUSED, refusal
        return RefOutcome(name, state, shown, wanted, reason)

    def _relation(
        self, name: str, theirs: bytes, old: RawId | None, new: RawId
    ) -> tuple[RefState, str]:
        if self._maps.is_altered(theirs):
            return RefState.DIVERGED, (
                "git has things there that Muse does not carry (submodules, say), so that "
                "history from here cannot follow it"
            )
        if name.startswith(TAGS):
            return RefState.DIVERGED, "git has another tag of this name"
        if old is None:
            return RefState.DIVERGED, (
                "git has commits that are not here: bring them with 'muse bridge git-import'"
            )
        if is_ancestor(self._graph, old, new):
            return RefState.MOVED, ""
        if is_ancestor(self._graph, new, old):
            return RefState.AHEAD, ""
        return RefState.DIVERGED, "both sides have commits that the other one lacks"

    def _refuse_checked_out(self, name: str, new: RawId) -> str:
        """Say why the files of a working tree cannot follow; empty when they can."""
        tree = self._checked_out.get(name)
        if tree is None:
            return ""
        own = self._target.repository.work_tree
        shown = show_path(os.fspath(tree))
        if own is None or os.path.realpath(tree) != os.path.realpath(own):
            return f"it is checked out in {shown}: run 'git switch --detach' there first"
        if self._is_beside:
            if self._target.is_index_clean():
                return ""
            return f"git has staged changes in {shown}: commit or 'git reset' them first"
        if self._target.names_programs():
            return f"it is checked out in {shown}, which filters files: 'git switch --detach' there"
        if not (self._target.is_clean() or self._was_moved_before(new)):
            return f"it is checked out in {shown} with changes: commit or 'git stash' them first"
        return ""

    def _was_moved_before(self, new: RawId) -> bool:
        """Tell whether a run that was killed took the files where the branch is to go now."""
        git_id = self._maps.git_id(new, exact=True)
        return git_id is not None and self._target.is_clean(git_id.hex())

    def known(self) -> set[RawId]:
        """Return what git reaches from its refs, where it is exactly what is here."""
        found: set[RawId] = set()
        foreign = False
        exact: list[bytes] = []
        for ref in self._theirs.values():
            old = None if self._maps.is_altered(ref.raw) else self._id_here(ref.raw)
            if old is None:
                foreign = True
            else:
                found.add(old)
                exact.append(ref.raw)
        if foreign:
            for raw in self._target.read_foreign(exact):
                old = None if self._maps.is_altered(raw) else self._id_here(raw)
                if old is not None:
                    found.add(old)
        return found

    def _id_here(self, git_raw: bytes) -> RawId | None:
        found = self._maps.muse_id(git_raw)
        if found is None and self._maps.is_identity:
            found = RawId(git_raw)
        return found if found is not None and self._repo.objects.has(found) else None

    # -- doing it ------------------------------------------------------------------------------

    def publish(self, plan: list[RefOutcome], sender: ObjectExport) -> tuple[list[RefOutcome], str]:
        """Move the refs, and the files of a working tree with them."""
        commands, kept = [], []
        files = ""
        for outcome in plan:
            if outcome.state not in MOVES or outcome.new is None:
                kept.append(outcome)
                continue
            new = sender.git_id(to_raw(outcome.new))
            old = self._theirs[outcome.name].raw if outcome.name in self._theirs else None
            if outcome.name in self._checked_out and old is not None and not self._is_beside:
                if not self._target.move_files(old, new):
                    reason = "files there are in the way: look with 'git status' in it"
                    kept.append(_refused(outcome, reason))
                    continue
                files = "updated"
            kept.append(outcome)
            commands.append(RefCommand(outcome.name, old, new))
        if commands:
            self._target.move_refs(commands, log="muse bridge git-export")
        if self._target.created:
            self._set_head(sender)
        return kept, self._follow(commands) or files

    def _set_head(self, sender: ObjectExport) -> None:
        head = self._repo.head()
        if head.ref or head.commit:
            commit = sender.git_id(to_raw(head.commit)) if head.commit else None
            self._target.set_head(ref=head.ref, commit=commit)

    def _follow(self, commands: list[RefCommand]) -> str:
        """Bring the index and files of a working tree to what HEAD is now; say what was done."""
        own = self._target.repository.work_tree
        if own is None or self._target.repository.read_head().raw is None:
            return ""
        here = {name for name, tree in self._checked_out.items() if tree == own}
        moved = [c for c in commands if self._target.created or c.name in here]
        if self._is_beside:
            # So that git does not see our folder as untracked files.
            write_bytes_atomic(self._repo.muse / ".gitignore", b"*\n")
            if not moved:
                return ""
            self._target.read_index()
            return "left as they are: git and Muse share them"
        if not self._target.has_files():
            # Also what a run left that was killed before this point.
            self._target.fill_files()
            return "checked out"
        if any(command.old is None for command in moved):
            return "left as they are: 'git status' there shows how they differ"
        return ""


def _refused(outcome: RefOutcome, reason: str) -> RefOutcome:
    return RefOutcome(outcome.name, RefState.REFUSED, outcome.old, outcome.new, reason)
