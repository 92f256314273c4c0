"""Another machine, by the user's own ssh: their keys, agent, settings and jump hosts.

Which ssh that is, and what `muse` is called over there, comes from the user's settings and
environment alone, never from a repository's settings (G16). We hold no credentials: ssh asks for
a password on the terminal by itself, and nothing secret stands in a command line of ours.

===========================  =====================================================
``MUSE_SSH``                 the command, as in ``ssh -i ~/.ssh/work``
``core.sshCommand``          the same, in the user's own settings
``GIT_SSH_COMMAND``          what git is told to use
``GIT_SSH``                  a program without arguments
``remote.<name>.program``    what to run there in place of ``muse``, in the user's own settings
``ssh.<host>.program``       the same for every repository on a host
===========================  =====================================================
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from muse.core.commits import Signature
from muse.core.config import Config
from muse.core.errors import (
    ConnectionLostError,
    MuseError,
    NoRepositoryThereError,
    RemoteError,
    UsageError,
)
from muse.core.paths import show_text
from muse.remotes.process import ProcessCarrier
from muse.remotes.ssh_address import SshPlace, parse_ssh_address
from muse.remotes.wire import WireRemote

_REFUSED = 255
_NOT_FOUND = 127
_PLAIN_PATH = re.compile(r"[\w./~@+-]+\Z", re.ASCII)
# What ssh says, and what to do about it.
_HINTS = (
    (
        "Permission denied",
        "Your key or password was not accepted: try 'ssh {account}' and 'ssh-add -l'.",
    ),
    (
        "Host key verification failed",
        "Connect once by hand ('ssh {account}') and look at the key: has it changed, and why?",
    ),
    ("Could not resolve", "Check the name of the host, and that you are on its network."),
    ("refused", "No ssh server answers there: check host and port."),
    ("timed out", "Nothing answers: check the network, a VPN, a firewall."),
    ("No route", "Check the network: there is no way to that machine."),
)


def open_ssh(
    url: str,
    *,
    shown: str,
    name: str = "",
    identity: Callable[[], Signature] | None = None,
    user_config: Path | None = None,
    idle: Callable[[], None] | None = None,
    notify: Callable[[str], None] | None = None,
) -> WireRemote:
    """Connect to a repository on another machine.

    Args:
        url: Its address.
        shown: The address, fit for showing.
        name: The remote's name, if it has one.
        identity: Says whose name the reflogs there get.
        user_config: The user's own settings file.
        idle: Called several times a second while nothing moves; may raise to give up.
        notify: Told what ssh, and the shell there, have to say.

    Raises:
        UsageError: ``url`` is malformed, or would run something else than a connection.
        RemoteError: There is no ssh.
    """
    place = parse_ssh_address(url)
    settings = Config(None, user_path=user_config)
    command = ssh_command(place, settings=settings, env=os.environ, name=name)
    explain = _Explainer(place, shown, repeat=notify is None)
    carrier = ProcessCarrier(command, explain=explain, idle=idle, notify=notify)
    return WireRemote(carrier, url=shown, identity=identity, advise=explain.advise)


def ssh_command(
    place: SshPlace, *, settings: Config, env: Mapping[str, str], name: str = ""
) -> list[str]:
    """Return the command line that connects to a repository.

    Args:
        place: Where.
        settings: The user's own.
        env: The user's environment.
        name: The remote's name, if it has one.

    Raises:
        UsageError: The command that was chosen is malformed.
    """
    port = ["-p", place.port] if place.port else []
    program = _serve_program(settings, place.host, name)
    return [
        *_ssh(settings, env),
        *port,
        place.account,
        f"{program} serve --stdio {_quote(place.path)}",
    ]


def _ssh(settings: Config, env: Mapping[str, str]) -> list[str]:
    user = settings.user.get("core")
    configured = user.get("sshCommand", user.get("ssh")) if isinstance(user, Mapping) else None
    choices = (
        ("$MUSE_SSH", env.get("MUSE_SSH")),
        ("core.sshCommand", configured),
        ("$GIT_SSH_COMMAND", env.get("GIT_SSH_COMMAND")),
    )
    for where, chosen in choices:
        if not chosen:
            continue
        try:
            command = shlex.split(str(chosen))
        except ValueError as error:
            raise UsageError(
                f"{where} is '{show_text(str(chosen))}': {error}.", hint="Correct its quotes."
            ) from error
        if command:
            # As a shell would have done.
            return [os.path.expanduser(command[0]), *map(os.path.expanduser, command[1:])]
    return [env["GIT_SSH"]] if env.get("GIT_SSH") else ["ssh"]


def _serve_program(settings: Config, host: str, name: str) -> str:
    for section, key in (("remote", name), ("ssh", host)):
        tables = settings.user.get(section)
        table = tables.get(key) if key and isinstance(tables, Mapping) else None
        program = table.get("program") if isinstance(table, Mapping) else None
        if isinstance(program, str) and program.strip():
            return program
    return "muse"


def _quote(path: str) -> str:
    """Quote a path for whatever shell is over there; csh acts on '!' even in quotes."""
    return "'" + path.replace("'", "'\\''").replace("!", "'\\!'") + "'"


class _Explainer:
    """Turns the end of an ssh into a sentence and what to do about it.

    Args:
        place: Where it went.
        url: The same, fit for showing.
        repeat: Whether nobody was told yet what ssh said.
    """

    def __init__(self, place: SshPlace, url: str, *, repeat: bool) -> None:
        self._place, self._url, self._repeat = place, url, repeat

    def __call__(self, error: MuseError, code: int | None, said: str, *, spoke: bool) -> MuseError:
        """Return the error to raise.

        Args:
            error: What was noticed.
            code: How ssh ended; None when it had to be ended, negative for a signal.
            said: The last of what it said.
            spoke: Whether a Muse there said anything before.
        """
        lost = isinstance(error, ConnectionLostError)
        last = said.strip().splitlines()[-3:] if self._repeat else []
        words = f" ssh says: {' / '.join(map(str.strip, last))}" if last else ""
        if spoke and lost:
            return ConnectionLostError(
                f"The connection to {self._url} ended in the middle.{words}",
                hint="What arrived is kept: run the same command again to go on from there.",
            )
        if spoke or (not lost and code in {0, None}):
            return error if spoke else self._garbage(error)
        if code is not None and code < 0:
            return ConnectionLostError(
                f"The ssh to {self._place.host} was ended by signal {-code}.",
                hint="Run the same command again.",
            )
        if code == _REFUSED:
            return RemoteError(
                f"{self._place.host} cannot be reached by ssh.{words}", hint=self._hint(said)
            )
        if code == _NOT_FOUND or "not found" in said or "No such file" in said:
            return RemoteError(
                f"There is no 'muse' on {self._place.host}.{words}",
                hint="Install it there; or, if it is not on the PATH of that account: muse config "
                f"--user 'ssh.\"{self._place.host}\".program' <its path there>",
            )
        if not lost:
            return self._garbage(error)
        how = f" (exit code {code})" if code is not None else ""
        return RemoteError(
            f"{self._url}: 'muse serve' did not start there{how}.{words}",
            hint=f"Try it: 'ssh {self._place.account} muse --version'; an older Muse cannot serve.",
        )

    def advise(self, error: MuseError) -> MuseError:
        """Give an error of the other side a hint that can be typed here."""
        if not isinstance(error, NoRepositoryThereError):
            return error
        if error.found == "git":
            error.hint = (
                "Clone it with git, and bring its history into a repository of Muse with "
                "'muse bridge git-import <the clone>'."
            )
            return error
        place = self._place
        make = f"muse init --bare {place.path}"
        if not _PLAIN_PATH.match(place.path):
            # Two shells read what is typed, and the address may be a stranger's.
            make = shlex.quote(f"muse init --bare {_quote(place.path)}")
        port = f"-p {place.port} " if place.port else ""
        error.hint = (
            f"Make one to push to with: ssh {port}{place.account} {make}\nOr check the address "
            "with 'muse remote -v'."
        )
        return error

    def _garbage(self, error: MuseError) -> MuseError:
        error.hint = (
            "Something there writes before Muse does, often a start-up file of the shell "
            f"(.bashrc): 'ssh {self._place.account} true' must print nothing."
        )
        return error

    def _hint(self, said: str) -> str:
        account = self._place.account
        for sign, hint in _HINTS:
            if sign in said:
                return hint.format(account=account)
        return f"Try 'ssh {account}' by hand; what works there works here."
