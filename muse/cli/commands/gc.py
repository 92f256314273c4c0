"""``muse gc [--expire when] [--all] [--dry-run] [--remote [name]]``."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.types import from_raw

if TYPE_CHECKING:  # start-up time
    from muse.core.gc import GcResult

SUMMARY = "pack loose objects, and drop what nothing refers to any more"
EXAMPLES = (
    ("muse gc", "pack, and drop what has been unreachable for two weeks"),
    ("muse gc --dry-run", "only say what would be done"),
    ("muse gc --expire 3d", "drop what has not been touched for three days"),
    ("muse gc --expire never", "pack only"),
    ("muse gc --remote", "the same in the object store that 'origin' is"),
    ("muse gc --all", "one pack for everything; also replaces damaged copies by whole ones"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--expire",
        "--prune",
        metavar="WHEN",
        default="2w",
        help="drop unreachable objects last written before this: '2w' (default), '3 days ago', "
        "a date, 'now' (not beside a running push or fetch), 'never'",
    )
    parser.add_argument(
        "--expire-logs",
        metavar="WHEN",
        default="never",
        help="entries of reflogs and of what 'undo' knows protect nothing before this; "
        "default: never, so that nothing that they name is dropped",
    )
    parser.add_argument("--all", action="store_true", help="melt all packs into one")
    parser.add_argument("-n", "--dry-run", action="store_true", help="change nothing")
    parser.add_argument(
        "--remote",
        nargs="?",
        const="",
        metavar="NAME",
        help="collect in an object store (s3, gs, az, store), by its own clock; the default "
        "remote when none is named",
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Collect garbage, and say what came of it."""
    from muse.ops.gc import gc

    now_s = time.time()
    if args.remote is not None:
        return _run_remote(ctx, args, now_s=now_s)
    result = gc(
        ctx.repo(),
        expire_before_s=_moment(args.expire, now_s=now_s),
        everything=args.all,
        dry_run=args.dry_run,
        logs_since_s=_moment(args.expire_logs, now_s=now_s) or None,
        progress=ctx.progress("Packing"),
    )
    ctx.end_progress()
    notes = [_damage(each.file, from_raw(each.raw), each.reason) for each in result.damaged]
    if result.kept_because:
        notes.append(f"Nothing was dropped: {result.kept_because}; 'muse verify' shows more.")
    return Result(_data(result), _lines(result), notes=tuple(notes))


def _run_remote(ctx: Context, args: argparse.Namespace, *, now_s: float) -> Result:
    from muse.cli.render import plural, size
    from muse.ops.gc_remote import gc_remote

    age_s = now_s - _moment(args.expire, now_s=now_s)
    done = gc_remote(ctx.repo(), remote=args.remote or None, grace_s=age_s, dry_run=args.dry_run)
    result = done.result
    lines = [f"At {done.url}"]
    if result.dropped:
        lines.append(f"dropped  {plural(result.dropped, 'unreachable object')}")
    if result.packs_after != result.packs_before:
        packs = plural(result.packs_after, "pack")
        lines.append(f"packs    {result.packs_before} → {packs}")
    if result.deleted:
        files = plural(result.deleted, "file")
        lines.append(f"deleted  {files}, {size(result.deleted_bytes)}")
    if result.waiting:
        lines.append(f"waiting  {plural(result.waiting, 'file')}, too young to delete")
    if len(lines) == 1:
        lines.append(f"Nothing to do: {plural(result.packs_before, 'pack')}.")
    if result.dry_run:
        lines.append("Nothing was changed (--dry-run).")
    data = {"remote": done.remote, "url": done.url, **asdict(result)}
    return Result(data, lines)


def _moment(text: str, *, now_s: float) -> float:
    from muse.cli.dates import parse_when

    if text == "never":
        return 0.0
    if text in {"now", "0", "all"}:
        # What was written in this very moment is meant as well.
        return now_s + 1
    return float(parse_when(text, now_s=int(now_s)))


def _lines(result: GcResult) -> list[str]:
    from muse.cli.render import plural, size

    lines = []
    if result.packed:
        lines.append(f"packed   {plural(result.packed, 'loose object')}")
    if result.melted:
        lines.append(f"melted   {plural(result.melted, 'pack')} into one")
    if result.dropped:
        lines.append(f"dropped  {plural(result.dropped, 'unreachable object')}")
    if result.expired:
        entries = plural(result.expired, "entry", "entries")
        lines.append(f"expired  {entries} of the trash, older than a month")
    if result.kept:
        lines.append(f"kept     {plural(result.kept, 'unreachable object')}, too young to drop")
    state = f"{plural(result.packs_after, 'pack')}, {plural(result.loose_after, 'loose object')}"
    if not (result.packed or result.melted or result.dropped):
        return [*lines, f"Nothing to do: {state}, {size(result.bytes_after)}."]
    if result.dry_run:
        return [*lines, "Nothing was changed (--dry-run)."]
    return [*lines, f"{state}, {size(result.bytes_before)} → {size(result.bytes_after)}."]


def _damage(file: str, oid: str, reason: str) -> str:
    from muse.core.paths import show_path

    return f"Left as it is: {oid} in {show_path(file)} is damaged: {reason.rstrip('.')}."


def _data(result: GcResult) -> dict[str, object]:
    return {
        "dry_run": result.dry_run,
        "packed": result.packed,
        "melted": result.melted,
        "dropped": result.dropped,
        "expired": result.expired,
        "kept": result.kept,
        "kept_because": result.kept_because,
        "damaged": [
            {"id": from_raw(each.raw), "file": each.file, "reason": each.reason}
            for each in result.damaged
        ],
        "loose_before": result.loose_before,
        "loose_after": result.loose_after,
        "packs_before": result.packs_before,
        "packs_after": result.packs_after,
        "bytes_before": result.bytes_before,
        "bytes_after": result.bytes_after,
    }
