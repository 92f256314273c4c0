"""What happened: the only way in which news reaches a pane.

The engine's events become messages here; panes are told, they never ask. Names are past events.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from muse_tui.model import (
    DiffDoc,
    HeadView,
    HealthView,
    HistoryView,
    JobView,
    StatusDelta,
    WatchView,
)


@dataclass
class StatusChanged(Message):
    """Files of the working tree or the stage changed."""

    delta: StatusDelta


@dataclass
class HeadChanged(Message):
    """HEAD, its branch or its upstream moved."""

    head: HeadView


@dataclass
class HistoryChanged(Message):
    """There are other commits to show."""

    history: HistoryView


@dataclass
class DiffRead(Message):
    """The diff that was asked for is here."""

    doc: DiffDoc


@dataclass
class HealthChanged(Message):
    """The health report is new."""

    health: HealthView


@dataclass
class WatchChanged(Message):
    """The lists are live, reconciling or polling."""

    watch: WatchView


@dataclass
class JobChanged(Message):
    """A job began, went on or ended."""

    job: JobView


@dataclass
class EngineLost(Message):
    """The engine's process died; another one was started, or could not be."""

    reason: str
    restarted: bool


@dataclass
class PaneChosen(Message):
    """A tab or a title was clicked: the pane of this name wants the focus."""

    pane: str


@dataclass
class ActionChosen(Message):
    """A hint of the footer was clicked: its action wants to run."""

    action: str
