"""Which remotes there are, what follows them, and how to reach one.

They live in ``.muse/config.toml`` as ``[remote.<name>] url = "…"``; what a branch follows stands
there too, as ``[branch.<name>] remote = "…" merge = "refs/heads/…"``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.config import Config, set_value
from muse.core.errors import RefNotFoundError, UsageError
from muse.core.io import read_bytes
from muse.core.paths import config_path, show_text
from muse.core.plain_files import RECORD_BYTES
from muse.core.refs import HEADS, REMOTES
from muse.core.repo import Repository
from muse.core.transaction import Transaction
from muse.core.upstream import HERE, find_upstream
from muse.remotes.address import parse_address, show_url
from muse.remotes.media import open_remote, use_local
from muse.remotes.protocol import Remote
from muse.remotes.transfer import Pulse

# Where the branches of a place without a name go; the next such fetch replaces them.
FETCHED: Final = "refs/fetched/"


class RemoteInfo(NamedTuple):
    """A remote as configured.

    Attributes:
        name: Its name; empty for an address that was typed in place of a name.
        url: Its address as stored; it may hold a secret, so it is for opening, not for showing.
    """

    name: str
    url: str

    @property
    def shown_url(self) -> str:
        """The address without user, password and token."""
        return show_url(self.url)

    @property
    def shown(self) -> str:
        """How to name it in messages."""
        return self.name or self.shown_url

    def tracking(self, branch: str) -> str:
        """Return the full name of the ref here that remembers one of its branches.

        Args:
            branch: Short or full name.

        Returns:
            Below ``refs/fetched/`` for an address that has no name.
        """
        folder = f"{REMOTES}{self.name}/" if self.name else FETCHED
        return folder + branch.removeprefix(HEADS)


def list_remotes(repo: Repository) -> tuple[RemoteInfo, ...]:
    """Return the configured remotes, by name."""
    found = []
    for name in sorted(repo.config.sections("remote")):
        url = repo.config.get(config_key("remote", name, "url"))
        if url is not None:
            found.append(RemoteInfo(name, url))
    return tuple(found)


def find_remote(repo: Repository, name: str) -> RemoteInfo:
    """Return a remote by its name.

    Raises:
        RefNotFoundError: There is none of that name.
    """
    remotes = list_remotes(repo)
    for remote in remotes:
        if remote.name == name:
            return remote
    names = ", ".join(remote.name for remote in remotes)
    raise RefNotFoundError(
        f"There is no remote '{show_text(name)}'.",
        hint=f"There are: {names}."
        if names
        else f"Add one with 'muse remote add {show_text(name)} <path or host:path>'.",
    )


def find_remote_or_address(repo: Repository, text: str) -> RemoteInfo:
    """Return a remote by its name, or one for an address typed in its place.

    Raises:
        RefNotFoundError: It is neither a name nor something that looks like an address.
    """
    if looks_like_address(text):
        parse_address(text)
        return RemoteInfo("", text)
    return find_remote(repo, text)


def looks_like_address(text: str) -> bool:
    """Tell an address from a remote's name, which has neither slash nor colon."""
    return "/" in text or ":" in text or text in {".", ".."}


def name_address(repo: Repository, info: RemoteInfo) -> RemoteInfo:
    """Give an address that was typed a name: the remote's that has it, else ``origin``.

    Raises:
        UsageError: ``origin`` is another place.
    """
    remotes = list_remotes(repo)
    for remote in remotes:
        if remote.url == info.url:
            return remote
    if any(remote.name == "origin" for remote in remotes):
        raise UsageError(
            f"A branch follows a remote by its name, and {info.shown_url} has none.",
            hint=f"Give it one: 'muse remote add <name> {info.shown_url}'.",
        )
    return RemoteInfo("origin", info.url)


def default_remote(repo: Repository, branch: str | None) -> RemoteInfo:
    """Return the remote to use when none is named.

    It is the one that the branch follows, else ``origin``, else the only one.

    Raises:
        RefNotFoundError: There is no remote, or no way to choose.
    """
    upstream = find_upstream(repo.config, branch) if branch else None
    if upstream is not None and upstream.remote != HERE:
        return find_remote(repo, upstream.remote)
    remotes = {remote.name: remote for remote in list_remotes(repo)}
    if "origin" in remotes:
        return remotes["origin"]
    if len(remotes) == 1:
        return next(iter(remotes.values()))
    if not remotes:
        raise RefNotFoundError(
            "This repository knows no remote.",
            hint="Add one with 'muse remote add origin <path or host:path>'; "
            "'muse init --bare <path>' makes an empty repository to push to.",
        )
    raise RefNotFoundError(
        f"There are {len(remotes)} remotes, and none is called 'origin'.",
        hint=f"Name one of: {', '.join(remotes)}.",
    )


def connect(
    repo: Repository, remote: RemoteInfo, pulse: Pulse | None = None, *, create: bool = False
) -> Remote:
    """Open the other side of a remote; its reflogs get the name that ours get.

    Args:
        repo: The repository.
        remote: Its remote.
        pulse: Asked while the other side is waited for; may raise to give up.
        create: Make a repository in an empty place of an object store.

    Raises:
        RemoteError: It cannot be reached, or is no repository.
    """
    other = open_remote(
        remote.url,
        base=repo.root,
        identity=repo.identity,
        user_config=repo.config.user_path,
        trusted=trusted_folders(repo.config),
        name=remote.name,
        idle=pulse.beat if pulse is not None else None,
        notify=repo.notify,
    )
    use_local(other, repo, create=create)
    return other


def trusted_folders(config: Config) -> tuple[str, ...]:
    """Return the folders of other owners that the user's own settings allow to be written."""
    safe = config.user.get("safe")
    folders = safe.get("directories") if isinstance(safe, Mapping) else None
    if isinstance(folders, str):
        return (folders,)
    if isinstance(folders, list):
        return tuple(str(folder) for folder in folders)
    return ()


def address_from(typed: str, *, cwd: Path, root: Path) -> str:
    """Return an address as it is stored: a relative path that was typed becomes relative to root.

    Args:
        typed: What the user typed.
        cwd: Where.
        root: The repository's folder.
    """
    address = parse_address(typed)
    if address.scheme != "path" or typed.startswith("file://") or os.path.isabs(typed):
        return typed
    return os.path.relpath(os.path.join(os.path.realpath(cwd), typed), os.path.realpath(root))


# -- settings ------------------------------------------------------------------------------------


def config_key(section: str, name: str, key: str) -> str:
    """Return the dotted key of a named section's setting; a name with a dot is quoted."""
    return f"{section_key(section, name)}.{key}"


def section_key(section: str, name: str) -> str:
    """Return the dotted key of a named section as a whole."""
    return f'{section}."{name}"' if "." in name else f"{section}.{name}"


def change_config(repo: Repository, tx: Transaction, changes: Mapping[str, str | None]) -> None:
    """Let a transaction change settings; None removes.

    The file is read inside the transaction, under the lock, so that no other change is lost. Call
    it once a transaction: a second call would not see what the first one changed.
    """
    data = (
        read_bytes(config_path(repo.root), doing="read the configuration", limit=RECORD_BYTES)
        or b""
    )
    changed = data
    for key, value in changes.items():
        changed = set_value(changed, key, value)
    if changed != data:
        tx.write_file(config_path(repo.root), changed)


def upstream_settings(branch: str, *, remote: str, merge: str) -> dict[str, str]:
    """Return the settings that make a branch follow another, for `change_config`.

    Args:
        branch: Short name of the local branch.
        remote: The remote's name.
        merge: Full name of the branch there.
    """
    return {
        config_key("branch", branch, "remote"): remote,
        config_key("branch", branch, "merge"): merge,
    }


def forget_config(repo: Repository) -> None:
    """Have the settings read anew when they are next asked for."""
    repo.config = fresh_config(repo)


def fresh_config(repo: Repository) -> Config:
    """Return the settings as they are on disk now."""
    return Config(config_path(repo.root), user_path=repo.config.user_path)
