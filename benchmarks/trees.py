"""Realistic working trees from a seed: real fan-out, sizes log-normal around 4 KiB."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

MEDIAN_BYTES = 4096
SIGMA = 1.0
FILES_PER_FOLDER = 12
MAX_BYTES = 1 << 20
MAX_DEPTH = 5
_VOCABULARY = """
return self value index data count error result path name for while import from class def
if else try except with as None True False not and or in is lambda yield raise
"""
WORDS = tuple(_VOCABULARY.split())


def iter_paths(files: int, rng: random.Random) -> Iterator[str]:
    """Yield that many distinct paths, about a dozen files a folder."""
    folders = [""]
    open_folders = [""]
    while len(folders) * FILES_PER_FOLDER < files:
        parent = rng.choice(open_folders)
        folder = f"{parent}{rng.choice(WORDS)}_{len(folders)}/"
        folders.append(folder)
        if folder.count("/") < MAX_DEPTH:
            open_folders.append(folder)
    for number in range(files):
        folder = folders[number % len(folders)]
        yield f"{folder}{rng.choice(WORDS)}_{number}.py"


def content(rng: random.Random) -> bytes:
    """Return the text of one file."""
    size = min(MAX_BYTES, max(16, int(MEDIAN_BYTES * rng.lognormvariate(0, SIGMA))))
    lines: list[str] = []
    total = 0
    while total < size:
        indent = "    " * rng.randrange(4)
        line = indent + " ".join(rng.choices(WORDS, k=rng.randrange(2, 9)))
        line += f" {rng.randrange(10**6)}"
        lines.append(line)
        total += len(line) + 1
    return ("\n".join(lines) + "\n").encode()


def make_tree(root: Path, files: int, *, seed: int = 1) -> list[str]:
    """Write a working tree and return its paths."""
    rng = random.Random(seed)
    paths = list(iter_paths(files, rng))
    # Texts are drawn from a pool and made distinct, or 100 000 files would take minutes to invent.
    pool = [content(rng) for _ in range(min(files, 2000))]
    made: set[Path] = set()
    for number, path in enumerate(paths):
        target = root / path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(b"# %d\n" % number + pool[number % len(pool)])
    return paths


def edit(root: Path, paths: list[str], *, count: int, seed: int) -> list[str]:
    """Append a line to some files; return their paths."""
    rng = random.Random(seed)
    chosen = rng.sample(paths, min(count, len(paths)))
    for path in chosen:
        with (root / path).open("a") as file:
            file.write(f"# edited {seed}\n")
    return chosen


def iter_tree_paths(root: Path, *, some: int) -> list[str]:
    """Return files of a tree on disk, evenly spread, sorted."""
    found: list[str] = []
    stack = [""]
    while stack:
        prefix = stack.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in {".muse", ".git"}:
                        stack.append(name + "/")
                else:
                    found.append(name)
    found.sort()
    return found[:: max(1, len(found) // some)]


if __name__ == "__main__":
    make_tree(Path(sys.argv[1]), int(sys.argv[2]))
