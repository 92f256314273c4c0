"""Take back the last thing that was done, or do it again, from the operation log.

An operation is inverted by putting every value back that it changed: refs by compare-and-swap
against what it left, HEAD, the stage, and the working tree where it moved. So nothing that happened
since is overwritten: where a value is not what the operation left, the undo is refused.

`undo` is an operation itself; what it took back stays known, until something else is done.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.ancestry import CommitGraph, is_ancestor
from muse.core.checkout import LocalFiles
from muse.core.errors import MuseError, NothingToUndoError, RefChangedError, UsageError
from muse.core.io import read_bytes
from muse.core.operations import Operation, read_operations
from muse.core.paths import show_text, stage_path
from muse.core.plain_files import STAGE_BYTES
from muse.core.refs import HEADS, REMOTES, Head, short_name
from muse.core.repo import Repository
from muse.core.trash import read_entry
from muse.core.types import ObjectId, Progress, from_raw, is_object_id, raw_object_id, to_raw
from muse.ops.branch_config import BRANCH_SETTINGS, reread_config, turn_settings
from muse.ops.file_moves import FileMove, apply_moves, plan_moves
from muse.ops.move_tree import FILES_MOVED, LOCAL, decode_local, move_working_tree

if TYPE_CHECKING:
    from muse.core.transaction import Transaction

# They change nothing here that could be put back, or what others see.
_NO_STEPS: Final = frozenset(
    {"clone", "config", "fetch", "gc", "hash-object", "init", "receive", "remote", "verify"}
)
_FINAL: Final = frozenset({"push"})
_UNDOES: Final = "undoes"
_REDOES: Final = "redoes"
_TRASH: Final = "trash"


class StepState(enum.Enum):
    """What can be done about an operation.

    Attributes:
        DONE: It can be undone, once those above it are.
        UNDONE: It was undone and can be done again.
        FINAL: It cannot be undone: others may have it.
    """

    DONE = "done"
    UNDONE = "undone"
    FINAL = "final"


class Step(NamedTuple):
    """One operation, as `undo` sees it."""

    operation: Operation
    state: StepState


class UndoResult(NamedTuple):
    """What was put back.

    Attributes:
        operation: The operation that was undone, or done again.
        refs: (full name, before, after) of each ref that moved now.
        head: What is checked out now.
        files: How many files of the working tree were written or removed.
        restored: Files that came back from the trash.
        pushed: Remote branches that have already what was undone; it stays there.
    """

    operation: Operation
    refs: tuple[tuple[str, ObjectId | None, ObjectId | None], ...]
    head: Head
    files: int
    restored: tuple[bytes, ...]
    pushed: tuple[str, ...]


def read_steps(repo: Repository) -> list[Step]:
    """Return what can be undone and done again: the newest first, undone ones on top."""
    done, undone = _stacks(read_operations(repo.root))
    steps = [Step(op, StepState.UNDONE) for op in undone]
    steps += [
        Step(op, StepState.FINAL if op.name in _FINAL else StepState.DONE) for op in reversed(done)
    ]
    return steps


def _stacks(newest_first: Sequence[Operation]) -> tuple[list[Operation], list[Operation]]:
    """Return what is done and what is undone, each with the next one to take at the end."""
    done: list[Operation] = []
    undone: list[Operation] = []
    for op in reversed(newest_first):
        undoes, redoes = op.details.get(_UNDOES), op.details.get(_REDOES)
        if undoes or redoes:
            source, target = (done, undone) if undoes else (undone, done)
            for other in [o for o in source if o.id == (undoes or redoes)]:
                source.remove(other)
                target.append(other)
        elif op.name not in _NO_STEPS:
            done.append(op)
            undone.clear()
    return done, undone


def undo(
    repo: Repository, *, operation: str | None = None, progress: Progress | None = None
) -> UndoResult:
    """Take back the last operation.

    Args:
        repo: The repository.
        operation: The beginning of its id, to say that exactly this one is meant; needed to go
            back past a push.
        progress: Called with (files done, total).

    Raises:
        NothingToUndoError: No operation is left to take back.
        MuseError: It cannot be undone.
        RefChangedError: Something was changed since without being logged; nothing was touched.
        ConflictError: Files are in the way that are stored nowhere; nothing was touched.

    Durability:
        Killed on the way: as for the verb that moves the working tree; undo again finishes it.
    """
    with repo.transaction("undo") as tx:
        done, _ = _stacks(read_operations(repo.root))
        target = _choose(done, operation)
        tx.summary = f"undo: {target.summary or target.name}"
        tx.details[_UNDOES] = target.id
        result = _Inverse(repo, tx, target, back=True).run(progress)
    reread_config(repo)
    return result


def redo(repo: Repository, *, progress: Progress | None = None) -> UndoResult:
    """Do again what the last `undo` took back; see `undo`."""
    with repo.transaction("redo") as tx:
        _, undone = _stacks(read_operations(repo.root))
        if not undone:
            raise NothingToUndoError(
                "There is nothing to do again.",
                hint="'muse redo' does again what 'muse undo' took back, until something is done.",
            )
        target = undone[-1]
        tx.summary = f"redo: {target.summary or target.name}"
        tx.details[_REDOES] = target.id
        result = _Inverse(repo, tx, target, back=False).run(progress)
    reread_config(repo)
    return result


def _choose(done: Sequence[Operation], wanted: str | None) -> Operation:
    steps = [op for op in done if op.name not in _FINAL]
    if not steps:
        raise NothingToUndoError(
            "There is nothing to undo.", hint="'muse reflog' shows where HEAD was."
        )
    last = steps[-1]
    if wanted is not None:
        if not last.id.startswith(wanted) or len(wanted) < 4:
            raise UsageError(
                f"'{show_text(wanted)}' is not the operation to be undone next.",
                hint=f"That is {last.id[:8]}, '{show_text(last.summary)}': see 'muse undo --list'.",
            )
        return last
    if done[-1].name in _FINAL:
        raise MuseError(
            f"The last operation was a push ({show_text(done[-1].summary)}): "
            "what others may have cannot be taken back.",
            hint=f"'muse undo {last.id[:8]}' takes back '{show_text(last.summary)}' here alone.",
        )
    return last


class _Inverse:
    """Puts back (or forward again) what one operation changed."""

    def __init__(self, repo: Repository, tx: Transaction, op: Operation, *, back: bool) -> None:
        self._repo = repo
        self._tx = tx
        self._op = op
        self._back = back
        self._verb = "undo" if back else "redo"

    def _turn(self, before: str | None, after: str | None) -> tuple[str | None, str | None]:
        """Return (what is there now, what it shall be)."""
        return (after, before) if self._back else (before, after)

    def run(self, progress: Progress | None) -> UndoResult:
        repo, tx, op = self._repo, self._tx, self._op
        log = f"{self._verb}: {op.summary or op.name}"
        moves = [(name, *self._turn_ids(old, new)) for name, old, new in op.refs]
        for name, now, wanted in moves:
            tx.set_ref(name, wanted, old=now, log=log)
        self._check_refs(moves)
        head = self._new_head(moves, log)
        stage = self._new_stage()
        restored = self._plan_trash()
        files = 0
        if op.details.get(FILES_MOVED):
            files = move_working_tree(
                repo, tx, head=head, command=self._verb, back=self._local(), progress=progress
            ).files
            # The way back from here is the operation's own way forward.
            tx.details.pop(LOCAL, None)
        if stage is not None:
            path = stage_path(repo.root)
            if stage:
                tx.write_file(path, stage)
            else:
                tx.remove_file(path)
        self._turn_settings()
        pushed = self._find_pushed(moves) if self._back else ()
        # Last, since it cannot be taken back by leaving the block; done twice is done once.
        apply_moves(repo, restored, progress=progress)
        return UndoResult(
            op, tuple(moves), head, files, tuple(move.path for move in restored), pushed
        )

    # -- refs and HEAD ---------------------------------------------------------------------------

    def _turn_ids(
        self, before: ObjectId | None, after: ObjectId | None
    ) -> tuple[ObjectId | None, ObjectId | None]:
        return (after, before) if self._back else (before, after)

    def _check_refs(self, moves: Sequence[tuple[str, ObjectId | None, ObjectId | None]]) -> None:
        """Find out before any file is touched; the transaction looks again."""
        for name, now, _ in moves:
            actual = self._repo.refs.read(name)
            if actual != now:
                raise RefChangedError(name, expected=now or "", actual=actual or "")

    def _new_head(
        self, moves: Sequence[tuple[str, ObjectId | None, ObjectId | None]], log: str
    ) -> Head:
        refs = self._repo.refs
        text = refs.head_text()
        if self._op.head is not None:
            now, wanted = self._turn(*self._op.head)
            if text != now:
                raise RefChangedError("HEAD", expected=_head_id(now), actual=_head_id(text))
            text = wanted or ""
        if not text.startswith("ref: "):
            head = Head(None, None, ObjectId(text.removeprefix("commit: ").strip()))
        else:
            ref = text[5:].strip()
            moved = {name: wanted for name, _, wanted in moves}
            head = Head(short_name(ref), ref, moved[ref] if ref in moved else refs.read(ref))
        if self._op.head is not None:
            self._tx.set_head(ref=head.ref, commit=None if head.ref else head.commit, log=log)
        return head

    # -- the stage -------------------------------------------------------------------------------

    def _new_stage(self) -> bytes | None:
        """Return the stage file's new content, empty for none; None when it stays."""
        if self._op.stage is None:
            return None
        now, wanted = self._turn(*self._op.stage)
        data = read_bytes(stage_path(self._repo.root), doing="read the stage", limit=STAGE_BYTES)
        actual = from_raw(raw_object_id("blob", data)) if data is not None else ""
        if actual != now:
            raise MuseError(
                "The stage was changed since, so this cannot be taken back.",
                hint="'muse status' shows what is staged; commit it, or 'muse reset'.",
            )
        return self._repo.objects.read(to_raw(wanted), expected="blob")[1] if wanted else b""

    # -- what branches follow ----------------------------------------------------------------------

    def _turn_settings(self) -> None:
        text, path = self._op.details.get(BRANCH_SETTINGS), self._repo.config.path
        if text and path is not None:
            self._tx.write_file(path, turn_settings(self._repo, text, back=self._back))

    # -- the working tree --------------------------------------------------------------------------

    def _local(self) -> LocalFiles | None:
        return decode_local(self._op.details.get(LOCAL, "")) if self._back else None

    def _plan_trash(self) -> list[FileMove]:
        entry_id = self._op.details.get(_TRASH)
        if not entry_id:
            return []
        return plan_moves(self._repo, read_entry(self._repo.root, entry_id).items, back=self._back)

    # -- what others have --------------------------------------------------------------------------

    def _find_pushed(
        self, moves: Sequence[tuple[str, ObjectId | None, ObjectId | None]]
    ) -> tuple[str, ...]:
        """Return the remote branches that have the commits that were just taken back."""
        found: list[str] = []
        graph = CommitGraph(self._repo.objects)
        for name, now, wanted in moves:
            if now is None or not name.startswith(HEADS):
                continue
            if wanted is not None and not is_ancestor(graph, to_raw(wanted), to_raw(now)):
                continue
            for remote, oid in self._repo.refs.iter(REMOTES):
                if remote.endswith("/" + short_name(name)) and is_ancestor(
                    graph, to_raw(now), to_raw(oid)
                ):
                    found.append(short_name(remote))
        return tuple(found)


def _head_id(text: str | None) -> str:
    last = (text or "").split()[-1:]
    return last[0] if last and is_object_id(last[0]) else ""
