"""An emulator of Google Cloud Storage (gcp-storage-emulator) in a process of its own.

It writes whatever the condition of a request says, and answers without an ETag: a real server of
the kind that Muse has to refuse.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Final

BUCKET: Final = "bucket"
_SERVER: Final = f"""
import functools
from http.server import HTTPServer
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage
class Quiet(RequestHandler):
    def log_message(self, *args): pass
storage = Storage(use_memory_fs=True)
create_bucket("{BUCKET}", storage)
server = HTTPServer(("127.0.0.1", 0), functools.partial(Quiet, storage))
print(server.server_port, flush=True)
server.serve_forever()
"""


def environment(address: str) -> dict[str, str]:
    """Return what obstore needs to speak to a server here."""
    account = {
        "gcs_base_url": address, "disable_oauth": True,
        "client_email": "", "private_key": "", "private_key_id": "",
    }  # fmt: skip
    return {"GOOGLE_BASE_URL": address, "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account)}


@contextlib.contextmanager
def run_server() -> Iterator[str]:
    """Run a server with one bucket; yields its address."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def list_names(address: str) -> list[str]:
    """Return the names of all objects, as its JSON interface tells them."""
    with urllib.request.urlopen(f"{address}/storage/v1/b/{BUCKET}/o", timeout=30) as answer:
        return [str(each["name"]) for each in json.load(answer).get("items", [])]


def overwrites(address: str, name: str) -> bool:
    """Tell whether it replaces an object that was to be created only if there is none."""
    url = f"{address}/{BUCKET}/{name}"
    for data in (b"1", b"2"):
        headers = {"x-goog-if-generation-match": "0"}
        request = urllib.request.Request(url, data=data, method="PUT", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: bytes = answer.read()
    return found == b"2"
