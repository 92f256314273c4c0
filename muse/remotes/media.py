"""From an address to a `Remote`: the one place that knows which media there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from muse.core.commits import Signature
from muse.core.repo import Repository
from muse.remotes.address import STORES, find_folder, parse_address
from muse.remotes.protocol import Remote, UsesLocal


def open_remote(
    url: str,
    *,
    base: Path,
    identity: Callable[[], Signature] | None = None,
    user_config: Path | None = None,
    trusted: Sequence[str] = (),
    name: str = "",
    idle: Callable[[], None] | None = None,
    notify: Callable[[str], None] | None = None,
) -> Remote:
    """Open what an address names.

    Args:
        url: As typed or configured.
        base: What a relative path is relative to.
        identity: Says whose name the other side's reflogs get.
        user_config: The user's own settings file.
        trusted: Folders of other owners that the user allows to be written.
        name: The remote's name, if it has one.
        idle: Called several times a second while a medium waits; may raise to give up.
        notify: Told what a program that carries the bytes has to say, without control characters.

    Raises:
        UsageError: ``url`` is no address.
        RemoteError: It cannot be reached, is no repository, or needs a medium that is not there.
    """
    address = parse_address(url)
    if address.scheme == "ssh":
        from muse.remotes.ssh import open_ssh  # start-up time

        return open_ssh(
            url, shown=address.shown, name=name, identity=identity, user_config=user_config,
            idle=idle, notify=notify,
        )  # fmt: skip
    if address.scheme in STORES:
        from muse.remotes.bucket import open_bucket  # start-up time
        from muse.remotes.store import StoreRemote

        return StoreRemote(open_bucket(address, url, user_config=user_config))
    folder = find_folder(address, base=base)
    from muse.remotes.path import PathRemote  # start-up time

    return PathRemote(
        folder, url=address.shown, identity=identity, user_config=user_config, trusted=trusted
    )


def use_local(remote: Remote, repo: Repository, *, create: bool = False) -> None:
    """Tell a medium which repository is on this side, if it makes use of it.

    Args:
        remote: What was opened.
        repo: Our side.
        create: Let a medium that can make a repository there when there is none.
    """
    if isinstance(remote, UsesLocal):
        remote.use_local(repo, create=create)
