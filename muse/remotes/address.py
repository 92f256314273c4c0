"""Where a remote is: what a user types, told apart by its form, and fit for showing.

===========================  ===========================================
``/srv/a``, ``../a``, ``a``   a folder; relative to the repository
``file:///srv/a``             the same, percent-encoded
``ssh://…``, ``host:path``    another machine (see `muse.remotes.ssh_address`)
``s3://``, ``gs://``, ``az://``  a bucket, and what stands before the names in it
``store:///srv/a``            a folder that is used like a bucket
===========================  ===========================================

As in git, ``a:b`` is another machine unless a slash stands before the colon.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from muse.core.errors import RemoteError, UsageError
from muse.core.paths import show_text
from muse.remotes.ssh_address import parse_ssh_address

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USERINFO = re.compile(r"\A([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")
# Schemes of the object-store medium.
STORES: Final = frozenset({"s3", "gs", "az", "store"})


class Address(NamedTuple):
    """A remote's place.

    Args:
        scheme: ``path``, or the medium that it asks for: ``ssh``, ``s3``, …
        path: For ``path``: the folder as given, decoded.
        shown: The whole, without passwords and tokens and control characters.
    """

    scheme: str
    path: str
    shown: str


def show_url(url: str) -> str:
    """Return a URL fit for terminals and logs: no password, token or control character."""
    match = _USERINFO.match(url)
    if match:
        # ssh's user is part of the place; elsewhere a user may be a token.
        user = match[2].partition(":")[0] + "@" if match[1].lower() == "ssh://" else ""
        url = match[1] + user + url[match.end() :]
    if _SCHEME.match(url):
        for mark in "?#":
            url = url.split(mark, 1)[0]
    return show_text(url)


def parse_address(url: str) -> Address:
    """Tell what kind of place a URL or path names.

    Raises:
        UsageError: It is empty, holds control characters, or is a malformed ``file://`` URL.
    """
    shown = show_url(url)
    if not url.strip() or not url.isprintable():
        raise UsageError(
            f"'{shown}' is not the address of a repository.",
            hint="Give a folder, as in '../other' or '/srv/repos/project'.",
        )
    match = _SCHEME.match(url)
    if match:
        scheme = match[1].lower()
        if scheme == "file":
            return Address("path", _file_path(url, shown), shown)
        if scheme == "ssh":
            parse_ssh_address(url)
        return Address(scheme, "", shown)
    head, colon, _ = url.partition(":")
    if colon and "/" not in head:
        parse_ssh_address(url)
        return Address("ssh", "", shown)
    return Address("path", url, shown)


def _file_path(url: str, shown: str) -> str:
    from urllib.parse import unquote, urlsplit  # start-up time: few addresses are URLs

    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise UsageError(
            f"'{shown}' names no folder on this machine.",
            hint="A file URL has three slashes and a whole path: 'file:///srv/repos/project'.",
        )
    path = unquote(parts.path, errors="surrogateescape")
    if "\0" in path:
        raise UsageError(f"'{shown}' names no folder.", hint="It holds a NUL character.")
    return path


def find_folder(address: Address, *, base: Path) -> Path:
    """Return the folder that an address names.

    Args:
        address: Where.
        base: What a relative path is relative to: the repository's root.

    Raises:
        RemoteError: It names a medium that this version does not speak.
    """
    if address.scheme != "path":
        raise RemoteError(
            f"{address.shown}: this version of Muse does not speak {address.scheme}.",
            hint="Use a folder, host:path, ssh:// or an object store; 'muse bridge git-import' "
            "takes over a clone that git made.",
        )
    return base / address.path
