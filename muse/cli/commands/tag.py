"""``muse tag``: names for commits that stay."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.editor import clean_message
from muse.cli.render import columns, paint, person, short
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
    parser.add_argument("names", nargs="*", metavar="name", help="the tag, and what it names")
    parser.add_argument("-a", "--annotate", action="store_true", help="with a message of its own")
    parser.add_argument("-m", "--message", action="append", help="the message; implies -a")
    parser.add_argument("-d", "--delete", action="store_true", help="delete tags")
    parser.add_argument("-f", "--force", action="store_true", help="move a tag that exists")
    parser.add_argument("-l", "--list", action="store_true", help="list those that fit a pattern")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """List, create or delete."""
    if args.delete:
        return _delete(ctx, args.names)
    if args.names and not args.list:
        return _create(ctx, args)
    if args.annotate or args.message:
        raise UsageError("Which tag?", hint="Name it: 'muse tag -a v1.0'.")
    from muse.ops.tag import list_tags

    tags = list_tags(ctx.repo(sweep=False), args.names)
    rows = [
        [paint(show_text(tag.name), "tag", on=ctx.color), short(tag.target), show_text(tag.subject)]
        for tag in tags
    ]
    return Result({"tags": [_data(tag) for tag in tags]}, columns(rows))


def _delete(ctx: Context, names: list[str]) -> Result:
    from muse.ops.tag import delete_tags

    if not names:
        raise UsageError("Which tag?", hint="Name it: 'muse tag -d v1.0'.")
    gone = delete_tags(ctx.repo(), names)
    data = {"deleted": [{"tag": tag.name, "id": tag.before} for tag in gone]}
    lines = [
        f"Deleted '{show_text(tag.name)}', which was {short(tag.before or '')}." for tag in gone
    ]
    return Result(data, lines, notes=("'muse undo' brings it back.",))


def _create(ctx: Context, args: argparse.Namespace) -> Result:
    from muse.ops.tag import create_tag

    if len(args.names) > 2:
        raise UsageError("A tag names one thing.", hint="'muse tag <name> [<rev>]'.")
    name, rev = args.names[0], args.names[1] if len(args.names) > 1 else "HEAD"
    message = "\n\n".join(args.message) if args.message else None
    is_edited = args.annotate and message is None
    if is_edited:
        text = ctx.edit(_TEMPLATE.format(name=show_text(name)), name="TAG_EDITMSG")
        message = clean_message(text, comments=True)
    tagger = ctx.committer() if message is not None else None
    made = create_tag(ctx.repo(), name, rev=rev, message=message, tagger=tagger, force=args.force)
    if is_edited:
        ctx.discard_draft("TAG_EDITMSG")
    data = {"tag": made.name, "id": made.after, "target": made.target, "before": made.before}
    return Result(data, f"Tag '{show_text(made.name)}' names {short(made.target or '')}.")


def _data(tag: TagInfo) -> dict[str, object]:
    return {
        "tag": tag.name,
        "id": tag.oid,
        "target": tag.target,
        "annotated": tag.annotated,
        "tagger": person(tag.tagger) if tag.tagger else None,
        "subject": tag.subject,
        "message": tag.message,
    }
