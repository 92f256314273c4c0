"""``muse cat-object``: what is stored under an id."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.types import ObjectType, RawId, from_raw

if TYPE_CHECKING:  # start-up time
    from muse.core.repo import Repository

SUMMARY = "print an object: its bytes, type or size"
EXAMPLES = (
    ("muse cat-object HEAD:README.md", "a file as it was committed, byte for byte"),
    ("muse cat-object -p HEAD^{tree}", "a folder, in readable form"),
    ("muse cat-object -t 1f3a09", "the type of an object"),
    ("muse cat-object -s HEAD:song.wav", "the size of a file in bytes"),
)
# Bigger objects are read twice, to be checked before their first byte is handed out (G4).
IN_MEMORY_BYTES = 16 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("rev", help="an id, the beginning of one, or a name such as HEAD:src/a.py")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("-t", dest="form", action="store_const", const="type", help="print the type")
    form.add_argument("-s", dest="form", action="store_const", const="size", help="print the size")
    form.add_argument(
        "-p", dest="form", action="store_const", const="pretty", help="print in readable form"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Print what was asked for."""
    from muse.core.revisions import Revisions

    repo = ctx.repo(sweep=False)
    raw = Revisions(repo.objects, repo.refs, config=repo.config).find(args.rev)
    kind, size = repo.objects.stat(raw)
    data: dict[str, object] = {"id": from_raw(raw), "type": kind, "size": size}
    if args.form == "type":
        return Result(data, kind)
    if args.form == "size":
        return Result(data, str(size))
    if ctx.json:
        return Result(data | _content(repo, raw, kind))
    if args.form == "pretty" and kind == "tree":
        from muse.cli.commands.ls_tree import entry_line
        from muse.core.trees import read_tree

        return Result(data, [entry_line(entry) for entry in read_tree(repo.objects, raw)])
    return Result(data, raw=_bytes(repo, raw, size))


def _bytes(repo: Repository, raw: RawId, size: int) -> Iterable[bytes]:
    if size <= IN_MEMORY_BYTES:
        return [repo.objects.read(raw)[1]]
    if not repo.objects.is_whole(raw):
        repo.objects.read(raw)  # raises, and says what is wrong
    return repo.objects.open_stream(raw)


def _content(repo: Repository, raw: RawId, kind: ObjectType) -> dict[str, object]:
    """Return an object's content in the form that JSON can hold."""
    from muse.cli.render import commit_data

    if kind == "commit":
        return {"commit": commit_data(from_raw(raw), repo.commit(raw))}
    if kind == "tree":
        from muse.cli.commands.ls_tree import entry_data
        from muse.core.trees import read_tree

        return {"entries": [entry_data(entry) for entry in read_tree(repo.objects, raw)]}
    payload = repo.objects.read(raw)[1]
    try:
        return {"encoding": "utf-8", "content": payload.decode("utf-8")}
    except UnicodeDecodeError:
        from base64 import b64encode

        return {"encoding": "base64", "content": b64encode(payload).decode("ascii")}
