"""Events are hints: whatever they miss, the lists end as a full scan would have them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import watchfiles
from rich.style import Style
from textual.strip import Strip

from muse.core.status import StatusEngine
from muse.ops.branch import create_branch
from muse.ops.switch import switch
from muse_tui.app import MuseApp
from muse_tui.bell import Bell
from muse_tui.looks import Looks
from muse_tui.model import DiffDoc, FileRow, Live, StatusDelta
from muse_tui.watcher import BATCH_LIMIT, Hint, Watcher, sort_events
from muse_tui.widgets.diff_pane import DiffList
from muse_tui.widgets.diff_rows import DiffRow
from muse_tui.widgets.lists import TreeList
from tests.tui.conftest import DEADLINE_S, Open, Song, Stage

pytestmark = pytest.mark.tui

_WAKES_OF_TWO_SECONDS = 24


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a command that writes files."""
    subprocess.run(command, cwd=cwd, check=True)


def queue_limit() -> int:
    """How many events the kernel keeps for a reader that does not read."""
    path = Path("/proc/sys/fs/inotify/max_queued_events")
    return min(int(path.read_text()), 16_384) if path.exists() else 4_000


def full_scan(song: Song) -> dict[bytes, tuple[str, str]]:
    """What a fresh look at everything says."""
    repo = song.repo
    engine = StatusEngine(repo.root, repo.objects, repo.refs, config=repo.config)
    return {e.path: (e.staged, e.unstaged) for e in engine.refresh_all().entries}


def shown(stage: Stage) -> dict[bytes, tuple[str, str]]:
    """What the panes say."""
    rows: dict[bytes, list[str]] = {}
    for row in stage.main.staged.rows.every():
        rows.setdefault(row.path, [" ", " "])[0] = row.mark
    for row in stage.main.tree_list.rows.every():
        rows.setdefault(row.path, [" ", " "])[1] = row.mark
    return {path: (marks[0], marks[1]) for path, marks in rows.items()}


async def settles(stage: Stage, song: Song) -> None:
    """Wait until the panes equal a full scan."""
    wanted = full_scan(song)
    await stage.until(lambda: shown(stage) == wanted, f"{len(wanted)} rows as a full scan has them")


class TestPanesEqualAFullScan:
    async def test_after_folders_that_are_copied_moved_and_unpacked(
        self, song: Song, opened: Open, tmp_path: Path
    ) -> None:
        """``cp -r``, a folder renamed in, ``tar``, nested new folders: nothing is missing."""
        tree = tmp_path / "tree"
        for number in range(300):
            path = tree / f"d{number % 20}" / f"e{number % 3}" / f"f{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number}\n")
        run("tar", "cf", tmp_path / "t.tar", "-C", tree, ".")
        async with opened(song.root) as stage:
            run("cp", "-r", tree, song.root / "copied")
            await settles(stage, song)
            tree.rename(song.root / "moved")
            await settles(stage, song)
            (song.root / "unpacked").mkdir()
            run("tar", "xf", tmp_path / "t.tar", "-C", song.root / "unpacked")
            await settles(stage, song)
            assert len(stage.tree()) == 900
            (song.root / "moved").rename(song.root / "elsewhere")
            shutil.rmtree(song.root / "copied")
            await settles(stage, song)
            assert len(stage.tree()) == 600

    async def test_after_a_storm(self, song: Song, opened: Open) -> None:
        """Thousands of files at once end in a full scan that is told as such."""
        async with opened(song.root) as stage:
            script = (
                "import os,sys\n"
                "os.makedirs('storm')\n"
                "for n in range(6000): open(f'storm/{n}', 'w').close()\n"
            )
            run("python3", "-c", script, cwd=song.root)
            await settles(stage, song)
            await stage.until(lambda: stage.main.watch_view.live is Live.LIVE)
            assert len(stage.tree()) == 6000
            shutil.rmtree(song.root / "storm")
            await settles(stage, song)

    @pytest.mark.slow
    async def test_after_a_storm_of_forty_thousand(self, song: Song, opened: Open) -> None:
        """However it comes, in batches or too fast for any, it ends as a full scan has it."""
        async with opened(song.root) as stage:
            script = (
                "import os\n"
                "for n in range(40000):\n"
                " os.makedirs(f'storm/{n % 50}', exist_ok=True)\n"
                " open(f'storm/{n % 50}/{n}', 'w').close()\n"
            )
            run("python3", "-c", script, cwd=song.root)
            await settles(stage, song)
            assert len(stage.tree()) == 40_000
            shutil.rmtree(song.root / "storm")
            await settles(stage, song)
            assert not stage.tree()

    async def test_after_another_process_switches_branches(self, song: Song, opened: Open) -> None:
        """HEAD, history and files follow a switch made elsewhere."""
        create_branch(song.repo, "old", start="HEAD~1")
        async with opened(song.root) as stage:
            switch(song.repo, "old")
            await stage.until(lambda: stage.main.head.branch == "old")
            await stage.until(lambda: stage.subjects() == ["Start"])
            await settles(stage, song)
            assert not stage.tree()

    @pytest.mark.parametrize("who", ["engine", "watcher"])
    async def test_after_one_was_stopped_and_events_overflowed(
        self, song: Song, opened: Open, who: str
    ) -> None:
        """Stopped while files come, it finds them when it goes on, queue overflow or not."""
        count = queue_limit() // 2
        async with opened(song.root) as stage:
            pid = stage.main.engine.pid if who == "engine" else watcher_of(stage)
            os.kill(pid, signal.SIGSTOP)
            try:
                (song.root / "many").mkdir()
                for number in range(count):
                    path = song.root / f"many/{number}"
                    path.touch()
                    if number % 2:
                        path.unlink()
            finally:
                os.kill(pid, signal.SIGCONT)
            await settles(stage, song)

    async def test_ignored_folders_stay_quiet_and_rules_apply_at_once(
        self, song: Song, opened: Open
    ) -> None:
        """A new rule hides what it names, and its removal shows it again."""
        async with opened(song.root) as stage:
            song.write("node_modules/a/b.js", "x\n")
            await settles(stage, song)
            assert len(stage.tree()) == 1
            song.write(".museignore", "node_modules/\n")
            await stage.until(lambda: list(stage.tree()) == [".museignore"])
            song.write("node_modules/c/d.js", "x\n")
            (song.root / ".museignore").unlink()
            await settles(stage, song)
            assert len(stage.tree()) == 2

    async def test_below_a_folder_with_a_telling_name(self, tmp_path: Path, opened: Open) -> None:
        """A repository below ``node_modules`` sees its files like any other."""
        song = Song(tmp_path / "node_modules" / "song")
        async with opened(song.root) as stage:
            song.write("idea.md", "x\n")
            await stage.until(lambda: "idea.md" in stage.tree())


class TestItsProcess:
    async def test_what_changes_before_it_watches_is_found(self, song: Song) -> None:
        """Between the first look and the watches nobody hears of a change; the badge says so."""
        app = MuseApp(song.root)
        pid = stopped_watcher(app)
        try:
            async with app.run_test(size=(120, 40)) as pilot:
                stage = Stage(app, pilot)
                await stage.until(lambda: stage.main.watch_view.live is Live.SETTING_UP)
                song.write("idea.md", "written meanwhile\n")
                await asyncio.sleep(0.3)
                assert "setting up" in stage.line("#header")
                assert not stage.tree()
                os.kill(pid, signal.SIGCONT)
                await stage.until(lambda: "idea.md" in stage.tree())
                await stage.until(lambda: stage.main.watch_view.live is Live.LIVE)
                assert stage.main.watch_view.reconciles == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def test_killed_it_is_replaced(self, song: Song, opened: Open) -> None:
        """What changes while nobody watches is found, and what changes later is seen."""
        async with opened(song.root) as stage:
            os.kill(watcher_of(stage), signal.SIGKILL)
            song.write("idea.md", "x\n")
            await settles(stage, song)
            song.write("later.md", "x\n")
            await settles(stage, song)
            assert not watchers_of(stage)
            assert len(stage.tree()) == 2

    async def test_it_ends_with_the_engine(self, song: Song, opened: Open) -> None:
        """A killed engine leaves no process; its successor has a watcher of its own."""
        async with opened(song.root) as stage:
            first = watcher_of(stage)
            os.kill(stage.main.engine.pid, signal.SIGKILL)
            await stage.until(lambda: not Path(f"/proc/{first}").exists())
            await stage.until(
                lambda: stage.main.watch_view.live is Live.LIVE and watchers_of(stage)
            )
            song.write("idea.md", "x\n")
            await settles(stage, song)
            last = watcher_of(stage)
        deadline = time.monotonic() + DEADLINE_S
        while os.path.exists(f"/proc/{last}"):  # noqa: ASYNC240 - nothing of the kernel's blocks
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


def stopped_watcher(app: MuseApp) -> int:
    """Stop the watcher as soon as there is one, before the engine has anything to watch."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := children(app.engine.pid)):
        assert time.monotonic() < deadline
    os.kill(found[0], signal.SIGSTOP)
    return found[0]


def children(pid: int) -> list[int]:
    """Return the processes that one has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def watchers_of(stage: Stage) -> list[int]:
    """Return the processes that the engine has: the first is its watcher."""
    return children(stage.main.engine.pid)


def watcher_of(stage: Stage) -> int:
    """Return the process that watches."""
    return watchers_of(stage)[0]


class TestQuiet:
    async def test_own_writes_do_not_feed_back(self, song: Song, opened: Open) -> None:
        """Staging refreshes a constant number of times; then nothing moves any more."""
        song.write("idea.md", "x\n")
        async with opened(song.root) as stage:
            await stage.until(stage.tree)
            await stage.press("space")
            await stage.until(stage.staged)
            await stage.until(lambda: stage.staged()["idea.md"].added == 1)
            await stage.pilot.pause(0.5)
            before = stage.main.watch_view
            await stage.pilot.pause(0.7)
            assert stage.main.watch_view == before

    async def test_a_saved_file_is_told_once_and_paints_its_row(
        self, song: Song, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One file of many: one delta for its row, one for its count; other rows stay as drawn."""
        for number in range(500):
            song.write(f"many/{number:03}.txt", "x\n")
        song.commit("Many")
        for number in range(0, 500, 10):
            song.write(f"many/{number:03}.txt", "y\n")
        async with opened(song.root) as stage:
            await stage.until(lambda: len(stage.tree()) == 50)
            await stage.until(lambda: all(row.added == 1 for row in stage.tree().values()))
            await stage.until(stage.diff_text)
            deltas: list[StatusDelta] = []
            drawn: list[str] = []
            row_line, hear = TreeList.row_line, stage.app.engine._hear

            def counted(pane: TreeList, row: FileRow, *, width: int, base: Style) -> Strip:
                drawn.append(row.shown)
                return row_line(pane, row, width=width, base=base)

            def heard(name: str, payload: object) -> None:
                if isinstance(payload, StatusDelta):
                    deltas.append(payload)
                hear(name, payload)

            monkeypatch.setattr(TreeList, "row_line", counted)
            stage.app.engine._hear = heard
            song.write("many/020.txt", "y\nz\n")
            await stage.until(lambda: stage.tree()["many/020.txt"].added == 2)
            assert len(deltas) <= 2
            assert sum(len(delta.tree) for delta in deltas) <= 2
            assert set(drawn) == {"many/020.txt"}

    async def test_a_touched_file_that_reads_the_same_draws_no_diff(
        self, song: Song, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its diff is read again, because its bytes might differ; the same one is not drawn."""
        song.write("verse.txt", "another line\n")
        async with opened(song.root) as stage:
            await stage.until(stage.diff_text)
            await stage.until(lambda: stage.tree()["verse.txt"].added == 1)
            told: list[DiffDoc | None] = []
            drawn: list[object] = []
            tell, row_line = DiffList.tell, DiffList.row_line

            def heard(pane: DiffList, doc: DiffDoc | None) -> None:
                told.append(doc)
                tell(pane, doc)

            def counted(pane: DiffList, row: DiffRow, *, width: int, base: Style) -> Strip:
                drawn.append(row)
                return row_line(pane, row, width=width, base=base)

            monkeypatch.setattr(DiffList, "tell", heard)
            monkeypatch.setattr(DiffList, "row_line", counted)
            os.utime(song.root / "verse.txt")
            await stage.until(lambda: told)
            assert not drawn
            song.write("verse.txt", "yet another line\n")
            await stage.until(lambda: "+yet another line" in stage.diff_text())
            await stage.until(lambda: drawn)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")
class TestBell:
    def test_it_rings_for_one_thread_only(self, tmp_path: Path) -> None:
        """An event wakes the thread that hung it up, also one from before it waits."""
        rung: list[bool] = []
        hung, written = threading.Event(), threading.Event()

        def listen() -> None:
            turns = watchfiles.watch(tmp_path, step=5, rust_timeout=5, yield_on_timeout=True)
            next(turns)
            bell = Bell()
            assert bell.hang()
            rung.append(bell.wait(0.01))
            hung.set()
            written.wait(DEADLINE_S)
            rung.append(bell.wait(DEADLINE_S))
            turns.close()

        thread = threading.Thread(target=listen)
        thread.start()
        assert hung.wait(DEADLINE_S)
        (tmp_path / "a.txt").write_text("x\n")
        written.set()
        thread.join(DEADLINE_S)
        assert rung == [False, True]

    def test_without_watches_there_is_nothing_to_hang_it_on(self, tmp_path: Path) -> None:
        """A process that watches nothing is told so, and looks by itself."""
        script = "from muse_tui.bell import Bell; print(Bell().hang())"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=True
        )
        assert done.stdout == b"False\n"

    def test_a_quiet_tree_is_looked_at_now_and_then(self, tmp_path: Path) -> None:
        """While nothing happens the watcher wakes some times a second, not at each step."""
        assert wakes(tmp_path, Bell()) <= _WAKES_OF_TWO_SECONDS
        assert wakes(tmp_path, Mute()) > _WAKES_OF_TWO_SECONDS  # or the count would see nothing

    def test_what_comes_as_a_look_ends_is_there_for_the_next(self, tmp_path: Path) -> None:
        """A look that ends without an event throws none away that has come meanwhile."""
        looks = Looks(str(tmp_path), threading.Event())
        for number in range(50):
            path = tmp_path / f"{number}.txt"
            path.write_text("x\n")
            # Its only step is over after the event has come, and its time before that.
            assert looks.take(step_ms=20, within_s=0.0) == set()
            found: set[str] = set()
            while str(path) not in found:
                found |= {name for _, name in looks.take(step_ms=2, within_s=DEADLINE_S)}
        looks.close()

    def test_where_it_cannot_be_hung_up_events_come_as_well(self, tmp_path: Path) -> None:
        """The watcher looks at every step then."""
        heard: queue.SimpleQueue[Hint] = queue.SimpleQueue()
        told = threading.Event()
        watcher = Watcher(str(tmp_path), heard.put, lambda *_: told.set())
        watcher.bell = Mute()
        watcher.start()
        assert told.wait(DEADLINE_S)
        (tmp_path / "a.txt").write_text("x\n")
        assert heard.get(timeout=DEADLINE_S).paths == {b"a.txt"}
        watcher.stop()


class Mute(Bell):
    """A bell that cannot be hung up, as elsewhere than on Linux."""

    def hang(self) -> bool:
        """Refuse."""
        return False


def wakes(root: Path, bell: Bell) -> int:
    """How often a watcher's thread waits for something in two seconds of a quiet tree."""
    told = threading.Event()
    watcher = Watcher(str(root), lambda _: None, lambda *_: told.set())
    watcher.bell = bell
    watcher.start()
    assert told.wait(DEADLINE_S)
    # It looks for what came while the watches were set up, and then no more.
    time.sleep(0.5)
    status = Path(f"/proc/self/task/{watcher._thread.native_id}/status")

    def waits() -> int:
        text = status.read_text()
        return int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[0])

    before = waits()
    time.sleep(2.0)
    after = waits()
    watcher.stop()
    return after - before


class TestHints:
    def test_events_are_sorted(self, tmp_path: Path) -> None:
        """Paths, new folders and what happened in .muse are told apart."""
        (tmp_path / "new").mkdir()
        base = str(tmp_path)
        hint = sort_events(
            [
                (2, f"{base}/a.txt"),
                (1, f"{base}/new"),
                (3, f"{base}/gone"),
                (2, f"{base}/.muse/HEAD"),
                (2, f"{base}/.muse/refs/heads/main"),
                (2, f"{base}/.muse/objects/sha256/aa/bb"),
                (2, f"{base}/.muse/lock"),
                (2, f"{base}/.git/index"),
                (2, "/elsewhere/x"),
            ],
            base,
            seen_s=1.0,
        )
        assert hint.paths == {b"a.txt", b"gone"}
        assert hint.folders == {b"new"}
        assert hint.meta == {"head", "refs"}
        assert not hint.reconcile

    def test_a_large_batch_asks_for_everything(self, tmp_path: Path) -> None:
        """Above a limit single paths are not trusted."""
        events = [(1, f"{tmp_path}/{n}") for n in range(BATCH_LIMIT + 1)]
        assert "events at once" in sort_events(events, str(tmp_path), seen_s=1.0).reconcile
        assert not Hint()

    def test_without_watches_it_polls_and_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Out of watches, everything is looked at now and then, and the reason is told."""

        def refuse(*args: object, **options: object) -> None:
            raise OSError(28, "OS file watch limit reached")

        monkeypatch.setattr(watchfiles._rust_notify, "RustNotify", refuse)
        told: list[tuple[str, str]] = []
        polled = threading.Event()

        def hear(hint: Hint) -> None:
            if hint.reconcile == "poll":
                polled.set()

        watcher = Watcher(
            str(tmp_path), hear, lambda state, why: told.append((state, why)), poll_s=0.01
        )
        watcher.start()
        assert polled.wait(DEADLINE_S)
        watcher.stop()
        assert told[0][0] == "polling"
        assert "max_user_watches" in told[0][1]
