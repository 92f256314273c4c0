"""Commits and branches as rows."""

from __future__ import annotations

import itertools

from muse.core.ancestry import CommitGraph, ahead_behind, is_ancestor
from muse.core.commits import Commit
from muse.core.errors import MuseError
from muse.core.history import Order, walk
from muse.core.lanes import draw, lay_out
from muse.core.paths import show_text
from muse.core.refs import HEADS, REMOTES, TAGS, short_name
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.core.upstream import find_upstream
from muse_tui.backend.heads import short
from muse_tui.backend.place import Place
from muse_tui.model import BranchRow, CommitRow, HistoryView, RefTag

_COUNT_LIMIT = 10_000
_LANES = 12


def read_history(place: Place, *, limit: int) -> HistoryView:
    """Return the newest commits of HEAD and its upstream, with their graph.

    A history that cannot be read to its end shows what could be, and the problem.
    """
    repo = place.repo
    try:
        head = repo.head()
    except MuseError as error:
        return HistoryView(problem=error.message)
    tags = _tags(place)
    include, upstream = _tips(place)
    if not include:
        return HistoryView(label=head.branch or "")
    graph = CommitGraph(repo.objects)
    ours, theirs = _unshared(graph, head.commit, upstream)
    rows: list[CommitRow] = []
    problem = ""
    try:
        entries = walk(graph, include, order=Order.GRAPH, with_parents=True)
        first = list(itertools.islice(entries, limit + 1))
    except MuseError as error:
        first, problem = [], error.message
    lanes = lay_out((entry.raw, entry.parents) for entry in first)
    for entry, graph_row in zip(first[:limit], lanes, strict=False):
        oid = from_raw(entry.raw)
        cells = draw(graph_row)[:_LANES]
        node = "◉" if oid == head.commit else "◎" if len(entry.commit.parents) > 1 else "○"
        text = "".join((node if cell.is_commit else cell.sign) + cell.link for cell in cells)
        mark = "↑" if entry.raw in ours else "↓" if entry.raw in theirs else ""
        row = _row(oid, entry.commit, tags.get(oid, ()), text.rstrip(), mark)
        rows.append(row._replace(note="history ends here (shallow)") if entry.cut else row)
    return HistoryView(tuple(rows), len(first) > limit, head.branch or "", problem)


def _row(
    oid: ObjectId, commit: Commit, refs: tuple[RefTag, ...], lanes: str, mark: str
) -> CommitRow:
    return CommitRow(
        oid,
        short(oid),
        commit.committer.time_s,
        show_text(commit.author.name),
        show_text(commit.subject),
        refs,
        lanes,
        mark,
        len(commit.parents),
    )


def _tips(place: Place) -> tuple[list[RawId], RawId | None]:
    head = place.repo.head()
    tips = [to_raw(head.commit)] if head.commit else []
    upstream = find_upstream(place.fresh_config(), head.branch) if head.branch else None
    theirs = place.repo.refs.read(upstream.tracking) if upstream else None
    if theirs is not None and to_raw(theirs) not in tips:
        tips.append(to_raw(theirs))
    return tips, to_raw(theirs) if theirs else None


def _unshared(
    graph: CommitGraph, head: ObjectId | None, upstream: RawId | None
) -> tuple[set[RawId], set[RawId]]:
    """Return the commits that only we have, and those that only the upstream has."""
    if head is None or upstream is None:
        return set(), set()
    ours = to_raw(head)
    try:
        mine = itertools.islice(walk(graph, [ours], exclude=[upstream]), _COUNT_LIMIT)
        others = itertools.islice(walk(graph, [upstream], exclude=[ours]), _COUNT_LIMIT)
        return {entry.raw for entry in mine}, {entry.raw for entry in others}
    except MuseError:
        return set(), set()


def _tags(place: Place) -> dict[ObjectId, tuple[RefTag, ...]]:
    """Return the names that stand at each commit; annotated tags at what they tag."""
    repo = place.repo
    head = repo.head()
    found: dict[ObjectId, list[RefTag]] = {}
    if head.detached and head.commit:
        found.setdefault(head.commit, []).append(RefTag("head", "HEAD"))
    for name in repo.refs.iter_names():
        try:
            oid = repo.refs.read(name)
        except MuseError:
            continue
        if oid is None:
            continue
        if name.startswith(HEADS):
            kind = "head" if name == head.ref else "branch"
        elif name.startswith(TAGS):
            kind, oid = "tag", _peeled(place, name, oid)
        elif name.startswith(REMOTES):
            kind = "remote"
        else:
            continue
        found.setdefault(oid, []).append(RefTag(kind, show_text(short_name(name))))
    order = {"head": 0, "branch": 1, "tag": 2, "remote": 3}
    return {
        oid: tuple(sorted(tags, key=lambda tag: (order[tag.kind], tag.name)))
        for oid, tags in found.items()
    }


def _peeled(place: Place, name: str, oid: ObjectId) -> ObjectId:
    try:
        revisions = Revisions(place.repo.objects, place.repo.refs)
        return from_raw(revisions.find_commit(name))
    except MuseError:
        return oid


def read_messages(place: Place, *, count: int = 30) -> tuple[str, ...]:
    """Return the messages of the last commits, newest first."""
    head = place.repo.head()
    if head.commit is None:
        return ()
    graph = CommitGraph(place.repo.objects)
    entries = itertools.islice(walk(graph, [to_raw(head.commit)]), count)
    return tuple(dict.fromkeys(entry.commit.text.strip() for entry in entries))


def read_branches(place: Place) -> tuple[BranchRow, ...]:
    """Return the branches, the current one first, then by age; remote ones last."""
    repo = place.repo
    head = repo.head()
    config = place.fresh_config()
    graph = CommitGraph(repo.objects)
    rows: list[BranchRow] = []
    for name in repo.refs.iter_names():
        if not name.startswith((HEADS, REMOTES)) or name.endswith("/HEAD"):
            continue
        shown = short_name(name)
        try:
            oid = repo.refs.read(name)
            if oid is None:
                continue
            commit = repo.commit(oid)
        except MuseError as error:
            rows.append(BranchRow(shown, "", f"damaged: {error.message}"))
            continue
        row = BranchRow(
            shown,
            short(oid),
            show_text(commit.subject),
            name == head.ref,
            when_s=commit.committer.time_s,
            remote=name.startswith(REMOTES),
        )
        upstream = find_upstream(config, shown) if name.startswith(HEADS) else None
        theirs = repo.refs.read(upstream.tracking) if upstream else None
        if upstream is not None and theirs is not None:
            try:
                counts = ahead_behind(graph, to_raw(oid), to_raw(theirs))
                row = row._replace(upstream=upstream.name, ahead=counts.ahead, behind=counts.behind)
            except MuseError:
                row = row._replace(upstream=upstream.name)
        rows.append(row)
    rows.sort(key=lambda row: (row.remote, not row.current, -row.when_s, row.name))
    return tuple(rows)


def is_merged(place: Place, name: str) -> bool:
    """Tell whether another branch holds everything that a branch has."""
    repo = place.repo
    oid = repo.refs.read(HEADS + name)
    if oid is None:
        return True
    graph = CommitGraph(repo.objects)
    for other, tip in repo.refs.iter():
        if other == HEADS + name or not other.startswith((HEADS, REMOTES)):
            continue
        try:
            if is_ancestor(graph, to_raw(oid), to_raw(tip)):
                return True
        except MuseError:
            continue
    return False
