"""What the interface changes: one object a request, which notes what to look at afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from muse.core.hunks import apply_hunks, reverse_hunks
from muse.core.paths import show_path, show_text
from muse.core.repo import sweep_and_record
from muse.core.scan import find_key
from muse.core.stage import FileEntry, TreeFiles, change_stage, read_stage
from muse.core.trash import TrashItem, encode_entry, entry_path, new_entry
from muse.core.types import MODE_FILE
from muse_tui.backend.board import Board
from muse_tui.backend.diffs import picked_text, worktree_side
from muse_tui.backend.place import Place
from muse_tui.model import DiffKey, Done, Part, Source
from muse_tui.words import plural

if TYPE_CHECKING:
    from muse.ops.undo import UndoResult

# Up to this many files are named one by one; more are staged by one look at everything.
_FEW = 100


class Changes:
    """One change of the repository.

    Args:
        place: The repository of the state lane.
        board: The lists of files.

    Attributes:
        touched: Paths to look at afterwards.
        everything: Look at everything afterwards.
        history_moved: The history is to be told again.
        health_moved: The health is to be told again.
    """

    def __init__(self, place: Place, board: Board) -> None:
        self._place = place
        self._repo = place.repo
        self._board = board
        self.touched: set[bytes] = set()
        self.everything = False
        self.history_moved = False
        self.health_moved = False

    # Staging ------------------------------------------------------------------------------------

    def stage(self, paths: Iterable[bytes]) -> Done:
        """Stage files as they are in the working tree now."""
        wanted = list(paths)
        self._add(wanted)
        return Done(f"Staged {_name(wanted)}.", "unstages")

    def unstage(self, paths: Iterable[bytes]) -> Done:
        """Take files out of the stage; the working tree is not touched."""
        wanted = list(paths)
        self._reset(wanted)
        return Done(f"Unstaged {_name(wanted)}.", "stages again")

    def stage_all(self) -> Done:
        """Stage everything that changed."""
        paths = self._board.paths(Part.TREE)
        self._add(paths if len(paths) <= _FEW else [b""])
        self.touched.update(paths)
        return Done(f"Staged {_name(paths)}.", "unstages")

    def unstage_all(self) -> Done:
        """Empty the stage."""
        return self.unstage(self._board.paths(Part.STAGED))

    def _add(self, paths: list[bytes]) -> None:
        from muse.ops.add import add  # start-up time

        # A repository inside of this one cannot be staged, and must not stop the others.
        files = [path for path in paths if not path.endswith(b"/")]
        if files:
            add(self._repo, files)
            self.touched.update(files)

    def _reset(self, paths: list[bytes]) -> None:
        from muse.ops.reset import reset  # start-up time

        reset(self._repo, paths)
        self.touched.update(paths)

    def pick(self, key: DiffKey, token: str, lines: Mapping[int, set[int]]) -> Done:
        """Stage some lines of a file, or unstage them.

        Raises:
            ConflictError: The file or the stage changed since the diff was shown.
        """
        from muse.ops.add import write_stage  # start-up time

        old, new, text = picked_text(self._place, key, token)
        selection = _selection(lines)
        if key.source is Source.STAGED:
            data = reverse_hunks(new.data, text, selection)
            gone = not old.mode and data == old.data
            mode, verb, undo = old.mode or new.mode, "Unstaged", "stages again"
        else:
            data = apply_hunks(old.data, text, selection)
            gone = not new.mode and data == new.data
            mode, verb, undo = new.mode or old.mode, "Staged", "unstages"
        with self._repo.transaction(verb.lower()[:-1], summary=show_path(key.path)) as tx:
            entry: FileEntry | None = None
            if not gone:
                entry = (mode or MODE_FILE, tx.write_object("blob", data))
            head = TreeFiles(self._repo.objects, self._repo.head_tree())
            before = read_stage(self._place.root)
            after = change_stage(before, {key.path: entry}, head=head)
            write_stage(self._repo, tx, before=before, after=after)
        self.touched.add(key.path)
        counted = sum(len(chosen) for chosen in lines.values())
        return Done(f"{verb} {plural(counted, 'line')} of {show_path(key.path)}.", undo)

    # Discarding: into the trash first -----------------------------------------------------------

    def discard(self, paths: Iterable[bytes], *, staged: bool) -> Done:
        """Give up the changes of some files; what they held goes to the trash."""
        from muse.ops.restore import discard  # start-up time

        wanted = list(paths)
        discard(self._repo, wanted, staged=staged)
        self.touched.update(wanted)
        return Done(f"Discarded {_name(wanted)}; the trash has it.", "brings it back")

    def discard_lines(self, key: DiffKey, token: str, lines: Mapping[int, set[int]]) -> Done:
        """Give up some lines of a file in the working tree; the whole file goes to the trash.

        Durability:
            The file as it was is stored, and named by the trash, before it is touched.

        Raises:
            ConflictError: The file changed since the diff was shown.
        """
        old, new, text = picked_text(self._place, key, token)
        data = reverse_hunks(new.data, text, _selection(lines))
        mode = new.mode or old.mode
        kept = (mode, data) if data or old.mode else None
        self._rewrite(
            "restore", f"lines of {show_path(key.path)}", key.path, kept, new=not old.mode
        )
        counted = sum(len(chosen) for chosen in lines.values())
        shown = show_path(key.path)
        return Done(f"Discarded {plural(counted, 'line')} of {shown}.", "brings them back")

    def _rewrite(
        self,
        verb: str,
        summary: str,
        path: bytes,
        kept: tuple[int, bytes] | None,
        *,
        new: bool = False,
    ) -> None:
        """Replace a file of the working tree so that undo can bring the old one back.

        Args:
            verb: The operation's name.
            summary: One line for the operation log.
            path: The file.
            kept: Mode and bytes to put there; None removes it.
            new: Neither HEAD nor the stage has the file.
        """
        from muse.ops.file_moves import FileMove, apply_moves  # start-up time

        before = worktree_side(self._place, path)
        over = find_key(os.fsencode(self._place.root), path)
        with self._repo.transaction(verb, summary=f"{verb}: {summary}") as tx:
            was = (before.mode, tx.write_object("blob", before.data)) if before.mode else None
            now = (kept[0], tx.write_object("blob", kept[1])) if kept else None
            entry = new_entry(verb, [TrashItem(path, was, now, new)])
            tx.write_file(entry_path(self._place.root, entry.id), encode_entry(entry))
            tx.details["trash"] = entry.id
        # The old content is stored and named now.
        apply_moves(self._repo, [FileMove(path, now, over)])
        self.touched.add(path)

    def discard_all(self) -> Done:
        """Give up every change that is not staged."""
        return self.discard(self._board.paths(Part.TREE), staged=False)

    # Around the files -----------------------------------------------------------------------------

    def ignore(self, pattern: str) -> Done:
        """Add a pattern to ``.museignore``."""
        before = worktree_side(self._place, b".museignore")
        line = os.fsencode(pattern)
        if line in before.data.splitlines():
            return Done(f"{show_text(pattern)} is ignored already.")
        data = before.data
        if data and not data.endswith(b"\n"):
            data += b"\n"
        kept = (before.mode or MODE_FILE, data + line + b"\n")
        self._rewrite("ignore", show_text(pattern), b".museignore", kept)
        self.everything = True
        return Done(f"Ignoring {show_text(pattern)}.", "shows it again")

    def add_remote(self, name: str, url: str) -> Done:
        """Add a remote."""
        from muse.ops.remote import add_remote  # start-up time
        from muse.ops.remote_config import address_from

        address = address_from(url, cwd=self._place.root, root=self._place.root)
        add_remote(self._repo, name, address)
        return Done(f"Added the remote {name}.")

    def clean(self) -> Done:
        """Remove the temps whose writer is gone, and say what was found."""
        report = sweep_and_record(self._place.root, command="muse-tui, on request")
        self._repo.sweep_report = report
        self.health_moved = True
        left = sum(finding.state != "removed" for finding in report.findings)
        stay = f" {plural(left, 'temp')} stay: enter tells why." if left else ""
        if not report.removed:
            return Done(f"There was nothing to remove.{stay}")
        return Done(f"Removed {plural(report.removed, 'temp')}.{stay}")

    # Branches -------------------------------------------------------------------------------------

    def switch(self, name: str, *, remote: bool = False) -> Done:
        """Check out a branch; of a remote's branch, one here that follows it."""
        from muse.ops.switch import switch  # start-up time

        local = name.partition("/")[2] if remote else name
        result = switch(self._repo, local)
        self.everything = self.history_moved = True
        made = ", which was created" if result.created else ""
        return Done(f"On {show_text(local)} now{made}.", "goes back")

    def create_branch(self, name: str, at: str) -> Done:
        """Create a branch and check it out."""
        from muse.ops.switch import switch  # start-up time

        switch(self._repo, name, create=True, start=at or None)
        self.everything = self.history_moved = True
        return Done(f"Created {show_text(name)}, and on it now.", "goes back")

    def rename_branch(self, old: str, new: str) -> Done:
        """Rename a branch."""
        from muse.ops.branch import rename_branch  # start-up time

        rename_branch(self._repo, old, new)
        self.history_moved = True
        return Done(f"{show_text(old)} is {show_text(new)} now.", "renames it back")

    def delete_branch(self, name: str, *, force: bool) -> Done:
        """Delete a branch."""
        from muse.ops.branch import delete_branches  # start-up time

        delete_branches(self._repo, [name], force=force)
        self.history_moved = True
        return Done(f"Deleted {show_text(name)}.", "brings it back")

    # Taking back ----------------------------------------------------------------------------------

    def undo(self) -> Done:
        """Take back the last thing done."""
        from muse.ops.undo import undo  # start-up time

        return self._taken(undo(self._repo), "Took back", "Z does it again")

    def redo(self) -> Done:
        """Do again what was taken back last."""
        from muse.ops.undo import redo  # start-up time

        return self._taken(redo(self._repo), "Did again", "")

    def _taken(self, result: UndoResult, verb: str, then: str) -> Done:
        self.everything = bool(result.files or result.restored)
        self.history_moved = bool(result.refs)
        name = _in_words(result.operation.summary or result.operation.name)
        there = f" It stays at {', '.join(result.pushed)}." if result.pushed else ""
        return Done(f"{verb}: {show_text(name)}.{there}", then)

    # Shelves --------------------------------------------------------------------------------------

    def shelve(self) -> Done:
        """Put all changes aside."""
        from muse_tui.backend.shelves import shelve  # start-up time

        name = shelve(self._place)
        self.everything = True
        return Done(f"Shelved {name}.", "takes it out again")

    def unshelve(self, name: str) -> Done:
        """Take a shelf out again."""
        from muse_tui.backend.shelves import unshelve  # start-up time

        shown = unshelve(self._place, name)
        self.everything = True
        return Done(f"Took out {shown}.", "shelves it again")


def _selection(lines: Mapping[int, set[int]]) -> list[tuple[int, int]]:
    return [(hunk, line) for hunk, chosen in lines.items() for line in chosen]


# What the operation log calls it, and what the interface's own keys do.
_VERBS = {"restore": "discard", "add": "stage", "reset": "unstage"}


def _in_words(summary: str) -> str:
    """Return an operation as people here know it: ``restore: a`` is ``discard a``."""
    verb, colon, what = summary.partition(": ")
    return f"{_VERBS.get(verb, verb)} {what}" if colon else _VERBS.get(verb, verb)


def _name(paths: list[bytes]) -> str:
    return show_path(paths[0]) if len(paths) == 1 else plural(len(paths), "file")
