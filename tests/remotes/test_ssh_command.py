"""What is run to reach another machine: what the user chose, and never what an address says."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.config import Config
from muse.core.errors import MuseError, RemoteError, UsageError
from muse.core.repo import open_repo
from muse.ops.fetch import fetch
from muse.remotes.address import parse_address
from muse.remotes.ssh import _quote, open_ssh, ssh_command
from muse.remotes.ssh_address import SshPlace, parse_ssh_address
from tests.remotes.repositories import make_repo


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("ssh://host/srv/a", ("", "host", "", "/srv/a")),
        ("SSH://ada@host:2222/srv/a%20b", ("ada", "host", "2222", "/srv/a b")),
        ("ssh://host/~/a", ("", "host", "", "~/a")),
        ("ssh://host/~ada/a", ("", "host", "", "~ada/a")),
        ("ssh://[::1]:22/a", ("", "::1", "22", "/a")),
        ("ssh://ada@[fe80::1%25eth0]/a", ("ada", "fe80::1%25eth0", "", "/a")),
        ("ssh://ada:secret@host/a", ("ada", "host", "", "/a")),
        ("host:a", ("", "host", "", "a")),
        ("host:/srv/a%20b", ("", "host", "", "/srv/a%20b")),
        ("host:~/a", ("", "host", "", "~/a")),
        ("ada@host:a:b", ("ada", "host", "", "a:b")),
        ("[::1]:a", ("", "::1", "", "a")),
        ("ada@[::1]:/a", ("ada", "::1", "", "/a")),
    ],
)
def test_forms_of_an_address(url: str, place: tuple[str, str, str, str]) -> None:
    """As in git: a home with ``~`` or without a slash, IPv6 in brackets, a port in URLs."""
    assert parse_ssh_address(url) == SshPlace(*place)
    assert parse_address(url).scheme == "ssh"


@pytest.mark.parametrize(
    "url",
    [
        "-oProxyCommand=touch x:a",
        "ssh://-oProxyCommand=touch%20x/a",
        "ssh://-oProxyCommand=x@host/a",
        "-oProxyCommand=x@host:a",
        "ssh://%2DoProxyCommand=x@host/a",
        "host:-oa",
        "ssh://[-oProxyCommand=x]/a",
        "[-oProxyCommand=x]:a",
        "ssh://a;b/x",
        "ssh://a`b`/x",
        "ssh://$(b)/x",
        "a b:x",
        "ssh://a%0Ab@host/x",
        "ssh://host/a%0Ab",
        "ssh://host/a%00b",
        "ssh://host:0/a",
        "ssh://host:65536/a",
        "ssh://host:-1/a",
        "ssh://host:x/a",
        "ssh://host:\u0662\u0662/a",
        "ssh:///a",
        "ssh://host",
        "ssh://host/",
        "ssh://ada@/a",
        "host:",
        ":a",
        "ssh://[::1/a",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    """G16: nothing in an address reads like an option, or reaches a shell but as one word."""
    with pytest.raises(UsageError) as caught:
        parse_address(url)
    assert caught.value.hint


@settings(max_examples=200, deadline=None)
@given(url=st.text(max_size=40) | st.text("-@:/[]~%ah. ", max_size=30).map("ssh://{}".format))
def test_no_text_becomes_an_option(url: str) -> None:
    """Whatever is typed: an error, or words of which none begins like an option."""
    try:
        place = parse_ssh_address(url)
    except MuseError:
        return
    words = ssh_command(place, settings=Config(None), env={})
    assert words[0] == "ssh"
    rest = words[3:] if words[1] == "-p" else words[1:]
    assert len(rest) == 2
    assert not any(word.startswith("-") for word in rest)


@settings(max_examples=100, deadline=None)
@given(path=st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text))
def test_a_path_is_one_word_for_a_shell(path: str) -> None:
    """Quotes, dollars, blanks and line breaks arrive as they are."""
    try:
        data = os.fsencode(path)
    except UnicodeEncodeError:
        return
    said = f"printf %s {_quote(path)}"
    done = subprocess.run(["sh", "-c", said], capture_output=True, check=True)
    assert done.stdout == data


def command(env: dict[str, str], config: Path | None = None, *, name: str = "") -> list[str]:
    """Return what is run for a place."""
    place = parse_ssh_address("ssh://ada@host:7/a")
    return ssh_command(place, settings=Config(None, user_path=config), env=env, name=name)


def test_which_ssh_is_run(tmp_path: Path) -> None:
    """Ours before git's, the environment before the settings, the settings before a guess."""
    config = tmp_path / "config.toml"
    rest = ["-p", "7", "ada@host", "muse serve --stdio '/a'"]
    assert command({}) == ["ssh", *rest]
    assert command({"GIT_SSH": "/bin/my ssh"}) == ["/bin/my ssh", *rest]
    git = {"GIT_SSH": "no", "GIT_SSH_COMMAND": "ssh -i 'a key'"}
    assert command(git) == ["ssh", "-i", "a key", *rest]
    config.write_text('[core]\nsshCommand = "mine -v"\n')
    assert command(git, config) == ["mine", "-v", *rest]
    assert command({**git, "MUSE_SSH": "first"}, config) == ["first", *rest]


def test_what_is_run_there(tmp_path: Path) -> None:
    """A remote's own program before its host's; both from the user's settings."""
    config = tmp_path / "config.toml"
    config.write_text('[ssh.host]\nprogram = "/opt/muse"\n[remote.hub]\nprogram = "nice muse"\n')
    assert command({}, config)[-1] == "/opt/muse serve --stdio '/a'"
    assert command({}, config, name="hub")[-1] == "nice muse serve --stdio '/a'"


def test_a_repository_chooses_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G16: its settings may say what they like, another ssh or another muse is not run."""
    monkeypatch.setenv("MUSE_SSH", "/nonexistent/ssh")
    repo = make_repo(tmp_path / "repo")
    evil = shlex.quote(str(tmp_path / "evil"))
    (tmp_path / "evil").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "evil").chmod(0o755)
    (repo.root / ".muse/config.toml").write_text(
        f'[core]\nsshCommand = "{evil}"\nssh = "{evil}"\n[ssh.host]\nprogram = "{evil}"\n'
        f'[remote.origin]\nurl = "host:x"\nprogram = "{evil}"\n'
    )
    with pytest.raises(RemoteError, match="cannot be started"):
        fetch(open_repo(repo.root))
    monkeypatch.delenv("MUSE_SSH")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text(f'#!/bin/sh\necho "$2" > {tmp_path}/said\nexit 255\n')
    (tmp_path / "bin/ssh").chmod(0o755)
    with pytest.raises(RemoteError, match="cannot be reached"):
        fetch(open_repo(repo.root))
    assert (tmp_path / "said").read_text() == "muse serve --stdio 'x'\n"
    assert not (tmp_path / "ran").exists()


def run_as_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> MuseError:
    """Return the error of a listing when ssh is this script."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("MUSE_SSH", str(program))
    remote = open_ssh("ada@host:x", shown="ada@host:x")
    with pytest.raises(RemoteError) as caught:
        remote.list_refs()
    remote.close()
    return caught.value


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        ("echo 'ssh: Could not resolve hostname host' >&2; exit 255", "cannot be reached", "name"),
        ("echo 'ada@host: Permission denied (publickey).' >&2; exit 255", "Permission", "ssh-add"),
        ("echo 'connect to host: Connection refused' >&2; exit 255", "refused", "port"),
        ("echo 'connect to host: Connection timed out' >&2; exit 255", "timed out", "VPN"),
        ("echo 'Host key verification failed.' >&2; exit 255", "Host key", "key"),
        ("kill -9 $$", "ended by signal 9", "again"),
        ("echo 'sh: muse: command not found' >&2; exit 127", "no 'muse' on host", "--user"),
        ("echo \"error: 'serve' is not a muse command.\" >&2; exit 2", "did not start", "older"),
        ("echo Welcome", "does not speak as a Muse", "bashrc"),
        ("exit 0", "did not start", "muse --version"),
        ("exec <&- >&-; sleep 0.1; exit 255", "cannot be reached", "by hand"),
    ],
)
def test_how_a_connection_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str, hint: str
) -> None:
    """Each failure is named by what it is, with what to do about it; exit code 5."""
    error = run_as_ssh(tmp_path, monkeypatch, script)
    assert message in error.message
    assert hint in error.hint
    assert error.exit_code == 5


def test_what_ssh_says_cannot_control_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G17: neither in the error, nor line by line as it comes; and a flood of it is no deadlock."""
    script = (
        "printf '\\033[2Jspoof\\007\\nand more\\n' >&2\n"
        "i=0; while [ $i -lt 3000 ]; do echo 'many words, said again and again' >&2; "
        "i=$((i+1)); done\nprintf '\\033]0;title\\007' >&2; exit 255\n"
    )
    error = run_as_ssh(tmp_path, monkeypatch, script)
    assert "\x1b" not in error.message
    assert "title" in error.message
    heard: list[str] = []
    remote = open_ssh("host:x", shown="host:x", notify=heard.append)
    with pytest.raises(RemoteError):
        remote.list_refs()
    remote.close()
    assert len(heard) >= 3000
    assert "spoof" in heard[0]
    assert "\x1b" not in "".join(heard)


def test_a_secret_in_an_address_goes_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password is neither in a command line, nor in a message, nor in what is shown."""
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/argv\necho no >&2\nexit 255\n')
    program.chmod(0o755)
    monkeypatch.setenv("MUSE_SSH", str(program))
    repo = make_repo(tmp_path / "repo")
    (repo.root / ".muse/config.toml").write_text(
        '[remote.origin]\nurl = "ssh://ada:s3cret@host/x"\n'
    )
    with pytest.raises(RemoteError) as caught:
        fetch(open_repo(repo.root))
    assert (tmp_path / "argv").read_text() == "ada@host muse serve --stdio '/x'\n"
    assert "s3cret" not in caught.value.message + caught.value.hint
