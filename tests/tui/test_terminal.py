"""The installed command in a real terminal: a session as a person has it, and every death."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.repo import open_repo
from muse.core.status import StatusEngine
from muse.ops.init import init
from muse.ops.remote import add_remote
from muse_tui.backend import drafts
from tests.tui.conftest import Song
from tests.tui.terminal import DEADLINE_S, Terminal, is_running

pytestmark = pytest.mark.tui


def wakes(pid: int) -> int:
    """How often the threads of a process have waited for something so far."""
    found = 0
    for task in Path(f"/proc/{pid}/task").glob("*/status"):
        text = task.read_text()
        found += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[0])
    return found


class TestSession:
    def test_edit_see_stage_commit_push_kill_and_read_health(
        self, song: Song, start: Callable[..., Terminal]
    ) -> None:
        """A file edited outside is seen, staged and committed; after kill -9 health tells it."""
        origin = song.root.parent / "origin"
        init(origin, bare=True)
        add_remote(song.repo, "origin", str(origin))
        terminal = start(song.root)
        terminal.until("Nothing changed.")
        song.write("idea.md", "an idea\n")
        terminal.until("idea.md")
        terminal.send(" ")
        terminal.until("Staged idea.md")
        terminal.send("c")
        terminal.until("ctrl+s commit")
        terminal.send("Add an idea")
        terminal.until("Add an idea")
        terminal.send("\x13")
        terminal.until("Committed")
        assert song.repo.head_commit() is not None
        terminal.send("P")
        terminal.until("Pushed main to origin")
        terminal.until("↑0 ↓0")
        there = open_repo(origin, do_sweep=False)
        assert there.refs.read("refs/heads/main") == song.repo.head().commit
        terminal.send("c")
        terminal.until("There is nothing to commit")
        song.write("more.md", "more\n")
        terminal.until("more.md")
        terminal.send("ac")
        terminal.until("ctrl+s commit")
        terminal.send("Half a sent")
        terminal.until("Half a sent")
        terminal.kill_interface(signal.SIGKILL)
        assert terminal.wait() == 128 + signal.SIGKILL
        assert terminal.is_restored()
        assert "Your commit message is kept" in terminal.raw.decode()
        again = start(song.root)
        again.until("muse-tui was killed")
        again.until("your draft is kept")
        again.send("c")
        again.until("esc keep draft")
        again.until("Half a sent")
        again.send("\x1b")
        again.until(lambda: "esc keep draft" not in again.text())
        again.send("4")
        again.until("The interface was killed")
        again.send("q")
        assert again.wait() == 0
        assert again.is_restored()


class TestKeys:
    def test_escape_arrows_and_letters_in_pieces_arrive(
        self, song: Song, start: Callable[..., Terminal]
    ) -> None:
        """An escape alone is a key, before other bytes it is not; half a letter waits."""
        song.write("idea.md", "x\n")
        song.write("jot.md", "x\n")
        terminal = start(song.root)
        terminal.until("2 changed")
        terminal.send("\x1b[B")
        terminal.until(lambda: "jot.md" in terminal.screen.display[1].partition("Diff")[2])
        terminal.send(" c")
        terminal.until("ctrl+s commit")
        for byte in "Café".encode():
            terminal.process.send(bytes([byte]))
            terminal.read()
        terminal.until("Café")
        terminal.send("\x1b")
        terminal.until(lambda: "ctrl+s commit" not in terminal.text())
        assert drafts.read_draft(song.root).text == "Café"

    def test_what_was_asked_for_before_leaving_is_done(
        self, song: Song, start: Callable[..., Terminal]
    ) -> None:
        """``a`` and ``q`` at once: all is staged, though the window is gone already."""
        for number in range(400):
            song.write(f"many/{number:03}.txt", f"{number}\n" * 500)
        terminal = start(song.root)
        terminal.until("400 changed")
        engine = terminal.children(terminal.interface())[0]
        terminal.send("aq")
        assert terminal.wait() == 0
        deadline = time.monotonic() + DEADLINE_S
        while is_running(engine):
            assert time.monotonic() < deadline, "the engine stays"
            time.sleep(0.02)
        repo = open_repo(song.root)
        status = StatusEngine(repo.root, repo.objects, repo.refs, config=repo.config)
        marks = [(entry.staged, entry.unstaged) for entry in status.refresh_all().entries]
        assert marks == [("A", " ")] * 400


class TestIdle:
    @pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="nothing counts wakes here")
    def test_nobody_wakes(self, song: Song, start: Callable[..., Terminal]) -> None:
        """While nothing happens the interface sleeps, and the engine wakes some times a second."""
        terminal = start(song.root)
        terminal.until("Nothing changed.")
        interface = terminal.interface()
        pids = (interface, terminal.children(interface)[0])
        woken: list[int] = []
        for _ in range(10):  # what follows the first frame ends at some time
            terminal.read()
            before = [wakes(pid) for pid in pids]
            time.sleep(2.0)
            woken = [wakes(pid) - old for pid, old in zip(pids, before, strict=True)]
            if woken[0] <= 2 and woken[1] <= 2 * 12:
                return
        raise AssertionError(f"they woke {woken} times in two seconds")

    @pytest.mark.skipif(shutil.which("strace") is None, reason="nothing here traces system calls")
    def test_nothing_is_written(
        self, song: Song, start: Callable[..., Terminal], tmp_path: Path
    ) -> None:
        """While nothing happens, neither interface nor engine opens, writes or moves a file."""
        terminal = start(song.root)
        terminal.until("Nothing changed.")
        song.write("idea.md", "x\n")
        terminal.until("idea.md")
        interface = terminal.interface()
        traces = []
        for number, pid in enumerate((interface, terminal.children(interface)[0])):
            trace = tmp_path / f"trace-{number}"
            # Long enough for every timer of the watcher; what came before has ended by then.
            command = ["timeout", "-s", "INT", "4", "strace", "-f", "-qq", "-tt", "-o", str(trace),
                       "-e", "trace=desc,file", "-p", str(pid)]  # fmt: skip
            traces.append((trace, subprocess.Popen(command, stderr=subprocess.DEVNULL)))
        for _, process in traces:
            while process.poll() is None:
                terminal.read()
        writing = re.compile(
            r"O_WRONLY|O_RDWR|O_CREAT|rename|unlink|fsync|fdatasync|pwrite|ftruncate|mkdir"
        )
        for trace, _ in traces:
            lines = trace.read_text().splitlines()
            assert lines, "nothing was traced"
            assert not [line for line in lines if writing.search(line)]


class TestDeaths:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_a_polite_signal_leaves_cleanly(
        self, song: Song, start: Callable[..., Terminal], number: int
    ) -> None:
        """SIGTERM and SIGHUP end it with the draft on disk and the terminal as it was."""
        song.write("chorus.txt", "lo\n")
        song.add("chorus.txt")
        terminal = start(song.root)
        terminal.until("chorus.txt")
        terminal.send("c")
        terminal.until("ctrl+s commit")
        terminal.send("draft of it")
        terminal.until("draft of it")
        terminal.kill_interface(number)
        assert terminal.wait() == 128 + number
        assert terminal.is_restored()
        assert drafts.read_draft(song.root).text == "draft of it"
        again = start(song.root)
        again.until("clean shutdown")

    def test_the_guard_passes_signals_on(self, song: Song, start: Callable[..., Terminal]) -> None:
        """SIGTERM to the process that the shell knows ends the interface cleanly."""
        terminal = start(song.root)
        terminal.until("Nothing changed.")
        terminal.process.kill(signal.SIGTERM)
        assert terminal.wait() == 128 + signal.SIGTERM
        assert terminal.is_restored()

    def test_a_hang_up_ends_everything(self, song: Song, start: Callable[..., Terminal]) -> None:
        """When the terminal or the guard is gone, neither interface nor engine stays behind."""
        for hang_up in ("guard", "terminal"):
            terminal = start(song.root)
            terminal.until("Nothing changed.")
            terminal.send("?")
            terminal.until("type to filter")
            interface = terminal.interface()
            engine = terminal.children(interface)[0]
            if hang_up == "guard":
                terminal.process.kill(signal.SIGKILL)
            else:
                terminal.hang_up()
            deadline = time.monotonic() + DEADLINE_S
            while any(is_running(pid) for pid in (interface, engine)):
                assert time.monotonic() < deadline, hang_up
                time.sleep(0.02)  # a process that is not our child can only be polled

    def test_the_engine_is_started_again(self, song: Song, start: Callable[..., Terminal]) -> None:
        """Killing the engine costs nothing but a moment: the lists come back."""
        terminal = start(song.root)
        terminal.until("Nothing changed.")
        os.kill(terminal.children(terminal.interface())[0], signal.SIGKILL)
        terminal.until("The engine stopped")
        song.write("idea.md", "an idea\n")
        terminal.until("idea.md")


class TestCommandLine:
    def test_outside_of_a_repository_it_offers_one(
        self, tmp_path: Path, start: Callable[..., Terminal]
    ) -> None:
        """It names the folder, and ``y`` creates a repository there and opens it."""
        terminal = start(tmp_path)
        terminal.until("is not inside a Muse repository")
        terminal.send("y")
        terminal.until("Nothing changed.")
        assert (tmp_path / ".muse").is_dir()
        terminal.send("q")
        assert terminal.wait() == 0

    def test_a_folder_can_be_named(self, song: Song, start: Callable[..., Terminal]) -> None:
        """``muse-tui DIR`` opens the repository at or above DIR."""
        terminal = start(Path("/"), str(song.root / "src"))
        terminal.until("Add the chorus")
