"""Trees of files as projects have them, and edits of them: what the tree tests draw from."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK

Files = dict[bytes, tuple[int, bytes]]

_FOLDERS = (b"", b"", b"src/", b"src/core/", b"src.old/", b"docs/", b"a/b/c/")
_NAMES = (b"README", b"main.py", b"util.py", b"a", b"b.txt", b"caf\xc3\xa9", b"two words", b"x-y")
_WORDS = (b"import os", b"def f(x):", b"    return x", b"", b"}", b"value = 1", b"text " * 20)


def make_files(rng: random.Random, *, most: int = 12) -> Files:
    """Make a tree of a few files."""
    files: Files = {}
    for _ in range(rng.randrange(most)):
        put(files, rng.choice(_FOLDERS) + rng.choice(_NAMES), make_file(rng))
    return files


def make_file(rng: random.Random) -> tuple[int, bytes]:
    """Make a file: mostly text, now and then empty, binary, executable or a symlink."""
    what = rng.randrange(20)
    if what == 0:
        return MODE_LINK, rng.choice((b"main.py", b"../elsewhere"))
    if what == 1:
        return MODE_FILE, b""
    if what == 2:
        return MODE_FILE, rng.randbytes(rng.randrange(1, 400)) + b"\0"
    mode = MODE_EXEC if what == 3 else MODE_FILE
    lines = [
        rng.choice(_WORDS) if rng.random() < 0.4 else b"line %d" % rng.randrange(10**6)
        for _ in range(rng.randrange(1, 40))
    ]
    end = rng.choice((b"\n", b"\n", b"\n", b"\r\n"))
    text = end.join(lines)
    return mode, text if rng.random() < 0.1 else text + end


def put(files: Files, path: bytes, entry: tuple[int, bytes]) -> None:
    """Set a file; what stands in its way (a file for a folder, or a folder) goes."""
    parts = path.split(b"/")
    for depth in range(1, len(parts)):
        files.pop(b"/".join(parts[:depth]), None)
    for other in [other for other in files if other.startswith(path + b"/")]:
        del files[other]
    files[path] = entry


def edit_entry(rng: random.Random, entry: tuple[int, bytes]) -> tuple[int, bytes]:
    """Replace, remove and insert a few lines; a symlink gets another target."""
    mode, content = entry
    if mode == MODE_LINK:
        return mode, rng.choice((b"main.py", b"../elsewhere", b"new/target"))
    lines = content.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(lines) + 1)
        fresh = [b"new %d" % rng.randrange(10**6) for _ in range(rng.randrange(4))]
        lines[at : at + rng.randrange(4)] = fresh
    return mode, b"\n".join(lines)


def edit_files(rng: random.Random, files: Files) -> Files:
    """Make the edits of a day: change, move, copy, remove, add, change modes and types."""
    result = dict(files)
    for _ in range(rng.randrange(1, 8)):
        what = rng.randrange(9)
        if not result or what == 0:
            put(result, rng.choice(_FOLDERS) + rng.choice(_NAMES), make_file(rng))
            continue
        path = rng.choice(sorted(result))
        mode, content = result[path]
        if what in {1, 2, 3}:
            del result[path]
            moved = (mode, content)
            if rng.random() < 0.6:
                moved = edit_entry(rng, moved)
            name = rng.choice((path.rsplit(b"/")[-1], rng.choice(_NAMES)))
            put(result, rng.choice(_FOLDERS) + name, moved)
        elif what == 4:
            put(result, rng.choice(_FOLDERS) + rng.choice(_NAMES), (mode, content))
        elif what == 5:
            del result[path]
        elif what == 6 and mode != MODE_LINK:
            result[path] = (MODE_EXEC if mode == MODE_FILE else MODE_FILE, content)
        elif what == 7 and rng.random() < 0.3:
            result[path] = make_file(rng)
        else:
            result[path] = edit_entry(rng, (mode, content))
    return result


def end_lines(files: Files) -> Files:
    """Give every non-empty file a final newline."""
    return {
        path: (mode, content)
        if mode == MODE_LINK or not content or content.endswith(b"\n")
        else (mode, content + b"\n")
        for path, (mode, content) in files.items()
    }


@st.composite
def file_sets(draw: st.DrawFn, *, whole_lines: bool = False) -> tuple[Files, Files]:
    """Draw a tree of files and the tree after a day of edits."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    before = make_files(rng)
    after = edit_files(rng, before)
    return (end_lines(before), end_lines(after)) if whole_lines else (before, after)
