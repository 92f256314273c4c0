"""``muse init [--bare] [dir]``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from muse.cli.context import Context, Result
from muse.core.paths import show_path

SUMMARY = "put a folder under Muse"
EXAMPLES = (
    ("muse init", "here"),
    ("muse init song", "in the folder 'song', which is made when missing"),
    ("muse init --bare /srv/song", "without a working tree: a place to push to"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dir", nargs="?", default=".", help="the folder; default: here")
    parser.add_argument("--bare", action="store_true", help="no working tree: a place to push to")
    parser.add_argument(
        "-b", "--initial-branch", metavar="NAME", default=None, help="the first branch's name"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Create the repository, and say what comes next."""
    from muse.core.refs import DEFAULT_BRANCH
    from muse.ops.init import init

    folder = ctx.cwd / args.dir if args.dir != "." else ctx.cwd
    if ".." in folder.parts:
        folder = Path(os.path.realpath(folder))
    branch = args.initial_branch or ctx.config(here=False).get("init.branch") or DEFAULT_BRANCH
    made = init(folder, bare=args.bare, branch=branch)
    where = show_path(os.fspath(made.root))
    data = {
        "root": where,
        "created": made.created,
        "bare": made.bare,
        "branch": made.branch,
    }
    if not made.created:
        return Result(data, f"{where} is a Muse repository already; nothing was changed.")
    kind = "a bare repository" if made.bare else "a repository"
    text = f"Created {kind} in {where}, on branch {show_path(made.branch)}."
    go = "" if args.dir == "." else f"'cd {show_path(args.dir)}', then "
    step = (
        f"Next, in the repository to push from: 'muse remote add origin {_address(ctx, where)}', "
        "then 'muse push -u origin main'."
        if made.bare
        else f"Next: {go}'muse status' shows what is there, "
        "and 'muse commit -m \"First\"' records all of it."
    )
    return Result(data, text, notes=(step,))


def _address(ctx: Context, where: str) -> str:
    """Return how a repository to push to is named, from where the user sits."""
    # "their-ip their-port our-ip our-port": whoever came by ssh will push by ssh.
    words = ctx.env.get("SSH_CONNECTION", "").split()
    if len(words) != 4 or " " in where:
        return where
    host = f"[{words[2]}]" if ":" in words[2] else words[2]
    user = ctx.env.get("USER") or ctx.env.get("LOGNAME") or ""
    account = f"{user}@{host}" if user else host
    return f"{account}:{where}" if words[3] == "22" else f"ssh://{account}:{words[3]}{where}"
