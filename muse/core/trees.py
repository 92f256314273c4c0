r"""Trees: parse, format, walk, and rebuild only what a change touches.

A tree's payload is a run of ``<octal mode> <name>\0<32 raw id bytes>``, sorted as git sorts it: a
folder compares as if its name ended in ``/``. Parsing is strict, since trees also come from other
machines: a name that could escape the working tree never gets past `parse_tree` (G11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from operator import lt
from typing import TYPE_CHECKING, Final, NamedTuple

from muse.core.errors import CorruptObjectError
from muse.core.paths import check_name, check_path, is_plain_name
from muse.core.types import (
    FILE_MODES,
    MODE_FILE,
    MODE_TREE,
    RAW_ID_SIZE,
    RawId,
    from_raw,
    raw_object_id,
)

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

EMPTY_TREE: Final = raw_object_id("tree", b"")
_MODES: Final = {b"%o" % mode: mode for mode in (*FILE_MODES, MODE_TREE)}
# Written by very old git versions; read as a plain file.
_MODES[b"100664"] = MODE_FILE
_ENTRY: Final = re.compile(
    rb"(40000|100644|100755|120000|100664) ([^\0]+)\0.{%d}" % RAW_ID_SIZE, re.DOTALL
)
# Names that `check_name` has let pass; bounded, since whoever sends trees chooses them.
_safe_names: set[bytes] = set()
_MAX_SAFE_NAMES: Final = 50_000
_MODE_TEXT: Final = {mode: b"%o " % mode for mode in (*FILE_MODES, MODE_TREE)}


class TreeEntry(NamedTuple):
    """One line of a tree.

    Attributes:
        mode: One of the modes in `muse.core.types`.
        name: One path component.
        raw: The blob's or subtree's id.
    """

    mode: int
    name: bytes
    raw: RawId

    @property
    def is_tree(self) -> bool:
        """Whether this is a folder."""
        return self.mode == MODE_TREE


class TreeUpdate(NamedTuple):
    """A root tree and the trees that must be stored for it.

    Attributes:
        root: The id of the root tree.
        new: (id, payload) of each tree that was computed, the root last; some may be stored.
    """

    root: RawId
    new: list[tuple[RawId, bytes]]


class TreeFormatError(ValueError):
    """A tree's payload breaks the format; the text says how."""


def _sort_key(entry: TreeEntry) -> bytes:
    return entry.name + b"/" if entry.mode == MODE_TREE else entry.name


def parse_tree(payload: bytes, *, strict_names: bool = True) -> list[TreeEntry]:
    """Parse a tree.

    Args:
        payload: The tree's bytes.
        strict_names: Refuse names that could escape; off only for looking at damage.

    Returns:
        The entries in stored order.

    Raises:
        TreeFormatError: Truncated, unknown mode, wrong order or duplicate names.
        UnsafePathError: A name that could escape, or is reserved.
    """
    entries: list[TreeEntry] = []
    at, end = 0, len(payload)
    last_key = last_name = b""
    while at < end:
        space = payload.find(b" ", at, at + 8)
        nul = payload.find(b"\0", space + 1) if space > 0 else -1
        if nul < 0 or nul + 1 + RAW_ID_SIZE > end:
            raise TreeFormatError("truncated entry")
        mode = _MODES.get(payload[at:space])
        if mode is None:
            raise TreeFormatError(f"unknown mode {payload[at:space]!r}")
        name = payload[space + 1 : nul]
        at = nul + 1 + RAW_ID_SIZE
        # Asked here first, since this loop sees every name of a history.
        if strict_names and not is_plain_name(name):
            check_name(name)
        key = name + b"/" if mode == MODE_TREE else name
        if entries and (key <= last_key or name == last_name):
            raise TreeFormatError(f"entries out of order at {name!r}")
        last_key, last_name = key, name
        entries.append(TreeEntry(mode, name, RawId(payload[nul + 1 : at])))
    return entries


def check_tree(payload: bytes) -> None:
    """Refuse what `parse_tree` refuses, without building entries: ten times as fast.

    A name that stands in two kinds is refused wherever the two stand; and since thousands of trees
    share their names, a name is looked at once.

    Raises:
        TreeFormatError: As `parse_tree`; also for a file and a folder of one name.
        UnsafePathError: As `parse_tree`.
    """
    if not payload:
        return
    entries: list[tuple[bytes, bytes]] = _ENTRY.findall(payload)
    modes = [mode for mode, _ in entries]
    names = [name for _, name in entries]
    keys = [name + b"/" if mode == b"40000" else name for mode, name in entries]
    size = sum(map(len, modes)) + sum(map(len, names)) + (2 + RAW_ID_SIZE) * len(entries)
    if size != len(payload) or not all(map(lt, keys, keys[1:])):
        # It says what is wrong.
        parse_tree(payload)
        raise TreeFormatError("entries out of order")
    distinct = set(names)
    if len(distinct) != len(names):
        raise TreeFormatError("two entries of one name")
    for name in distinct - _safe_names:
        check_name(name)
        if len(_safe_names) < _MAX_SAFE_NAMES:
            _safe_names.add(name)


def format_tree(entries: Iterable[TreeEntry]) -> bytes:
    """Encode a tree, sorted as git sorts."""
    parts: list[bytes] = []
    for entry in sorted(entries, key=_sort_key):
        parts += (_MODE_TEXT[entry.mode], entry.name, b"\0", entry.raw)
    return b"".join(parts)


def read_tree(store: ObjectStore, tree: RawId) -> list[TreeEntry]:
    """Read and parse one tree.

    Raises:
        ObjectNotFoundError: Not stored.
        CorruptObjectError: Damaged, or not a tree by its format.
        UnsafePathError: It names something that could escape.
    """
    if tree == EMPTY_TREE:
        return []
    payload = store.read(tree, expected="tree")[1]
    try:
        return parse_tree(payload)
    except TreeFormatError as error:
        raise CorruptObjectError(from_raw(tree), where="the store", reason=str(error)) from error


def iter_tree(
    store: ObjectStore, tree: RawId, prefix: bytes = b""
) -> Iterator[tuple[bytes, int, RawId]]:
    """Yield (path, mode, id) of every file below a tree, in git's order.

    That order is the byte order of the full paths.
    """
    stack = [(prefix, iter(read_tree(store, tree)))]
    while stack:
        base, entries = stack[-1]
        for mode, name, raw in entries:
            if mode == MODE_TREE:
                path = base + name + b"/"
                stack.append((path, iter(read_tree(store, raw))))
                break
            yield base + name, mode, raw
        else:
            stack.pop()


def find_in_tree(store: ObjectStore, tree: RawId, path: bytes) -> TreeEntry | None:
    """Find what a path names below a tree; ``b""`` is the tree itself."""
    entry = TreeEntry(MODE_TREE, b"", tree)
    if not path:
        return entry
    for name in path.split(b"/"):
        if entry.mode != MODE_TREE:
            return None
        found = next((e for e in read_tree(store, entry.raw) if e.name == name), None)
        if found is None:
            return None
        entry = found
    return entry


# A nested form of a set of changes: name -> subfolder's changes, or (mode, id), or None = removed.
_Changes = dict[bytes, "_Changes | tuple[int, RawId] | None"]


def update_tree(
    store: ObjectStore,
    base: RawId | None,
    changes: Mapping[bytes, tuple[int, RawId] | None],
) -> TreeUpdate:
    """Compute the tree that results from changing some paths, touching only their folders.

    Args:
        store: Where ``base`` and its subtrees are.
        base: The tree to start from; None for an empty one.
        changes: Path → (mode, blob id), or None for removed. A file in the place of a folder
            removes what was below it, and the other way round.

    Returns:
        The new root and every tree on the way to it. Folders that end up empty disappear.

    Raises:
        UnsafePathError: A path that could escape.
    """
    nested = _nest(changes)
    new: list[tuple[RawId, bytes]] = []
    root = _update(store, base, nested, new)
    if root is None:
        new.append((EMPTY_TREE, b""))
        root = EMPTY_TREE
    return TreeUpdate(root, new)


def _nest(changes: Mapping[bytes, tuple[int, RawId] | None]) -> _Changes:
    """Return changes by folder."""
    nested: _Changes = {}
    # Removals first, so that a file which makes way for a folder of its name does not erase it.
    for path in sorted(path for path, value in changes.items() if value is None):
        check_path(path)
        folder, _, name = path.rpartition(b"/")
        below = _nested_folder(nested, folder)
        if not isinstance(below.get(name), dict):
            below[name] = None
    # In order of paths, the files of a folder come one after the other; and a file comes before
    # what is below a folder of its name.
    last_folder, below = None, nested
    for path in sorted(path for path, value in changes.items() if value is not None):
        folder, _, name = path.rpartition(b"/")
        if folder != last_folder:
            check_path(path)
            last_folder, below = folder, _nested_folder(nested, folder)
        elif b"\0" in name or not is_plain_name(name):
            check_path(path)
        below[name] = changes[path]
    return nested


def _nested_folder(nested: _Changes, folder: bytes) -> _Changes:
    """Return a folder's changes; a file in its way gives way."""
    for name in folder.split(b"/") if folder else ():
        below = nested.get(name)
        if not isinstance(below, dict):
            below = nested[name] = {}
        nested = below
    return nested


def _update(
    store: ObjectStore, base: RawId | None, changes: _Changes, new: list[tuple[RawId, bytes]]
) -> RawId | None:
    entries = {e.name: e for e in read_tree(store, base)} if base is not None else {}
    for name, change in changes.items():
        if isinstance(change, dict):
            old = entries.get(name)
            subtree = old.raw if old is not None and old.mode == MODE_TREE else None
            raw = _update(store, subtree, change, new)
            if raw is not None:
                entries[name] = TreeEntry(MODE_TREE, name, raw)
            elif old is not None and old.mode == MODE_TREE:
                del entries[name]
        elif change is None:
            old = entries.get(name)
            if old is not None and old.mode != MODE_TREE:
                del entries[name]
        else:
            entries[name] = TreeEntry(change[0], name, change[1])
    if not entries:
        return None
    payload = format_tree(entries.values())
    raw = raw_object_id("tree", payload)
    if raw != base:
        new.append((raw, payload))
    return raw
