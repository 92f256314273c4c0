"""Addresses of other machines: ``ssh://[user@]host[:port]/path`` and ``[user@]host:path``.

==============================  ===============================================
``ssh://host/srv/a``            an absolute path, percent-encoded
``ssh://host/~/a``, ``~ada/a``  in a home there
``host:a``, ``host:/srv/a``     relative to the home there; as written
``ssh://[::1]:2222/a``          IPv6 in brackets; ``[::1]:a``, too
==============================  ===============================================

An address may come from a stranger (a README, another remote's hint), and its parts end up in the
command line of ssh, so that none may read like an option, nor hold what a shell would act on.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from muse.core.errors import UsageError
from muse.core.paths import show_text

_URL: Final = re.compile(r"ssh://(?:([^@/]*)@)?(\[[^\]/]*\]|[^:/\[\]]*)(?::([^/]*))?(/.*)?\Z", re.I)
_SHORT: Final = re.compile(r"(?:([^@/:\[]*)@)?(\[[^\]/]*\]|[^:/\[\]]*):(.*)\Z", re.DOTALL)
# As OpenSSH has it: what a ProxyCommand could hand to a shell.
_UNSAFE: Final = re.compile(r"[\s'\"`$\\;&<>|(){}\0]")
_MAX_PORT: Final = 65535


class SshPlace(NamedTuple):
    """A repository on another machine.

    Args:
        user: Whose account; empty for the one that ssh would choose.
        host: Its name or address, without brackets.
        port: Empty for the one that ssh would choose.
        path: The folder there; ``~`` at its beginning is a home.
    """

    user: str
    host: str
    port: str
    path: str

    @property
    def account(self) -> str:
        """Where ssh goes: ``user@host``."""
        return f"{self.user}@{self.host}" if self.user else self.host


def parse_ssh_address(url: str) -> SshPlace:
    """Take an address apart.

    Raises:
        UsageError: It is malformed, or a part of it reads like an option.
    """
    if url.lower().startswith("ssh://"):
        match = _URL.match(url)
        user, host, port, path = match.groups(default="") if match else ("",) * 4
        user, path = _decode(user.partition(":")[0]), _decode(path)
        if path.startswith("/~"):
            path = path[1:]
    else:
        match = _SHORT.match(url)
        user, host, path = match.groups(default="") if match else ("",) * 3
        port = ""
    place = SshPlace(user, host.removeprefix("[").removesuffix("]"), port, path)
    _check(place, url)
    return place


def _decode(text: str) -> str:
    from urllib.parse import unquote  # start-up time: few addresses are URLs

    return unquote(text, errors="surrogateescape")


def _check(place: SshPlace, url: str) -> None:
    shown = show_text(url)
    if not place.host or not place.path or (url.lower().startswith("ssh://") and place.path == "/"):
        raise UsageError(
            f"'{shown}' names no repository on another machine.",
            hint="Write 'ssh://user@host/path/to/it', or 'user@host:path' from the home there.",
        )
    for part in (place.account, place.host, place.path):
        if part.startswith("-"):
            raise UsageError(
                f"'{shown}' is refused: '{show_text(part)}' reads like an option of ssh.",
                hint="Whoever gave you this address may want to run a program here. A folder of "
                "such a name is reached as './-name' or by its whole path.",
            )
    if _UNSAFE.search(place.account):
        raise UsageError(
            f"'{shown}' is refused: '{show_text(place.account)}' is no user and host.",
            hint="Whoever gave you this address may want to run a program here.",
        )
    if place.port and not (
        place.port.isascii() and place.port.isdigit() and 0 < int(place.port) <= _MAX_PORT
    ):
        raise UsageError(
            f"'{shown}' has no port of a machine: '{show_text(place.port)}'.",
            hint="A port is a number up to 65535; leave it out for the usual one.",
        )
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in place.path):
        raise UsageError(
            f"'{shown}' holds a control character.", hint="Rename that folder, or link to it."
        )
