"""History for people and programs: commits in git's order, with their names and their graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from muse.core.ancestry import CommitGraph
from muse.core.commits import Commit
from muse.core.errors import IoFailedError, MuseError, UnreadableObjectError
from muse.core.history import HistoryEntry, Order, walk
from muse.core.lanes import GraphRow, lay_out
from muse.core.limits import Limits
from muse.core.refs import HEADS, REMOTES, TAGS, short_name
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, RawId, from_raw, to_raw


class LogEntry(NamedTuple):
    """One commit of a log.

    Attributes:
        oid: Its id.
        commit: What it says.
        names: Refs that point at it, HEAD first, then branches, tags, remote branches.
        row: Its place in the graph; None unless a graph was asked for.
        cut: Whether history ends here on purpose.
    """

    oid: ObjectId
    commit: Commit
    names: tuple[Name, ...]
    row: GraphRow | None = None
    cut: bool = False


class Name(NamedTuple):
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
    everything: bool = False,
    limits: Limits | None = None,
    graph: bool = False,
    order: Order | None = None,
) -> Iterator[LogEntry]:
    """Yield commits, newest first, reading only what is asked for.

    Args:
        repo: The repository.
        revs: Revisions and ranges; HEAD when empty.
        everything: From every branch, tag and remote branch besides.
        limits: What to leave out.
        graph: Also lay out the graph: no parent before its children.
        order: In which order; by date when None, and topological for a graph.

    Returns:
        An entry a commit, read as they are asked for; none on a branch without commits.

    Raises:
        RevisionNotFoundError: A revision names nothing.
        UsageError: A pattern is no regular expression.
        ObjectNotFoundError: A commit is missing; while iterating, when the walk gets there.
    """
    commits = CommitGraph(repo.objects)
    revisions = Revisions(repo.objects, repo.refs, config=repo.config, graph=commits)
    include, exclude = _starts(repo, revisions, revs, everything=everything)
    if limits is not None:
        # A bad pattern is an error now, and not after the first page.
        limits.matcher()
    entries = walk(
        commits,
        include,
        exclude=exclude,
        limits=limits,
        order=order or (Order.GRAPH if graph else Order.DATE),
        with_parents=graph,
    )
    return _decorated(entries, read_names(repo), graph=graph)


def _starts(
    repo: Repository, revisions: Revisions, revs: Sequence[str], *, everything: bool
) -> tuple[list[RawId], list[RawId]]:
    include: list[RawId] = []
    exclude: list[RawId] = []
    if revs:
        found = revisions.find_range(revs)
        include, exclude = list(found.include), list(found.exclude)
    elif repo.head().commit is not None:
        include = [revisions.find_commit("HEAD")]
    if everything:
        tips = (_find_tip(revisions, ref) for ref in repo.refs.iter_names())
        include += [raw for raw in tips if raw is not None]
    return include, exclude


def _find_tip(revisions: Revisions, ref: str) -> RawId | None:
    try:
        return revisions.find_commit(ref)
    except (IoFailedError, UnreadableObjectError):
        # The ref may be whole: a log without its name would say that it is elsewhere.
        raise
    except MuseError:
        # A tag of a file, or a damaged ref, which must not hide the others: `verify` names it.
        return None


def _decorated(
    entries: Iterator[HistoryEntry], names: dict[RawId, tuple[Name, ...]], *, graph: bool
) -> Iterator[LogEntry]:
    if not graph:
        for entry in entries:
            here = names.get(entry.raw, ())
            yield LogEntry(from_raw(entry.raw), entry.commit, here, cut=entry.cut)
        return
    # The layout runs one row behind the walk, whose commits wait for their row.
    waiting: list[HistoryEntry] = []

    def rows() -> Iterator[tuple[RawId, tuple[RawId, ...]]]:
        for entry in entries:
            waiting.append(entry)
            yield entry.raw, entry.parents

    for row in lay_out(rows()):
        entry = waiting.pop(0)
        here = names.get(entry.raw, ())
        yield LogEntry(from_raw(entry.raw), entry.commit, here, row, cut=entry.cut)


def read_names(repo: Repository) -> dict[RawId, tuple[Name, ...]]:
    """Return the names that point at each commit, annotated tags peeled."""
    found: dict[RawId, list[Name]] = {}
    head = repo.head()
    if head.detached and head.commit:
        found.setdefault(to_raw(head.commit), []).append(Name("HEAD", "head", current=True))
    revisions = Revisions(repo.objects, repo.refs)
    for ref in sorted(
        repo.refs.iter_names(), key=lambda name: (name != head.ref, _rank(name), name)
    ):
        kind = {0: "branch", 1: "tag", 2: "remote"}.get(_rank(ref))
        raw = _find_named(repo, revisions, ref, is_tag=kind == "tag") if kind else None
        if kind is not None and raw is not None:
            found.setdefault(raw, []).append(Name(short_name(ref), kind, ref == head.ref))
    return {raw: tuple(names) for raw, names in found.items()}


def _find_named(repo: Repository, revisions: Revisions, ref: str, *, is_tag: bool) -> RawId | None:
    if is_tag:
        return _find_tip(revisions, ref)
    try:
        oid = repo.refs.read(ref)
    except (IoFailedError, UnreadableObjectError):
        raise
    except MuseError:
        return None
    return None if oid is None else to_raw(oid)


def _rank(ref: str) -> int:
    for rank, prefix in enumerate((HEADS, TAGS, REMOTES)):
        if ref.startswith(prefix):
            return rank
    return 3
