"""What a doctor proposes: one thing that is wrong, and what would put it right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """

    problem: str
    action: str = ""
    way_out: str = ""
    publish: Callable[[Transaction], None] | None = None
    tidy: Callable[[], None] | None = None
    first: bool = False
