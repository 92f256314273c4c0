"""The ledger of sweeps: what each one found, and what it did about it.

One JSON line for each sweep that met at least one temp, in ``.muse/health/sweeps``. It is what
the health report tells people after a crash, so it is durable; it is cut to its newer half when
it grows past a bound.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from muse.core.append import append_line
from muse.core.io import read_bytes, write_bytes_atomic
from muse.core.paths import health_dir
from muse.core.plain_files import RECORD_BYTES
from muse.core.sweep import ORPHAN, REMOVED, SweepReport, TempFinding

MAX_BYTES: Final = 1 << 20


class LedgerEntry(NamedTuple):
    """One sweep that met something.

    Attributes:
        time_s: Unix time.
        command: The command that swept.
        findings: What it met.
    """

    time_s: float
    command: str
    findings: tuple[TempFinding, ...]


def ledger_path(root: Path) -> Path:
    """Return the ledger."""
    return health_dir(root) / "sweeps"


def record_sweep(root: Path, report: SweepReport, *, command: str) -> None:
    """Append a sweep that removed or failed to remove something; others leave no line.

    Raises:
        IoFailedError: The line could not be written.
    """
    if not any(f.state in {REMOVED, ORPHAN} for f in report.findings):
        return
    import json  # start-up time: most sweeps meet nothing

    record = [round(report.time_s, 3), command, [list(f) for f in report.findings]]
    path = ledger_path(root)
    append_line(path, json.dumps(record).encode("ascii"), durable=True)
    if path.stat().st_size > MAX_BYTES:
        lines = (
            read_bytes(path, doing="read the ledger of sweeps", limit=RECORD_BYTES) or b""
        ).split(b"\n")
        write_bytes_atomic(path, b"\n".join(lines[len(lines) // 2 :]), durable=True)


def read_ledger(root: Path) -> list[LedgerEntry]:
    """Return the recorded sweeps, newest first; torn lines are skipped."""
    data = (
        read_bytes(ledger_path(root), doing="read the ledger of sweeps", limit=RECORD_BYTES) or b""
    )
    found = [entry for line in data.split(b"\n") if (entry := _decode(line)) is not None]
    found.reverse()
    return found


def _decode(line: bytes) -> LedgerEntry | None:
    import json  # start-up time

    try:
        time_s, command, findings = json.loads(line)
        return LedgerEntry(
            float(time_s), str(command), tuple(TempFinding(*found) for found in findings)
        )
    except (ValueError, TypeError):
        return None
