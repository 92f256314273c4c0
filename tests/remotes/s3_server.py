"""A real S3 server in a process of its own (moto), and a proxy before it that can do harm.

The server handles one request at a time, so that its compare-and-swap is one. The proxy counts,
answers with a status of its own, cuts connections in the middle of a body in either direction,
strips conditions, or kills the client, before or after a request has taken effect.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

SERVER = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log(self, *args): pass
app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, threaded=False, request_handler=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
"""
BUCKET = "bucket"

Act = Literal[
    "pass", "drop before", "drop after", "cut request", "cut answer", "garbage", "silence",
    "strip", "kill before", "kill after",
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request that passed through the proxy."""

    number: int
    method: str
    path: str
    sent: int
    conditional: bool


@dataclass
class Answer:
    """What the proxy says in the server's place."""

    status: int
    code: str = ""

    def body(self) -> bytes:
        """Return it as S3 would say it; with a secret that must not be shown."""
        return (
            f"<?xml version='1.0'?><Error><Code>{self.code}</Code>"
            "<Message>token=SECRETTOKEN \x1b[31m</Message></Error>"
        ).encode()


def environment(address: str) -> dict[str, str]:
    """Return what obstore needs to speak to a server here."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
    }


@contextlib.contextmanager
def run_server() -> Iterator[str]:
    """Run an S3 server with one bucket; yields its address."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment("")},
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("PUT", f"/{BUCKET}", headers={"Host": f"127.0.0.1:{port}"})
            assert connection.getresponse().status == 200
            connection.close()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


@dataclass
class Proxy:
    """See the module.

    Attributes:
        plan: Decides what happens to a request.
        victim: The process that dies by ``kill``; waited for.
    """

    upstream: str
    plan: Callable[[Request], Act | Answer] = field(default=lambda _: "pass")
    requests: list[Request] = field(default_factory=list)
    address: str = ""
    received: int = 0
    answered: int = 0
    _victim: int = 0
    _known: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def reset(self, plan: Callable[[Request], Act | Answer] | None = None) -> None:
        """Forget what passed, and follow another plan."""
        self.requests, self.received, self.answered = [], 0, 0
        self.plan = plan or (lambda _: "pass")
        self._victim = 0
        self._known.clear()

    def set_victim(self, pid: int) -> None:
        """Say whom to kill."""
        self._victim = pid
        self._known.set()

    def kill(self) -> None:
        """Kill the victim."""
        assert self._known.wait(30)
        os.kill(self._victim, signal.SIGKILL)

    def note(self, method: str, path: str, sent: int, *, conditional: bool) -> Request:
        """Count a request."""
        with self._lock:
            request = Request(len(self.requests) + 1, method, path, sent, conditional)
            self.requests.append(request)
            self.received += sent
        return request

    @contextlib.contextmanager
    def run(self) -> Iterator[Proxy]:
        """Listen on a port of its own."""
        proxy = self

        class Handler(_Handler):
            owner = proxy

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self._released.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def hold(self) -> None:
        """Say nothing until the proxy ends."""
        self._released.wait(60)


class _Handler(BaseHTTPRequestHandler):
    owner: Proxy
    protocol_version = "HTTP/1.0"
    timeout = 60

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        conditional = any(name in self.headers for name in ("If-Match", "If-None-Match"))
        request = self.owner.note(self.command, self.path, length, conditional=conditional)
        act = self.owner.plan(request)
        if act == "cut request":
            self.rfile.read(length // 2)
            self._break()
            return
        body = self.rfile.read(length)
        if isinstance(act, Answer):
            self._answer(act.status, [("Content-Type", "application/xml")], act.body())
            return
        if act in {"drop before", "kill before", "silence"}:
            if act == "kill before":
                self.owner.kill()
            if act == "silence":
                self.owner.hold()
            self._break()
            return
        status, headers, answer = self._forward(body, strip=act == "strip")
        if act in {"drop after", "kill after"}:
            if act == "kill after":
                self.owner.kill()
            self._break()
        elif act == "cut answer" and answer:
            self._answer(status, headers, answer[: len(answer) // 2], length=len(answer))
            self._break()
        elif act == "garbage":
            self._answer(status, headers, bytes(255 - byte for byte in answer))
        else:
            self._answer(status, headers, answer)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815  # the base class's names

    def _forward(self, body: bytes, *, strip: bool) -> tuple[int, list[tuple[str, str]], bytes]:
        host = urlsplit(self.owner.upstream)
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)
        headers = {
            name: value
            for name, value in self.headers.items()
            if not (strip and name.lower() in {"if-match", "if-none-match"})
        }
        connection.request(self.command, self.path, body=body or None, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), data

    def _answer(
        self, status: int, headers: list[tuple[str, str]], data: bytes, length: int | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            self.send_response_only(status)
            skipped = {"connection", "transfer-encoding"}
            if self.command != "HEAD" or "content-length" not in {n.lower() for n, _ in headers}:
                skipped.add("content-length")
                headers = [h for h in headers if h[0].lower() != "content-length"]
                headers.append(("Content-Length", str(len(data) if length is None else length)))
                skipped.discard("content-length")
            for name, value in headers:
                if name.lower() not in skipped:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.owner.answered += len(data)

    def _break(self) -> None:
        """End the connection so that the client sees it broken."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
