"""Repositories to look at, and the interface running on them without a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from muse.core.commits import Signature
from muse.core.repo import Repository, open_repo
from muse.ops.add import add
from muse.ops.commit import commit
from muse.ops.init import init
from muse_tui.app import MuseApp
from muse_tui.model import FileRow, Live
from tests.tui.terminal import Terminal

ADA = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")
DEADLINE_S = 20.0


class Song:
    """A small repository with two commits, and what a test does to it.

    Args:
        root: Its folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        init(root)

    @property
    def repo(self) -> Repository:
        """The repository, opened anew."""
        return open_repo(self.root, do_sweep=False)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the working tree."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def add(self, *names: str) -> None:
        """Stage files."""
        add(self.repo, [os.fsencode(name) for name in names] or [b""])

    def commit(self, message: str, *, time_s: int = 0) -> str:
        """Commit everything."""
        who = ADA._replace(time_s=ADA.time_s + time_s)
        self.add()
        return commit(self.repo, message=message, committer=who).oid


@pytest.fixture
def song(tmp_path: Path) -> Song:
    """A repository with two commits and a clean working tree."""
    made = Song(tmp_path / "song")
    made.write("verse.txt", "".join(f"line {n}\n" for n in range(1, 41)))
    made.write("src/auth.py", "def login(user):\n    return check(user)\n")
    made.commit("Start")
    made.write("chorus.txt", "la la la\n")
    made.commit("Add the chorus", time_s=60)
    return made


class Stage:
    """The interface on a repository, driven by a pilot.

    Args:
        app: The application.
        pilot: Its pilot.
    """

    def __init__(self, app: MuseApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot, self.main = app, pilot, app.main

    async def until(self, condition: Callable[[], Any], what: str = "") -> None:
        """Wait for a condition, with a deadline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_S
        while not condition():
            if loop.time() > deadline:
                raise AssertionError(f"{what or condition} did not happen; {self.told()}")
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type text."""
        await self.press(*("space" if char == " " else char for char in text))

    def busy(self) -> bool:
        """Whether a job runs."""
        return self.main.desk is not None and self.main.desk.running is not None

    def told(self) -> list[str]:
        """What the status line has said."""
        return [text for _, _, text in self.main.done_log]

    def tree(self) -> dict[str, FileRow]:
        """The working tree's rows by path."""
        return {row.shown: row for row in self.main.tree_list.rows.every()}

    def staged(self) -> dict[str, FileRow]:
        """The stage's rows by path."""
        return {row.shown: row for row in self.main.staged.rows.every()}

    def subjects(self) -> list[str]:
        """The subjects of the history."""
        return [row.subject for row in self.main.history.rows.every()]

    def diff_text(self) -> list[str]:
        """The diff's lines with their signs."""
        doc = self.main.diff.doc
        return [f"{line.kind}{line.text}" for line in doc.lines] if doc else []

    def line(self, selector: str, y: int = 0) -> str:
        """The text of one line of a widget."""
        return self.app.screen.query_one(selector).render_line(y).text


Open = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]


@pytest.fixture
def opened() -> Open:
    """Open the interface on a folder and wait until it is live."""

    @contextlib.asynccontextmanager
    async def open_it(
        root: Path, *, size: tuple[int, int] = (120, 40), live: bool = True
    ) -> AsyncIterator[Stage]:
        app = MuseApp(root)
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot)
            if live:
                await stage.until(
                    lambda: stage.main.watch_view.live is Live.LIVE, "the list going live"
                )
                await stage.until(lambda: stage.main.history_view is not None, "the history")
            yield stage

    return open_it


@pytest.fixture
def start() -> Iterator[Callable[..., Terminal]]:
    """Start ``muse-tui`` in a terminal; it is ended with the test."""
    running: list[Terminal] = []

    def begin(root: Path, *arguments: str, size: tuple[int, int] = (120, 40)) -> Terminal:
        running.append(Terminal("muse-tui", *arguments, cwd=root, size=size))
        return running[-1]

    yield begin
    for terminal in running:
        terminal.close()
