"""Push and clone over ssh: the same sshd on the loopback, the same history, beside git."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

from benchmarks.history import make_history
from benchmarks.measure import Side, run_once
from benchmarks.rows import Row
from benchmarks.workshop import GIT, GIT_INIT, MUSE, Pair, Workshop
from tests.remotes.sshd import SSHD, Sshd

_COMMITS = 10_000


def rows(workshop: Workshop) -> Iterator[Row]:
    """Everything, one commit, and everything back; nothing where there is no sshd."""
    if SSHD is None:
        print("no sshd here: apt-get install openssh-server")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        sshd = Sshd(Path(folder), home=home)
        os.environ["MUSE_SSH"] = os.environ["GIT_SSH_COMMAND"] = sshd.command
        try:
            yield from _rows(workshop, make_history(workshop, _COMMITS))
        finally:
            sshd.stop()
            del os.environ["MUSE_SSH"], os.environ["GIT_SSH_COMMAND"]


def _rows(workshop: Workshop, pair: Pair) -> Iterator[Row]:
    base = workshop.folder("wire")
    ours, theirs = base / "muse", base / "git"
    for tool, folder in pair.sides:
        url = f"here:{ours if tool == MUSE else theirs}"
        run_once([tool, "remote", "add", "wire", url], cwd=folder)
    to = ["-u", "wire", "main"]
    yield workshop.versus(
        f"push of {_COMMITS} commits over ssh", 0,
        Side([MUSE, "push", *to], pair.ours, _anew(ours, MUSE, "init", "--bare")),
        Side([GIT, "push", "-q", *to], pair.theirs, _anew(theirs, *GIT_INIT, "--bare")),
        runs=3, warmup=0, counted=False,
    )  # fmt: skip
    yield workshop.versus(
        f"clone of {_COMMITS} commits over ssh", 0,
        Side([MUSE, "clone", f"here:{ours}", "c-muse"], base, _remove(base / "c-muse")),
        Side([GIT, "clone", "-q", f"here:{theirs}", "c-git"], base, _remove(base / "c-git")),
        runs=3, warmup=0, counted=False,
    )  # fmt: skip
    one, other = (_commit(tool, folder) for tool, folder in pair.sides)
    yield workshop.versus(
        "push of one commit over ssh", 0,
        Side([MUSE, "push"], pair.ours, one), Side([GIT, "push", "-q"], pair.theirs, other),
        counted=False,
    )  # fmt: skip
    yield workshop.versus(
        "fetch of nothing new over ssh", 0,
        Side([MUSE, "fetch", "wire"], pair.ours), Side([GIT, "fetch", "-q", "wire"], pair.theirs),
        counted=False,
    )  # fmt: skip
    rmtree(base)


def _anew(folder: Path, *init: str) -> Callable[[], None]:
    def before() -> None:
        rmtree(folder, ignore_errors=True)
        run_once([*init, str(folder)], cwd=folder.parent)

    return before


def _commit(tool: str, folder: Path) -> Callable[[], None]:
    def before() -> None:
        with (folder / "src_0/file_0.py").open("a") as file:
            file.write("# one line more\n")
        run_once([tool, "add", "src_0/file_0.py"], cwd=folder)
        run_once([tool, "commit", "-m", "x"], cwd=folder)

    return before


def _remove(folder: Path) -> Callable[[], None]:
    return lambda: rmtree(folder, ignore_errors=True)
