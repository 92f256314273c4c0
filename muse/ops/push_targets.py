"""What a push is about: from what was typed to (source, ref there, value)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from muse.core.errors import RefNotFoundError, UsageError
from muse.core.paths import show_text
from muse.core.refs import HEADS, TAGS, Head, check_ref_name, short_name
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, from_raw
from muse.core.upstream import HERE, find_upstream
from muse.ops.remote_config import RemoteInfo

# In a lease: the value that was last seen there.
AS_SEEN: Final = ObjectId("as seen")


class PushOptions(NamedTuple):
    """What a push was asked to do besides.

    Attributes:
        set_upstream: Let the branch follow what it is pushed to.
        force: Move branches even where commits there are dropped.
        leases: Move them if they are what is expected: by short name, None for "not there" and
            `AS_SEEN` for what was last seen. Empty: every branch, as last seen. None: no lease.
        tags: Push all tags that are not there.
        delete: Delete the named branches there.
    """

    set_upstream: bool = False
    force: bool = False
    leases: Mapping[str, ObjectId | None] | None = None
    tags: bool = False
    delete: bool = False


class Target(NamedTuple):
    """One ref to move on the other side.

    Attributes:
        source: What it was called here; empty for a deletion.
        name: The full name there.
        new: What it shall name; None to delete it.
    """

    source: str
    name: str
    new: ObjectId | None


def choose_targets(
    repo: Repository,
    info: RemoteInfo,
    branches: Sequence[str],
    *,
    options: PushOptions,
    named: bool,
) -> list[Target]:
    """Return what to move.

    Args:
        repo: The repository.
        info: The remote.
        branches: As typed; see `muse.ops.push.push`.
        options: What else was asked for.
        named: Whether the remote was named, which is leave enough to push a branch that follows
            nothing to one of its own name.

    Raises:
        UsageError: Nothing says what to push.
        RefNotFoundError: A name means nothing here.
        UnsafeNameError: A name is not legal.
    """
    if options.delete:
        if not branches:
            raise UsageError(
                "Nothing was named that should be deleted.",
                hint=f"Name it: 'muse push --delete {info.shown} <branch>'.",
            )
        return [Target("", _full_name(repo, name, fallback=HEADS), None) for name in branches]
    if branches:
        return list(dict.fromkeys(_parse(repo, text) for text in branches))
    if options.tags:
        return []
    return [_current(repo, info, options=options, named=named)]


def _current(repo: Repository, info: RemoteInfo, *, options: PushOptions, named: bool) -> Target:
    head = repo.head()
    if head.branch is None:
        raise UsageError(
            "HEAD is at a commit, not on a branch, so there is no branch to push.",
            hint=f"Name where to: 'muse push {info.shown} HEAD:<branch>'.",
        )
    new = _born(head)
    upstream = find_upstream(repo.config, head.branch)
    follows = upstream is not None and upstream.remote == info.name != HERE
    if options.set_upstream or (named and not follows):
        return Target(head.branch, HEADS + head.branch, new)
    if upstream is None or not follows:
        raise UsageError(
            f"'{head.branch}' follows no branch of a remote yet.",
            hint=f"Push it and follow it with 'muse push -u {info.shown} {head.branch}'.",
        )
    if short_name(upstream.merge) != head.branch:
        there = short_name(upstream.merge)
        raise UsageError(
            f"'{head.branch}' follows '{upstream.name}', which has another name.",
            hint=f"Say which you mean: 'muse push {info.shown} {head.branch}:{there}' or "
            f"'muse push {info.shown} {head.branch}'.",
        )
    return Target(head.branch, upstream.merge, new)


def _born(head: Head) -> ObjectId:
    if head.commit is None:
        raise RefNotFoundError(
            f"'{head.branch or 'HEAD'}' has no commit yet.",
            hint="Make one with 'muse commit -m <message>', then push.",
        )
    return head.commit


def _parse(repo: Repository, text: str) -> Target:
    """Turn ``branch``, ``tag``, ``HEAD``, ``source:there`` or ``:there`` into a target."""
    forced = text.removeprefix("+")
    if forced != text:
        raise UsageError(
            f"'{show_text(text)}': a '+' does not force here.",
            hint=f"Use 'muse push --force-with-lease <remote> {show_text(forced)}'.",
        )
    source, colon, destination = text.partition(":")
    if colon and not source:
        return Target("", _full_name(repo, destination, fallback=HEADS), None)
    head = repo.head()
    if source in {"HEAD", "@"} and (head.branch is not None or not destination):
        if head.branch is None:
            raise UsageError("HEAD is at a commit, not on a branch.", hint="Write 'HEAD:<branch>'.")
        there = _full_name(repo, destination or head.branch, fallback=HEADS)
        return Target(head.branch, there, _born(head))
    name = _find_source(repo, source)
    if name is not None:
        oid = repo.refs.read(name)
        assert oid is not None
        there = _full_name(repo, destination, fallback=_folder(name)) if destination else name
        return Target(short_name(name), there, oid)
    if head.branch == source:
        _born(head)
    if not destination:
        raise RefNotFoundError(
            f"There is no branch or tag '{show_text(source)}' here.",
            hint="'muse branch' and 'muse tag' list what there is.",
        )
    oid = from_raw(Revisions(repo.objects, repo.refs, config=repo.config).find_commit(source))
    return Target(source, _full_name(repo, destination, fallback=HEADS), oid)


def _find_source(repo: Repository, name: str) -> str | None:
    """Return the full name of a branch or tag here."""
    check_ref_name(name if name.startswith("refs/") else HEADS + name)
    if name.startswith((HEADS, TAGS)):
        return name if repo.refs.read(name) else None
    for folder in (HEADS, TAGS):
        if repo.refs.read(folder + name):
            return folder + name
    return None


def _folder(name: str) -> str:
    return TAGS if name.startswith(TAGS) else HEADS


def _full_name(repo: Repository, name: str, *, fallback: str) -> str:
    """Return the full name of a ref on the other side."""
    if name.startswith("refs/"):
        check_ref_name(name)
        return name
    check_ref_name(fallback + name)
    # A tag that is known here under that name, and no branch, is what is meant.
    if fallback == HEADS and repo.refs.read(TAGS + name) and not repo.refs.read(HEADS + name):
        return TAGS + name
    return fallback + name
