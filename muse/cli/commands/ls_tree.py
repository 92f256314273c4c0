"""``muse ls-tree``: the files of a commit or folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.paths import show_path
from muse.core.trees import TreeEntry, iter_tree, read_tree
from muse.core.types import RawId, from_raw

if TYPE_CHECKING:  # start-up time
    from muse.core.repo import Repository

SUMMARY = "list the files of a commit or folder"
EXAMPLES = (
    ("muse ls-tree", "the top folder of the commit that is checked out"),
    ("muse ls-tree -r --name-only v1.0", "every file of a tag, names alone"),
    ("muse ls-tree main:src", "one folder of a branch"),
    ("muse ls-tree -r HEAD -- src docs", "what lies below two folders"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("rev", nargs="?", help="a commit, or rev:folder; default: HEAD")
    parser.add_argument("paths", nargs="*", metavar="path", help="only these, and what is below")
    parser.add_argument("-r", dest="recurse", action="store_true", help="go into folders")
    parser.add_argument("--name-only", action="store_true", help="print names alone")
    parser.add_argument(
        "-z", dest="nul", action="store_true", help="raw names, each line ended by NUL: for scripts"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """List the entries."""
    from muse.core.revisions import Revisions

    rev, paths = args.rev, list(args.paths)
    if args.after_dashes is not None and len(args.after_dashes) > len(paths):
        # 'ls-tree -- src': what stands after the dashes is a path, never a revision.
        rev, paths = None, args.after_dashes
    repo = ctx.repo(sweep=False)
    tree = Revisions(repo.objects, repo.refs, config=repo.config).find_tree(rev or "HEAD")
    wanted = [show.encode("utf-8", "surrogateescape").strip(b"/") for show in paths]
    entries = _iter_entries(repo, tree, wanted, recurse=args.recurse)
    if ctx.json:
        listed = [entry_data(entry) for entry in entries]
        return Result({"tree_id": from_raw(tree), "entries": listed})
    data = {"tree_id": from_raw(tree)}
    if args.nul:
        return Result(data, raw=(_raw_line(e, name_only=args.name_only) for e in entries))
    show = _name if args.name_only else entry_line
    return Result(data, (show(entry) for entry in entries))


def _iter_entries(
    repo: Repository, tree: RawId, wanted: list[bytes], *, recurse: bool
) -> Iterator[TreeEntry]:
    """Yield entries whose name is their whole path, in the tree's order."""
    if recurse:
        for path, mode, raw in iter_tree(repo.objects, tree):
            if not wanted or any(path == w or path.startswith(w + b"/") for w in wanted):
                yield TreeEntry(mode, path, raw)
        return
    if not wanted:
        yield from read_tree(repo.objects, tree)
        return
    from muse.core.trees import find_in_tree

    for path in wanted:
        entry = find_in_tree(repo.objects, tree, path)
        if entry is not None:
            yield entry._replace(name=path)


def entry_kind(entry: TreeEntry) -> str:
    """Return the type of the object that an entry names."""
    return "tree" if entry.is_tree else "blob"


def entry_line(entry: TreeEntry) -> str:
    """Return an entry as one line: mode, type, id, name."""
    return f"{entry.mode:06o} {entry_kind(entry)} {from_raw(entry.raw)}\t{show_path(entry.name)}"


def entry_data(entry: TreeEntry) -> dict[str, object]:
    """Return an entry's JSON form."""
    return {
        "mode": f"{entry.mode:06o}",
        "type": entry_kind(entry),
        "id": from_raw(entry.raw),
        "path": show_path(entry.name),
    }


def _name(entry: TreeEntry) -> str:
    return show_path(entry.name)


def _raw_line(entry: TreeEntry, *, name_only: bool) -> bytes:
    head = f"{entry.mode:06o} {entry_kind(entry)} {from_raw(entry.raw)}\t".encode()
    return (b"" if name_only else head) + entry.name + b"\0"
