"""Collect garbage in an object store; what has a program of its own collects by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from muse.core.errors import UsageError
from muse.core.repo import Repository
from muse.ops.fetch import find_source
from muse.ops.remote_config import connect
from muse.remotes.address import STORES, parse_address

if TYPE_CHECKING:
    from muse.remotes.store_gc import StoreGcResult


@dataclass(frozen=True, slots=True)
class RemoteGc:
    """What a collection in a remote did.

    Attributes:
        remote: The remote's name; its address when it has none.
        url: Its address, fit for showing.
        result: What was done.
    """

    remote: str
    url: str
    result: StoreGcResult


def gc_remote(
    repo: Repository, *, remote: str | None, grace_s: float, dry_run: bool = False
) -> RemoteGc:
    """Remove from an object store what none of its refs needs, and make many packs few.

    Args:
        repo: Our side: what is here need not be read there.
        remote: A remote's name or an address; the default one when None.
        grace_s: How long what refs have left behind, and packs that no push has listed, are
            kept; by the store's clock.
        dry_run: Only say what would be done.

    Raises:
        UsageError: It is no object store, or the grace is shorter than pushes may take.
        RemoteError: The store failed, or is incomplete; then nothing was removed.

    Durability:
        Killed anywhere, every ref there is complete, and the next run goes on (G1, G5, G7).
    """
    from muse.remotes.store import StoreRemote  # start-up time
    from muse.remotes.store_gc import MIN_GRACE_S

    info = find_source(repo, remote)
    if parse_address(info.url).scheme not in STORES:
        raise UsageError(
            f"{info.shown_url} is not an object store.",
            hint="Run 'muse gc' in that repository itself.",
        )
    if grace_s < MIN_GRACE_S:
        raise UsageError(
            "A store keeps what is unreachable for a day at least: a push that is under way may "
            "need it.",
            hint="Give '--expire 1d' or more; the default is two weeks.",
        )
    other = connect(repo, info)
    assert isinstance(other, StoreRemote)
    try:
        return RemoteGc(info.shown, other.url, other.collect(grace_s=grace_s, dry_run=dry_run))
    finally:
        other.close()
