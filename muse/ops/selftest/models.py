"""Which states a kill or a power cut may leave, under five ideas of what a file system promises.

========  =====================================================================================
kill      everything that was done is there: the machine went on
ext4      names appear in order, and any sync makes all earlier ones durable; bytes come late,
          whole, in part or not at all, unless synced or renamed over an existing file
xfs       the same, without that rescue, and unsynced bytes may be zeros
weak      names appear in any order, or not, unless their folder or the file itself was synced
posix     only a sync of the folder makes a name durable, of both folders if it was renamed from
          one to another; unsynced bytes may be zeros, or torn
========  =====================================================================================

Not every subset is tried (there are too many): none, all, each prefix, each one alone, all but
each one, and a number of random ones, the same at each run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from muse.ops.selftest.recording import Recording
from muse.ops.selftest.tree import (
    CUT,
    NAME,
    RENAME,
    REPORTED,
    SYNC,
    SYNC_ALL,
    UNNAME,
    WRITE,
    Listing,
    Names,
    Op,
    apply_bytes,
    apply_names,
    list_names,
)

KILL: Final = "kill"
EXT4: Final = "ext4"
XFS: Final = "xfs"
WEAK: Final = "weak"
POSIX: Final = "posix"
MODELS: Final = (KILL, EXT4, XFS, WEAK, POSIX)

_NAMES: Final = frozenset({NAME, RENAME, UNNAME})
_BYTES: Final = frozenset({WRITE, CUT})
_SYNCS: Final = frozenset({SYNC, SYNC_ALL})

# What became of a file's bytes that no sync made durable.
_WHOLE: Final = "whole"
_LOST: Final = "lost"
_HALF: Final = "half"
_ZEROS: Final = "zeros"
_HOLE: Final = "hole"
_FATES: Final = {
    KILL: (_WHOLE,),
    EXT4: (_WHOLE, _LOST, _HALF),
    XFS: (_WHOLE, _LOST, _HALF, _ZEROS),
    WEAK: (_WHOLE, _LOST, _HALF),
    POSIX: (_WHOLE, _LOST, _HALF, _ZEROS, _HOLE),
}
_ORDERED: Final = frozenset({KILL, EXT4, XFS})
_RANDOM: Final = 12
_MANY: Final = 40


class State(NamedTuple):
    """One state that may be found.

    Attributes:
        listing: The whole folder.
        reported: How many commands had reported by then.
        point: How many operations were done.
    """

    listing: Listing
    reported: int
    point: int


class _Choice(NamedTuple):
    names: frozenset[int]
    fate: str
    special: int = -1
    special_fate: str = _WHOLE


class Explorer:
    """The states of one recording under one model.

    Args:
        recording: What was done.
        model: One of `MODELS`.
        without: The index of a sync that is taken out, to see whether anybody notices.
    """

    def __init__(self, recording: Recording, model: str, *, without: int = -1) -> None:
        self._recording = recording
        self._model = model
        self._ops = [
            op if index != without else op._replace(kind="")
            for index, op in enumerate(recording.ops)
        ]
        self._durable = [self._durable_from(index) for index in range(len(self._ops))]
        self._bytes: dict[int, list[int]] = {}
        for index, op in enumerate(self._ops):
            if op.kind in _BYTES:
                self._bytes.setdefault(op.node, []).append(index)
        self._contents: dict[tuple[int, int, int, str], bytes] = {}

    def _durable_from(self, index: int) -> int:
        """Return after how many operations an operation can no longer be lost."""
        op, never = self._ops[index], len(self._ops) + 1
        if self._model == KILL:
            return index + 1
        ends = {op.folder}
        if self._model == POSIX and op.kind == RENAME:
            ends.add(op.old_folder)
        for later in range(index + 1, len(self._ops)):
            if self._makes_durable(op, self._ops[later], ends):
                return later + 1
        return never

    def _makes_durable(self, op: Op, later: Op, ends: set[int]) -> bool:
        """Tell whether an operation makes an earlier one durable.

        Args:
            op: The earlier one.
            later: The one to ask about.
            ends: The folders whose syncs are still wanted; those that are done are taken out.
        """
        if later.kind == SYNC_ALL:
            return True
        if op.kind in _BYTES:
            if self._model == EXT4 and later.kind == RENAME and later.offset:
                return later.node == op.node
            return later.kind == SYNC and later.node == op.node
        if later.kind != SYNC:
            return False
        if self._model in _ORDERED:
            return True
        if later.node in ends:
            ends.discard(later.node)
            return not ends
        return self._model == WEAK and later.node == op.node and op.kind != UNNAME

    def states(self, limit: int) -> list[State]:
        """Return distinct states, at most so many, spread evenly if there are more."""
        found: dict[Listing, State] = {}
        reported = 0
        for point in range(len(self._ops) + 1):
            if point and self._ops[point - 1].kind == REPORTED:
                reported += 1
            for choice in self._choices(point):
                listing = self._listing(point, choice)
                known = found.get(listing)
                # One that may also be found after the report must hold what was reported.
                if known is None or known.reported < reported:
                    found[listing] = State(listing, reported, point)
        states = list(found.values())
        if len(states) > limit:
            chosen = sorted(random.Random(len(states)).sample(range(len(states)), limit))  # noqa: S311  # repeatable
            states = [states[index] for index in chosen]
        return states

    # -- what is chosen -------------------------------------------------------------------------

    def _choices(self, point: int) -> Iterator[_Choice]:
        pending = [
            index
            for index in range(point)
            if self._ops[index].kind in _NAMES and self._durable[index] > point
        ]
        fates = _FATES[self._model]
        everything, nothing = frozenset(pending), frozenset[int]()
        for fate in fates:
            yield _Choice(everything, fate)
        if self._model == KILL:
            return
        for fate in fates:
            yield _Choice(nothing, fate)
        # More is only lost until the next sync, so the moment before it has all the variety.
        if point < len(self._ops) and self._ops[point].kind not in _SYNCS | {REPORTED}:
            return
        for names in self._subsets(pending):
            for fate in fates[:3]:
                yield _Choice(names, fate)
        for node, writes in self._bytes.items():
            if any(index < point and self._durable[index] > point for index in writes):
                for fate in fates[1:]:
                    yield _Choice(everything, _WHOLE, node, fate)
                yield _Choice(everything, _LOST, node, _WHOLE)

    def _subsets(self, pending: list[int]) -> Iterator[frozenset[int]]:
        step = max(1, len(pending) // _MANY)
        for count in range(1, len(pending), step):
            yield frozenset(pending[:count])
        if self._model in _ORDERED:
            return
        everything = frozenset(pending)
        for index in pending[::step]:
            yield everything - {index}
            yield frozenset({index})
        chance = random.Random(len(pending))  # noqa: S311  # repeatable
        for _ in range(_RANDOM if len(pending) > 2 else 0):
            yield frozenset(index for index in pending if chance.random() < 0.5)

    # -- what it leaves -------------------------------------------------------------------------

    def _listing(self, point: int, choice: _Choice) -> Listing:
        names: Names = {
            number: dict(inside) for number, inside in self._recording.before.names.items()
        }
        for index in range(point):
            op = self._ops[index]
            if op.kind in _NAMES and (self._durable[index] <= point or index in choice.names):
                apply_names(names, op)
        data = {
            node: self._content(
                node, point, choice.special_fate if node == choice.special else choice.fate
            )
            for node in self._bytes
        }
        return list_names(names, self._recording.nodes, data)

    def _content(self, node: int, point: int, fate: str) -> bytes:
        done = [index for index in self._bytes[node] if index < point]
        safe = sum(self._durable[index] <= point for index in done)
        key = (node, len(done), safe, fate if safe < len(done) else _WHOLE)
        if key not in self._contents:
            self._contents[key] = self._make_content(node, done, safe, key[3])
        return self._contents[key]

    def _make_content(self, node: int, done: list[int], safe: int, fate: str) -> bytes:
        data = self._recording.nodes[node].data
        for index in done[:safe]:
            data = apply_bytes(data, self._ops[index])
        pending = [self._ops[index] for index in done[safe:]]
        if fate == _LOST:
            return data
        gone = sum(len(op.data) for op in pending) // 2
        for op in pending:
            data = apply_bytes(data, op._replace(data=_damage(op.data, fate, gone)))
            gone = max(0, gone - len(op.data))
        return data


def _damage(data: bytes, fate: str, half: int) -> bytes:
    """Return what the disk has of a write, ``half`` bytes of which are in the first half."""
    if fate == _ZEROS:
        return bytes(len(data))
    if fate == _HALF:
        return data[:half]
    if fate == _HOLE:
        return bytes(min(len(data), half)) + data[half:]
    return data


def syncs(recording: Recording) -> list[int]:
    """Return the indices of a recording's syncs, each of which should be needed."""
    return [index for index, op in enumerate(recording.ops) if op.kind in _SYNCS]
