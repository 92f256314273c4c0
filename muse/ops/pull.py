"""Fetch what the current branch follows, and move the branch and its files forward to it.

Only forward: a branch that has commits of its own which the other side has not is left alone,
and the error says what to do. Nothing is ever merged behind one's back.
"""

from __future__ import annotations

from typing import NamedTuple

from muse.core.ancestry import CommitGraph, ahead_behind, is_ancestor
from muse.core.errors import NonFastForwardError, RefNotFoundError, UsageError
from muse.core.paths import show_text
from muse.core.refs import HEADS, Head, check_ref_name, short_name
from muse.core.repo import Repository
from muse.core.types import ObjectId, to_raw
from muse.core.upstream import HERE, find_upstream
from muse.ops.fetch import FetchOptions, FetchResult, fetch, find_source
from muse.ops.fetch_options import CUT_OFF
from muse.ops.move_tree import move_working_tree
from muse.ops.remote_config import default_remote
from muse.remotes.address import show_url
from muse.remotes.protocol import TransferCallback, checkout_progress


class PullResult(NamedTuple):
    """What a pull did.

    Attributes:
        branch: The branch that is checked out.
        upstream: What it was brought to, ``origin/main``.
        fetched: What the fetch brought; None when the branch follows one of this repository.
        old: Where the branch was; None when it had no commit.
        new: Where it is now.
        commits: How many commits it moved forward.
        ahead: How many commits it has that the other side has not.
        files: How many files of the working tree were written or removed.
    """

    branch: str
    upstream: str
    fetched: FetchResult | None
    old: ObjectId | None
    new: ObjectId
    commits: int
    ahead: int
    files: int

    @property
    def up_to_date(self) -> bool:
        """Whether the branch stayed where it was."""
        return self.old == self.new


class _Source(NamedTuple):
    remote: str
    merge: str
    tracking: str

    @property
    def name(self) -> str:
        return short_name(self.tracking)


def pull(
    repo: Repository,
    *,
    remote: str | None = None,
    branch: str | None = None,
    options: FetchOptions | None = None,
    progress: TransferCallback | None = None,
) -> PullResult:
    """Bring the current branch forward to what it follows.

    Args:
        repo: The repository.
        remote: Another remote than the one that the branch follows.
        branch: Another branch there than the one that it follows.
        options: For the fetch.
        progress: Told of each step; raises to cancel.

    Raises:
        UsageError: HEAD is on no branch, the branch follows nothing, or there is no working tree.
        RefNotFoundError: The branch does not exist there.
        NonFastForwardError: Both sides have commits of their own; what was fetched stays.
        ConflictError: Files with changes that are stored nowhere are in the way; nothing moved.
        RemoteError: The other side cannot be reached, or failed.

    Durability:
        As a fetch, then as a switch: killed in between, the next pull goes on.
    """
    head = repo.head()
    if head.ref is None or head.branch is None:
        raise UsageError(
            "HEAD is at a commit, not on a branch, so there is nothing to move forward.",
            hint="Go to a branch with 'muse switch <branch>' first; 'muse fetch' works anywhere.",
        )
    source = _find_source(repo, head.branch, remote=remote, branch=branch)
    fetched = None
    if source.remote != HERE:
        fetched = fetch(repo, remote=source.remote, options=options, progress=progress)
    theirs = repo.refs.read(source.tracking)
    if theirs is None:
        raise RefNotFoundError(
            f"{show_url(source.remote)} has no branch '{show_text(short_name(source.merge))}'.",
            hint=f"'muse remote show {show_url(source.remote)}' lists what it has.",
        )
    ours = repo.refs.read(head.ref)
    graph = CommitGraph(repo.objects)
    commits = ahead = files = 0
    new = theirs
    if ours is not None:
        ahead, commits = ahead_behind(graph, to_raw(ours), to_raw(theirs))
        if is_ancestor(graph, to_raw(theirs), to_raw(ours)):
            new, commits = ours, 0
        elif not is_ancestor(graph, to_raw(ours), to_raw(theirs)):
            error = _diverged(head.branch, source, ours=ours, theirs=theirs, apart=(ahead, commits))
            if repo.objects.boundary.read():
                error.hint = f"{CUT_OFF} {error.hint}"
            raise error
    if new != ours:
        files = _move(repo, head, new, source=source.name, progress=progress)
    return PullResult(head.branch, source.name, fetched, ours, new, commits, ahead, files)


def _find_source(
    repo: Repository, current: str, *, remote: str | None, branch: str | None
) -> _Source:
    upstream = find_upstream(repo.config, current)
    if remote is None and branch is None:
        if upstream is not None:
            return _Source(upstream.remote, upstream.merge, upstream.tracking)
        info = default_remote(repo, current)
        raise UsageError(
            f"'{show_text(current)}' follows no other branch.",
            hint=f"Name one: 'muse pull {info.shown} {show_text(current)}'; or follow it from now "
            f"on: 'muse branch --set-upstream-to {info.shown}/{show_text(current)}'.",
        )
    info = find_source(repo, remote) if remote is not None else default_remote(repo, current)
    if branch is None and upstream is not None and upstream.remote == info.name:
        return _Source(upstream.remote, upstream.merge, upstream.tracking)
    merge = HEADS + (branch or current).removeprefix(HEADS)
    check_ref_name(merge)
    return _Source(info.name or info.url, merge, info.tracking(merge))


def _move(
    repo: Repository,
    head: Head,
    new: ObjectId,
    *,
    source: str,
    progress: TransferCallback | None,
) -> int:
    """Move the branch and the files; return how many files were touched."""
    assert head.ref is not None
    log = f"pull {source}: fast-forward"
    with repo.transaction("pull", summary=log) as tx:
        tx.set_ref(head.ref, new, old=head.commit, log=log)
        moved = move_working_tree(
            repo,
            tx,
            head=head._replace(commit=new),
            command="pull",
            progress=checkout_progress(progress),
        )
    return moved.files


def _diverged(
    branch: str, source: _Source, *, ours: ObjectId, theirs: ObjectId, apart: tuple[int, int]
) -> NonFastForwardError:
    ahead, behind = apart
    shown, name = show_text(branch), show_text(source.name)
    return NonFastForwardError(
        HEADS + branch,
        ours=ours,
        theirs=theirs,
        hint=f"Only here ({ahead}): 'muse log {name}..{shown}'. Only there ({behind}): 'muse log "
        f"{shown}..{name}'. To keep yours aside and take theirs: 'muse branch {shown}-mine', then "
        f"'muse switch -C {shown} {name}'.",
    )
