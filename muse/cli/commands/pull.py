"""``muse pull [--prune] [remote] [branch]``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result

if TYPE_CHECKING:  # start-up time
    from muse.ops.pull import PullResult

SUMMARY = "fetch, and move the current branch forward"
EXAMPLES = (
    ("muse pull", "to where the branch that it follows is"),
    ("muse pull origin main", "to another branch"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("remote", nargs="?", help="a remote's name, or a path")
    parser.add_argument("branch", nargs="?", help="a branch there")
    parser.add_argument("-p", "--prune", action="store_true", help="forget what is gone there")
    parser.add_argument(
        "-t", "--tags", action="store_true", help="all tags, not only those on what was fetched"
    )
    # git needs to be told; Muse does nothing else.
    parser.add_argument("--ff-only", action="store_true", help=argparse.SUPPRESS)


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Pull, and say what moved."""
    from muse.cli.transfer import TransferBars, fetch_data, fetch_lines, resumable
    from muse.ops.fetch import FetchOptions
    from muse.ops.pull import pull
    from muse.ops.remote_config import address_from, looks_like_address

    repo = ctx.repo()
    remote: str | None = args.remote
    if remote is not None and looks_like_address(remote):
        remote = address_from(remote, cwd=ctx.cwd, root=repo.root)
    with resumable():
        result = pull(
            repo,
            remote=remote,
            branch=args.branch,
            options=FetchOptions(prune=args.prune, tags=args.tags),
            progress=TransferBars(ctx),
        )
    lines = []
    if result.fetched is not None and not result.fetched.up_to_date:
        lines += fetch_lines(result.fetched, color=ctx.color)
    data = {
        "branch": result.branch,
        "upstream": result.upstream,
        "old": result.old,
        "new": result.new,
        "up_to_date": result.up_to_date,
        "commits": result.commits,
        "ahead": result.ahead,
        "files": result.files,
        "fetched": fetch_data(result.fetched) if result.fetched is not None else None,
    }
    return Result(data, [*lines, *_lines(result)])


def _lines(result: PullResult) -> list[str]:
    from muse.cli.render import plural, show_text
    from muse.cli.transfer import moved

    branch, upstream = show_text(result.branch), show_text(result.upstream)
    if result.up_to_date:
        more = f"; {plural(result.ahead, 'commit')} ahead, to be pushed" if result.ahead else ""
        return [f"Up to date: {branch} has all of {upstream}{more}."]
    if result.old is None:
        how = f"is born at {moved(None, result.new)}"
    else:
        how = f"moved forward by {plural(result.commits, 'commit')}, "
        how += moved(result.old, result.new)
    return [f"{branch} {how}; {plural(result.files, 'file')} changed."]
