"""What went wrong at a cloud store, as one sentence and a way out.

A foreign error's text is only searched for its status and code, and for whom it could not reach:
it may quote addresses, keys and whatever a server chose to say (G17).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from muse.core.errors import RemoteError
from muse.core.paths import show_text

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
# So much of a foreign text is looked at.
_LOOKED_AT: Final = 20_000
# What obstore says of an answer without what every answer of that service has.
_STRANGE: Final = ("Unable to extract metadata from headers", "Header missing from response")
# Where instances ask for their role: that this fails means that there are no credentials.
_NO_CREDENTIALS: Final = ("169.254.169.254", "169.254.170.2", "metadata.google", "[fd00:ec2::254]")


class Status(NamedTuple):
    """What a server said: a number, or 0, and a code, or nothing."""

    status: int
    code: str


class _Reason(NamedTuple):
    says: str
    hint: str


_AGAIN: Final = "Run the same command again later; what arrived is not sent again."
_RIGHTS: Final = (
    "Check that these credentials may read, write and list there, and that the bucket's name and "
    "region are right."
)
_BY_CODE: Final[dict[str, _Reason]] = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"),
        _Reason("the credentials have expired", "Log in again, then run the same command again."),
    ),
    **dict.fromkeys(
        ("RequestTimeTooSkewed", "RequestInTheFuture"),
        _Reason(
            "it refuses requests from this machine, whose clock is wrong",
            "Set the clock (by NTP), then run the same command again.",
        ),
    ),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthenticationFailed"),
        _Reason(
            "the credentials were not accepted",
            "Check the environment (AWS_ACCESS_KEY_ID, AZURE_STORAGE_ACCOUNT_KEY and the like) or "
            "the profile in use.",
        ),
    ),
    **dict.fromkeys(
        ("NoSuchBucket", "InvalidBucketName"),
        _Reason("there is no such bucket", "Check the address, or create the bucket first."),
    ),
    **dict.fromkeys(
        # What Azure says of names that no container can have, too: capitals, or two letters.
        ("ContainerNotFound", "InvalidResourceName", "OutOfRangeInput"),
        _Reason("there is no such container", "Check the address, or create the container first."),
    ),
    **dict.fromkeys(
        ("QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "InsufficientStorage"),
        _Reason(
            "it is full",
            "Free some space there ('muse gc --remote' removes what nothing refers to), or raise "
            "its quota; then run the same command again.",
        ),
    ),
}
_BY_STATUS: Final[dict[int, _Reason]] = {
    400: _Reason("it did not understand the request", "Check its address, region and endpoint."),
    401: _Reason("the credentials were not accepted", "Log in again, or check the environment."),
    403: _Reason("access is denied", _RIGHTS),
    404: _Reason("it was not found", "Check the address, or create the bucket first."),
    409: _Reason("another request stood in the way", _AGAIN),
    412: _Reason("it changed while we worked", _AGAIN),
    429: _Reason("it asks for fewer requests", _AGAIN),
    501: _Reason(
        "it does not know how to do that",
        "Muse needs conditional writes (If-Match and If-None-Match): use a store that has them.",
    ),
    503: _Reason("it is overloaded or down", _AGAIN),
    507: _BY_CODE["QuotaExceeded"],
}


def status_of(error: BaseException) -> Status:
    """Return what the server said, as far as the error tells."""
    text = str(error)[:_LOOKED_AT]
    status, code = _STATUS.search(text), _CODE.search(text)
    return Status(int(status[1]) if status else 0, code[1] if code else "")


def explain(error: BaseException, *, shown: str) -> RemoteError:
    """Return the error that a person gets for a foreign one.

    Args:
        error: obstore's.
        shown: The place, fit for showing.
    """
    status, code = status_of(error)
    text = str(error)[:_LOOKED_AT]
    reason = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if reason is None and status >= 500:
        reason = _Reason(f"the server failed (status {status})", _AGAIN)
    elif reason is None and status:
        reason = _Reason(f"it answered with status {status} {show_text(code)}".rstrip(), _AGAIN)
    elif reason is None and any(host in text for host in _NO_CREDENTIALS):
        reason = _Reason(
            "no credentials were found",
            "Set them in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the "
            "like of your provider), or log in with its own command.",
        )
    elif reason is None and any(words in text for words in _STRANGE):
        reason = _Reason(
            "its answers are not those of such a store",
            "Check the endpoint: a server that resembles one may lack what Muse needs.",
        )
    elif reason is None:
        reason = _Reason(
            "it cannot be reached, or the connection broke",
            "Check the network and the address; run the same command again: what arrived is not "
            "sent again.",
        )
    return RemoteError(f"{shown}: {reason.says}.", hint=reason.hint)
