"""Every key in one table: bindings, footer, help, palette and README come from it.

Each key has an id that never changes, so that ``[ui.keys]`` in ``config.toml`` can give it other
keys::

    [ui.keys]
    stage = "s"
    push = "P,ctrl+u"

Two ids that would answer to one key in one place are a clash: it is reported when the interface
starts, and the key keeps its first meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """One thing that a key does.

    Attributes:
        id: Its name in ``config.toml``.
        keys: The keys, comma separated, as Textual names them.
        action: The action that runs.
        text: What it does, as the footer says it.
        group: The heading in the help.
        context: Where it works: ``global`` or the name of a pane.
        rank: Order in the footer, 0 for "not in the footer".
        help: A whole sentence for the help; the text when empty.
    """

    id: str
    keys: str
    action: str
    text: str
    group: str
    context: str = "global"
    rank: int = 0
    help: str = ""


FILES: Final = "Files"
COMMITS: Final = "Commits"
REMOTES: Final = "Remotes"
MOVE: Final = "Moving"
VIEW: Final = "View"
SAFETY: Final = "Safety"
APP: Final = "Interface"

# In the order of the help: what changes something first, moving about last.
GROUPS: Final = (FILES, COMMITS, REMOTES, SAFETY, VIEW, APP, MOVE)

_PANES = ("tree", "staged", "history", "files", "health", "diff")


def _on(contexts: str, key: Key) -> list[Key]:
    """Return the same key for several panes; the id is shared."""
    return [key._replace(context=context) for context in contexts.split()]


TABLE: Final[tuple[Key, ...]] = (
    *_on("tree", Key("stage", "space", "screen.stage", "stage", FILES, rank=1,
                     help="stage the file under the cursor, or the range")),
    *_on("staged", Key("stage", "space", "screen.stage", "unstage", FILES, rank=1,
                       help="unstage the file under the cursor, or the range")),
    *_on("tree staged", Key("stage-all", "a", "screen.stage_all", "all", FILES, rank=2,
                            help="stage everything, or unstage everything")),
    *_on("tree staged", Key("open", "enter", "open", "hunks", FILES, rank=3,
                            help="go into the file's diff: hunks and lines")),
    *_on("tree staged", Key("discard", "d", "screen.discard", "discard", SAFETY, rank=7,
                            help="discard changes; they go to the trash, z brings them back")),
    *_on("tree staged", Key("edit", "e", "screen.edit", "edit", FILES,
                            help="open the file in $EDITOR, at the line of the diff")),
    *_on("tree", Key("ignore", "i", "screen.ignore", "ignore", FILES,
                     help="add the file to .museignore")),
    *_on("tree staged history", Key("range", "v", "range", "range", MOVE,
                                    help="begin or end a range of rows")),
    *_on("history", Key("open", "enter", "open", "files", COMMITS, rank=1,
                        help="go into the commit's files and their diffs")),
    *_on("files", Key("open", "enter", "open", "diff", COMMITS, rank=1,
                      help="go into the diff of the file")),
    *_on("history", Key("branch-here", "B", "screen.branch_here", "branch here", COMMITS, rank=3,
                        help="create a branch at this commit")),
    *_on("diff", Key("stage", "space", "screen.pick", "stage hunk", FILES, rank=1,
                     help="stage or unstage the hunk, or the lines of the range")),
    *_on("diff", Key("range", "v", "range", "lines", FILES, rank=2,
                     help="begin or end a range of lines")),
    *_on("diff", Key("next-hunk", "right_square_bracket", "hunk(1)", "next hunk", MOVE, rank=4)),
    *_on("diff", Key("previous-hunk", "left_square_bracket", "hunk(-1)", "previous hunk", MOVE)),
    *_on("diff", Key("discard", "d", "screen.discard", "discard", SAFETY, rank=3,
                     help="discard the hunk, the range of lines or the file")),
    *_on("diff", Key("edit", "e", "screen.edit", "edit", FILES,
                     help="open the file in $EDITOR at this line")),
    *_on("diff", Key("scroll-right", "shift+right,L", "sideways(8)", "scroll right", MOVE)),
    *_on("diff", Key("scroll-left", "shift+left,H", "sideways(-8)", "scroll left", MOVE)),
    *_on("diff", Key("split", "vertical_line,w", "split", "split", VIEW, rank=5,
                     help="side by side, or one below the other")),
    *_on("health", Key("verify-one", "v", "screen.verify_one", "verify", SAFETY, rank=1,
                       help="verify what the selected row names")),
    *_on("health", Key("verify-all", "V", "screen.verify_all", "verify all", SAFETY, rank=2,
                       help="read and check every stored byte, as a job")),
    *_on("health", Key("clean", "x", "screen.clean", "clean orphans", SAFETY, rank=3,
                       help="remove the temps whose writer is gone")),
    *_on("health", Key("open", "enter", "open", "details", SAFETY, rank=4,
                       help="everything known about this row")),
    Key("commit", "c", "screen.commit", "commit", COMMITS, rank=4,
        help="write a message and commit what is staged"),
    Key("commit-editor", "C", "screen.commit_editor", "commit in $EDITOR", COMMITS),
    Key("amend", "A", "screen.amend", "amend", COMMITS,
        help="put what is staged into the last commit, and reword it"),
    Key("push", "P", "screen.push", "push", REMOTES, rank=5),
    Key("pull", "p", "screen.pull", "pull", REMOTES),
    Key("fetch", "f", "screen.fetch", "fetch", REMOTES),
    Key("cancel-job", "X", "screen.cancel_job", "cancel job", REMOTES,
        help="cancel the running job; what it sent already is not sent twice"),
    Key("undo", "z", "screen.undo", "undo", SAFETY, rank=8,
        help="take back the last thing done, whatever it was"),
    Key("redo", "Z", "screen.redo", "redo", SAFETY),
    Key("branches", "b", "screen.branches", "branches", COMMITS, rank=9,
        help="create, switch, rename and delete branches"),
    Key("shelve", "s", "screen.shelve", "shelve", FILES,
        help="put all changes aside, or take them out again"),
    Key("copy", "y", "screen.copy", "copy", APP, help="copy path, id, or the health report"),
    Key("filter", "slash", "screen.filter", "filter", VIEW, rank=10,
        help="show only the rows with these words; in the diff, find them"),
    Key("next-hit", "n", "screen.hit(1)", "next hit", VIEW),
    Key("previous-hit", "N", "screen.hit(-1)", "previous hit", VIEW),
    Key("escape", "escape", "screen.back", "back", MOVE,
        help="end the range, clear the filter, go back a step"),
    Key("context-more", "right_curly_bracket", "screen.context(1)", "more context", VIEW),
    Key("context-less", "left_curly_bracket", "screen.context(-1)", "less context", VIEW),
    Key("enlarge", "plus,equals_sign", "screen.enlarge(1)", "enlarge", VIEW,
        help="enlarge the pane; again for the whole screen"),
    Key("shrink", "underscore,minus", "screen.enlarge(-1)", "shrink", VIEW),
    Key("diff-down", "J,ctrl+d", "screen.scroll_diff(3)", "scroll diff", MOVE),
    Key("diff-up", "K,ctrl+u", "screen.scroll_diff(-3)", "scroll diff up", MOVE),
    Key("pane-tree", "1", "screen.pane('tree')", "working tree", MOVE),
    Key("pane-staged", "2", "screen.pane('staged')", "staged", MOVE),
    Key("pane-history", "3", "screen.pane('history')", "history", MOVE),
    Key("pane-health", "4", "screen.pane('health')", "health", MOVE),
    Key("pane-diff", "0", "screen.pane('diff')", "diff", MOVE),
    Key("next-pane", "tab,l,right", "screen.cycle(1)", "next pane", MOVE),
    Key("previous-pane", "shift+tab,h,left", "screen.cycle(-1)", "previous pane", MOVE),
    *_on("list", Key("down", "j,down", "move(1)", "down", MOVE)),
    *_on("list", Key("up", "k,up", "move(-1)", "up", MOVE)),
    *_on("list", Key("page-down", "pagedown", "page(1)", "page down", MOVE)),
    *_on("list", Key("page-up", "pageup", "page(-1)", "page up", MOVE)),
    *_on("list", Key("first", "less_than_sign,home", "first", "first", MOVE)),
    *_on("list", Key("last", "greater_than_sign,end", "last", "last", MOVE)),
    *_on("list", Key("extend-down", "shift+down", "extend(1)", "extend range", MOVE)),
    *_on("list", Key("extend-up", "shift+up", "extend(-1)", "extend range up", MOVE)),
    Key("reconcile", "R", "screen.reconcile", "reconcile", SAFETY,
        help="look at every file again, now"),
    Key("log", "at", "screen.command_log", "log", APP, help="what was done in this session"),
    Key("palette", "colon,ctrl+p", "screen.palette", "palette", APP,
        help="find a command by its name"),
    Key("theme", "T", "screen.theme", "theme", VIEW, help="dark, light or the terminal's colours"),
    Key("screenshot", "f8", "screen.picture", "picture", APP, help="save the screen as an SVG"),
    Key("help", "question_mark", "screen.help", "help", APP, rank=11,
        help="every key; type to filter, Enter runs it"),
    Key("quit", "q,ctrl+q", "screen.quit", "quit", APP, help="leave; jobs go on"),
)  # fmt: skip

_NAMES: Final = {
    "space": "space", "enter": "enter", "escape": "esc", "slash": "/", "question_mark": "?",
    "colon": ":", "at": "@", "plus": "+", "minus": "-", "underscore": "_", "equals_sign": "=",
    "right_curly_bracket": "}", "left_curly_bracket": "{", "right_square_bracket": "]",
    "left_square_bracket": "[", "vertical_line": "|", "less_than_sign": "<",
    "greater_than_sign": ">", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "pageup": "PgUp", "pagedown": "PgDn", "home": "Home", "end": "End", "tab": "tab", "f8": "F8",
}  # fmt: skip


class Problem(NamedTuple):
    """Something in ``[ui.keys]`` that cannot be done, in one sentence."""

    id: str
    text: str


def show_keys(keys: str, *, only_first: bool = False) -> str:
    """Return keys as people write them: ``c``, ``ctrl+s``, ``j ↓``."""
    names = []
    for key in keys.split(","):
        *modifiers, last = key.strip().split("+") if key.strip() != "plus" else [key.strip()]
        names.append("+".join([*modifiers, _NAMES.get(last, last)]))
    return names[0] if only_first else " ".join(names)


def bindings(context: str) -> list[Binding]:
    """Return the bindings of a context, for a widget's ``BINDINGS``."""
    return [
        Binding(key.keys, key.action, key.text, id=key.id, show=False)
        for key in TABLE
        if key.context == context
    ]


def for_context(context: str, overrides: Mapping[str, str] | None = None) -> list[Key]:
    """Return the keys that work in a pane, its own first, with the user's keys in place."""
    changed = overrides or {}
    own = [key for key in TABLE if key.context == context]
    rest = [key for key in TABLE if key.context == "global" or (key.context == "list" and context)]
    return [key._replace(keys=changed.get(key.id, key.keys)) for key in (*own, *rest)]


def check(overrides: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """Return the overrides that can be used, and what is wrong with the others.

    Args:
        overrides: Id to keys, as ``[ui.keys]`` has it.

    Returns:
        The usable part, and one problem for each unknown id and each clash. Of two ids that
        would answer to one key the one that the user did *not* move keeps it.
    """
    known = {key.id for key in TABLE}
    problems = [
        Problem(name, f"[ui.keys] names '{name}', which no key has")
        for name in overrides
        if name not in known
    ]
    usable: dict[str, str] = {}
    for name, keys in overrides.items():
        if name not in known:
            continue
        clash = _clash(name, keys, {**usable})
        if clash:
            problems.append(clash)
        else:
            usable[name] = keys
    return usable, problems


def _clash(name: str, keys: str, usable: Mapping[str, str]) -> Problem | None:
    wanted = {key.strip() for key in keys.split(",")}
    contexts = {key.context for key in TABLE if key.id == name}
    for key in TABLE:
        if key.id == name or not _meet(contexts, key.context):
            continue
        taken = wanted & {k.strip() for k in usable.get(key.id, key.keys).split(",")}
        if taken:
            shown = show_keys(sorted(taken)[0])
            return Problem(name, f"'{shown}' for '{name}' is taken by '{key.id}' ({key.text})")
    return None


def _meet(contexts: Iterable[str], other: str) -> bool:
    """Tell whether two contexts can be active at the same time."""
    for context in contexts:
        if context == other or "global" in {context, other}:
            return True
        if "list" in {context, other} and {context, other} & set(_PANES):
            return True
    return False


def as_markdown() -> str:
    """Return the table of keys for the README."""
    rows = ["| key | what it does | where |", "| --- | --- | --- |"]
    seen: dict[tuple[str, str], list[str]] = {}
    for key in TABLE:
        seen.setdefault((key.keys, key.help or key.text), []).append(key.context)
    for (keys, text), contexts in seen.items():
        shown = " ".join(f"`{name}`" for name in show_keys(keys).split(" "))
        shown = shown.replace("`|`", "`\\|`")
        where = "everywhere" if contexts[0] in {"global", "list"} else ", ".join(contexts)
        rows.append(f"| {shown} | {text} | {where} |")
    return "\n".join(rows) + "\n"
