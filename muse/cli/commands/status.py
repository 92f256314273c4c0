"""``muse status``: what is changed, and where the branch stands."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import paint, plural, short
from muse.core.paths import show_path, show_text

if TYPE_CHECKING:  # start-up time
    from muse.core.status import Status
    from muse.ops.status import StatusResult

SUMMARY = "show what is staged, changed and new"
EXAMPLES = (
    ("muse status", "in words"),
    ("muse status -s", "one line a path: staged and unstaged change, then the path"),
    ("muse status --json", "one object for scripts"),
)
WORDS = {"A": "new file", "M": "modified", "D": "deleted", "T": "type changed", "R": "renamed"}
STYLES = {"A": "added", "M": "changed", "D": "removed", "T": "changed", "R": "changed"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("-s", "--short", action="store_true", help="one line a path")
    parser.add_argument("-b", "--branch", action="store_true", help="with -s: the branch, too")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Look at everything, and say what differs; the exit code is 0 in any case."""
    from muse.ops.status import read_status

    repo = ctx.repo()
    result = read_status(repo)
    for path in result.unreadable:
        ctx.warn_unreadable(path)
    for path in result.unreadable_files:
        ctx.warn(
            f"{show_path(path)} cannot be read (permission denied), and is taken for modified.",
            hint="Give yourself the right to read it; until then it cannot be added or committed.",
        )
    lines = _short_lines(result, ctx.color) if args.short else _long_lines(result, ctx.color)
    if args.short and args.branch:
        lines = itertools.chain([_branch_line(result, ctx.color)], lines)
    return Result({**_data(result), "durability": repo.durability} if ctx.json else {}, lines)


def _data(result: StatusResult) -> dict[str, object]:
    status = result.status
    gone, come = {old for old, _ in status.renamed}, {new for _, new in status.renamed}
    staged = {
        "added": [p for p in status.staged("A") if p not in come],
        "modified": list(status.staged("MT")),
        "deleted": [p for p in status.staged("D") if p not in gone],
    }
    unstaged = {
        "added": list[bytes](),
        "modified": list(status.unstaged("MT")),
        "deleted": list(status.unstaged("D")),
    }
    return {
        "branch": result.head.branch,
        "detached": result.head.detached,
        "head_commit": result.head.commit,
        "upstream": result.upstream,
        "ahead": result.ahead,
        "behind": result.behind,
        "clean": status.is_clean,
        "dirty": not status.is_clean,
        "total_changes": len(status.entries) - len(status.renamed),
        "untracked_count": len(status.untracked),
        "added": _show(staged["added"]),
        "modified": _show(sorted({*staged["modified"], *unstaged["modified"]})),
        "deleted": _show(sorted({*staged["deleted"], *unstaged["deleted"]})),
        "renamed": {show_path(old): show_path(new) for old, new in status.renamed},
        "staged": {kind: _show(paths) for kind, paths in staged.items()},
        "unstaged": {kind: _show(paths) for kind, paths in unstaged.items()},
        "untracked": _show(status.untracked),
        "conflict_paths": _show(status.conflict_paths),
        "interrupted": _interrupted_data(result),
        "shallow": result.shallow,
        "unreadable": _show(result.unreadable),
        "unreadable_files": _show(result.unreadable_files),
    }


def _interrupted_data(result: StatusResult) -> dict[str, str | None] | None:
    record = result.interrupted
    if record is None:
        return None
    return {
        "finish": f"muse {record.command}",
        "back": f"muse {record.back}" if record.back else None,
    }


def _show(paths: Iterable[bytes]) -> list[str]:
    return [show_path(path) for path in paths]


def _branch_line(result: StatusResult, color: bool) -> str:
    """Say in one line what is checked out, in git's form."""
    if result.head.branch is None:
        return "## HEAD (no branch)"
    name = paint(show_text(result.head.branch), "branch", on=color)
    if result.upstream:
        name += f"...{paint(show_text(result.upstream), 'remote', on=color)}"
    distances = (("ahead", result.ahead), ("behind", result.behind))
    told = ", ".join(f"{word} {count}" for word, count in distances if count)
    return f"## {'' if result.head.commit else 'No commits yet on '}{name}" + (
        f" [{told}]" if told else ""
    )


def _short_lines(result: StatusResult, color: bool) -> Iterator[str]:
    status = result.status
    renamed = {new: old for old, new in status.renamed}
    gone = set(renamed.values())
    for path, staged, unstaged in status.entries:
        if path in gone:
            staged = " "  # noqa: PLW2901  # shown with the new name
        if unstaged == "?" and staged == " ":
            continue
        code = "R" if path in renamed else staged
        shown = " " if unstaged == "?" else unstaged
        if code == shown == " ":
            continue
        name = show_path(path)
        if path in renamed:
            name = f"{show_path(renamed[path])} -> {name}"
        yield f"{paint(code, 'added', on=color)}{paint(shown, 'removed', on=color)} {name}"
    for path in result.untracked_roots:
        yield f"{paint('??', 'untracked', on=color)} {show_path(path)}"


def _long_lines(result: StatusResult, color: bool) -> Iterator[str]:
    yield from _head_lines(result, color)
    status = result.status
    gone, come = {old for old, _ in status.renamed}, {new for _, new in status.renamed}
    staged = [
        (staged, show_path(path))
        for path, staged, _ in status.entries
        if staged != " " and path not in gone and path not in come
    ]
    staged += [("R", f"{show_path(old)} -> {show_path(new)}") for old, new in status.renamed]
    unstaged = [(code, show_path(path)) for path, _, code in status.entries if code not in " ?"]
    if staged:
        yield "\nStaged, for the next commit (muse reset <path> takes it off):"
        yield from _change_lines(sorted(staged, key=lambda change: change[1]), color)
    if unstaged:
        yield "\nChanged, not staged (muse add <path> stages it):"
        yield from _change_lines(unstaged, color)
    if result.untracked_roots:
        yield "\nNew, not tracked (muse add <path> tracks it):"
        for path in result.untracked_roots:
            yield "    " + paint(show_path(path), "untracked", on=color)
    if staged or status.is_clean or result.interrupted is None:
        yield _last_line(status, bool(staged))


def _change_lines(changes: Iterable[tuple[str, str]], color: bool) -> Iterator[str]:
    for code, path in changes:
        yield "    " + paint(f"{WORDS[code] + ':':<14}{path}", STYLES[code], on=color)


def _head_lines(result: StatusResult, color: bool) -> Iterator[str]:
    head = result.head
    if head.branch is None:
        yield f"Not on a branch: HEAD is at {paint(short(head.commit or ''), 'id', on=color)}"
    else:
        yield f"On branch {paint(head.branch, 'branch', on=color)}" + (
            "" if head.commit else ", no commits yet"
        )
    if result.interrupted is not None:
        command, back = result.interrupted.command, result.interrupted.back
        yield paint(f"'muse {command}' was interrupted, or is still at it", "warning", on=color)
        yield f"    muse {command} finishes it" + (f"; muse {back} goes back" if back else "")
    if result.upstream is None:
        return
    name = paint(result.upstream, "remote", on=color)
    if result.ahead is None or result.behind is None:
        yield f"Follows {name}, which is not known here yet: muse fetch"
    elif result.ahead and result.behind:
        yield f"Diverged from {name}: {result.ahead} ahead, {result.behind} behind"
    elif result.ahead:
        yield f"Ahead of {name} by {plural(result.ahead, 'commit')}: muse push"
    elif result.behind:
        yield f"Behind {name} by {plural(result.behind, 'commit')}: muse pull"
    else:
        yield f"Up to date with {name}"


def _last_line(status: Status, staged: bool) -> str:
    if status.is_clean:
        return "Nothing to commit, working tree clean"
    if staged:
        return "\nmuse commit records what is staged"
    return "\nNothing is staged: muse commit records all of these changes"
