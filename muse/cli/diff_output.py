"""What `diff`, `show` and their like have in common: options, forms of output, JSON."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from muse.cli.diff_stat import DEFAULT_WIDTH, numstat_rows, stat_rows, total_row
from muse.cli.diff_text import (
    Row,
    name_rows,
    patch_bytes,
    patch_rows,
    status_rows,
    to_bytes,
    to_text,
)
from muse.cli.output import is_terminal
from muse.core.errors import UsageError
from muse.core.paths import show_path
from muse.core.types import from_raw
from muse.ops.diff import sum_up
from muse.ops.file_diff import DiffOptions

if TYPE_CHECKING:  # start-up time
    from muse.cli.context import Context
    from muse.core.text_diff import Hunk, Line
    from muse.core.tree_diff import Change
    from muse.core.types import RawId
    from muse.ops.diff import DiffResult
    from muse.ops.file_diff import FileStat, FileText

# Forms that need no look into the files.
NAME_FORMS = ("name-only", "name-status")
COUNT_FORMS = ("stat", "numstat", "shortstat")


def add_diff_options(parser: argparse.ArgumentParser) -> None:
    """Declare how to compare, and what to print."""
    form = parser.add_mutually_exclusive_group()
    for name, what in (
        ("patch", "print the changed lines (the default)"),
        ("stat", "print how much changed in each file, with a bar"),
        ("numstat", "print exact numbers: added, removed, name"),
        ("shortstat", "print the sums alone"),
        ("name-only", "print the names of the files"),
        ("name-status", "print a letter and the name: A added, M modified, D deleted, R renamed"),
    ):
        short = ["-p"] if name == "patch" else []
        form.add_argument(
            *short, f"--{name}", dest="form", action="store_const", const=name, help=what
        )
    parser.add_argument(
        "-U",
        "--unified",
        dest="context",
        type=int,
        default=3,
        metavar="N",
        help="lines of context around each change; default: 3",
    )
    space = parser.add_mutually_exclusive_group()
    for flags, mode, what in (
        (("-w", "--ignore-all-space"), "all", "ignore whitespace"),
        (("-b", "--ignore-space-change"), "change", "ignore changes in the amount of whitespace"),
        (("--ignore-space-at-eol",), "eol", "ignore whitespace at ends of lines"),
    ):
        space.add_argument(*flags, dest="whitespace", action="store_const", const=mode, help=what)
    parser.set_defaults(form="patch", whitespace="none")
    parser.add_argument(
        "-a", "--text", action="store_true", help="compare binary and large files by line, too"
    )
    renames = parser.add_mutually_exclusive_group()
    renames.add_argument(
        "--no-renames", action="store_true", help="show a renamed file as deleted and added"
    )
    renames.add_argument(
        "--find-renames",
        type=_percent,
        default=50,
        metavar="PERCENT",
        help="how much of a renamed file must be the same; default: 50",
    )


def _percent(text: str) -> int:
    value = int(text.removesuffix("%"))
    if not 1 <= value <= 100:
        raise ValueError(text)
    return value


def diff_options(args: argparse.Namespace) -> DiffOptions:
    """Return how to compare, as the arguments say.

    Raises:
        UsageError: The number of context lines makes no sense.
    """
    from muse.core.tree_diff import RenameOptions

    if not 0 <= args.context <= 1_000_000_000:
        raise UsageError("-U takes a number of lines, 0 or more.", hint="As in 'muse diff -U 10'.")
    renames = None if args.no_renames else RenameOptions(percent=args.find_renames)
    return DiffOptions(args.context, args.whitespace, args.text, renames)


class Form:
    """How the output is to look: for people at a terminal, or exact for a pipe.

    Args:
        ctx: The surroundings.
        args: With what `add_diff_options` declared.
    """

    def __init__(self, ctx: Context, args: argparse.Namespace) -> None:
        self.name: str = args.form
        self.color = ctx.color
        # Found now: with a pager, stdout is its pipe by the time that rows are made.
        self.for_people = ctx.color or is_terminal(sys.stdout)
        self.width = _terminal_width() if is_terminal(sys.stdout) else DEFAULT_WIDTH

    def rows(self, result: DiffResult) -> Iterator[Row]:
        """Yield a comparison in the form that was asked for, for people."""
        if self.name == "patch":
            for file in result:
                yield from patch_rows(file)
        elif self.name == "name-only":
            yield from name_rows(result.changes)
        elif self.name == "name-status":
            yield from status_rows(result.changes)
        elif self.name == "numstat":
            yield from numstat_rows(result.counts())
        elif self.name == "stat":
            yield from stat_rows(list(result.counts()), width=self.width)
        elif result.changes:
            totals = sum_up(result.counts())
            if totals.files:
                yield total_row(totals)

    def chunks(self, result: DiffResult) -> Iterator[bytes]:
        """Yield a comparison in the form that was asked for, exact."""
        if self.name == "patch":
            return (chunk for chunk in map(patch_bytes, result) if chunk)
        return to_bytes(self.rows(result))

    def text(self, rows: Iterable[Row]) -> Iterator[str]:
        """Yield rows as people see them."""
        return to_text(rows, color=self.color)


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(1).columns or DEFAULT_WIDTH
    except OSError:
        return DEFAULT_WIDTH


def diff_data(result: DiffResult, form: str) -> dict[str, object]:
    """Return a comparison's JSON form: files, and sums where lines were counted."""
    if form in NAME_FORMS:
        return {"files": [change_data(c) for c in result.changes], "total_files": len(result)}
    added = removed = 0
    files: list[dict[str, object]] = []
    for file in result:
        stat = file.count_lines() if form in COUNT_FORMS else None
        if stat is not None:
            if stat.is_empty:
                continue
            files.append(change_data(stat.change) | _stat_data(stat))
            added, removed = added + stat.added, removed + stat.removed
            continue
        found = file.compare()
        files.append(change_data(found.change) | _text_data(found))
        added, removed = added + found.text.added, removed + found.text.removed
    return {"files": files, "total_files": len(files), "added": added, "removed": removed}


def change_data(change: Change) -> dict[str, object]:
    """Return which file, and how."""
    data: dict[str, object] = {
        "status": change.kind,
        "path": show_path(change.path),
        "old_mode": _mode(change.old_mode),
        "new_mode": _mode(change.new_mode),
        "old_id": _id(change.old),
        "new_id": _id(change.new),
    }
    if change.kind == "R":
        data |= {"old_path": show_path(change.old_path), "similarity": change.similarity}
    return data


def _mode(mode: int) -> str | None:
    return f"{mode:06o}" if mode else None


def _id(raw: RawId | None) -> str | None:
    return from_raw(raw) if raw else None


def _stat_data(stat: FileStat) -> dict[str, object]:
    return {
        "binary": stat.binary,
        "added": stat.added,
        "removed": stat.removed,
        "old_size": stat.old_size,
        "new_size": stat.new_size,
    }


def _text_data(found: FileText) -> dict[str, object]:
    return {
        "binary": found.text.binary and not found.large,
        "large": found.large,
        "added": found.text.added,
        "removed": found.text.removed,
        "old_size": found.old_size,
        "new_size": found.new_size,
        "hunks": [_hunk_data(hunk) for hunk in found.text.hunks],
    }


def _hunk_data(hunk: Hunk) -> dict[str, object]:
    return {
        "old_start": hunk.old_start,
        "old_count": hunk.old_count,
        "new_start": hunk.new_start,
        "new_count": hunk.new_count,
        "heading": hunk.heading.decode("utf-8", "backslashreplace"),
        "lines": [_line_data(line) for line in hunk.lines],
    }


def _line_data(line: Line) -> dict[str, object]:
    data: dict[str, object] = {
        "origin": line.origin,
        "text": line.text.decode("utf-8", "backslashreplace"),
        "old_no": line.old_no,
        "new_no": line.new_no,
    }
    return data | {"no_newline": True} if line.no_newline else data
