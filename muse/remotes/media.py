"""From an address to a `Remote`: the one place that knows which media there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from muse.core.commits import Signature
from muse.remotes.address import find_folder, parse_address
from muse.remotes.protocol import Remote


def open_remote(
    url: str,
    *,
    base: Path,
    identity: Callable[[], Signature] | None = None,
    user_config: Path | None = None,
    trusted: Sequence[str] = (),
) -> Remote:
    """Open what an address names.

    Args:
        url: As typed or configured.
        base: What a relative path is relative to.
        identity: Says whose name the other side's reflogs get.
        user_config: The user's own settings file.
        trusted: Folders of other owners that the user allows to be written.

    Raises:
        UsageError: ``url`` is no address.
        RemoteError: It cannot be reached, is no repository, or needs a medium that is not there.
    """
    address = parse_address(url)
    folder = find_folder(address, base=base)
    from muse.remotes.path import PathRemote  # start-up time

    return PathRemote(
        folder, url=address.shown, identity=identity, user_config=user_config, trusted=trusted
    )
