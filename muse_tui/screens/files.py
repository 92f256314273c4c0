"""What keys do with files: stage, unstage, pick hunks and lines, discard, ignore, edit."""

from __future__ import annotations

import os
from pathlib import Path

from textual import on, work
from textual.app import SuspendNotSupported

from muse_tui.model import CommitRow, DiffKey, FileRow, Part, Source
from muse_tui.screens import boxes
from muse_tui.screens.base import ActionBase
from muse_tui.widgets.lists import CommitFilesList, FileList
from muse_tui.widgets.virtual_list import VirtualList
from muse_tui.words import plural


class FileActions(ActionBase):
    """Actions on the working tree and the stage."""

    def action_stage(self) -> None:
        """Stage the files of the range, or unstage them in the pane of the stage."""
        files = self.focused_files()
        rows = self.picked_files()
        if files is None or not rows:
            return
        paths = [row.path for row in rows]
        files.end_range()
        self.request("stage" if files.part is Part.TREE else "unstage", paths=paths)

    def action_stage_all(self) -> None:
        """Stage everything; or unstage everything, in the pane of the stage."""
        staged = self.focused is self.staged
        rows = self.staged.rows if staged else self.tree_list.rows
        if rows.filtered and len(rows):
            paths = [row.path for row in rows.shown(0, len(rows))]
            self.request("unstage" if staged else "stage", paths=paths)
        elif len(rows):
            self.request("unstage_all" if staged else "stage_all")

    def action_pick(self) -> None:
        """Stage or unstage the hunk under the cursor, or the lines of the range."""
        doc = self.diff.doc
        if doc is None:
            return
        if not doc.can_pick:
            if doc.key.source is not Source.COMMIT and doc.key.path:
                method = "unstage" if doc.key.source is Source.STAGED else "stage"
                self.request(method, paths=[doc.key.path])
            return
        lines = self.diff.picked_lines()
        if not lines:
            self.say("There is no change under the cursor.", hint="] next hunk", level="info")
            return
        self.diff.end_range()
        self.request("pick", key=doc.key, token=doc.token, lines=lines)

    # Discard: a menu, never two presses of one key, never Enter ---------------------------------

    @work(group="boxes", exit_on_error=False)
    async def action_discard(self) -> None:
        """Ask what to discard, and discard it into the trash."""
        choices = self._discard_choices()
        if not choices:
            self.say("There is nothing to discard here.", level="info")
            return
        answer = await self.choose(
            boxes.MenuScreen("Discard", choices, note="It goes to the trash; z brings it back.",
                       danger=True)
        )  # fmt: skip
        if answer == "files":
            files, rows = self.focused_files(), self.picked_files()
            if files is not None and rows:
                files.end_range()
                staged = files.part is Part.STAGED
                self.request("discard", paths=[row.path for row in rows], staged=staged)
        elif answer == "lines" and self.diff.doc is not None:
            doc, lines = self.diff.doc, self.diff.picked_lines()
            self.diff.end_range()
            self.request("discard_lines", key=doc.key, token=doc.token, lines=lines)
        elif answer == "file" and self.diff.doc is not None:
            key = self.diff.doc.key
            self.request("discard", paths=[key.path], staged=key.source is Source.STAGED)
        elif answer == "all":
            self.request("discard_all")

    def _discard_choices(self) -> list[boxes.Choice]:
        choices: list[boxes.Choice] = []
        rows = self.picked_files()
        doc = self.diff.doc
        if rows:
            what = rows[0].shown if len(rows) == 1 else plural(len(rows), "file")
            staged = self.focused is self.staged
            where = "the staged and unstaged changes of" if staged else "the changes of"
            choices.append(boxes.Choice("x", f"{where} {what}", "files", danger=True))
            if len(self.tree_list.rows) > len(rows) and not staged:
                text = f"all unstaged changes ({plural(self.tree_list.rows.total, 'file')})"
                choices.append(boxes.Choice("a", text, "all", danger=True))
        elif self.focused is self.diff and doc is not None and doc.key.source is Source.UNSTAGED:
            if doc.can_pick and self.diff.picked_lines():
                lines = self.diff.anchor_key is not None
                text = "the lines of the range" if lines else "this hunk"
                choices.append(boxes.Choice("l" if lines else "h", text, "lines", danger=True))
            choices.append(boxes.Choice("x", f"all changes of {doc.title}", "file", danger=True))
        return choices

    @work(group="boxes", exit_on_error=False)
    async def action_ignore(self) -> None:
        """Ask for a pattern and add it to ``.museignore``."""
        rows = self.picked_files()
        if not rows:
            return
        row = rows[0]
        folder, _, name = row.shown.rpartition("/")
        _, dot, ending = name.rpartition(".")
        choices = [boxes.Choice("f", f"only {row.shown}", f"/{row.shown}")]
        if dot:
            choices.append(boxes.Choice("e", f"every *.{ending}", f"*.{ending}"))
        if folder:
            choices.append(boxes.Choice("d", f"the folder {folder}/", f"/{folder}/"))
        answer = await self.choose(
            boxes.MenuScreen("Ignore", choices, note="Written to .museignore; tracked files stay.")
        )
        if answer is not None:
            self.request("ignore", pattern=answer)

    def action_edit(self) -> None:
        """Open the file in the user's editor, at the line of the diff."""
        key = self.diff.key if self.focused is self.diff else self.key_under_cursor()
        if key is None or not key.path:
            return
        line = self.diff.line_number() if self.diff.key == key else 1
        self.open_editor(self.root / os.fsdecode(key.path), line=line)

    def open_editor(self, path: Path, *, line: int = 1) -> bool:
        """Give the terminal to the user's editor; tell whether it ran."""
        command = self.muse.editor_command(path, line=line)
        if not command:
            self.say("No editor is set.", hint="export EDITOR=vim, then press e", level="warn")
            return False
        try:
            with self.app.suspend():
                # Nothing may be raised in here: Textual would not take the terminal back.
                code, problem = _run(command)
        except SuspendNotSupported:
            self.say("This terminal cannot be given to an editor.", level="warn")
            return False
        if problem:
            self.say(f"{command[0]} did not start: {problem}.", level="bad")
            return False
        if code:
            self.say(f"{command[0]} ended with code {code}.", level="warn")
        return code == 0

    # Opening ----------------------------------------------------------------------------------

    @on(VirtualList.Opened)
    def _open_row(self, event: VirtualList.Opened) -> None:
        event.stop()
        if isinstance(event.row, CommitRow):
            self.open_commit(event.row)
        elif isinstance(event.pane, CommitFilesList):
            self.ask_diff(self.key_of_file())
            self.show_pane("diff")
        elif isinstance(event.pane, FileList) and isinstance(event.row, FileRow):
            self.show_pane("diff")
        else:
            self.open_other(event.row)

    @work(group="boxes", exit_on_error=False)
    async def open_commit(self, row: CommitRow) -> None:
        """Show the files of a commit in the pane of the history."""
        rows = await self.ask("commit_files", tuple, oid=row.oid)
        if rows is None:
            return
        files = self.query_one(CommitFilesList)
        files.oid = row.oid
        files.replace(rows)
        self.history.display = False
        files.display = True
        files.focus()
        self.showing_files = f"{row.short} {row.subject}"
        self.ask_diff(DiffKey(Source.COMMIT, oid=row.oid))
        self.refresh_titles()

    def close_commit(self) -> bool:
        """Go back from the files of a commit to the history; tell whether they were shown."""
        if not self.showing_files:
            return False
        self.showing_files = ""
        files = self.query_one(CommitFilesList)
        had_focus = files.has_focus or self.diff.has_focus
        files.display = False
        self.history.display = True
        if had_focus:
            self.history.focus()
        self.refresh_titles()
        self.ask_diff(self.key_under_cursor())
        return True


def _run(command: list[str]) -> tuple[int, str]:
    """Run a program in the terminal; return its exit code, and why it did not start."""
    import subprocess  # start-up time

    try:
        return subprocess.run(command, check=False).returncode, ""
    except OSError as error:
        return 1, error.strerror or type(error).__name__
