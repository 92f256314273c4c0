"""``muse log``: the history, newest first."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import commit_data, date_text, paint, person
from muse.core.errors import MuseError, UsageError, short
from muse.core.paths import show_text
from muse.core.types import from_raw

if TYPE_CHECKING:  # start-up time
    from muse.core.limits import Limits
    from muse.core.repo import Repository
    from muse.ops.log import LogEntry, Name

SUMMARY = "show the history, newest first"
EXAMPLES = (
    ("muse log", "the commits behind HEAD"),
    ("muse log --oneline --graph -n 20", "twenty of them as a graph"),
    ("muse log main..topic", "what topic has and main has not"),
    ("muse log --author Ada --since '2 weeks ago'", "one person's, lately"),
    ("muse log --grep 'fix(es|ed)?'", "by message"),
    ("muse log -- src/player.py", "what changed one file"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("revs", nargs="*", metavar="rev", help="where to start; after --, paths")
    parser.add_argument("-n", "--max-count", type=int, metavar="N", help="at most N commits")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first N")
    parser.add_argument("--oneline", action="store_true", help="one line a commit")
    parser.add_argument("--graph", action="store_true", help="draw how commits follow each other")
    parser.add_argument("--all", action="store_true", help="from every branch, tag and remote")
    parser.add_argument("--since", "--after", metavar="DATE", help="not older than this")
    parser.add_argument("--until", "--before", metavar="DATE", help="not newer than this")
    parser.add_argument("--author", metavar="PATTERN", help="a regular expression on the author")
    parser.add_argument("--grep", metavar="PATTERN", help="a regular expression on the message")
    parser.add_argument("-i", "--ignore-case", action="store_true", help="for both patterns")
    parser.add_argument("--topo-order", action="store_true", help="no parent before its children")
    parser.add_argument("--first-parent", action="store_true", help="do not follow merged lines")
    merges = parser.add_mutually_exclusive_group()
    merges.add_argument("--merges", action="store_true", help="merges only")
    merges.add_argument("--no-merges", action="store_true", help="no merges")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Walk the history and print it as it is found."""
    from muse.core.history import Order
    from muse.ops.log import log

    repo = ctx.repo(sweep=False)
    revs, paths = _split(ctx, repo, args)
    entries = log(
        repo,
        revs=revs,
        everything=args.all,
        limits=_limits(args, paths),
        graph=args.graph and not ctx.json,
        order=Order.TOPO if args.topo_order else None,
    )
    if ctx.json:
        return Result({"commits": [entry_data(entry) for entry in entries]})
    head = repo.head()
    if not revs and not args.all and head.commit is None:
        return Result({"commits": []}, f"No commits yet on {head.branch}.")
    return Result({}, _lines(entries, oneline=args.oneline, graph=args.graph, color=ctx.color))


def _split(
    ctx: Context, repo: Repository, args: argparse.Namespace
) -> tuple[list[str], tuple[bytes, ...]]:
    """Tell revisions from paths: what follows ``--`` is a path, and so is what exists as one."""
    from muse.core.revisions import Revisions

    count = len(args.revs) - len(args.after_dashes or ())
    words, paths = list(args.revs[:count]), [ctx.path(word) for word in args.revs[count:]]
    revs: list[str] = []
    revisions = Revisions(repo.objects, repo.refs, config=repo.config)
    while words:
        try:
            revisions.find_range([words[0]])
        except MuseError:
            if paths or not all((ctx.cwd / word).exists() for word in words):
                raise
            return revs, tuple(ctx.path(word) for word in words)
        revs.append(words.pop(0))
    return revs, tuple(path for path in paths if path)


def _limits(args: argparse.Namespace, paths: tuple[bytes, ...]) -> Limits:
    from muse.cli.dates import parse_when
    from muse.core.limits import Limits

    if (args.max_count is not None and args.max_count < 0) or args.skip < 0:
        raise UsageError("A number of commits is not negative.", hint="Try 'muse log -n 10'.")
    now_s = int(time.time())
    return Limits(
        count=args.max_count,
        skip=args.skip,
        since_s=parse_when(args.since, now_s=now_s) if args.since else None,
        until_s=parse_when(args.until, now_s=now_s) if args.until else None,
        author=args.author,
        grep=args.grep,
        ignore_case=args.ignore_case,
        paths=paths,
        first_parent=args.first_parent,
        merges=True if args.merges else False if args.no_merges else None,
    )


def entry_data(entry: LogEntry) -> dict[str, object]:
    """Return the JSON form of one commit of a log."""
    names = [{"name": name.text, "kind": name.kind} for name in entry.names]
    return {**commit_data(entry.oid, entry.commit), "refs": names}


def _lines(
    entries: Iterable[LogEntry], *, oneline: bool, graph: bool, color: bool
) -> Iterator[str]:
    for number, entry in enumerate(entries):
        text = _one_line(entry, color=color) if oneline else _block(entry, color=color)
        if number and not oneline and not graph:
            yield ""
        if not graph:
            yield from text
            continue
        head, rest = _graph(entry, color=color)
        yield head + text[0]
        yield from (f"{rest}{line}".rstrip() for line in text[1:])
        if not oneline:
            yield rest.rstrip()


def _graph(entry: LogEntry, *, color: bool) -> tuple[str, str]:
    """Return what stands before a commit's first line, and before its further ones."""
    from muse.core.lanes import UNICODE, draw

    assert entry.row is not None
    lanes = ("added", "hunk", "changed", "removed", "meta")
    first: list[str] = []
    for cell in draw(entry.row):
        style = "id" if cell.is_commit else lanes[cell.lane % len(lanes)]
        first.append(paint(cell.sign, style, on=color) if cell.sign.strip() else cell.sign)
        link = cell.link
        first.append(
            paint(link, lanes[cell.link_lane % len(lanes)], on=color) if link.strip() else link
        )
    row = entry.row
    down = {*row.through, *row.forks, *([row.column] if row.below else [])}
    rest = "".join(f"{UNICODE.line} " if at in down else "  " for at in range(row.width))
    return "".join(first).rstrip(" ") + " ", rest


def _one_line(entry: LogEntry, *, color: bool) -> list[str]:
    names = _names(entry.names, color=color)
    subject = show_text(entry.commit.subject)
    return [f"{paint(short(entry.oid), 'id', on=color)} {names}{' ' if names else ''}{subject}"]


def _block(entry: LogEntry, *, color: bool) -> list[str]:
    commit = entry.commit
    names = _names(entry.names, color=color)
    lines = [paint(f"commit {entry.oid}", "id", on=color) + (f" {names}" if names else "")]
    if len(commit.parents) > 1:
        lines.append("Merge: " + " ".join(short(from_raw(parent)) for parent in commit.parents))
    lines.append(f"Author: {person(commit.author)}")
    lines.append(f"Date:   {date_text(commit.author.time_s, commit.author.offset_min)}")
    lines.append("")
    lines += [f"    {show_text(line)}".rstrip() for line in commit.text.strip("\n").split("\n")]
    return lines


def _names(names: tuple[Name, ...], *, color: bool) -> str:
    if not names:
        return ""
    styles = {"branch": "branch", "tag": "tag", "remote": "remote", "head": "head"}
    shown = []
    for name in names:
        text = show_text(name.text)
        if name.kind == "tag":
            text = f"tag: {text}"
        elif name.current and name.kind == "branch":
            text = f"HEAD → {text}"
        shown.append(paint(text, styles[name.kind], on=color))
    return f"({', '.join(shown)})"
