"""``muse commit``: record what changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.errors import MuseError

if TYPE_CHECKING:  # start-up time
    from muse.core.commits import Signature
    from muse.core.repo import Repository
    from muse.ops.commit import CommitResult

SUMMARY = "record what is staged; with nothing staged, all changes"
EXAMPLES = (
    ("muse commit -m 'Tune the strings'", "what is staged, or else everything that changed"),
    ("muse commit", "write the message in your editor"),
    ("muse commit -a -m 'Fix the bridge'", "all changes of files that are tracked already"),
    ("muse commit --amend --no-edit", "add what is staged to the last commit"),
    ("git log -1 --format=%B | muse commit -F -", "take the message from a pipe"),
)
KINDS = {"A": "added", "D": "deleted", "R": "renamed"}


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
    from muse.cli.commit_message import DRAFT, find_message, kept_in
    from muse.ops.commit import commit

    repo = ctx.repo()
    old_author = _amended_author(repo) if args.amend else None
    author, committer = _people(ctx, args.author, old_author)
    message, drafted = find_message(ctx, args, repo)
    if drafted:
        # Asked before the editor for the sake of errors, and again since writing takes time.
        author, committer = _people(ctx, args.author, old_author)
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
            error.hint = f"{error.hint} Your message is kept in {kept_in(repo)}.".strip()
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


def _result(ctx: Context, repo: Repository, made: CommitResult) -> Result:
    from muse.cli.render import commit_data, paint, plural, short, show_path, show_text

    parents = made.commit.parents
    counts = _count(repo, made)
    total = sum(counts.values())
    where = show_text(made.branch) if made.branch else "detached HEAD"
    first = "" if parents else "first commit, "
    oid = paint(short(made.oid), "id", on=ctx.color)
    where = paint(where, "branch", on=ctx.color)
    lines = [f"[{where} {first}{oid}] {show_text(made.commit.subject)}"]
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    lines.append(f"{plural(total, 'file')} changed{': ' + told if told else ''}")
    if made.took_all and total:
        lines.append("Nothing was staged, so all changes were committed.")
    lines += [
        f"{show_path(path)} is a repository of its own and was passed by."
        for path in made.passed_by
    ]
    for path in made.unreadable:
        ctx.warn_unreadable(path)
    data = commit_data(made.oid, made.commit) | {
        "branch": made.branch,
        "took_all": made.took_all,
        "files_changed": total,
        "passed_by": [show_path(path) for path in made.passed_by],
        "unreadable": [show_path(path) for path in made.unreadable],
        **counts,
    }
    return Result(data, lines)


def _count(repo: Repository, made: CommitResult) -> dict[str, int]:
    """Count what a commit changed, by kind."""
    counts = {"added": 0, "modified": 0, "deleted": 0, "renamed": 0}
    if made.only_added is not None:
        # Without reading the trees back: a first commit may have many.
        counts["added"] = made.only_added
        return counts
    from muse.core.tree_diff import RenameOptions, diff_trees
    from muse.core.types import to_raw

    # An amended commit is told by what it changes now, not by what the amending did to it.
    before = repo.base_tree(to_raw(made.oid), made.commit)
    options = RenameOptions(percent=100)
    for change in diff_trees(repo.objects, before, made.commit.tree, renames=options):
        counts[KINDS.get(change.kind, "modified")] += 1
    return counts
