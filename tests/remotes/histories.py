"""Small histories written straight into a store, and the same objects given to git."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from muse.core.commits import Commit, Signature, Tag, format_commit, format_tag
from muse.core.object_store import ObjectStore
from muse.core.trees import TreeEntry, format_tree
from muse.core.types import MODE_FILE, MODE_TREE, ObjectType, RawId, frame_header

Files = Mapping[bytes, bytes]
START_S = 1_700_000_000


class CountingStore(ObjectStore):
    """A store that counts what is read from it, by type."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: dict[str, int] = {}

    def read(self, raw: RawId, *, expected: ObjectType | None = None) -> tuple[ObjectType, bytes]:
        """Read as the store does, and count."""
        kind, payload = super().read(raw, expected=expected)
        self.reads[kind] = self.reads.get(kind, 0) + 1
        return kind, payload


def write_files(store: ObjectStore, files: Files) -> RawId:
    """Store files and the trees above them; return the root tree."""
    folders: dict[bytes, dict[bytes, bytes]] = {}
    entries = []
    for path, data in files.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            folders.setdefault(name, {})[rest] = data
        else:
            entries.append(TreeEntry(MODE_FILE, name, store.write("blob", data)))
    for name, below in folders.items():
        entries.append(TreeEntry(MODE_TREE, name, write_files(store, below)))
    return store.write("tree", format_tree(entries))


def write_commit(
    store: ObjectStore,
    tree: RawId,
    *parents: RawId,
    time_s: int = START_S,
    message: bytes = b"a commit\n",
) -> RawId:
    """Store a commit."""
    who = Signature("Ada", "ada@example.com", time_s, "+0000")
    return store.write("commit", format_commit(Commit(tree, parents, who, who, message)))


def write_tag(store: ObjectStore, target: RawId, kind: ObjectType, name: str = "v1") -> RawId:
    """Store an annotated tag."""
    who = Signature("Ada", "ada@example.com", START_S, "+0000")
    return store.write("tag", format_tag(Tag(target, kind, name, who, b"a tag\n")))


def random_history(store: ObjectStore, seed: int, *, commits: int) -> list[RawId]:
    """Store a history with branches, merges, reverts, moved folders and odd clocks."""
    rng = random.Random(seed)
    made: list[tuple[RawId, dict[bytes, bytes]]] = []
    for number in range(commits):
        parents = rng.sample(made, k=min(len(made), rng.choice([0, 1, 1, 1, 1, 2, 2, 3])))
        files: dict[bytes, bytes] = {}
        for _, theirs in parents:
            files.update(theirs)
        for _ in range(rng.randint(0, 4)):
            folder = b"/".join(b"d%d" % rng.randint(0, 2) for _ in range(rng.randint(0, 3)))
            name = (folder + b"/" if folder else b"") + b"f%d" % rng.randint(0, 4)
            files[name] = b"%d" % rng.randint(0, 40)
        if files and rng.random() < 0.3:
            del files[rng.choice(sorted(files))]
        time_s = START_S + (number if rng.random() < 0.9 else rng.randint(-50, 50))
        tree = write_files(store, files)
        commit = write_commit(
            store, tree, *(raw for raw, _ in parents), time_s=time_s, message=b"%d\n" % number
        )
        made.append((commit, files))
    return [raw for raw, _ in made]


def give_to_git(store: ObjectStore, git_dir: Path, ids: Iterable[RawId] | None = None) -> None:
    """Write the store's loose objects into a git repository of the SHA-256 format."""
    for raw in ids if ids is not None else store.iter_loose():
        kind, payload = store.read(raw)
        frame = frame_header(kind, len(payload)) + payload
        assert hashlib.sha256(frame).digest() == raw
        path = git_dir / "objects" / raw.hex()[:2] / raw.hex()[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(frame, 1))
