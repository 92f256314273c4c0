"""Add, change, remove and inspect remotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from muse.core.ancestry import CommitGraph, ahead_behind
from muse.core.config import Config
from muse.core.errors import (
    AlreadyExistsError,
    ObjectNotFoundError,
    UnsafeNameError,
    UsageError,
)
from muse.core.paths import show_text
from muse.core.refs import HEADS, REMOTES, TAGS, check_ref_name, short_name
from muse.core.repo import Repository
from muse.core.types import ObjectId, to_raw
from muse.core.upstream import find_upstream
from muse.ops.remote_config import (
    RemoteInfo,
    change_config,
    config_key,
    connect,
    find_remote,
    forget_config,
    fresh_config,
    section_key,
)
from muse.remotes.address import parse_address
from muse.remotes.transfer import check_listing


class RemoteBranch(NamedTuple):
    """One branch in `RemoteDetails`.

    Attributes:
        name: Short name on the other side.
        there: What it names there; None when it is gone there.
        seen: What it named when last fetched; None when it never was.
        state: ``current``, ``changed``, ``new`` (not fetched yet) or ``stale`` (gone there).
    """

    name: str
    there: ObjectId | None
    seen: ObjectId | None
    state: str


class FollowingBranch(NamedTuple):
    """A local branch that follows a remote's branch.

    Attributes:
        name: Short name here.
        merge: Short name there.
        ahead: Commits that only we have; None when the other side's commit is not here.
        behind: Commits that only they have; None likewise.
    """

    name: str
    merge: str
    ahead: int | None
    behind: int | None


class RemoteDetails(NamedTuple):
    """What `show` finds out, by asking the other side.

    Attributes:
        remote: As configured.
        head: The branch that its HEAD names, short.
        branches: Its branches and those remembered here, by name.
        tags: How many tags it has.
        following: Local branches that follow it.
        shallow: Whether its history is cut off.
        shallow_here: Whether ours is.
    """

    remote: RemoteInfo
    head: str | None
    branches: tuple[RemoteBranch, ...]
    tags: int
    following: tuple[FollowingBranch, ...]
    shallow: bool
    shallow_here: bool


# -- looking -------------------------------------------------------------------------------------


def show_remote(repo: Repository, name: str) -> RemoteDetails:
    """Ask a remote what it has, and compare with what is remembered here.

    Raises:
        RefNotFoundError: There is no such remote.
        RemoteError: It cannot be reached.
    """
    info = find_remote(repo, name)
    remote = connect(repo, info)
    try:
        listing = check_listing(remote.list_refs(), remote.url)
    finally:
        remote.close()
    there = {short_name(ref.name): ref.oid for ref in listing.refs if ref.name.startswith(HEADS)}
    prefix = f"{REMOTES}{name}/"
    seen = {ref.removeprefix(prefix): oid for ref, oid in repo.refs.iter(prefix)}
    branches = tuple(
        RemoteBranch(each, there.get(each), seen.get(each), _state(there.get(each), seen.get(each)))
        for each in sorted({*there, *seen})
    )
    return RemoteDetails(
        info,
        short_name(listing.head) if listing.head else None,
        branches,
        sum(ref.name.startswith(TAGS) for ref in listing.refs),
        tuple(_following(repo, info, there)),
        bool(listing.shallow),
        bool(repo.objects.boundary.read()),
    )


def _state(there: ObjectId | None, seen: ObjectId | None) -> str:
    if there is None:
        return "stale"
    if seen is None:
        return "new"
    return "current" if there == seen else "changed"


def _following(
    repo: Repository, info: RemoteInfo, there: Mapping[str, ObjectId]
) -> list[FollowingBranch]:
    graph = CommitGraph(repo.objects)
    found = []
    for ref, oid in repo.refs.iter(HEADS):
        upstream = find_upstream(repo.config, short_name(ref))
        if upstream is None or upstream.remote != info.name:
            continue
        merge = short_name(upstream.merge)
        ahead = behind = None
        if merge in there:
            try:
                ahead, behind = ahead_behind(graph, to_raw(oid), to_raw(there[merge]))
            except ObjectNotFoundError:
                # Not fetched yet: how far it is cannot be told without.
                ahead = behind = None
        found.append(FollowingBranch(short_name(ref), merge, ahead, behind))
    return found


# -- changing ------------------------------------------------------------------------------------


def add_remote(repo: Repository, name: str, url: str) -> RemoteInfo:
    """Add a remote.

    Args:
        repo: The repository.
        name: A short name without slashes.
        url: Its address; a relative path is relative to the repository's root.

    Raises:
        AlreadyExistsError: The name is taken.
        UnsafeNameError: The name is not legal.
        UsageError: ``url`` is no address.
    """
    _check_remote_name(name)
    parse_address(url)
    with repo.transaction("remote", summary=f"remote add {name}") as tx:
        if name in fresh_config(repo).sections("remote"):
            raise AlreadyExistsError(
                f"There is a remote '{name}' already.",
                hint=f"Change its address with 'muse remote set-url {name} <path>'.",
            )
        change_config(repo, tx, {config_key("remote", name, "url"): url})
    forget_config(repo)
    return RemoteInfo(name, url)


def set_remote_url(repo: Repository, name: str, url: str) -> RemoteInfo:
    """Change a remote's address; errors as for `add_remote` and `find_remote`."""
    parse_address(url)
    with repo.transaction("remote", summary=f"remote set-url {name}") as tx:
        forget_config(repo)
        find_remote(repo, name)
        change_config(repo, tx, {config_key("remote", name, "url"): url})
    forget_config(repo)
    return RemoteInfo(name, url)


def remove_remote(repo: Repository, name: str) -> RemoteInfo:
    """Forget a remote, its remembered branches, and who follows them.

    Raises:
        RefNotFoundError: There is no such remote.
    """
    with repo.transaction("remote", summary=f"remote remove {name}") as tx:
        forget_config(repo)
        remote = find_remote(repo, name)
        for ref, oid in repo.refs.iter(f"{REMOTES}{name}/"):
            tx.set_ref(ref, None, old=oid, log=f"remote: remove {name}")
        changes: dict[str, str | None] = {section_key("remote", name): None}
        for branch in _followers(repo.config, name):
            changes[config_key("branch", branch, "remote")] = None
            changes[config_key("branch", branch, "merge")] = None
        change_config(repo, tx, changes)
    forget_config(repo)
    return remote


def rename_remote(repo: Repository, old: str, new: str) -> RemoteInfo:
    """Rename a remote, with its remembered branches and who follows them.

    Raises:
        RefNotFoundError: There is no remote ``old``.
        AlreadyExistsError: There is a remote ``new``.
    """
    _check_remote_name(new)
    with repo.transaction("remote", summary=f"remote rename {old} {new}") as tx:
        forget_config(repo)
        remote = find_remote(repo, old)
        if new in repo.config.sections("remote"):
            raise AlreadyExistsError(
                f"There is a remote '{new}' already.", hint="Choose another name."
            )
        for ref, oid in repo.refs.iter(f"{REMOTES}{old}/"):
            moved = f"{REMOTES}{new}/{ref.removeprefix(f'{REMOTES}{old}/')}"
            tx.set_ref(moved, oid, old=repo.refs.read(moved), log=f"remote: renamed {old} to {new}")
            tx.set_ref(ref, None, old=oid, log=f"remote: renamed {old} to {new}")
        changes: dict[str, str | None] = {
            section_key("remote", old): None,
            config_key("remote", new, "url"): remote.url,
        }
        for branch in _followers(repo.config, old):
            changes[config_key("branch", branch, "remote")] = new
        change_config(repo, tx, changes)
    forget_config(repo)
    return RemoteInfo(new, remote.url)


def _followers(config: Config, remote: str) -> list[str]:
    followers = []
    for branch in config.sections("branch"):
        upstream = find_upstream(config, branch)
        if upstream is not None and upstream.remote == remote:
            followers.append(branch)
    return followers


def _check_remote_name(name: str) -> None:
    try:
        check_ref_name(f"{REMOTES}{name}/x")
    except UnsafeNameError as error:
        raise UnsafeNameError(
            f"'{show_text(name)}' cannot be a remote's name.",
            hint="Use letters, digits, dots and dashes, as in 'origin'.",
        ) from error
    if "/" in name or name == "." or '"' in name:
        raise UnsafeNameError(
            f"'{show_text(name)}' cannot be a remote's name.", hint="Use a name without slashes."
        )
    if name.startswith("-"):
        raise UsageError(f"'{show_text(name)}' reads like an option.", hint="Choose another name.")
