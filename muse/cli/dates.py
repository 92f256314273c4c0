"""Dates as people and programs write them."""

from __future__ import annotations

import re
from typing import Final

from muse.core.errors import UsageError

_SECONDS: Final = re.compile(r"@?(-?\d{1,12})(?: ([+-]\d{4}))?\Z")
_AGO: Final = re.compile(
    r"(\d+|an?|one)[ .]?(s|sec|m|min|h|d|w|y|seconds?|minutes?|hours?|days?|weeks?|months?|years?)"
    r"(?:[ .]ago)?\Z"
)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_MONTH_S: Final = 2_629_800


def parse_date(text: str) -> tuple[int, int]:
    """Parse a moment.

    Args:
        text: ``1700000000 +0100``, ``@1700000000``, or ISO 8601, ``2023-11-14T23:13:20+01:00``,
            ``2023-11-14 23:13``, ``2023-11-14``; without a zone the machine's is meant.

    Returns:
        Seconds since 1970 and the zone's minutes east of UTC.

    Raises:
        UsageError: It is none of these.
    """
    clean = text.strip()
    match = _SECONDS.match(clean)
    if match is None:
        return _parse_iso(clean, text)
    time_s = int(match[1])
    if match[2] is None:
        return time_s, local_offset_min(time_s)
    minutes = int(match[2][1:3]) * 60 + int(match[2][3:])
    if int(match[2][3:]) > 59 or minutes > 14 * 60:
        raise _unknown(text)
    return time_s, -minutes if match[2][0] == "-" else minutes


def _parse_iso(clean: str, text: str) -> tuple[int, int]:
    import datetime as dt  # start-up time

    try:
        moment = dt.datetime.fromisoformat(clean)
        # A moment without a zone is the machine's local time.
        moment = moment if moment.tzinfo else moment.astimezone()
        offset = moment.utcoffset() or dt.timedelta()
        return int(moment.timestamp()), int(offset.total_seconds() // 60)
    except (ValueError, OverflowError, OSError) as error:
        raise _unknown(text) from error


def parse_when(text: str, *, now_s: int) -> int:
    """Parse a moment or a time before now, as ``--since`` takes it.

    Args:
        text: As `parse_date`, or ``now``, ``today``, ``yesterday``, ``2 weeks ago``, ``3d``.
        now_s: What time it is.

    Returns:
        Seconds since 1970.

    Raises:
        UsageError: It is none of these.
    """
    word = text.strip().lower()
    if word == "now":
        return now_s
    if word in {"today", "yesterday"}:
        offset_s = local_offset_min(now_s) * 60
        midnight_s = (now_s + offset_s) // 86_400 * 86_400 - offset_s
        return midnight_s - (86_400 if word == "yesterday" else 0)
    match = _AGO.match(word)
    if match is None:
        return parse_date(text)[0]
    count = int(match[1]) if match[1].isdigit() else 1
    unit_s = _MONTH_S if match[2].startswith("mo") else _UNIT_S[match[2][0]]
    return now_s - count * unit_s


def local_offset_min(time_s: int) -> int:
    """Return the machine's zone at a moment, in minutes east of UTC."""
    import time

    try:
        return time.localtime(time_s).tm_gmtoff // 60
    except (OverflowError, OSError, ValueError):
        return 0


def _unknown(text: str) -> UsageError:
    return UsageError(
        f"'{text}' is not a date that Muse understands.",
        hint="Write '2023-11-14 23:13', '2023-11-14T23:13:20+01:00' or '1700000000 +0100'.",
    )
