"""The same objects in a Muse store and in a git repository, so that git can be asked about them."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path

from muse.core.object_store import ObjectStore
from muse.core.trees import EMPTY_TREE, update_tree
from muse.core.types import MODE_LINK, ObjectType, RawId, frame_header, raw_object_id

Files = Mapping[bytes, tuple[int, bytes]]


class GitMirror:
    """One folder that is a Muse store and a git repository at once.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = ObjectStore(root)
        self._known: set[RawId] = set()
        subprocess.run(
            ["git", "init", "-q", "--object-format=sha256", "."],
            cwd=root,
            check=True,
            capture_output=True,
        )
        self.write("tree", b"")

    def write(self, kind: ObjectType, payload: bytes) -> RawId:
        """Store one object on both sides."""
        raw = raw_object_id(kind, payload)
        if raw in self._known:
            return raw
        self._known.add(raw)
        self.store.write(kind, payload)
        path = self.root / ".git" / "objects" / raw.hex()[:2] / raw.hex()[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(zlib.compress(frame_header(kind, len(payload)) + payload, 1))
        return raw

    def write_tree(self, files: Files) -> RawId:
        """Store a tree of path → (mode, content) on both sides and return its id."""
        entries = {
            path: (mode, self.write("blob", content)) for path, (mode, content) in files.items()
        }
        update = update_tree(self.store, EMPTY_TREE, entries)
        for _, payload in update.new:
            self.write("tree", payload)
        return update.root

    def git(self, *arguments: str) -> bytes:
        """Run git here and return its output."""
        return subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True
        ).stdout


def write_files(root: Path, files: Files) -> None:
    """Write path → (mode, content) below a folder, symlinks as symlinks."""
    for path, (mode, content) in files.items():
        place = root / path.decode("utf-8", "surrogateescape")
        place.parent.mkdir(parents=True, exist_ok=True)
        if mode == MODE_LINK:
            place.symlink_to(content.decode("utf-8", "surrogateescape"))
        else:
            place.write_bytes(content)
            place.chmod(mode & 0o777)
