"""Branches: list, create, delete, rename, and what each of them follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from muse.core.ancestry import AheadBehind, CommitGraph, ahead_behind, is_ancestor
from muse.core.config import Value
from muse.core.errors import (
    AlreadyExistsError,
    CorruptFileError,
    MuseError,
    ObjectNotFoundError,
    RefNotFoundError,
    short,
)
from muse.core.io import write_bytes_atomic
from muse.core.paths import show_text
from muse.core.refs import HEADS, REMOTES, Head, check_new_branch, check_ref_name, short_name
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, from_raw, to_raw
from muse.core.upstream import find_upstream
from muse.ops.branch_config import (
    BRANCH_SETTINGS,
    branch_settings,
    change_branch_settings,
    encode_settings,
    reread_config,
    upstream_setting,
)


class BranchInfo(NamedTuple):
    """One branch.

    Attributes:
        name: Its short name, ``origin/main`` for one of a remote.
        ref: Its full name.
        commit: Where it is; None for the unborn branch that is checked out.
        is_head: Whether it is checked out.
        is_remote: Whether it is a remote's, as last seen.
        upstream: What it follows; None when it follows nothing.
        counts: How far it and its upstream have grown apart; None when that cannot be told.
        subject: The first line of its commit's message; empty unless asked for.
        time_s: When that was committed; 0 unless asked for.
    """

    name: str
    ref: str
    commit: ObjectId | None
    is_head: bool
    is_remote: bool
    upstream: str | None = None
    counts: AheadBehind | None = None
    subject: str = ""
    time_s: int = 0


def list_branches(
    repo: Repository, *, local: bool = True, remote: bool = False, verbose: bool = False
) -> list[BranchInfo]:
    """Return the branches, by name, those of this repository first.

    Args:
        repo: The repository.
        local: Those of this repository.
        remote: Those of remotes, as last seen.
        verbose: With subject, time, upstream and counts.
    """
    head = repo.head()
    graph = CommitGraph(repo.objects)
    found: list[BranchInfo] = []
    if local:
        refs = dict(repo.refs.iter(HEADS))
        if head.ref is not None and head.ref not in refs:
            found.append(BranchInfo(short_name(head.ref), head.ref, None, True, False))
        found += [_info(repo, ref, oid, head, graph, verbose=verbose) for ref, oid in refs.items()]
    if remote:
        found += [
            _info(repo, ref, oid, head, graph, verbose=verbose)
            for ref, oid in repo.refs.iter(REMOTES)
        ]
    return found


def _info(
    repo: Repository, ref: str, oid: ObjectId, head: Head, graph: CommitGraph, *, verbose: bool
) -> BranchInfo:
    is_remote = ref.startswith(REMOTES)
    info = BranchInfo(short_name(ref), ref, oid, ref == head.ref, is_remote)
    if not verbose:
        return info
    upstream = None if is_remote else find_upstream(repo.config, info.name)
    counts = None
    subject, time_s = "", 0
    try:
        commit = graph.commit(to_raw(oid))
        subject, time_s = commit.subject, commit.committer.time_s
        theirs = repo.refs.read(upstream.tracking) if upstream else None
        if theirs is not None:
            counts = ahead_behind(graph, to_raw(oid), to_raw(theirs))
    except ObjectNotFoundError:
        # One branch that lost its commits must not hide the others; `verify` names it.
        subject = "(its commit is missing)"
    return BranchInfo(
        info.name,
        ref,
        oid,
        info.is_head,
        is_remote,
        upstream.name if upstream else None,
        counts,
        subject,
        time_s,
    )


class BranchResult(NamedTuple):
    """One branch that was created, moved, renamed or deleted.

    Attributes:
        name: Its short name; the new one after a rename.
        before: Where it was; None when it did not exist.
        after: Where it is; None when it was deleted.
        old_name: Its name before a rename.
    """

    name: str
    before: ObjectId | None
    after: ObjectId | None
    old_name: str | None = None


def create_branch(
    repo: Repository, name: str, *, start: str | None = None, force: bool = False
) -> BranchResult:
    """Create a branch without checking it out.

    Args:
        repo: The repository.
        name: Its short name.
        start: Where it begins; HEAD when None. One that begins at a remote branch follows it.
        force: Move it if it exists.

    Raises:
        AlreadyExistsError: It exists, and ``force`` is not set.
        RevisionNotFoundError: ``start`` names nothing, or there is no commit yet.
        MuseError: It is checked out, so it cannot be moved from under the working tree.
    """
    ref = HEADS + check_new_branch(name)
    names = Revisions(repo.objects, repo.refs, config=repo.config)
    with repo.transaction("branch") as tx:
        try:
            old = repo.refs.read(ref)
        except CorruptFileError:
            if not force or start is None:
                raise
            # Nobody knows where it was, checked out or not: what is named is better than that.
            oid = from_raw(names.find_commit(start))
            write_bytes_atomic(repo.refs.path(ref), f"{oid}\n".encode(), durable=True)
            return BranchResult(name, None, oid)
        if old is not None and not force:
            raise AlreadyExistsError(
                f"A branch '{show_text(name)}' exists already, at {short(old)}.",
                hint=f"'muse switch {show_text(name)}' checks it out; "
                f"'muse branch -f {show_text(name)} <start>' moves it.",
            )
        if repo.head().ref == ref:
            raise MuseError(
                f"'{show_text(name)}' is checked out: it moves with your commits.",
                hint="Switch to another branch first.",
            )
        oid = from_raw(names.find_commit(start or "HEAD"))
        verb = "Created" if old is None else "Reset"
        tx.set_ref(ref, oid, old=old, log=f"branch: {verb} from {start or 'HEAD'}")
        tx.summary = f"branch: {name} at {short(oid)}"
        full = names.full_name(start) if start else None
        if full is not None and full.startswith(REMOTES) and repo.config.path is not None:
            follow = full.removeprefix(REMOTES)
            if not follow.endswith("/HEAD"):
                tx.write_file(repo.config.path, upstream_setting(repo, name, follow))
    reread_config(repo)
    return BranchResult(name, old, oid)


def delete_branches(
    repo: Repository, names: Sequence[str], *, force: bool = False
) -> list[BranchResult]:
    """Delete branches: all of them, or none.

    Args:
        repo: The repository.
        names: Short names; ``origin/main`` forgets what was seen of a remote's.
        force: Also those with commits that no other place is known to have.

    Raises:
        RefNotFoundError: One does not exist.
        MuseError: One is checked out, or has commits that would be hard to find again.
    """
    with repo.transaction("branch") as tx:
        graph = CommitGraph(repo.objects)
        results: list[BranchResult] = []
        settings: dict[str, dict[str, Value]] = {}
        for name in dict.fromkeys(names):
            ref, oid = _existing(repo, name)
            if repo.head().ref == ref:
                raise MuseError(
                    f"'{show_text(name)}' is checked out.", hint="Switch to another branch first."
                )
            if ref.startswith(HEADS) and not force:
                _check_merged(repo, graph, name, oid)
            tx.set_ref(ref, None, old=oid, log="")
            results.append(BranchResult(name, oid, None))
            if ref.startswith(HEADS):
                settings[name] = branch_settings(repo, name)
        tx.summary = f"branch: delete {', '.join(result.name for result in results)}"
        if any(settings.values()) and repo.config.path is not None:
            tx.details[BRANCH_SETTINGS] = encode_settings(settings, {})
            gone = {name: dict.fromkeys(found) for name, found in settings.items()}
            tx.write_file(repo.config.path, change_branch_settings(repo, gone))
    reread_config(repo)
    return results


def _existing(repo: Repository, name: str) -> tuple[str, ObjectId]:
    for ref in (HEADS + name, REMOTES + name):
        oid = repo.refs.read(ref)
        if oid is not None:
            return ref, oid
    raise _no_branch(repo, name)


def _no_branch(repo: Repository, name: str) -> RefNotFoundError:
    import difflib  # start-up time: only mistakes need it

    known = [short_name(ref) for prefix in (HEADS, REMOTES) for ref in repo.refs.iter_names(prefix)]
    close = difflib.get_close_matches(name, known, n=3)
    similar = " or ".join(f"'{show_text(other)}'" for other in close)
    return RefNotFoundError(
        f"There is no branch '{show_text(name)}'.",
        hint=f"Did you mean {similar}?" if close else "'muse branch -a' lists them.",
    )


def _check_merged(repo: Repository, graph: CommitGraph, name: str, oid: ObjectId) -> None:
    """Refuse to delete a branch whose commits neither its upstream nor HEAD has."""
    upstream = find_upstream(repo.config, name)
    elsewhere = repo.refs.read(upstream.tracking) if upstream else None
    for other in (elsewhere, repo.head().commit):
        if other is not None and is_ancestor(graph, to_raw(oid), to_raw(other)):
            return
    raise MuseError(
        f"'{show_text(name)}' has commits that no other branch here is known to have.",
        hint=f"'muse branch -D {show_text(name)}' deletes it all the same; "
        "'muse undo' brings it back.",
    )


def rename_branch(repo: Repository, old: str, new: str, *, force: bool = False) -> BranchResult:
    """Rename a branch, its settings, and HEAD if it is checked out.

    Raises:
        RefNotFoundError: ``old`` does not exist.
        AlreadyExistsError: ``new`` exists, and ``force`` is not set.
        MuseError: ``new`` is checked out.
    """
    ref, new_ref = HEADS + check_ref_name(old), HEADS + check_new_branch(new)
    log = f"branch: renamed {ref} to {new_ref}"
    with repo.transaction("branch", summary=f"branch: rename {old} to {new}") as tx:
        head = repo.head()
        oid, there = repo.refs.read(ref), repo.refs.read(new_ref)
        if oid is None and head.ref != ref:
            raise _no_branch(repo, old)
        if there is not None and not force:
            raise AlreadyExistsError(
                f"A branch '{show_text(new)}' exists already.",
                hint="Choose another name, or -M to replace it.",
            )
        if there is not None and head.ref == new_ref:
            raise MuseError(
                f"'{show_text(new)}' is checked out.", hint="Switch to another branch first."
            )
        if oid is not None and ref != new_ref:
            tx.set_ref(ref, None, old=oid, log=log)
            tx.set_ref(new_ref, oid, old=there, log=log)
        if head.ref == ref:
            tx.set_head(ref=new_ref, log=log)
        settings = branch_settings(repo, old)
        if settings and repo.config.path is not None and old != new:
            changes: dict[str, dict[str, Value | None]] = {
                old: dict.fromkeys(settings),
                new: {**settings},
            }
            tx.details[BRANCH_SETTINGS] = encode_settings({old: settings}, {new: settings})
            tx.write_file(repo.config.path, change_branch_settings(repo, changes))
    reread_config(repo)
    return BranchResult(new, oid, oid, old_name=old)


def set_upstream(repo: Repository, branch: str | None, upstream: str | None) -> str:
    """Let a branch follow another one, or none; return the branch's name.

    Args:
        repo: The repository.
        branch: Its short name; the one that is checked out when None.
        upstream: ``<remote>/<branch>`` or a branch of this repository; None to follow nothing.

    Raises:
        RefNotFoundError: A branch does not exist.
        MuseError: HEAD is detached, and no branch was named.
    """
    head = repo.head()
    name = branch or head.branch
    if name is None:
        raise MuseError("HEAD is detached: there is no branch to set.", hint="Name a branch.")
    if repo.refs.read(HEADS + check_ref_name(name)) is None and name != head.branch:
        raise _no_branch(repo, name)
    with repo.transaction("config", summary=f"branch: {name} follows {upstream}") as tx:
        assert repo.config.path is not None
        tx.write_file(repo.config.path, upstream_setting(repo, name, upstream))
    reread_config(repo)
    return name
