"""Azure's emulator of its blob service (azurite) in a process of its own, where it is installed.

It is looked for on the path, and where ``make azurite`` puts it. Account and key are those that
every emulator of Azure has: they are public, and no secret.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

_OURS: Final = Path(__file__).parents[2] / ".azurite/node_modules/.bin"
AZURITE: Final = shutil.which("azurite-blob") or shutil.which("azurite-blob", path=str(_OURS))
needs_azurite = pytest.mark.skipif(
    AZURITE is None or shutil.which("node") is None,
    reason="azurite is not installed (make azurite, which needs npm)",
)
ACCOUNT: Final = "devstoreaccount1"
KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
CONTAINER: Final = "container"
_LISTENS: Final = re.compile(rb"listens on (http://127\.0\.0\.1:\d+)")


def environment(address: str) -> dict[str, str]:
    """Return what obstore needs to speak to an account here."""
    return {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": address,
    }


def sign_grant(*, rights: str = "rwlc") -> str:
    """Return a query that allows something in the account (a shared access signature).

    Args:
        rights: To read, write, list and create, a letter each.
    """
    version, services, kinds = "2021-08-06", "b", "sco"
    until = "2099-01-01T00:00:00Z"
    lines = [ACCOUNT, rights, services, kinds, "", until, "", "", version, "", ""]
    digest = hmac.digest(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256)
    fields = {"sv": version, "ss": services, "srt": kinds, "sp": rights, "se": until}
    return urllib.parse.urlencode({**fields, "sig": base64.b64encode(digest).decode()})


@contextlib.contextmanager
def run_server() -> Iterator[str]:
    """Run a server that keeps all in memory, with one container; yields its account's address."""
    assert AZURITE is not None
    with subprocess.Popen(
        [
            AZURITE, "--blobHost", "127.0.0.1", "--blobPort", "0", "--silent",
            "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            found = next(filter(None, map(_LISTENS.search, server.stdout)), None)
            assert found is not None, "azurite ended before it listened"
            address = f"{found[1].decode()}/{ACCOUNT}"
            request = urllib.request.Request(
                f"{address}/{CONTAINER}?restype=container&{sign_grant()}", method="PUT"
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 201
            yield address
        finally:
            server.kill()
