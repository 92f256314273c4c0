"""Runs git with a clean environment, and turns what it says into errors of ours.

No hook, no prompt, no transport, no pager and no lazy fetch is ever run on behalf of the other
repository (G16): what it names in its configuration stays unused.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final, Self

from muse.core.errors import MuseError, RemoteError
from muse.core.paths import show_text

if TYPE_CHECKING:
    import subprocess
    import threading

PIPE_BYTES: Final = 1 << 20
# Where the user's own settings come from; every other GIT_ variable would redirect us.
_KEPT: Final = frozenset({"GIT_CONFIG_GLOBAL", "GIT_EXEC_PATH"})
_SET: Final = {
    "GIT_ALLOW_PROTOCOL": "",  # a partial clone must not start to fetch
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_GRAFT_FILE": os.devnull,  # grafts and replacements change what an id means
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",  # messages that can be recognised
}
_SETTINGS: Final = (
    "core.alternateRefsCommand=true",
    "core.bigFileThreshold=16m",  # what is larger is streamed by git too
    "core.fsmonitor=false",
    "core.fsync=all",  # success is reported once it is durable (G2)
    f"core.hooksPath={os.devnull}",
    "gc.auto=0",
)
_PREFIX: Final = re.compile(r"(fatal|error|warning): ")


class GitFailedError(RemoteError):
    """Git exited with an error.

    Args:
        verb: The git command, as in "rev-list".
        said: What it wrote to stderr.
        hint: What to do; found from what it said when empty.
    """

    def __init__(self, verb: str, said: str, *, hint: str = "") -> None:
        lines = [line for line in said.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))]
        last = (fatal or lines or ["it gave no reason"])[-1]
        super().__init__(
            f"git {verb} failed: {show_text(_PREFIX.sub('', last, count=1))}",
            hint=hint or _hint_for(said),
        )
        self.verb, self.said = verb, said


def _hint_for(said: str) -> str:
    owned = re.search(r"detected dubious ownership in repository at '(.+)'", said)
    if owned:
        return (
            "The repository belongs to another user. If you trust it: "
            f"git config --global --add safe.directory {show_text(owned[1])}"
        )
    if "not a git repository" in said:
        return "Name the folder of a git repository (with .git in it, or a bare one)."
    if re.search(r"missing|unable to read|bad object|corrupt|Could not read", said):
        return "Objects are missing or damaged there: look with 'git fsck' in that repository."
    if ".lock" in said:
        return "Another git command may be running there; wait for it, then run this again."
    return "Look with 'git status' and 'git fsck' in that repository."


@dataclass(frozen=True, slots=True)
class Git:
    """The git executable, aimed at one repository.

    Args:
        env: The caller's environment; what would redirect git is left out.
        folder: The working directory of the command.
        git_dir: The repository; None lets git look for it in ``folder`` alone.
        work_tree: Its files, for the few commands that touch them.
    """

    env: Mapping[str, str]
    folder: Path
    git_dir: Path | None = None
    work_tree: Path | None = None

    def run(self, *arguments: str, data: bytes = b"") -> bytes:
        """Run a command to its end and return its output.

        Raises:
            RemoteError: It failed, or there is no git.
        """
        result = self.try_run(*arguments, data=data)
        if result.returncode:
            raise GitFailedError(_verb(arguments), result.stderr.decode("utf-8", "replace"))
        return result.stdout

    def try_run(self, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, whatever it answers."""
        import subprocess  # start-up time

        with _executable_errors():
            return subprocess.run(
                self._command(arguments),
                input=data,
                capture_output=True,
                cwd=self.folder,
                env=self._environment(),
                check=False,
            )

    def pipe(
        self, *arguments: str, feed: Iterable[bytes] | None = (), read_from: GitPipe | None = None
    ) -> GitPipe:
        """Start a command whose output is read while ``feed`` is written to it.

        Args:
            arguments: The command.
            feed: Written by a thread; None when the caller writes with `GitPipe.write`.
            read_from: Another running command whose output this one takes instead.
        """
        import subprocess  # start-up time
        import tempfile

        # A file, not a pipe: whatever git says, nobody has to read it for git to go on.
        said = tempfile.TemporaryFile()  # noqa: SIM115  # the pipe closes it
        with _executable_errors():
            process = subprocess.Popen(
                self._command(arguments),
                stdin=read_from.out if read_from else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=self.folder,
                env=self._environment(),
                bufsize=PIPE_BYTES,
                pipesize=PIPE_BYTES,
            )
        return GitPipe(_verb(arguments), process, said, None if read_from else feed)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        command = ["git"]
        if self.git_dir is not None:
            command.append(f"--git-dir={self.git_dir}")
        if self.work_tree is not None:
            command.append(f"--work-tree={self.work_tree}")
        for setting in _SETTINGS:
            command += ["-c", setting]
        return [*command, *arguments]

    def _environment(self) -> dict[str, str]:
        clean = {
            name: value
            for name, value in self.env.items()
            if (not name.startswith("GIT_") or name in _KEPT) and name != "LANGUAGE"
        }
        # The named folder is the repository or it is none: never one of those above it.
        ceiling = os.path.dirname(os.path.realpath(self.folder))
        return clean | _SET | {"GIT_CEILING_DIRECTORIES": ceiling}


class GitPipe:
    """A running git command; a context manager that ends it.

    Leaving normally waits for git and raises when it failed; an exception stops git first.

    Attributes:
        out: What git writes.
    """

    def __init__(
        self,
        verb: str,
        process: subprocess.Popen[bytes],
        said: IO[bytes],
        feed: Iterable[bytes] | None,
    ) -> None:
        assert process.stdout is not None
        self._verb, self._process, self._said = verb, process, said
        self._feed_error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self.out: IO[bytes] = process.stdout
        if feed is not None:
            import threading  # start-up time

            self._thread = threading.Thread(target=self._write, args=(feed,), daemon=True)
            self._thread.start()

    def _write(self, feed: Iterable[bytes]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            for chunk in feed:
                stdin.write(chunk)
            stdin.close()
        except BrokenPipeError:
            # Git ended early: its exit code and stderr say why.
            with contextlib.suppress(OSError):
                stdin.close()
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            self._feed_error = error
            # Git must not take what it got for the whole.
            self._process.kill()
            with contextlib.suppress(OSError):
                stdin.close()

    def write(self, data: bytes) -> None:
        """Give the command input, where no feed does.

        Raises:
            RemoteError: It ended before it took everything; the error is what it said.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except BrokenPipeError as error:
            raise self.fail("it ended early") from error

    def flush(self) -> None:
        """Send what was written so far."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.flush()

    def finish(self) -> bytes:
        """Wait for the end of the command and return the output that was not read yet.

        Raises:
            RemoteError: It failed.
        """
        if self._thread is None and self._process.stdin is not None:
            # Git may be gone already, and then says why.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        rest = b"" if self.out.closed else self.out.read()
        if self._thread is not None:
            self._thread.join()
        self.out.close()
        code = self._process.wait()
        if self._feed_error is not None:
            raise self._feed_error
        if code:
            raise GitFailedError(self._verb, self._stderr())
        return rest

    def fail(self, reason: str) -> GitFailedError:
        """Return the error for output that is not what it should be, with what git said."""
        self._process.kill()
        self._process.wait()
        return GitFailedError(self._verb, self._stderr() or reason)

    def _stderr(self) -> str:
        self._said.seek(0)
        return self._said.read(1 << 16).decode("utf-8", "replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self._process.kill()
            self._process.wait()
            if self._thread is not None:
                self._thread.join()
            elif self._process.stdin is not None:
                # After the end of git: what is still in the buffer goes nowhere.
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
            self.out.close()
            self._said.close()


def _verb(arguments: Sequence[str]) -> str:
    return next((a for a in arguments if not a.startswith("-")), "git")


@contextlib.contextmanager
def _executable_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MuseError(
            "There is no 'git' on this machine's PATH.",
            hint="The bridge reads and writes git repositories with git itself: install it first.",
        ) from error
    except OSError as error:
        raise RemoteError(
            f"git could not be started: {os.strerror(error.errno or 0)}.",
            hint="Look at 'git --version' and at the permissions of that folder.",
        ) from error
