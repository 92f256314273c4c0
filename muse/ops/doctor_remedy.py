"""What a doctor proposes: one thing that is wrong, and what would put it right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from muse.core.findings import Finding

if TYPE_CHECKING:
    from muse.core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that is wrong, and what is done about it.

    Attributes:
        problem: What is wrong, in words.
        action: What would be done, or was, as a sentence; empty when nothing can be done here.
        way_out: What a person can do where the doctor can do nothing.
        publish: Does it within a transaction; None when it needs none, or nothing can be done.
        tidy: Does it, or what is left of it, after that, under the write lock.
        first: Whether transactions are refused until `tidy` has run.
        unlocked: Whether the write lock cannot be taken until `tidy` has run.
        blocks: Whether the repository cannot even be opened until `tidy` has run.
        errand: Brings objects from elsewhere, before any transaction; others may share it.
        finding: What `verify` says of it, with what it touches; None when that looks elsewhere.
    """

    problem: str
    action: str = ""
    way_out: str = ""
    publish: Callable[[Transaction], None] | None = None
    tidy: Callable[[], None] | None = None
    first: bool = False
    unlocked: bool = False
    blocks: bool = False
    errand: Callable[[], None] | None = None
    finding: Finding | None = None
