"""History for people and programs: commits in git's order, with their names and their graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from muse.core.ancestry import CommitGraph
from muse.core.commits import Commit
from muse.core.history import Order, walk
from muse.core.lanes import GraphRow, lay_out
from muse.core.limits import Limits
from muse.core.refs import HEADS, REMOTES, TAGS, short_name
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, RawId, from_raw, to_raw


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit of a log.

    Attributes:
        oid: Its id.
        commit: What it says.
        names: Refs that point at it, HEAD first, then branches, tags, remote branches.
        row: Its place in the graph; None unless a graph was asked for.
    """

    oid: ObjectId
    commit: Commit
    names: tuple[Name, ...]
    row: GraphRow | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A ref at a commit.

    Attributes:
        text: The short name.
        kind: ``head`` (a detached HEAD), ``branch``, ``tag`` or ``remote``.
        current: Whether this branch is checked out.
    """

    text: str
    kind: str
    current: bool = False


def log(
    repo: Repository,
    *,
    revs: Sequence[str] = (),
    limits: Limits | None = None,
    graph: bool = False,
) -> Iterator[LogEntry]:
    """Yield commits, newest first, reading only what is asked for.

    Args:
        repo: The repository.
        revs: Revisions and ranges; HEAD when empty.
        limits: What to leave out.
        graph: Also lay out the graph: no parent before its children.

    Yields:
        An entry a commit; nothing on a branch without commits.

    Raises:
        RevisionNotFoundError: A revision names nothing.
    """
    if not revs and repo.head().commit is None:
        return
    commits = CommitGraph(repo.objects)
    revisions = Revisions(repo.objects, repo.refs, config=repo.config, graph=commits)
    found = revisions.find_range(revs or ["HEAD"])
    names = read_names(repo)
    entries = walk(
        commits,
        found.include,
        exclude=found.exclude,
        limits=limits,
        order=Order.GRAPH if graph else Order.DATE,
        with_parents=graph,
    )
    if not graph:
        for entry in entries:
            yield LogEntry(from_raw(entry.raw), entry.commit, names.get(entry.raw, ()))
        return
    # The layout runs one row behind the walk, whose commits wait for their row.
    waiting: list[tuple[RawId, Commit]] = []

    def rows() -> Iterator[tuple[RawId, tuple[RawId, ...]]]:
        for entry in entries:
            waiting.append((entry.raw, entry.commit))
            yield entry.raw, entry.parents

    for row in lay_out(rows()):
        raw, commit = waiting.pop(0)
        yield LogEntry(from_raw(raw), commit, names.get(raw, ()), row)


def read_names(repo: Repository) -> dict[RawId, tuple[Name, ...]]:
    """Return the names that point at each commit, annotated tags peeled."""
    found: dict[RawId, list[Name]] = {}
    head = repo.head()
    if head.detached and head.commit:
        found.setdefault(to_raw(head.commit), []).append(Name("HEAD", "head", current=True))
    revisions = Revisions(repo.objects, repo.refs)
    refs = sorted(repo.refs.iter(), key=lambda item: (item[0] != head.ref, _rank(item[0]), item[0]))
    for ref, oid in refs:
        kind = {0: "branch", 1: "tag", 2: "remote"}.get(_rank(ref))
        if kind is None:
            continue
        raw = revisions.find_commit(f"{ref}^{{commit}}") if kind == "tag" else to_raw(oid)
        found.setdefault(raw, []).append(Name(short_name(ref), kind, ref == head.ref))
    return {raw: tuple(names) for raw, names in found.items()}


def _rank(ref: str) -> int:
    for rank, prefix in enumerate((HEADS, TAGS, REMOTES)):
        if ref.startswith(prefix):
            return rank
    return 3
