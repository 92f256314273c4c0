"""Upstreams: which remote branch a branch follows, from ``branch.<name>.remote`` and ``.merge``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from muse.core.config import Config
from muse.core.refs import HEADS, REMOTES, short_name

# The "remote" of a branch that follows another branch of the same repository, as in git.
HERE = "."


class Upstream(NamedTuple):
    """What a branch follows.

    Attributes:
        remote: The remote's name; ``.`` for a branch of this repository.
        merge: The full name of the branch on the other side.
        tracking: The full name of the ref here that remembers where it was.
    """

    remote: str
    merge: str
    tracking: str

    @property
    def name(self) -> str:
        """The name that people use, ``origin/main``."""
        return short_name(self.tracking)


def find_upstream(config: Config, branch: str) -> Upstream | None:
    """Return what a branch follows; None when nothing is configured.

    Args:
        config: The repository's settings.
        branch: The branch's short name.
    """
    for tables in (config.local, config.user):
        section = tables.get("branch")
        entry = section.get(branch) if isinstance(section, Mapping) else None
        if not isinstance(entry, Mapping):
            continue
        remote, merge = entry.get("remote"), entry.get("merge")
        if isinstance(remote, str) and isinstance(merge, str) and remote and merge:
            merge = merge if merge.startswith("refs/") else HEADS + merge
            where = merge if remote == HERE else f"{REMOTES}{remote}/{short_name(merge)}"
            return Upstream(remote, merge, where)
    return None
