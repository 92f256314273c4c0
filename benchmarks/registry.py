"""The groups of rows. A new one is a module with ``rows(workshop)``, and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, cast

from benchmarks.rows import Row
from benchmarks.workshop import Workshop

Rows = Callable[[Workshop], Iterator[Row]]


class Group(NamedTuple):
    """Some rows that belong together.

    Attributes:
        module: Where their function `rows` is; it is imported when they are to run.
        title: What they are about.
        on_request: Whether they run only when they are named.
    """

    module: str
    title: str
    on_request: bool = False

    def load(self) -> Rows:
        """Import the module."""
        return cast("Rows", importlib.import_module(f"benchmarks.{self.module}").rows)


# In this order: `add` makes the trees that the others use.
GROUPS: Final = {
    "start": Group("rows_start", "start-up"),
    "add": Group("rows_add", "the first add and commit"),
    "commit": Group("rows_commit", "the everyday commit"),
    "status": Group("rows_status", "status"),
    "live": Group("rows_live", "a running process"),
    "sweep": Group("rows_sweep", "the sweep"),
    "durability": Group("rows_durability", "what durability costs"),
    "push": Group("rows_push", "push and clone"),
    "wire": Group("rows_wire", "push and clone over ssh"),
    "store": Group("rows_store", "push and clone, by way of an S3 server", on_request=True),
    "switch": Group("rows_switch", "switch"),
    "growth": Group("rows_growth", "growth from 1 000 files on", on_request=True),
    "history": Group("rows_history", "history, verify and gc"),
    "interface": Group("rows_interface", "muse-tui"),
}
