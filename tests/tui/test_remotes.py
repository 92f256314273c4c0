"""Push, pull, fetch and their jobs: progress, cancelling, adopting, and one at a time."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
from textual.widgets import Input

from muse.core.repo import open_repo
from muse.ops.init import init
from muse.ops.remote import add_remote
from muse_tui import jobs
from muse_tui.job_files import read_job, read_jobs
from muse_tui.jobs import JobDesk, JobRefusedError
from muse_tui.model import JobView
from muse_tui.screens.menu import AskScreen, MenuScreen
from muse_tui.widgets.status_line import StatusLine, rate_text
from tests.tui.conftest import Open, Song

pytestmark = pytest.mark.tui


@pytest.fixture
def origin(song: Song, tmp_path: Path) -> Path:
    """A bare repository beside the song, which the song knows as ``origin``."""
    folder = tmp_path / "origin"
    init(folder, bare=True)
    add_remote(song.repo, "origin", str(folder))
    return folder


class TestPush:
    async def test_it_sets_the_upstream_and_counts(
        self, song: Song, origin: Path, opened: Open
    ) -> None:
        """The first push makes the branch follow; ahead and behind are known from then on."""
        async with opened(song.root) as stage:
            await stage.press("P")
            await stage.until(lambda: any("Pushed main" in text for text in stage.told()))
            await stage.until(lambda: stage.main.head.upstream == "origin/main")
            there = open_repo(origin).refs.read("refs/heads/main")
            assert there == song.repo.head().commit
            song.write("more.md", "x\n")
            song.commit("More", time_s=120)
            await stage.until(lambda: stage.main.head.ahead == 1)
            assert "↑1" in stage.line("#header")
            await stage.until(lambda: stage.main.history.rows[0].mark == "↑")
            await stage.press("P")
            await stage.until(lambda: stage.main.head.ahead == 0)

    async def test_without_a_remote_it_asks_for_one(
        self, song: Song, tmp_path: Path, opened: Open
    ) -> None:
        """The address typed becomes ``origin``, and the push goes on."""
        init(tmp_path / "there", bare=True)
        async with opened(song.root) as stage:
            await stage.press("P")
            await stage.until(
                lambda: (
                    isinstance(stage.app.screen, AskScreen) and isinstance(stage.app.focused, Input)
                )
            )
            stage.app.screen.query_one(Input).value = str(tmp_path / "there")
            await stage.press("enter")
            await stage.until(lambda: any("Pushed main" in text for text in stage.told()))

    async def test_a_refused_push_says_why_and_what_next(
        self, song: Song, origin: Path, opened: Open, tmp_path: Path
    ) -> None:
        """What only the other side has is an error with a hint; force wants the branch typed."""
        other = Song(tmp_path / "other")
        other.write("theirs.txt", "x\n")
        other.commit("Theirs")
        add_remote(other.repo, "origin", str(origin))
        from muse.ops.push import push

        push(other.repo, remote="origin")
        async with opened(song.root) as stage:
            await stage.press("P")
            await stage.until(
                lambda: (
                    stage.main.last_failure
                    or any("diverged" in text or "has commits" in text for text in stage.told())
                )
            )
            assert stage.main.done_log[-1][1] == "bad"
            await stage.press("P")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("f")
            await stage.until(
                lambda: (
                    isinstance(stage.app.screen, AskScreen) and isinstance(stage.app.focused, Input)
                )
            )
            await stage.press("enter")
            assert isinstance(stage.app.screen, AskScreen)
            await stage.type("main")
            await stage.press("enter")
            await stage.until(lambda: any("Pushed main" in text for text in stage.told()))
            assert open_repo(origin).refs.read("refs/heads/main") == song.repo.head().commit


class TestPull:
    async def test_it_brings_the_branch_forward(
        self, song: Song, origin: Path, opened: Open, tmp_path: Path
    ) -> None:
        """A commit of somebody else arrives with its file; fetch only shows it."""
        from muse.ops.clone import clone

        async with opened(song.root) as stage:
            await stage.press("P")
            await stage.until(lambda: stage.main.head.upstream == "origin/main")
            clone(str(origin), tmp_path / "other", cwd=tmp_path)
            other = Song.__new__(Song)
            other.root = tmp_path / "other"
            other.write("theirs.txt", "x\n")
            other.commit("Theirs", time_s=300)
            from muse.ops.push import push

            push(other.repo)
            await stage.press("f")
            await stage.until(lambda: stage.main.head.behind == 1)
            await stage.until(lambda: stage.main.history.rows[0].mark == "↓")
            await stage.press("p")
            await stage.until(lambda: stage.main.head.behind == 0)
            assert (song.root / "theirs.txt").exists()
            await stage.until(lambda: stage.subjects()[0] == "Theirs")


class TestJobs:
    async def test_one_at_a_time(self, song: Song, origin: Path, opened: Open) -> None:
        """While a job runs a second one is refused, in words."""
        async with opened(song.root) as stage:
            desk = stage.main.desk
            assert desk is not None
            desk.running = JobView("x", "push", "origin/main")
            await stage.press("P")
            await stage.until(lambda: any("Still pushing" in text for text in stage.told()))
            with pytest.raises(JobRefusedError):
                desk.start("fetch", "", {})
            desk.running = None

    async def test_a_running_job_is_found_again(self, song: Song, opened: Open) -> None:
        """The next interface shows the job of a dead one, and its end."""
        folder = song.root / ".muse" / "jobs" / "20260101T000000-1-push"
        folder.mkdir(parents=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        spec = {"kind": "push", "label": "origin/main", "started_s": 1.0, "pid": os.getpid()}
        (folder / "spec.json").write_text(json.dumps(spec))
        (folder / "progress.json").write_text('{"done": 30, "total": 60, "unit": "objects"}')
        async with opened(song.root) as stage:
            await stage.until(lambda: "30 of 60 objects" in stage.line("#status-line"))
            assert " 50 %" in stage.line("#status-line")
            await stage.press("X")
            await stage.until(lambda: isinstance(stage.app.screen, MenuScreen))
            await stage.press("escape")
            result = {"state": "done", "message": "Pushed main to origin.", "ended_s": 2.0}
            (folder / "result.json").write_text(json.dumps(result))
            os.close(lock)
            await stage.until(lambda: any("Pushed main to origin" in t for t in stage.told()))
            assert stage.main.desk is not None
            assert stage.main.desk.running is None

    async def test_a_dead_job_is_told_by_health(self, song: Song, opened: Open) -> None:
        """A job without a result and without a process has died; health says what that means."""
        folder = song.root / ".muse" / "jobs" / "20260101T000000-1-push"
        folder.mkdir(parents=True)
        (folder / "lock").touch()
        (folder / "spec.json").write_text('{"kind": "push", "label": "origin/main"}')
        job = read_job(folder)
        assert job is not None
        assert job.state == "died"
        async with opened(song.root) as stage:
            await stage.until(
                lambda: any(
                    "The push died" in fact.text for fact in stage.main.health_list.health.facts
                )
            )

    async def test_a_job_can_be_cancelled(
        self, song: Song, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The cancelled job publishes nothing and says so; the next one may start."""
        for number in range(300):
            song.write(f"many/{number}.txt", f"{number}\n" * 50)
        song.commit("Many")
        async with opened(song.root) as stage:
            desk = stage.main.desk
            assert desk is not None
            started: list[str] = []
            real = jobs.JobDesk.cancel

            def cancel(self: JobDesk) -> bool:
                started.append("cancelled")
                return real(self)

            monkeypatch.setattr(jobs.JobDesk, "cancel", cancel)
            await stage.press("4", "V", "X")
            await stage.until(
                lambda: isinstance(stage.app.screen, MenuScreen) or desk.running is None
            )
            if isinstance(stage.app.screen, MenuScreen):
                await stage.press("y")
            await stage.until(lambda: desk.running is None)
            ended = read_jobs(song.root)[0]
            assert ended.state in {"cancelled", "done"}


def test_rates_and_times() -> None:
    """Rate and time left are computed from what was done so far."""
    job = JobView("x", "push", "", done=25, total=100, bytes_done=3_100_000, started_s=100.0)
    assert rate_text(job, 101.0) == ("3.1 MB/s", "0:04 left")
    assert rate_text(job, 100.1) == ("", "")


async def test_the_strip_gives_up_what_has_no_room(song: Song, opened: Open) -> None:
    """Name, bar, percent and cancel stay at 60 columns; more is shown where there is room."""
    async with opened(song.root, size=(60, 20)) as stage:
        strip = stage.app.screen.query_one(StatusLine)
        strip.tell_job(JobView("x", "push", "origin/main", done=240, total=393, started_s=1.0))
        text = strip.render_line(0).text
        assert "push origin/main" in text
        assert " 61 %" in text
        assert text.rstrip().endswith("X cancel")
        await stage.pilot.resize_terminal(120, 40)
        await stage.pilot.pause()
        assert "240 of 393 objects" in strip.render_line(0).text
