"""Which files differ between two trees, two lists of files, or a tree and a list.

Trees are compared from the root down, and equal ids end the descent: the cost follows the number
of changes, not of files. Changes come by path, in git's order; an added and a removed file that are
alike become one renamed file (see `muse.core.renames`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from muse.core.renames import DEFAULT_LIMIT, DEFAULT_PERCENT, Candidate, Contents, match_renames
from muse.core.trees import TreeEntry, read_tree
from muse.core.types import MODE_LINK, MODE_TREE, RawId

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

# Added, modified (content or executable bit), deleted, renamed, type changed (file and symlink).
Kind = Literal["A", "M", "D", "R", "T"]
FlatEntry = tuple[int, RawId]
_MAGIC: Final = frozenset(b"*?[")


class Change(NamedTuple):
    """One file that differs.

    Attributes:
        kind: See `Kind`.
        path: Where it is on the new side; for a deleted file, where it was.
        old_path: Where it was on the old side; equals ``path`` unless renamed.
        old_mode: 0 when it was not there.
        new_mode: 0 when it is there no more.
        old: The id of the old content; None when it was not there.
        new: The id of the new content; None when it is there no more, or when it is a file of the
            working tree that has not been hashed.
        similarity: Percent of content kept; 100 unless renamed with edits.
    """

    kind: Kind
    path: bytes
    old_path: bytes
    old_mode: int
    new_mode: int
    old: RawId | None
    new: RawId | None
    similarity: int = 100


class RenameOptions(NamedTuple):
    """How renames are looked for.

    Attributes:
        percent: Least similarity; 100 compares ids only and reads no content.
        limit: Similarity is not looked for beyond this number squared of pairs; 0 is no limit.
    """

    percent: int = DEFAULT_PERCENT
    limit: int = DEFAULT_LIMIT


RENAMES = RenameOptions()


class StoreContents:
    """Content by id, from the object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def size(self, path: bytes, raw: RawId | None) -> int:  # noqa: ARG002  # the protocol's
        """Return the size that the object's header states."""
        assert raw is not None
        return self._store.stat(raw)[1]

    def read(self, path: bytes, raw: RawId | None) -> bytes:  # noqa: ARG002  # the protocol's
        """Return the verified content."""
        assert raw is not None
        return self._store.read(raw, expected="blob")[1]


def diff_trees(
    store: ObjectStore,
    old: RawId | None,
    new: RawId | None,
    *,
    paths: Sequence[bytes] | None = None,
    renames: RenameOptions | None = RENAMES,
) -> list[Change]:
    """Compare two trees.

    Args:
        store: Where the trees are.
        old: The root tree before; None for nothing.
        new: The root tree after; None for nothing.
        paths: Only these files, and what is below these folders; ``b""`` and None are everything.
            Renames are found between them only, as in git.
        renames: How renames are looked for; None leaves them as removed and added.

    Returns:
        The changes, by path.

    Raises:
        ObjectNotFoundError: A tree is missing.
        CorruptObjectError: A tree is damaged.
    """
    changes = list(walk_trees(store, old, new, paths=paths))
    changes.sort(key=_by_path)
    if renames is None:
        return changes
    contents = StoreContents(store)
    return detect_renames(changes, old=contents, new=contents, options=renames)


def diff_maps(
    old: Mapping[bytes, FlatEntry], new: Mapping[bytes, FlatEntry | None]
) -> list[Change]:
    """Compare two flat sides, path → (mode, id); renames are a step of their own.

    Args:
        old: The side before.
        new: The side after; a path that is missing or None is not there.

    Returns:
        The changes, by path.
    """
    changes: list[Change] = []
    for path in sorted(old.keys() | new.keys()):
        change = make_change(path, old.get(path), new.get(path))
        if change is not None:
            changes.append(change)
    return changes


def make_change(path: bytes, old: FlatEntry | None, new: FlatEntry | None) -> Change | None:
    """Return how one path differs, or None when it does not."""
    if old == new:
        return None
    if old is None:
        assert new is not None
        return Change("A", path, path, 0, new[0], None, new[1])
    if new is None:
        return Change("D", path, path, old[0], 0, old[1], None)
    kind: Kind = "T" if (old[0] == MODE_LINK) != (new[0] == MODE_LINK) else "M"
    return Change(kind, path, path, old[0], new[0], old[1], new[1])


def detect_renames(
    changes: Iterable[Change],
    *,
    old: Contents,
    new: Contents,
    options: RenameOptions = RENAMES,
) -> list[Change]:
    """Turn pairs of removed and added files that are alike into renames.

    Args:
        changes: Of any origin (trees, stage, working tree).
        old: Content of the removed files.
        new: Content of the added files.
        options: Threshold and limit.

    Returns:
        All changes, by path; a renamed file stands at its new path.
    """
    ordered = sorted(changes, key=_by_path)
    removed = [Candidate(c.path, c.old_mode, c.old) for c in ordered if c.kind == "D"]
    added = [Candidate(c.path, c.new_mode, c.new) for c in ordered if c.kind == "A"]
    if not removed or not added:
        return ordered
    matches = match_renames(
        removed,
        added,
        old=old,
        new=new,
        percent=options.percent,
        limit=options.limit,
    )
    gone = {removed[match.source].path for match in matches}
    renamed = {added[match.target].path: match for match in matches}
    result: list[Change] = []
    for change in ordered:
        match = renamed.get(change.path) if change.kind == "A" else None
        if match is not None:
            path, mode, raw = removed[match.source]
            change = change._replace(  # noqa: PLW2901  # the same file, seen as renamed
                kind="R", old_path=path, old_mode=mode, old=raw, similarity=match.percent
            )
        elif change.kind == "D" and change.path in gone:
            continue
        result.append(change)
    return result


def _by_path(change: Change) -> bytes:
    return change.path


def walk_trees(
    store: ObjectStore,
    old: RawId | None,
    new: RawId | None,
    *,
    paths: Sequence[bytes] | None = None,
) -> Iterator[Change]:
    """Yield what differs between two trees, folder by folder, without renames and unsorted."""
    wanted = PathLimit(paths)
    pending: list[tuple[bytes, RawId | None, RawId | None]] = [(b"", old, new)]
    while pending:
        prefix, old_tree, new_tree = pending.pop()
        if old_tree == new_tree:
            continue
        old_entries = read_tree(store, old_tree) if old_tree is not None else []
        new_entries = read_tree(store, new_tree) if new_tree is not None else []
        differing = set(old_entries) ^ set(new_entries)
        before = {e.name: e for e in old_entries if e in differing}
        after = {e.name: e for e in new_entries if e in differing}
        for name in before.keys() | after.keys():
            path = prefix + name
            one, other = before.get(name), after.get(name)
            trees = _tree_of(one), _tree_of(other)
            if trees != (None, None) and wanted.enters(path):
                pending.append((path + b"/", *trees))
            change = make_change(path, _file_of(one), _file_of(other))
            if change is not None and wanted.has(path):
                yield change


def _tree_of(entry: TreeEntry | None) -> RawId | None:
    return entry.raw if entry is not None and entry.mode == MODE_TREE else None


def _file_of(entry: TreeEntry | None) -> FlatEntry | None:
    return (entry.mode, entry.raw) if entry is not None and entry.mode != MODE_TREE else None


class PathLimit:
    """Paths that a user limits a command to: files, folders with all below them, and patterns.

    Args:
        paths: Repository paths; ``b""`` or None lets everything through. In one with ``*``, ``?``
            or ``[…]`` these stand for any text, also across ``/``, as on git's command line.
    """

    def __init__(self, paths: Sequence[bytes] | None) -> None:
        self._all = not paths or b"" in paths
        self._exact = frozenset(paths or ())
        self._below = tuple(path + b"/" for path in paths or ())
        self._patterns = [_pattern(path) for path in paths or () if is_pattern(path)]

    def has(self, path: bytes) -> bool:
        """Tell whether a file is among them."""
        if self._all or path in self._exact or path.startswith(self._below):
            return True
        return any(pattern.match(path) for pattern in self._patterns)

    def enters(self, folder: bytes) -> bool:
        """Tell whether a folder can hold any of them."""
        if self._patterns or self.has(folder):
            return True
        inside = folder + b"/"
        return any(path.startswith(inside) for path in self._exact)


def is_pattern(path: bytes) -> bool:
    """Tell whether a path may mean more than itself."""
    return not _MAGIC.isdisjoint(path)


def _pattern(path: bytes) -> re.Pattern[bytes]:
    import fnmatch  # start-up time: few commands are given a pattern

    body = fnmatch.translate(path.decode("latin-1")).removesuffix(r"\Z").removesuffix(r"\z")
    # What lies below a folder that matches, matches too.
    return re.compile((body + r"(?:/.*)?\Z").encode("latin-1"), re.DOTALL)
