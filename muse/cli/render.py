"""From results to text: colours, sizes, ages, ids, and the JSON form of a commit.

Everything here returns strings; only `muse.cli.output` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from muse.core.errors import short
from muse.core.paths import show_path, show_text
from muse.core.types import from_raw

if TYPE_CHECKING:  # start-up time: commits are imported by the commands that read them
    from muse.core.commits import Commit, Signature
    from muse.core.types import ObjectId

# By meaning, so that one thing looks the same in every command.
STYLES: Final[Mapping[str, str]] = {
    "added": "32",
    "removed": "31",
    "changed": "33",
    "untracked": "31",
    "hunk": "36",
    "meta": "1",
    "id": "33",
    "head": "1;36",
    "branch": "1;32",
    "remote": "1;31",
    "tag": "1;33",
    "good": "32",
    "warning": "33",
    "error": "1;31",
    "hint": "36",
    "title": "1",
    "dim": "2",
}


def paint(text: str, style: str, *, on: bool) -> str:
    """Return text in the colour of its meaning (a key of `STYLES`) when ``on``."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if on and text else text


def plural(count: int, noun: str, many: str = "") -> str:
    """Return "1 file", "2 files"; ``many`` for nouns that do not just take an s."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def size(size_bytes: int) -> str:
    """Return a size for people: "812 B", "4.1 KB", "3.0 GB"."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value, units = size_bytes / 1000, ["KB", "MB", "GB", "TB"]
    # 999.95 would be shown as 1000.0.
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"


def duration(seconds: float) -> str:
    """Return a span as a clock shows it: "0:07", "1:02:03"."""
    total = max(0, int(seconds))
    hours, minutes = total // 3600, total // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{total % 60:02d}"
    return f"{minutes}:{total % 60:02d}"


def age(seconds: float) -> str:
    """Return how long ago, roughly: "3 seconds", "2 hours", "4 years"."""
    for unit, length in (
        ("year", 31_557_600),
        ("month", 2_629_800),
        ("week", 604_800),
        ("day", 86_400),
        ("hour", 3600),
        ("minute", 60),
    ):
        if seconds >= length:
            return plural(int(seconds // length), unit)
    return plural(max(0, int(seconds)), "second")


def ago(seconds: float) -> str:
    """Return when something was, roughly: "just now", "2 hours ago"."""
    return f"{age(seconds)} ago" if seconds >= 1 else "just now"


def date_text(time_s: int, offset_min: int) -> str:
    """Return a moment in its own zone: "Tue 14 Nov 2023 23:13:20 +0100".

    Times that no calendar holds are given in seconds.
    """
    import datetime as dt  # start-up time

    try:
        zone = dt.timezone(dt.timedelta(minutes=offset_min))
        moment = dt.datetime.fromtimestamp(time_s, tz=zone)
    except (OverflowError, OSError, ValueError):
        return f"{time_s} seconds since 1970"
    # Not strftime: names of days and months would follow the locale.
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return (
        f"{day} {moment.day} {months[moment.month - 1]} {moment.year} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} {zone_text(offset_min)}"
    )


def iso_date(time_s: int, offset_min: int) -> str:
    """Return a moment as ISO 8601, for JSON: "2023-11-14T23:13:20+01:00".

    Times that no calendar holds are given as "@<seconds>".
    """
    import datetime as dt  # start-up time

    try:
        zone = dt.timezone(dt.timedelta(minutes=offset_min))
        return dt.datetime.fromtimestamp(time_s, tz=zone).isoformat()
    except (OverflowError, OSError, ValueError):
        return f"@{time_s}"


def zone_text(offset_min: int) -> str:
    """Return a zone as commits write it: "+0100"."""
    sign = "-" if offset_min < 0 else "+"
    return f"{sign}{abs(offset_min) // 60:02d}{abs(offset_min) % 60:02d}"


def person(signature: Signature) -> str:
    """Return "Name <mail>", control characters visible."""
    return show_text(f"{signature.name} <{signature.email}>")


def commit_data(oid: ObjectId, commit: Commit) -> dict[str, object]:
    """Return the JSON form of a commit, the same in every command."""
    author, committer = commit.author, commit.committer
    return {
        "commit_id": oid,
        "tree_id": from_raw(commit.tree),
        "parents": [from_raw(parent) for parent in commit.parents],
        "author": person(author),
        "author_name": show_text(author.name),
        "author_email": show_text(author.email),
        "authored_at": iso_date(author.time_s, author.offset_min),
        "committer": person(committer),
        "committed_at": iso_date(committer.time_s, committer.offset_min),
        "subject": commit.subject,
        "message": commit.text,
    }


def columns(rows: Sequence[Sequence[str]], *, gap: int = 2) -> list[str]:
    """Return rows of cells, painted or not, as lines whose columns begin at the same place."""
    import re  # start-up time

    seen = [[len(re.sub(r"\x1b\[[0-9;]*m", "", cell)) for cell in row] for row in rows]
    widths = [max(lengths) for lengths in zip_longest(*seen, fillvalue=0)]
    return [
        "".join(
            cell + " " * (widths[i] - length + gap)
            for i, (cell, length) in enumerate(zip(row, lengths, strict=True))
        ).rstrip()
        for row, lengths in zip(rows, seen, strict=True)
    ]


__all__ = [
    "STYLES",
    "age",
    "ago",
    "columns",
    "commit_data",
    "date_text",
    "duration",
    "iso_date",
    "paint",
    "person",
    "plural",
    "short",
    "show_path",
    "show_text",
    "size",
    "zone_text",
]
