"""What became of each git object: both directions of the mapping, for one id format.

For a SHA-1 repository every object has a pair. For a SHA-256 one only those have that are not the
same on both sides; every other id stands for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from muse.core.paths import muse_dir
from muse.core.types import RAW_ID_SIZE, RawId
from muse.ops.git_bridge.id_table import IdTable

ID_SIZES: Final = {"sha1": 20, "sha256": 32}


class IdMaps:
    """The durable mapping between git ids of one format and ours.

    Args:
        root: The folder that holds ``.muse``.
        object_format: ``sha1`` or ``sha256``.
    """

    def __init__(self, root: Path, object_format: str) -> None:
        self.object_format = object_format
        self.is_identity = object_format == "sha256"
        size = ID_SIZES[object_format]
        folder = muse_dir(root) / "bridge"
        self._to_muse = IdTable(
            folder, f"{object_format}-to-muse", key_size=size, value_size=RAW_ID_SIZE
        )
        self._from_muse = IdTable(
            folder, f"muse-to-{object_format}", key_size=RAW_ID_SIZE, value_size=size
        )
        # Git objects that became something else than their own content.
        self._altered = IdTable(folder, f"{object_format}-altered", key_size=size, value_size=0)

    def muse_id(self, git_raw: bytes) -> RawId | None:
        """Return what a git object became; for SHA-256 None says "itself, if anything"."""
        found = self._to_muse.find(git_raw)
        return None if found is None else RawId(found)

    def git_id(self, raw: RawId, *, exact: bool) -> bytes | None:
        """Return a git object that became this one.

        Args:
            raw: The id of an object here.
            exact: Only one whose content is the same, so that it may stand for ours in git.
        """
        found = self._from_muse.find(raw)
        if found is None:
            return raw if self.is_identity else None
        if exact and self.is_altered(found):
            return None
        return found

    def is_altered(self, git_raw: bytes) -> bool:
        """Tell whether something was left out of, or changed in, what this object became."""
        return self._altered.find(git_raw) is not None

    @property
    def has_altered(self) -> bool:
        """Whether anything that is altered was recorded."""
        return len(self._altered) > 0

    def __len__(self) -> int:
        """Count the pairs, some perhaps twice."""
        return len(self._to_muse)

    @property
    def is_damaged(self) -> bool:
        """Whether a part of the mapping could not be read, so that it says less than it should."""
        return any(t.damaged for t in (self._to_muse, self._from_muse, self._altered))

    def record(self, pairs: Mapping[bytes, bytes], *, altered: Collection[bytes]) -> None:
        """Add pairs of (git id, our id); the objects must be durable. So is this on return.

        Durability:
            Killed between the tables: the first one names more than the others, which costs a
            later run a longer walk and nothing else, since every id it uses is looked up here.
        """
        self._altered.append(dict.fromkeys(altered, b""))
        self._to_muse.append(pairs)
        self._from_muse.append({ours: theirs for theirs, ours in pairs.items()})

    def merge(self) -> None:
        """Make each table one file."""
        for table in (self._altered, self._to_muse, self._from_muse):
            table.merge()

    def close(self) -> None:
        """Give the files back."""
        for table in (self._altered, self._to_muse, self._from_muse):
            table.close()
