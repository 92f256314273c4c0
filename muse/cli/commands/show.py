"""``muse show``: one commit, tag, folder or file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from muse.cli.context import Context, Result
from muse.cli.diff_output import Form, add_diff_options, diff_data, diff_options
from muse.cli.diff_text import Row, to_bytes
from muse.cli.render import commit_data, date_text, iso_date, person, short
from muse.core.paths import show_path
from muse.core.types import from_raw
from muse.ops.show import Shown, ShownBlob, ShownCommit, ShownTag, ShownTree

if TYPE_CHECKING:  # start-up time
    from muse.core.commits import Signature

_Part = TypeVar("_Part")

SUMMARY = "show a commit and what it changed, a tag, a folder or a file"
EXAMPLES = (
    ("muse show", "the commit that is checked out"),
    ("muse show --stat main~2", "the sums of what a commit changed"),
    ("muse show v1.0", "a tag, and the commit that it names"),
    ("muse show HEAD~3:README.md", "a file as it was"),
    ("muse show HEAD:src", "a folder as it was committed"),
    ("muse show HEAD -- src", "what the commit changed in one folder"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "revs", nargs="*", metavar="rev", help="what to show; default: HEAD. After --, paths"
    )
    add_diff_options(parser)


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Show each revision in turn."""
    from muse.ops.show import show

    repo = ctx.repo(sweep=False)
    count = len(args.revs) - len(args.after_dashes or ())
    revs = args.revs[:count] or ["HEAD"]
    paths = [ctx.path(word) for word in args.revs[count:]]
    options = diff_options(args)
    shown = [show(repo, rev, paths=paths, options=options) for rev in revs]
    if ctx.json:
        objects = [shown_data(one, form=args.form) for one in shown]
        return Result(objects[0] if len(objects) == 1 else {"objects": objects})
    form = Form(ctx, args)
    pairs = list(zip(shown, revs, strict=True))
    # A file's bytes are exact in a pipe, and have no lines that could be painted.
    if form.for_people and not any(isinstance(one, ShownBlob) for one in shown):
        return Result({}, form.text(_all_rows(pairs, form)))
    return Result({}, raw=_all_chunks(pairs, form))


def _all_rows(pairs: Iterable[tuple[Shown, str]], form: Form) -> Iterator[Row]:
    for number, (one, rev) in enumerate(pairs):
        if number:
            yield (("", b""),)
        yield from shown_rows(one, rev, form)


def _all_chunks(pairs: Iterable[tuple[Shown, str]], form: Form) -> Iterator[bytes]:
    for number, (one, rev) in enumerate(pairs):
        if isinstance(one, ShownBlob):
            yield from one.chunks()
            continue
        if number:
            yield b"\n"
        yield from to_bytes(shown_rows(one, rev, form, changes=False))
        commit = _commit_of(one)
        if commit is not None:
            yield from _after_empty_line(form.chunks(commit.diff), b"\n")


def _commit_of(shown: Shown) -> ShownCommit | None:
    while isinstance(shown, ShownTag):
        shown = shown.target
    return shown if isinstance(shown, ShownCommit) else None


def _after_empty_line(parts: Iterator[_Part], empty: _Part) -> Iterator[_Part]:
    """Yield an empty line and the parts, or nothing when there are none."""
    for number, part in enumerate(parts):
        if not number:
            yield empty
        yield part


def shown_rows(shown: Shown, rev: str, form: Form, *, changes: bool = True) -> Iterator[Row]:
    """Yield an object for people.

    Args:
        shown: Anything but a file.
        rev: What it was asked for as.
        form: How a commit's changes are shown.
        changes: Show them at all.
    """
    if isinstance(shown, ShownCommit):
        yield from _commit_rows(shown)
        if changes:
            yield from _after_empty_line(form.rows(shown.diff), (("", b""),))
    elif isinstance(shown, ShownTag):
        tag = shown.tag
        yield (("tag", f"tag {tag.name}".encode("utf-8", "surrogateescape")),)
        if tag.tagger is not None:
            yield from _person_rows("Tagger", tag.tagger)
        yield (("", b""),)
        yield from _lines(tag.message, b"")
        yield (("", b""),)
        if isinstance(shown.target, ShownBlob):
            yield (("", f"names the file {shown.target.oid}".encode()),)
        else:
            yield from shown_rows(shown.target, rev, form, changes=changes)
    elif isinstance(shown, ShownTree):
        yield (("title", b"tree " + rev.encode("utf-8", "surrogateescape")),)
        yield (("", b""),)
        for entry in shown.entries:
            yield (("", entry.name + b"/" * entry.is_tree),)


def _commit_rows(shown: ShownCommit) -> Iterator[Row]:
    commit = shown.commit
    yield (("id", f"commit {shown.oid}".encode()),)
    if len(commit.parents) > 1:
        names = " ".join(short(from_raw(parent)) for parent in commit.parents)
        yield (("", f"Merge: {names}".encode()),)
    yield from _person_rows("Author", commit.author)
    yield (("", b""),)
    yield from _lines(commit.text.encode("utf-8", "surrogateescape"), b"    ")


def _person_rows(what: str, who: Signature) -> Iterator[Row]:
    date = date_text(who.time_s, who.offset_min)
    name = f"{who.name} <{who.email}>".encode("utf-8", "surrogateescape")
    label = f"{what}:".ljust(8).encode()
    yield (("", label + name),)
    yield (("", f"Date:   {date}".encode()),)


def _lines(text: bytes, indent: bytes) -> Iterator[Row]:
    for line in text.rstrip(b"\n").split(b"\n"):
        yield (("", indent + line if line else b""),)


def shown_data(shown: Shown, *, form: str) -> dict[str, object]:
    """Return an object's JSON form."""
    if isinstance(shown, ShownCommit):
        return {
            "type": "commit",
            **commit_data(shown.oid, shown.commit),
            **diff_data(shown.diff, form),
        }
    if isinstance(shown, ShownTag):
        tag, who = shown.tag, shown.tag.tagger
        return {
            "type": "tag",
            "tag_id": shown.oid,
            "tag": tag.name,
            "tagger": person(who) if who else None,
            "tagged_at": iso_date(who.time_s, who.offset_min) if who else None,
            "message": tag.message.decode("utf-8", "backslashreplace"),
            "target": shown_data(shown.target, form=form),
        }
    if isinstance(shown, ShownTree):
        entries = [
            {
                "path": show_path(entry.name),
                "mode": f"{entry.mode:06o}",
                "type": "tree" if entry.is_tree else "blob",
                "id": from_raw(entry.raw),
            }
            for entry in shown.entries
        ]
        return {"type": "tree", "tree_id": shown.oid, "entries": entries}
    return {"type": "blob", "blob_id": shown.oid, "size": shown.size, **_content(shown)}


def _content(shown: ShownBlob) -> dict[str, object]:
    data = b"".join(shown.chunks())
    try:
        return {"encoding": "utf-8", "content": data.decode("utf-8")}
    except UnicodeDecodeError:
        from base64 import b64encode  # start-up time

        return {"encoding": "base64", "content": b64encode(data).decode("ascii")}
