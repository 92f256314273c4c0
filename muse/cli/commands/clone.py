"""``muse clone [--bare] [-b branch] [--depth N] <source> [dir]``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result

if TYPE_CHECKING:  # start-up time
    from muse.ops.clone import CloneResult

SUMMARY = "copy a repository with its history, and follow it"
EXAMPLES = (
    ("muse clone ../hub", "into a folder named after it"),
    ("muse clone ada@host:hub", "from another machine, by ssh; ssh://host:2222/srv/hub, too"),
    ("muse clone -b topic /srv/hub song", "into 'song', with the branch 'topic' checked out"),
    ("muse clone --depth 1 /srv/hub", "without its past; 'muse fetch --unshallow' brings it"),
    ("muse clone --bare song /mnt/backup/song", "without a working tree: a place to push to"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", help="a path, file://…, host:path or ssh://…")
    parser.add_argument("dir", nargs="?", help="the new folder; default: the source's name")
    parser.add_argument("--bare", action="store_true", help="no working tree: a place to push to")
    parser.add_argument("-b", "--branch", help="the branch or tag to check out")
    parser.add_argument(
        "--depth", type=int, metavar="N", help="only the newest N commits of each branch"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Clone, and say what came."""
    from muse.cli.context import user_config_path
    from muse.cli.identity import find_committer
    from muse.cli.transfer import TransferBars, resumable
    from muse.core.config import Config
    from muse.ops.clone import CloneOptions, clone, default_folder
    from muse.ops.remote_config import trusted_folders

    user_config = user_config_path(ctx.env)
    folder = ctx.cwd / (args.dir or default_folder(args.source))
    if ".." in folder.parts:
        # Not normpath: behind a symlink, ".." is elsewhere.
        folder = Path(os.path.realpath(folder))
    with resumable():
        result = clone(
            args.source,
            folder,
            cwd=ctx.cwd,
            options=CloneOptions(
                bare=args.bare,
                branch=args.branch,
                depth=args.depth,
                user_config=user_config,
                trusted=trusted_folders(Config(None, user_path=user_config)),
                identity=lambda: find_committer(ctx.env, ctx.config(here=False), warn=None),
                notify=ctx.relay,
            ),
            progress=TransferBars(ctx),
        )
    return Result(_data(result), _lines(result))


def _data(result: CloneResult) -> dict[str, object]:
    from muse.core.paths import show_path

    return {
        "root": show_path(os.fsencode(result.root)),
        "url": result.url,
        "bare": result.bare,
        "branch": result.branch,
        "commit_id": result.commit,
        "branches": result.branches,
        "tags": result.tags,
        "objects": result.objects,
        "bytes": result.size_bytes,
        "present": result.present,
        "resumed": result.resumed,
        "shallow": result.ends > 0,
    }


def _lines(result: CloneResult) -> list[str]:
    from muse.cli.render import plural, short, show_path, show_text
    from muse.cli.transfer import traffic

    verb = "Finished the clone of" if result.resumed else "Cloned"
    lines = [f"{verb} {show_text(result.url)} into {show_path(os.fsencode(result.root))}."]
    if result.commit is None:
        lines.append("It is empty: there is nothing to check out yet.")
        return lines
    lines.append(
        f"{plural(result.branches, 'branch', 'branches')}, {plural(result.tags, 'tag')}, "
        f"{traffic(result.objects, result.size_bytes, result.present)}"
    )
    if result.ends:
        lines.append(
            f"It is shallow: history ends at {plural(result.ends, 'commit')}. "
            "'muse fetch --unshallow' brings the rest."
        )
    if not result.bare:
        where = show_text(result.branch) if result.branch else "a tag; HEAD is detached"
        lines.append(f"Checked out {short(result.commit)}, {where}.")
    return lines
