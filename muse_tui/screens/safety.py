"""What keys do for safety: undo, redo, reconcile, verify, clean, and the details of health."""

from __future__ import annotations

from muse_tui.model import Fact
from muse_tui.screens import boxes
from muse_tui.screens.base import ActionBase
from muse_tui.widgets.lists import HealthList


class SafetyActions(ActionBase):
    """Actions that take back, check and clean."""

    def action_undo(self) -> None:
        """Take back the last thing done."""
        self.request("undo")

    def action_redo(self) -> None:
        """Do again what was taken back last."""
        self.request("redo")

    def action_reconcile(self) -> None:
        """Look at every file again."""
        self.request("reconcile")

    def action_verify_all(self) -> None:
        """Read and check every stored byte, as a job."""
        self.start_job("verify", "every object")

    def action_verify_one(self) -> None:
        """Verify what the selected row names."""
        fact = self.health_list.current
        if fact is not None:
            self.request("verify_one", fact=fact.key)

    def action_clean(self) -> None:
        """Remove the temps whose writer is gone."""
        self.request("clean")

    def open_other(self, row: object) -> None:
        """Show everything that is known about a health fact."""
        if isinstance(row, Fact):
            text = row.text if not row.value else f"{row.text}  ({row.value})"
            detail = row.detail or "Nothing more is known about this."
            self.app.push_screen(boxes.ReaderScreen(row.group or "Health", f"{text}\n\n{detail}"))

    def health_report(self) -> str:
        """Return the whole report as text, for copying."""
        view = self.query_one(HealthList).health
        lines = [view.headline, ""]
        group = ""
        signs = {"ok": "[ok]  ", "info": "[info]", "warn": "[warn]", "bad": "[BAD] "}
        for fact in view.facts:
            if fact.group != group:
                group = fact.group
                lines.append(f"{group}:")
            lines.append(f"  {signs.get(fact.level, '')} {fact.text}  {fact.value}".rstrip())
            lines += [f"         {line}" for line in fact.detail.splitlines()]
        return "\n".join(lines) + "\n"
