"""Another machine by a real ssh: the conformance suite, and what only ssh can do."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from muse.core.errors import ConnectionLostError
from muse.core.repo import Repository, open_repo
from muse.ops.push import push
from muse.ops.remote import add_remote
from muse.remotes.media import open_remote
from muse.remotes.protocol import Remote, TransferProgress
from tests.conftest import Run
from tests.remotes.conformance import MAIN, Cancelled, OpenPlace, RemoteConformance, here
from tests.remotes.repositories import add_commit, make_repo, reachable
from tests.remotes.sshd import Sshd, needs_sshd, sshd
from tests.remotes.test_wire_cuts import bulk, wait_until

__all__ = ["here", "sshd"]

pytestmark = needs_sshd


@pytest.fixture
def place(tmp_path: Path) -> Repository:
    """A bare repository on the other side."""
    return make_repo(tmp_path / "place", bare=True)


@pytest.fixture
def open_place(
    place: Repository, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenPlace]:
    """Open it as a user's command does."""
    monkeypatch.setenv("MUSE_SSH", sshd.command)
    opened: list[Remote] = []

    def open_one() -> Remote:
        opened.append(open_remote(sshd.url(place.root), base=Path("/")))
        return opened[-1]

    yield open_one
    for remote in opened:
        remote.close()


class TestSshRemote(RemoteConformance):
    """A real sshd and the ssh of the user do what every medium does."""


class TestByHand:
    """The commands as a user gives them, against a real sshd."""

    @pytest.fixture(autouse=True)
    def _ssh(self, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MUSE_SSH", sshd.command)

    def test_a_day_with_another_machine(self, tmp_path: Path, sshd: Sshd, muse: Run) -> None:
        """Init there, push, clone by every form of the address, push, pull, log: all the same."""
        hub = make_repo(tmp_path / "hub 'with' $odd !name", bare=True).root
        song = make_repo(tmp_path / "song").root
        (song / "a").write_text("la\n")
        muse("add", "a", cwd=song)
        muse("commit", "-m", "one", cwd=song)
        muse("remote", "add", "origin", f"here:{hub}", cwd=song)
        muse("push", "-u", "origin", "main", cwd=song)
        muse("clone", f"here:{hub}", "one", cwd=tmp_path)
        muse("clone", sshd.url(quote(str(hub))), "two", cwd=tmp_path)
        (tmp_path / "one/a").write_text("la la\n")
        muse("commit", "-m", "two", cwd=tmp_path / "one")
        muse("push", cwd=tmp_path / "one")
        for folder in ("song", "two"):
            muse("pull", cwd=tmp_path / folder)
            assert (tmp_path / folder / "a").read_text() == "la la\n"
            muse("verify", cwd=tmp_path / folder)
        shown = muse("remote", "show", "origin", cwd=song).stdout.decode()
        assert "as last fetched" in shown
        log = json.loads(muse("reflog", "--json", "main", cwd=hub).stdout)
        assert "Ada" in json.dumps(log)

    def test_init_there_says_what_to_type_here(self, tmp_path: Path, sshd: Sshd, muse: Run) -> None:
        """Whoever makes a repository through ssh is given an address that works by ssh."""
        command = [*shlex.split(sshd.command), "here", f"muse init --bare {tmp_path}/hub"]
        told = subprocess.run(command, capture_output=True, check=True).stderr.decode()
        (url,) = re.findall(r"remote add origin (\S+)'", told)
        assert url.startswith("ssh://")
        muse("clone", url, "copy", cwd=tmp_path)

    def test_a_home_there(self, tmp_path: Path, sshd: Sshd, muse: Run) -> None:
        """``~`` is the home on the other side, whatever it is here."""
        oid = add_commit(make_repo(sshd.home / "by-home", bare=True), {b"a": b"1"})
        for number, url in enumerate((sshd.url("/~/by-home"), "here:~/by-home")):
            muse("clone", url, str(number), cwd=tmp_path)
            assert open_repo(tmp_path / str(number)).head().commit == oid
        failed = muse("clone", "here:~nobody-of-that-name/x", "x", cwd=tmp_path, check=False)
        assert failed.returncode == 5
        assert b"There is no home" in failed.stderr

    def test_what_is_not_there(self, tmp_path: Path, sshd: Sshd, muse: Run, git: Run) -> None:
        """The hint is a command that makes one over there, as it can be typed here."""
        failed = muse("clone", f"here:{tmp_path}/none", "x", cwd=tmp_path, check=False)
        assert failed.returncode == 5
        assert f"here:{tmp_path}/none does not exist".encode() in failed.stderr
        assert f"ssh here muse init --bare {tmp_path}/none\n".encode() in failed.stderr
        assert not (tmp_path / "x").exists()
        git("init", "-q", "theirs", cwd=tmp_path)
        failed = muse("clone", sshd.url(tmp_path / "theirs"), "x", cwd=tmp_path, check=False)
        assert b"git repository" in failed.stderr
        assert b"muse bridge git-import" in failed.stderr

    def test_a_hint_is_safe_to_paste(self, tmp_path: Path, sshd: Sshd, muse: Run) -> None:
        """G16: what a stranger's address holds is quoted for both shells that will read it."""
        path = f"{tmp_path}/it's;touch ran;$(touch ran)"
        failed = muse("clone", f"here:{path}", "x", cwd=tmp_path, check=False)
        hint = failed.stderr.decode()
        (line,) = re.findall(r"^hint: .*: ssh here (muse.*|'muse.*)$", hint, re.MULTILINE)
        subprocess.run(["sh", "-c", f"{sshd.command} here {line}"], cwd=tmp_path, check=True)
        assert (tmp_path / path / ".muse").is_dir()
        assert not (tmp_path / "ran").exists()
        muse("clone", f"here:{path}", "x", cwd=tmp_path)

    def test_a_key_that_is_not_accepted(
        self, tmp_path: Path, sshd: Sshd, muse: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The words of ssh are shown once, and the hint says how to try it."""
        key = tmp_path / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        config = (sshd.base / "ssh_config").read_text().replace(str(sshd.base / "user"), str(key))
        (tmp_path / "config").write_text(config)
        monkeypatch.setenv("MUSE_SSH", f"ssh -F {tmp_path}/config")
        failed = muse("clone", f"here:{tmp_path}", "x", cwd=tmp_path, check=False)
        assert failed.returncode == 5
        assert failed.stderr.count(b"Permission denied") == 1
        assert b"ssh-add -l" in failed.stderr
        failed = muse("clone", "--json", f"here:{tmp_path}", "x", cwd=tmp_path, check=False)
        assert "Permission denied" in json.loads(failed.stdout)["error"]
        assert failed.stderr == b""

    def test_muse_is_not_there(self, tmp_path: Path, muse: Run) -> None:
        """The hint names the setting, and with it the command works."""
        hub = make_repo(tmp_path / "hub", bare=True).root
        key = 'ssh."here".program'
        muse("config", "--user", key, "/nonexistent/muse", cwd=tmp_path)
        failed = muse("clone", f"here:{hub}", "x", cwd=tmp_path, check=False)
        assert failed.returncode == 5
        assert f"'{key}'".encode() in failed.stderr
        muse("config", "--user", key, f"{sys.executable} -m muse", cwd=tmp_path)
        muse("clone", f"here:{hub}", "x", cwd=tmp_path)

    def test_ssh_is_killed_in_the_middle(self, tmp_path: Path, sshd: Sshd, muse: Run) -> None:
        """G1, G9: nothing half done is seen, and the same command goes on from there."""
        hub = make_repo(tmp_path / "hub", bare=True)
        ada = make_repo(tmp_path / "ada")
        oid = add_commit(ada, bulk(3 << 20, seed=2))
        url = sshd.url(hub.root)
        add_remote(ada, "origin", url)

        def kill(progress: TransferProgress) -> None:
            if progress.phase == "send" and progress.bytes_done > 2 << 20:
                for pid in children("ssh"):
                    os.kill(pid, signal.SIGKILL)

        with pytest.raises(ConnectionLostError):
            push(ada, remote="origin", branches=["main"], progress=kill)
        assert children("ssh") == []
        assert open_repo(hub.root).refs.read(MAIN) is None
        reachable(open_repo(hub.root))
        wait_until(lambda: bool(open_repo(hub.root).objects.packs()))
        result = push(ada, remote="origin", branches=["main"])
        assert result.present > 0
        assert open_repo(hub.root).refs.read(MAIN) == oid

    def test_a_cancelled_push_leaves_no_ssh(self, tmp_path: Path, sshd: Sshd) -> None:
        """A callback that raises ends the child before it comes back to the caller."""
        hub = make_repo(tmp_path / "hub", bare=True)
        ada = make_repo(tmp_path / "ada")
        add_commit(ada, bulk(1 << 20, seed=3))
        add_remote(ada, "origin", sshd.url(hub.root))

        def cancel(progress: TransferProgress) -> None:
            if progress.objects > 5:
                raise Cancelled

        with pytest.raises(Cancelled):
            push(ada, remote="origin", branches=["main"], progress=cancel)
        assert children("ssh") == []


def children(name: str) -> list[int]:
    """Return the living children of this process of a name."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            with contextlib.suppress(FileNotFoundError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    found.append(pid)
    return found
