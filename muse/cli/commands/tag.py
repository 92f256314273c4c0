"""``muse tag``: names for commits that stay."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import columns, paint, short
from muse.core.errors import UsageError
from muse.core.paths import show_text

if TYPE_CHECKING:  # start-up time
    from muse.ops.tag import TagInfo

SUMMARY = "list, create and delete tags"
EXAMPLES = (
    ("muse tag", "the tags there are"),
    ("muse tag v1.0", "name the commit that is checked out"),
    ("muse tag -a v1.0 -m 'First release'", "with a message, a date and your name"),
    ("muse tag v0.9 HEAD~3", "name an older commit"),
    ("muse tag -d v0.9", "delete one; 'muse undo' brings it back"),
)
_TEMPLATE = "\n# Write the message of the tag '{name}'. Lines that begin with '#' are left out.\n"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", help="the tag")
    parser.add_argument("rev", nargs="?", default="HEAD", help="what to name; default: HEAD")
    parser.add_argument("-a", "--annotate", action="store_true", help="with a message of its own")
    parser.add_argument("-m", "--message", action="append", help="the message; implies -a")
    parser.add_argument("-d", "--delete", action="store_true", help="delete the tag")
    parser.add_argument("-f", "--force", action="store_true", help="move a tag that exists")
    parser.add_argument("-l", "--list", action="store_true", help="list the tags")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """List, create or delete."""
    from muse.ops.tag import create_tag, delete_tag, list_tags

    if args.name is None or args.list:
        if args.delete or args.annotate or args.message:
            raise UsageError("Which tag?", hint="Name it: 'muse tag -a v1.0'.")
        tags = list_tags(ctx.repo(sweep=False))
        rows = [
            [paint(show_text(tag.name), "tag", on=ctx.color), short(tag.target),
             show_text(tag.subject)]
            for tag in tags
        ]  # fmt: skip
        return Result({"tags": [_data(tag) for tag in tags]}, columns(rows))
    repo = ctx.repo()
    if args.delete:
        info = delete_tag(repo, args.name)
        return Result(_data(info), f"Deleted tag '{show_text(info.name)}' ({short(info.oid)}).")
    message = "\n\n".join(args.message) if args.message else None
    if args.annotate and message is None:
        text = ctx.edit(_TEMPLATE.format(name=args.name), name="TAG_EDITMSG")
        message = "\n".join(line for line in text.split("\n") if not line.startswith("#"))
    tagger = ctx.committer() if message is not None else None
    info = create_tag(
        repo, args.name, target=args.rev, message=message, tagger=tagger, force=args.force
    )
    return Result(_data(info), f"Tag '{show_text(info.name)}' names {short(info.target)}.")


def _data(tag: TagInfo) -> dict[str, object]:
    return {
        "tag": tag.name,
        "id": tag.oid,
        "target": tag.target,
        "annotated": tag.annotated,
        "subject": tag.subject,
    }
