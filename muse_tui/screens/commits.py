"""What keys do with commits and branches."""

from __future__ import annotations

from textual import work

from muse_tui.backend import drafts
from muse_tui.link import EngineError
from muse_tui.model import BranchRow, DiffDoc, DiffKey, Draft
from muse_tui.screens import boxes
from muse_tui.screens.base import ActionBase
from muse_tui.words import plural


class CommitActions(ActionBase):
    """Actions that make commits and move between branches."""

    @work(group="boxes", exit_on_error=False)
    async def action_commit(self) -> None:
        """Open the commit box; with nothing staged, offer to stage everything first."""
        await self._commit(amend=False)

    @work(group="boxes", exit_on_error=False)
    async def action_amend(self) -> None:
        """Open the commit box on the last commit."""
        if not self.head.oid:
            self.say("There is no commit to amend yet.", level="info")
            return
        await self._commit(amend=True)

    async def _commit(self, *, amend: bool) -> None:
        if self.refuse_busy() or self.refuse_readonly():
            return
        await self.settle()
        if not amend and not await self._something_staged():
            return
        messages = await self.ask("messages", tuple) or ()
        draft = drafts.read_draft(self.root)
        if draft.amend != amend:
            draft = Draft(str(messages[0]) if amend and messages else "", amend)
        answer = await self.choose(
            boxes.CommitScreen(
                draft,
                messages=messages,
                root=self.root,
                rows=self.staged.rows.every(),
                ask_diff=self.show_staged,
            )
        )
        if isinstance(answer, boxes.CommitAnswer):
            self.start_job(
                "commit",
                "amend" if amend else "",
                message=answer.text,
                amend=amend,
            )

    @work(group="box-diff", exit_on_error=False)
    async def show_staged(self, box: boxes.CommitScreen, key: DiffKey) -> None:
        """Read the diff of a staged file for the commit box."""
        try:
            doc = await self.engine.call("diff", key=key, context=self.context_lines)
        except EngineError:
            return  # the main diff shows what is wrong
        if isinstance(doc, DiffDoc) and box.is_current:
            box.show_diff(doc)

    async def _something_staged(self) -> bool:
        if self.staged.rows.total:
            return True
        if not self.tree_list.rows.total:
            self.say("There is nothing to commit: no file has changed.", level="info")
            return False
        new = sum(row.mark == "?" for row in self.tree_list.rows.every())
        changed = self.tree_list.rows.total - new
        parts = [plural(n, noun) for n, noun in ((changed, "change"), (new, "new file")) if n]
        names = ", ".join(row.shown for row in self.tree_list.rows.shown(0, 3))
        more = self.tree_list.rows.total - 3
        names += f" and {more} more" if more > 0 else ""
        answer = await self.choose(
            boxes.MenuScreen(
                "Nothing is staged",
                [boxes.Choice("a", f"stage all ({', '.join(parts)}) and commit", "all")],
                note=names,
            )
        )
        if answer != "all":
            return False
        return await self.ask("stage_all", object) is not None

    @work(group="boxes", exit_on_error=False)
    async def action_commit_editor(self) -> None:
        """Write the message in the user's editor."""
        if self.refuse_busy() or self.refuse_readonly():
            return
        await self.settle()
        if not await self._something_staged():
            return
        path = drafts.draft_path(self.root)
        draft = drafts.read_draft(self.root)
        drafts.save_draft(self.root, draft._replace(amend=False), durable=True)
        if not self.open_editor(path):
            return
        text = drafts.read_draft(self.root).text
        if text.strip():
            self.start_job("commit", "", message=text, amend=False)
        else:
            self.say("The message is empty: nothing was committed.", level="info")

    # Branches ---------------------------------------------------------------------------------

    @work(group="boxes", exit_on_error=False)
    async def action_branches(self) -> None:
        """Show the branches, and do what is chosen there."""
        rows = await self.ask("branches", tuple)
        if rows is None:
            return
        answer = await self.choose(boxes.BranchScreen(rows))
        if isinstance(answer, boxes.BranchAnswer):
            await self._do_branch(answer)

    async def _do_branch(self, answer: boxes.BranchAnswer) -> None:
        row: BranchRow | None = answer.row
        if answer.verb == "new":
            await self._new_branch("")
        elif row is None:
            return
        elif answer.verb == "switch":
            if row.current:
                self.say(f"Already on {row.name}.", level="info")
            else:
                self.request("switch", name=row.name, remote=row.remote)
        elif answer.verb == "rename":
            name = await self.choose(boxes.AskScreen(f"Rename {row.name}", value=row.name))
            if name and name != row.name:
                self.request("rename_branch", old=row.name, new=name)
        elif answer.verb == "delete":
            await self._delete_branch(row)

    async def _delete_branch(self, row: BranchRow) -> None:
        merged = await self.ask("is_merged", bool, name=row.name)
        if merged is None:
            return
        if merged:
            choices = [boxes.Choice("x", f"delete {row.name}", "yes", danger=True)]
            note = "All its commits are in another branch. z brings it back."
            if await self.choose(
                boxes.MenuScreen("Delete branch", choices, note=note, danger=True)
            ):
                self.request("delete_branch", name=row.name, force=False)
            return
        note = f"{row.name} has commits that no other branch holds. z brings it back."
        word = await self.choose(boxes.AskScreen(f"Delete {row.name}", note=note, word=row.name))
        if word == row.name:
            self.request("delete_branch", name=row.name, force=True)

    @work(group="boxes", exit_on_error=False)
    async def action_branch_here(self) -> None:
        """Create a branch at the commit under the cursor."""
        commit = self.history.current
        await self._new_branch(commit.oid if commit is not None else "")

    async def _new_branch(self, at: str) -> None:
        begin = f"commit {at.removeprefix('sha256:')[:7]}" if at else self.head.branch or "HEAD"
        name = await self.choose(
            boxes.AskScreen("New branch", note=f"It begins at {begin}, and is checked out.")
        )
        if name:
            self.request("create_branch", name=name, at=at)

    # Shelve -----------------------------------------------------------------------------------

    @work(group="boxes", exit_on_error=False)
    async def action_shelve(self) -> None:
        """Put the changes aside, or take them out again."""
        shelves = await self.ask("shelves", tuple)
        if shelves is None:
            return
        choices = []
        total = self.tree_list.rows.total + self.staged.rows.total
        if total:
            choices.append(
                boxes.Choice("s", f"shelve all changes ({plural(total, 'file')})", "new")
            )
        choices += [
            boxes.Choice(str(number), f"take out: {name}", f"take {key}", note=when)
            for number, (key, name, when) in enumerate(shelves[:9], 1)
        ]
        if not choices:
            self.say("Nothing changed and nothing is shelved.", level="info")
            return
        answer = await self.choose(
            boxes.MenuScreen("Shelve", choices, note="A shelf keeps changes without a commit.")
        )
        if answer == "new":
            self.request("shelve")
        elif answer:
            self.request("unshelve", name=answer.removeprefix("take "))

    def refuse_readonly(self) -> bool:
        """Say that nothing can be written, if so."""
        if self.head.readonly or self.head.damage:
            self.say(
                "This repository is open for reading only.",
                hint=self.head.damage or self.head.readonly,
                level="warn",
            )
            return True
        return False
