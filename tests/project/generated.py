"""A project with a past, made from a seed: what a year of work by a few people leaves in git."""

from __future__ import annotations

import random
from collections.abc import Iterator

PEOPLE = (
    b"Ada Lovelace <ada@example.com>",
    b"\xc3\x89mile Zola <emile@example.org>",
    b"Grace Hopper <grace@navy.example>",
)
START_S = 1_650_000_000


class Project:
    """The stream of `git fast-import` for one project.

    Args:
        commits: How many commits main gets, merges included.
        seed: Another seed is another project.
    """

    def __init__(self, commits: int, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._commits = commits
        self._lines: dict[bytes, list[bytes]] = {}
        self._mark = 0

    def stream(self) -> bytes:
        """Return the whole stream."""
        return b"".join(self._parts())

    def _parts(self) -> Iterator[bytes]:
        main = 0
        while self._mark < self._commits:
            if self._mark > 20 and self._mark % 17 == 0:
                side = main
                for _ in range(self._random.randrange(1, 4)):
                    yield from self._commit(b"side", side, [], self._edits(b"side/"))
                    side = self._mark
                yield from self._commit(b"main", main, [side], [])
            else:
                yield from self._commit(b"main", main, [], self._edits(b""))
            main = self._mark
            if self._mark % 60 == 0:
                yield self._tag(main)
        yield b"reset refs/heads/release\nfrom :%d\n\n" % max(1, main - 5)
        yield b"reset refs/heads/side\nfrom 0000000000000000000000000000000000000000\n\n"

    def _commit(
        self, branch: bytes, parent: int, merged: list[int], edits: list[bytes]
    ) -> Iterator[bytes]:
        self._mark += 1
        who = b"%b %d %b\n" % (
            self._random.choice(PEOPLE),
            START_S + self._mark * 5_000,
            self._random.choice([b"+0100", b"-0500", b"+0530"]),
        )
        message = b"part %d: a change\n\nWhy it was made, at length.\n" % self._mark
        yield b"commit refs/heads/%b\nmark :%d\nauthor %bcommitter %b" % (
            branch, self._mark, who, who,
        )  # fmt: skip
        yield b"data %d\n%b\n" % (len(message), message)
        if parent:
            yield b"from :%d\n" % parent
        for other in merged:
            yield b"merge :%d\n" % other
        yield from edits
        yield b"\n"

    def _edits(self, folder: bytes) -> list[bytes]:
        if not self._lines:
            return [*self._beginning(), self._write(b"src/app.py")]
        paths = sorted(self._lines)
        chosen = [self._write(self._random.choice(paths)) for _ in range(self._random.randrange(3))]
        new = b"%bsrc/part%d/module_%d.py" % (folder, self._mark % 9, self._mark % 130)
        chosen.append(self._write(new))
        if self._mark % 23 == 0:
            gone = self._random.choice(paths)
            self._lines.pop(gone)
            chosen.append(b"D %b\n" % gone)
        return chosen

    def _beginning(self) -> list[bytes]:
        binary = bytes(self._random.randrange(256) for _ in range(20_000))
        return [
            _file(b"README.md", b"# A project\n"),
            _file(b".gitignore", b"*.pyc\nbuild/\n"),
            _file(b"scripts/run.sh", b"#!/bin/sh\nexec true\n", mode=b"100755"),
            _file(b"docs/latest", b"../README.md", mode=b"120000"),
            _file(b"assets/logo.bin", binary),
            _file("docs/grüße.txt".encode(), b"hallo\n"),
        ]

    def _write(self, path: bytes) -> bytes:
        lines = self._lines.setdefault(path, [b"# %b" % path])
        at = self._random.randrange(len(lines) + 1)
        lines[at:at] = [b"line %d" % self._random.randrange(10**6) for _ in range(5)]
        return _file(path, b"\n".join(lines) + b"\n")

    def _tag(self, mark: int) -> bytes:
        who = b"%b %d +0000\n" % (PEOPLE[0], START_S + mark * 5_000)
        return b"tag v%d\nfrom :%d\ntagger %bdata 8\nrelease\n\n" % (mark, mark, who)


def _file(path: bytes, data: bytes, *, mode: bytes = b"100644") -> bytes:
    return b"M %b inline %b\ndata %d\n%b\n" % (mode, path, len(data), data)
