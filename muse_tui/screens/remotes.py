"""What keys do with remotes, and how jobs are shown while they run."""

from __future__ import annotations

from textual import work

from muse_tui.backend import drafts
from muse_tui.jobs import JobDesk, JobRefusedError
from muse_tui.messages import JobChanged
from muse_tui.model import Failure, JobView
from muse_tui.screens import boxes
from muse_tui.screens.base import ActionBase
from muse_tui.widgets.status_line import StatusLine

_DOING = {"commit": "committing", "push": "pushing", "pull": "pulling", "fetch": "fetching",
          "verify": "verifying"}  # fmt: skip


class RemoteActions(ActionBase):
    """Push, pull, fetch; every job, too."""

    def __init__(self) -> None:
        super().__init__()
        self.desk: JobDesk | None = None
        self.diverged = ""

    # Keys -------------------------------------------------------------------------------------

    @work(group="boxes", exit_on_error=False)
    async def action_push(self) -> None:
        """Push the current branch; ask for an upstream when there is none."""
        if self.refuse_busy():
            return
        if not self.head.branch:
            self.say("HEAD is detached: there is no branch to push.", hint="b branches",
                     level="info")  # fmt: skip
            return
        if not self.head.oid:
            self.say("There is nothing to push yet.", hint="c commit", level="info")
            return
        remote = await self._remote("push to")
        if not remote:
            return
        force = False
        if self.diverged == self.head.branch:
            answer = await self._after_divergence(remote)
            if answer == "pull":
                self.start_job("pull", f"{remote}/{self.head.branch}", remote=remote)
            if answer not in {"push", "force"}:
                return
            force = answer == "force"
        self.start_job("push", f"{remote}/{self.head.branch}", remote=remote, force=force)

    async def _after_divergence(self, remote: str) -> str | None:
        """Ask how to go on after a push that was refused; force wants the branch's name."""
        branch = self.head.branch
        choices = [
            boxes.Choice("p", "pull first", "pull"),
            boxes.Choice("a", "try the same push again", "push"),
            boxes.Choice("f", f"force: drop what only {remote} has", "force", danger=True),
        ]
        note = f"{remote}/{branch} has commits that are not here."
        answer = await self.choose(boxes.MenuScreen("Push", choices, note=note, danger=True))
        if answer != "force":
            return answer
        note = f"Commits that only {remote}/{branch} has will be dropped there. z cannot help."
        word = await self.choose(boxes.AskScreen("Force push", note=note, word=branch))
        return "force" if word == branch else None

    @work(group="boxes", exit_on_error=False)
    async def action_pull(self) -> None:
        """Fetch the upstream and bring the branch to it."""
        if not self.refuse_busy():
            remote = await self._remote("pull from")
            if remote:
                self.start_job("pull", f"{remote}/{self.head.branch}", remote=remote)

    @work(group="boxes", exit_on_error=False)
    async def action_fetch(self) -> None:
        """Fetch from the upstream's remote."""
        if not self.refuse_busy():
            remote = await self._remote("fetch from")
            if remote:
                self.start_job("fetch", remote, remote=remote)

    async def _remote(self, verb: str) -> str | None:
        if self.head.upstream:
            return self.head.upstream.partition("/")[0]
        remotes = await self.ask("remotes", tuple)
        if remotes is None:
            return None
        if len(remotes) == 1:
            return str(remotes[0][0])
        if remotes:
            choices = [
                boxes.Choice(str(number), name, name, note=url)
                for number, (name, url) in enumerate(remotes[:9], 1)
            ]
            return await self.choose(boxes.MenuScreen(f"Which remote to {verb}?", choices))
        url = await self.choose(
            boxes.AskScreen(
                "No remote yet",
                note="Its address: a folder, host:path or ssh://…, s3://…, gs://…, az://…",
            )
        )
        if not url:
            return None
        done = await self.ask("add_remote", object, name="origin", url=url)
        return None if done is None else "origin"

    @work(group="boxes", exit_on_error=False)
    async def action_cancel_job(self) -> None:
        """Ask, and cancel the running job."""
        job = self.desk.running if self.desk is not None else None
        if job is None:
            self.say("No job is running.", level="info")
            return
        choices = [boxes.Choice("y", f"cancel the {job.kind}", "yes", danger=True)]
        note = "What was sent already stays there and is not sent twice."
        if await self.choose(boxes.MenuScreen("Cancel", choices, note=note, danger=True)):
            assert self.desk is not None
            if not self.desk.cancel():
                self.say(f"The {job.kind} has ended already.", level="info")

    # Jobs -------------------------------------------------------------------------------------

    def open_desk(self) -> None:
        """Find the jobs of an earlier interface; a running one is shown again."""
        self.desk = JobDesk(self.root)
        job = self.desk.adopt()
        if job is not None:
            self.say(f"The {job.kind} begun before goes on.", level="info")
            self.watch_job(job.id)

    def refuse_busy(self) -> bool:
        """Say that a job is running, if one is."""
        job = self.desk.running if self.desk is not None else None
        if job is not None:
            self.say(f"Still {_DOING.get(job.kind, job.kind)}.", hint="X cancels it", level="info")
        return job is not None

    def start_job(self, kind: str, label: str, **args: object) -> bool:
        """Start a job unless one is running."""
        if self.desk is None or self.refuse_busy():
            return False
        try:
            job = self.desk.start(kind, label, args)
        except JobRefusedError as error:
            self.say(str(error), level="bad")
            return False
        self.watch_job(job.id)
        return True

    @work(group="jobs", exit_on_error=False)
    async def watch_job(self, job_id: str) -> None:
        """Supervise the job's process until it has ended."""
        assert self.desk is not None
        async for job in self.desk.follow(job_id):
            self.post_message(JobChanged(job))

    def on_job_changed(self, event: JobChanged) -> None:
        """Show progress; at the end, what came out."""
        job = event.job
        self.query_one(StatusLine).tell_job(job if job.state == "running" else None)
        if job.state != "running":
            self.job_ended(job)

    def job_ended(self, job: JobView) -> None:
        """Say how a job ended, and let the engine look at what it changed."""
        self.engine.tell("job_ended", kind=job.kind)
        if job.state == "done":
            if job.kind == "commit":
                self._forget_draft()
            hint = "P push" if job.kind == "commit" and self.head.upstream else ""
            damaged = dict(job.data).get("damage", "0") != "0"
            self.say(job.message, hint=job.hint or hint, level="bad" if damaged else "ok")
            if job.kind in {"push", "pull"}:
                self.diverged = ""
        elif job.state == "cancelled":
            self.say(f"The {job.kind} was cancelled.", hint=job.hint, level="warn")
        else:
            if job.kind == "push" and job.problem == "NonFastForwardError":
                self.diverged = self.head.branch
            self.last_failure = Failure(job.problem, job.message, job.hint)
            self.say(job.message, hint=job.hint, level="bad")
            self.tell_error(job.message, job.hint)

    def _forget_draft(self) -> None:
        drafts.forget_draft(self.root)
