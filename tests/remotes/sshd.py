"""A real sshd on the loopback, with keys and settings of its own, while a test needs it."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh-keygen") is None,
    reason="sshd is not installed (apt-get install openssh-server)",
)
DEADLINE_S = 20


class Sshd:
    """A running sshd.

    Args:
        base: Where its files are.
        home: What sessions have as their home, and begin in.
    """

    def __init__(self, base: Path, *, home: Path) -> None:
        self.base, self.home = base, home
        self.port = _free_port()
        self.user = getpass.getuser()
        self._keys()
        self._child = self._start()

    @property
    def host(self) -> str:
        """The host as addresses name it."""
        return "127.0.0.1"

    def url(self, path: str | Path) -> str:
        """Return the address of a folder."""
        return f"ssh://{self.user}@{self.host}:{self.port}{path}"

    @property
    def command(self) -> str:
        """The ssh to use, with its settings: nothing of the user's own is read."""
        return shlex.join(["ssh", "-F", str(self.base / "ssh_config")])

    def _keys(self) -> None:
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.base / name)],
                check=True,
            )
        (self.base / "authorized_keys").write_bytes((self.base / "user.pub").read_bytes())
        host = (self.base / "host.pub").read_text()
        (self.base / "known_hosts").write_text(f"[{self.host}]:{self.port} {host}")
        (self.base / "ssh_config").write_text(
            f"Host *\nIdentityFile {self.base}/user\nIdentitiesOnly yes\nBatchMode yes\n"
            f"UserKnownHostsFile {self.base}/known_hosts\nGlobalKnownHostsFile /dev/null\n"
            f"StrictHostKeyChecking yes\nPort {self.port}\nUser {self.user}\n"
            f"Host here\nHostName {self.host}\n"
        )
        path = sysconfig.get_path("scripts") + ":/usr/bin:/bin"
        (self.base / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress {self.host}\nHostKey {self.base}/host\n"
            f"AuthorizedKeysFile {self.base}/authorized_keys\nPidFile {self.base}/pid\n"
            "UsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            "KbdInteractiveAuthentication no\nMaxStartups 100:30:200\nPrintMotd no\n"
            f"SetEnv PATH={path} HOME={self.home} LC_ALL=C.UTF-8\n"
        )

    def _start(self) -> subprocess.Popen[bytes]:
        assert SSHD is not None
        if os.geteuid() == 0:
            # What it drops its privileges into; packages make it when the service starts.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = (self.base / "log").open("wb")
        with log:
            child = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.base / "sshd_config")], stderr=log
            )
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as probe:
                    probe.recv(4)
                return child
            except OSError:
                if child.poll() is not None or time.monotonic() > deadline:
                    child.kill()
                    child.wait()
                    raise AssertionError((self.base / "log").read_text()) from None

    def stop(self) -> None:
        """End it, and the sessions that it holds."""
        self._child.terminate()
        self._child.wait(DEADLINE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd for all tests of a process."""
    base = tmp_path_factory.mktemp("sshd")
    server = Sshd(base, home=tmp_path_factory.mktemp("sshd-home"))
    yield server
    server.stop()
