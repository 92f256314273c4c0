"""What a run over the bridge tells its caller: refs, and whatever was not carried over."""

from __future__ import annotations

import enum
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from muse.core.paths import show_path, show_text
from muse.core.refs import HEADS, TAGS
from muse.core.types import ObjectId
from muse.ops.git_bridge import convert
from muse.ops.git_bridge.brought import Brought
from muse.ops.git_bridge.source import GitRef, GitSource

_EXAMPLES: Final = 20


class RefState(enum.StrEnum):
    """What happened to one ref."""

    CREATED = "created"
    MOVED = "moved"
    FORCED = "forced"  # it lost commits, as was asked for
    UNCHANGED = "unchanged"
    AHEAD = "ahead"  # it has all the other side has, and more
    DIVERGED = "diverged"  # left as it is
    REFUSED = "refused"  # left as it is; the reason says why


# The ref was written.
MOVES: Final = frozenset({RefState.CREATED, RefState.MOVED, RefState.FORCED})
# The run did not do all that was asked for.
FAILED: Final = frozenset({RefState.DIVERGED, RefState.REFUSED})


@dataclass(frozen=True, slots=True)
class RefOutcome:
    """One ref on the side that was written.

    Attributes:
        name: The full name.
        state: What happened.
        old: Our id before; None when it did not exist, or names what is not here.
        new: Our id of what the other side has.
        reason: Why it was left, and what to do; empty otherwise.
    """

    name: str
    state: RefState
    old: ObjectId | None
    new: ObjectId | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was not carried over as it is, or not at all.

    Attributes:
        kind: What, in a word or two.
        count: How often.
        meaning: What became of it, in a sentence.
        examples: Paths, refs or ids, some of them, safe to show.
    """

    kind: str
    count: int
    meaning: str
    examples: tuple[str, ...] = ()


_TREE_MEANINGS: Final = {
    convert.SUBMODULE: "left out: only the files around it are here",
    convert.UNSAFE_NAME: "left out: such a name could escape the working tree, or is our own",
    convert.DUPLICATE: "left out: the tree names it twice, and the first one was taken",
    convert.UNKNOWN_MODE: "left out: neither file, symlink nor folder",
    convert.ODD_MODE: "carried, with the mode that git writes today",
    convert.ODD_ORDER: "carried, in the order that git writes today",
}
_NAMESPACES: Final = {
    "refs/remotes": "left out: only branches and tags are carried; make a branch of each you need",
    "refs/notes": "left out: notes stay in git",
    "refs/replace": "left out: history is taken as it was before replacements",
    "refs/stash": "left out: 'git stash branch <name>' there makes a branch of it",
}


def remarks_on_trees(brought: Brought, source: GitSource, wants: Sequence[bytes]) -> list[Remark]:
    """Describe what trees could not keep, with the paths at which history has it."""
    found = []
    trees = {tree for entries in brought.problems.values() for tree, _ in entries}
    paths = source.find_paths(trees, wants=wants) if trees else {}
    for kind, entries in brought.problems.items():
        names = {_joined(paths.get(tree, b""), name) for tree, name in entries}
        shown = tuple(show_path(name) for name in sorted(names)[:_EXAMPLES])
        found.append(Remark(kind, len(names), _TREE_MEANINGS[kind], shown))
    return found


def _joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


_SIGNED: Final = (
    "carried, but it signs the SHA-1 form, so nothing here can confirm it; "
    "exporting in SHA-1 format makes it valid again"
)


def remarks_on_objects(brought: Brought) -> list[Remark]:
    """Describe what is here, but not quite as in git."""
    rows = [
        ("signature", brought.signed, _SIGNED),
        (
            "unreadable author line",
            brought.repaired,
            "carried, with an address and a time that can be read",
        ),
        (
            "git-lfs pointer",
            brought.lfs_pointers,
            "carried as it is: the large file itself stays in git-lfs",
        ),
        (
            "cut commit",
            brought.cut,
            "carried without its parents, which the shallow repository lacks",
        ),
        ("unreadable tag", len(brought.unreadable_tags), "left out: it is no tag by its format"),
    ]
    return [Remark(kind, count, meaning) for kind, count, meaning in rows if count]


def remarks_on_repository(source: GitSource, refs: Iterable[GitRef]) -> list[Remark]:
    """Describe what stands beside the history and stays in git."""
    found = []
    others = [ref.name for ref in refs if not ref.name.startswith((HEADS, TAGS))]
    counts = Counter("/".join(name.split("/")[:2]) for name in others)
    for space, count in sorted(counts.items()):
        shown = [show_text(name) for name in others if name.startswith(space)]
        meaning = _NAMESPACES.get(space, "left out: only branches and tags are carried")
        found.append(Remark(space, count, meaning, tuple(shown[:_EXAMPLES])))
    hooks = sorted(_hooks(source))
    if hooks:
        shown = [show_text(name) for name in hooks]
        found.append(Remark("hook", len(hooks), "left out: Muse runs no hooks", tuple(shown)))
    if (source.common_dir / "info" / "grafts").is_file():
        found.append(
            Remark(
                "grafts", 1, "left out: history is taken as it was before them", ("info/grafts",)
            )
        )
    return found


def _hooks(source: GitSource) -> list[str]:
    folder = source.common_dir / "hooks"
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [n for n in names if not n.endswith(".sample") and os.access(folder / n, os.X_OK)]
