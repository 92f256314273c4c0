"""Find what dead writers left behind, remove it, and never touch what a living one needs.

A temp whose lock is held belongs to a running process and stays (*in use*). One of ours whose
lock is free is an orphan. A foreign object temp younger than its gate stays (*waiting*), since an
older version may be writing it without a lock. A link has no lock of its own: ours are made under
the write lock, and while that is free, their makers are dead.

A clean sweep must cost next to nothing, so folders are not listed but compared with their mtime
at the last sweep that found them clean. As with git's racy index, a folder that changed within
the last two seconds is never recorded: a name added in the same clock tick would be missed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from muse.core import codec, temps
from muse.core.errors import IoFailedError, LockedError, MuseError, OversizeError
from muse.core.file_lock import lock_file
from muse.core.io import write_bytes_atomic
from muse.core.lock import WriteLock, find_owner
from muse.core.paths import MUSE, muse_dir, show_path, sweep_state_path
from muse.core.plain_files import RECORD_BYTES, read_plain

RACY_NS: Final = 2_000_000_000
_STATE_VERSION: Final = 1
_SHARDS: Final = "objects/sha256"
_PACKS: Final = "objects/pack"
# Writing this module's own state, or the stat cache, moves the mtime of these two: they are small
# and always listed, or each command would rewrite the state because the one before did.
_ALWAYS_LISTED: Final = frozenset({"tmp", "cache"})
_SHARD_NAMES: Final = tuple(f"{n:02x}" for n in range(256))

_MANY: Final = 8
_THREADS: Final = 8

IN_USE: Final = "in use"
WAITING: Final = "waiting"
ORPHAN: Final = "orphan"
REMOVED: Final = "removed"
_LOCKED: Final = "a running process holds the write lock"


class TempFinding(NamedTuple):
    """One temp that a sweep met.

    Attributes:
        family: The family's name.
        path: Below ``.muse/``, as text for people.
        size_bytes: Its size.
        age_s: Seconds since it was last written.
        state: *in use*, *waiting*, *orphan* (could not be removed) or *removed*.
        reason: Why, in words.
        pid: The writer's process id as its name tells, or None.
    """

    family: str
    path: str
    size_bytes: int
    age_s: float
    state: str
    reason: str
    pid: int | None


class SweepReport(NamedTuple):
    """What one sweep did.

    Attributes:
        findings: Every temp met, in the order of folders.
        listed: How many folders had to be listed.
        time_s: Unix time.
    """

    findings: tuple[TempFinding, ...]
    listed: int
    time_s: float

    @property
    def removed(self) -> int:
        """How many temps were removed."""
        return sum(f.state == REMOVED for f in self.findings)


def sweep_folder(
    folder: str, *, label: str, families: tuple[temps.Family, ...], remove: bool = True
) -> list[TempFinding]:
    """Look at one folder's temps and remove the orphans.

    Args:
        folder: The folder; a missing one has no temps.
        label: Its path below ``.muse/``, for the findings.
        families: Which families may lie there.
        remove: Only look when False.

    Returns:
        A finding for each temp, or one for the folder. Errors become findings, never exceptions.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        # What was not seen is not clean: the next sweep looks again.
        why = f"cannot be listed: {os.strerror(error.errno or 0)}"
        return [TempFinding("", show_path(label or "."), 0, 0.0, WAITING, why, None)]
    found = [(name, family) for name in names if (family := temps.family_of(name, families))]

    def examine(item: tuple[str, temps.Family]) -> TempFinding | None:
        name, family = item
        shown = show_path(f"{label}/{name}" if label else name)
        return _examine(os.path.join(folder, name), name, family, shown, remove=remove)

    if len(found) < _MANY:
        return [finding for item in found if (finding := examine(item)) is not None]
    # Freeing a file that is still being written back waits for the disk: many wait together.
    from concurrent.futures import ThreadPoolExecutor  # start-up time: hardly ever needed

    with ThreadPoolExecutor(_THREADS) as pool:
        return [finding for finding in pool.map(examine, found) if finding is not None]


def _examine(
    full: str, name: str, family: temps.Family, shown: str, *, remove: bool
) -> TempFinding | None:
    pid = temps.writer_pid(name, family)
    size, age_s = 0, 0.0

    def found(state: str, reason: str) -> TempFinding:
        return TempFinding(family.name, shown, size, round(age_s, 1), state, reason, pid)

    if temps.is_ours(name, family) and os.path.islink(full):
        state, reason = _examine_link(full, remove=remove)
        return found(state, reason) if state else None
    try:
        # O_NOFOLLOW and O_NONBLOCK: a planted link or pipe must not lead or hold us anywhere.
        fd = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        return found(ORPHAN, f"cannot be opened: {os.strerror(error.errno or 0)}")
    try:
        status = os.fstat(fd)
        size, age_s = status.st_size, max(0.0, time.time() - status.st_mtime)
        if not stat.S_ISREG(status.st_mode):
            return found(ORPHAN, "is not a regular file, left alone")
        if not temps.is_ours(name, family) and age_s < family.gate_s:
            left = family.gate_s - age_s
            return found(WAITING, f"written by another program; {left:.0f} s of its gate left")
        if not lock_file(fd, shared=True):
            return found(IN_USE, "a running process holds its lock")
        if not remove:
            return found(ORPHAN, "its writer is gone")
        # The lock was free: whoever wrote this is dead, or never locks and is past its gate.
        os.unlink(full)
    except FileNotFoundError:
        return None
    except OSError as error:
        return found(ORPHAN, f"cannot be removed: {os.strerror(error.errno or 0)}")
    finally:
        os.close(fd)
    return found(REMOVED, "its writer is gone")


def _examine_link(full: str, *, remove: bool) -> tuple[str, str]:
    """Return state and reason of a link with a temp's name; no state when it is gone."""
    root = next((at.parent for at in Path(full).parents if at.name == MUSE), None)
    if root is None:
        return ORPHAN, "is not a regular file, left alone"
    if not remove:
        busy = find_owner(root) is not None
        return (IN_USE, _LOCKED) if busy else (ORPHAN, "its writer is gone")
    try:
        with WriteLock(root, command="sweep", wait_s=0):
            os.unlink(full)
    except LockedError:
        return IN_USE, _LOCKED
    except FileNotFoundError:
        return "", ""
    except (IoFailedError, OSError) as error:
        return ORPHAN, f"cannot be removed: {os.strerror(error.errno or 0)}"
    return REMOVED, "its writer is gone"


def sweep_mutable_temps(folder: Path, *, remove: bool = True) -> list[TempFinding]:
    """Sweep ``.muse/`` and the folders of mutable files, whatever their mtimes say.

    Args:
        folder: The ``.muse`` folder itself.
        remove: Only look when False.
    """
    findings = []
    for name in temps.SWEEP_DIRS:
        findings += sweep_folder(
            os.path.join(folder, name), label=name, families=temps.FOLDER_FAMILIES, remove=remove
        )
    return findings


def sweep_object_temps(root: Path, *, remove: bool = True) -> list[TempFinding]:
    """Sweep the shards and the pack folder, whatever their mtimes say."""
    base = os.fspath(muse_dir(root))
    findings = []
    for label in (_PACKS, *(f"{_SHARDS}/{name}" for name in _SHARD_NAMES)):
        findings += sweep_folder(
            os.path.join(base, label), label=label, families=temps.SHARD_FAMILIES, remove=remove
        )
    return findings


def sweep_repository(root: Path, *, remove: bool = True) -> SweepReport:
    """Sweep everything that changed since the last clean sweep.

    Never raises for what it meets, and never writes more than a cache.
    """
    base = os.fspath(muse_dir(root))
    known = _read_state(root)
    clean: dict[str, int] = {}
    findings: list[TempFinding] = []
    listed = 0
    horizon_ns = time.time_ns() - RACY_NS
    for label, mtime_ns, families in _folders(base):
        if known.get(label) == mtime_ns:
            clean[label] = mtime_ns
            continue
        listed += 1
        here = sweep_folder(
            os.path.join(base, label), label=label, families=families, remove=remove
        )
        findings += here
        if not here and mtime_ns < horizon_ns and label not in _ALWAYS_LISTED:
            clean[label] = mtime_ns
    if remove and clean != known:
        _write_state(root, clean)
    return SweepReport(tuple(findings), listed, time.time())


def _folders(base: str) -> Iterator[tuple[str, int, tuple[temps.Family, ...]]]:
    """Yield each existing folder with its mtime; about 280 stats and nothing else."""
    for label in (*temps.SWEEP_DIRS, _PACKS):
        with contextlib.suppress(OSError):
            mtime_ns = os.stat(os.path.join(base, label) if label else base).st_mtime_ns
            families = temps.SHARD_FAMILIES if label is _PACKS else temps.FOLDER_FAMILIES
            yield label, mtime_ns, families
    try:
        shards = os.open(os.path.join(base, _SHARDS), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for name in _SHARD_NAMES:
            with contextlib.suppress(OSError):
                mtime_ns = os.stat(name, dir_fd=shards).st_mtime_ns
                yield f"{_SHARDS}/{name}", mtime_ns, temps.SHARD_FAMILIES
    finally:
        os.close(shards)


def _read_state(root: Path) -> dict[str, int]:
    try:
        data = read_plain(sweep_state_path(root), limit=RECORD_BYTES)
        version, folders = codec.unseal(data or b"")
    except (OSError, OversizeError, codec.CodecError, TypeError, ValueError):
        return {}
    return folders if version == _STATE_VERSION and isinstance(folders, dict) else {}


def _write_state(root: Path, clean: dict[str, int]) -> None:
    # A hint: without it the next sweep lists the folders again.
    with contextlib.suppress(MuseError):
        write_bytes_atomic(sweep_state_path(root), codec.seal([_STATE_VERSION, clean]))


def count_by_state(findings: Iterable[TempFinding]) -> dict[str, int]:
    """Count findings by state, every state present."""
    counts = dict.fromkeys((IN_USE, WAITING, ORPHAN, REMOVED), 0)
    for finding in findings:
        counts[finding.state] += 1
    return counts
