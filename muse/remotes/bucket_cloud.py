"""S3, Google Cloud Storage and Azure as a bucket, through obstore.

Credentials come from where obstore finds them: the environment, profiles, instance roles. They
are never asked for, stored or shown; obstore's own error texts hold addresses and what the server
said, so they are read for their codes and thrown away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import AzureStore, GCSStore, S3Store

from muse.core.errors import RemoteError, UsageError
from muse.remotes.bucket import Listed, Stored, Version, gone_error, too_large_error
from muse.remotes.bucket_errors import explain, status_of

if TYPE_CHECKING:
    from obstore import UpdateVersion
    from obstore.store import ClientConfig, RetryConfig

# Up to here one request; above, parts of `_PART`, of which so many are on their way at a time.
_SINGLE: Final = 16 << 20
_PART: Final = 8 << 20
_PARALLEL: Final = 3
_STREAM: Final = 1 << 20
# What obstore tries again by itself: 5xx, 429, dropped connections. Short, because whoever waits
# can give the same command again, and what arrived stays.
RETRY: Final[RetryConfig] = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=40),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=4),
        "base": 2,
    },
}
READ_TIMEOUT = "30s"
# What obstore raises: a store may not know an operation, and an address may not parse.
_FAILURES: Final = (BaseError, OSError, NotImplementedError, ValueError)
_ENDPOINTS: Final = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL", "GOOGLE_STORAGE_BASE_URL"),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_ALLOW_HTTP: Final = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
# With this set, obstore speaks to Azure's emulator and looks at no other endpoint.
_EMULATOR: Final = "AZURE_STORAGE_USE_EMULATOR"
_EMULATOR_URL: Final = ("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10000")
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d+){3}|::1")
# Settings of the user's own file that may be handed on; none is a secret, none runs anything.
_SETTINGS: Final = {
    "s3": {"endpoint": "endpoint", "region": "region"},
    "gs": {"endpoint": "base_url"},
    "az": {"endpoint": "endpoint", "account": "account_name"},
}


def open_cloud(
    scheme: str, name: str, prefix: str, *, shown: str, settings: Mapping[str, object]
) -> CloudBucket:
    """Open a bucket; nothing is sent yet.

    Args:
        scheme: ``s3``, ``gs`` or ``az``.
        name: The bucket, or Azure's container.
        prefix: What stands before every name; may be empty.
        shown: How to name it in messages.
        settings: The user's own settings for this scheme.

    Raises:
        UsageError: What the environment or the settings say does not fit together.
    """
    config: Any = {
        theirs: str(settings[ours])
        for ours, theirs in _SETTINGS[scheme].items()
        if ours in settings
    }
    endpoint = _endpoint(scheme, settings)
    account = _account(settings, shown=shown) if scheme == "az" else ""
    client: ClientConfig = {
        # Whole packs pass in one request, over slow lines too: a stalled one is noticed by its
        # silence, not by how long it takes.
        "timeout": "30m",
        "read_timeout": READ_TIMEOUT,
        "connect_timeout": "10s",
        "allow_http": _may_be_plain(scheme, endpoint, settings),
    }
    where: dict[str, Any] = {
        "prefix": prefix or None, "client_options": client, "retry_config": RETRY,
    }  # fmt: skip
    try:
        store: S3Store | GCSStore | AzureStore
        if scheme == "s3":
            # The server hashes what it got, too, and refuses what was damaged on the way.
            config.setdefault("checksum_algorithm", "SHA256")
            store = S3Store(name, config=config, **where)
        elif scheme == "gs":
            if endpoint:
                config["base_url"] = endpoint
            store = GCSStore(name, config=config, **where)
        else:
            store = AzureStore(name, config=config, **where)
    except (BaseError, ValueError, OSError) as error:
        raise UsageError(
            f"{shown} cannot be opened: its settings do not fit together.",
            hint="Check the environment (AWS_…, GOOGLE_… or AZURE_…) and the "
            f"[{scheme}] section of your own settings.",
        ) from error
    # At S3 and Google a bucket's name is the whole world's; at Azure it is its account's.
    server = f"{endpoint} {account}" if account else endpoint
    return CloudBucket(store, shown=shown, fingerprint=f"{scheme} {server} {name} {prefix}")


def _endpoint(scheme: str, settings: Mapping[str, object]) -> str:
    """Return the server that the user's settings or the environment name; empty for the usual one.

    Raises:
        UsageError: It is no URL: obstore would end the process over it.
    """
    names: list[tuple[str, object]]
    if scheme == "az" and _says_yes(_EMULATOR):
        names = [(_EMULATOR_URL[0], os.environ.get(*_EMULATOR_URL))]
    else:
        names = [(f"{scheme}.endpoint", settings.get("endpoint"))]
        names += [(key, os.environ.get(key)) for key in _ENDPOINTS[scheme]]
    for name, value in names:
        if value is None:
            continue
        url = urlsplit(str(value))
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise UsageError(
                f"{name} is not the address of a server.",
                hint="Give a whole URL, as in 'https://objects.example.com', or unset it.",
            )
    return next((str(value) for _, value in names if value is not None), "")


def _account(settings: Mapping[str, object], *, shown: str) -> str:
    """Return the storage account that Azure's container belongs to.

    Raises:
        UsageError: None is named.
    """
    found = settings.get("account") or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    if not found and not _says_yes(_EMULATOR):
        raise UsageError(
            f"{shown} names a container, and nothing names the storage account.",
            hint="Set AZURE_STORAGE_ACCOUNT_NAME, or 'muse config --user az.account <name>'.",
        )
    return str(found or "emulator")


def _says_yes(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in {"1", "true", "on", "yes", "y"}


def _may_be_plain(scheme: str, endpoint: str, settings: Mapping[str, object]) -> bool:
    """Tell whether http without TLS is allowed: to this machine, or when the user says so."""
    if settings.get("allow_http") is True:
        return True
    if _says_yes(_ALLOW_HTTP[scheme]) or (scheme == "az" and _says_yes(_EMULATOR)):
        return True
    return bool(_LOOPBACK.fullmatch(urlsplit(endpoint).hostname or ""))


class CloudBucket:
    """See `Bucket`.

    Args:
        store: obstore's.
        shown: How to name it in messages.
        fingerprint: See `Bucket.fingerprint`.
    """

    def __init__(
        self, store: S3Store | GCSStore | AzureStore, *, shown: str, fingerprint: str
    ) -> None:
        self._store = store
        self.shown, self.fingerprint = shown, fingerprint

    def get(self, name: str, *, limit: int) -> Stored | None:
        """See `Bucket.get`."""
        try:
            found = obstore.get(self._store, name)
            meta = found.meta
            if meta["size"] > limit:
                raise too_large_error(self.shown, name, limit)
            data = bytes(found.bytes())
        except FileNotFoundError as error:
            if status_of(error).code in {"NoSuchBucket", "ContainerNotFound"}:
                raise self._told(error) from error
            return None
        except _FAILURES as error:
            raise self._told(error) from error
        return Stored(data, Version(meta["e_tag"], meta["version"]))

    def read(self, name: str, start: int, end: int) -> bytes:
        """See `Bucket.read`."""
        try:
            data = bytes(obstore.get_range(self._store, name, start=start, end=end))
        except FileNotFoundError as error:
            raise gone_error(self.shown, name) from error
        except _FAILURES as error:
            raise self._told(error) from error
        if len(data) != end - start:
            raise self._short(name)
        return data

    def stream(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """See `Bucket.stream`."""
        seen = start
        try:
            found = obstore.get(self._store, name, options={"range": (start, end)})
            for chunk in found.stream(min_chunk_size=_STREAM):
                data = bytes(chunk)
                seen += len(data)
                yield data
        except FileNotFoundError as error:
            raise gone_error(self.shown, name) from error
        except _FAILURES as error:
            raise self._told(error) from error
        if seen != end:
            raise self._short(name)

    def create(self, name: str, parts: Iterable[bytes], *, size: int) -> None:
        """See `Bucket.create`."""
        try:
            if size <= _SINGLE:
                obstore.put(self._store, name, b"".join(parts), mode="create")
            else:
                # In parts there is no condition; the name is used once, so none is needed.
                obstore.put(
                    self._store, name, iter(parts), chunk_size=_PART, max_concurrency=_PARALLEL
                )
        except AlreadyExistsError:
            # Ours: the answer to the first try was lost.
            return
        except _FAILURES as error:
            raise self._told(error) from error

    def swap(self, name: str, data: bytes, version: Version | None) -> Version | None:
        """See `Bucket.swap`."""
        try:
            if version is None:
                result = obstore.put(self._store, name, data, mode="create")
            else:
                # What a store does not use must be left out, not empty.
                seen: UpdateVersion = {}
                if version.e_tag is not None:
                    seen["e_tag"] = version.e_tag
                if version.version is not None:
                    seen["version"] = version.version
                result = obstore.put(self._store, name, data, mode=seen, use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return None
        except _FAILURES as error:
            if status_of(error).status in {409, 412}:
                # S3 says 409 when two conditional writes meet.
                return None
            raise self._told(error) from error
        return Version(result["e_tag"], result["version"])

    def stat(self, name: str) -> Listed | None:
        """See `Bucket.stat`."""
        try:
            found = obstore.head(self._store, name)
        except FileNotFoundError:
            return None
        except _FAILURES as error:
            raise self._told(error) from error
        return Listed(name, found["size"], found["last_modified"].timestamp())

    def list(self, prefix: str) -> Iterator[Listed]:
        """See `Bucket.list`."""
        try:
            for page in obstore.list(self._store, prefix=prefix.rstrip("/")):
                for each in page:
                    yield Listed(each["path"], each["size"], each["last_modified"].timestamp())
        except _FAILURES as error:
            raise self._told(error) from error

    def remove(self, names: Sequence[str]) -> None:
        """See `Bucket.remove`."""
        for name in names:
            try:
                obstore.delete(self._store, name)
            except FileNotFoundError:
                continue
            except _FAILURES as error:
                raise self._told(error) from error

    def _told(self, error: BaseException) -> RemoteError:
        return explain(error, shown=self.shown)

    def _short(self, name: str) -> RemoteError:
        return RemoteError(
            f"{self.shown}: '{name}' came shorter than it should be.",
            hint="The connection may have been cut: run the command again.",
        )
