"""Does this store keep its promises? Asked before the first push to it, in a corner of its own.

Some stores accept ``If-Match`` and ``If-None-Match`` and ignore them. Two pushes would then
overwrite each other in silence, so such a store is refused before anything of value is in it.
"""

from __future__ import annotations

import contextlib

from muse.core.errors import RemoteError
from muse.remotes.bucket import Bucket
from muse.remotes.store_document import new_mark

PROBES = "probe/"


def check_conditions(bucket: Bucket) -> None:
    """Make sure that a store honours conditional writes.

    Five small requests, on a name that nobody else uses and that is removed again.

    Raises:
        RemoteError: It ignores them, or does not know them.
    """
    name = f"{PROBES}{new_mark()}"
    first = bucket.swap(name, b"1", None)
    if first is None:
        raise _refusal(bucket, "it says that a new name exists already")
    try:
        if bucket.swap(name, b"2", None) is not None:
            raise _refusal(bucket, "it overwrote an object that was to be created (If-None-Match)")
        second = bucket.swap(name, b"3", first)
        if second is None or second == first:
            raise _refusal(bucket, "it did not replace an object under a true condition")
        if bucket.swap(name, b"4", first) is not None:
            raise _refusal(bucket, "it replaced an object under a false condition (If-Match)")
        found = bucket.get(name, limit=16)
        if found is None or found.data != b"3":
            raise _refusal(bucket, "it does not give back what was written last")
    finally:
        # Where nothing may be deleted, sixteen bytes stay.
        with contextlib.suppress(RemoteError):
            bucket.remove([name])


def _refusal(bucket: Bucket, what: str) -> RemoteError:
    return RemoteError(
        f"{bucket.shown} does not honour conditional writes: {what}.",
        hint="Two pushes at the same time could overwrite each other there, so nothing was pushed. "
        "Use a store that honours If-Match and If-None-Match (S3 itself does), or bring its "
        "server up to date.",
    )
