"""The stage: what the next commit changes, as a delta against HEAD's tree.

``.muse/code/stage.msgpack`` holds, sealed with a checksum, sorted columns: paths, modes, ids; mode
0 is a removal. Its size is that of the changes, not of the tree, and nothing in it is a copy of
HEAD: an entry that says what HEAD says already is seen as no entry, so that a stage which survives
a kill right after the branch moved is empty and is never committed twice.

The file is replaced by a transaction, after the blobs that it names are durable (G2, G12).
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from muse.core.codec import CodecError, seal, unseal
from muse.core.errors import CorruptFileError, MuseError
from muse.core.io import read_bytes
from muse.core.paths import stage_path
from muse.core.plain_files import STAGE_BYTES
from muse.core.trees import EMPTY_TREE, TreeEntry, TreeUpdate, iter_tree, read_tree, update_tree
from muse.core.types import FILE_MODES, MODE_TREE, RAW_ID_SIZE, RawId

if TYPE_CHECKING:
    from muse.core.object_store import ObjectStore

FORMAT = 1
FileEntry = tuple[int, RawId]
_NO_ID = bytes(RAW_ID_SIZE)


class Stage(dict[bytes, FileEntry | None]):
    """Staged changes: path → (mode, blob id), or None for a removal."""


def read_stage(root: Path) -> Stage:
    """Read the stage; empty when there is none.

    Raises:
        CorruptFileError: The file is damaged. Nothing guesses at what was staged.
    """
    path = stage_path(root)
    data = read_bytes(path, doing="read the stage", limit=STAGE_BYTES)
    if data is None:
        return Stage()
    try:
        return decode_stage(data)
    except CodecError as error:
        raise CorruptFileError(
            os.fspath(path),
            reason=str(error),
            hint="'muse code reset' empties the stage and touches no file of yours; "
            "'muse status' shows then what to add again.",
        ) from error


def decode_stage(data: bytes) -> Stage:
    """Decode what `encode_stage` wrote.

    Raises:
        CodecError: Torn, changed, or not a stage.
    """
    value = unseal(data)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise CodecError("it is no stage of a format that this program knows")
    packed, modes_data, ids = (value.get(key) for key in ("paths", "modes", "ids"))
    if not (isinstance(packed, bytes) and isinstance(modes_data, bytes) and isinstance(ids, bytes)):
        raise CodecError("columns are missing")
    paths = packed.split(b"\0") if packed else []
    del packed, value["paths"]  # a large stage need not be there twice
    modes = _modes(modes_data)
    if not len(paths) == len(modes) == len(ids) / RAW_ID_SIZE:
        raise CodecError("columns differ in length")
    if not set(modes) <= FILE_MODES | {0} or not all(paths):
        raise CodecError("an entry is malformed")
    stage = Stage()
    for i, (path, mode) in enumerate(zip(paths, modes, strict=True)):
        raw = ids[i * RAW_ID_SIZE : (i + 1) * RAW_ID_SIZE]
        stage[path] = (mode, RawId(raw)) if mode else None
    if len(stage) != len(paths):
        raise CodecError("a path occurs twice")
    return stage


def encode_stage(stage: Mapping[bytes, FileEntry | None]) -> bytes:
    """Encode a stage for `Transaction.write_file`.

    Raises:
        MuseError: It names so many files that nobody would read it.
    """
    paths = sorted(stage)
    gone = 0, _NO_ID
    modes = array("I", ((stage[path] or gone)[0] for path in paths))
    ids = b"".join([(stage[path] or gone)[1] for path in paths])
    packed = b"\0".join(paths)
    del paths
    if len(packed) + len(ids) > STAGE_BYTES * 0.9:
        raise MuseError(
            f"{len(modes)} files are too many to be staged at once.",
            hint="Add and commit one folder after the other.",
        )
    return seal({"format": FORMAT, "paths": packed, "modes": modes.tobytes(), "ids": ids})


def _modes(data: bytes) -> array[int]:
    modes = array("I")
    if len(data) % modes.itemsize:
        raise CodecError("columns differ in length")
    modes.frombytes(data)
    return modes


class TreeFiles:
    """Looks up files in one tree; each folder is read once.

    Args:
        store: Where the tree is.
        tree: The root tree.
    """

    def __init__(self, store: ObjectStore, tree: RawId) -> None:
        self._store = store
        self._tree = tree
        self._folders: dict[bytes, dict[bytes, TreeEntry]] = {}

    def find(self, path: bytes) -> FileEntry | None:
        """Return (mode, id) of a file or link; None when there is no such file."""
        entry = self._find(path)
        return None if entry is None or entry.mode == MODE_TREE else (entry.mode, entry.raw)

    def is_folder(self, path: bytes) -> bool:
        """Tell whether the tree has a folder of this name; the root is one when not empty."""
        if not path:
            return self._tree != EMPTY_TREE
        entry = self._find(path)
        return entry is not None and entry.mode == MODE_TREE and entry.raw != EMPTY_TREE

    def iter_below(self, path: bytes) -> Iterator[tuple[bytes, FileEntry]]:
        """Yield (path, (mode, id)) of every file below a folder, in order; none for a file."""
        raw = self._tree
        if path:
            entry = self._find(path)
            if entry is None or entry.mode != MODE_TREE:
                return
            raw = entry.raw
        for name, mode, blob in iter_tree(self._store, raw, path + b"/" if path else b""):
            yield name, (mode, blob)

    def _find(self, path: bytes) -> TreeEntry | None:
        folder, _, name = path.rpartition(b"/")
        return self._folder(folder).get(name)

    def _folder(self, path: bytes) -> dict[bytes, TreeEntry]:
        known = self._folders.get(path)
        if known is None:
            raw = self._tree
            if path:
                entry = self._find(path)
                raw = entry.raw if entry is not None and entry.mode == MODE_TREE else EMPTY_TREE
            known = self._folders[path] = {e.name: e for e in read_tree(self._store, raw)}
        return known


def without_noops(stage: Mapping[bytes, FileEntry | None], head: TreeFiles) -> Stage:
    """Return the stage without the entries that say what HEAD's tree says already."""
    return Stage((p, entry) for p, entry in stage.items() if entry != head.find(p))


def changes_anything(stage: Mapping[bytes, FileEntry | None], head: TreeFiles) -> bool:
    """Tell whether a stage says anything that HEAD's tree does not say already."""
    return any(entry != head.find(path) for path, entry in stage.items())


def change_stage(
    stage: Mapping[bytes, FileEntry | None],
    changes: Mapping[bytes, FileEntry | None],
    *,
    head: TreeFiles,
) -> Stage:
    """Return the stage with more changes in it.

    A file in the place of a folder removes what was below it, and a file below the place of a
    file removes that file, as ``git update-index --replace`` does.

    Args:
        stage: What is staged.
        changes: Path → new entry, or None for a removal.
        head: HEAD's tree.
    """
    result = Stage(stage)
    folders = {parent for p, entry in result.items() if entry for parent in _parents(p)}
    seen: set[bytes] = set()
    for path, entry in changes.items():
        result[path] = entry
        if entry is None:
            continue
        for parent in _parents(path):
            if parent in seen:
                break
            seen.add(parent)
            if result.get(parent, head.find(parent)) is not None and changes.get(parent) is None:
                result[parent] = None
        if path in folders:
            _remove_below(result, [p for p in result if p.startswith(path + b"/")], changes)
        if head.is_folder(path):
            _remove_below(result, [p for p, _ in head.iter_below(path)], changes)
    for path in [p for p, entry in result.items() if entry == head.find(p)]:
        del result[path]
    return result


def iter_index(
    stage: Mapping[bytes, FileEntry | None], head: TreeFiles, path: bytes
) -> Iterator[tuple[bytes, FileEntry]]:
    """Yield what the next commit has, so far, at a path and below it.

    Args:
        stage: What is staged.
        head: HEAD's tree.
        path: A file or folder; ``b""`` is everything.

    Yields:
        (path, (mode, id)); what HEAD has first, then what is only staged.
    """
    own = head.find(path) if path else None
    committed = [(path, own)] if own is not None else head.iter_below(path)
    for name, entry in committed:
        staged = stage.get(name, entry)
        if staged is not None:
            yield name, staged
    prefix = path + b"/" if path else b""
    for name, staged in stage.items():
        chosen = name == path or name.startswith(prefix)
        if staged is not None and chosen and head.find(name) is None:
            yield name, staged


def _remove_below(
    result: Stage, paths: list[bytes], changes: Mapping[bytes, FileEntry | None]
) -> None:
    for path in paths:
        if changes.get(path) is None:
            result[path] = None


def _parents(path: bytes) -> Iterator[bytes]:
    """Yield the folders above a path, the nearest first, without the root."""
    at = path.rfind(b"/")
    while at > 0:
        yield path[:at]
        at = path.rfind(b"/", 0, at)


def stage_tree(
    store: ObjectStore, head_tree: RawId, stage: Mapping[bytes, FileEntry | None]
) -> TreeUpdate:
    """Compute the tree that a commit of the stage would have; nothing is stored.

    Args:
        store: The repository's objects.
        head_tree: HEAD's tree; the empty tree before the first commit.
        stage: The staged changes.

    Returns:
        The root tree and the trees to store for it.
    """
    return update_tree(store, head_tree, stage)
