"""``muse remote [-v]``, ``remote add|remove|rename|set-url|get-url|show``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result

if TYPE_CHECKING:  # start-up time
    from muse.core.repo import Repository
    from muse.ops.remote import RemoteDetails
    from muse.ops.remote_config import RemoteInfo

SUMMARY = "list, add, change and inspect remotes"
EXAMPLES = (
    ("muse remote -v", "which remotes there are, and where"),
    ("muse remote add origin ../hub", "a repository in a folder"),
    ("muse remote add backup file:///mnt/disk/hub", "the same as a URL"),
    ("muse remote add work ada@host:hub", "on another machine, by ssh; ssh://host/srv/hub, too"),
    ("muse remote show origin", "ask it what it has, and compare"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("-v", "--verbose", action="store_true", help="with addresses")
    actions = parser.add_subparsers(dest="action", metavar="action")
    add = actions.add_parser("add", help="add a remote")
    add.add_argument("name")
    add.add_argument("url", help="a path, file://…, host:path or ssh://…")
    remove = actions.add_parser("remove", aliases=["rm"], help="forget a remote")
    remove.add_argument("name")
    rename = actions.add_parser("rename", help="rename a remote")
    rename.add_argument("name")
    rename.add_argument("new")
    set_url = actions.add_parser("set-url", help="change where a remote is")
    set_url.add_argument("name")
    set_url.add_argument("url")
    get_url = actions.add_parser("get-url", help="print where a remote is")
    get_url.add_argument("name")
    show = actions.add_parser("show", help="ask a remote what it has")
    show.add_argument("name", nargs="?")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Do the one action that was named; list without one."""
    from muse.ops.remote_config import find_remote, list_remotes

    repo = ctx.repo()
    if args.action is None or (args.action == "show" and args.name is None):
        remotes = list_remotes(repo)
        data = {"remotes": [_data(remote) for remote in remotes]}
        return Result(data, _list(remotes, verbose=args.verbose))
    if args.action == "show":
        from muse.ops.remote import show_remote

        details = show_remote(repo, args.name)
        return Result(_details_data(details), _details(details, color=ctx.color))
    if args.action == "get-url":
        found = find_remote(repo, args.name)
        return Result(_data(found), found.shown_url)
    return _change(ctx, repo, args)


def _change(ctx: Context, repo: Repository, args: argparse.Namespace) -> Result:
    from muse.ops import remote as ops
    from muse.ops.remote_config import address_from

    if args.action == "add":
        url = address_from(args.url, cwd=ctx.cwd, root=repo.root)
        remote = ops.add_remote(repo, args.name, url)
        text = f"Added '{remote.name}': {remote.shown_url}"
    elif args.action == "set-url":
        url = address_from(args.url, cwd=ctx.cwd, root=repo.root)
        remote = ops.set_remote_url(repo, args.name, url)
        text = f"'{remote.name}' is now {remote.shown_url}"
    elif args.action == "rename":
        remote = ops.rename_remote(repo, args.name, args.new)
        text = f"Renamed '{args.name}' to '{remote.name}'."
    else:
        remote = ops.remove_remote(repo, args.name)
        text = f"Removed '{remote.name}' and what was remembered of it; the place itself stays."
    return Result(_data(remote), text)


def _list(remotes: tuple[RemoteInfo, ...], *, verbose: bool) -> list[str]:
    from muse.cli.render import columns, show_text

    if verbose:
        return columns([(show_text(each.name), each.shown_url) for each in remotes])
    return [show_text(each.name) for each in remotes]


def _data(remote: RemoteInfo) -> dict[str, object]:
    return {"name": remote.name, "url": remote.shown_url}


def _details(details: RemoteDetails, *, color: bool) -> list[str]:
    from muse.cli.render import columns, paint, plural, short, show_text

    lines = [
        f"{show_text(details.remote.name)}  {details.remote.shown_url}",
        f"HEAD there  {show_text(details.head or 'at a commit')}",
        f"tags there  {details.tags}",
    ]
    if details.shallow:
        lines.append("history there is cut off (shallow)")
    if details.shallow_here:
        lines.append("history here is cut off (shallow): 'muse fetch --unshallow' brings the rest")
    meaning = {
        "current": ("as last fetched", "good"),
        "changed": ("moved since the last fetch", "changed"),
        "new": ("not fetched yet", "added"),
        "stale": ("gone there: 'muse fetch --prune'", "removed"),
    }
    if details.branches:
        lines += ["", "branches there"]
        rows = [
            (
                "  " + show_text(branch.name),
                short(branch.there or branch.seen or ""),
                paint(*meaning[branch.state], on=color),
            )
            for branch in details.branches
        ]
        lines += columns(rows)
    if details.following:
        lines += ["", "branches here that follow it"]
    for each in details.following:
        if each.ahead is None or each.behind is None:
            how = "not comparable before 'muse fetch'"
        elif each.ahead or each.behind:
            how = f"{plural(each.ahead, 'commit')} ahead, {each.behind} behind"
        else:
            how = "up to date"
        lines.append(f"  {show_text(each.name)} follows {show_text(each.merge)}: {how}")
    return lines


def _details_data(details: RemoteDetails) -> dict[str, object]:
    return {
        **_data(details.remote),
        "head": details.head,
        "tags": details.tags,
        "shallow": details.shallow,
        "shallow_here": details.shallow_here,
        "branches": [
            {"name": each.name, "there": each.there, "seen": each.seen, "state": each.state}
            for each in details.branches
        ],
        "following": [
            {
                "name": each.name,
                "merge": each.merge,
                "ahead": each.ahead,
                "behind": each.behind,
            }
            for each in details.following
        ],
    }
