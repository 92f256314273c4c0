"""What the interface shows, as frozen records: the only thing that panes ever see.

The engine (another process) makes them, they cross a pipe unchanged, and panes are told. A record
carries text that is safe to draw: control characters are visible already, so a file name can never
move the cursor. Rows are `NamedTuple`, because there may be a hundred thousand of them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Part(StrEnum):
    """Which list a file row belongs to."""

    TREE = "tree"
    STAGED = "staged"


class FileRow(NamedTuple):
    """One changed file of the working tree or of the stage.

    Attributes:
        path: The repository path; the row's identity.
        shown: The path as text that is safe to draw.
        mark: ``M`` changed, ``A`` added, ``D`` deleted, ``R`` renamed, ``T`` type changed,
            ``?`` untracked, ``U`` in conflict, ``!`` unreadable.
        added: Lines added, None when not counted.
        removed: Lines removed, None when not counted.
        note: Stands in place of the counts: ``new``, ``binary``, ``link``, or a reason.
        old: Where a renamed file came from, safe to draw.
    """

    path: bytes
    shown: str
    mark: str
    added: int | None = None
    removed: int | None = None
    note: str = ""
    old: str = ""


class StatusDelta(NamedTuple):
    """What changed in the lists of files.

    Attributes:
        reset: The lists begin again from nothing; what follows is all there is.
        tree: Rows of the working tree that are new or different.
        tree_gone: Paths whose row in the working tree has gone.
        staged: Rows of the stage that are new or different.
        staged_gone: Paths whose row in the stage has gone.
        touched: Paths whose content may be different though their row is the same.
        more: Another delta of the same scan follows; the count is not final.
    """

    reset: bool = False
    tree: tuple[FileRow, ...] = ()
    tree_gone: tuple[bytes, ...] = ()
    staged: tuple[FileRow, ...] = ()
    staged_gone: tuple[bytes, ...] = ()
    touched: tuple[bytes, ...] = ()
    more: bool = False


class HeadView(NamedTuple):
    """Where the repository stands.

    Attributes:
        place: The repository's folder, shortened for the header.
        branch: The branch's name, or empty when HEAD is detached.
        short: The commit's short id, or empty without commits.
        oid: The commit's id, or empty without commits.
        upstream: ``origin/main``, or empty when none is set.
        ahead: Commits that the upstream does not have; None when unknown.
        behind: Commits that only the upstream has; None when unknown.
        readonly: Why nothing can be written, or empty.
        damage: What is damaged, in one line, or empty.
    """

    place: str = ""
    branch: str = ""
    short: str = ""
    oid: str = ""
    upstream: str = ""
    ahead: int | None = None
    behind: int | None = None
    readonly: str = ""
    damage: str = ""


class Live(StrEnum):
    """How true the lists are right now."""

    STARTING = "starting"
    SETTING_UP = "setting up"
    LIVE = "live"
    RECONCILING = "reconciling"
    POLLING = "polling"
    STOPPED = "stopped"


class WatchView(NamedTuple):
    """The badge of the header: state, and age of what is shown.

    Attributes:
        live: How true the lists are.
        latency_ms: From the first event of the last batch to the new rows; None before one came.
        as_of_s: When the lists were last known to be true (seconds since 1970).
        reconciles: Full scans that were needed because events alone could not be trusted.
        reason: Why it is not live, for people.
        watched: What is watched, for people.
    """

    live: Live = Live.STARTING
    latency_ms: float | None = None
    as_of_s: float = 0.0
    reconciles: int = 0
    reason: str = ""
    watched: str = ""


class RefTag(NamedTuple):
    """A name that stands at a commit; kind is ``head``, ``branch``, ``remote`` or ``tag``."""

    kind: str
    name: str


class CommitRow(NamedTuple):
    """One line of the history.

    Attributes:
        oid: The commit's id; the row's identity.
        short: Its first digits.
        when_s: Committer time (seconds since 1970).
        author: The author's name, safe to draw.
        subject: The message's first line, safe to draw.
        refs: Branches, tags and remote branches that stand here.
        lanes: The graph's cells of this line, ``o`` being the commit itself.
        mark: ``↑`` the upstream does not have it, ``↓`` only the upstream has it.
        parents: How many parents it has.
        note: What else is to be said of it, quietly.
    """

    oid: str
    short: str
    when_s: int
    author: str
    subject: str
    refs: tuple[RefTag, ...] = ()
    lanes: str = "o"
    mark: str = ""
    parents: int = 1
    note: str = ""


class HistoryView(NamedTuple):
    """The newest part of the history; ``more`` tells that older commits exist."""

    rows: tuple[CommitRow, ...] = ()
    more: bool = False
    label: str = ""
    problem: str = ""


class Source(StrEnum):
    """What a diff compares."""

    UNSTAGED = "unstaged"
    STAGED = "staged"
    COMMIT = "commit"


class DiffKey(NamedTuple):
    """The identity of a diff: a path that is unstaged or staged, or a commit."""

    source: Source
    path: bytes = b""
    oid: str = ""


class Span(NamedTuple):
    """Characters ``start`` to ``end`` of a line, drawn as ``kind``."""

    start: int
    end: int
    kind: str


class DiffLine(NamedTuple):
    """One line of a diff.

    Attributes:
        kind: ``" "`` context, ``+``, ``-``, ``@`` hunk header, ``f`` a heading, ``t`` plain text,
            ``i`` a note.
        old: Line number before, or 0.
        new: Line number after, or 0.
        text: The line without its end, safe to draw.
        hunk: Number of the hunk that it belongs to, or -1.
        at: Its place among the lines of the hunk, or -1.
        syntax: What the words are.
        words: The characters that differ within a changed line.
    """

    kind: str
    old: int
    new: int
    text: str
    hunk: int = -1
    at: int = -1
    syntax: tuple[Span, ...] = ()
    words: tuple[Span, ...] = ()


class DiffDoc(NamedTuple):
    """A diff to show.

    Attributes:
        key: What it is a diff of.
        title: For the pane's title, safe to draw.
        lines: All of it; never cut without a note line that says so.
        hunks: How many hunks it has.
        can_pick: Hunks and lines of it can be staged or unstaged.
        token: Names the exact bytes that it was made from; a pick of lines is refused when
            they have changed since.
    """

    key: DiffKey
    title: str
    lines: tuple[DiffLine, ...] = ()
    hunks: int = 0
    can_pick: bool = False
    token: str = ""


class Fact(NamedTuple):
    """One line of the health pane.

    Attributes:
        key: Its identity.
        level: ``ok``, ``info``, ``warn`` or ``bad``.
        text: The line.
        value: Right-aligned: a size, a time, a count.
        detail: Shown by Enter, and copied by ``y``.
        group: The heading it stands under.
    """

    key: str
    level: str
    text: str
    value: str = ""
    detail: str = ""
    group: str = ""


class HealthView(NamedTuple):
    """Everything the health pane tells.

    Attributes:
        facts: Its lines, worst first within a group.
        level: The worst level of all.
        headline: The whole in one line, for when the pane is folded.
        shutdown: ``clean``, ``crashed`` or ``first``; how the interface ended last time.
        crash_line: One calm line after an unclean death: what died, what was recovered.
        again_s: In how many seconds a temp stops waiting and this is to be read again; 0 for never.
    """

    facts: tuple[Fact, ...] = ()
    level: str = "ok"
    headline: str = ""
    shutdown: str = "first"
    crash_line: str = ""
    again_s: float = 0.0


class JobView(NamedTuple):
    """A job as the strip shows it.

    Attributes:
        id: The name of its folder under ``.muse/jobs``.
        kind: ``commit``, ``push``, ``pull``, ``fetch`` or ``verify``.
        label: What it works on, for people.
        state: ``running``, ``done``, ``failed``, ``cancelled`` or ``died``.
        done: Units done.
        total: Units in all, or None while unknown.
        unit: ``objects``, ``files`` or ``bytes``.
        bytes_done: Bytes moved, or None.
        started_s: When it began (seconds since 1970).
        ended_s: When it ended, or 0.
        message: The result or the error in one sentence.
        hint: What to do next.
        problem: The name of the error, when it failed.
        data: Facts of the result by name.
    """

    id: str
    kind: str
    label: str
    state: str = "running"
    done: int = 0
    total: int | None = None
    unit: str = "objects"
    bytes_done: int | None = None
    started_s: float = 0.0
    ended_s: float = 0.0
    message: str = ""
    hint: str = ""
    problem: str = ""
    data: tuple[tuple[str, str], ...] = ()


class BranchRow(NamedTuple):
    """A branch, as the list of branches shows it."""

    name: str
    short: str
    subject: str
    current: bool = False
    upstream: str = ""
    ahead: int | None = None
    behind: int | None = None
    when_s: int = 0
    remote: bool = False


class Done(NamedTuple):
    """What an action did: one sentence, and what ``z`` would take back."""

    text: str
    undo: str = ""
    warning: bool = False


class Failure(NamedTuple):
    """An expected error, or a bug when ``trace`` is not empty."""

    kind: str
    message: str
    hint: str = ""
    trace: str = ""


class Draft(NamedTuple):
    """A commit message being written; ``amend`` tells what it is for."""

    text: str = ""
    amend: bool = False
    saved_s: float = 0.0


class Opened(NamedTuple):
    """The repository is open.

    Attributes:
        root: Its folder.
        theme: The theme that was chosen last, or empty.
        keys: ``[ui.keys]`` of the configuration.
    """

    root: bytes
    theme: str = ""
    keys: tuple[tuple[str, str], ...] = ()
