"""A folder as a file system sees it: numbered files and folders, and the names that lead to them.

Kept in memory, so that a state that a power cut may leave is made by leaving out operations.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = "folder"
FILE: Final = "file"
LINK: Final = "link"

# Kinds of operations: on names, on bytes, and those that make earlier ones durable.
NAME: Final = "name"
RENAME: Final = "rename"
UNNAME: Final = "unname"
WRITE: Final = "write"
CUT: Final = "cut"
SYNC: Final = "sync"
SYNC_ALL: Final = "sync all"
REPORTED: Final = "reported"


class Node(NamedTuple):
    """A file, folder or symlink, whatever its names.

    Attributes:
        kind: `FOLDER`, `FILE` or `LINK`.
        mode: Permission bits.
        data: A file's bytes, a link's target.
    """

    kind: str
    mode: int
    data: bytes = b""


class Op(NamedTuple):
    """One recorded operation.

    Attributes:
        kind: One of the constants above.
        node: The number of the file or folder it is about.
        folder: For names: the number of the folder.
        name: For names: the name in it.
        old_folder: For a rename: where the name was.
        old_name: For a rename: what it was.
        offset: Where a write goes, or the new length of a cut; for a rename 1 if it replaced.
        data: The bytes written.
    """

    kind: str
    node: int = 0
    folder: int = 0
    name: str = ""
    old_folder: int = 0
    old_name: str = ""
    offset: int = 0
    data: bytes = b""


Names = dict[int, dict[str, int]]
# (path, kind, permission bits, bytes) of everything in a folder, parents first: what a state is.
Listing = tuple[tuple[str, str, int, bytes], ...]


class Tree:
    """Nodes and names; node 0 is the folder itself."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {0: Node(FOLDER, 0o755)}
        self.names: Names = {0: {}}

    @classmethod
    def scan(cls, root: Path) -> Tree:
        """Read a folder; two names of one file become one node."""
        tree = cls()
        numbers = {(status.st_dev, status.st_ino): 0 for status in [root.stat()]}
        pending = [(os.fspath(root), 0)]
        while pending:
            path, folder = pending.pop()
            for name in sorted(os.listdir(path)):
                full = os.path.join(path, name)
                status = os.lstat(full)
                key = (status.st_dev, status.st_ino)
                known = key in numbers
                number = numbers.setdefault(key, len(numbers))
                tree.names[folder][name] = number
                if known:
                    continue
                tree.nodes[number] = _read_node(full, status)
                if tree.nodes[number].kind == FOLDER:
                    tree.names[number] = {}
                    pending.append((full, number))
        return tree

    def find(self, parts: list[str]) -> int | None:
        """Return the node that a path leads to, without following symlinks."""
        number = 0
        for part in parts:
            found = self.names.get(number, {}).get(part)
            if found is None:
                return None
            number = found
        return number

    def listing(self) -> Listing:
        """Return everything that has a name."""
        return list_names(self.names, self.nodes, {n: node.data for n, node in self.nodes.items()})

    def apply(self, op: Op) -> None:
        """Do what was recorded."""
        apply_names(self.names, op)
        if op.kind in {WRITE, CUT}:
            node = self.nodes[op.node]
            self.nodes[op.node] = node._replace(data=apply_bytes(node.data, op))


def _read_node(path: str, status: os.stat_result) -> Node:
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Node(FOLDER, mode)
    if stat.S_ISLNK(status.st_mode):
        return Node(LINK, mode, os.fsencode(os.readlink(path)))
    return Node(FILE, mode, Path(path).read_bytes())


def apply_names(names: Names, op: Op) -> None:
    """Do an operation on names; one whose predecessor was lost still does its own part."""
    if op.kind == NAME:
        names.setdefault(op.folder, {})[op.name] = op.node
    elif op.kind == RENAME:
        old = names.setdefault(op.old_folder, {})
        if old.get(op.old_name) == op.node:
            del old[op.old_name]
        names.setdefault(op.folder, {})[op.name] = op.node
    elif op.kind == UNNAME and names.get(op.folder, {}).get(op.name) == op.node:
        del names[op.folder][op.name]


def apply_bytes(data: bytes, op: Op) -> bytes:
    """Return a file's bytes after a write or a change of length."""
    if op.kind == CUT:
        return data[: op.offset].ljust(op.offset, b"\0")
    head = data[: op.offset].ljust(op.offset, b"\0")
    return head + op.data + data[op.offset + len(op.data) :]


def list_names(names: Names, nodes: dict[int, Node], data: dict[int, bytes]) -> Listing:
    """Return what can be reached from the root; what lost its folder is gone."""
    found: list[tuple[str, str, int, bytes]] = []
    pending = [("", 0)]
    while pending:
        prefix, folder = pending.pop()
        for name, number in sorted(names.get(folder, {}).items()):
            node = nodes[number]
            found.append((prefix + name, node.kind, node.mode, data.get(number, node.data)))
            if node.kind == FOLDER:
                pending.append((f"{prefix}{name}/", number))
    return tuple(found)


def write_listing(listing: Listing, folder: Path) -> None:
    """Write a state out; the folder is made and must not exist."""
    os.mkdir(folder)
    base = f"{folder}/"
    for path, kind, mode, data in listing:
        full = base + path
        if kind == FOLDER:
            os.mkdir(full, mode | 0o700)
        elif kind == LINK:
            os.symlink(data, os.fsencode(full))
        else:
            fd = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode | 0o400)
            try:
                os.write(fd, data)
            finally:
                os.close(fd)
