"""The verb `git-import`: the history of a git repository, brought here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from muse.core.errors import RemoteError, UnsafeNameError
from muse.core.paths import show_path, show_text
from muse.core.refs import HEADS, REMOTES, TAGS, check_ref_name
from muse.core.repo import Repository
from muse.core.types import ObjectType, Progress
from muse.ops.git_bridge.id_maps import IdMaps
from muse.ops.git_bridge.import_objects import ObjectImport
from muse.ops.git_bridge.import_refs import Publisher
from muse.ops.git_bridge.report import (
    FAILED,
    RefOutcome,
    Remark,
    remarks_on_objects,
    remarks_on_repository,
    remarks_on_trees,
)
from muse.ops.git_bridge.source import GitRef, GitSource


@dataclass(frozen=True, slots=True)
class GitImportResult:
    """One import; what it says is durable here.

    Attributes:
        path: The git repository.
        object_format: ``sha1`` or ``sha256``.
        objects: New objects by type.
        size_bytes: Their payloads.
        refs: Every branch and tag there, and what became of it here.
        remarks: What was not carried over as it is, or not at all.
        branch: The branch that is now checked out because of this run; None when that stayed.
        files: How many files of the working tree were written.
        same_ids: Every id is the one that it has in git.
    """

    path: Path
    object_format: str
    objects: Mapping[ObjectType, int]
    size_bytes: int
    refs: tuple[RefOutcome, ...]
    remarks: tuple[Remark, ...]
    branch: str | None
    files: int
    same_ids: bool

    @property
    def ok(self) -> bool:
        """Whether every ref is where git has it."""
        return not any(ref.state in FAILED for ref in self.refs)


def git_import(
    repo: Repository,
    path: Path,
    *,
    env: Mapping[str, str],
    force: bool = False,
    allow_shallow: bool = False,
    progress: Progress | None = None,
    file_progress: Progress | None = None,
) -> GitImportResult:
    """Bring branches and tags of a git repository, and all that they reach.

    In a repository without commits git's HEAD is checked out too; if the git repository's working
    tree is ours, its files are there already and none is written.

    Args:
        repo: The repository.
        path: The git repository: a working tree, its ``.git``, or a bare one.
        env: The environment that git gets; what would redirect it is left out.
        force: Move branches and tags that lose commits here, too.
        allow_shallow: Take a history that is cut off; what stands at the cut gets no parents.
        progress: Called with (objects done, total).
        file_progress: Called with (files written, total).

    Raises:
        ConflictError: Files in the way of the first checkout; no ref moved, nothing was written.
        RemoteError: Git failed, or its objects are damaged; no ref moved.
        RefChangedError: Another writer moved a ref meanwhile; none of ours moved.

    Durability:
        Killed at any point: objects that nothing refers to, which the next run does not bring
        again; or files that were checked out, which it finds; or all of it.

    See:
        G1, G3, G5.
    """
    # Says at once, and not after the work, that this repository is open for reading only.
    repo.transaction("git-import")
    source = GitSource.open(path, env=env)
    if source.is_shallow and not allow_shallow:
        raise RemoteError(
            f"{show_path(os.fspath(path))} is shallow: its history is cut off.",
            hint="Complete it with 'git fetch --unshallow' there; or take what it has, under ids "
            "that will change once it is complete, with --allow-shallow.",
        )
    refs, head = source.read_refs(), source.read_head()
    wanted, remarks = _choose(refs)
    maps = IdMaps(repo.root, source.object_format)
    try:
        objects = ObjectImport(repo.objects, repo.refs, source, maps=maps, progress=progress)
        wants = {ref.raw for ref in wanted}
        if head.raw is not None and repo.head().commit is None:
            wants.add(head.raw)
        objects.run(wants)
        remarks += remarks_on_trees(objects.brought, source, objects.wants)
        remarks += remarks_on_objects(objects.brought)
        # A remote branch whose commits are here is only another name for them.
        away = [r for r in refs if not (r.name.startswith(REMOTES) and objects.sink.find(r.raw))]
        remarks += remarks_on_repository(source, away)
        publisher = Publisher(repo, source, objects.sink, force=force)
        published = publisher.publish(wanted, head, progress=file_progress)
    finally:
        maps.close()
    return GitImportResult(
        path=path,
        object_format=source.object_format,
        objects=dict(objects.brought.counts),
        size_bytes=objects.brought.size_bytes,
        refs=published.refs,
        remarks=tuple(remarks),
        branch=published.branch,
        files=published.files,
        same_ids=source.object_format == "sha256" and not objects.sink.has_altered,
    )


def _choose(refs: Sequence[GitRef]) -> tuple[list[GitRef], list[Remark]]:
    """Return the refs to bring, and a remark on those whose names we cannot hold."""
    wanted: list[GitRef] = []
    illegal: list[str] = []
    for ref in refs:
        if ref.name.startswith((HEADS, TAGS)):
            try:
                check_ref_name(ref.name)
                wanted.append(ref)
            except UnsafeNameError:
                illegal.append(show_text(ref.name))
    meaning = "left out: Muse has no branch or tag of such a name; rename it in git"
    return wanted, [Remark("ref name", len(illegal), meaning, tuple(illegal))] if illegal else []
