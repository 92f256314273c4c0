"""``muse bridge``: history from a git repository, and back into one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.render import paint, plural, short, show_path, show_text, size
from muse.core.types import OBJECT_TYPES, ObjectType

if TYPE_CHECKING:  # start-up time
    from muse.ops.git_bridge.report import RefOutcome, Remark

SUMMARY = "bring history from a git repository, or write one"
EXAMPLES = (
    ("muse bridge git-import ../project", "bring its branches and tags, and check them out"),
    ("muse bridge git-import .", "the same where git works already: no file is touched"),
    ("muse bridge git-export ../project-git", "write a git repository; ids stay the same"),
    ("muse bridge git-export --object-format sha1 ../for-a-host", "one that every host takes"),
)
_SHOWN_REFS = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the two directions and their arguments."""
    directions = parser.add_subparsers(dest="direction", required=True, metavar="direction")
    into = directions.add_parser("git-import", help="bring branches and tags from git")
    into.add_argument("repo", help="a git repository on this machine; others: 'git clone' first")
    into.add_argument(
        "--force", action="store_true", help="move branches and tags that have diverged, too"
    )
    into.add_argument(
        "--allow-shallow", action="store_true", help="take a history that is cut off, as it is"
    )
    out = directions.add_parser("git-export", help="write branches and tags to git")
    out.add_argument("repo", help="a git repository, or a folder in which to make one")
    out.add_argument(
        "--object-format",
        choices=("sha256", "sha1"),
        help="of a new repository: sha256 (the default) keeps all ids, sha1 is for other tools",
    )
    out.add_argument(
        "--bare", action="store_true", help="make a new one without working tree, as for <name>.git"
    )
    out.add_argument(
        "--force", action="store_true", help="move branches and tags that have diverged, too"
    )
    out.add_argument(
        "--no-strict",
        action="store_true",
        help="send history that 'git fsck --strict' finds fault with, too",
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Import or export."""
    return _import(ctx, args) if args.direction == "git-import" else _export(ctx, args)


def _import(ctx: Context, args: argparse.Namespace) -> Result:
    from muse.ops.git_bridge.import_ import git_import  # start-up time

    result = git_import(
        ctx.repo(),
        ctx.cwd / args.repo,
        env=ctx.env,
        force=args.force,
        allow_shallow=args.allow_shallow,
        progress=ctx.progress("Importing"),
        file_progress=ctx.progress("Writing files", "files"),
    )
    data = {
        "repository": show_path(args.repo),
        "object_format": result.object_format,
        "objects": dict(result.objects),
        "bytes": result.size_bytes,
        "refs": [_ref_data(ref) for ref in result.refs],
        "remarks": [_remark_data(remark) for remark in result.remarks],
        "branch": result.branch,
        "files_written": result.files,
        "same_ids": result.same_ids,
    }
    lines = [
        _sent("Brought", result.objects, result.size_bytes, f"from '{show_path(args.repo)}'"),
        *_ref_lines(result.refs, color=ctx.color),
    ]
    if result.branch is not None:
        files = f", {plural(result.files, 'file')} written" if result.files else ""
        lines.append(f"On branch {paint(show_text(result.branch), 'branch', on=ctx.color)}{files}.")
    lines += _remark_lines(result.remarks, color=ctx.color)
    return Result(data, lines, 0 if result.ok else 1, notes=_notes(result.refs))


def _export(ctx: Context, args: argparse.Namespace) -> Result:
    from muse.ops.git_bridge.export import git_export  # start-up time

    result = git_export(
        ctx.repo(),
        ctx.cwd / args.repo,
        env=ctx.env,
        object_format=args.object_format,
        bare=args.bare or args.repo.endswith(".git"),
        force=args.force,
        strict=not args.no_strict,
        progress=ctx.progress("Exporting"),
    )
    data = {
        "repository": show_path(args.repo),
        "object_format": result.object_format,
        "created": result.created,
        "objects": dict(result.objects),
        "bytes": result.size_bytes,
        "refs": [_ref_data(ref) for ref in result.refs],
        "files": result.files,
    }
    where = f"to '{show_path(args.repo)}'"
    lines = [
        _sent("Sent", result.objects, result.size_bytes, where),
        *_ref_lines(result.refs, color=ctx.color),
    ]
    if result.files:
        lines.append(f"Files there: {result.files}.")
    return Result(data, lines, 0 if result.ok else 1, notes=_notes(result.refs))


def _sent(verb: str, objects: Mapping[ObjectType, int], size_bytes: int, where: str) -> str:
    counts = [plural(objects[kind], kind) for kind in OBJECT_TYPES if objects[kind]]
    if not counts:
        return f"Nothing new {where}."
    listed = ", ".join(counts)
    return f"{verb} {listed} ({size(size_bytes)}) {where}."


def _ref_lines(refs: Sequence[RefOutcome], *, color: bool) -> list[str]:
    from muse.ops.git_bridge.report import FAILED, RefState

    told = [ref for ref in refs if ref.state is not RefState.UNCHANGED]
    # What went wrong is never among those that are only counted.
    told.sort(key=lambda ref: ref.state not in FAILED)
    lines = []
    for ref in told[:_SHOWN_REFS]:
        style = "error" if ref.state in FAILED else "good"
        state = paint(f"{ref.state:<9}", style, on=color)
        ids = " → ".join(short(oid) for oid in (ref.old, ref.new) if oid)
        reason = f": {show_text(ref.reason)}" if ref.reason else ""
        lines.append(f"  {state} {show_text(ref.name)} {paint(ids, 'id', on=color)}{reason}")
    if len(told) > _SHOWN_REFS:
        lines.append(f"  … and {plural(len(told) - _SHOWN_REFS, 'more ref')}")
    return lines


def _remark_lines(remarks: Sequence[Remark], *, color: bool) -> list[str]:
    lines = []
    for remark in remarks:
        what = paint(f"{remark.kind} × {remark.count}", "warning", on=color)
        lines.append(f"  {what}: {remark.meaning}")
        lines += [f"    {example}" for example in remark.examples]
        more = remark.count - len(remark.examples)
        if remark.examples and more > 0:
            lines.append(f"    … and {more} more")
    return ["Not carried over as they are:", *lines] if lines else []


def _notes(refs: Sequence[RefOutcome]) -> tuple[str, ...]:
    from muse.ops.git_bridge.report import RefState

    if any(ref.state is RefState.DIVERGED for ref in refs):
        return (
            "hint: what diverged was left as it is; --force moves it, and the reflog keeps it.",
        )
    return ()


def _ref_data(ref: RefOutcome) -> dict[str, object]:
    return {
        "name": show_text(ref.name),
        "state": ref.state.value,
        "old": ref.old,
        "new": ref.new,
        "reason": show_text(ref.reason),
    }


def _remark_data(remark: Remark) -> dict[str, object]:
    return {
        "kind": remark.kind,
        "count": remark.count,
        "meaning": remark.meaning,
        "examples": list(remark.examples),
    }
