"""A bucket: a place that keeps whole objects under names, and can write on a condition.

Two kinds: `CloudBucket` (S3, Google, Azure: whatever obstore speaks) and `FolderBucket` (a folder
on this machine or a mounted disk). Everything above them is one code path.

INVARIANT: nothing but ``refs.json`` is ever overwritten. Every other name is used once: it holds
random digits of whoever writes it, so "exists already" can only mean that an answer was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from muse.core.config import read_tables
from muse.core.errors import RemoteError, UsageError
from muse.remotes.address import Address


class Version(NamedTuple):
    """What a store calls one state of an object; S3 and Azure use the first, Google the second."""

    e_tag: str | None
    version: str | None = None


class Stored(NamedTuple):
    """A whole object and which state of it that is."""

    data: bytes
    version: Version


class Listed(NamedTuple):
    """An object without its bytes; the time is the store's own."""

    name: str
    size: int
    mtime_s: float


class Bucket(Protocol):
    """What the medium needs. Every method may raise `RemoteError`; all but `swap` may be retried.

    Safe to share between threads.
    """

    @property
    def shown(self) -> str:
        """Where it is, fit for showing."""
        ...

    @property
    def fingerprint(self) -> str:
        """What tells this place from any other, the server that is spoken to included."""
        ...

    def get(self, name: str, *, limit: int) -> Stored | None:
        """Return a whole object; None when there is none. Larger than ``limit`` is an error."""
        ...

    def read(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` up to ``end``, all of them."""
        ...

    def stream(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``end`` in order."""
        ...

    def create(self, name: str, parts: Iterable[bytes], *, size: int) -> None:
        """Write an object of so many bytes under a name that nobody else uses; then durable."""
        ...

    def swap(self, name: str, data: bytes, version: Version | None) -> Version | None:
        """Replace an object if it is at ``version`` (None: if there is none).

        Returns:
            The new version; None when it was not, or when it is unknown which of the two is true
            because an answer was lost: the caller looks.
        """
        ...

    def stat(self, name: str) -> Listed | None:
        """Return size and time of an object; None when there is none."""
        ...

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield what lies below a prefix."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Delete objects; those that are gone already are fine."""
        ...


def gone_error(shown: str, name: str) -> RemoteError:
    """Return the error for an object that its list names and that is not there."""
    return RemoteError(
        f"{shown}: '{name}' is not there.",
        hint="A 'muse gc --remote' may have replaced it a moment ago: run the command again. If it "
        "stays, somebody deleted it by other means.",
    )


def too_large_error(shown: str, name: str, limit: int) -> RemoteError:
    """Return the error for an object that is larger than any that Muse writes there."""
    return RemoteError(
        f"{shown}: '{name}' has more than {limit} bytes.",
        hint="It is damaged or is not Muse's, so it was not read. Check the address.",
    )


def open_bucket(address: Address, url: str, *, user_config: Path | None) -> Bucket:
    """Open the place that an address names; nothing is sent yet.

    Args:
        address: ``s3``, ``gs``, ``az`` or ``store``, parsed.
        url: The address as stored.
        user_config: The user's own settings, of which ``[s3]``, ``[gs]`` and ``[az]`` may name an
            endpoint. A repository's settings are never asked: they come from others.

    Raises:
        UsageError: It names no bucket, or holds credentials.
    """
    rest = url.partition("://")[2]
    if address.scheme == "store":
        from muse.remotes.bucket_folder import FolderBucket  # start-up time

        return FolderBucket(_folder(rest, address.shown), shown=address.shown)
    name, _, prefix = rest.partition("/")
    if "@" in name:
        raise UsageError(
            f"'{address.shown}' holds credentials.",
            hint="Leave them out: they are taken from the environment (AWS_ACCESS_KEY_ID and "
            "the like), so that no secret is stored in a repository.",
        )
    steps = [step for step in prefix.split("/") if step]
    if not name or "?" in rest or "#" in rest or any(step in {".", ".."} for step in steps):
        raise UsageError(
            f"'{address.shown}' names no place in a bucket.",
            hint=f"Give a bucket and, if you like, a prefix: '{address.scheme}://bucket/project'.",
        )
    settings: Mapping[str, object] = {}
    if user_config is not None:
        found = read_tables(user_config, follow=True).get(address.scheme)
        settings = found if isinstance(found, Mapping) else {}
    from muse.remotes.bucket_cloud import open_cloud  # start-up time

    return open_cloud(address.scheme, name, "/".join(steps), shown=address.shown, settings=settings)


def _folder(rest: str, shown: str) -> Path:
    from urllib.parse import unquote  # start-up time

    path = unquote(rest, errors="surrogateescape")
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise UsageError(
            f"'{shown}' names no folder on this machine.",
            hint="It has three slashes and a whole path: 'store:///srv/stores/project'.",
        )
    return Path(path)
