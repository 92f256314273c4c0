"""What push, fetch, pull and clone show alike: bars, refs that moved, what travelled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from muse.cli.context import Context
from muse.cli.progress import ProgressBar
from muse.cli.render import columns, paint, plural, short, show_text, size

if TYPE_CHECKING:  # start-up time
    from muse.core.types import ObjectId, Progress
    from muse.ops.fetch import FetchedRef, FetchResult
    from muse.ops.push import PushedRef, PushResult
    from muse.remotes.protocol import TransferProgress

# Nothing is drawn while ssh may be asking for a password on the same terminal ("connect").
LABELS: Final = {
    "count": ("Counting", "objects"),
    "send": ("Sending", "objects"),
    "receive": ("Receiving", "objects"),
    "check": ("Checking", "objects"),
    "checkout": ("Writing files", "files"),
}
_STYLES: Final = {
    "new": "added",
    "updated": "good",
    "forced": "warning",
    "deleted": "removed",
    "pruned": "removed",
    "kept": "warning",
    "up to date": "dim",
}


class TransferBars:
    """Shows a transfer's progress, one bar a phase.

    Args:
        ctx: Whose terminal.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._phase = ""
        self._bar: Progress | None = None

    def __call__(self, progress: TransferProgress) -> None:
        """Take note of progress."""
        if progress.phase not in LABELS:
            return
        if self._bar is None or progress.phase != self._phase:
            self._phase = progress.phase
            self._bar = self._ctx.progress(*LABELS[progress.phase])
        if progress.phase in {"send", "receive"} and isinstance(self._bar, ProgressBar):
            self._bar.size_bytes = progress.bytes_done
        self._bar(progress.objects, progress.total_objects)


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """Let an interruption say that the same command goes on where it was."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note("Give the same command again: what has arrived is not sent twice.")
        raise


def moved(old: ObjectId | None, new: ObjectId | None) -> str:
    """Return "1a2b3c..4d5e6f", or the one id there is."""
    return "..".join(short(oid) for oid in (old, new) if oid)


def traffic(objects: int, size_bytes: int, present: int) -> str:
    """Return "125 objects, 14.2 KB", with what an earlier transfer had brought."""
    text = f"{plural(objects, 'object')}, {size(size_bytes)}"
    # One or two are chance; more tell of a transfer that was killed.
    if present > 8:
        text += f"; {present} more were there already"
    return text


def push_lines(result: PushResult, *, color: bool) -> list[str]:
    """Return what a push says."""
    from muse.core.refs import short_name

    if result.up_to_date:
        names = ", ".join(show_text(short_name(ref.name)) for ref in result.refs)
        lines = [f"Up to date: {show_text(result.remote)} has {names or 'all of it'} already."]
    else:
        rows = [
            (
                paint(ref.state, _STYLES[ref.state], on=color),
                _arrow(ref.source, short_name(ref.name)),
                moved(ref.old, ref.new),
            )
            for ref in result.refs
        ]
        lines = [f"To {show_text(result.url)}", *("  " + line for line in columns(rows))]
        if result.objects or result.present:
            lines.append(traffic(result.objects, result.size_bytes, result.present))
        lines += [
            f"Dropped there: '{show_text(short_name(ref.name))}' was at {short(ref.old)}."
            for ref in result.refs
            if ref.state == "forced" and ref.old
        ]
    if result.upstream:
        lines.append(f"The branch follows {show_text(result.upstream)} from now on.")
    return lines


def _arrow(source: str, name: str) -> str:
    if not source or source == name:
        return show_text(name)
    return f"{show_text(source)} → {show_text(name)}"


def fetch_lines(result: FetchResult, *, color: bool) -> list[str]:
    """Return what a fetch says."""
    from muse.core.refs import short_name

    lines = []
    if result.up_to_date:
        lines.append(f"Up to date with {show_text(result.remote)}.")
    if result.refs:
        rows = [
            (
                paint(ref.state, _STYLES[ref.state], on=color),
                show_text(short_name(ref.name)),
                moved(ref.old, ref.new) if ref.state != "kept" else "another tag there; ours stays",
            )
            for ref in result.refs
        ]
        lines += [f"From {show_text(result.url)}", *("  " + line for line in columns(rows))]
    if result.objects or result.present:
        lines.append(traffic(result.objects, result.size_bytes, result.present))
    if result.ends_moved:
        lines.append(
            f"History ends at {plural(result.ends, 'commit')} now (shallow)."
            if result.ends
            else "History is whole now."
        )
    elif result.ends and result.deepened:
        lines.append(
            f"History still ends at {plural(result.ends, 'commit')}: {show_text(result.remote)} "
            "has no more of it."
        )
    if result.stale:
        names = ", ".join(show_text(short_name(name)) for name in result.stale)
        lines.append(f"Gone there: {names}. Drop with 'muse fetch --prune'.")
    return lines


def refs_data(refs: Iterable[PushedRef | FetchedRef]) -> list[dict[str, object]]:
    """Return refs for JSON."""
    return [
        {
            "name": ref.name,
            "source": ref.source,
            "old": ref.old,
            "new": ref.new,
            "state": ref.state,
        }
        for ref in refs
    ]


def push_data(result: PushResult) -> dict[str, object]:
    """Return the JSON form of a push."""
    return {
        "remote": result.remote,
        "url": result.url,
        "refs": refs_data(result.refs),
        "up_to_date": result.up_to_date,
        "objects": result.objects,
        "bytes": result.size_bytes,
        "present": result.present,
        "upstream": result.upstream,
        "notes": list(result.notes),
    }


def fetch_data(result: FetchResult) -> dict[str, object]:
    """Return the JSON form of a fetch."""
    return {
        "remote": result.remote,
        "url": result.url,
        "refs": refs_data(result.refs),
        "stale": list(result.stale),
        "head": result.head,
        "up_to_date": result.up_to_date,
        "objects": result.objects,
        "bytes": result.size_bytes,
        "present": result.present,
        "shallow": result.ends > 0,
    }
