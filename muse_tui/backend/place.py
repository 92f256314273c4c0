"""An open repository with what the environment says about its user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from muse.cli.context import user_config_path
from muse.core.commits import Signature
from muse.core.config import Config
from muse.core.errors import MuseError
from muse.core.paths import config_path
from muse.core.repo import Repository, open_repo
from muse_tui.model import Failure


@dataclass(slots=True)
class Place:
    """A repository as one thread of the engine, or one job, uses it.

    Args:
        repo: The repository.
        user_config: The user's own settings file.
    """

    repo: Repository
    user_config: Path | None

    @property
    def root(self) -> Path:
        """Return the repository's folder."""
        return self.repo.root

    def signature(self) -> Signature:
        """Return who commits, as the command line would find it.

        Raises:
            MuseError: Nobody is known and the settings forbid a guess.
        """
        from muse.cli.identity import find_committer  # start-up time

        return find_committer(os.environ, self.fresh_config(), warn=None)

    def fresh_config(self) -> Config:
        """Return the settings as they are on disk now: another process may have changed them."""
        return Config(config_path(self.repo.root), user_path=self.user_config)


def open_place(start: Path, *, do_sweep: bool) -> Place:
    """Open the repository at or above a folder.

    Raises:
        NotARepositoryError: There is none.
        MuseError: It cannot be opened.
    """
    user_config = user_config_path(os.environ)
    listed = Config(None, user_path=user_config).get("safe.directories")
    named = os.environ.get("MUSE_REPO_ROOT")
    repo = open_repo(
        Path(named) if named else start,
        do_sweep=do_sweep,
        command="muse-tui",
        user_config=user_config,
        trusted=listed.split(os.pathsep) if listed else (),
    )
    place = Place(repo, user_config)
    # Asked only by what publishes: a look needs no name.
    repo.identity = place.signature
    return place


def as_failure(error: BaseException) -> Failure:
    """Turn an error into what crosses the pipe: an expected one, or a bug with its traceback."""
    if isinstance(error, MuseError):
        return Failure(type(error).__name__, error.message, error.hint)
    if isinstance(error, OSError):
        return Failure("OSError", f"{error.strerror or error}: {error.filename or ''}".strip(": "))
    import traceback

    trace = "".join(traceback.format_exception(error))
    return Failure("bug", f"{type(error).__name__}: {error}", "Please report it.", trace)
