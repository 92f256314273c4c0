"""Who makes a commit: environment, then settings, then a guess that is announced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from muse.cli.dates import local_offset_min, parse_date
from muse.cli.render import zone_text
from muse.core.commits import Signature, check_person
from muse.core.config import Config
from muse.core.errors import UsageError


class Warn(Protocol):
    """Says something on stderr."""

    def __call__(self, message: str, *, hint: str = "") -> None:
        """Say it."""


def find_author(env: Mapping[str, str], config: Config, *, warn: Warn | None) -> Signature:
    """Return the author: ``MUSE_AUTHOR_NAME``, ``_EMAIL``, ``_DATE``, then the settings.

    Args:
        env: The environment.
        config: The settings in force.
        warn: Told when name or address had to be guessed; None for silence.

    Raises:
        UsageError: A name, address or date cannot stand in a commit.
    """
    return _find(env, config, roles=("AUTHOR",), warn=warn)


def find_committer(env: Mapping[str, str], config: Config, *, warn: Warn | None) -> Signature:
    """Return the committer: ``MUSE_COMMITTER_*``, then the settings, then the author's variables.

    The arguments and errors are those of `find_author`.
    """
    return _find(env, config, roles=("COMMITTER", "AUTHOR"), warn=warn)


def parse_author(text: str, *, now: Signature) -> Signature:
    """Parse what ``--author`` takes, ``Name <mail>``; the date is that of ``now``.

    Raises:
        UsageError: It is not of that form.
    """
    name, bracket, rest = text.partition("<")
    email, closing, tail = rest.partition(">")
    if not bracket or not closing or tail.strip():
        raise UsageError(
            f"'{text}' is not an author.", hint="Write --author 'Ada Lovelace <ada@example.com>'."
        )
    name, email = check_person(name, what="name"), check_person(email, what="address")
    return now._replace(name=name, email=email)


def _find(
    env: Mapping[str, str], config: Config, *, roles: tuple[str, ...], warn: Warn | None
) -> Signature:
    def look(field: str, guess: Callable[[Mapping[str, str]], str]) -> tuple[str, bool]:
        own, *others = (env.get(f"MUSE_{role}_{field.upper()}") for role in roles)
        known = own or config.get(f"user.{field}") or next(filter(None, others), None)
        return (known, False) if known else (guess(env), True)

    name, name_guessed = look("name", _guess_name)
    email, email_guessed = look("email", _guess_email)
    signature = _stamp(
        check_person(name, what="name"),
        check_person(email, what="address"),
        env.get(f"MUSE_{roles[0]}_DATE"),
    )
    if warn is not None and (name_guessed or email_guessed):
        warn(
            f"Nobody said who you are; the commit is by '{signature.name} <{signature.email}>'.",
            hint="Tell once for all repositories: 'muse config --user user.name \"Your Name\"' and "
            "'muse config --user user.email you@example.com'.",
        )
    return signature


def _stamp(name: str, email: str, date: str | None) -> Signature:
    import time

    if date:
        time_s, offset_min = parse_date(date)
    else:
        time_s = int(time.time())
        offset_min = local_offset_min(time_s)
    return Signature(name, email, time_s, zone_text(offset_min))


def _guess_name(env: Mapping[str, str]) -> str:
    """Return the account's full name, else its login."""
    import os
    import pwd

    try:
        account = pwd.getpwuid(os.getuid())
    except KeyError:
        return _without_marks(env.get("USER") or env.get("LOGNAME") or "") or "unknown"
    full_name = _without_marks(account.pw_gecos.split(",")[0])
    return full_name or _without_marks(account.pw_name) or "unknown"


def _guess_email(env: Mapping[str, str]) -> str:
    import os
    import pwd
    import socket

    try:
        login = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        login = env.get("USER") or env.get("LOGNAME") or "unknown"
    host = _without_marks(socket.gethostname()) or "localhost"
    return f"{_without_marks(login) or 'unknown'}@{host}"


def _without_marks(text: str) -> str:
    return "".join(c for c in text if c not in "<>\n\0").strip()
