"""``muse branch``: list, create, rename and delete branches."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import columns, iso_date, paint, short
from muse.core.errors import UsageError
from muse.core.paths import show_text

if TYPE_CHECKING:  # start-up time
    from muse.core.repo import Repository
    from muse.ops.branch import BranchInfo

SUMMARY = "list, create, rename and delete branches"
EXAMPLES = (
    ("muse branch", "the branches here; * is checked out"),
    ("muse branch -v", "with commits, and how far each is from what it follows"),
    ("muse branch topic", "create one at HEAD; 'muse switch -c topic' also goes there"),
    ("muse branch topic main~2", "create one somewhere else"),
    ("muse branch -m old new", "rename one"),
    ("muse branch -d topic", "delete one that is merged; -D one that is not"),
    ("muse branch -u origin/main", "let this branch follow a remote's"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("names", nargs="*", metavar="name", help="the branch, and where it starts")
    parser.add_argument("-v", "--verbose", action="store_true", help="with commits and distances")
    parser.add_argument("-f", "--force", action="store_true", help="move a branch that exists")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-a", "--all", action="store_true", help="also the remotes' branches")
    which.add_argument("-r", "--remotes", action="store_true", help="only the remotes' branches")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-d", "--delete", action="store_true", help="delete merged branches")
    what.add_argument("-D", dest="delete_any", action="store_true", help="delete any branches")
    what.add_argument("-m", "--move", action="store_true", help="rename [old] new")
    what.add_argument("-M", dest="move_over", action="store_true", help="rename over another one")
    what.add_argument("-u", "--set-upstream-to", metavar="BRANCH", help="follow origin/main")
    what.add_argument("--unset-upstream", action="store_true", help="follow nothing")
    what.add_argument("--show-current", action="store_true", help="print what is checked out")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Do the one thing that the options say; list without any."""
    names: list[str] = args.names
    if args.show_current:
        branch = ctx.repo(sweep=False).head().branch
        return Result({"branch": branch}, show_text(branch) if branch else "")
    if args.delete or args.delete_any:
        return _delete(ctx, names, force=args.delete_any or args.force)
    if args.move or args.move_over:
        return _rename(ctx, names, force=args.move_over or args.force)
    if args.set_upstream_to or args.unset_upstream:
        return _follow(ctx, names, args.set_upstream_to)
    if names:
        return _create(ctx, names, force=args.force)
    return _list(ctx, args)


def _one(names: list[str]) -> str | None:
    if len(names) > 1:
        raise UsageError("Only one branch can be named here.", hint="Name one, or none for this.")
    return names[0] if names else None


def _list(ctx: Context, args: argparse.Namespace) -> Result:
    from muse.ops.branch import list_branches

    repo = ctx.repo(sweep=False)
    # JSON has everything; for people it is read only when it is shown.
    found = list_branches(
        repo,
        local=not args.remotes,
        remote=args.all or args.remotes,
        verbose=args.verbose or ctx.json,
    )
    data = {"branches": [_data(info) for info in found], "current": repo.head().branch}
    lines = _detached(ctx, repo) if not args.remotes else []
    if args.verbose:
        lines += columns([_row(ctx, info) for info in found])
    else:
        lines += [f"{_mark(info)} {_name(ctx, info)}" for info in found]
    return Result(data, lines)


def _detached(ctx: Context, repo: Repository) -> list[str]:
    head = repo.head()
    if head.branch is not None:
        return []
    return [paint(f"* (no branch: HEAD is at {short(head.commit or '')})", "head", on=ctx.color)]


def _mark(info: BranchInfo) -> str:
    return "*" if info.is_head else " "


def _name(ctx: Context, info: BranchInfo) -> str:
    style = "head" if info.is_head else "remote" if info.is_remote else "branch"
    return paint(show_text(info.name), style, on=ctx.color)


def _row(ctx: Context, info: BranchInfo) -> list[str]:
    return [
        f"{_mark(info)} {_name(ctx, info)}",
        paint(short(info.commit), "id", on=ctx.color) if info.commit else "no commit yet",
        _relation(info),
        show_text(info.subject),
    ]


def _relation(info: BranchInfo) -> str:
    if info.upstream is None:
        return ""
    name = show_text(info.upstream)
    if info.counts is None:
        return f"[{name}: gone]"
    ahead, behind = info.counts
    parts = [f"ahead {ahead}"] * bool(ahead) + [f"behind {behind}"] * bool(behind)
    return f"[{name}: {', '.join(parts)}]" if parts else f"[{name}]"


def _data(info: BranchInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "ref": info.ref,
        "commit_id": info.commit,
        "current": info.is_head,
        "remote": info.is_remote,
        "upstream": info.upstream,
        "ahead": info.counts.ahead if info.counts else None,
        "behind": info.counts.behind if info.counts else None,
        "subject": info.subject,
        "committed_at": iso_date(info.time_s, 0) if info.time_s else None,
    }


def _create(ctx: Context, names: list[str], *, force: bool) -> Result:
    from muse.ops.branch import create_branch

    if len(names) > 2:
        raise UsageError(
            "A branch starts at one commit.", hint="'muse branch <name> [<start>]' creates one."
        )
    start = names[1] if len(names) > 1 else None
    made = create_branch(ctx.repo(), names[0], start=start, force=force)
    verb = "is now" if made.before else "begins"
    data = {"branch": made.name, "commit_id": made.after, "before": made.before}
    note = f"Go there with 'muse switch {show_text(made.name)}'."
    text = f"'{show_text(made.name)}' {verb} at {short(made.after or '')}."
    return Result(data, text, notes=() if made.before else (note,))


def _delete(ctx: Context, names: list[str], *, force: bool) -> Result:
    from muse.ops.branch import delete_branches

    if not names:
        raise UsageError("No branch was named.", hint="'muse branch -d <name>' deletes one.")
    deleted = delete_branches(ctx.repo(), names, force=force)
    lines = [
        f"Deleted '{show_text(gone.name)}', which was at {short(gone.before or '')}."
        for gone in deleted
    ]
    data = {"deleted": [{"branch": gone.name, "commit_id": gone.before} for gone in deleted]}
    return Result(data, lines, notes=("'muse undo' brings it back.",))


def _rename(ctx: Context, names: list[str], *, force: bool) -> Result:
    from muse.ops.branch import rename_branch

    repo = ctx.repo()
    if len(names) not in {1, 2}:
        raise UsageError("Which name?", hint="'muse branch -m [<old>] <new>' renames one.")
    old = names[0] if len(names) == 2 else repo.head().branch
    if old is None:
        raise UsageError("HEAD is detached.", hint="Name the branch: 'muse branch -m old new'.")
    made = rename_branch(repo, old, names[-1], force=force)
    data = {"branch": made.name, "before": made.old_name, "commit_id": made.after}
    return Result(data, f"'{show_text(old)}' is called '{show_text(made.name)}' now.")


def _follow(ctx: Context, names: list[str], upstream: str | None) -> Result:
    from muse.ops.branch import set_upstream

    branch = set_upstream(ctx.repo(), _one(names), upstream)
    what = f"follows '{show_text(upstream)}'" if upstream else "follows nothing"
    return Result({"branch": branch, "upstream": upstream}, f"'{show_text(branch)}' {what} now.")
