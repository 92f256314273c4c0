"""Where a commit's message comes from: options, a file, or the editor."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from muse.cli.context import Context
from muse.cli.editor import clean_message, draft_path, read_draft
from muse.core.errors import IoFailedError, MuseError, PathNotFoundError, UsageError
from muse.core.paths import show_path

if TYPE_CHECKING:  # start-up time: only the editor's text needs a status
    from muse.core.repo import Repository
    from muse.core.status import StatusEntry

DRAFT: Final = "commit-message"
HELP_LINES: Final = (
    "# Say what changed, and why: one line, an empty one, then as many as it takes.",
    "# Lines that begin with '#' are left out; an empty message aborts.",
    "#",
)
# More would hide the message that is to be written.
MAX_LISTED: Final = 200
WORDS: Final = {"A": "added", "D": "deleted", "M": "modified", "T": "retyped", "?": "added"}


def find_message(ctx: Context, args: argparse.Namespace, repo: Repository) -> tuple[str, bool]:
    """Return the message of a commit, and whether it was written in the editor.

    Args:
        ctx: The surroundings.
        args: ``message``, ``file``, ``amend``, ``no_edit``, ``all`` and ``allow_empty`` count.
        repo: The repository.

    Raises:
        UsageError: The options contradict each other, or there is no editor.
        NothingToCommitError: Nobody should write a message for nothing.
        MuseError: The message was left empty.
    """
    if args.message is not None and args.file is not None:
        raise UsageError("-m and -F both give the message.", hint="Use one of them.")
    if args.no_edit and not args.amend:
        raise UsageError(
            "--no-edit keeps the last commit's message, and goes with --amend.",
            hint="Give a new one with -m.",
        )
    if args.message is not None:
        return clean_message("\n\n".join(args.message), comments=False), False
    if args.file is not None:
        return clean_message(_read_file(ctx, args.file), comments=False), False
    old = repo.head_commit() if args.amend else None
    before = old.message.decode("utf-8", "surrogateescape") if old else ""
    if args.no_edit:
        return before, False
    return _edit(ctx, repo, before, args), True


def kept_in(repo: Repository) -> str:
    """Return where the draft is, for a message."""
    return show_path(str(draft_path(repo.root, DRAFT)))


def _read_file(ctx: Context, name: str) -> str:
    if name == "-":
        return ctx.stdin.read().decode("utf-8", "surrogateescape")
    try:
        data = Path(ctx.cwd, name).read_bytes()
    except FileNotFoundError as error:
        raise PathNotFoundError(
            f"There is no file '{show_path(name)}'.", hint="Check the spelling; '-F -' is stdin."
        ) from error
    except OSError as error:
        raise IoFailedError("read the message", path=name, error=error) from error
    return data.decode("utf-8", "surrogateescape")


def _edit(ctx: Context, repo: Repository, before: str, args: argparse.Namespace) -> str:
    comments = "\n".join([*HELP_LINES, *_what_goes_in(repo, args)])
    template = f"{before or chr(10)}\n{comments}\n"
    text = ctx.edit(template, name=DRAFT)
    message = clean_message(text)
    if message:
        return message
    if text == template or not read_draft(repo.root, DRAFT).strip():
        ctx.discard_draft(DRAFT)
        raise MuseError(
            "The message was left empty; nothing was committed.",
            hint="Run the command again, or give the message with -m.",
        )
    raise MuseError(
        "The message holds nothing but comments; nothing was committed.",
        hint=f"What you wrote is kept in {kept_in(repo)}.",
    )


def _what_goes_in(repo: Repository, args: argparse.Namespace) -> list[str]:
    """Return the comment lines that say where the commit goes and what it holds."""
    from muse.ops.commit import nothing_to_commit
    from muse.ops.status import read_status

    found = read_status(repo)
    entries = found.status.entries
    staged = any(entry.staged != " " for entry in entries)
    takes_all = not (staged or args.all or args.amend)
    changes = [
        f"#   {WORDS[letter]:<9} {show_path(entry.path)}"
        for entry in entries
        if (letter := _letter(entry, takes_all=takes_all, tracked=args.all)) != " "
    ]
    if not changes and not (args.amend or args.allow_empty):
        raise nothing_to_commit(found.head)
    where = f"on branch {found.head.branch}" if found.head.branch else "on a detached HEAD"
    if not changes:
        return [f"# To be committed {where}: no changes of files."]
    why = " (nothing is staged, so all changes)" if takes_all else ""
    lines = [f"# To be committed {where}{why}:", *changes[:MAX_LISTED]]
    if len(changes) > MAX_LISTED:
        lines.append(f"#   … and {len(changes) - MAX_LISTED} more")
    return lines


def _letter(entry: StatusEntry, *, takes_all: bool, tracked: bool) -> str:
    """Return how a path changes by the commit; a space when it does not."""
    if takes_all or (tracked and entry.unstaged != "?"):
        return entry.unstaged if entry.staged == " " else entry.staged
    return entry.staged
