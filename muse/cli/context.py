"""What a command gets, and what it gives back.

A command module in ``muse/cli/commands/`` has ``SUMMARY``, ``EXAMPLES``, ``configure(parser)``
and ``run(ctx, args) -> Result``. It never prints and never exits: it raises a `MuseError` or
returns a `Result`, and `muse.cli.main` does the rest. In ``args``, besides what was configured,
``args.after_dashes`` holds what stood after ``--`` (None when there was no ``--``); those words
are also the last ones of the command's positional arguments.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from muse.core.errors import NotARepositoryError
from muse.core.paths import show_path
from muse.core.types import Progress

if TYPE_CHECKING:  # start-up time: each is imported by the commands that use it
    from muse.cli.progress import ProgressBar
    from muse.core.commits import Signature
    from muse.core.config import Config
    from muse.core.repo import Repository


class Result(NamedTuple):
    """What a command found or did.

    Attributes:
        data: The JSON object of ``--json``; ids and paths as text.
        text: What people see on stdout: a whole text, or its lines as an iterable, which is
            written as it is produced (each with or without its newline).
        exit_code: Non-zero for an answer that is a "no".
        raw: Bytes for stdout, in place of ``text``: the contents of objects.
        notes: Lines for people on stderr: what to type next. What matters is in ``data``, too.
    """

    data: Mapping[str, object]
    text: str | Iterable[str] = ""
    exit_code: int = 0
    raw: Iterable[bytes] | None = None
    notes: tuple[str, ...] = ()


class Context:
    """The surroundings of one command.

    Args:
        cwd: The folder that relative paths are relative to (``-C`` applied).
        env: The environment.
        json: Whether one JSON object is wanted.
        color: Whether text is painted.
        silent: Whether people want to hear of errors and warnings only.
        command: What the ledger of sweeps calls this command.
        stdin: Where ``-F -`` and ``--stdin`` read.
    """

    def __init__(
        self,
        cwd: Path,
        env: Mapping[str, str],
        *,
        json: bool = False,
        color: bool = False,
        silent: bool = False,
        command: str = "muse",
        stdin: BinaryIO | None = None,
    ) -> None:
        self.cwd = cwd
        self.env = env
        self.json = json
        self.color = color
        self.silent = silent
        self.command = command
        self._stdin = stdin
        self._repo: Repository | None = None
        self._bars: list[ProgressBar] = []
        self._warned: set[str] = set()
        self.notes: list[str] = []

    @property
    def stdin(self) -> BinaryIO:
        """Standard input as bytes."""
        return self._stdin if self._stdin is not None else sys.stdin.buffer

    @property
    def interactive(self) -> bool:
        """Whether a person sits at a terminal and may be asked, or given an editor."""
        return not self.json and sys.stdin.isatty() and sys.stderr.isatty()

    def repo(self, *, sweep: bool = True) -> Repository:
        """Open the repository: ``MUSE_REPO_ROOT``, else upwards from `cwd`; once a command.

        Args:
            sweep: Recover and sweep what died before; pure lookups need not.

        Raises:
            NotARepositoryError: There is none.
        """
        if self._repo is None:
            from muse.core.repo import open_repo  # start-up time: help opens no repository

            named = self.env.get("MUSE_REPO_ROOT")
            start = self.cwd / named if named else self.cwd
            user_config = user_config_path(self.env)
            repo = open_repo(start, do_sweep=sweep, command=self.command, user_config=user_config)
            if repo.readonly and (trusted := _trusted_folders(user_config)):
                repo = open_repo(
                    start,
                    do_sweep=sweep,
                    command=self.command,
                    user_config=user_config,
                    trusted=trusted,
                )
            if named and not os.path.samefile(repo.root, start):
                # Named, so it must be that one and not one that happens to lie above.
                raise NotARepositoryError(os.fspath(start))
            repo.identity = self._identity
            repo.notify = self.relay
            self._repo = repo
            self._report_opening(repo)
        return self._repo

    def _identity(self) -> Signature:
        """Return who moves refs, for the reflog; a guess is good enough, without a word."""
        from muse.cli.identity import find_committer  # start-up time: only writers need it

        return find_committer(self.env, self.config(), warn=None)

    def _report_opening(self, repo: Repository) -> None:
        if repo.readonly:
            self.note(
                f"{show_path(os.fspath(repo.muse))} is open for reading only: "
                f"{repo.readonly_reason}.",
                hint="'muse config --user safe.directories "
                f"{show_path(os.fspath(repo.root))}' trusts it.",
            )
        report = repo.sweep_report
        removed = sum(finding.state == "removed" for finding in report.findings) if report else 0
        # Said once, at a terminal, by the command that swept; the ledger keeps it for good.
        if removed and sys.stderr.isatty():
            were = (
                "temp that a killed command left was"
                if removed == 1
                else ("temps that killed commands left were")
            )
            self.warn(f"{removed} {were} removed.", hint="'muse health' shows what and why.")

    def config(self, *, here: bool = True) -> Config:
        """Return the settings in force; the user's alone outside a repository.

        Args:
            here: False for the user's alone in any case.
        """
        from muse.core.config import Config  # start-up time

        if here:
            with contextlib.suppress(NotARepositoryError):
                return self.repo().config
        return Config(None, user_path=user_config_path(self.env))

    def author(self) -> Signature:
        """Return who writes the change: ``MUSE_AUTHOR_*``, then the settings, then a guess."""
        from muse.cli.identity import find_author  # start-up time: only writers need it

        return find_author(self.env, self.config(), warn=self.note)

    def committer(self) -> Signature:
        """Return who makes the commit: ``MUSE_COMMITTER_*``, then as `author`."""
        from muse.cli.identity import find_committer  # start-up time: only writers need it

        return find_committer(self.env, self.config(), warn=self.note)

    def progress(self, label: str, unit: str = "objects") -> Progress:
        """Return a callback ``(done, total)`` that draws a bar on a terminal after a second.

        Args:
            label: What is going on, as in "Hashing".
            unit: What is counted; "bytes" is shown as KB, MB and a rate.
        """
        from muse.cli.progress import ProgressBar, ignore_progress  # start-up time

        if self.json or self.silent or not sys.stderr.isatty() or self.env.get("TERM") == "dumb":
            return ignore_progress
        bar = ProgressBar(label, unit, stream=sys.stderr)
        self._bars.append(bar)
        return bar

    def end_progress(self) -> None:
        """Wipe the bars that are on the screen."""
        while self._bars:
            self._bars.pop().close()

    def warn(self, message: str, *, hint: str = "") -> None:
        """Say something on stderr that is no error; once."""
        from muse.cli.output import write_message  # start-up time

        if message in self._warned:
            return
        self._warned.add(message)
        self.end_progress()
        write_message("warning", message, hint=hint)

    def warn_unreadable(self, folder: bytes) -> None:
        """Say that what is new in a folder is not known, since it may not be listed."""
        self.warn(
            f"{show_path(folder)}/ cannot be listed (permission denied): what is new in it is "
            "left out.",
            hint="Give yourself the right to read it, or ignore it in .museignore.",
        )

    @property
    def relay(self) -> Callable[[str], None] | None:
        """What says to people what another program, such as ssh, says; None when none listen."""
        return None if self.json else self._relay

    def _relay(self, line: str) -> None:
        from muse.cli.output import write_message  # start-up time

        self.end_progress()
        write_message("", line)

    def note(self, message: str, *, hint: str = "") -> None:
        """Keep a warning until the command has succeeded: it is of no use beside an error."""
        text = f"warning: {message}" + (f"\nhint: {hint}" if hint else "")
        if text not in self.notes:
            self.notes.append(text)

    def edit(self, text: str, *, name: str) -> str:
        """Let the user edit a text in their editor, and return it.

        The editor is ``$MUSE_EDITOR``, the user's own ``core.editor``, ``$VISUAL`` or
        ``$EDITOR``, never the repository's choice (G16). The draft is kept as
        ``.muse/drafts/<name>`` until `discard_draft`, so that neither a failed command nor a kill
        loses what was typed (G12).

        Raises:
            UsageError: There is no editor, or no terminal to show it on.
            MuseError: The editor failed.
        """
        from muse.cli.editor import edit_draft, find_editor  # start-up time

        self.end_progress()
        editor = find_editor(self.env, configured=self.config().get("core.editor"))
        return edit_draft(self.repo().root, text, name=name, editor=editor)

    def discard_draft(self, name: str) -> None:
        """Remove a draft whose text has arrived where it belongs."""
        from muse.cli.editor import remove_draft  # start-up time

        remove_draft(self.repo().root, name)

    def path(self, argument: str) -> bytes:
        """Turn a path that the user typed into a repository path.

        Raises:
            UnsafePathError: It lies outside the working tree.
        """
        from muse.core.paths import to_repo_path

        return to_repo_path(self.repo().root, argument, cwd=self.cwd)


def user_config_path(env: Mapping[str, str]) -> Path | None:
    """Return the user's own configuration file, whether it exists or not."""
    base = env.get("XDG_CONFIG_HOME")
    if base and os.path.isabs(base):
        return Path(base, "muse", "config.toml")
    home = env.get("HOME")
    return Path(home, ".config", "muse", "config.toml") if home else None


def _trusted_folders(user_config: Path | None) -> list[str]:
    """Return the folders of other owners that the user's own settings allow to be written."""
    from muse.core.config import Config  # start-up time

    listed = Config(None, user_path=user_config).get("safe.directories")
    return listed.split(os.pathsep) if listed else []
