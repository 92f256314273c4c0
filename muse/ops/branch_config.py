"""The settings of branches: what each follows, in ``branch.<name>.remote`` and ``.merge``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from muse.core.config import Value, read_tables, set_value
from muse.core.errors import RefNotFoundError, UsageError
from muse.core.io import read_bytes
from muse.core.paths import show_text
from muse.core.plain_files import RECORD_BYTES
from muse.core.refs import HEADS, REMOTES
from muse.core.repo import Repository
from muse.core.upstream import HERE

# The detail of an operation that tells what branches followed before and after it.
BRANCH_SETTINGS: Final = "branch_settings"

Settings = Mapping[str, Mapping[str, Value]]


def encode_settings(before: Settings, after: Settings) -> str:
    """Return the settings of branches before and after an operation, for `turn_settings`."""
    return json.dumps({"before": before, "after": after})


def turn_settings(repo: Repository, text: str, *, back: bool) -> bytes:
    """Return the settings file with what branches followed put back, or forward again.

    Args:
        repo: The repository.
        text: What `encode_settings` returned.
        back: Whether the state before is wanted, or the one after.

    Returns:
        The file's bytes. A branch whose settings somebody changed since keeps them.
    """
    states = json.loads(text)
    now, wanted = (
        (states["after"], states["before"]) if back else (states["before"], states["after"])
    )
    changes: dict[str, dict[str, Value | None]] = {}
    for branch in {**now, **wanted}:
        if branch_settings(repo, branch) == now.get(branch, {}):
            changes[branch] = {**dict.fromkeys(now.get(branch, {})), **wanted.get(branch, {})}
    return change_branch_settings(repo, changes)


def upstream_setting(repo: Repository, branch: str, upstream: str | None) -> bytes:
    """Return the settings file with what a branch follows changed.

    Args:
        repo: The repository.
        branch: The branch's short name.
        upstream: ``<remote>/<branch>``, or a branch of this repository; None for nothing.

    Raises:
        RefNotFoundError: There is no such branch.
    """
    remote, merge = _find(repo, upstream) if upstream is not None else (None, None)
    return change_branch_settings(repo, {branch: {"remote": remote, "merge": merge}})


def _find(repo: Repository, upstream: str) -> tuple[str, str]:
    name = upstream.removeprefix(REMOTES)
    if repo.refs.read(REMOTES + name) is not None:
        # A remote's own name may hold slashes: the longest one that is known wins.
        remotes = [r for r in repo.config.sections("remote") if name.startswith(r + "/")]
        remote = max(remotes, key=len, default=name.partition("/")[0])
        return remote, HEADS + name[len(remote) + 1 :]
    local = upstream.removeprefix(HEADS)
    if repo.refs.read(HEADS + local) is not None:
        return HERE, HEADS + local
    raise RefNotFoundError(
        f"There is no branch '{show_text(upstream)}' to follow.",
        hint="'muse branch -a' lists the branches; 'muse fetch' looks what remotes have; "
        "'muse push -u' pushes the branch and lets it follow.",
    )


def change_branch_settings(
    repo: Repository, changes: Mapping[str, Mapping[str, Value | None]]
) -> bytes:
    """Return the settings file with some branches' settings changed; None removes one."""
    path = repo.config.path
    data = (
        read_bytes(path, doing="read the configuration", limit=RECORD_BYTES) if path else None
    ) or b""
    for branch, settings in changes.items():
        if '"' in branch:
            raise UsageError(
                f"The settings of '{show_text(branch)}' cannot be written.",
                hint="Rename the branch to a name without quotation marks.",
            )
        for key, value in settings.items():
            data = set_value(data, f'branch."{branch}".{key}', value)
    return data


def branch_settings(repo: Repository, branch: str) -> dict[str, Value]:
    """Return the repository's own settings of a branch."""
    section = read_tables(repo.config.path).get("branch")
    entry = section.get(branch) if isinstance(section, Mapping) else None
    if not isinstance(entry, Mapping):
        return {}
    return {k: v for k, v in entry.items() if isinstance(v, (str, int, float, bool))}


def reread_config(repo: Repository) -> None:
    """Let the repository see settings that a transaction wrote."""
    repo.config = type(repo.config)(repo.config.path, user_path=repo.config.user_path)
