"""``muse serve --stdio <path>``: one repository for one client, over standard input and output."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from muse.cli.context import Context, Result
from muse.core.errors import RemoteError, UsageError
from muse.core.paths import show_path

if TYPE_CHECKING:  # start-up time
    from muse.core.commits import Signature
    from muse.remotes.path import PathRemote

SUMMARY = "serve one repository to one client; what ssh runs over there"
EXAMPLES = (
    ("muse serve --stdio /srv/hub", "what 'muse clone ssh://host/srv/hub' runs on the host"),
    ("ssh host muse serve --stdio '~/hub' < /dev/null", "does it start? ends at once, silently"),
)
EXIT_LOST = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--stdio", action="store_true", help="speak over standard input and output (required)"
    )
    parser.add_argument("path", help="the repository's folder; '~' is a home here")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Serve until the client leaves.

    Nothing but frames may reach standard output, so it is kept aside, and whatever else writes
    there lands on standard error.
    """
    from muse.remotes.serve import Server, watch_connection
    from muse.remotes.wire_frames import Channel, WireError

    if not args.stdio or ctx.json:
        raise UsageError(
            "'muse serve' speaks over standard input and output only, and to a program.",
            hint="Run 'muse serve --stdio <path>', or let 'muse clone host:path' do it.",
        )
    reader, writer = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    watch_connection(reader, writer, _end)

    def open_place(shown: str, identity: Callable[[], Signature]) -> PathRemote:
        return _open(ctx, args.path, shown=shown, identity=identity)

    try:
        Server(Channel(reader, writer), open_place).run()
    except WireError:
        return Result({}, exit_code=EXIT_LOST)
    return Result({})


def _open(ctx: Context, path: str, *, shown: str, identity: Callable[[], Signature]) -> PathRemote:
    from muse.cli.context import user_config_path
    from muse.core.config import Config
    from muse.ops.remote_config import trusted_folders
    from muse.remotes.path import PathRemote

    user_config = user_config_path(ctx.env)
    return PathRemote(
        ctx.cwd / _at_home(path),
        url=shown or show_path(path),
        identity=identity,
        user_config=user_config,
        trusted=trusted_folders(Config(None, user_path=user_config)),
    )


def _at_home(path: str) -> Path:
    """Return a path whose ``~`` or ``~name`` stands for a home on this machine, as git has it."""
    if not path.startswith("~"):
        return Path(path)
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise RemoteError(
            f"There is no home for '{show_path(path.partition('/')[0])}' there.",
            hint="Check the name, or give the whole path.",
        )
    return Path(found)


def _end() -> NoReturn:
    """End without a word: nobody hears it."""
    os._exit(EXIT_LOST)
