"""Make a repository out of another one: its history, its branches, and the files of one branch.

A clone is an `init`, a `fetch` and a first checkout, in a folder that knows what it is going to
be (see `clone_folder`): killed at any point, the same command goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from muse.core.commits import Signature
from muse.core.errors import BadTransferError, MuseError, RefNotFoundError, UsageError
from muse.core.paths import show_text
from muse.core.refs import DEFAULT_BRANCH, HEADS, TAGS, Head, short_name
from muse.core.repo import Repository, open_repo
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, from_raw
from muse.ops.clone_folder import CloneFolder
from muse.ops.fetch import FetchOptions, fetch_from
from muse.ops.init import init
from muse.ops.move_tree import move_working_tree
from muse.ops.remote_config import (
    RemoteInfo,
    change_config,
    config_key,
    forget_config,
    upstream_settings,
)
from muse.remotes.address import parse_address, show_url
from muse.remotes.media import open_remote, use_local
from muse.remotes.protocol import RefListing, Remote, TransferCallback, checkout_progress
from muse.remotes.transfer import Pulse, check_listing


@dataclass(frozen=True, slots=True)
class CloneOptions:
    """How to clone.

    Attributes:
        bare: No working tree; branches become branches instead of being remembered.
        branch: The branch or tag to check out; the one that HEAD names there when None.
        depth: Bring so many generations of commits below each branch; None: all of history.
        user_config: The user's own settings file.
        trusted: Folders of other owners that the user allows to be written.
        identity: Says whose name the reflogs get.
        notify: Told what programs that we start, such as ssh, have to say to the user.
    """

    bare: bool = False
    branch: str | None = None
    depth: int | None = None
    user_config: Path | None = None
    trusted: tuple[str, ...] = ()
    identity: Callable[[], Signature] | None = None
    notify: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class CloneResult:
    """What a clone made.

    Attributes:
        root: The new repository's folder.
        url: What it is a clone of, fit for showing.
        bare: Whether it has no working tree.
        branch: The branch that is checked out; None when HEAD is at a tag's commit.
        commit: The commit that is checked out; None for a clone of nothing.
        branches: How many branches came.
        tags: How many tags came.
        objects: Objects that came with this run.
        size_bytes: Bytes of payload in them.
        present: Objects that an earlier, killed run had brought.
        resumed: Whether an earlier run had begun it.
        ends: At how many commits history ends on purpose; 0 when it is whole.
    """

    root: Path
    url: str
    bare: bool
    branch: str | None
    commit: ObjectId | None
    branches: int
    tags: int
    objects: int
    size_bytes: int
    present: int
    resumed: bool
    ends: int


@dataclass(frozen=True, slots=True)
class _Start:
    """What will be checked out: a branch, or a tag's commit."""

    branch: str | None
    tag: str | None


def default_folder(source: str) -> str:
    """Return the folder name that a source suggests: its last part.

    Raises:
        UsageError: It suggests none.
    """
    address = parse_address(source)
    parts = [part for part in (address.path or address.shown).rstrip("/").split("/") if part]
    if parts and parts[-1] == ".muse":
        parts.pop()
    name = parts[-1].removesuffix(".muse").rpartition(":")[2] if parts else ""
    if not name or name in {".", ".."}:
        raise UsageError(
            f"'{address.shown}' suggests no name for the clone.",
            hint="Name the folder: 'muse clone <source> <folder>'.",
        )
    return name


def clone(
    source: str,
    folder: Path,
    *,
    cwd: Path,
    options: CloneOptions | None = None,
    progress: TransferCallback | None = None,
) -> CloneResult:
    """Clone a repository into a folder.

    Args:
        source: Its address as typed.
        folder: Where; made when missing, otherwise empty or holding what a killed clone of the
            same source left.
        cwd: What a relative source is relative to.
        options: How.
        progress: Told of each step; raises to cancel.

    Raises:
        AlreadyExistsError: The folder holds something else; it is left as it is.
        RefNotFoundError: The branch to check out does not exist there.
        BadTransferError: The source sent something damaged or hostile; the folder is removed if
            it was made here.
        RemoteError: The source cannot be reached, or failed.

    Durability:
        Killed at any instant: a folder that the same command completes, without bringing again
        what arrived. HEAD is born last, so a half-made clone never looks like a whole one.
    """
    options = options or CloneOptions()
    url = _whole_url(source, cwd)
    pulse = Pulse(progress) if progress is not None else None
    other = open_remote(
        url,
        base=cwd,
        identity=options.identity,
        user_config=options.user_config,
        trusted=options.trusted,
        name="origin",
        idle=pulse.beat if pulse is not None else None,
        notify=options.notify,
    )
    try:
        listing = check_listing(other.list_refs(), other.url)
        start = _choose_start(listing, options.branch, other.url)
        with CloneFolder(folder, url=url, bare=options.bare) as place:
            try:
                result = _fill(place, other, listing, start, options=options, progress=pulse)
            except BaseException as error:
                _leave(place, error)
                raise
            place.finish()
    finally:
        other.close()
    return result


def _whole_url(source: str, cwd: Path) -> str:
    address = parse_address(source)
    if address.scheme != "path" or source.startswith("file://"):
        return source
    return os.path.normpath(os.path.join(cwd, source))


def _choose_start(listing: RefListing, wanted: str | None, url: str) -> _Start:
    names = listing.values()
    if wanted is not None:
        if HEADS + wanted in names:
            return _Start(wanted, None)
        if TAGS + wanted in names:
            return _Start(None, wanted)
        raise RefNotFoundError(
            f"{url} has no branch or tag '{show_text(wanted)}'.", hint=_what_there_is(listing)
        )
    branches = [short_name(name) for name in names if name.startswith(HEADS)]
    head = short_name(listing.head) if listing.head else None
    for name in (head, DEFAULT_BRANCH, "master", *branches):
        if name is not None and name in branches:
            return _Start(name, None)
    return _Start(head or DEFAULT_BRANCH, None)


def _what_there_is(listing: RefListing) -> str:
    names = [short_name(ref.name) for ref in listing.refs]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"It has: {', '.join(map(show_text, names[:8]))}{more}." if names else "It is empty."


def _fill(
    place: CloneFolder,
    other: Remote,
    listing: RefListing,
    start: _Start,
    *,
    options: CloneOptions,
    progress: TransferCallback | None,
) -> CloneResult:
    init(place.folder, bare=options.bare, branch=start.branch or DEFAULT_BRANCH)
    repo = open_repo(
        place.folder, command="clone", user_config=options.user_config, unfinished=True
    )
    repo.identity = options.identity
    use_local(other, repo)
    info = RemoteInfo("origin", place.url)
    _configure(repo, info)
    fetched = fetch_from(
        repo,
        other,
        info,
        options=FetchOptions(
            depth=options.depth,
            # A release that no branch holds any more is part of a whole copy.
            tags=options.depth is None,
            also=(TAGS + start.tag,) if start.tag is not None else (),
            into=HEADS if options.bare else "",
            accept_ends=True,
        ),
        listing=listing,
        progress=progress,
    )
    commit = _start_at(repo, info, start, options=options, progress=progress)
    return CloneResult(
        root=place.folder,
        url=fetched.url,
        bare=options.bare,
        branch=start.branch,
        commit=commit,
        branches=sum(1 for _ in repo.refs.iter(HEADS if options.bare else info.tracking(""))),
        tags=sum(1 for _ in repo.refs.iter(TAGS)),
        objects=fetched.objects,
        size_bytes=fetched.size_bytes,
        present=fetched.present,
        resumed=place.resumed,
        ends=fetched.ends,
    )


def _configure(repo: Repository, info: RemoteInfo) -> None:
    key = config_key("remote", info.name, "url")
    if repo.config.get(key) != info.url:
        with repo.transaction("clone") as tx:
            change_config(repo, tx, {key: info.url})
        forget_config(repo)


def _start_at(
    repo: Repository,
    info: RemoteInfo,
    start: _Start,
    *,
    options: CloneOptions,
    progress: TransferCallback | None,
) -> ObjectId | None:
    """Write the first files, and let HEAD be born at what they are of."""
    head = repo.head()
    if head.commit is not None and head.branch == start.branch:
        # An earlier run came this far; for a bare clone, the fetch did it.
        return head.commit
    if start.tag is not None:
        graph = Revisions(repo.objects, repo.refs)
        commit = from_raw(graph.find_commit(TAGS + start.tag))
    else:
        there = HEADS if options.bare else info.tracking("")
        found = repo.refs.read(f"{there}{start.branch}")
        if found is None:
            _follow_unborn(repo, info, start, bare=options.bare)
            return None
        commit = found

    log = f"clone: from {show_url(info.url)}"
    ref = HEADS + start.branch if start.branch is not None else None
    with repo.transaction("clone", summary=log) as tx:
        if ref is None:
            tx.set_head(commit=commit, log=log)
        else:
            tx.set_ref(ref, commit, old=repo.refs.read(ref), log=log)
            tx.set_head(ref=ref, log=log)
        if not options.bare:
            if start.branch is not None and ref is not None:
                change_config(
                    repo, tx, upstream_settings(start.branch, remote=info.name, merge=ref)
                )
            move_working_tree(
                repo,
                tx,
                head=Head(start.branch, ref, commit),
                command="clone",
                progress=checkout_progress(progress),
            )
    return commit


def _follow_unborn(repo: Repository, info: RemoteInfo, start: _Start, *, bare: bool) -> None:
    """Let the first branch of an empty clone follow the one that it will be pushed to."""
    if bare or start.branch is None:
        return
    with repo.transaction("clone") as tx:
        merge = HEADS + start.branch
        change_config(repo, tx, upstream_settings(start.branch, remote=info.name, merge=merge))
    forget_config(repo)


def _leave(place: CloneFolder, error: BaseException) -> None:
    """Decide what stays of a clone that failed: what can be resumed, and nothing else."""
    from muse.core.object_store import ObjectStore

    store = ObjectStore(place.folder)
    arrived = bool(store.packs()) or next(store.iter_loose(), None) is not None
    if isinstance(error, BadTransferError) or not arrived:
        if not place.resumed:
            place.discard()
        return
    if isinstance(error, MuseError):
        error.hint += (
            f" What arrived is kept in '{place.folder}': give the same command again to go on."
        )
