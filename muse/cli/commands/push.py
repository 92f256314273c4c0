"""``muse push [-u] [--force-with-lease[=ref:id]] [--tags] [--delete] [remote] [branch…]``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.errors import UsageError

if TYPE_CHECKING:  # start-up time
    from muse.core.repo import Repository
    from muse.core.types import ObjectId

SUMMARY = "send commits to a remote, and move its branches"
EXAMPLES = (
    ("muse push -u origin main", "the first time: push 'main', and follow it"),
    ("muse push", "what the current branch follows"),
    ("muse push origin main:review", "to a branch of another name"),
    ("muse push --tags", "the tags that are not there yet"),
    ("muse push --delete origin topic", "delete a branch there"),
    ("muse push --force-with-lease", "replace what is there, if it is what you last saw"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("remote", nargs="?", help="a remote's name, or a path")
    parser.add_argument("branch", nargs="*", help="a branch, a tag, or <here>:<there>")
    parser.add_argument(
        "-u", "--set-upstream", action="store_true", help="follow the branch there from now on"
    )
    parser.add_argument(
        "--force-with-lease",
        nargs="?",
        const="",
        metavar="REF:ID",
        help="move a branch whose commits would be dropped, if it is what was last seen (or ID)",
    )
    parser.add_argument(
        "--force", action="store_true", help="move it whatever is there: drops the work of others"
    )
    parser.add_argument("--tags", action="store_true", help="push all tags that are not there")
    parser.add_argument("-d", "--delete", action="store_true", help="delete the branches there")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Push, and say what moved."""
    from muse.cli.transfer import TransferBars, push_data, push_lines, resumable
    from muse.ops.push import PushOptions, push
    from muse.ops.remote_config import address_from, looks_like_address

    repo = ctx.repo()
    remote, branches, lease = _sort_out(repo, args)
    if remote is not None and looks_like_address(remote):
        remote = address_from(remote, cwd=ctx.cwd, root=repo.root)
    if args.delete and (args.tags or args.set_upstream):
        raise UsageError(
            "--delete goes with neither --tags nor --set-upstream.", hint="Run them one by one."
        )
    with resumable():
        result = push(
            repo,
            remote=remote,
            branches=branches,
            options=PushOptions(
                set_upstream=args.set_upstream,
                force=args.force,
                leases=_leases(repo, lease),
                tags=args.tags,
                delete=args.delete,
            ),
            progress=TransferBars(ctx),
        )
    return Result(push_data(result), push_lines(result, color=ctx.color), notes=result.notes)


def _sort_out(
    repo: Repository, args: argparse.Namespace
) -> tuple[str | None, list[str], str | None]:
    """Return remote, branches and lease as they were meant.

    The parser gives the word after a bare ``--force-with-lease`` to that option; when it names a
    remote, it was not meant as a branch.
    """
    from muse.ops.remote_config import list_remotes

    lease: str | None = args.force_with_lease
    words = [*([args.remote] if args.remote is not None else []), *args.branch]
    if lease and ":" not in lease and any(lease == each.name for each in list_remotes(repo)):
        words, lease = [lease, *words], ""
    return (words[0] if words else None), words[1:], lease


def _leases(repo: Repository, text: str | None) -> Mapping[str, ObjectId | None] | None:
    """Turn the value of ``--force-with-lease`` into what each branch must be."""
    from muse.core.refs import short_name
    from muse.core.revisions import Revisions
    from muse.core.types import from_raw
    from muse.ops.push_targets import AS_SEEN

    if not text:
        return None if text is None else {}
    name, colon, revision = text.partition(":")
    if not colon:
        return {short_name(name): AS_SEEN}
    if not revision:
        return {short_name(name): None}
    found = Revisions(repo.objects, repo.refs, config=repo.config).find_commit(revision)
    return {short_name(name): from_raw(found)}
