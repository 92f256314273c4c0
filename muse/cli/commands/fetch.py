"""``muse fetch [--prune] [--tags] [--depth N | --unshallow] [--all] [remote]``."""

from __future__ import annotations

import argparse

from muse.cli.context import Context, Result
from muse.core.errors import UsageError

SUMMARY = "bring what a remote has, without touching your branches or files"
EXAMPLES = (
    ("muse fetch", "from the remote that the current branch follows, or 'origin'"),
    ("muse fetch --prune backup", "from 'backup', and forget branches that are gone there"),
    ("muse log origin/main", "then look at what came"),
    ("muse fetch ../theirs", "from a place that is no remote, into 'fetched/<branch>'"),
    ("muse fetch --depth 50", "go deeper: 50 commits of each branch in a shallow clone"),
    ("muse fetch --unshallow", "bring all that a shallow clone left out"),
    ("muse fetch --refetch", "bring again what is damaged or missing here"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("remote", nargs="?", help="a remote's name, or a path")
    parser.add_argument("-p", "--prune", action="store_true", help="forget what is gone there")
    parser.add_argument(
        "-t", "--tags", action="store_true", help="all tags, not only those on what was fetched"
    )
    parser.add_argument(
        "--refetch", action="store_true", help="also what is damaged or missing here"
    )
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument(
        "--depth", type=int, metavar="N", help="the newest N commits of each branch, and no more"
    )
    depth.add_argument("--unshallow", action="store_true", help="all that was left out")
    parser.add_argument("--all", action="store_true", help="from every remote")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Fetch, and say what came."""
    from muse.cli.transfer import TransferBars, fetch_data, fetch_lines, resumable
    from muse.ops.fetch import FetchOptions, fetch
    from muse.ops.remote_config import address_from, list_remotes, looks_like_address

    repo = ctx.repo()
    if args.all and args.remote:
        raise UsageError("--all and a remote's name contradict each other.", hint="Give one.")
    if args.remote is not None and looks_like_address(args.remote):
        args.remote = address_from(args.remote, cwd=ctx.cwd, root=repo.root)
    names = [remote.name for remote in list_remotes(repo)] if args.all else [args.remote]
    with resumable():
        results = [
            fetch(
                repo,
                remote=name,
                options=FetchOptions(
                    prune=args.prune,
                    tags=args.tags,
                    refetch=args.refetch,
                    depth=args.depth,
                    unshallow=args.unshallow,
                ),
                progress=TransferBars(ctx),
            )
            for name in names
        ]
    lines = [line for result in results for line in fetch_lines(result, color=ctx.color)]
    if args.all:
        return Result({"remotes": [fetch_data(result) for result in results]}, lines)
    return Result(fetch_data(results[0]), lines)
