"""``muse commit``: record what changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.errors import IoFailedError, MuseError, UsageError

if TYPE_CHECKING:  # start-up time
    from collections.abc import Sequence

    from muse.core.commits import Signature
    from muse.core.repo import Repository
    from muse.core.tree_diff import Change
    from muse.ops.commit import CommitResult

SUMMARY = "record what is staged; with nothing staged, all changes"
EXAMPLES = (
    ("muse commit -m 'Tune the strings'", "what is staged, or else everything that changed"),
    ("muse commit", "write the message in your editor"),
    ("muse commit -a -m 'Fix the bridge'", "all changes of files that are tracked already"),
    ("muse commit --amend --no-edit", "add what is staged to the last commit"),
    ("git log -1 --format=%B | muse commit -F -", "take the message from a pipe"),
)
DRAFT = "commit-message"
KINDS = {"A": "added", "D": "deleted", "R": "renamed"}
HELP_LINES = (
    "# Say what changed, and why: one line, an empty one, then as many as it takes.",
    "# Lines that begin with '#' are left out; an empty message aborts.",
    "#",
)
MAX_LISTED = 200


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "-m",
        "--message",
        action="append",
        metavar="TEXT",
        help="the message; each further -m adds a paragraph",
    )
    parser.add_argument("-F", "--file", metavar="FILE", help="read the message; - is stdin")
    parser.add_argument(
        "-a", "--all", action="store_true", help="stage every change of tracked files first"
    )
    parser.add_argument(
        "--amend", action="store_true", help="replace the last commit instead of adding one"
    )
    parser.add_argument(
        "--no-edit", action="store_true", help="with --amend: keep the message as it is"
    )
    parser.add_argument(
        "--allow-empty", action="store_true", help="commit even when nothing changed"
    )
    parser.add_argument("--author", metavar="'NAME <MAIL>'", help="somebody else wrote it")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Commit, and say what went in."""
    from muse.ops.commit import commit

    repo = ctx.repo()
    old_author = _amended_author(repo) if args.amend else None
    author, committer = _people(ctx, args.author, old_author)
    message, drafted = _message(ctx, args, repo)
    try:
        made = commit(
            repo,
            message=message,
            committer=committer,
            author=author,
            amend=args.amend,
            allow_empty=args.allow_empty,
            tracked=args.all,
            progress=ctx.progress("Hashing", "files"),
        )
    except MuseError as error:
        if drafted:
            error.hint = f"{error.hint} Your message is kept in {_draft(repo)}.".strip()
        raise
    if drafted:
        ctx.discard_draft(DRAFT)
    return _result(ctx, repo, made)


def _amended_author(repo: Repository) -> Signature | None:
    old = repo.head_commit()
    return old.author if old else None


def _people(
    ctx: Context, named: str | None, old_author: Signature | None
) -> tuple[Signature | None, Signature]:
    """Return author and committer; an amended commit keeps its author unless one is named."""
    from muse.cli.identity import parse_author

    committer = ctx.committer()
    if named is not None:
        return parse_author(named, now=old_author or ctx.author()), committer
    return (None if old_author else ctx.author()), committer


def _message(ctx: Context, args: argparse.Namespace, repo: Repository) -> tuple[str, bool]:
    """Return the message, and whether it was written in the editor."""
    from muse.cli.editor import clean_message

    if args.message is not None and args.file is not None:
        raise UsageError("-m and -F both give the message.", hint="Use one of them.")
    if args.message is not None:
        return clean_message("\n\n".join(args.message), comments=False), False
    if args.file is not None:
        return clean_message(_read_message(ctx, args.file), comments=False), False
    old = repo.head_commit() if args.amend else None
    before = old.message.decode("utf-8", "surrogateescape") if old else ""
    if args.no_edit:
        if old is None:
            raise UsageError(
                "--no-edit keeps the last commit's message, and goes with --amend.",
                hint="Give a new one with -m.",
            )
        return before, False
    return _edit(ctx, repo, before, args), True


def _read_message(ctx: Context, name: str) -> str:
    if name == "-":
        return ctx.stdin.read().decode("utf-8", "surrogateescape")
    try:
        data = (ctx.cwd / name).read_bytes()
    except OSError as error:
        raise IoFailedError("read the message", path=name, error=error) from error
    return data.decode("utf-8", "surrogateescape")


def _edit(ctx: Context, repo: Repository, before: str, args: argparse.Namespace) -> str:
    from muse.cli.editor import clean_message, read_draft

    comments = "\n".join([*HELP_LINES, *_what_goes_in(repo, args)])
    template = f"{before or chr(10)}\n{comments}\n"
    text = ctx.edit(template, name=DRAFT)
    message = clean_message(text)
    if message:
        return message
    if text == template or not read_draft(repo.root, DRAFT).strip():
        ctx.discard_draft(DRAFT)
        raise MuseError("The message was left empty; nothing was committed.", hint=RETRY)
    raise MuseError(
        "The message has nothing but comments; nothing was committed.",
        hint=f"What you wrote is kept in {_draft(repo)}.",
    )


RETRY = "Run the command again, or give the message with -m."


def _draft(repo: Repository) -> str:
    from muse.cli.editor import draft_path
    from muse.core.paths import show_path

    return show_path(str(draft_path(repo.root, DRAFT)))


def _what_goes_in(repo: Repository, args: argparse.Namespace) -> list[str]:
    """Return the comment lines that say where the commit goes and what it holds."""
    head = repo.head()
    return [f"# On branch {head.branch}" if head.branch else "# On a detached HEAD"]


def _result(ctx: Context, repo: Repository, made: CommitResult) -> Result:
    from muse.cli.render import commit_data, paint, plural, short, show_text
    from muse.core.tree_diff import RenameOptions, diff_trees
    from muse.core.types import RawId

    changes = diff_trees(
        repo.objects,
        RawId(made.parent_tree),
        made.commit.tree,
        renames=RenameOptions(percent=100),
    )
    counts = _count(changes)
    where = show_text(made.branch) if made.branch else "detached HEAD"
    first = "" if made.commit.parents else "first commit, "
    oid = paint(short(made.oid), "id", on=ctx.color)
    where = paint(where, "branch", on=ctx.color)
    lines = [f"[{where} {first}{oid}] {show_text(made.commit.subject)}"]
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    lines.append(f"{plural(len(changes), 'file')} changed{': ' + told if told else ''}")
    if made.took_all and changes:
        lines.append("Nothing was staged, so all changes were committed.")
    data = commit_data(made.oid, made.commit) | {
        "branch": made.branch,
        "took_all": made.took_all,
        "files_changed": len(changes),
        **counts,
    }
    return Result(data, lines)


def _count(changes: Sequence[Change]) -> dict[str, int]:
    counts = {"added": 0, "modified": 0, "deleted": 0, "renamed": 0}
    for change in changes:
        counts[KINDS.get(change.kind, "modified")] += 1
    return counts
