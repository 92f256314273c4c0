"""``muse log``: the history, newest first."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from muse.cli.context import Context, Result
from muse.cli.render import commit_data, date_text, paint, person
from muse.core.errors import MuseError, UsageError, short
from muse.core.paths import show_text
from muse.core.types import from_raw, to_raw

if TYPE_CHECKING:  # start-up time
    from muse.core.limits import Limits
    from muse.core.repo import Repository
    from muse.ops.diff import DiffResult
    from muse.ops.log import LogEntry

SUMMARY = "show the history, newest first"
EXAMPLES = (
    ("muse log", "the commits behind HEAD"),
    ("muse log --oneline --graph -n 20", "twenty of them as a graph"),
    ("muse log main..topic", "what topic has and main has not"),
    ("muse log --author Ada --since '2 weeks ago'", "one person's, lately"),
    ("muse log --grep 'fix(es|ed)?'", "by message"),
    ("muse log -p -- src/player.py", "what changed one file, with the changes"),
    ("muse log --stat -n 3", "how much the last three commits changed"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("revs", nargs="*", metavar="rev", help="where to start; after --, paths")
    parser.add_argument("-n", "--max-count", type=int, metavar="N", help="at most N commits; or -N")
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
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "-p", "--patch", dest="form", action="store_const", const="patch", help="with the changes"
    )
    for name, what in (
        ("stat", "with how much changed in each file"),
        ("shortstat", "with the sums of that"),
        ("name-only", "with the names of the changed files"),
        ("name-status", "with a letter for each of them, too"),
    ):
        shown.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=what)
    merges = parser.add_mutually_exclusive_group()
    merges.add_argument("--merges", action="store_true", help="merges only")
    merges.add_argument("--no-merges", action="store_true", help="no merges")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Walk the history and print it as it is found."""
    from muse.core.history import Order
    from muse.ops.log import log

    repo = ctx.repo(sweep=False)
    _take_count(args)
    revs, paths = _split(ctx, repo, args)
    entries = log(
        repo,
        revs=revs,
        everything=args.all,
        limits=_limits(args, paths),
        graph=args.graph and not ctx.json,
        order=Order.TOPO if args.topo_order else None,
    )
    changes = _Changes(ctx, repo, args.form, paths) if args.form else None
    if ctx.json:
        return Result({"commits": [_entry_data(entry, changes) for entry in entries]})
    head = repo.head()
    if not revs and not args.all and head.commit is None:
        return Result({"commits": []}, f"No commits yet on {head.branch}.")
    look = _Look(args.oneline, args.graph, ctx.color)
    return Result({}, _lines(entries, look, changes))


def _take_count(args: argparse.Namespace) -> None:
    """Take ``-5`` for ``-n 5``, as git does; to argparse it is a word like any other."""
    before = len(args.revs) - len(args.after_dashes or ())
    for word in args.revs[:before]:
        if word[0:1] == "-" and word[1:].isdecimal():
            args.max_count = int(word[1:])
            args.revs.remove(word)


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
        max_count=args.max_count,
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


class _Look(NamedTuple):
    """How the list is drawn."""

    oneline: bool
    graph: bool
    color: bool


class _Changes:
    """What each commit changed, in the form that was asked for."""

    def __init__(self, ctx: Context, repo: Repository, form: str, paths: tuple[bytes, ...]) -> None:
        from muse.cli.diff_output import Form

        self._repo = repo
        self._paths = paths
        self._form = Form(ctx, argparse.Namespace(form=form))

    def _diff(self, entry: LogEntry) -> DiffResult | None:
        from muse.ops.show import ShownCommit, show_object

        # As in git: what a merge changed is what its branches changed.
        if len(entry.commit.parents) > 1:
            return None
        shown = show_object(self._repo, to_raw(entry.oid), paths=self._paths)
        return shown.diff if isinstance(shown, ShownCommit) else None

    def lines(self, entry: LogEntry) -> Iterator[str]:
        """Yield what people see of a commit's changes."""
        diff = self._diff(entry)
        if diff is not None:
            yield from self._form.text(self._form.rows(diff))

    def data(self, entry: LogEntry) -> dict[str, object] | None:
        """Return the JSON form of a commit's changes; None for a merge."""
        from muse.cli.diff_output import diff_data

        diff = self._diff(entry)
        return None if diff is None else diff_data(diff, self._form.name)


def _entry_data(entry: LogEntry, changes: _Changes | None) -> dict[str, object]:
    names = [{"name": name.text, "kind": name.kind} for name in entry.names]
    data: dict[str, object] = {
        **commit_data(entry.oid, entry.commit),
        "refs": names,
        "history_ends": entry.cut,
    }
    if changes is not None:
        data["changes"] = changes.data(entry)
    return data


def _lines(entries: Iterable[LogEntry], look: _Look, changes: _Changes | None) -> Iterator[str]:
    for number, entry in enumerate(entries):
        text = _one_line(entry, color=look.color) if look.oneline else _block(entry, look.color)
        if number and not look.oneline and not look.graph:
            yield ""
        head, rest = _graph(entry, color=look.color) if look.graph else ("", "")
        yield head + text[0]
        yield from (f"{rest}{line}".rstrip() for line in text[1:])
        if changes is not None:
            for place, line in enumerate(changes.lines(entry)):
                if not place and not look.oneline:
                    yield rest.rstrip()
                yield rest + line
        if look.graph and not look.oneline:
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
    names = _names(entry, color=color)
    subject = show_text(entry.commit.subject)
    return [f"{paint(short(entry.oid), 'id', on=color)} {names}{' ' if names else ''}{subject}"]


def _block(entry: LogEntry, color: bool) -> list[str]:
    commit = entry.commit
    names = _names(entry, color=color)
    lines = [paint(f"commit {entry.oid}", "id", on=color) + (f" {names}" if names else "")]
    if len(commit.parents) > 1:
        lines.append("Merge: " + " ".join(short(from_raw(parent)) for parent in commit.parents))
    lines.append(f"Author: {person(commit.author)}")
    lines.append(f"Date:   {date_text(commit.author.time_s, commit.author.offset_min)}")
    lines.append("")
    lines += [f"    {show_text(line)}".rstrip() for line in commit.text.strip("\n").split("\n")]
    return lines


def _names(entry: LogEntry, *, color: bool) -> str:
    styles = {"branch": "branch", "tag": "tag", "remote": "remote", "head": "head"}
    shown = []
    for name in entry.names:
        text = show_text(name.text)
        if name.kind == "tag":
            text = f"tag: {text}"
        elif name.current and name.kind == "branch":
            text = f"HEAD → {text}"
        shown.append(paint(text, styles[name.kind], on=color))
    if entry.cut:
        # As git says "grafted": the commit has parents, which a shallow clone leaves out.
        shown.append(paint("history ends here: shallow", "dim", on=color))
    return f"({', '.join(shown)})" if shown else ""
